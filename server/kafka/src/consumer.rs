//! Reading: partitions assigned by hand, many records at a time, one queue.
//!
//! ```text
//!   start(topic, partition, offset) ─► FetchId          hold / release: stop and go without
//!                                                       throwing away what is fetched already
//!   poll(max) ──► Polled { fetched: one batch per partition, ends, errors }
//! ```
//!
//! The payloads of a poll are copied into one arena per partition: about 10 ns a record, after
//! which librdkafka's buffers (whole fetch responses) are free again.

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_void};
use std::ops::Range;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings::rd_kafka_resp_err_t as Code;
use rdkafka::bindings::*;
use weir_types::records::{FetchedBatch, RecordMeta};

use crate::config::ClientConfig;
use crate::error::{KafkaError, Result};
use crate::raw::{Client, OK, Queue, Topic, cstring, failure, millis, text};

/// A partition being read; never given out twice by a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FetchId(u32);

/// Records of one partition.
pub struct Fetched {
    /// Which partition.
    pub id: FetchId,
    /// The records, in offset order, at least one.
    pub batch: FetchedBatch,
}

/// What one poll brought.
#[derive(Default)]
pub struct Polled {
    /// Records, one batch per partition.
    pub fetched: Vec<Fetched>,
    /// Partitions read to their end, with the offset of the next record.
    pub ends: Vec<(FetchId, i64)>,
    /// Partitions that cannot be read.
    pub errors: Vec<(FetchId, KafkaError)>,
    /// Records in all.
    pub records: usize,
    /// Bytes of keys and values in all.
    pub bytes: usize,
}

impl Polled {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.fetched.clear();
        self.ends.clear();
        self.errors.clear();
        self.records = 0;
        self.bytes = 0;
    }
}

/// Wakes a consumer's [`poll`](Consumer::poll) from another thread.
#[derive(Clone)]
pub struct Waker(Arc<Shared>);

impl Waker {
    /// Makes the current or the next poll return at once.
    pub fn wake(&self) {
        // SAFETY: the queue lives as long as the shared part
        unsafe { rd_kafka_queue_yield(self.0.queue.0) };
    }
}

/// Queue before client: that is the order in which they must go.
struct Shared {
    queue: Queue,
    client: Client,
}

struct Partition {
    topic: usize,
    topic_name: Arc<str>,
    number: i32,
}

struct TopicEntry {
    handle: Topic,
    partitions: usize,
}

/// A reader of partitions that are named one by one. It is in no group and commits nothing.
pub struct Consumer {
    /// By the address of the native handle, which messages carry.
    topics: HashMap<usize, TopicEntry>,
    /// By native topic and number.
    ids: HashMap<(usize, i32), FetchId>,
    partitions: HashMap<FetchId, Partition>,
    next_id: u32,
    messages: Vec<*mut rd_kafka_message_t>,
    /// Guess for the next batches: what those of the last poll held.
    guess: Guess,
    shared: Arc<Shared>,
}

// SAFETY: the raw pointers in `messages` are only live inside `poll`
unsafe impl Send for Consumer {}

/// Records taken from the queue in one call.
const CHUNK: usize = 1024;
/// A poll stops after so many bytes, whatever `max` says.
const MAX_POLL_BYTES: usize = 8 << 20;

impl Consumer {
    /// A reader with these settings. Unless set: committed records only, no waiting when the local
    /// queue was full (`fetch.queue.backoff.ms`), small queues.
    pub fn new(config: &ClientConfig) -> Result<Self> {
        let config = config
            .clone()
            .or("isolation.level", "read_committed")
            .or("fetch.queue.backoff.ms", "5")
            .or("fetch.error.backoff.ms", "50")
            .or("queued.min.messages", "10000")
            .or("queued.max.messages.kbytes", "4096")
            .or("topic.metadata.refresh.interval.ms", "30000")
            .reconnecting()
            .with("enable.partition.eof", "true")
            .with("enable.auto.commit", "false")
            .with("enable.auto.offset.store", "false")
            .with("auto.offset.reset", "error");
        let client = Client::new(rd_kafka_type_t::RD_KAFKA_CONSUMER, &config, |_| {})?;
        let queue = Queue::new(&client);
        Ok(Self {
            topics: HashMap::new(),
            ids: HashMap::new(),
            partitions: HashMap::new(),
            next_id: 0,
            messages: vec![ptr::null_mut(); CHUNK],
            guess: Guess::default(),
            shared: Arc::new(Shared { queue, client }),
        })
    }

    /// What wakes this consumer.
    pub fn waker(&self) -> Waker {
        Waker(self.shared.clone())
    }

    /// Starts to read a partition at an offset. A partition that is being read already is an
    /// error.
    pub fn start(&mut self, topic: &str, partition: i32, offset: i64) -> Result<FetchId> {
        let operation = || format!("read {topic} partition {partition}");
        let handle = Topic::new(&self.shared.client, topic)?;
        let key = handle.0 as usize;
        if self.ids.contains_key(&(key, partition)) {
            return Err(failure(Code::RD_KAFKA_RESP_ERR__CONFLICT, operation()));
        }
        // SAFETY: topic and queue are live
        let result = unsafe {
            rd_kafka_consume_start_queue(handle.0, partition, offset, self.shared.queue.0)
        };
        if result != 0 {
            // SAFETY: reads the calling thread's last error
            return Err(failure(unsafe { rd_kafka_last_error() }, operation()));
        }
        self.topics
            .entry(key)
            .or_insert(TopicEntry {
                handle,
                partitions: 0,
            })
            .partitions += 1;
        let id = FetchId(self.next_id);
        self.next_id += 1;
        self.ids.insert((key, partition), id);
        let entry = Partition {
            topic: key,
            topic_name: topic.into(),
            number: partition,
        };
        self.partitions.insert(id, entry);
        Ok(id)
    }

    /// Stops to read a partition and forgets what was fetched of it.
    pub fn stop(&mut self, id: FetchId) {
        let Some(partition) = self.partitions.remove(&id) else {
            return;
        };
        self.ids.remove(&(partition.topic, partition.number));
        if let Some(topic) = self.topics.get_mut(&partition.topic) {
            // SAFETY: started by `start`, stopped once
            unsafe { rd_kafka_consume_stop(topic.handle.0, partition.number) };
            topic.partitions -= 1;
            if topic.partitions == 0 {
                self.topics.remove(&partition.topic);
            }
        }
    }

    /// Reads a partition on from another offset. Its id changes.
    pub fn seek(&mut self, id: FetchId, offset: i64) -> Result<FetchId> {
        let Some(partition) = self.partitions.get(&id) else {
            return Err(failure(
                Code::RD_KAFKA_RESP_ERR__STATE,
                "seek in a partition not read",
            ));
        };
        let (topic, number) = (partition.topic_name.clone(), partition.number);
        self.stop(id);
        self.start(&topic, number, offset)
    }

    /// Holds a partition back: what arrives stays in its own queue, which bounds the fetching.
    /// Records already on the common queue still come.
    pub fn hold(&self, id: FetchId) {
        self.forward(id, ptr::null_mut());
    }

    /// Lets a held partition flow again; what waited comes first.
    pub fn release(&self, id: FetchId) {
        self.forward(id, self.shared.queue.0);
    }

    fn forward(&self, id: FetchId, to: *mut rd_kafka_queue_t) {
        let Some(partition) = self.partitions.get(&id) else {
            return;
        };
        let Ok(topic) = cstring(&partition.topic_name) else {
            return;
        };
        // SAFETY: client and queue are live; the partition's queue is given back at once
        unsafe {
            let queue = rd_kafka_queue_get_partition(
                self.shared.client.native(),
                topic.as_ptr(),
                partition.number,
            );
            if !queue.is_null() {
                rd_kafka_queue_forward(queue, to);
                rd_kafka_queue_destroy(queue);
            }
        }
    }

    /// Takes what is there, up to about `max` records, waiting up to `wait` for the first. `out`
    /// is added to. Returns early when woken.
    pub fn poll(&mut self, max: usize, wait: Duration, out: &mut Polled) {
        let mut builders = Builders::default();
        let mut taken = 0;
        let mut wait = millis(wait);
        // One record is waited for; the client would wait for a whole batch.
        let mut size = 1;
        while taken < max && builders.bytes < MAX_POLL_BYTES {
            // SAFETY: the vector has room for `size` pointers
            let count = unsafe {
                rd_kafka_consume_batch_queue(
                    self.shared.queue.0,
                    wait,
                    self.messages.as_mut_ptr(),
                    size,
                )
            };
            let count = usize::try_from(count).unwrap_or(0);
            for i in 0..count {
                let Some(&message) = self.messages.get(i) else {
                    break;
                };
                // SAFETY: the first `count` pointers are live messages, each destroyed once
                unsafe {
                    self.take(&*message, &mut builders, out);
                    rd_kafka_message_destroy(message);
                }
            }
            taken += count;
            if count < size {
                break;
            }
            (size, wait) = (CHUNK.min(max.saturating_sub(taken)).max(1), 0);
        }
        self.guess = builders.guess().unwrap_or(self.guess);
        builders.finish(out);
    }

    /// # Safety
    /// The message is live.
    unsafe fn take(&self, message: &rd_kafka_message_t, builders: &mut Builders, out: &mut Polled) {
        let key = (message.rkt as usize, message.partition);
        let index = match builders.last {
            Some((last, index)) if last == key => index,
            _ => {
                // A partition that was stopped meanwhile.
                let Some(&id) = self.ids.get(&key) else {
                    return;
                };
                let index = builders.index_of(id);
                builders.last = Some((key, index));
                index
            }
        };
        let Some(builder) = builders.list.get_mut(index) else {
            return;
        };
        match message.err {
            OK => {
                // SAFETY: the message is live
                let bytes = unsafe { builder.push(message, self.guess) };
                builders.bytes += bytes;
                builders.records += 1;
            }
            Code::RD_KAFKA_RESP_ERR__PARTITION_EOF => out.ends.push((builder.id, message.offset)),
            code => {
                let name = self
                    .partitions
                    .get(&builder.id)
                    .map(|p| (&p.topic_name, p.number));
                let operation = match name {
                    Some((topic, number)) => format!("read {topic} partition {number}"),
                    None => "read".to_owned(),
                };
                let mut error = failure(code, operation);
                // SAFETY: the message is live and its payload, if any, is the error's text
                let detail = unsafe { text(rd_kafka_message_errstr(message)) };
                if !detail.is_empty() {
                    error.message = detail;
                }
                out.errors.push((builder.id, error));
            }
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let ids: Vec<_> = self.partitions.keys().copied().collect();
        for id in ids {
            self.stop(id);
        }
    }
}

/// Size of a batch of one partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Guess {
    records: usize,
    bytes: usize,
}

#[derive(Default)]
struct Builders {
    list: Vec<Builder>,
    last: Option<((usize, i32), usize)>,
    bytes: usize,
    records: usize,
}

impl Builders {
    fn index_of(&mut self, id: FetchId) -> usize {
        // Few partitions in one poll: a search is cheaper than a map.
        self.list
            .iter()
            .position(|b| b.id == id)
            .unwrap_or_else(|| {
                self.list.push(Builder::new(id));
                self.list.len() - 1
            })
    }

    /// A little more than what a batch holds on average, so that one like it does not grow.
    fn guess(&self) -> Option<Guess> {
        let mean = |all: usize| Some(all.checked_div(self.list.len())? / 8 * 9 + 1);
        Some(Guess {
            records: mean(self.records)?,
            bytes: mean(self.bytes)?,
        })
    }

    fn finish(self, out: &mut Polled) {
        out.records += self.records;
        out.bytes += self.bytes;
        out.fetched.extend(
            self.list
                .into_iter()
                .filter(|b| !b.records.is_empty())
                .map(|b| Fetched {
                    id: b.id,
                    batch: FetchedBatch {
                        arena: Arc::new(b.arena),
                        records: b.records,
                        headers: b.headers,
                    },
                }),
        );
    }
}

struct Builder {
    id: FetchId,
    arena: Vec<u8>,
    records: Vec<RecordMeta>,
    headers: Vec<(Range<u32>, Option<Range<u32>>)>,
}

impl Builder {
    fn new(id: FetchId) -> Self {
        Self {
            id,
            arena: Vec::new(),
            records: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// # Safety
    /// The message is live.
    unsafe fn push(&mut self, message: &rd_kafka_message_t, expected: Guess) -> usize {
        if self.records.is_empty() {
            self.arena.reserve(expected.bytes);
            self.records.reserve(expected.records);
        }
        let mut kind = rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is live; key and payload are its own bytes
        let (timestamp, key, value, headers) = unsafe {
            let timestamp = rd_kafka_message_timestamp(message, &mut kind);
            let key = self.copy(message.key, message.key_len);
            let value = self.copy(message.payload, message.len);
            (timestamp, key, value, self.copy_headers(message))
        };
        self.records.push(RecordMeta {
            offset: message.offset,
            timestamp,
            key,
            value,
            headers,
        });
        message.len + message.key_len
    }

    /// # Safety
    /// `at` is null or points to `len` live bytes.
    unsafe fn copy(&mut self, at: *const c_void, len: usize) -> Option<Range<u32>> {
        if at.is_null() {
            return None;
        }
        let start = self.arena.len() as u32;
        // SAFETY: promised by the caller
        self.arena
            .extend_from_slice(unsafe { std::slice::from_raw_parts(at.cast(), len) });
        Some(start..self.arena.len() as u32)
    }

    /// # Safety
    /// The message is live.
    unsafe fn copy_headers(&mut self, message: &rd_kafka_message_t) -> Range<u32> {
        let start = self.headers.len() as u32;
        let mut headers: *mut rd_kafka_headers_t = ptr::null_mut();
        // SAFETY: the headers belong to the live message
        unsafe {
            if rd_kafka_message_headers(message, &mut headers) != OK {
                return start..start;
            }
            for i in 0..rd_kafka_header_cnt(headers) {
                let (mut name, mut value): (*const c_char, *const c_void) =
                    (ptr::null(), ptr::null());
                let mut len = 0;
                if rd_kafka_header_get_all(headers, i, &mut name, &mut value, &mut len) != OK {
                    break;
                }
                let name = CStr::from_ptr(name);
                let name = self.copy(name.as_ptr().cast(), name.to_bytes().len());
                let value = self.copy(value, len);
                self.headers.push((name.unwrap_or_default(), value));
            }
        }
        start..self.headers.len() as u32
    }
}
