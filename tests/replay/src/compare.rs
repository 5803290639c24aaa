//! Comparing what came with what was recorded.
//!
//! Volatile parts are masked in both, as the recording says. Of prose only the information counts:
//! the names and positions in it that the request brought.

use fancy_regex::Regex;
use serde_json::Value;

/// Members whose text is prose or internal: their presence counts.
const PROSE: &[&str] = &["executionPlan", "topology", "description", "overview"];

/// Masks the volatile parts of a text.
pub(crate) fn masked(text: &str, volatile: &Value) -> String {
    let mut text = text.to_owned();
    for entry in volatile.as_array().into_iter().flatten() {
        let (Some(regex), Some(replace)) = (entry["regex"].as_str(), entry["replace"].as_str())
        else {
            continue;
        };
        if let Ok(regex) = Regex::new(regex) {
            // Python writes groups as \1.
            let mut replacement = String::new();
            let mut chars = replace.chars().peekable();
            while let Some(c) = chars.next() {
                match (c, chars.peek()) {
                    ('\\', Some(d)) if d.is_ascii_digit() => {
                        replacement.push_str(&format!("${{{d}}}"));
                        chars.next();
                    }
                    ('$', _) => replacement.push_str("$$"),
                    _ => replacement.push(c),
                }
            }
            text = regex.replace_all(&text, replacement.as_str()).into_owned();
        }
    }
    text
}

/// Whether the recording has this mark.
pub(crate) fn has_mark(volatile: &Value, name: &str) -> bool {
    volatile
        .as_array()
        .into_iter()
        .flatten()
        .any(|entry| entry[name] == Value::Bool(true))
}

fn marks<'a>(volatile: &'a Value, name: &'a str) -> impl Iterator<Item = &'a str> {
    volatile
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(move |entry| entry[name].as_str())
}

/// Compares two bodies. `request` is the text of the request: its words are information.
pub(crate) fn bodies(
    expected: &str,
    actual: &str,
    volatile: &Value,
    request: &str,
) -> Result<(), String> {
    let (expected, actual) = (masked(expected, volatile), masked(actual, volatile));
    if expected == actual {
        return Ok(());
    }
    if let (Ok(mut left), Ok(mut right)) = (
        serde_json::from_str::<Value>(&readable(&expected)),
        serde_json::from_str::<Value>(&readable(&actual)),
    ) {
        ignore(&mut left, volatile);
        ignore(&mut right, volatile);
        return values(&left, &right, "$", volatile, request);
    }
    let (left, right) = (lines(&readable(&expected)), lines(&readable(&actual)));
    if let (Some(mut left), Some(mut right)) = (left, right) {
        for volatile_line in volatile.as_array().into_iter().flatten() {
            if let Some(n) = volatile_line["line"].as_u64() {
                for side in [&mut left, &mut right] {
                    if let Some(line) = side.get_mut(n as usize) {
                        *line = Value::Null;
                    }
                }
            }
        }
        let (mut left, mut right) = (Value::Array(left), Value::Array(right));
        ignore(&mut left, volatile);
        ignore(&mut right, volatile);
        return values(&left, &right, "$", volatile, request);
    }
    Err(format!("recorded: {expected}\nactual:   {actual}"))
}

/// A masked number is no JSON: put as a string it is.
fn readable(text: &str) -> String {
    text.replace(":#", ":\"#\"").replace(": #", ": \"#\"")
}

/// A stream of lines as JSON values; `None`: they are not.
fn lines(text: &str) -> Option<Vec<Value>> {
    let mut values = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        let line = line
            .strip_prefix("[{")
            .map_or(line.to_owned(), |rest| format!("{{{rest}"));
        let line = line.trim_end_matches(',');
        let line = match line.strip_suffix(']') {
            Some(rest) if line.starts_with('{') => rest,
            _ => line,
        };
        if line.is_empty() || line == "]" || line == "[" {
            continue;
        }
        values.push(serde_json::from_str(line).ok()?);
    }
    Some(values)
}

/// Sets what does not count to null: paths and keys of the volatile list.
fn ignore(value: &mut Value, volatile: &Value) {
    for key in marks(volatile, "key") {
        ignore_key(value, key);
    }
    for path in marks(volatile, "path") {
        let parts: Vec<String> = path
            .trim_start_matches('$')
            .split(['.', '['])
            .map(|part| part.trim_end_matches(']').to_owned())
            .filter(|part| !part.is_empty())
            .collect();
        ignore_path(value, &parts);
    }
}

fn ignore_key(value: &mut Value, key: &str) {
    match value {
        Value::Object(map) => {
            for (name, member) in map.iter_mut() {
                if name == key {
                    *member = Value::Null;
                } else {
                    ignore_key(member, key);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| ignore_key(item, key)),
        _ => {}
    }
}

fn ignore_path(value: &mut Value, path: &[String]) {
    let Some((first, rest)) = path.split_first() else {
        *value = Value::Null;
        return;
    };
    match value {
        Value::Object(map) => {
            if let Some(member) = map.get_mut(first) {
                ignore_path(member, rest);
            }
        }
        Value::Array(items) => {
            if first == "*" {
                items.iter_mut().for_each(|item| ignore_path(item, rest));
            } else if let Some(item) = first.parse().ok().and_then(|i: usize| items.get_mut(i)) {
                ignore_path(item, rest);
            }
        }
        _ => {}
    }
}

/// Compares JSON values, members in order.
fn values(
    expected: &Value,
    actual: &Value,
    path: &str,
    volatile: &Value,
    request: &str,
) -> Result<(), String> {
    match (expected, actual) {
        (Value::Object(left), Value::Object(right)) => {
            let names = |map: &serde_json::Map<String, Value>| {
                map.keys().cloned().collect::<Vec<_>>().join(",")
            };
            if names(left) != names(right) {
                return Err(format!(
                    "{path}: members are [{}], recorded [{}]",
                    names(right),
                    names(left)
                ));
            }
            for (name, member) in left {
                let other = right.get(name).unwrap_or(&Value::Null);
                let path = format!("{path}.{name}");
                if PROSE.contains(&name.as_str()) {
                    continue;
                }
                if name == "message" || name == "errorMessage" && member.is_string() {
                    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
                    if member.is_string() != other.is_string() {
                        return Err(format!("{path}: {other}, recorded {member}"));
                    }
                    information(&text(member), &text(other), request).map_err(|e| {
                        format!("{path}: {e}\nrecorded: {member}\nactual:   {other}")
                    })?;
                    continue;
                }
                values(member, other, &path, volatile, request)?;
            }
            Ok(())
        }
        (Value::Array(left), Value::Array(right)) => {
            if path.ends_with(".properties") {
                return properties(left, right, path);
            }
            if path.ends_with(".functions")
                && left.first().is_some_and(|f| f["category"].is_string())
            {
                return contained(left, right, path);
            }
            let unordered = marks(volatile, "unordered").any(|p| p == path || p == "rows")
                || path.ends_with("defaultProperties")
                || path.ends_with("overwrittenProperties");
            if path.ends_with("defaultProperties") {
                return Ok(());
            }
            if left.len() != right.len() {
                return Err(format!(
                    "{path}: {} entries, recorded {}\nrecorded: {}\nactual:   {}",
                    right.len(),
                    left.len(),
                    Value::Array(left.clone()),
                    Value::Array(right.clone())
                ));
            }
            let (mut left, mut right) = (left.clone(), right.clone());
            if unordered {
                left.sort_by_key(Value::to_string);
                right.sort_by_key(Value::to_string);
            }
            for (i, (a, b)) in left.iter().zip(&right).enumerate() {
                values(a, b, &format!("{path}[{i}]"), volatile, request)?;
            }
            Ok(())
        }
        _ if expected == actual => Ok(()),
        _ => Err(format!("{path}: {actual}, recorded {expected}")),
    }
}

/// Each property that both have must agree.
fn properties(left: &[Value], right: &[Value], path: &str) -> Result<(), String> {
    for property in right {
        let recorded = left.iter().find(|p| p["name"] == property["name"]);
        if let Some(recorded) = recorded
            && recorded != property
        {
            return Err(format!("{path}: {property}, recorded {recorded}"));
        }
    }
    Ok(())
}

/// All that was recorded must be there.
fn contained(left: &[Value], right: &[Value], path: &str) -> Result<(), String> {
    let missing: Vec<String> = left
        .iter()
        .filter(|f| !right.contains(f))
        .map(Value::to_string)
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("{path}: missing {}", missing.join(", ")))
    }
}

/// Words of a message that are information: those that the request brought and that are names or
/// values, and positions.
fn information(expected: &str, actual: &str, request: &str) -> Result<(), String> {
    let position =
        Regex::new(r"(?i)line:?\s*(\d+)(?:,\s*col:\s*|:)(\d+)").map_err(|e| e.to_string())?;
    for found in position.captures_iter(expected).flatten() {
        let (line, column) = (&found[1], &found[2]);
        let same = position
            .captures_iter(actual)
            .flatten()
            .any(|c| &c[1] == line && &c[2] == column);
        if !same {
            return Err(format!("position {line}:{column} is missing"));
        }
    }
    // Where the reference's JSON parser stood: numbers that are no values of the request.
    let parser = Regex::new(r"\[Source: [^\]]*\]").map_err(|e| e.to_string())?;
    let expected = parser.replace_all(expected, "");
    let request_words: std::collections::BTreeSet<String> = words(request).collect();
    let actual_words: std::collections::BTreeSet<String> =
        words(actual).map(|w| w.to_ascii_uppercase()).collect();
    for word in words(&expected) {
        let name = word
            .chars()
            .any(|c| c.is_ascii_digit() || c == '_' || c == '.')
            || (word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase()));
        if name
            && !word.starts_with("io.")
            && !is_keyword(&word)
            && (request_words.contains(&word) || request_words.contains(&word.to_ascii_lowercase()))
            && !actual_words.contains(&word.to_ascii_uppercase())
        {
            return Err(format!("'{word}' is missing in the message"));
        }
    }
    Ok(())
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'))
        .map(|w| w.trim_matches('.').to_owned())
        .filter(|w| !w.is_empty())
}

fn is_keyword(word: &str) -> bool {
    const KEYWORDS: &[&str] = &[
        "SELECT",
        "FROM",
        "WHERE",
        "CREATE",
        "STREAM",
        "TABLE",
        "AS",
        "WITH",
        "INSERT",
        "INTO",
        "VALUES",
        "GROUP",
        "BY",
        "PARTITION",
        "HAVING",
        "WINDOW",
        "EMIT",
        "CHANGES",
        "FINAL",
        "JOIN",
        "ON",
        "LEFT",
        "RIGHT",
        "FULL",
        "OUTER",
        "INNER",
        "WITHIN",
        "AND",
        "OR",
        "NOT",
        "NULL",
        "IS",
        "IN",
        "LIKE",
        "BETWEEN",
        "CASE",
        "WHEN",
        "THEN",
        "ELSE",
        "END",
        "CAST",
        "DROP",
        "DESCRIBE",
        "EXPLAIN",
        "SHOW",
        "LIST",
        "SET",
        "UNSET",
        "KEY",
        "PRIMARY",
        "INT",
        "INTEGER",
        "STRING",
        "VARCHAR",
        "BIGINT",
        "DOUBLE",
        "BOOLEAN",
        "ARRAY",
        "MAP",
        "STRUCT",
        "LIMIT",
        "TERMINATE",
        "PAUSE",
        "RESUME",
        "ALL",
        "IF",
        "EXISTS",
        "DELETE",
        "TOPIC",
        "ALTER",
        "ADD",
        "COLUMN",
        "TYPE",
        "PRINT",
        "SQL",
        "KSQL",
        "JSON",
        "USE",
        "SIZE",
        "TO",
        "OF",
        "THE",
        "CONNECTOR",
        "SOURCE",
        "SINK",
        "SYSTEM",
    ];
    KEYWORDS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn volatile_parts_are_masked() {
        let volatile = json!([{"regex": "\"n\":(\\d)\\d+", "replace": "\"n\":\\1#"}]);
        assert!(bodies(r#"{"n":12}"#, r#"{"n":19}"#, &volatile, "").is_ok());
        assert!(bodies(r#"{"n":12}"#, r#"{"n":29}"#, &volatile, "").is_err());
    }

    #[test]
    fn order_of_members_counts_and_prose_does_not() {
        let none = json!([]);
        assert!(bodies(r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, &none, "").is_err());
        let (recorded, ours) = (
            r#"{"message":"Column FOO_1 cannot be resolved"}"#,
            r#"{"message":"there is no column FOO_1"}"#,
        );
        assert!(bodies(recorded, ours, &none, "SELECT FOO_1").is_ok());
        assert!(bodies(recorded, r#"{"message":"no"}"#, &none, "SELECT FOO_1").is_err());
    }

    #[test]
    fn unordered_rows() {
        let volatile = json!([{"unordered": "rows"}]);
        assert!(bodies("[1]\n[2]\n", "[2]\n[1]\n", &volatile, "").is_ok());
        assert!(bodies("[1]\n[2]\n", "[2]\n[3]\n", &volatile, "").is_err());
    }
}
