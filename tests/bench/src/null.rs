//! The ceiling: every record of a topic, bytes untouched, into another one inside transactions
//! that also carry the offsets read, and nothing else. It runs as a process of its own, so that
//! only its own CPU time is counted.

use std::error::Error;
use std::process::Command;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};
use weir_test_support::{Topics, Usage};

use crate::batches::Batches;
use crate::measure::{Cost, Meter};

const COMMIT_INTERVAL: Duration = Duration::from_secs(2);
const WAIT: Duration = Duration::from_secs(30);
/// Topic that is written.
pub(crate) const OUTPUT: &str = "out-null";

/// Copies `topic` in another process.
pub(crate) fn run_apart(bootstrap: &str, topic: &str) -> Result<Cost, String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let output = Command::new(program)
        .args(["--bootstrap", bootstrap, "--copy", topic])
        .output()
        .map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let parsed: Option<Value> = serde_json::from_str(&text).ok();
    parsed
        .as_ref()
        .and_then(from_json)
        .ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

fn from_json(value: &Value) -> Option<Cost> {
    Some(Cost {
        whole: value["whole"].as_f64()?,
        warm: value["warm"].as_f64()?,
        peak_mib: value["peak_mib"].as_u64()?,
        seconds: value["seconds"].as_f64()?,
    })
}

/// Copies `topic` in this process, which is to do nothing else, and says what it has used.
pub(crate) fn run(bootstrap: &str, topic: &str) -> Result<Value, String> {
    let cost = copy(bootstrap, topic).map_err(|e| e.to_string())?;
    Ok(
        json!({"whole": cost.whole, "warm": cost.warm, "peak_mib": cost.peak_mib,
        "seconds": cost.seconds}),
    )
}

fn copy(bootstrap: &str, topic: &str) -> Result<Cost, Box<dyn Error>> {
    let pid = std::process::id();
    let usage = || Usage::of(pid).unwrap_or_default();
    let ends = Topics::new(bootstrap).end_offsets(topic);
    let records = ends.iter().sum::<i64>().unsigned_abs();
    let mut meter = Meter::start(records);
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", OUTPUT)
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("fetch.queue.backoff.ms", "5")
        .create()?;
    let mut next = TopicPartitionList::new();
    for partition in 0..ends.len() {
        next.add_partition_offset(topic, i32::try_from(partition)?, Offset::Beginning)?;
    }
    consumer.assign(&next)?;
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("transactional.id", OUTPUT)
        .set("linger.ms", "100")
        .set("queue.buffering.max.messages", "500000")
        .set("delivery.report.only.error", "true")
        .create()?;
    producer.init_transactions(WAIT)?;
    producer.begin_transaction()?;
    let mut began = Instant::now();
    let mut done = 0;
    let mut positions = vec![0; ends.len()];
    let mut batches = Batches::of(&consumer);
    while done < records {
        for message in batches.next(Duration::from_millis(100)) {
            let message = message?;
            let mut record = BaseRecord::<[u8], [u8]>::to(OUTPUT)
                .partition(message.partition)
                .timestamp(message.timestamp);
            record.key = message.key;
            record.payload = message.payload;
            while let Err((error, back)) = producer.send(record) {
                if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                    return Err(error.into());
                }
                producer.poll(Duration::from_millis(5));
                record = back;
            }
            if let Some(position) = positions.get_mut(usize::try_from(message.partition)?) {
                *position = message.offset + 1;
            }
            done += 1;
        }
        producer.poll(Duration::ZERO);
        meter.progress(done, usage());
        if began.elapsed() >= COMMIT_INTERVAL {
            commit(&consumer, &producer, topic, &positions)?;
            producer.begin_transaction()?;
            began = Instant::now();
        }
    }
    commit(&consumer, &producer, topic, &positions)?;
    Ok(meter.end(usage()))
}

fn commit(
    consumer: &BaseConsumer,
    producer: &BaseProducer,
    topic: &str,
    positions: &[i64],
) -> Result<(), Box<dyn Error>> {
    let mut list = TopicPartitionList::new();
    for (partition, at) in positions.iter().enumerate() {
        list.add_partition_offset(topic, i32::try_from(partition)?, Offset::Offset(*at))?;
    }
    let group = consumer
        .group_metadata()
        .ok_or("a consumer without a group")?;
    producer.send_offsets_to_transaction(&list, &group, WAIT)?;
    producer.commit_transaction(WAIT)?;
    Ok(())
}
