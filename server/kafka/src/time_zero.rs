//! Records of the very beginning of the epoch: librdkafka takes a timestamp of 0 for "now", and
//! none of its calls writes a 0.
//!
//! ```text
//!   produceva { timestamp 1, opaque MARK } ─► message ─► on_send: timestamp 0 ─► queue
//! ```
//!
//! The timestamp of a queued message is not part of the public message, but stands at a place
//! behind it that follows from `rdkafka_msg.h`. It is written only where the public getter reads
//! the same place; with a librdkafka that has it elsewhere such a record stays at 1 ms.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use rdkafka::bindings::*;

use crate::raw::OK;

/// What the messages to be changed carry as their opaque. Its address is the mark.
static MARK: u8 = 0;

/// The opaque of a record with this timestamp, and the timestamp to send it with.
pub(crate) fn opaque_and_timestamp(timestamp: i64) -> (*mut c_void, i64) {
    if timestamp > 0 {
        (ptr::null_mut(), timestamp)
    } else {
        (ptr::from_ref(&MARK).cast_mut().cast(), STAND_IN)
    }
}

/// The timestamp that stands for 0 on the way in.
const STAND_IN: i64 = 1;

/// The head of librdkafka's `rd_kafka_msg_t`.
#[repr(C)]
struct Message {
    public: rd_kafka_message_t,
    link: [*mut c_void; 2],
    flags: c_int,
    timestamp_type: rd_kafka_timestamp_type_t,
    timestamp: i64,
}

/// Has a producer made with this configuration know the mark.
///
/// # Safety
/// The configuration is live.
pub(crate) unsafe fn prepare(conf: *mut rd_kafka_conf_t) {
    // SAFETY: promised by the caller; the name is copied
    unsafe {
        rd_kafka_conf_interceptor_add_on_new(conf, NAME.as_ptr(), Some(on_new), ptr::null_mut());
    }
}

const NAME: &std::ffi::CStr = c"time-zero";

unsafe extern "C" fn on_new(
    rk: *mut rd_kafka_t,
    _: *const rd_kafka_conf_t,
    _: *mut c_void,
    _: *mut c_char,
    _: usize,
) -> rd_kafka_resp_err_t {
    // SAFETY: librdkafka passes a live client; the name is copied
    unsafe { rd_kafka_interceptor_add_on_send(rk, NAME.as_ptr(), Some(on_send), ptr::null_mut()) }
}

unsafe extern "C" fn on_send(
    _: *mut rd_kafka_t,
    message: *mut rd_kafka_message_t,
    _: *mut c_void,
) -> rd_kafka_resp_err_t {
    // SAFETY: the message is live and the head of a `rd_kafka_msg_t`, which is longer than what is
    // looked at here in every version
    unsafe {
        if !ptr::eq((*message)._private.cast(), &MARK) {
            return OK;
        }
        let read = || rd_kafka_message_timestamp(message, ptr::null_mut());
        let place = &raw mut (*message.cast::<Message>()).timestamp;
        if read() == STAND_IN && *place == STAND_IN {
            *place = 0;
            if read() != 0 {
                *place = STAND_IN;
            }
        }
    }
    OK
}
