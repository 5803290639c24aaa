//! What a worker writes, and how it makes it count.
//!
//! ```text
//!   exactly once    records ─► transaction ◄─ offsets            one commit for both
//!   at least once   records ─► plain producer ─ flushed ─► transaction of the offsets alone
//! ```
//!
//! Offsets always go through a transaction: it commits those of many groups in one go, under the
//! membership that the broker checks, so a server that lost its slots cannot move them.
//!
//! Invariant: an offset is committed with, or after, everything that was made of the records
//! before it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use weir_kafka::{
    ClientConfig, ErrorKind, GroupOffsets, KafkaError, Producer, Result, TopicHandle,
    TransactionalProducer,
};
use weir_types::records::EncodedBatch;

use crate::config::Guarantee;

/// See the module. Producers are opened when they are first needed.
pub(crate) struct Output {
    config: ClientConfig,
    id: String,
    deadline: Duration,
    guarantee: Guarantee,
    producer: Option<TransactionalProducer>,
    plain: Option<Plain>,
    retry_at: Option<Instant>,
}

/// A producer outside of transactions, and the topics that it knows.
struct Plain {
    topics: HashMap<String, TopicHandle>,
    producer: Producer,
}

/// How long to wait after a producer could not be opened.
const RETRY: Duration = Duration::from_secs(1);

impl Output {
    pub(crate) fn new(
        config: ClientConfig,
        id: String,
        deadline: Duration,
        guarantee: Guarantee,
    ) -> Self {
        Self {
            config,
            id,
            deadline,
            guarantee,
            producer: None,
            plain: None,
            retry_at: None,
        }
    }

    /// Opens the producer, which aborts whatever its predecessor of the same id left open.
    pub(crate) fn open(&mut self) -> Result<&mut TransactionalProducer> {
        if self
            .producer
            .as_ref()
            .is_none_or(TransactionalProducer::is_given_up)
        {
            self.producer = None;
            if let Some(at) = self.retry_at
                && Instant::now() < at
            {
                return Err(KafkaError::new(
                    ErrorKind::Retriable,
                    format!("open producer {}", self.id),
                    "waiting before the next try",
                ));
            }
            self.retry_at = Some(Instant::now() + RETRY);
            let producer = TransactionalProducer::open(&self.config, &self.id, self.deadline)?;
            self.producer = Some(producer);
            self.retry_at = None;
        }
        self.producer
            .as_mut()
            .ok_or_else(|| KafkaError::timed_out("open producer"))
    }

    /// Writes records: into the open transaction, which is begun if need be, or at once.
    pub(crate) fn produce(&mut self, topic: &str, batch: &EncodedBatch) -> Result<()> {
        let deadline = self.deadline;
        match self.guarantee {
            Guarantee::ExactlyOnce => {
                let producer = self.begun()?;
                let handle = producer.topic(topic, deadline)?;
                producer.send(&handle, batch, deadline)?;
                producer.poll();
            }
            Guarantee::AtLeastOnce => self.plain()?.send(topic, batch, deadline)?,
        }
        Ok(())
    }

    fn plain(&mut self) -> Result<&mut Plain> {
        if self.plain.is_none() {
            let limit = self.deadline.as_millis().to_string();
            let config = self.config.clone().or("linger.ms", "5");
            let config = config.or("delivery.timeout.ms", &limit);
            self.plain = Some(Plain {
                topics: HashMap::new(),
                producer: Producer::new(&config)?,
            });
        }
        self.plain
            .as_mut()
            .ok_or_else(|| KafkaError::timed_out("open producer"))
    }

    fn begun(&mut self) -> Result<&mut TransactionalProducer> {
        let deadline = self.deadline;
        let producer = self.open()?;
        if !producer.in_transaction() {
            producer.begin(deadline)?;
        }
        Ok(producer)
    }

    /// Commits what was written together with offsets.
    pub(crate) fn commit(&mut self, offsets: Vec<GroupOffsets>) -> Result<()> {
        let deadline = self.deadline;
        if let Some(plain) = &self.plain
            && let Err(error) = plain.producer.flush(deadline)
        {
            // What it still holds must not be written after what is made of the same input anew.
            self.plain = None;
            return Err(error);
        }
        self.begun()?.commit(offsets, deadline)
    }

    /// Aborts what was written in the transaction; records outside of it stay. `false`: the
    /// producer is of no use any more, and what became of its transaction is not known.
    pub(crate) fn abort(&mut self) -> bool {
        let deadline = self.deadline;
        let Some(producer) = &mut self.producer else {
            return true;
        };
        if producer.is_given_up() {
            self.producer = None;
            return false;
        }
        if !producer.in_transaction() {
            return true;
        }
        match producer.abort(deadline) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!("{error}: the producer is replaced");
                self.producer = None;
                false
            }
        }
    }

    /// Asks for a topic again before the next write to it.
    pub(crate) fn forget_topic(&mut self, topic: &str) {
        if let Some(producer) = &mut self.producer {
            producer.forget_topic(topic);
        }
        if let Some(plain) = &mut self.plain {
            plain.topics.remove(topic);
        }
    }
}

impl Plain {
    fn send(&mut self, topic: &str, batch: &EncodedBatch, wait: Duration) -> Result<()> {
        let handle = match self.topics.get(topic) {
            Some(handle) => handle,
            None => {
                let handle = self.producer.topic(topic, wait)?;
                self.topics.entry(topic.to_owned()).or_insert(handle)
            }
        };
        self.producer.send(handle, batch, wait)?;
        self.producer.poll();
        Ok(())
    }
}
