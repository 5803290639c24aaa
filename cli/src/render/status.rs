//! One-line results: statuses, warnings, assertions, connectors made and dropped.

use serde_json::Value;

use super::table::Table;
use super::{scalar, text};

/// Writes the entity if it is one of these; whether it was.
pub(super) fn render(out: &mut String, entity: &Value, width: usize) -> bool {
    let message = match text(entity, "@type") {
        "currentStatus" => entity
            .get("commandStatus")
            .map(|s| text(s, "message"))
            .and_then(|m| m.split('\n').next())
            .unwrap_or_default()
            .to_owned(),
        "warning_entity" | "error_entity" => text(entity, "message").to_owned(),
        "terminate_query" => format!("Terminated query \"{}\"", text(entity, "queryId")),
        "connector_info" => {
            let name = entity.get("info").map_or("", |i| text(i, "name"));
            format!("Created connector {name}")
        }
        "drop_connector" => format!("Dropped connector \"{}\"", text(entity, "connectorName")),
        "assert_topic" => {
            let topic = text(entity, "topicName");
            out.push_str(&format!("Topic {topic} {}.\n", existence(entity)));
            return true;
        }
        "assert_schema" => {
            let mut schema = "Schema".to_owned();
            let subject = text(entity, "subject");
            let id = entity.get("id").filter(|id| !id.is_null());
            if !subject.is_empty() || id.is_some() {
                schema.push_str(" with");
            }
            if !subject.is_empty() {
                schema.push_str(&format!(" subject {subject}"));
            }
            if id.is_some() {
                schema.push_str(&format!(" id {}", scalar(id)));
            }
            out.push_str(&format!("{schema} {}.\n", existence(entity)));
            return true;
        }
        _ => return false,
    };
    let mut table = Table::new(&["Message"]);
    table.row(vec![message]);
    table.write(out, width);
    true
}

fn existence(entity: &Value) -> &'static str {
    if entity.get("exists") == Some(&Value::Bool(true)) {
        "exists"
    } else {
        "does not exist"
    }
}
