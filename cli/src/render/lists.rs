//! Lists: streams, tables, queries, topics, properties, types, variables, connectors.

use serde_json::Value;

use super::table::Table;
use super::{array, integer, scalar, single_line, text, type_text};

pub(super) fn sources(out: &mut String, entity: &Value, key: &str, name: &str, width: usize) {
    let mut table = Table::new(&[
        name,
        "Kafka Topic",
        "Key Format",
        "Value Format",
        "Windowed",
    ]);
    for source in array(entity, key) {
        table.row(vec![
            text(source, "name").to_owned(),
            text(source, "topic").to_owned(),
            text(source, "keyFormat").to_owned(),
            text(source, "valueFormat").to_owned(),
            scalar(source.get("isWindowed")),
        ]);
    }
    table.sort();
    table.write(out, width);
}

pub(super) fn queries(out: &mut String, entity: &Value, width: usize) {
    let mut table = Table::new(&[
        "Query ID",
        "Query Type",
        "Status",
        "Sink Name",
        "Sink Kafka Topic",
        "Query String",
    ]);
    for query in array(entity, "queries") {
        let status: Vec<String> = query
            .get("statusCount")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(state, count)| format!("{state}:{count}"))
            .collect();
        table.row(vec![
            text(query, "id").to_owned(),
            text(query, "queryType").to_owned(),
            status.join(","),
            names(query, "sinks"),
            names(query, "sinkKafkaTopics"),
            single_line(text(query, "queryString")),
        ]);
    }
    table.footer("For detailed information on a Query run: EXPLAIN <Query ID>;");
    table.write(out, width);
}

fn names(value: &Value, key: &str) -> String {
    let names: Vec<&str> = array(value, key).iter().filter_map(Value::as_str).collect();
    names.join(",")
}

pub(super) fn topics(out: &mut String, entity: &Value, extended: bool, width: usize) {
    let mut headers = vec!["Kafka Topic", "Partitions", "Partition Replicas"];
    if extended {
        headers.extend(["Consumers", "ConsumerGroups"]);
    }
    let mut table = Table::new(&headers);
    for topic in array(entity, "topics") {
        let replicas = array(topic, "replicaInfo");
        let mut row = vec![
            text(topic, "name").to_owned(),
            replicas.len().to_string(),
            replica_text(replicas),
        ];
        if extended {
            row.push(integer(topic, "consumerCount").to_string());
            row.push(integer(topic, "consumerGroupCount").to_string());
        }
        table.row(row);
    }
    table.write(out, width);
}

/// One number if all partitions have as many replicas, else all numbers.
fn replica_text(replicas: &[Value]) -> String {
    match replicas {
        [] => "0".to_owned(),
        [first, rest @ ..] if rest.iter().all(|r| r == first) => first.to_string(),
        all => {
            let all: Vec<String> = all.iter().map(Value::to_string).collect();
            all.join(", ")
        }
    }
}

pub(super) fn properties(out: &mut String, entity: &Value, width: usize) {
    let mut table = Table::new(&["Property", "Scope", "Default override", "Effective Value"]);
    let listed = |key: &str, name: &str| array(entity, key).iter().any(|n| n == name);
    for property in array(entity, "properties") {
        let name = text(property, "name");
        let origin = if listed("overwrittenProperties", name) {
            "SESSION"
        } else if listed("defaultProperties", name) {
            ""
        } else {
            "SERVER"
        };
        table.row(vec![
            name.to_owned(),
            text(property, "scope").to_owned(),
            origin.to_owned(),
            scalar(property.get("value")),
        ]);
    }
    table.sort();
    table.write(out, width);
}

pub(super) fn types(out: &mut String, entity: &Value, width: usize) {
    let mut table = Table::new(&["Type Name", "Schema"]);
    let types = entity.get("types").and_then(Value::as_object);
    for (name, schema) in types.into_iter().flatten() {
        table.row(vec![name.clone(), type_text(schema)]);
    }
    table.sort();
    table.write(out, width);
}

pub(super) fn variables(out: &mut String, entity: &Value, width: usize) {
    let mut table = Table::new(&["Variable Name", "Value"]);
    for variable in array(entity, "variables") {
        table.row(vec![
            text(variable, "name").to_owned(),
            text(variable, "value").to_owned(),
        ]);
    }
    table.write(out, width);
}

pub(super) fn connectors(out: &mut String, entity: &Value, width: usize) {
    let mut table = Table::new(&["Connector Name", "Type", "Class", "Status"]);
    for connector in array(entity, "connectors") {
        let kind = match text(connector, "type") {
            "" => "UNKNOWN".to_owned(),
            kind => kind.to_uppercase(),
        };
        table.row(vec![
            text(connector, "name").to_owned(),
            kind,
            text(connector, "className").to_owned(),
            text(connector, "state").to_owned(),
        ]);
    }
    table.write(out, width);
}

pub(super) fn connector_plugins(out: &mut String, entity: &Value, width: usize) {
    let mut table = Table::new(&["Class", "Type", "Version"]);
    for plugin in array(entity, "connectorsPlugins") {
        table.row(vec![
            text(plugin, "className").to_owned(),
            text(plugin, "type").to_uppercase(),
            text(plugin, "version").to_owned(),
        ]);
    }
    table.write(out, width);
}
