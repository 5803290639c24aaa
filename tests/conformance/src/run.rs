//! Runs one case and says what is wrong, if anything.

use serde_json::Value;
use weir_planner::catalog::SourceInfo;
use weir_types::{FormatKind, SqlType, StructField, WindowKind};

use crate::bytes;
use crate::case::{Case, Record};
use crate::compare::{Shape, same, same_text, within_one_ulp};
use crate::driver::{Stored, Topics};
use crate::session::Session;

/// Functions whose last digit may differ between platforms.
const INEXACT: [&str; 16] = [
    "ACOS",
    "ASIN",
    "ATAN",
    "CBRT",
    "COS",
    "COT",
    "EXP",
    "GEO_DISTANCE",
    "LN(",
    "LOG",
    "POWER",
    "SIN",
    "SQRT",
    "TAN",
    "CORRELATION",
    "STDDEV",
];

/// Runs a case; `step` is the number of rows that a step takes at most.
///
/// # Errors
/// What differs from the recording.
pub fn run(case: &Case, step: usize) -> Result<(), String> {
    let mut session = Session::new(case, step);
    let refused = case.expected_exception.is_some();
    let last = case.statements.len().saturating_sub(1);
    for (index, statement) in case.statements.iter().enumerate() {
        if let Err(error) = session.execute(statement) {
            return match refused && index == last {
                true => Ok(()),
                false => Err(format!("statement refused: {error}\n{statement}")),
            };
        }
    }
    let runtime = case
        .expected_exception
        .as_ref()
        .and_then(|expected| expected.get("type"))
        .and_then(Value::as_str)
        .is_some_and(|kind| kind.starts_with("org.apache.kafka"));
    let has_outputs = case
        .outputs
        .as_ref()
        .is_some_and(|outputs| !outputs.is_empty());
    if refused && !runtime && !has_outputs {
        return Err("the last statement should have been refused".into());
    }
    let mut topics = Topics::new();
    let failure = feed(case, &mut session, &mut topics).err();
    outputs(case, &session, &topics).map_err(|error| match &failure {
        Some(failure) => format!("{error}\nthe query failed: {failure}"),
        None => error,
    })?;
    match (failure, refused) {
        (Some(failure), false) => return Err(format!("the query failed: {failure}")),
        (None, true) => return Err("the query should have failed".into()),
        _ => {}
    }
    for expected in &case.post_sources {
        post_source(expected, &session)?;
    }
    Ok(())
}

/// What a case writes to the sink of its last statement: the record values as they lie on the
/// topic, or the reason why there are none.
///
/// # Errors
/// A statement that is refused.
pub fn written(case: &Case, step: usize) -> Result<Vec<String>, String> {
    let mut session = Session::new(case, step);
    for statement in &case.statements {
        session.execute(statement)?;
    }
    let mut topics = Topics::new();
    let failure = feed(case, &mut session, &mut topics).err();
    let sink = session.queries.last().map(|query| query.topic.clone());
    let records = sink.and_then(|topic| topics.swap_remove(&topic));
    let text = |bytes: &Option<Vec<u8>>| match bytes {
        Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        None => "null".to_owned(),
    };
    let record = |record: Stored| {
        let (key, value) = (text(&record.key), text(&record.value));
        format!("{key}: {value} @{}", record.timestamp)
    };
    let mut lines: Vec<String> = records.into_iter().flatten().map(record).collect();
    lines.extend(failure);
    Ok(lines)
}

/// Feeds every query in turn: its inputs in file order, then what queries before it wrote.
fn feed(case: &Case, session: &mut Session, topics: &mut Topics) -> Result<(), String> {
    let read = |topic: &str| {
        session
            .queries
            .iter()
            .any(|running| running.query.reads(topic))
    };
    let inputs = case
        .inputs
        .iter()
        .filter(|input| read(&input.topic))
        .map(|input| Ok((input.topic.clone(), stored(input, session)?)))
        .collect::<Result<Vec<_>, String>>()?;
    for index in 0..session.queries.len() {
        let (before, rest) = session.queries.split_at_mut(index);
        let Some(running) = rest.first_mut() else {
            break;
        };
        let mut written: Vec<(String, Vec<Stored>)> = Vec::new();
        for query in before.iter() {
            let known = written.iter().any(|(topic, _)| *topic == query.topic);
            if !known && running.query.reads(&query.topic) {
                let records = topics.get(&query.topic).cloned().unwrap_or_default();
                written.push((query.topic.clone(), records));
            }
        }
        for (topic, record) in &inputs {
            if running.query.reads(topic) {
                running
                    .query
                    .feed(topic, std::slice::from_ref(record), topics)?;
            }
        }
        for (topic, records) in &written {
            for record in records {
                running
                    .query
                    .feed(topic, std::slice::from_ref(record), topics)?;
            }
        }
    }
    Ok(())
}

fn types(source: &SourceInfo, key: bool) -> Vec<SqlType> {
    if key {
        source
            .schema
            .keys()
            .map(|column| column.sql_type.clone())
            .collect()
    } else {
        source
            .schema
            .values()
            .map(|column| column.sql_type.clone())
            .collect()
    }
}

fn columns(source: &SourceInfo, key: bool) -> Vec<StructField> {
    let field =
        |column: &weir_types::Column| StructField::new(&column.name, column.sql_type.clone());
    if key {
        source.schema.keys().map(field).collect()
    } else {
        source.schema.values().map(field).collect()
    }
}

/// The record that an input stands for, written in the formats of the source that its topic has in
/// the session.
///
/// # Errors
/// A topic that no source reads, and formats that cannot be written here.
pub fn stored(input: &Record, session: &Session) -> Result<Stored, String> {
    let source = session
        .source_of(&input.topic)
        .ok_or_else(|| format!("no source reads the topic {}", input.topic))?;
    let mut key = bytes::encode(&input.key, &source.key_format, &types(&source, true))?;
    if let (Some(key), Some(window)) = (&mut key, &input.window) {
        bytes::append_window(key, window);
    }
    let headers = input.headers.iter().flatten().map(|(name, value)| {
        let engine = base64::engine::general_purpose::STANDARD;
        let value = value
            .as_ref()
            .and_then(|text| base64::Engine::decode(&engine, text).ok());
        (name.clone(), value)
    });
    Ok(Stored {
        key,
        value: bytes::encode(&input.value, &source.value_format, &types(&source, false))?,
        timestamp: input.timestamp.unwrap_or(0),
        headers: headers.collect(),
    })
}

/// Compares the records of topics with the outputs of a case.
///
/// # Errors
/// The first difference.
pub fn outputs(case: &Case, session: &Session, topics: &Topics) -> Result<(), String> {
    let Some(expected) = &case.outputs else {
        return Ok(());
    };
    let mut names: Vec<&String> = expected.iter().map(|record| &record.topic).collect();
    if let Some(last) = session.queries.last() {
        names.push(&last.topic);
    }
    names.sort();
    names.dedup();
    let with_headers = case.inputs.iter().any(|input| input.headers.is_some());
    let inexact = case.statements.iter().any(|statement| {
        let statement = statement.to_uppercase();
        INEXACT.iter().any(|function| statement.contains(function))
    });
    for name in names {
        let wanted: Vec<&Record> = expected
            .iter()
            .filter(|record| record.topic == *name)
            .collect();
        let none = Vec::new();
        let actual = topics.get(name).unwrap_or(&none);
        let source = session
            .catalog
            .sources()
            .filter(|source| source.topic == *name)
            .last()
            .cloned();
        for (index, wanted) in wanted.iter().enumerate() {
            let Some(actual) = actual.get(index) else {
                return Err(format!(
                    "topic {name}: {} records instead of {}; next expected: {}",
                    actual.len(),
                    wanted_len(expected, name),
                    show(wanted)
                ));
            };
            let source = source
                .as_ref()
                .ok_or_else(|| format!("no source over the topic {name}"))?;
            matches(wanted, actual, source, with_headers, inexact).map_err(|error| {
                format!(
                    "topic {name}, record {index}: {error}\n  expected {}\n  actual   {}",
                    show(wanted),
                    show_stored(actual)
                )
            })?;
        }
        if let Some(extra) = actual.get(wanted.len()) {
            return Err(format!(
                "topic {name}: {} records instead of {}; first beyond: {}",
                actual.len(),
                wanted.len(),
                show_stored(extra)
            ));
        }
    }
    Ok(())
}

fn wanted_len(expected: &[Record], topic: &str) -> usize {
    expected
        .iter()
        .filter(|record| record.topic == topic)
        .count()
}

fn show(record: &Record) -> String {
    let window = match &record.window {
        Some(window) => format!("[{},{}]", window.start, window.end),
        None => String::new(),
    };
    let time = record
        .timestamp
        .map_or_else(String::new, |ts| format!("@{ts}"));
    format!("{}{window}:{}{time}", record.key, record.value)
}

fn show_stored(record: &Stored) -> String {
    let text = |bytes: &Option<Vec<u8>>| match bytes {
        Some(bytes) => String::from_utf8_lossy(bytes).escape_debug().to_string(),
        None => "null".to_owned(),
    };
    format!(
        "{}:{}@{}",
        text(&record.key),
        text(&record.value),
        record.timestamp
    )
}

fn matches(
    expected: &Record,
    actual: &Stored,
    source: &SourceInfo,
    with_headers: bool,
    inexact: bool,
) -> Result<(), String> {
    let mut key = actual.key.clone();
    let window = match (source.window, &actual.key) {
        (Some(window), Some(bytes)) => {
            let size = match window.kind {
                WindowKind::Session => None,
                _ => Some(window.size_ms.unwrap_or(i64::MAX)),
            };
            let (plain, window) =
                bytes::split_window(bytes, size).ok_or("the key has no window")?;
            key = Some(plain);
            Some(window)
        }
        _ => None,
    };
    if let (Some(expected), actual) = (&expected.window, &window)
        && actual
            .as_ref()
            .is_none_or(|actual| (actual.start, actual.end) != (expected.start, expected.end))
    {
        return Err(format!("window {actual:?}"));
    }
    let key_types = types(source, true);
    let key = match key_types.is_empty() {
        true if key.is_none() => Value::Null,
        _ => bytes::decode(key.as_deref(), &source.key_format, &key_types)?,
    };
    let key_columns = columns(source, true);
    let shape = match &key_columns[..] {
        [only] if !key.is_object() => Shape::Type(&only.sql_type),
        [only] if matches!(only.sql_type, SqlType::Struct(_) | SqlType::Map(..)) => {
            Shape::Type(&only.sql_type)
        }
        all => Shape::Columns(all),
    };
    let delimited = source.key_format.format.kind == FormatKind::Delimited;
    let same_key = if delimited {
        text_of(&expected.key) == text_of(&key)
    } else {
        same(&expected.key, &key, shape) || same(&expected.key, &without_empty(&key), shape)
    };
    if !same_key {
        return Err("key".into());
    }
    if expected
        .timestamp
        .is_some_and(|expected| expected != actual.timestamp)
    {
        return Err(format!("timestamp {}", actual.timestamp));
    }
    value(expected, actual, source, inexact)?;
    headers(expected, actual, with_headers)
}

/// A key of several columns as some recordings write it: without empty texts.
fn without_empty(key: &Value) -> Value {
    let Value::Object(columns) = key else {
        return key.clone();
    };
    let kept = columns
        .iter()
        .filter(|(_, value)| value.as_str() != Some(""));
    Value::Object(
        kept.map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    )
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn value(
    expected: &Record,
    actual: &Stored,
    source: &SourceInfo,
    inexact: bool,
) -> Result<(), String> {
    let value_columns = columns(source, false);
    let decoded = bytes::decode(
        actual.value.as_deref(),
        &source.value_format,
        &types(source, false),
    )?;
    if let (Some(text), Some(bytes)) = (&expected.value_text, &actual.value)
        && source.value_format.format.kind != FormatKind::Kafka
    {
        let actual = String::from_utf8_lossy(bytes);
        let has_map = value_columns
            .iter()
            .any(|column| column.sql_type.contains_map());
        if same_text(text, &actual, has_map) {
            return Ok(());
        }
        let close = inexact
            && match (serde_json::from_str(text), serde_json::from_str(&actual)) {
                (Ok(a), Ok(b)) => within_one_ulp(&a, &b),
                _ => false,
            };
        return if close {
            Ok(())
        } else {
            Err(format!("value text {text}"))
        };
    }
    let shape = match (&value_columns[..], &decoded) {
        ([only], value) if !is_wrapped(source) || !value.is_object() => Shape::Type(&only.sql_type),
        (all, _) => Shape::Columns(all),
    };
    let equal = match source.value_format.format.kind {
        FormatKind::Delimited | FormatKind::None => text_of(&expected.value) == text_of(&decoded),
        _ => same(&expected.value, &decoded, shape),
    };
    if equal { Ok(()) } else { Err("value".into()) }
}

fn is_wrapped(source: &SourceInfo) -> bool {
    !weir_formats::is_unwrapped(
        &source.value_format,
        weir_formats::Side::Value,
        source.schema.values().count(),
    )
}

fn headers(expected: &Record, actual: &Stored, with_headers: bool) -> Result<(), String> {
    let engine = base64::engine::general_purpose::STANDARD;
    let actual: Vec<(String, Option<String>)> = actual
        .headers
        .iter()
        .map(|(name, value)| {
            let value = value
                .as_ref()
                .map(|value| base64::Engine::encode(&engine, value));
            (name.clone(), value)
        })
        .collect();
    match &expected.headers {
        Some(expected) if *expected != actual => Err(format!("headers {actual:?}")),
        None if !with_headers && !actual.is_empty() => Err(format!("headers {actual:?}")),
        _ => Ok(()),
    }
}

/// Compares what `post.sources` says of a source.
fn post_source(expected: &Value, session: &Session) -> Result<(), String> {
    let text = |key: &str| expected.get(key).and_then(Value::as_str);
    let Some(name) = text("name") else {
        return Ok(());
    };
    let source = session
        .catalog
        .sources()
        .find(|source| source.name == name)
        .ok_or_else(|| format!("source {name} does not exist"))?;
    let kind = match source.kind {
        weir_parser::ast::SourceKind::Stream => "stream",
        weir_parser::ast::SourceKind::Table => "table",
    };
    if text("type").is_some_and(|expected| expected != kind) {
        return Err(format!("source {name} is a {kind}"));
    }
    if let Some(schema) = text("schema") {
        let actual = source.schema.to_string();
        if squeeze(schema) != squeeze(&actual) {
            return Err(format!(
                "source {name}\n  expected {schema}\n  actual   {actual}"
            ));
        }
    }
    for (key, format) in [
        ("keyFormat", &source.key_format),
        ("valueFormat", &source.value_format),
    ] {
        let name_of = |value: &Value| match value {
            Value::String(name) => Some(name.clone()),
            other => other
                .get("format")
                .and_then(Value::as_str)
                .map(ToOwned::to_owned),
        };
        let Some(wanted) = expected.get(key).and_then(name_of) else {
            continue;
        };
        if wanted != format.format.kind.name() {
            return Err(format!("source {name}: {key} is {}", format.format.kind));
        }
    }
    let window = expected
        .get("keyFormat")
        .and_then(|format| format.get("windowType"));
    if let Some(window) = window.and_then(Value::as_str)
        && source.window.map(|window| window.kind.name()) != Some(window)
    {
        return Err(format!("source {name}: window is {:?}", source.window));
    }
    let size = expected
        .get("keyFormat")
        .and_then(|format| format.get("windowSize"));
    if let Some(size) = size.and_then(Value::as_i64)
        && source.window.and_then(|window| window.size_ms) != Some(size)
    {
        return Err(format!("source {name}: window is {:?}", source.window));
    }
    if let Some(read_only) = expected.get("isSource").and_then(Value::as_bool)
        && source.read_only != read_only
    {
        return Err(format!("source {name}: read-only is {}", source.read_only));
    }
    Ok(())
}

/// A schema text in canonical words: unquoted names in upper case, INTEGER, STRING, KEY.
fn squeeze(schema: &str) -> String {
    let mut spaced = String::with_capacity(schema.len() * 2);
    let mut quoted = false;
    for c in schema.chars() {
        quoted ^= c == '`';
        let c = if quoted { c } else { c.to_ascii_uppercase() };
        match c {
            '`' => {}
            '<' | '>' | ',' | '(' | ')' => spaced.extend([' ', c, ' ']),
            c => spaced.push(c),
        }
    }
    let words: Vec<&str> = spaced
        .split_whitespace()
        .filter(|word| *word != "PRIMARY")
        .map(|word| if word == "INT" { "INTEGER" } else { word })
        .map(|word| if word == "VARCHAR" { "STRING" } else { word })
        .collect();
    words.join(" ")
}
