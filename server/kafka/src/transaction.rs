//! Transactions with deadlines that hold.
//!
//! ```text
//!   begin ─ send* ─ commit(offsets of many groups) ──► done
//!      │                    └─ abortable error ──► abort ──► begin again
//!      └─ a call is late ──► given up: the native client stays with its thread, and the caller
//!                            opens a new producer with the same transactional id, which fences
//!                            the old one and aborts what it left open
//! ```
//!
//! `send_offsets_to_transaction` of librdkafka may hang for ever when the group's coordinator goes
//! away during it (its issues 5456 and 5511), so no transactional call is made on the caller's
//! thread.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use rdkafka::bindings::*;
use weir_types::records::EncodedBatch;

use crate::config::ClientConfig;
use crate::error::{ErrorKind, KafkaError, Result};
use crate::offsets::GroupOffset;
use crate::producer::{TopicHandle, fatal_error, flush, send};
use crate::raw::{Client, GroupMetadata, PartitionList, millis, remaining, take_error};
use crate::time_zero;

/// Offsets of one group that become part of a transaction.
pub struct GroupOffsets {
    /// Group, and the membership under which its offsets are written.
    pub group: Arc<GroupMetadata>,
    /// The offsets.
    pub offsets: Vec<GroupOffset>,
}

enum Call {
    Init,
    Begin,
    Commit(Vec<GroupOffsets>),
    Abort,
}

struct Job {
    call: Call,
    deadline: Instant,
    reply: Sender<Result<()>>,
}

/// A producer whose records, and the offsets of what they were made from, become visible together.
pub struct TransactionalProducer {
    client: Arc<Client>,
    topics: HashMap<String, TopicHandle>,
    jobs: Sender<Job>,
    id: String,
    in_transaction: bool,
    given_up: bool,
}

/// How long a batch that is not full waits. Its rows are seen only after the commit, which sends
/// what waits at once; until then only full batches are worth a request, and the client's thread
/// spins through the last millisecond before a batch is due.
fn linger_ms(delivery_timeout: &str) -> u64 {
    let delivery = delivery_timeout.parse().unwrap_or(10_000_u64);
    (delivery / 2).min(1000)
}

impl TransactionalProducer {
    /// A producer of this transactional id, ready to begin. Fences every older producer of the id
    /// and aborts what it left open. Errors: [`ErrorKind::TimedOut`] when the cluster does not
    /// answer in time.
    pub fn open(config: &ClientConfig, id: &str, wait: Duration) -> Result<Self> {
        let config = config
            .clone()
            .or("queue.buffering.max.messages", "60000")
            .or("queue.buffering.max.kbytes", "16384")
            .or("transaction.timeout.ms", "10000")
            .reconnecting()
            .with("transactional.id", id)
            .with("enable.idempotence", "true");
        // A record must not outlive its transaction.
        let timeout = config
            .get("transaction.timeout.ms")
            .unwrap_or("10000")
            .to_owned();
        let config = config.or("delivery.timeout.ms", &timeout);
        let delivery = config.get("delivery.timeout.ms").unwrap_or(&timeout);
        let linger = linger_ms(delivery).to_string();
        let config = config.or("linger.ms", &linger);
        let client = Client::new(rd_kafka_type_t::RD_KAFKA_PRODUCER, &config, |conf| {
            // SAFETY: the configuration is live
            unsafe { time_zero::prepare(conf) };
        })?;
        let client = Arc::new(client);
        let (jobs, queue) = unbounded();
        let thread = client.clone();
        std::thread::Builder::new()
            .name("kafka-txn".to_owned())
            .spawn(move || serve(thread, &queue))
            .map_err(|e| KafkaError::new(ErrorKind::Fatal, "start of a thread", e.to_string()))?;
        let mut producer = Self {
            client,
            topics: HashMap::new(),
            jobs,
            id: id.to_owned(),
            in_transaction: false,
            given_up: false,
        };
        producer.call(Call::Init, wait)?;
        Ok(producer)
    }

    /// Whether a transaction is open.
    pub fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// Whether this producer can be used no more and has to be opened anew.
    pub fn is_given_up(&self) -> bool {
        self.given_up
    }

    /// Begins a transaction. Sends nothing to the broker.
    pub fn begin(&mut self, wait: Duration) -> Result<()> {
        self.call(Call::Begin, wait)?;
        self.in_transaction = true;
        Ok(())
    }

    /// A topic to write to, asked for once.
    pub fn topic(&mut self, name: &str, wait: Duration) -> Result<TopicHandle> {
        if let Some(topic) = self.topics.get(name) {
            return Ok(topic.clone());
        }
        let topic = TopicHandle::open(&self.client, name, wait)?;
        self.topics.insert(name.to_owned(), topic.clone());
        Ok(topic)
    }

    /// Forgets a topic, so that it is asked for again (it was deleted or changed).
    pub fn forget_topic(&mut self, name: &str) {
        self.topics.remove(name);
    }

    /// Queues a batch in the open transaction, waiting up to `wait` where the queue is full.
    pub fn send(&self, topic: &TopicHandle, batch: &EncodedBatch, wait: Duration) -> Result<()> {
        send(&self.client, topic, batch, wait)
    }

    /// Serves the client's callbacks; to be called now and then while sending.
    pub fn poll(&self) {
        // SAFETY: the client is live
        unsafe { rd_kafka_poll(self.client.native(), 0) };
    }

    /// Writes out what is queued, adds the offsets of all groups and commits. On
    /// [`ErrorKind::TimedOut`] nobody knows whether the transaction was committed: open a new
    /// producer and read the committed offsets.
    pub fn commit(&mut self, offsets: Vec<GroupOffsets>, wait: Duration) -> Result<()> {
        let result = self.call(Call::Commit(offsets), wait);
        if result.is_ok() {
            self.in_transaction = false;
        }
        result
    }

    /// Aborts the open transaction.
    pub fn abort(&mut self, wait: Duration) -> Result<()> {
        let result = self.call(Call::Abort, wait);
        if result.is_ok() {
            self.in_transaction = false;
        }
        result
    }

    fn call(&mut self, call: Call, wait: Duration) -> Result<()> {
        let name = call.name();
        let operation = || format!("{name} of producer {}", self.id);
        if self.given_up {
            return Err(KafkaError::new(
                ErrorKind::Fatal,
                operation(),
                "the producer was given up and must be opened anew",
            ));
        }
        let deadline = Instant::now() + wait;
        let (reply, answer) = bounded(1);
        let sent = self.jobs.send(Job {
            call,
            deadline,
            reply,
        });
        // The client keeps the deadline too, most of the time: it gets a little longer.
        let result = match sent.map(|()| answer.recv_timeout(wait + GRACE)) {
            Ok(Ok(result)) => result,
            Ok(Err(RecvTimeoutError::Timeout)) => Err(KafkaError::timed_out(operation())),
            Ok(Err(RecvTimeoutError::Disconnected)) | Err(_) => Err(KafkaError::new(
                ErrorKind::Fatal,
                operation(),
                "the producer's thread has ended",
            )),
        };
        if let Err(error) = &result {
            self.given_up = matches!(
                error.kind,
                ErrorKind::TimedOut | ErrorKind::Fatal | ErrorKind::Fenced
            ) || fatal_error(&self.client).is_some();
        }
        result
    }
}

const GRACE: Duration = Duration::from_millis(200);

/// How long a commit watches closely whether what it sent has arrived.
const PROMPT: Duration = Duration::from_millis(50);

impl Call {
    fn name(&self) -> &'static str {
        match self {
            Self::Init => "init transactions",
            Self::Begin => "begin transaction",
            Self::Commit(_) => "commit transaction",
            Self::Abort => "abort transaction",
        }
    }
}

/// Makes the calls, one after the other, until the producer is dropped. If one never returns, the
/// thread and the client stay behind with it.
fn serve(client: Arc<Client>, jobs: &Receiver<Job>) {
    for job in jobs {
        // A caller that does not listen any more has given the producer up.
        if job.reply.send(run(&client, &job)).is_err() {
            return;
        }
    }
}

fn run(client: &Client, job: &Job) -> Result<()> {
    let rk = client.native();
    let operation = || job.call.name().to_owned();
    let left = || millis(remaining(job.deadline).max(Duration::from_millis(1)));
    match &job.call {
        // SAFETY: (all) the client is live; errors are taken over
        Call::Init => unsafe { take_error(rd_kafka_init_transactions(rk, left()), operation) },
        Call::Begin => unsafe { take_error(rd_kafka_begin_transaction(rk), operation) },
        Call::Abort => unsafe { take_error(rd_kafka_abort_transaction(rk, left()), operation) },
        Call::Commit(groups) => {
            // What is queued goes to the broker while the offsets do.
            flush(client, Instant::now());
            for group in groups {
                let mut list = PartitionList::new(group.offsets.len());
                for o in &group.offsets {
                    list.add(&o.topic, o.partition, o.offset, &o.metadata)?;
                }
                // SAFETY: list and group live through the call
                let sent = unsafe {
                    rd_kafka_send_offsets_to_transaction(rk, list.0, group.group.native, left())
                };
                // SAFETY: the error is ours
                unsafe { take_error(sent, || "send offsets to transaction".to_owned())? };
            }
            // The commit flushes too, and says why if something does not arrive.
            flush(client, job.deadline.min(Instant::now() + PROMPT));
            // SAFETY: as above
            unsafe { take_error(rd_kafka_commit_transaction(rk, left()), operation) }
        }
    }
}
