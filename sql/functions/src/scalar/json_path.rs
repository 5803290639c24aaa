//! Paths of EXTRACTJSONFIELD: `$.a.b[0]`, `$["a b"]`.

use serde_json::Value as Json;

/// A compiled path: the steps down from the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JsonPath {
    steps: Vec<String>,
}

impl JsonPath {
    /// Reads a path.
    pub(super) fn parse(path: &str) -> Result<Self, String> {
        let invalid = || format!("'{path}' is no valid JSON path: write $.field or $[index]");
        let mut rest = path.strip_prefix('$').ok_or_else(invalid)?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, after) = if let Some(after) = rest.strip_prefix('.') {
                take_while(after, |c| is_name(c) || ":$-/@|#".contains(c))
            } else if let Some(after) = rest.strip_prefix("[\"") {
                let (step, after) = quoted(after).ok_or_else(invalid)?;
                let after = after.strip_prefix(']').ok_or_else(invalid)?;
                steps.push(step);
                rest = after;
                continue;
            } else {
                let after = rest.strip_prefix('[').ok_or_else(invalid)?;
                let (step, after) = take_while(after, is_name);
                (step, after.strip_prefix(']').ok_or_else(invalid)?)
            };
            if step.is_empty() {
                return Err(invalid());
            }
            steps.push(step.to_owned());
            rest = after;
        }
        Ok(Self { steps })
    }

    /// What the path leads to.
    pub(super) fn find<'a>(&self, root: &'a Json) -> Option<&'a Json> {
        self.steps.iter().try_fold(root, |node, step| match node {
            Json::Object(fields) => fields.get(step),
            Json::Array(items) => items.get(step.parse::<usize>().ok()?),
            _ => None,
        })
    }
}

fn is_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn take_while(text: &str, accept: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !accept(c)).unwrap_or(text.len()))
}

/// A name up to the closing quote, where `\` escapes a quote or itself, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return Some((out, chars.as_str())),
            '\\' => out.push(chars.next().filter(|c| matches!(c, '"' | '\\'))?),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn paths() {
        let root: Json =
            serde_json::from_str(r#"{"a":{"b":[10,20,{"c d":3}]},"가":1,"x-y":2,"q\"\\":4}"#)
                .unwrap();
        for (path, expected) in [
            ("$.a.b[1]", Some("20")),
            ("$.a.b[3]", None),
            ("$.a[0]", None),
            ("$.가", Some("1")),
            ("$.x-y", Some("2")),
            (r#"$.a.b[2]["c d"]"#, Some("3")),
            ("$[a].b[0]", Some("10")),
            (r#"$["q\"\\"]"#, Some("4")),
            ("$.A", None),
        ] {
            let found = JsonPath::parse(path)
                .unwrap()
                .find(&root)
                .map(Json::to_string);
            assert_eq!(found.as_deref(), expected, "{path}");
        }
        for path in [
            "",
            "a",
            "$a",
            "$.",
            "$.a.",
            "$.a b",
            "$['a']",
            "$.a[-1]",
            "$.a[*]",
            "$..b",
            " $",
            r#"$["\a"]"#,
        ] {
            assert!(JsonPath::parse(path).is_err(), "{path}");
        }
    }
}
