//! Records on their way between Kafka and the engine: many at a time, in few allocations.
//!
//! ```text
//!  kafka ──RecordBatch──► task        fetched records: slices of shared arenas
//!  task ──EncodedBatch──► kafka       encoded columns: one buffer with offsets
//! ```

use std::ops::Range;
use std::sync::Arc;

/// Keeps the memory alive that a fetched batch points into (a client's message, an arena).
pub trait Arena: Send + Sync {
    /// The bytes.
    fn bytes(&self) -> &[u8];
}

impl Arena for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }
}

/// One fetched record: where its parts lie in the arena of its batch.
#[derive(Debug, Clone, Default)]
pub struct RecordMeta {
    /// Offset in its partition.
    pub offset: i64,
    /// Timestamp in milliseconds since the epoch.
    pub timestamp: i64,
    /// Key; `None` is a null key.
    pub key: Option<Range<u32>>,
    /// Value; `None` is a null value.
    pub value: Option<Range<u32>>,
    /// Headers: index range into [`FetchedBatch::headers`].
    pub headers: Range<u32>,
}

/// Records of one topic partition, in offset order.
#[derive(Clone)]
pub struct FetchedBatch {
    /// Holds keys, values and headers.
    pub arena: Arc<dyn Arena>,
    /// The records.
    pub records: Vec<RecordMeta>,
    /// Name and value of each header (a null value is `None`), as ranges of the arena.
    pub headers: Vec<(Range<u32>, Option<Range<u32>>)>,
}

impl FetchedBatch {
    /// The bytes of a range of the arena.
    pub fn slice(&self, range: &Range<u32>) -> &[u8] {
        &self.arena.bytes()[range.start as usize..range.end as usize]
    }

    /// Key bytes of record `i`.
    pub fn key(&self, i: usize) -> Option<&[u8]> {
        self.records[i].key.as_ref().map(|r| self.slice(r))
    }

    /// Value bytes of record `i`.
    pub fn value(&self, i: usize) -> Option<&[u8]> {
        self.records[i].value.as_ref().map(|r| self.slice(r))
    }
}

/// A column of byte strings: one buffer with offsets. Row `i` is null or
/// `data[offsets[i]..offsets[i + 1]]`.
#[derive(Debug, Clone)]
pub struct EncodedColumn {
    /// All bytes.
    pub data: Vec<u8>,
    /// `rows + 1` offsets into `data`.
    pub offsets: Vec<u32>,
    /// Whether the row is null (its range is then empty).
    pub nulls: Vec<bool>,
}

impl Default for EncodedColumn {
    fn default() -> Self {
        Self {
            data: Vec::new(),
            offsets: vec![0],
            nulls: Vec::new(),
        }
    }
}

impl EncodedColumn {
    /// Rows held.
    pub fn len(&self) -> usize {
        self.nulls.len()
    }

    /// Whether no row is held.
    pub fn is_empty(&self) -> bool {
        self.nulls.is_empty()
    }

    /// Removes all rows and keeps the memory.
    pub fn clear(&mut self) {
        self.data.clear();
        self.offsets.clear();
        self.offsets.push(0);
        self.nulls.clear();
    }

    /// Ends the row whose bytes were appended to `data` since the last row.
    pub fn end_row(&mut self) {
        self.offsets.push(self.data.len() as u32);
        self.nulls.push(false);
    }

    /// Appends a null row.
    pub fn push_null(&mut self) {
        self.offsets.push(self.data.len() as u32);
        self.nulls.push(true);
    }

    /// Appends a row of these bytes.
    pub fn push(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => {
                self.data.extend_from_slice(bytes);
                self.end_row();
            }
            None => self.push_null(),
        }
    }

    /// Row `i`.
    pub fn get(&self, i: usize) -> Option<&[u8]> {
        if self.nulls[i] {
            None
        } else {
            Some(&self.data[self.offsets[i] as usize..self.offsets[i + 1] as usize])
        }
    }
}

/// Headers of one record: name and value.
pub type RecordHeaders = Vec<(String, Option<Vec<u8>>)>;

/// Records for one topic, in the order in which they are to be written.
#[derive(Debug, Clone, Default)]
pub struct EncodedBatch {
    /// Keys.
    pub keys: EncodedColumn,
    /// Values.
    pub values: EncodedColumn,
    /// Timestamps, milliseconds since the epoch.
    pub timestamps: Vec<i64>,
    /// Headers of each record; empty if no record of the batch has any.
    pub headers: Vec<RecordHeaders>,
    /// Target partition of each record; empty: chosen by [`partition_keys`](Self::partition_keys).
    pub partitions: Vec<i32>,
    /// What the partition is computed from where `partitions` is empty: the key without its
    /// window. `None`: the key itself.
    pub partition_keys: Option<EncodedColumn>,
}
