//! Recorded cases: reading files, expanding variants.

use std::path::Path;

use serde_json::{Map, Value};
use weir_types::surrogates::halves_held;

/// One case, its `{FORMAT}` and `{CONFIG}` filled in.
#[derive(Debug, Clone)]
pub struct Case {
    /// Name with its variant.
    pub name: String,
    /// Statements in order.
    pub statements: Vec<String>,
    /// Properties of the server and the session.
    pub properties: Map<String, Value>,
    /// Topics that exist, with their partitions.
    pub topics: Vec<Value>,
    /// Records put on topics, in order.
    pub inputs: Vec<Record>,
    /// Records that must come, in order per topic.
    pub outputs: Option<Vec<Record>>,
    /// The refusal of the last statement.
    pub expected_exception: Option<Value>,
    /// Sources that must exist afterwards.
    pub post_sources: Vec<Value>,
    /// Of cases for the HTTP API: one per answer, `admin` or `query`.
    pub responses: Vec<Value>,
    /// Of cases for the HTTP API: `type`, `status` and `message` of the refusal.
    pub expected_error: Option<Value>,
    /// Whether inputs come after the push query has begun.
    pub inputs_after_push: bool,
}

/// A record of a case.
#[derive(Debug, Clone)]
pub struct Record {
    /// Topic.
    pub topic: String,
    /// Key, as the case writes it.
    pub key: Value,
    /// Value, as the case writes it.
    pub value: Value,
    /// Value to the byte.
    pub value_text: Option<String>,
    /// Milliseconds since the epoch.
    pub timestamp: Option<i64>,
    /// Headers, values in base64.
    pub headers: Option<Vec<(String, Option<String>)>>,
    /// Window of the key.
    pub window: Option<Window>,
}

/// The window of a record's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Milliseconds.
    pub start: i64,
    /// Milliseconds.
    pub end: i64,
    /// Whether the bounds are those of a session.
    pub session: bool,
}

/// The cases of a file.
///
/// # Errors
/// A file that is no set of cases.
pub fn load(path: &Path) -> Result<Vec<Case>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read: {error}"))?;
    let text = halves_held(&text);
    let file: Value = serde_json::from_str(&text).map_err(|error| format!("no JSON: {error}"))?;
    let tests = file
        .get("tests")
        .and_then(Value::as_array)
        .ok_or("it has no `tests`")?;
    let mut cases = Vec::new();
    for test in tests {
        for format in variants(test, "format") {
            for config in variants(test, "config") {
                cases.push(expand(test, format, config)?);
            }
        }
    }
    Ok(cases)
}

fn variants<'a>(test: &'a Value, key: &str) -> Vec<Option<&'a str>> {
    match test.get(key).and_then(Value::as_array) {
        Some(list) => list.iter().map(Value::as_str).collect(),
        None => vec![None],
    }
}

fn expand(test: &Value, format: Option<&str>, config: Option<&str>) -> Result<Case, String> {
    let fill = |text: &str| {
        let text = format.map_or_else(
            || text.to_owned(),
            |format| text.replace("{FORMAT}", format),
        );
        match config {
            Some(config) => text.replace("{CONFIG}", config),
            None => text,
        }
    };
    let list = |key: &str| {
        test.get(key)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let mut name = fill(test.get("name").and_then(Value::as_str).unwrap_or(""));
    for variant in [format, config].into_iter().flatten() {
        name.push_str(" - ");
        name.push_str(variant);
    }
    let records = |key: &str| -> Result<Option<Vec<Record>>, String> {
        match test.get(key).and_then(Value::as_array) {
            Some(records) => records
                .iter()
                .map(record)
                .collect::<Result<_, _>>()
                .map(Some),
            None => Ok(None),
        }
    };
    Ok(Case {
        statements: list("statements")
            .iter()
            .filter_map(Value::as_str)
            .map(fill)
            .collect(),
        properties: test
            .get("properties")
            .and_then(Value::as_object)
            .map(|properties| {
                properties
                    .iter()
                    .map(|(key, value)| {
                        let value = match value {
                            Value::String(text) => Value::String(fill(text)),
                            other => other.clone(),
                        };
                        (fill(key), value)
                    })
                    .collect()
            })
            .unwrap_or_default(),
        topics: list("topics"),
        inputs: records("inputs")
            .map_err(|error| format!("{name}: {error}"))?
            .unwrap_or_default(),
        outputs: records("outputs").map_err(|error| format!("{name}: {error}"))?,
        responses: list("responses"),
        expected_error: test.get("expectedError").cloned(),
        inputs_after_push: test
            .pointer("/inputConditions/waitForActivePushQuery")
            .and_then(Value::as_bool)
            .unwrap_or(false),
        expected_exception: test.get("expectedException").cloned(),
        post_sources: test
            .pointer("/post/sources")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default(),
        name,
    })
}

fn record(value: &Value) -> Result<Record, String> {
    let get = |key: &str| value.get(key).cloned().unwrap_or(Value::Null);
    let window = match value.get("window") {
        Some(window) if !window.is_null() => {
            let bound = |key: &str| window.get(key).and_then(Value::as_i64).unwrap_or(0);
            let kind = window.get("type").and_then(Value::as_str).unwrap_or("time");
            Some(Window {
                start: bound("start"),
                end: bound("end"),
                session: kind.eq_ignore_ascii_case("session"),
            })
        }
        _ => None,
    };
    let headers = value
        .get("headers")
        .and_then(Value::as_array)
        .map(|headers| {
            headers
                .iter()
                .map(|header| {
                    let text = |key: &str| {
                        header
                            .get(key)
                            .and_then(Value::as_str)
                            .map(ToOwned::to_owned)
                    };
                    (text("KEY").unwrap_or_default(), text("VALUE"))
                })
                .collect()
        });
    Ok(Record {
        topic: value
            .get("topic")
            .and_then(Value::as_str)
            .ok_or("a record has no topic")?
            .to_owned(),
        key: get("key"),
        value: get("value"),
        value_text: value
            .get("valueText")
            .and_then(Value::as_str)
            .map(ToOwned::to_owned),
        timestamp: value.get("timestamp").and_then(Value::as_i64),
        headers,
        window,
    })
}
