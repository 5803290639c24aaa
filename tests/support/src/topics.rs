//! Topics and records of a cluster, through librdkafka: nothing of the server's own Kafka code
//! takes part in judging it.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::{Offset, TopicPartitionList};

use crate::wait::{pause, wait_for, wait_until};

/// Longest wait for a cluster to do one thing; long, since it may be killed and started meanwhile.
const LIMIT: Duration = Duration::from_secs(60);

/// A record as it is in a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// Partition.
    pub partition: i32,
    /// Offset in the partition.
    pub offset: i64,
}

impl Record {
    /// Key as text, empty when there is none.
    pub fn key_text(&self) -> String {
        String::from_utf8_lossy(self.key.as_deref().unwrap_or_default()).into_owned()
    }

    /// Value as text, empty when there is none.
    pub fn value_text(&self) -> String {
        String::from_utf8_lossy(self.value.as_deref().unwrap_or_default()).into_owned()
    }
}

/// The topics of a cluster.
#[derive(Debug, Clone)]
pub struct Topics {
    bootstrap: String,
}

/// Ends the test when a record is not delivered: what a test expects follows from its input.
struct Strict;

impl ClientContext for Strict {
    // Brokers go down while tests run; clients come back to them.
    fn log(&self, _: rdkafka::config::RDKafkaLogLevel, _: &str, _: &str) {}
    fn error(&self, _: KafkaError, _: &str) {}
}

impl ProducerContext for Strict {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            panic!("a record was not delivered: {error}");
        }
    }
}

impl Topics {
    /// Of the cluster behind these brokers.
    pub fn new(bootstrap: &str) -> Self {
        Self {
            bootstrap: bootstrap.to_owned(),
        }
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("reconnect.backoff.ms", "20")
            .set("reconnect.backoff.max.ms", "200");
        config
    }

    /// Makes a topic whose records are never deleted.
    ///
    /// # Panics
    ///
    /// When the cluster refuses.
    pub fn create(&self, name: &str, partitions: i32) {
        let admin: AdminClient<DefaultClientContext> =
            self.config().create().expect("an admin client");
        let topic =
            NewTopic::new(name, partitions, TopicReplication::Fixed(1)).set("retention.ms", "-1");
        let options = AdminOptions::new().operation_timeout(Some(LIMIT));
        let made = block_on(admin.create_topics(&[topic], &options));
        let made = made.unwrap_or_else(|e| panic!("topic {name}: {e}"));
        for result in made {
            assert!(result.is_ok(), "topic {name}: {result:?}");
        }
    }

    /// Names of all topics.
    ///
    /// # Panics
    ///
    /// When the cluster does not tell.
    pub fn names(&self) -> Vec<String> {
        let consumer: BaseConsumer = self.config().create().expect("a consumer");
        let metadata = consumer.fetch_metadata(None, LIMIT);
        let metadata = metadata.unwrap_or_else(|e| panic!("names of the topics: {e}"));
        let topics = metadata.topics().iter();
        topics.map(|t| t.name().to_owned()).collect()
    }

    /// Deletes topics and waits until the cluster does not name them any more.
    ///
    /// # Panics
    ///
    /// When the cluster refuses.
    pub fn delete(&self, names: &[String]) {
        if names.is_empty() {
            return;
        }
        let admin: AdminClient<DefaultClientContext> =
            self.config().create().expect("an admin client");
        let options = AdminOptions::new().operation_timeout(Some(LIMIT));
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        let deleted = block_on(admin.delete_topics(&all, &options));
        for result in deleted.unwrap_or_else(|e| panic!("topics {names:?}: {e}")) {
            assert!(result.is_ok(), "a topic is not deleted: {result:?}");
        }
        wait_until("topics to be gone", LIMIT, || {
            let left = self.names();
            !names.iter().any(|name| left.contains(name))
        });
    }

    /// Writes records (key, value or tombstone, timestamp) exactly once and in order, by Java's
    /// partitioner, and returns when the cluster has them all.
    ///
    /// # Panics
    ///
    /// When one cannot be delivered.
    pub fn produce<R, V>(&self, topic: &str, records: R) -> u64
    where
        R: IntoIterator<Item = (String, V, i64)>,
        V: Into<Option<String>>,
    {
        let producer: BaseProducer<Strict> = self
            .config()
            .set("partitioner", "murmur2_random")
            .set("enable.idempotence", "true")
            .set("queue.buffering.max.messages", "200000")
            .create_with_context(Strict)
            .expect("a producer");
        let mut count = 0;
        for (key, value, timestamp) in records {
            let value = value.into();
            let mut record = BaseRecord::to(topic).key(&key).timestamp(timestamp);
            record.payload = value.as_ref();
            while let Err((error, back)) = producer.send(record) {
                let full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
                assert!(full, "a record for {topic}: {error}");
                producer.poll(Duration::from_millis(10));
                record = back;
            }
            count += 1;
            if count % 1000 == 0 {
                producer.poll(Duration::ZERO);
            }
        }
        let flushed = producer.flush(LIMIT);
        assert!(flushed.is_ok(), "{topic}: {flushed:?}");
        count
    }

    /// Every committed record of a topic up to where it ends now, partition by partition.
    ///
    /// # Panics
    ///
    /// When it cannot be read.
    pub fn read_committed(&self, topic: &str) -> Vec<Record> {
        let mut records = Vec::new();
        self.each_committed(topic, |record| records.push(record));
        records.sort_by_key(|r| (r.partition, r.offset));
        records
    }

    /// Hands over every committed record of a topic up to where it ends now; those of one
    /// partition come in order.
    ///
    /// # Panics
    ///
    /// When it cannot be read.
    pub fn each_committed(&self, topic: &str, mut each: impl FnMut(Record)) {
        let consumer: BaseConsumer = self
            .config()
            .set("group.id", "weir-test-reader")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("fetch.queue.backoff.ms", "5")
            .create()
            .expect("a consumer");
        let partitions = wait_for("a topic's partitions", LIMIT, || {
            let metadata = consumer
                .fetch_metadata(Some(topic), Duration::from_secs(5))
                .ok()?;
            let count = metadata.topics().first()?.partitions().len();
            (count > 0).then_some(count)
        });
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition_offset(topic, partition as i32, Offset::Beginning)
                .expect("a position");
        }
        consumer.assign(&list).expect("an assignment");
        let mut ended = vec![false; partitions];
        let end = Instant::now() + LIMIT;
        while ended.iter().any(|e| !e) {
            assert!(Instant::now() < end, "{topic} has no end after {LIMIT:?}");
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => each(Record {
                    key: message.key().map(<[u8]>::to_vec),
                    value: message.payload().map(<[u8]>::to_vec),
                    timestamp: message.timestamp().to_millis().unwrap_or(-1),
                    partition: message.partition(),
                    offset: message.offset(),
                }),
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    if let Some(slot) = ended.get_mut(partition as usize) {
                        *slot = true;
                    }
                }
                // What is fatal shows as a topic without end.
                Some(Err(_)) | None => {}
            }
        }
    }

    /// Records up to the end of each partition, transaction markers counted.
    ///
    /// # Panics
    ///
    /// When the cluster does not tell.
    pub fn end_offsets(&self, topic: &str) -> Vec<i64> {
        let consumer: BaseConsumer = self.config().create().expect("a consumer");
        let metadata = consumer.fetch_metadata(Some(topic), LIMIT);
        let metadata = metadata.unwrap_or_else(|e| panic!("{topic}: {e}"));
        let partitions = metadata
            .topics()
            .first()
            .map_or(0, |t| t.partitions().len());
        (0..partitions)
            .map(|p| {
                let bounds = consumer.fetch_watermarks(topic, p as i32, LIMIT);
                bounds.unwrap_or_else(|e| panic!("{topic}-{p}: {e}")).1
            })
            .collect()
    }

    /// State of a group and number of its members; `None`: the cluster does not know it (now).
    ///
    /// # Panics
    ///
    /// When a client cannot be made.
    pub fn group(&self, name: &str) -> Option<(String, usize)> {
        let consumer: BaseConsumer = self.config().create().expect("a consumer");
        let groups = consumer.fetch_group_list(Some(name), LIMIT).ok()?;
        let group = groups.groups().first()?;
        Some((group.state().to_owned(), group.members().len()))
    }

    /// Offsets that a group has committed in a topic of so many partitions; 0 where it has none.
    ///
    /// # Panics
    ///
    /// When the cluster does not tell.
    pub fn committed(&self, group: &str, topic: &str, partitions: usize) -> Vec<i64> {
        let consumer: BaseConsumer = self
            .config()
            .set("group.id", group)
            .create()
            .expect("a consumer");
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition(topic, partition as i32);
        }
        let found = consumer.committed_offsets(list, LIMIT);
        let found = found.unwrap_or_else(|e| panic!("offsets of {group}: {e}"));
        found
            .elements()
            .iter()
            .map(|e| match e.offset() {
                Offset::Offset(offset) => offset,
                _ => 0,
            })
            .collect()
    }
}

/// Admin calls are the only futures of the tests, and few: no runtime is needed.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        pause(Duration::from_millis(5));
    }
}
