//! What a producer's batch must be like before a log looks at it. No lock is held here.

use super::log::AppendError;
use crate::config::TopicSettings;
use crate::records::{BatchError, BatchHeader, HEADER_LEN, body_of, check_plain_records};
use bytes::Bytes;

/// A checked batch: header and the stored form of its records.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    pub(crate) header: BatchHeader,
    pub(crate) records: Bytes,
}

/// Checks the records of one partition of a Produce request, which must be exactly one batch.
/// `now` is the broker's clock in ms. Compressed batches are opened too, as Kafka does: what lies inside would stop every
/// consumer.
pub(crate) fn validate(
    bytes: &Bytes,
    settings: &TopicSettings,
    now: i64,
) -> Result<Incoming, AppendError> {
    let header = BatchHeader::parse_whole(bytes)?;
    if header.size != bytes.len() {
        return Err(AppendError::Invalid(
            "more than one record batch for a partition",
        ));
    }
    if header.size > settings.max_message_bytes {
        return Err(AppendError::TooLarge {
            size: header.size,
            limit: settings.max_message_bytes,
        });
    }
    if header.is_control() {
        return Err(AppendError::Invalid(
            "clients may not write control batches",
        ));
    }
    if header.record_count < 1 || header.last_offset_delta != header.record_count - 1 {
        return Err(AppendError::Invalid(
            "the record count does not fit the offsets",
        ));
    }
    if header.has_producer() && (header.producer_epoch < 0 || header.base_sequence < 0) {
        return Err(AppendError::Invalid(
            "a producer id without epoch or sequence",
        ));
    }
    if header.is_transactional() && !header.has_producer() {
        return Err(AppendError::Invalid(
            "a transactional batch without producer id",
        ));
    }
    let body = body_of(&header, bytes)?;
    let (low, _) = check_plain_records(&header, &body, settings.compact).map_err(invalid)?;
    if !settings.log_append_time {
        check_time(low, header.max_timestamp, settings, now)?;
    }
    Ok(Incoming {
        header,
        records: bytes.slice(HEADER_LEN..),
    })
}

/// What is wrong inside a batch whose checksum is right was so when it was sent: the producer must not retry it.
fn invalid(error: BatchError) -> AppendError {
    match error {
        BatchError::Malformed(reason) => AppendError::Invalid(reason),
        other => AppendError::Batch(other),
    }
}

/// KIP-937: bounds on how far a record's time may be from the broker's clock.
fn check_time(low: i64, high: i64, settings: &TopicSettings, now: i64) -> Result<(), AppendError> {
    if high.saturating_sub(now) > settings.timestamp_after_max_ms {
        return Err(AppendError::InvalidTimestamp {
            timestamp: high,
            limit: "message.timestamp.after.max.ms",
        });
    }
    if low >= 0 && now.saturating_sub(low) > settings.timestamp_before_max_ms {
        return Err(AppendError::InvalidTimestamp {
            timestamp: low,
            limit: "message.timestamp.before.max.ms",
        });
    }
    Ok(())
}
