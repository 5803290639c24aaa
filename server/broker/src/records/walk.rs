//! Walking the records inside a batch without decoding them into owned values.

use super::codec::{Codec, decompress};
use super::header::{BatchError, BatchHeader, HEADER_LEN};
use bytes::Bytes;

/// One record of a decompressed batch body; slices point into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordView<'a> {
    /// Absolute offset.
    pub(crate) offset: i64,
    /// Milliseconds since the epoch: the record's own, or the batch's append time.
    pub(crate) timestamp: i64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) has_value: bool,
    /// The encoded record, its length prefix included.
    pub(crate) raw: &'a [u8],
}

/// The decompressed records section of the whole batch `batch`.
pub(crate) fn body_of(header: &BatchHeader, batch: &Bytes) -> Result<Bytes, BatchError> {
    if batch.len() < header.size || header.size < HEADER_LEN {
        return Err(BatchError::Truncated);
    }
    let stored = batch.slice(HEADER_LEN..header.size);
    decompress(Codec::from_number(header.codec())?, &stored)
}

/// Iterates over the records of a decompressed body. Ends after the first error.
pub(crate) fn records<'a>(header: &BatchHeader, body: &'a [u8]) -> Records<'a> {
    Records {
        header: *header,
        rest: body,
        left: header.record_count,
    }
}

/// See [`records`].
pub(crate) struct Records<'a> {
    header: BatchHeader,
    rest: &'a [u8],
    left: i32,
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<RecordView<'a>, BatchError>;
    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let item = self.read();
        if item.is_err() {
            self.left = 0;
        }
        Some(item)
    }
}

impl<'a> Records<'a> {
    fn read(&mut self) -> Result<RecordView<'a>, BatchError> {
        let start = self.rest;
        let length = usize::try_from(varint(&mut self.rest)?)
            .map_err(|_| BatchError::Malformed("negative record length"))?;
        let (mut record, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(BatchError::Truncated)?;
        self.rest = rest;
        let raw = start
            .get(..start.len() - rest.len())
            .ok_or(BatchError::Truncated)?;
        let (_attributes, fields) = record.split_first().ok_or(BatchError::Truncated)?;
        record = fields;
        let timestamp_delta = varint(&mut record)?;
        let offset_delta = varint(&mut record)?;
        let key = sized(&mut record)?;
        let value = sized(&mut record)?;
        let header = &self.header;
        if !(0..=i64::from(header.last_offset_delta)).contains(&offset_delta) {
            return Err(BatchError::Malformed("record offset outside its batch"));
        }
        Ok(RecordView {
            offset: header.base_offset + offset_delta,
            timestamp: if header.is_log_append_time() {
                header.max_timestamp
            } else {
                header.base_timestamp.saturating_add(timestamp_delta)
            },
            key,
            has_value: value.is_some(),
            raw,
        })
    }
}

/// Checks an uncompressed body as a producer must send it: as many records as announced, with offsets 0, 1, 2 … and
/// nothing after them. Returns the smallest and the largest timestamp.
pub(crate) fn check_plain_records(
    header: &BatchHeader,
    body: &[u8],
    keys_required: bool,
) -> Result<(i64, i64), BatchError> {
    let mut walker = records(header, body);
    let (mut expected, mut low, mut high) = (header.base_offset, i64::MAX, i64::MIN);
    for record in walker.by_ref() {
        let record = record?;
        if record.offset != expected {
            return Err(BatchError::Malformed("record offsets are not consecutive"));
        }
        if keys_required && record.key.is_none() {
            return Err(BatchError::Malformed(
                "a compacted topic takes no record without a key",
            ));
        }
        expected += 1;
        low = low.min(record.timestamp);
        high = high.max(record.timestamp);
    }
    if !walker.rest.is_empty() {
        return Err(BatchError::Malformed("bytes after the last record"));
    }
    Ok((low, high))
}

/// A zigzag varint of up to ten bytes.
fn varint(bytes: &mut &[u8]) -> Result<i64, BatchError> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(BatchError::Truncated)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    Err(BatchError::Malformed("a varint is too long"))
}

/// A varint length and that many bytes; -1 is null.
fn sized<'a>(bytes: &mut &'a [u8]) -> Result<Option<&'a [u8]>, BatchError> {
    let length = varint(bytes)?;
    if length < 0 {
        return Ok(None);
    }
    let length = usize::try_from(length).map_err(|_| BatchError::Truncated)?;
    let (value, rest) = bytes
        .split_at_checked(length)
        .ok_or(BatchError::Truncated)?;
    *bytes = rest;
    Ok(Some(value))
}
