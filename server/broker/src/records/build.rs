//! Batches that the broker itself writes: transaction markers, and what compaction leaves of a batch.

use super::codec::Codec;
use super::header::{BatchHeader, HEADER_LEN};
use super::walk::{body_of, records};
use bytes::{BufMut, Bytes, BytesMut};

/// A marker that ends `producer_id`'s transaction: commit or abort. Its base offset is set when it is appended.
pub(crate) fn control_marker(producer_id: i64, epoch: i16, commit: bool, now: i64) -> Bytes {
    // Record: length 16, attributes, timestamp delta, offset delta, key of 4 bytes (version, type),
    // value of 6 bytes (version, coordinator epoch), no headers; lengths are zigzag varints.
    let mut body = BytesMut::with_capacity(17);
    body.put_slice(&[32, 0, 0, 0, 8, 0, 0, 0, u8::from(commit), 12]);
    body.put_slice(&[0, 0, 0, 0, 0, 0, 0]);
    let mut header = BatchHeader {
        base_offset: 0,
        size: HEADER_LEN + body.len(),
        crc: 0,
        attributes: 0,
        last_offset_delta: 0,
        base_timestamp: now,
        max_timestamp: now,
        producer_id,
        producer_epoch: epoch,
        base_sequence: -1,
        record_count: 1,
    };
    header.mark_control();
    assemble(header, &body)
}

/// Whether the control batch `batch` is a commit marker.
pub(crate) fn is_commit_marker(header: &BatchHeader, batch: &Bytes) -> bool {
    let Ok(body) = body_of(header, batch) else {
        return false;
    };
    matches!(records(header, &body).next(), Some(Ok(record)) if record.key.is_some_and(|key| key.get(2..4) == Some(&[0, 1])))
}

/// The same batch holding only `kept`, the raw bytes of `count` of its records, compressed as before.
/// Offsets, times and the producer's fields do not change, so readers see gaps and nothing else.
pub(crate) fn rebuild(header: &BatchHeader, kept: &[u8], count: i32) -> Bytes {
    let mut header = *header;
    let compressed = Codec::from_number(header.codec())
        .ok()
        .and_then(|codec| codec.compress(kept));
    if compressed.is_none() {
        header.set_codec(0);
    }
    header.record_count = count;
    assemble(header, compressed.as_deref().unwrap_or(kept))
}

fn assemble(mut header: BatchHeader, body: &[u8]) -> Bytes {
    header.size = HEADER_LEN + body.len();
    header.seal(body);
    let mut out = BytesMut::with_capacity(header.size);
    out.put_slice(&header.to_bytes());
    out.put_slice(body);
    out.freeze()
}
