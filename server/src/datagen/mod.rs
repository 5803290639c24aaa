//! `weir datagen`: made-up records of the kinds that ksql-datagen makes (spec/api.md §10).
//!
//! ```text
//!  quickstart ─► row of fields ─► key and value in their formats ─► topic
//! ```

mod quickstarts;

use std::io::Write;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use weir_kafka::{Admin, ClientConfig, NewTopic, Producer};
use weir_types::records::EncodedBatch;

use crate::arguments::DatagenOptions;
pub(crate) use quickstarts::{Quickstart, Row};

const WAIT: Duration = Duration::from_secs(10);

/// Writes records until the count is reached.
pub(crate) fn run(options: &DatagenOptions) -> Result<(), String> {
    let mut out = std::io::stdout();
    generate(options, &mut |line| {
        // A closed terminal does not stop the records.
        let _ = writeln!(out, "{line}");
    })
}

/// Writes records and hands each, as text, to `seen` where the options ask for it.
pub(crate) fn generate(options: &DatagenOptions, seen: &mut dyn FnMut(&str)) -> Result<(), String> {
    let quickstart = Quickstart::named(&options.quickstart)?;
    let topic = options
        .topic
        .clone()
        .unwrap_or_else(|| options.quickstart.clone());
    let key = options
        .key
        .clone()
        .unwrap_or_else(|| quickstart.key().to_owned());
    let clients = ClientConfig::bootstrap(&options.bootstrap);
    let admin = Admin::new(&clients, WAIT).map_err(|e| e.to_string())?;
    if admin
        .describe_topic(&topic)
        .map_err(|e| {
            format!(
                "Kafka at {} does not answer ({e}). bootstrap-server=HOST:PORT names another one.",
                options.bootstrap
            )
        })?
        .is_none()
    {
        admin
            .create_topic(NewTopic {
                name: topic.clone(),
                partitions: 1,
                replicas: None,
                configs: Vec::new(),
            })
            .map_err(|e| e.to_string())?;
    }
    let producer = Producer::new(&clients).map_err(|e| e.to_string())?;
    let handle = producer.topic(&topic, WAIT).map_err(|e| e.to_string())?;
    let mut random = StdRng::seed_from_u64(options.seed);
    let started = Instant::now();
    let mut written = 0u64;
    while options.iterations.is_none_or(|n| written < n) {
        let mut batch = EncodedBatch::default();
        let left = options.iterations.map_or(u64::MAX, |n| n - written);
        // At a rate, records go out in steps of 20 ms, and never faster than asked.
        let due = options.rate.map_or(1000, |rate| {
            let until_now = started.elapsed().as_millis() as u64 * rate / 1000 + 1;
            until_now.saturating_sub(written)
        });
        for _ in 0..due.min(left).min(1000) {
            let row = quickstart.row(written, crate::start::now_ms(), &mut random);
            let (key_bytes, value_bytes) = encode(&row, &key, options)?;
            if options.print {
                seen(&format!(
                    "{} --> {}",
                    row.text_of(&key).unwrap_or_default(),
                    String::from_utf8_lossy(&value_bytes)
                ));
            }
            batch.keys.push(key_bytes.as_deref());
            batch.values.push(Some(&value_bytes));
            batch.timestamps.push(crate::start::now_ms());
            written += 1;
        }
        if batch.keys.is_empty() {
            std::thread::sleep(Duration::from_millis(20));
            continue;
        }
        producer
            .send(&handle, &batch, WAIT)
            .map_err(|e| e.to_string())?;
    }
    producer.flush(WAIT).map_err(|e| e.to_string())
}

fn encode(
    row: &Row,
    key: &str,
    options: &DatagenOptions,
) -> Result<(Option<Vec<u8>>, Vec<u8>), String> {
    let key_bytes = match options.key_format.as_str() {
        "kafka" => row.kafka_bytes(key),
        "json" => row.json_of(key).map(String::into_bytes),
        other => {
            return Err(format!(
                "key-format '{other}': kafka and json can be written"
            ));
        }
    };
    let value = match options.value_format.as_str() {
        "json" => row.json(key),
        "delimited" => row.delimited(key, options.delimiter),
        other => {
            return Err(format!(
                "value-format '{other}': json and delimited can be written"
            ));
        }
    };
    Ok((key_bytes, value.into_bytes()))
}
