//! The thin layer over librdkafka's C interface: handles that free themselves, codes to errors.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;
use std::time::{Duration, Instant};

use rdkafka::bindings::rd_kafka_resp_err_t as Code;
use rdkafka::bindings::*;

use crate::config::ClientConfig;
use crate::error::{ErrorKind, KafkaError, Result, kind_of};

pub(crate) const OK: Code = Code::RD_KAFKA_RESP_ERR_NO_ERROR;

/// A C string; inner NUL bytes are refused.
pub(crate) fn cstring(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| {
        KafkaError::new(
            ErrorKind::Invalid,
            format!("name {text:?}"),
            "has a NUL byte in it",
        )
    })
}

/// A string of librdkafka's, copied.
///
/// # Safety
/// `text` is null or a live NUL-ended string.
pub(crate) unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: promised by the caller
    unsafe { CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned()
}

/// `code` as an error of `operation`.
pub(crate) fn failure(code: Code, operation: impl Into<String>) -> KafkaError {
    // SAFETY: librdkafka gives a static string for every code
    let message = unsafe { text(rd_kafka_err2str(code)) };
    KafkaError::new(kind_of(code), operation, message)
}

pub(crate) fn check(code: Code, operation: impl FnOnce() -> String) -> Result<()> {
    if code == OK {
        Ok(())
    } else {
        Err(failure(code, operation()))
    }
}

/// Takes over an error object (null: none).
///
/// # Safety
/// `error` is null or an error object that nobody else destroys.
pub(crate) unsafe fn take_error(
    error: *mut rd_kafka_error_t,
    operation: impl FnOnce() -> String,
) -> Result<()> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: live until it is destroyed in the last line
    unsafe {
        let code = rd_kafka_error_code(error);
        let kind = match kind_of(code) {
            kind @ (ErrorKind::Fenced | ErrorKind::StaleMember | ErrorKind::TimedOut) => kind,
            _ if rd_kafka_error_is_fatal(error) != 0 => ErrorKind::Fatal,
            _ if rd_kafka_error_txn_requires_abort(error) != 0 => ErrorKind::AbortTransaction,
            _ if rd_kafka_error_is_retriable(error) != 0 => ErrorKind::Retriable,
            kind => kind,
        };
        let result = KafkaError::new(kind, operation(), text(rd_kafka_error_string(error)));
        rd_kafka_error_destroy(error);
        Err(result)
    }
}

/// Milliseconds for librdkafka, never negative (which would mean for ever).
pub(crate) fn millis(wait: Duration) -> c_int {
    c_int::try_from(wait.as_millis()).unwrap_or(c_int::MAX)
}

/// What is left until `deadline`.
pub(crate) fn remaining(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// A native client. librdkafka's handles may be used from any thread.
pub(crate) struct Client {
    rk: *mut rd_kafka_t,
    destroy_flags: c_int,
}

// SAFETY: librdkafka's client is thread-safe by its documentation
unsafe impl Send for Client {}
// SAFETY: as above
unsafe impl Sync for Client {}

impl Client {
    /// A client of this kind; `prepare` may set callbacks on the native configuration.
    pub(crate) fn new(
        kind: rd_kafka_type_t,
        config: &ClientConfig,
        prepare: impl FnOnce(*mut rd_kafka_conf_t),
    ) -> Result<Self> {
        let mut message = [0 as c_char; 512];
        // SAFETY: strings live through the calls; the configuration is destroyed on every error
        // path and taken over by rd_kafka_new otherwise
        unsafe {
            let conf = rd_kafka_conf_new();
            for (name, value) in config.entries() {
                let (key, setting) = match (cstring(name), cstring(value)) {
                    (Ok(key), Ok(setting)) => (key, setting),
                    (Err(e), _) | (_, Err(e)) => {
                        rd_kafka_conf_destroy(conf);
                        return Err(e);
                    }
                };
                let result = rd_kafka_conf_set(
                    conf,
                    key.as_ptr(),
                    setting.as_ptr(),
                    message.as_mut_ptr(),
                    message.len(),
                );
                if result != rd_kafka_conf_res_t::RD_KAFKA_CONF_OK {
                    rd_kafka_conf_destroy(conf);
                    return Err(KafkaError::new(
                        ErrorKind::Invalid,
                        format!("Kafka client setting {name}"),
                        text(message.as_ptr()),
                    ));
                }
            }
            rd_kafka_conf_set_log_cb(conf, Some(log));
            prepare(conf);
            let rk = rd_kafka_new(kind, conf, message.as_mut_ptr(), message.len());
            if rk.is_null() {
                rd_kafka_conf_destroy(conf);
                return Err(KafkaError::new(
                    ErrorKind::Invalid,
                    "start of a Kafka client",
                    text(message.as_ptr()),
                ));
            }
            Ok(Self {
                rk,
                destroy_flags: 0,
            })
        }
    }

    /// The same client, destroyed without closing it as a group member first.
    pub(crate) fn without_close(mut self) -> Self {
        self.destroy_flags = RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE;
        self
    }

    pub(crate) fn native(&self) -> *mut rd_kafka_t {
        self.rk
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // SAFETY: made by `new`, destroyed once; whoever holds queues or topics of it drops them
        // first (field order)
        unsafe { rd_kafka_destroy_flags(self.rk, self.destroy_flags) };
    }
}

/// librdkafka's log lines become ours.
unsafe extern "C" fn log(
    _: *const rd_kafka_t,
    level: c_int,
    facility: *const c_char,
    message: *const c_char,
) {
    // SAFETY: librdkafka passes live strings
    let (facility, message) = unsafe { (text(facility), text(message)) };
    match level {
        0..=2 => tracing::warn!(target: "kafka", "{facility}: {message}"),
        // Connections that fail are tried again; each try would say so.
        3 => tracing::info!(target: "kafka", "{facility}: {message}"),
        _ => tracing::debug!(target: "kafka", "{facility}: {message}"),
    }
}

/// A queue of a client.
pub(crate) struct Queue(pub(crate) *mut rd_kafka_queue_t);

// SAFETY: librdkafka's queues lock themselves
unsafe impl Send for Queue {}
// SAFETY: as above
unsafe impl Sync for Queue {}

impl Queue {
    pub(crate) fn new(client: &Client) -> Self {
        // SAFETY: the client is live
        Self(unsafe { rd_kafka_queue_new(client.native()) })
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: made once, destroyed once
        unsafe { rd_kafka_queue_destroy(self.0) };
    }
}

/// An event taken from a queue.
pub(crate) struct Event(pub(crate) *mut rd_kafka_event_t);

impl Event {
    /// The next event of `queue`, if one comes in time.
    pub(crate) fn wait(queue: &Queue, wait: Duration) -> Option<Self> {
        // SAFETY: the queue is live
        let event = unsafe { rd_kafka_queue_poll(queue.0, millis(wait)) };
        (!event.is_null()).then_some(Self(event))
    }

    pub(crate) fn error(&self) -> Code {
        // SAFETY: the event is live
        unsafe { rd_kafka_event_error(self.0) }
    }

    /// The event's error as ours.
    pub(crate) fn check(&self, operation: impl FnOnce() -> String) -> Result<()> {
        let code = self.error();
        if code == OK {
            return Ok(());
        }
        // SAFETY: the event is live
        let message = unsafe { text(rd_kafka_event_error_string(self.0)) };
        Err(KafkaError::new(kind_of(code), operation(), message))
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: taken once, destroyed once
        unsafe { rd_kafka_event_destroy(self.0) };
    }
}

/// A list of topic partitions with offsets.
pub(crate) struct PartitionList(pub(crate) *mut rd_kafka_topic_partition_list_t);

impl PartitionList {
    pub(crate) fn new(capacity: usize) -> Self {
        // SAFETY: a plain allocation
        Self(unsafe { rd_kafka_topic_partition_list_new(capacity as c_int) })
    }

    pub(crate) fn add(
        &mut self,
        topic: &str,
        partition: i32,
        offset: i64,
        metadata: &str,
    ) -> Result<()> {
        let topic = cstring(topic)?;
        // SAFETY: the list copies the name; the metadata is malloc'ed as the list frees it
        unsafe {
            let entry = rd_kafka_topic_partition_list_add(self.0, topic.as_ptr(), partition);
            (*entry).offset = offset;
            if !metadata.is_empty() {
                let copy = libc::malloc(metadata.len() + 1);
                if !copy.is_null() {
                    ptr::copy_nonoverlapping(
                        metadata.as_ptr().cast::<c_void>(),
                        copy,
                        metadata.len(),
                    );
                    *copy.cast::<u8>().add(metadata.len()) = 0;
                    (*entry).metadata = copy;
                    (*entry).metadata_size = metadata.len();
                }
            }
        }
        Ok(())
    }
}

impl Drop for PartitionList {
    fn drop(&mut self) {
        // SAFETY: made by `new`, destroyed once
        unsafe { rd_kafka_topic_partition_list_destroy(self.0) };
    }
}

/// The entries of a native list.
///
/// # Safety
/// `list` is null or lives as long as the slice is used.
pub(crate) unsafe fn entries<'a>(
    list: *const rd_kafka_topic_partition_list_t,
) -> &'a [rd_kafka_topic_partition_t] {
    // SAFETY: librdkafka keeps `cnt` entries at `elems`
    unsafe {
        if list.is_null() || (*list).elems.is_null() {
            return &[];
        }
        std::slice::from_raw_parts((*list).elems, usize::try_from((*list).cnt).unwrap_or(0))
    }
}

/// An array that librdkafka hands out with its length.
///
/// # Safety
/// `items` is null or points to `count` live elements.
pub(crate) unsafe fn array<'a, T>(items: *mut *const T, count: usize) -> &'a [*const T] {
    if items.is_null() {
        return &[];
    }
    // SAFETY: promised by the caller
    unsafe { std::slice::from_raw_parts(items, count) }
}

/// A topic of a client, by handle.
pub(crate) struct Topic(pub(crate) *mut rd_kafka_topic_t);

// SAFETY: topic handles are reference counted and lock themselves
unsafe impl Send for Topic {}
// SAFETY: as above
unsafe impl Sync for Topic {}

impl Topic {
    pub(crate) fn new(client: &Client, name: &str) -> Result<Self> {
        let native = cstring(name)?;
        // SAFETY: the client is live and copies the name
        let topic =
            unsafe { rd_kafka_topic_new(client.native(), native.as_ptr(), ptr::null_mut()) };
        if topic.is_null() {
            // SAFETY: reads the calling thread's last error
            return Err(failure(
                unsafe { rd_kafka_last_error() },
                format!("topic {name}"),
            ));
        }
        Ok(Self(topic))
    }

    /// Partitions of the topic.
    pub(crate) fn partitions(&self, client: &Client, wait: Duration) -> Result<u32> {
        // SAFETY: the metadata is read before it is destroyed
        unsafe {
            let name = || format!("metadata of topic {}", text(rd_kafka_topic_name(self.0)));
            let mut metadata: *const rd_kafka_metadata = ptr::null();
            let code = rd_kafka_metadata(client.native(), 0, self.0, &mut metadata, millis(wait));
            check(code, name)?;
            let found = ((*metadata).topic_cnt > 0).then(|| {
                let topic = &*(*metadata).topics;
                (topic.err, topic.partition_cnt)
            });
            rd_kafka_metadata_destroy(metadata);
            match found {
                Some((code, _)) if code != OK => Err(failure(code, name())),
                Some((_, count)) if count > 0 => Ok(count as u32),
                _ => Err(failure(
                    Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
                    name(),
                )),
            }
        }
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: made by `new`, destroyed once
        unsafe { rd_kafka_topic_destroy(self.0) };
    }
}

/// Under which membership offsets are committed: of a whole group without members, or of one
/// generation of one member, which the broker checks.
pub struct GroupMetadata {
    pub(crate) native: *mut rd_kafka_consumer_group_metadata_t,
}

// SAFETY: immutable after it was made
unsafe impl Send for GroupMetadata {}
// SAFETY: as above
unsafe impl Sync for GroupMetadata {}

impl GroupMetadata {
    /// A group that has no members: its offsets are committed by whoever holds the slot.
    pub fn simple(group: &str) -> Result<Self> {
        let name = cstring(group)?;
        // SAFETY: the name is copied
        Ok(Self {
            native: unsafe { rd_kafka_consumer_group_metadata_new(name.as_ptr()) },
        })
    }

    /// Id of the member; empty when there is none.
    pub(crate) fn member_id(&self) -> String {
        // SAFETY: the text belongs to the metadata and is copied
        unsafe { text(rd_kafka_consumer_group_metadata_member_id(self.native)) }
    }

    pub(crate) fn of_member(client: &Client) -> Option<Self> {
        // SAFETY: the client is live; the result is ours
        let native = unsafe { rd_kafka_consumer_group_metadata(client.native()) };
        (!native.is_null()).then_some(Self { native })
    }
}

impl Drop for GroupMetadata {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once
        unsafe { rd_kafka_consumer_group_metadata_destroy(self.native) };
    }
}
