//! Messages of a consumer many at a time, as librdkafka's own interface gives them: the safe one
//! takes them one by one, which a ceiling must not pay for.

use std::ffi::c_void;
use std::time::Duration;

use rdkafka::bindings::*;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

/// Messages taken in one call.
const SIZE: usize = 10_000;

/// A message; its bytes are librdkafka's.
pub(crate) struct Message<'a> {
    /// Key.
    pub(crate) key: Option<&'a [u8]>,
    /// Value.
    pub(crate) payload: Option<&'a [u8]>,
    /// Partition.
    pub(crate) partition: i32,
    /// Offset.
    pub(crate) offset: i64,
    /// Milliseconds since the epoch.
    pub(crate) timestamp: i64,
}

/// The queue of a consumer.
pub(crate) struct Batches<'a> {
    /// Lives no longer than the consumer.
    queue: *mut rd_kafka_queue_t,
    /// The first `count` are ours until they are given back.
    messages: Vec<*mut rd_kafka_message_t>,
    count: usize,
    _consumer: &'a BaseConsumer,
}

impl<'a> Batches<'a> {
    /// The queue of a consumer that has an assignment.
    pub(crate) fn of(consumer: &'a BaseConsumer) -> Self {
        // SAFETY: the client is live
        let queue = unsafe { rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
        Self {
            queue,
            messages: vec![std::ptr::null_mut(); SIZE],
            count: 0,
            _consumer: consumer,
        }
    }

    fn give_back(&mut self) {
        for message in self.messages.iter().take(self.count) {
            // SAFETY: ours, and given back once
            unsafe { rd_kafka_message_destroy(*message) };
        }
        self.count = 0;
    }

    /// What is there, waiting for the first up to `wait`; those of the call before are given back.
    pub(crate) fn next(
        &mut self,
        wait: Duration,
    ) -> impl Iterator<Item = Result<Message<'_>, KafkaError>> {
        self.give_back();
        let wait = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the vector has room for so many pointers
        let count = unsafe {
            rd_kafka_consume_batch_queue(
                self.queue,
                wait,
                self.messages.as_mut_ptr(),
                self.messages.len(),
            )
        };
        self.count = usize::try_from(count).unwrap_or(0);
        // SAFETY: live until they are given back, for which `self` must be free again
        let of = |message: &*mut rd_kafka_message_t| unsafe { message_of(&**message) };
        self.messages.iter().take(self.count).map(of)
    }
}

impl Drop for Batches<'_> {
    fn drop(&mut self) {
        self.give_back();
        // SAFETY: the reference that `of` got, given back once
        unsafe { rd_kafka_queue_destroy(self.queue) };
    }
}

/// # Safety
/// The message and what it points to are live.
unsafe fn message_of(message: &rd_kafka_message_t) -> Result<Message<'_>, KafkaError> {
    if message.err != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::from(
            message.err,
        )));
    }
    let mut kind = rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    // SAFETY: promised by the caller
    unsafe {
        Ok(Message {
            key: bytes(message.key, message.key_len),
            payload: bytes(message.payload, message.len),
            partition: message.partition,
            offset: message.offset,
            timestamp: rd_kafka_message_timestamp(message, &mut kind),
        })
    }
}

/// # Safety
/// `at` is null or points to `len` live bytes.
unsafe fn bytes<'a>(at: *const c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: promised by the caller
    (!at.is_null()).then(|| unsafe { std::slice::from_raw_parts(at.cast(), len) })
}
