//! TAB, hints and colours while typing.
//!
//! ```text
//!  word before the cursor ──► abbreviation? skeleton of a statement
//!                         └─► keywords, commands, and names that the server knows
//!                                                  (asked for once per statement)
//! ```
//!
//! Invariant: a server that does not answer costs the names, never the prompt.

use std::borrow::Cow;
use std::cell::RefCell;

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::{Hinter, HistoryHinter};
use rustyline::validate::Validator;
use rustyline::{Context, Helper, Result};
use serde_json::Value;
use weir_protocol::KsqlRequest;

use crate::client::{Answer, Client};
use crate::commands::COMMANDS;

/// What TAB makes of these words.
const SKELETONS: [(&str, &str); 5] = [
    (
        "cs",
        "CREATE STREAM s (id INT KEY, v STRING) WITH (kafka_topic='t', value_format='JSON', partitions=1);",
    ),
    (
        "ct",
        "CREATE TABLE t (id INT PRIMARY KEY, v STRING) WITH (kafka_topic='t', value_format='JSON', partitions=1);",
    ),
    ("csas", "CREATE STREAM s AS SELECT * FROM a EMIT CHANGES;"),
    (
        "ctas",
        "CREATE TABLE t AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;",
    ),
    ("ii", "INSERT INTO s (id, v) VALUES (1, 'a');"),
];

/// Words of the language that are worth completing.
const KEYWORDS: &[&str] = &[
    "ADD",
    "ADVANCE",
    "ALL",
    "ALTER",
    "AND",
    "ARRAY",
    "AS",
    "ASSERT",
    "BEGINNING",
    "BETWEEN",
    "BIGINT",
    "BOOLEAN",
    "BY",
    "BYTES",
    "CASE",
    "CAST",
    "CHANGES",
    "COLUMN",
    "CONNECTOR",
    "CONNECTORS",
    "CREATE",
    "DATE",
    "DAYS",
    "DECIMAL",
    "DEFINE",
    "DELETE",
    "DESCRIBE",
    "DISTINCT",
    "DOUBLE",
    "DROP",
    "ELSE",
    "EMIT",
    "END",
    "EXISTS",
    "EXPLAIN",
    "EXTENDED",
    "FINAL",
    "FROM",
    "FULL",
    "FUNCTION",
    "FUNCTIONS",
    "GRACE",
    "GROUP",
    "HAVING",
    "HEADER",
    "HEADERS",
    "HOPPING",
    "HOURS",
    "INNER",
    "INSERT",
    "INTEGER",
    "INTERVAL",
    "INTO",
    "JOIN",
    "KEY",
    "LEFT",
    "LIKE",
    "LIMIT",
    "LIST",
    "MAP",
    "MILLISECONDS",
    "MINUTES",
    "NULL",
    "OUTER",
    "PARTITION",
    "PAUSE",
    "PERIOD",
    "PLUGINS",
    "PRIMARY",
    "PRINT",
    "PROPERTIES",
    "QUERIES",
    "REPLACE",
    "RESUME",
    "RETENTION",
    "RIGHT",
    "SCHEMA",
    "SECONDS",
    "SELECT",
    "SESSION",
    "SHOW",
    "SINK",
    "SIZE",
    "SOURCE",
    "STREAM",
    "STREAMS",
    "STRING",
    "STRUCT",
    "SUBJECT",
    "TABLE",
    "TABLES",
    "TERMINATE",
    "THEN",
    "TIME",
    "TIMEOUT",
    "TIMESTAMP",
    "TOPIC",
    "TOPICS",
    "TUMBLING",
    "TYPE",
    "TYPES",
    "UNDEFINE",
    "UNSET",
    "VALUES",
    "VARCHAR",
    "VARIABLES",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
    "WITHIN",
];

/// Helps at the prompt.
pub(super) struct Assistant {
    client: Client,
    names: RefCell<Option<Vec<String>>>,
    hinter: HistoryHinter,
}

impl Assistant {
    /// Asks `client` for names.
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            names: RefCell::new(None),
            hinter: HistoryHinter::new(),
        }
    }

    /// The next TAB asks the server again: a statement may have made or dropped something.
    pub(super) fn forget_names(&mut self) {
        self.names = RefCell::new(None);
    }

    /// Sources, their columns, and functions.
    fn names(&self) -> Vec<String> {
        self.names
            .borrow_mut()
            .get_or_insert_with(|| fetch_names(&self.client))
            .clone()
    }
}

/// Two statements describe every source with its columns; the third one names the functions.
fn fetch_names(client: &Client) -> Vec<String> {
    let request = KsqlRequest {
        ksql: "DESCRIBE STREAMS; DESCRIBE TABLES; LIST FUNCTIONS;".to_owned(),
        ..KsqlRequest::default()
    };
    let Ok(Answer::Done(entities)) = client.statements(&request) else {
        return Vec::new();
    };
    let mut names = Vec::new();
    for entity in &entities {
        names_of(entity, "functions", &mut names);
        let sources = entity.get("sourceDescriptions").and_then(Value::as_array);
        for source in sources.into_iter().flatten() {
            names.extend(source.get("name").and_then(Value::as_str).map(written));
            names_of(source, "fields", &mut names);
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

fn names_of(value: &Value, key: &str, names: &mut Vec<String>) {
    let items = value.get(key).and_then(Value::as_array);
    for item in items.into_iter().flatten() {
        names.extend(item.get("name").and_then(Value::as_str).map(written));
    }
}

/// A stored name as it must be written: in back-quotes unless upper case.
fn written(name: &str) -> String {
    let bare = name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && name
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        && !weir_parser::is_reserved(name);
    if bare {
        name.to_owned()
    } else {
        format!("`{}`", name.replace('`', "``"))
    }
}

/// What could stand for the word that ends at `pos`, and where the word begins.
fn candidates(line: &str, pos: usize, names: impl FnOnce() -> Vec<String>) -> (usize, Vec<String>) {
    let before = line.get(..pos).unwrap_or_default();
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '`' || c == '-';
    let start = before
        .char_indices()
        .rev()
        .take_while(|(_, c)| is_part(*c))
        .last()
        .map_or(before.len(), |(at, _)| at);
    let word = before.get(start..).unwrap_or_default();
    let at_begin = before.get(..start).is_some_and(|b| b.trim().is_empty());
    if at_begin
        && let Some((_, skeleton)) = SKELETONS.iter().find(|(s, _)| s.eq_ignore_ascii_case(word))
    {
        return (start, vec![(*skeleton).to_owned()]);
    }
    if word.is_empty() {
        return (start, Vec::new());
    }
    let fits = |candidate: &str| {
        let plain = candidate.trim_start_matches('`');
        plain
            .get(..word.trim_start_matches('`').len())
            .is_some_and(|p| p.eq_ignore_ascii_case(word.trim_start_matches('`')))
    };
    let mut found: Vec<String> = Vec::new();
    if at_begin {
        found.extend(
            COMMANDS
                .iter()
                .map(|c| c.name.to_owned())
                .filter(|c| fits(c)),
        );
    }
    found.extend(KEYWORDS.iter().filter(|k| fits(k)).map(|k| (*k).to_owned()));
    found.extend(names().into_iter().filter(|n| fits(n)));
    let mut seen = std::collections::HashSet::new();
    found.retain(|candidate| seen.insert(candidate.clone()));
    (start, found)
}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> Result<(usize, Vec<Pair>)> {
        let (start, found) = candidates(line, pos, || self.names());
        let pair = |text: String| Pair {
            display: text.clone(),
            replacement: text,
        };
        Ok((start, found.into_iter().map(pair).collect()))
    }
}

impl Hinter for Assistant {
    type Hint = String;

    fn hint(&self, line: &str, pos: usize, context: &Context<'_>) -> Option<String> {
        if pos == line.len()
            && let Some((_, skeleton)) = SKELETONS.iter().find(|(s, _)| *s == line)
        {
            return Some(format!("  TAB: {skeleton}"));
        }
        self.hinter.hint(line, pos, context)
    }
}

impl Highlighter for Assistant {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(format!("\x1b[2m{hint}\x1b[0m"))
    }
}

impl Validator for Assistant {}
impl Helper for Assistant {}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(line: &str) -> (usize, Vec<String>) {
        candidates(line, line.len(), || {
            ["ORDERS", "`orders`", "LIKES", "ORDER_ID"]
                .map(str::to_owned)
                .to_vec()
        })
    }

    #[test]
    fn words_are_completed_from_keywords_and_names() {
        for (line, start, expected) in [
            (
                "SELECT * FROM ord",
                14,
                vec!["ORDERS", "`orders`", "ORDER_ID"],
            ),
            ("select like", 7, vec!["LIKE", "LIKES"]),
            (
                "SELECT `o",
                7,
                vec!["OUTER", "ORDERS", "`orders`", "ORDER_ID"],
            ),
            ("vers", 0, vec!["version"]),
            ("SELECT vers", 7, vec![]),
            ("SELECT ", 7, vec![]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(complete(line), (start, expected), "{line}");
        }
    }

    #[test]
    fn abbreviations_become_statements_that_parse() {
        for (short, skeleton) in SKELETONS {
            assert_eq!(complete(short), (0, vec![skeleton.to_owned()]));
            let parsed = weir_parser::parse_all(skeleton, &weir_parser::Variables::new());
            assert!(parsed.is_ok(), "{skeleton}: {parsed:?}");
        }
    }

    #[test]
    fn names_that_need_quotes_get_them() {
        for (name, expected) in [
            ("A_1", "A_1"),
            ("a", "`a`"),
            ("X Y", "`X Y`"),
            ("FROM", "`FROM`"),
            ("1A", "`1A`"),
            ("b`c", "`b``c`"),
        ] {
            assert_eq!(written(name), expected);
        }
    }
}
