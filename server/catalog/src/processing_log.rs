//! The processing log: what went wrong in single records, as records of a topic
//! (spec/semantics.md §11.1, spec/api.md §11).
//!
//! ```text
//!  tasks ──bounded channel──► this thread ──► <service.id>ksql_processing_log
//! ```
//!
//! A full channel drops entries: the log must never hold the queries back.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use serde_json::{Value, json};
use weir_engine::LogEntry;
use weir_kafka::{Admin, ClientConfig, ErrorKind, NewTopic, Producer, Role};
use weir_types::records::EncodedBatch;

use crate::clock::now_ms;
use crate::config::ServerConfig;
use crate::weir::KAFKA_WAIT;

/// Entries that may wait.
const CAPACITY: usize = 4096;

/// An entry with the query it is of.
type Entry = (String, LogEntry);

/// The thread that writes the log.
pub struct ProcessingLog {
    sender: Option<Sender<Entry>>,
    thread: Option<JoinHandle<()>>,
}

/// Name of the topic.
pub fn topic_name(config: &ServerConfig) -> String {
    config
        .given_value("ksql.logging.processing.topic.name")
        .filter(|name| !name.is_empty())
        .map_or_else(
            || format!("{}ksql_processing_log", config.service_id()),
            str::to_owned,
        )
}

/// Name of the stream over it.
pub fn stream_name(config: &ServerConfig) -> String {
    config
        .given_value("ksql.logging.processing.stream.name")
        .unwrap_or("KSQL_PROCESSING_LOG")
        .to_owned()
}

/// The statement that makes the stream.
pub fn create_stream_sql(config: &ServerConfig) -> String {
    format!(
        "CREATE STREAM {} (logger VARCHAR, level VARCHAR, time BIGINT, message STRUCT<type \
         INTEGER, deserializationError STRUCT<target VARCHAR, errorMessage VARCHAR, recordB64 \
         VARCHAR, cause ARRAY<VARCHAR>, `topic` VARCHAR>, recordProcessingError \
         STRUCT<errorMessage VARCHAR, record VARCHAR, cause ARRAY<VARCHAR>>, productionError \
         STRUCT<errorMessage VARCHAR>, serializationError STRUCT<target VARCHAR, errorMessage \
         VARCHAR, record VARCHAR, cause ARRAY<VARCHAR>, `topic` VARCHAR>, \
         kafkaStreamsThreadError STRUCT<errorMessage VARCHAR, threadName VARCHAR, cause \
         ARRAY<VARCHAR>>>) WITH (KAFKA_TOPIC='{}', VALUE_FORMAT='JSON');",
        stream_name(config),
        topic_name(config)
    )
}

impl ProcessingLog {
    /// Makes the topic and starts writing, where `ksql.logging.processing.topic.auto.create` asks
    /// for it or the topic is there.
    pub fn start(config: &ServerConfig, admin: &Arc<Admin>) -> Result<Self, String> {
        let topic = topic_name(config);
        let number = |name: &str| config.number(name).unwrap_or(1);
        let exists = admin
            .describe_topic(&topic)
            .map_err(|e| e.to_string())?
            .is_some();
        if !exists {
            if !config.flag("ksql.logging.processing.topic.auto.create") {
                return Ok(Self {
                    sender: None,
                    thread: None,
                });
            }
            let made = admin.create_topic(NewTopic {
                name: topic.clone(),
                partitions: u32::try_from(number("ksql.logging.processing.topic.partitions"))
                    .unwrap_or(1),
                replicas: u16::try_from(number("ksql.logging.processing.topic.replication.factor"))
                    .ok(),
                configs: Vec::new(),
            });
            match made {
                Ok(()) => {}
                Err(error) if error.kind == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(format!("processing log: {error}")),
            }
        }
        let producers = ClientConfig::from_properties(config.given(), Role::Producer);
        let producer = Producer::new(&producers).map_err(|e| e.to_string())?;
        let with_rows = config
            .given_value("ksql.logging.processing.rows.include")
            .is_some_and(|v| v.eq_ignore_ascii_case("true"));
        let (sender, receiver) = bounded(CAPACITY);
        let thread = std::thread::Builder::new()
            .name("processing-log".to_owned())
            .spawn(move || write(&producer, &topic, &receiver, with_rows))
            .map_err(|e| e.to_string())?;
        Ok(Self {
            sender: Some(sender),
            thread: Some(thread),
        })
    }

    /// Where entries go; `None`: the log is off.
    pub fn sender(&self) -> Option<Sender<Entry>> {
        self.sender.clone()
    }
}

impl Drop for ProcessingLog {
    fn drop(&mut self) {
        self.sender = None;
        // The thread ends once every sender is gone; the runtime's are by now.
        if let Some(thread) = self.thread.take()
            && thread.is_finished()
            && thread.join().is_err()
        {
            tracing::error!("the processing log's thread broke");
        }
    }
}

fn write(producer: &Producer, topic: &str, entries: &Receiver<Entry>, with_rows: bool) {
    let mut handle = None;
    loop {
        let first = match entries.recv_timeout(Duration::from_secs(3600)) {
            Ok(entry) => entry,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let mut batch = EncodedBatch::default();
        for (query, entry) in std::iter::once(first).chain(entries.try_iter().take(999)) {
            let text = record(&query, &entry, now_ms(), with_rows).to_string();
            batch.keys.push(None);
            batch.values.push(Some(text.as_bytes()));
            batch.timestamps.push(now_ms());
        }
        if handle.is_none() {
            handle = producer.topic(topic, KAFKA_WAIT).ok();
        }
        let sent = match &handle {
            Some(handle) => producer
                .send(handle, &batch, KAFKA_WAIT)
                .map_err(|e| e.to_string()),
            None => Err("the topic cannot be reached".to_owned()),
        };
        if let Err(error) = sent {
            tracing::warn!(error, "processing log not written");
            handle = None;
        }
    }
}

/// The record of an entry.
fn record(query: &str, entry: &LogEntry, time: i64, with_rows: bool) -> Value {
    let mut message = json!({
        "type": Value::Null,
        "deserializationError": Value::Null,
        "recordProcessingError": Value::Null,
        "productionError": Value::Null,
        "serializationError": Value::Null,
        "kafkaStreamsThreadError": Value::Null,
    });
    let side = |is_key: bool| if is_key { "key" } else { "value" };
    let context = match entry {
        LogEntry::Deserialization {
            context,
            is_key,
            message: text,
            cause,
            topic,
            record,
        } => {
            let record = record
                .as_ref()
                .filter(|_| with_rows)
                .map(|r| STANDARD.encode(r));
            message["type"] = json!(0);
            message["deserializationError"] = json!({
                "target": side(*is_key),
                "errorMessage": text,
                "recordB64": record,
                "cause": cause,
                "topic": topic,
            });
            format!("{context}.deserializer")
        }
        LogEntry::Processing {
            context,
            message: text,
            cause,
        } => {
            message["type"] = json!(1);
            message["recordProcessingError"] = json!({
                "errorMessage": text,
                "record": Value::Null,
                "cause": cause,
            });
            context.clone()
        }
        LogEntry::Serialization {
            context,
            is_key,
            message: text,
            topic,
        } => {
            message["type"] = json!(3);
            message["serializationError"] = json!({
                "target": side(*is_key),
                "errorMessage": text,
                "record": Value::Null,
                "cause": Value::Array(Vec::new()),
                "topic": topic,
            });
            format!("{context}.serializer")
        }
    };
    json!({
        "level": "ERROR",
        "logger": format!("processing.{query}.{context}"),
        "time": time,
        "message": message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_payload_of_the_type_is_there() {
        let entry = LogEntry::Deserialization {
            context: "KsqlTopic.Source".into(),
            is_key: false,
            message: "bad".into(),
            cause: vec!["worse".into()],
            topic: "t".into(),
            record: Some(vec![1]),
        };
        let value = record("CSAS_X_1", &entry, 7, false);
        assert_eq!(
            value["logger"],
            "processing.CSAS_X_1.KsqlTopic.Source.deserializer"
        );
        assert_eq!(value["message"]["type"], 0);
        assert_eq!(
            value["message"]["deserializationError"]["recordB64"],
            Value::Null
        );
        assert_eq!(value["message"]["recordProcessingError"], Value::Null);
        let value = record("CSAS_X_1", &entry, 7, true);
        assert_eq!(
            value["message"]["deserializationError"]["recordB64"],
            "AQ=="
        );
    }
}
