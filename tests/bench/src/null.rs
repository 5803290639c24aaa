//! The ceiling: every record of a topic, bytes untouched, into another one inside transactions
//! that also carry the offsets read, and nothing else.

use std::error::Error;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use weir_test_support::{Topics, Usage};

use crate::measure::{Cost, Meter};

const COMMIT_INTERVAL: Duration = Duration::from_secs(2);
const WAIT: Duration = Duration::from_secs(30);

/// Copies `topic` and says what this process, which is to do nothing else, has used.
pub(crate) fn run(topics: &Topics, bootstrap: &str, topic: &str) -> Result<Cost, Box<dyn Error>> {
    let pid = std::process::id();
    let usage = || Usage::of(pid).unwrap_or_default();
    let ends = topics.end_offsets(topic);
    let output = format!("{topic}-null-{pid}");
    topics.create(&output, i32::try_from(ends.len())?);
    let records = ends.iter().sum::<i64>().unsigned_abs();
    let mut meter = Meter::start(records);
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", &output)
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
        .set("transactional.id", &output)
        .set("linger.ms", "100")
        .set("queue.buffering.max.messages", "500000")
        .create()?;
    producer.init_transactions(WAIT)?;
    producer.begin_transaction()?;
    let mut began = Instant::now();
    let mut done = 0;
    let mut positions = vec![0; ends.len()];
    while done < records {
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            let message = message?;
            let partition = message.partition();
            let mut record = BaseRecord::<[u8], [u8]>::to(&output)
                .partition(partition)
                .timestamp(message.timestamp().to_millis().unwrap_or(-1));
            record.key = message.key();
            record.payload = message.payload();
            while let Err((error, back)) = producer.send(record) {
                if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                    return Err(error.into());
                }
                producer.poll(Duration::from_millis(5));
                record = back;
            }
            if let Some(position) = positions.get_mut(usize::try_from(partition)?) {
                *position = message.offset() + 1;
            }
            done += 1;
            if done % 1000 != 0 {
                continue;
            }
        }
        producer.poll(Duration::ZERO);
        if began.elapsed() >= COMMIT_INTERVAL {
            commit(&consumer, &producer, topic, &positions)?;
            producer.begin_transaction()?;
            began = Instant::now();
            meter.progress(done, usage());
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
