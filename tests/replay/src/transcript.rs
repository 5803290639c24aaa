//! Comparing what the command line printed with a recorded transcript.
//!
//! Invariant: only what the recordings' README calls free is let go: the order of lists, the
//! wording of errors and of function documentation, properties that only one side has.

use std::collections::BTreeMap;

use fancy_regex::Regex;
use serde_json::Value;

use crate::cli::Printed;
use crate::compare::{bodies, masked};
use crate::server::Server;

/// Compares exit status and output.
pub(crate) fn compare(recorded: &Value, server: &Server, printed: &Printed) -> Result<(), String> {
    let expected_exit = recorded["exit"].as_i64().map(|e| e as i32);
    if expected_exit.is_some() && expected_exit != printed.exit {
        return Err(format!(
            "exit {:?}, recorded {expected_exit:?}\n{}",
            printed.exit, printed.stdout
        ));
    }
    let expected = recorded["stdout"].as_str().unwrap_or_default();
    let expected = expected
        .replace("{{server}}", &format!("http://{}", server.host()))
        .replace("{{host}}", &server.host());
    outputs(&expected, &printed.stdout, &recorded["volatile"])
}

fn outputs(expected: &str, actual: &str, volatile: &Value) -> Result<(), String> {
    if serde_json::from_str::<Value>(expected).is_ok() {
        return bodies(expected, actual, volatile, "");
    }
    let (expected, actual) = (blanked(expected, volatile), blanked(actual, volatile));
    let expected = normal(&masked(&expected, volatile));
    let actual = normal(&masked(&actual, volatile));
    let difference = || difference(&expected, &actual);
    if expected == actual {
        return Ok(());
    }
    if expected.contains("Effective Value") {
        return properties(&expected, &actual);
    }
    if expected.contains("Variations :") {
        return (documented(&expected) == documented(&actual))
            .then_some(())
            .ok_or_else(difference);
    }
    let mut expected_lines: Vec<&str> = expected.lines().collect();
    let mut actual_lines: Vec<&str> = actual.lines().collect();
    // Lists come in hash order in the reference.
    expected_lines.sort_unstable();
    actual_lines.sort_unstable();
    if expected_lines == actual_lines {
        return Ok(());
    }
    // Errors are prose: both must have them, in red.
    let red = |text: &str| text.contains("\u{1b}[31m");
    let without_red = |lines: &str| {
        Regex::new("(?s)\u{1b}\\[31m.*?\u{1b}\\[0m")
            .map(|r| r.replace_all(lines, "<red>").into_owned())
            .unwrap_or_default()
    };
    if red(&expected) && red(&actual) && without_red(&expected) == without_red(&actual) {
        return Ok(());
    }
    Err(difference())
}

/// Without the lines that the recording calls volatile.
fn blanked(text: &str, volatile: &Value) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    for entry in volatile.as_array().into_iter().flatten() {
        let line = entry["line"].as_u64().and_then(|n| usize::try_from(n).ok());
        if let Some(line) = line.and_then(|n| lines.get_mut(n)) {
            *line = "<volatile>";
        }
    }
    lines.join("\n")
}

/// Each property that both list must agree, but for addresses and folders.
fn properties(expected: &str, actual: &str) -> Result<(), String> {
    let recorded: BTreeMap<&str, &str> = expected.lines().filter_map(property).collect();
    for (name, rest) in actual.lines().filter_map(property) {
        match recorded.get(name) {
            Some(expected) if *expected != rest && !expected.contains("{{") => {
                return Err(format!("{name}:{rest}, recorded{expected}"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Name and the rest of a property's line.
fn property(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.split_once('|')?;
    Some((name.trim(), rest))
}

/// What counts of a function's documentation: names and types, not sentences.
fn documented(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| {
            let (name, value) = line.split_once(" :")?;
            // The rest is prose: what it does, what its arguments mean.
            let counts = ["Name", "Author", "Type", "Jar", "Variation", "Returns"];
            (counts.contains(&name.trim()) || value.trim().is_empty()).then_some(line)
        })
        .collect()
}

/// Without cursor movements, the status bar, the banner's lines, runs of blanks and of dashes.
fn normal(text: &str) -> String {
    let mut text = text.replace("\r\n", "\n");
    for (pattern, with) in [
        ("\u{1b}\\[7mPress CTRL-C to interrupt\u{1b}\\[0m", ""),
        ("\u{1b}[78]", ""),
        ("\u{1b}\\[[0-9;?]*[A-HJKSTfhlrsu]", ""),
        ("(?m)^.*Copyright.*$", "<copyright>"),
        ("(?m)^CLI v.*$", "<versions>"),
        ("Version: .*", "Version: <version>"),
        ("ksqlDB", "Weir"),
        (" {2,}", " "),
        ("-{2,}", "--"),
        ("(?m) +$", ""),
    ] {
        if let Ok(regex) = Regex::new(pattern) {
            text = regex.replace_all(&text, with).into_owned();
        }
    }
    text.trim_matches('\n').to_owned()
}

/// The first lines that differ.
fn difference(expected: &str, actual: &str) -> String {
    let (mut left, mut right) = (expected.lines(), actual.lines());
    let mut n = 0;
    loop {
        n += 1;
        let (a, b) = (left.next(), right.next());
        if a != b || a.is_none() {
            return format!("line {n}: {b:?}\nrecorded: {a:?}\nwhole output:\n{actual}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_free_and_what_counts() {
        let function = |overview: &str, returns: &str| {
            format!("Name : F\nOverview : {overview}\nVariations :\n\n\tReturns : {returns}\n")
        };
        let listed = |value: &str| {
            format!(
                " Property | Scope | Effective Value\n ours | KSQL | 1\n both | KSQL | {value}\n"
            )
        };
        for (expected, actual, same) in [
            ("a\nb".to_owned(), "b\na".to_owned(), true),
            ("a\nb".to_owned(), "a\nc".to_owned(), false),
            (function("One.", "INT"), function("Another.", "INT"), true),
            (function("One.", "INT"), function("One.", "BIGINT"), false),
            (listed("1"), listed("1").replace("ours", "theirs"), true),
            (listed("1"), listed("2"), false),
        ] {
            assert_eq!(
                outputs(&expected, &actual, &json!([])).is_ok(),
                same,
                "{expected} {actual}"
            );
        }
    }

    #[test]
    fn volatile_lines_are_skipped() {
        assert!(outputs("a\nb 1", "a\nb 2", &json!([{"line": 1}])).is_ok());
        assert!(outputs("a\nb 1", "a\nb 2", &json!([{"line": 0}])).is_err());
    }
}
