//! Topics and records that scenarios bring.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientConfig, ClientContext};
use serde_json::Value;
use weir_conformance::driver::Stored;

const WAIT: Duration = Duration::from_secs(15);

fn config(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    config
}

fn admin(bootstrap: &str) -> Result<AdminClient<DefaultClientContext>, String> {
    config(bootstrap).create().map_err(|e| e.to_string())
}

/// Makes a topic.
pub(crate) async fn create_topic(bootstrap: &str, step: &Value) -> Result<(), String> {
    let name = step["topic"].as_str().unwrap_or_default();
    let partitions = step["partitions"].as_i64().unwrap_or(1) as i32;
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    admin(bootstrap)?
        .create_topics(&[topic], &AdminOptions::new().operation_timeout(Some(WAIT)))
        .await
        .map(drop)
        .map_err(|e| e.to_string())
}

/// Deletes the topics that are not internal.
pub(crate) async fn delete_user_topics(bootstrap: &str) -> Result<(), String> {
    let admin = admin(bootstrap)?;
    let metadata = admin
        .inner()
        .fetch_metadata(None, WAIT)
        .map_err(|e| e.to_string())?;
    let names: Vec<String> = metadata
        .topics()
        .iter()
        .map(|t| t.name().to_owned())
        .filter(|name| !name.starts_with('_'))
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    admin
        .delete_topics(&names, &AdminOptions::new().operation_timeout(Some(WAIT)))
        .await
        .map(drop)
        .map_err(|e| e.to_string())
}

/// Writes records to partition 0.
pub(crate) fn produce(bootstrap: &str, step: &Value) -> Result<(), String> {
    let producer: BaseProducer = config(bootstrap).create().map_err(|e| e.to_string())?;
    let topic = step["topic"].as_str().unwrap_or_default();
    for record in step["records"].as_array().into_iter().flatten() {
        let part = |name: &str| -> Result<Option<Vec<u8>>, String> {
            if let Some(text) = record[name].as_str() {
                return Ok(Some(text.as_bytes().to_vec()));
            }
            match record[format!("{name}_b64")].as_str() {
                Some(text) => STANDARD.decode(text).map(Some).map_err(|e| e.to_string()),
                None => Ok(None),
            }
        };
        let (key, value) = (part("key")?, part("value")?);
        let mut message = BaseRecord::<Vec<u8>, Vec<u8>>::to(topic).partition(0);
        if let Some(key) = &key {
            message = message.key(key);
        }
        if let Some(value) = &value {
            message = message.payload(value);
        }
        if let Some(timestamp) = record["timestamp"].as_i64() {
            message = message.timestamp(timestamp);
        }
        producer.send(message).map_err(|(e, _)| e.to_string())?;
    }
    producer.flush(WAIT).map_err(|e| e.to_string())
}

/// Writes records by Java's partitioner, in order.
pub(crate) fn produce_stored(bootstrap: &str, records: &[(String, Stored)]) -> Result<(), String> {
    let refused = Arc::new(Mutex::new(None));
    let producer: BaseProducer<Deliveries> = config(bootstrap)
        .set("partitioner", "murmur2_random")
        .create_with_context(Deliveries(Arc::clone(&refused)))
        .map_err(|e| e.to_string())?;
    for (topic, record) in records {
        let mut headers = OwnedHeaders::new();
        for (key, value) in &record.headers {
            let value = value.as_deref();
            headers = headers.insert(Header { key, value });
        }
        let mut message = BaseRecord::<Vec<u8>, Vec<u8>>::to(topic)
            .timestamp(record.timestamp)
            .headers(headers);
        message.key = record.key.as_ref();
        message.payload = record.value.as_ref();
        producer.send(message).map_err(|(e, _)| e.to_string())?;
    }
    producer.flush(WAIT).map_err(|e| e.to_string())?;
    let refused = refused.lock().map_err(|e| e.to_string())?.take();
    refused.map_or(Ok(()), Err)
}

/// Remembers the first record that was not delivered.
struct Deliveries(Arc<Mutex<Option<String>>>);

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let (Err((error, _)), Ok(mut first)) = (result, self.0.lock()) {
            first.get_or_insert_with(|| format!("a record was not delivered: {error}"));
        }
    }
}

/// The committed records of a topic, partition by partition.
pub(crate) async fn read(bootstrap: &str, topic: &str) -> Result<Vec<Stored>, String> {
    let topics = weir_test_support::Topics::new(bootstrap);
    let topic = topic.to_owned();
    let records = tokio::task::spawn_blocking(move || topics.read_committed(&topic))
        .await
        .map_err(|e| e.to_string())?;
    let stored = |record: weir_test_support::Record| Stored {
        key: record.key,
        value: record.value,
        timestamp: record.timestamp,
        headers: Vec::new(),
    };
    Ok(records.into_iter().map(stored).collect())
}
