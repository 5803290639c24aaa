//! librdkafka as the client of the broker that is measured.

use std::error::Error;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::ClientContext;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::{Offset, TopicPartitionList};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use weir_test_support::{Topics, block_on};

const WAIT: Duration = Duration::from_secs(60);
/// Records of a throughput run, and bytes of each value.
const RECORDS: u64 = 1_000_000;
const VALUE: usize = 200;
const PARTITIONS: i32 = 4;
/// First records of a latency run, which do not count.
const UNSETTLED: usize = 2000;

type Result<T> = std::result::Result<T, String>;

fn text(error: impl Error) -> String {
    error.to_string()
}

/// Counts what was delivered; a record that was not shows in the count.
#[derive(Clone, Default)]
pub(super) struct Deliveries(Arc<AtomicU64>);

impl ClientContext for Deliveries {}
impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();
    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_ok() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Deliveries {
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A broker as its clients see it.
pub(super) struct Cluster {
    bootstrap: String,
    topics: Topics,
}

impl Cluster {
    pub(super) fn new(bootstrap: &str) -> Self {
        Self {
            bootstrap: bootstrap.to_owned(),
            topics: Topics::new(bootstrap),
        }
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        config
    }

    /// A producer with acks=all and these settings.
    pub(super) fn producer(
        &self,
        settings: &[(&str, &str)],
    ) -> Result<(BaseProducer<Deliveries>, Deliveries)> {
        let mut config = self.config();
        config.set("acks", "all");
        config.set("queue.buffering.max.messages", "500000");
        config.set("message.max.bytes", "2000000");
        for (name, value) in settings {
            config.set(*name, *value);
        }
        let deliveries = Deliveries::default();
        let producer = config.create_with_context(deliveries.clone());
        Ok((producer.map_err(text)?, deliveries))
    }

    fn consumer(&self, topic: &str, partitions: i32, from: Offset) -> Result<BaseConsumer> {
        let mut config = self.config();
        config
            .set("group.id", "bench")
            .set("enable.auto.commit", "false");
        config.set("fetch.queue.backoff.ms", "1");
        let consumer: BaseConsumer = config.create().map_err(text)?;
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition_offset(topic, partition, from)
                .map_err(text)?;
        }
        consumer.assign(&list).map_err(text)?;
        Ok(consumer)
    }

    /// A fresh topic of that name.
    fn fresh(&self, topic: &str, partitions: i32) {
        if self.topics.names().iter().any(|name| name == topic) {
            self.topics.delete(&[topic.to_owned()]);
        }
        self.topics.create(topic, partitions);
    }

    /// A topic with these configs.
    pub(super) fn create(
        &self,
        topic: &str,
        partitions: i32,
        configs: &[(&str, &str)],
    ) -> Result<()> {
        self.topics.create(topic, partitions);
        self.alter(topic, configs)
    }

    /// Sets all configs of a topic.
    pub(super) fn alter(&self, topic: &str, configs: &[(&str, &str)]) -> Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.config().create().map_err(text)?;
        let mut change =
            AlterConfig::new(ResourceSpecifier::Topic(topic)).set("retention.ms", "-1");
        for (name, value) in configs {
            change = change.set(name, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(WAIT));
        let changed = block_on(admin.alter_configs([&change], &options)).map_err(text)?;
        match changed.into_iter().find_map(std::result::Result::err) {
            Some((_, code)) => Err(format!("configs of {topic}: {code}")),
            None => Ok(()),
        }
    }

    /// Waits for the first answer.
    pub(super) fn answered(&self) -> Result<()> {
        let consumer: BaseConsumer = self.config().create().map_err(text)?;
        consumer.fetch_metadata(None, WAIT).map_err(text)?;
        Ok(())
    }

    /// First offset that can still be read in partition 0, by reading.
    pub(super) fn first_record(&self, topic: &str) -> Result<i64> {
        let consumer = self.consumer(topic, 1, Offset::Beginning)?;
        match consumer.poll(WAIT) {
            Some(Ok(record)) => Ok(record.offset()),
            Some(Err(error)) => Err(text(error)),
            None => Err(format!("{topic}: no record in {WAIT:?}")),
        }
    }

    /// Writes and reads [`RECORDS`] records. Returns, for each, records per CPU-second of the broker, which `cpu` tells.
    pub(super) fn throughput(&self, cpu: impl Fn() -> f64) -> Result<(f64, f64)> {
        const TOPIC: &str = "bench-throughput";
        self.fresh(TOPIC, PARTITIONS);
        let before = cpu();
        self.fill(TOPIC, &[], (0..RECORDS).map(|_| None), &[b'x'; VALUE])?;
        let between = cpu();
        let consumer = self.consumer(TOPIC, PARTITIONS, Offset::Beginning)?;
        let mut seen = 0;
        while seen < RECORDS {
            match consumer.poll(WAIT) {
                Some(Ok(record)) if record.payload_len() == VALUE => seen += 1,
                Some(Ok(_)) => return Err("a record is not as it was written".to_owned()),
                Some(Err(error)) => return Err(text(error)),
                None => return Err(format!("{seen} of {RECORDS} records in {WAIT:?}")),
            }
        }
        let after = cpu();
        let rate = |cpu: f64| RECORDS as f64 / cpu.max(0.01);
        Ok((rate(between - before), rate(after - between)))
    }

    /// Writes a record for each key, as fast as it goes.
    pub(super) fn fill(
        &self,
        topic: &str,
        settings: &[(&str, &str)],
        keys: impl Iterator<Item = Option<u64>>,
        value: &[u8],
    ) -> Result<()> {
        let (producer, deliveries) = self.producer(settings)?;
        let mut sent = 0;
        for key in keys {
            let key = key.map(|k| format!("{k:08}"));
            let mut record = BaseRecord::<[u8], [u8]>::to(topic).payload(value);
            if let Some(key) = &key {
                record = record.key(key.as_bytes());
            }
            while let Err((error, back)) = producer.send(record) {
                if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                    return Err(text(error));
                }
                producer.poll(Duration::from_millis(5));
                record = back;
            }
            sent += 1;
            if sent % 1000 == 0 {
                producer.poll(Duration::ZERO);
            }
        }
        producer.flush(WAIT).map_err(text)?;
        match deliveries.count() {
            count if count == sent => Ok(()),
            count => Err(format!("{count} of {sent} records were delivered")),
        }
    }

    /// From a producer's call to a consumer's: median and 99th percentile in ms of so many records, 1,000 a second; those of
    /// the first two seconds do not count.
    pub(super) fn latency(&self, records: usize) -> Result<(f64, f64)> {
        const TOPIC: &str = "bench-latency";
        self.fresh(TOPIC, 1);
        let nanos = || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            since.map_or(0, |d| d.as_nanos())
        };
        let consumer = self.consumer(TOPIC, 1, Offset::Beginning)?;
        let (producer, _) = self.producer(&[("linger.ms", "0")])?;
        let mut taken = Vec::with_capacity(records);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let began = Instant::now();
                for n in 0..records {
                    let due = began + Duration::from_millis(n as u64);
                    producer.poll(due.saturating_duration_since(Instant::now()));
                    weir_test_support::pause(due.saturating_duration_since(Instant::now()));
                    // What is not taken here is missed by the consumer.
                    let now = nanos().to_be_bytes();
                    let _ = producer.send(BaseRecord::<[u8], [u8]>::to(TOPIC).payload(&now));
                }
                producer.flush(WAIT)
            });
            while taken.len() < records {
                match consumer.poll(WAIT) {
                    Some(Ok(record)) => {
                        let sent = record.payload().and_then(|p| p.first_chunk::<16>());
                        let sent = sent.map_or(0, |bytes| u128::from_be_bytes(*bytes));
                        taken.push(nanos().saturating_sub(sent) as f64 / 1e6);
                    }
                    Some(Err(error)) => return Err(text(error)),
                    None => return Err("records are missing".to_owned()),
                }
            }
            Ok(())
        })?;
        // Until clients and broker have found each other.
        taken.drain(..records.min(UNSETTLED));
        taken.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let index = (taken.len() as f64 * share) as usize;
            taken.get(index).copied().unwrap_or(f64::NAN)
        };
        Ok((at(0.5), at(0.99)))
    }

    /// Transactions of ten records a second on one producer, over this time.
    pub(super) fn transactions(&self, time: Duration) -> Result<f64> {
        const TOPIC: &str = "bench-transactions";
        self.fresh(TOPIC, 1);
        let (producer, deliveries) =
            self.producer(&[("transactional.id", "bench"), ("linger.ms", "0")])?;
        producer.init_transactions(WAIT).map_err(text)?;
        let began = Instant::now();
        let mut count = 0_u32;
        while began.elapsed() < time {
            producer.begin_transaction().map_err(text)?;
            for _ in 0..10 {
                let record = BaseRecord::<[u8], [u8]>::to(TOPIC).payload(&[b'x'; VALUE]);
                producer.send(record).map_err(|(e, _)| text(e))?;
            }
            count += 1;
            // To commit waits for deliveries too, but in steps of a tenth of a second; and to poll
            // with a timeout always takes all of it.
            while deliveries.count() < u64::from(count) * 10 && began.elapsed() < WAIT {
                producer.poll(Duration::ZERO);
                std::thread::sleep(Duration::from_micros(50));
            }
            producer.commit_transaction(WAIT).map_err(text)?;
        }
        Ok(f64::from(count) / began.elapsed().as_secs_f64())
    }
}
