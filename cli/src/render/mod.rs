//! From the entities of the server to what a user reads (spec/api.md §8.4).
//!
//! ```text
//!  entity (JSON) ──@type──► lists | describe | explain | functions | status ──► Text
//!                                        │                                       │
//!                                     table::Table                       console: screen, spool
//! ```
//!
//! Invariant: rendering is pure. It reads JSON, tolerates absent members and returns text that
//! ends with a newline (or is empty); the only thing it knows of the terminal is its width.

mod describe;
mod explain;
mod functions;
pub(crate) mod json;
mod lists;
mod status;
mod table;

use serde_json::Value;

/// The answer to `/ksql` as tables: each entity after a blank line, with its statement where there
/// are several. `width` is the number of columns of the terminal, 0 if there is none.
pub(crate) fn entities(list: &[Value], width: usize) -> String {
    let mut out = String::new();
    for entity in list {
        out.push('\n');
        if list.len() > 1 {
            out.push_str(text(entity, "statementText"));
            out.push('\n');
        }
        render_entity(&mut out, entity, width);
        for warning in array(entity, "warnings") {
            out.push_str("WARNING: ");
            out.push_str(text(warning, "message"));
            out.push('\n');
        }
    }
    out
}

fn render_entity(out: &mut String, entity: &Value, width: usize) {
    match text(entity, "@type") {
        "streams" => lists::sources(out, entity, "streams", "Stream Name", width),
        "tables" => lists::sources(out, entity, "tables", "Table Name", width),
        "queries" => lists::queries(out, entity, width),
        "kafka_topics" => lists::topics(out, entity, false, width),
        "kafka_topics_extended" => lists::topics(out, entity, true, width),
        "properties" => lists::properties(out, entity, width),
        "type_list" => lists::types(out, entity, width),
        "variables" => lists::variables(out, entity, width),
        "connector_list" => lists::connectors(out, entity, width),
        "connector_plugins_list" => lists::connector_plugins(out, entity, width),
        "function_names" => functions::names(out, entity, width),
        "describe_function" => functions::describe(out, entity, width),
        "sourceDescription" => {
            if let Some(source) = entity.get("sourceDescription") {
                describe::source(out, source, width);
            }
        }
        "source_descriptions" => {
            for source in array(entity, "sourceDescriptions") {
                describe::source(out, source, width);
                out.push('\n');
            }
        }
        "connector_description" => describe::connector(out, entity, width),
        "queryDescription" => {
            if let Some(query) = entity.get("queryDescription") {
                explain::query(out, query, width);
            }
        }
        "query_descriptions" => {
            for query in array(entity, "queryDescriptions") {
                explain::query(out, query, width);
                out.push('\n');
            }
        }
        _ => {
            if !status::render(out, entity, width) {
                // An entity of a newer server: nothing is better than all of it.
                out.push_str(&json::pretty(entity));
                out.push('\n');
            }
        }
    }
}

/// The text member `key`, empty if absent, null or no text.
fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The elements of the array member `key`, none if absent.
fn array<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// A number, text or boolean as it is to be shown; null as `NULL`.
fn scalar(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "NULL".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// An integer member, 0 if absent.
fn integer(value: &Value, key: &str) -> i64 {
    value.get(key).and_then(Value::as_i64).unwrap_or_default()
}

/// A text whose lines are joined by blanks, for cells of one line.
fn single_line(text: &str) -> String {
    text.replace("\r\n", " ").replace('\n', " ")
}

/// `Label                : value`.
fn labelled(out: &mut String, label: &str, value: &str) {
    out.push_str(&format!("{label:<20} : {value}\n"));
}

/// A heading with its rule, after a blank line.
fn heading(out: &mut String, title: &str, rule: &str) {
    out.push_str(&format!("\n{title:<20}\n{rule:<20}\n"));
}

/// A type of the API's schema as the tables write it: `VARCHAR(STRING)`, `ARRAY<INTEGER>`.
fn type_text(schema: &Value) -> String {
    match text(schema, "type") {
        "STRING" => "VARCHAR(STRING)".to_owned(),
        "DECIMAL" => match schema.get("parameters") {
            Some(p) => format!(
                "DECIMAL({}, {})",
                integer(p, "precision"),
                integer(p, "scale")
            ),
            None => "DECIMAL".to_owned(),
        },
        "ARRAY" => format!("ARRAY<{}>", member_text(schema)),
        "MAP" => format!("MAP<STRING, {}>", member_text(schema)),
        "STRUCT" => {
            let fields: Vec<String> = array(schema, "fields")
                .iter()
                .map(|f| {
                    let schema = f.get("schema").unwrap_or(&Value::Null);
                    format!("{} {}", text(f, "name"), type_text(schema))
                })
                .collect();
            format!("STRUCT<{}>", fields.join(", "))
        }
        other => other.to_owned(),
    }
}

fn member_text(schema: &Value) -> String {
    type_text(schema.get("memberSchema").unwrap_or(&Value::Null))
}

#[cfg(test)]
mod tests;
