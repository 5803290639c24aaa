//! Writing: encoded columns to a topic, many records at a time.
//!
//! ```text
//!   EncodedBatch ──send──► librdkafka's queue (copied) ──► broker
//!                   │ full: wait, bounded
//! ```
//!
//! [`Producer`] is idempotent and outside of transactions (INSERT VALUES, at-least-once, logs);
//! the same sending serves [`TransactionalProducer`](crate::TransactionalProducer).

use std::ffi::{CString, c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::bindings::rd_kafka_resp_err_t as Code;
use rdkafka::bindings::rd_kafka_vtype_t as V;
use rdkafka::bindings::*;
use weir_types::partition::partition_of;
use weir_types::records::EncodedBatch;

use crate::config::ClientConfig;
use crate::error::{ErrorKind, KafkaError, Result};
use crate::raw::{Client, OK, Topic, cstring, failure, remaining, take_error, text};
use crate::time_zero;

/// A topic to write to, with its number of partitions. Belongs to the producer that made it and
/// keeps it alive.
#[derive(Clone)]
pub struct TopicHandle {
    topic: Arc<Topic>,
    name: Arc<str>,
    partitions: u32,
    _client: Arc<Client>,
}

/// How long a topic that nobody knows is asked for.
const PATIENCE: Duration = Duration::from_secs(1);

impl TopicHandle {
    /// Asks the cluster for the topic.
    pub(crate) fn open(client: &Arc<Client>, name: &str, wait: Duration) -> Result<Self> {
        let topic = Topic::new(client, name)?;
        // A topic made a moment ago may not be known to every broker yet.
        let patience = Instant::now() + wait.min(PATIENCE);
        let partitions = loop {
            match topic.partitions(client, wait) {
                Err(error)
                    if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Retriable)
                        && Instant::now() < patience =>
                {
                    std::thread::sleep(Duration::from_millis(10));
                }
                other => break other?,
            }
        };
        Ok(Self {
            topic: Arc::new(topic),
            name: name.into(),
            partitions,
            _client: client.clone(),
        })
    }

    /// Partitions of the topic when the handle was made.
    pub fn partitions(&self) -> u32 {
        self.partitions
    }

    /// Name of the topic.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Writes outside of transactions, idempotently.
pub struct Producer {
    client: Arc<Client>,
    failures: Arc<Failures>,
}

#[derive(Default)]
struct Failures {
    count: AtomicU64,
    last: Mutex<Option<KafkaError>>,
}

impl Producer {
    /// A producer with these settings, idempotent unless they say otherwise.
    pub fn new(config: &ClientConfig) -> Result<Self> {
        let config = config
            .clone()
            .or("enable.idempotence", "true")
            .or("linger.ms", "0")
            .reconnecting()
            .with("delivery.report.only.error", "true");
        let failures = Arc::new(Failures::default());
        let opaque = Arc::as_ptr(&failures).cast_mut().cast::<c_void>();
        let client = Client::new(rd_kafka_type_t::RD_KAFKA_PRODUCER, &config, |conf| {
            // SAFETY: `failures` outlives the client (field order of Producer, which owns both)
            unsafe {
                rd_kafka_conf_set_opaque(conf, opaque);
                rd_kafka_conf_set_dr_msg_cb(conf, Some(delivery_failed));
                time_zero::prepare(conf);
            }
        })?;
        Ok(Self {
            client: Arc::new(client),
            failures,
        })
    }

    #[cfg(test)]
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// A topic to write to; asks the cluster for it.
    pub fn topic(&self, name: &str, wait: Duration) -> Result<TopicHandle> {
        TopicHandle::open(&self.client, name, wait)
    }

    /// Queues a batch. Waits up to `wait` where the queue is full.
    pub fn send(&self, topic: &TopicHandle, batch: &EncodedBatch, wait: Duration) -> Result<()> {
        send(&self.client, topic, batch, wait)
    }

    /// Waits until everything sent has arrived. An error if something sent since the last flush
    /// did not; which records those are is not said.
    pub fn flush(&self, wait: Duration) -> Result<()> {
        let arrived = flush(&self.client, Instant::now() + wait);
        if self.failures.count.swap(0, Ordering::AcqRel) > 0 {
            let last = self.failures.last.lock().take();
            return Err(last.unwrap_or_else(|| failure(Code::RD_KAFKA_RESP_ERR__FAIL, "produce")));
        }
        if arrived {
            return Ok(());
        }
        Err(KafkaError::timed_out("produce".to_owned()))
    }

    /// Serves the client's callbacks; to be called now and then while sending.
    pub fn poll(&self) {
        // SAFETY: the client is live
        unsafe { rd_kafka_poll(self.client.native(), 0) };
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        // The callback must not run once `failures` is gone, even if a handle keeps the client.
        // SAFETY: the client is live; nobody polls it after this
        unsafe { rd_kafka_flush(self.client.native(), 1000) };
    }
}

/// Called only for records that could not be delivered.
unsafe extern "C" fn delivery_failed(
    _: *mut rd_kafka_t,
    message: *const rd_kafka_message_t,
    opaque: *mut c_void,
) {
    // SAFETY: the opaque is the producer's `Failures`; the message is live during the call
    unsafe {
        let failures = &*opaque.cast::<Failures>();
        let message = &*message;
        let topic = text(rd_kafka_topic_name(message.rkt));
        let error = failure(
            message.err,
            format!("produce to {topic} partition {}", message.partition),
        );
        *failures.last.lock() = Some(error);
        failures.count.fetch_add(1, Ordering::AcqRel);
    }
}

/// Where the record's parts stand in the argument list of `produceva`.
const PARTITION: usize = 1;
const TIMESTAMP: usize = 2;
const KEY: usize = 3;
const VALUE: usize = 4;
const OPAQUE: usize = 5;
const FIXED: usize = 7;

fn argument(vtype: V, u: rd_kafka_vu_s__bindgen_ty_1) -> rd_kafka_vu_t {
    rd_kafka_vu_t { vtype, u }
}

fn memory(bytes: Option<&[u8]>) -> rd_kafka_vu_s__bindgen_ty_1 {
    let (ptr, size) = match bytes {
        Some(bytes) => (bytes.as_ptr().cast_mut().cast::<c_void>(), bytes.len()),
        None => (std::ptr::null_mut(), 0),
    };
    rd_kafka_vu_s__bindgen_ty_1 {
        mem: rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr, size },
    }
}

/// Queues the records of a batch, in order. Keys choose the partition unless the batch does; a
/// null key leaves the choice to the client. A timestamp before 1970 becomes 0.
pub(crate) fn send(
    client: &Arc<Client>,
    topic: &TopicHandle,
    batch: &EncodedBatch,
    wait: Duration,
) -> Result<()> {
    let deadline = Instant::now() + wait;
    let rk = client.native();
    let none = rd_kafka_vu_s__bindgen_ty_1 { i64_: 0 };
    let mut arguments = vec![
        argument(
            V::RD_KAFKA_VTYPE_RKT,
            rd_kafka_vu_s__bindgen_ty_1 { rkt: topic.topic.0 },
        ),
        argument(V::RD_KAFKA_VTYPE_PARTITION, none),
        argument(V::RD_KAFKA_VTYPE_TIMESTAMP, none),
        argument(V::RD_KAFKA_VTYPE_KEY, none),
        argument(V::RD_KAFKA_VTYPE_VALUE, none),
        argument(V::RD_KAFKA_VTYPE_OPAQUE, none),
        argument(
            V::RD_KAFKA_VTYPE_MSGFLAGS,
            rd_kafka_vu_s__bindgen_ty_1 {
                i: RD_KAFKA_MSG_F_COPY as c_int,
            },
        ),
    ];
    let partition_keys = batch.partition_keys.as_ref().unwrap_or(&batch.keys);
    let mut names: Vec<CString> = Vec::new();
    for i in 0..batch.values.len() {
        let partition = match batch.partitions.get(i) {
            Some(partition) => *partition,
            None => match partition_keys.get(i) {
                Some(key) => partition_of(key, topic.partitions) as i32,
                None => -1, // RD_KAFKA_PARTITION_UA: the client's choice
            },
        };
        let timestamp = batch.timestamps.get(i).copied().unwrap_or(0);
        let (opaque, timestamp) = time_zero::opaque_and_timestamp(timestamp);
        arguments.truncate(FIXED);
        let mut set = |at: usize, value| {
            if let Some(slot) = arguments.get_mut(at) {
                slot.u = value;
            }
        };
        set(PARTITION, rd_kafka_vu_s__bindgen_ty_1 { i32_: partition });
        set(TIMESTAMP, rd_kafka_vu_s__bindgen_ty_1 { i64_: timestamp });
        set(OPAQUE, rd_kafka_vu_s__bindgen_ty_1 { ptr: opaque });
        set(KEY, memory(batch.keys.get(i)));
        set(VALUE, memory(batch.values.get(i)));
        if let Some(headers) = batch.headers.get(i) {
            names.clear();
            for (name, _) in headers {
                names.push(cstring(name)?);
            }
            for (name, (_, value)) in names.iter().zip(headers) {
                let header = rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_2 {
                    name: name.as_ptr(),
                    val: value
                        .as_ref()
                        .map_or(std::ptr::null(), |v| v.as_ptr().cast()),
                    size: value.as_ref().map_or(0, |v| v.len() as isize),
                };
                arguments.push(argument(
                    V::RD_KAFKA_VTYPE_HEADER,
                    rd_kafka_vu_s__bindgen_ty_1 { header },
                ));
            }
        }
        loop {
            // SAFETY: all pointers live through the call, which copies what they point to
            let error = unsafe { rd_kafka_produceva(rk, arguments.as_ptr(), arguments.len()) };
            if error.is_null() {
                break;
            }
            // SAFETY: the error is ours
            let full = unsafe { rd_kafka_error_code(error) } == Code::RD_KAFKA_RESP_ERR__QUEUE_FULL;
            // SAFETY: taken over once
            let result = unsafe { take_error(error, || format!("produce to {}", topic.name)) };
            if !full {
                return result;
            }
            if remaining(deadline).is_zero() {
                return Err(KafkaError::new(
                    ErrorKind::TimedOut,
                    format!("produce to {}", topic.name),
                    "the producer's queue stayed full: the broker takes no records",
                ));
            }
            // A flush, however short, sends batches that are not full: many partitions could fill
            // the queue with none of them due.
            // SAFETY: the client is live
            unsafe { rd_kafka_flush(rk, 5) };
        }
    }
    Ok(())
}

/// Sends what waits and waits until all of it has arrived, or for nothing more than the deadline;
/// whether it has. A flush of librdkafka looks again only every 10 ms when nobody asked for
/// reports of delivery, so it is called for a millisecond at a time.
pub(crate) fn flush(client: &Client, deadline: Instant) -> bool {
    loop {
        // SAFETY: the client is live
        if unsafe { rd_kafka_flush(client.native(), 1) } == OK {
            return true;
        }
        if remaining(deadline).is_zero() {
            return false;
        }
    }
}

/// The first fatal error that the client met, if it met one.
pub(crate) fn fatal_error(client: &Client) -> Option<KafkaError> {
    let mut message = [0; 256];
    // SAFETY: the buffer is as long as is said
    let code =
        unsafe { rd_kafka_fatal_error(client.native(), message.as_mut_ptr(), message.len()) };
    // SAFETY: the client ends the text with NUL
    (code != OK).then(|| {
        KafkaError::new(ErrorKind::Fatal, "Kafka producer", unsafe {
            text(message.as_ptr())
        })
    })
}
