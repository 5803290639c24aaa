//! DESCRIBE of sources and connectors.

use serde_json::Value;

use super::table::Table;
use super::{array, heading, integer, labelled, single_line, text, type_text};

/// A source, short or EXTENDED as the server says.
pub(super) fn source(out: &mut String, source: &Value, width: usize) {
    labelled(out, "Name", text(source, "name"));
    let kind = text(source, "type");
    let is_table = kind.eq_ignore_ascii_case("TABLE");
    if source.get("extended") != Some(&Value::Bool(true)) {
        fields(out, source, is_table, width);
        out.push_str(
            "For runtime statistics and query details run: DESCRIBE <Stream,Table> EXTENDED;\n",
        );
        return;
    }
    labelled(out, "Type", kind);
    topic(out, source);
    labelled(out, "Statement", text(source, "statement"));
    out.push('\n');
    fields(out, source, is_table, width);
    constraints(out, source);
    queries(out, array(source, "readQueries"), kind, "read");
    queries(out, array(source, "writeQueries"), kind, "write");
    statistics(out, source, width);
    groups(out, source, width);
}

/// The table of columns of a source or query; nothing if there are none.
pub(super) fn fields(out: &mut String, described: &Value, is_table: bool, width: usize) {
    let fields = array(described, "fields");
    if fields.is_empty() {
        return;
    }
    let window = text(described, "windowType");
    let mut table = Table::new(&["Field", "Type"]);
    for field in fields {
        let kind = type_text(field.get("schema").unwrap_or(&Value::Null));
        let kind = match text(field, "type") {
            "KEY" => {
                let key = if is_table { "(primary key)" } else { "(key)" };
                match window {
                    "" => format!("{kind:<16} {key}"),
                    window => format!("{kind:<16} {key} (Window type: {window})"),
                }
            }
            "HEADER" => match text(field, "headerKey") {
                "" => format!("{kind:<16} (headers)"),
                key => format!("{kind:<16} (header('{key}'))"),
            },
            _ => kind,
        };
        table.row(vec![text(field, "name").to_owned(), kind]);
    }
    table.write(out, width);
}

fn topic(out: &mut String, source: &Value) {
    let timestamp = match text(source, "timestamp") {
        "" => "Not set - using <ROWTIME>",
        column => column,
    };
    labelled(out, "Timestamp field", timestamp);
    labelled(out, "Key format", text(source, "keyFormat"));
    labelled(out, "Value format", text(source, "valueFormat"));
    let topic = text(source, "topic");
    if topic.is_empty() {
        return;
    }
    // No partitions: the server could not look at the topic.
    match integer(source, "partitions") {
        0 => labelled(out, "Kafka topic", topic),
        partitions => {
            let replication = integer(source, "replication");
            let line = format!("{topic} (partitions: {partitions}, replication: {replication})");
            labelled(out, "Kafka topic", &line);
        }
    }
}

fn constraints(out: &mut String, source: &Value) {
    let constraints = array(source, "sourceConstraints");
    if constraints.is_empty() {
        return;
    }
    heading(
        out,
        "Sources that have a DROP constraint on this source",
        "--------------------------------------------------",
    );
    for name in constraints.iter().filter_map(Value::as_str) {
        out.push_str(name);
        out.push('\n');
    }
}

fn queries(out: &mut String, queries: &[Value], kind: &str, verb: &str) {
    if queries.is_empty() {
        return;
    }
    heading(
        out,
        &format!("Queries that {verb} from this {kind}"),
        "-----------------------------------",
    );
    for query in queries {
        out.push_str(&format!(
            "{} ({}) : {}\n",
            text(query, "id"),
            text(query, "state"),
            single_line(text(query, "queryString"))
        ));
    }
    out.push_str("\nFor query topology and execution plan please run: EXPLAIN <QueryId>\n");
}

fn statistics(out: &mut String, source: &Value, width: usize) {
    let mut metrics: Vec<&Value> = array(source, "clusterStatistics")
        .iter()
        .chain(array(source, "clusterErrorStats"))
        .collect();
    if metrics.is_empty() {
        heading(out, "Local runtime statistics", "------------------------");
        for key in ["statistics", "errorStats"] {
            out.push_str(text(source, key));
            out.push('\n');
        }
    } else {
        metrics.sort_by_key(|m| (text(m, "host"), text(m, "name")));
        heading(
            out,
            "Runtime statistics by host",
            "-------------------------",
        );
        let mut table = Table::new(&["Host", "Metric", "Value", "Last Message"]);
        for metric in metrics {
            let value = metric.get("value").and_then(Value::as_f64);
            table.row(vec![
                text(metric, "host").to_owned(),
                text(metric, "name").to_owned(),
                format!("{:>10.0}", value.unwrap_or_default()),
                super::explain::instant(integer(metric, "timestamp")),
            ]);
        }
        table.write(out, width);
    }
    out.push_str(&format!(
        "(Statistics of the local KSQL server interaction with the Kafka topic {})\n",
        text(source, "topic")
    ));
}

fn groups(out: &mut String, source: &Value, width: usize) {
    let groups = array(source, "queryOffsetSummaries");
    if groups.is_empty() {
        return;
    }
    out.push_str("\nConsumer Groups summary:\n");
    for group in groups {
        out.push('\n');
        labelled(out, "Consumer Group", text(group, "groupId"));
        let topics = array(group, "topicSummaries");
        if topics.is_empty() {
            out.push_str("<no offsets committed by this group yet>\n");
        }
        for topic in topics {
            let offsets = array(topic, "offsets");
            let lag = |o: &Value| integer(o, "logEndOffset") - integer(o, "consumerOffset");
            let worst = offsets.iter().map(lag).max().unwrap_or_default();
            out.push('\n');
            labelled(out, "Kafka topic", text(topic, "kafkaTopic"));
            labelled(out, "Max lag", &worst.to_string());
            out.push('\n');
            let mut table =
                Table::new(&["Partition", "Start Offset", "End Offset", "Offset", "Lag"]);
            for offset in offsets {
                table.row(vec![
                    integer(offset, "partition").to_string(),
                    integer(offset, "logStartOffset").to_string(),
                    integer(offset, "logEndOffset").to_string(),
                    integer(offset, "consumerOffset").to_string(),
                    lag(offset).to_string(),
                ]);
            }
            table.write(out, width);
        }
    }
}

/// DESCRIBE CONNECTOR.
pub(super) fn connector(out: &mut String, entity: &Value, width: usize) {
    let null = Value::Null;
    let status = entity.get("status").unwrap_or(&null);
    let worker = status.get("connector").unwrap_or(&null);
    labelled(out, "Name", text(status, "name"));
    labelled(out, "Class", text(entity, "connectorClass"));
    labelled(out, "Type", text(status, "type"));
    labelled(out, "State", text(worker, "state"));
    labelled(out, "WorkerId", text(worker, "worker_id"));
    if !text(worker, "trace").is_empty() {
        labelled(out, "Trace", text(worker, "trace"));
    }
    let tasks = array(status, "tasks");
    if !tasks.is_empty() {
        out.push('\n');
        let mut table = Table::new(&["Task ID", "State", "Error Trace"]);
        for task in tasks {
            table.row(vec![
                integer(task, "id").to_string(),
                text(task, "state").to_owned(),
                text(task, "trace").to_owned(),
            ]);
        }
        table.write(out, width);
    }
    let sources = array(entity, "sources");
    if !sources.is_empty() {
        out.push('\n');
        let mut table = Table::new(&["KSQL Source Name", "Kafka Topic", "Type"]);
        for source in sources {
            table.row(vec![
                text(source, "name").to_owned(),
                text(source, "topic").to_owned(),
                text(source, "type").to_owned(),
            ]);
        }
        table.write(out, width);
    }
    let topics = array(entity, "topics");
    if !topics.is_empty() {
        out.push('\n');
        let mut table = Table::new(&["Related Topics"]);
        for topic in topics.iter().filter_map(Value::as_str) {
            table.row(vec![topic.to_owned()]);
        }
        table.write(out, width);
    }
}
