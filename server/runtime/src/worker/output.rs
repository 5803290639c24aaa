//! What a worker writes: one transactional producer, opened when it is first needed.

use std::time::{Duration, Instant};

use weir_kafka::{
    ClientConfig, ErrorKind, GroupOffsets, KafkaError, Result, TransactionalProducer,
};
use weir_types::records::EncodedBatch;

/// See the module.
pub(crate) struct Output {
    config: ClientConfig,
    id: String,
    deadline: Duration,
    producer: Option<TransactionalProducer>,
    retry_at: Option<Instant>,
}

/// How long to wait after a producer could not be opened.
const RETRY: Duration = Duration::from_secs(1);

impl Output {
    pub(crate) fn new(config: ClientConfig, id: String, deadline: Duration) -> Self {
        Self {
            config,
            id,
            deadline,
            producer: None,
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

    /// Writes records into the open transaction, which is begun if need be.
    pub(crate) fn produce(&mut self, topic: &str, batch: &EncodedBatch) -> Result<()> {
        let deadline = self.deadline;
        let producer = self.begun()?;
        let handle = producer.topic(topic, deadline)?;
        producer.send(&handle, batch, deadline)?;
        producer.poll();
        Ok(())
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
        self.begun()?.commit(offsets, deadline)
    }

    /// Aborts what was written. `false`: the producer is of no use any more, and what became of
    /// its transaction is not known.
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
    }
}
