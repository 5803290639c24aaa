//! The 61-byte header of a record batch.

use bytes::Buf;

/// Length of a batch header in bytes; the records follow it.
pub(crate) const HEADER_LEN: usize = 61;
/// Bytes before those that `batch_length` counts: base offset and the length itself.
const PREFIX_LEN: usize = 12;
/// The checksum covers everything from the attributes on.
const CRC_START: usize = 21;

const ATTR_CODEC: i16 = 0x07;
const ATTR_LOG_APPEND_TIME: i16 = 0x08;
const ATTR_TRANSACTIONAL: i16 = 0x10;
const ATTR_CONTROL: i16 = 0x20;

/// Why bytes are not a usable record batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BatchError {
    /// Fewer bytes than the header or its length field announce.
    #[error("the record batch is cut short")]
    Truncated,
    /// A length, count or delta that cannot be.
    #[error("the record batch is malformed: {0}")]
    Malformed(&'static str),
    /// The stored checksum does not fit the bytes.
    #[error("the record batch fails its CRC-32C checksum")]
    Checksum,
    /// Message format v0 or v1.
    #[error("message format v{0} is not supported; producers must send format v2")]
    Magic(i8),
    /// Decompression failed or would exceed the limit.
    #[error("the record batch cannot be decompressed: {0}")]
    Compression(&'static str),
}

/// A parsed batch header. `size` counts the whole batch, header included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    pub(crate) base_offset: i64,
    pub(crate) size: usize,
    pub(crate) crc: u32,
    pub(crate) attributes: i16,
    pub(crate) last_offset_delta: i32,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
    pub(crate) record_count: i32,
}

impl BatchHeader {
    /// Parses the header at the start of `bytes`, which may go on with the records or end anywhere after the header.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        let mut b = bytes.get(..HEADER_LEN).ok_or(BatchError::Truncated)?;
        let base_offset = b.get_i64();
        let length = b.get_i32();
        let _leader_epoch = b.get_i32();
        let magic = b.get_i8();
        if magic != 2 {
            return Err(BatchError::Magic(magic));
        }
        let size = usize::try_from(length)
            .map_err(|_| BatchError::Malformed("negative length"))?
            .saturating_add(PREFIX_LEN);
        if size < HEADER_LEN {
            return Err(BatchError::Malformed("length below that of a header"));
        }
        let header = Self {
            base_offset,
            size,
            crc: b.get_u32(),
            attributes: b.get_i16(),
            last_offset_delta: b.get_i32(),
            base_timestamp: b.get_i64(),
            max_timestamp: b.get_i64(),
            producer_id: b.get_i64(),
            producer_epoch: b.get_i16(),
            base_sequence: b.get_i32(),
            record_count: b.get_i32(),
        };
        if header.last_offset_delta < 0 || header.record_count < 0 {
            return Err(BatchError::Malformed("negative record count"));
        }
        if base_offset < 0
            || base_offset
                .checked_add(i64::from(header.last_offset_delta))
                .is_none()
        {
            return Err(BatchError::Malformed("offset out of range"));
        }
        Ok(header)
    }

    /// Parses and checks one whole batch at the start of `bytes`: length and checksum. Returns the header.
    pub(crate) fn parse_whole(bytes: &[u8]) -> Result<Self, BatchError> {
        let header = Self::parse(bytes)?;
        let whole = bytes.get(..header.size).ok_or(BatchError::Truncated)?;
        match whole.get(CRC_START..) {
            Some(covered) if crc32c::crc32c(covered) == header.crc => Ok(header),
            _ => Err(BatchError::Checksum),
        }
    }

    /// Offset of the batch's last record.
    pub(crate) fn last_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_offset_delta)
    }
    /// Offset after the batch.
    pub(crate) fn next_offset(&self) -> i64 {
        self.last_offset() + 1
    }
    /// Sequence number of the last record; sequences wrap after `i32::MAX`.
    pub(crate) fn last_sequence(&self) -> i32 {
        add_sequence(self.base_sequence, self.last_offset_delta)
    }
    /// Whether the batch belongs to a transaction.
    pub(crate) fn is_transactional(&self) -> bool {
        self.attributes & ATTR_TRANSACTIONAL != 0
    }
    /// Whether the batch is a transaction marker.
    pub(crate) fn is_control(&self) -> bool {
        self.attributes & ATTR_CONTROL != 0
    }
    /// Whether all records carry the broker's time (`max_timestamp`) instead of their own.
    pub(crate) fn is_log_append_time(&self) -> bool {
        self.attributes & ATTR_LOG_APPEND_TIME != 0
    }
    /// Whether an idempotent or transactional producer wrote the batch.
    pub(crate) fn has_producer(&self) -> bool {
        self.producer_id >= 0
    }
    /// Number of the compression codec, 0 for none.
    pub(crate) fn codec(&self) -> i16 {
        self.attributes & ATTR_CODEC
    }
    /// Sets the broker's time on all records.
    pub(crate) fn set_log_append_time(&mut self, now: i64) {
        self.attributes |= ATTR_LOG_APPEND_TIME;
        self.max_timestamp = now;
    }
    pub(crate) fn set_codec(&mut self, codec: i16) {
        self.attributes = (self.attributes & !ATTR_CODEC) | (codec & ATTR_CODEC);
    }
    pub(crate) fn mark_control(&mut self) {
        self.attributes |= ATTR_TRANSACTIONAL | ATTR_CONTROL;
    }

    /// The header as bytes, with leader epoch 0. The checksum is `self.crc`: call [`Self::seal`] first if a covered field changed.
    pub(crate) fn to_bytes(self) -> [u8; HEADER_LEN] {
        let mut out = [0u8; HEADER_LEN];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            if let Some(slot) = out.get_mut(at..at + bytes.len()) {
                slot.copy_from_slice(bytes);
            }
            at += bytes.len();
        };
        put(&self.base_offset.to_be_bytes());
        put(&((self.size - PREFIX_LEN) as i32).to_be_bytes());
        put(&0i32.to_be_bytes());
        put(&[2]);
        put(&self.crc.to_be_bytes());
        put(&self.attributes.to_be_bytes());
        put(&self.last_offset_delta.to_be_bytes());
        put(&self.base_timestamp.to_be_bytes());
        put(&self.max_timestamp.to_be_bytes());
        put(&self.producer_id.to_be_bytes());
        put(&self.producer_epoch.to_be_bytes());
        put(&self.base_sequence.to_be_bytes());
        put(&self.record_count.to_be_bytes());
        out
    }

    /// Recomputes the checksum over this header and the records that follow it.
    pub(crate) fn seal(&mut self, records: &[u8]) {
        let head = self.to_bytes();
        let covered = head.get(CRC_START..).unwrap_or_default();
        self.crc = crc32c::crc32c_append(crc32c::crc32c(covered), records);
    }
}

/// `sequence + delta` in the ring of sequence numbers 0..=`i32::MAX`.
pub(crate) fn add_sequence(sequence: i32, delta: i32) -> i32 {
    ((i64::from(sequence) + i64::from(delta)) & i64::from(i32::MAX)) as i32
}
