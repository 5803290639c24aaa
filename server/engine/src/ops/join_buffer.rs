//! The last rows of one side of a stream-stream join, in memory.
//!
//! ```text
//!  bucket of time ─► join key ─hash─► rows by time, latest first ─► encoded row
//! ```
//!
//! Invariant: of buckets from [`JoinBuffer::complete_from`] on, no row is missing; rows of older
//! buckets are in the store alone.

use std::collections::BTreeMap;

use hashbrown::HashTable;

use crate::batch::Keys;

/// No row.
const NONE: u32 = u32::MAX;

struct Entry {
    ts: i64,
    at: usize,
    len: u32,
    /// The row of the same key before it in time.
    next: u32,
}

/// Rows of one bucket.
#[derive(Default)]
struct Bucket {
    index: HashTable<u32>,
    keys: Keys,
    /// Latest row of each key.
    heads: Vec<u32>,
    entries: Vec<Entry>,
    data: Vec<u8>,
}

/// See the module.
pub(crate) struct JoinBuffer {
    buckets: BTreeMap<i64, Bucket>,
    hasher: ahash::RandomState,
    /// See the module.
    pub(crate) complete_from: i64,
    bytes: usize,
}

impl JoinBuffer {
    /// Empty; what is stored is in buckets before `complete_from`.
    pub(crate) fn new(complete_from: i64) -> Self {
        Self {
            buckets: BTreeMap::new(),
            hasher: ahash::RandomState::with_seeds(1, 2, 3, 4),
            complete_from,
            bytes: 0,
        }
    }

    /// Adds a row, which comes after those of the same time.
    pub(crate) fn push(&mut self, bucket: i64, key: &[u8], ts: i64, row: &[u8]) {
        if bucket < self.complete_from {
            return;
        }
        let hash = self.hasher.hash_one(key);
        let rows = self.buckets.entry(bucket).or_default();
        let keys = &rows.keys;
        let found = rows.index.find(hash, |i| keys.get(*i as usize) == key);
        let key_index = match found {
            Some(index) => *index as usize,
            None => {
                let index = rows.heads.len();
                rows.keys.push_bytes(key);
                rows.heads.push(NONE);
                let (keys, hasher) = (&rows.keys, &self.hasher);
                rows.index.insert_unique(hash, index as u32, |i| {
                    hasher.hash_one(keys.get(*i as usize))
                });
                self.bytes += key.len() + KEY_BYTES;
                index
            }
        };
        // The first row that is not later than this one.
        let (mut before, mut next) = (NONE, rows.heads[key_index]);
        while let Some(entry) = rows.entries.get(next as usize).filter(|e| e.ts > ts) {
            (before, next) = (next, entry.next);
        }
        let place = rows.entries.len() as u32;
        rows.entries.push(Entry {
            ts,
            at: rows.data.len(),
            len: row.len() as u32,
            next,
        });
        rows.data.extend_from_slice(row);
        match rows.entries.get_mut(before as usize) {
            Some(entry) => entry.next = place,
            None => rows.heads[key_index] = place,
        }
        self.bytes += row.len() + size_of::<Entry>();
    }

    /// Visits the rows of a key in a bucket with times in `low..=high`, in ascending time, equal
    /// times in the order in which they came.
    pub(crate) fn visit<E>(
        &self,
        bucket: i64,
        key: &[u8],
        (low, high): (i64, i64),
        visit: &mut dyn FnMut(i64, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(rows) = self.buckets.get(&bucket) else {
            return Ok(());
        };
        let hash = self.hasher.hash_one(key);
        let found = rows.index.find(hash, |i| rows.keys.get(*i as usize) == key);
        let Some(index) = found else {
            return Ok(());
        };
        let mut matching = Vec::new();
        let mut next = rows.heads[*index as usize];
        while let Some(entry) = rows.entries.get(next as usize).filter(|e| e.ts >= low) {
            if entry.ts <= high {
                matching.push(entry);
            }
            next = entry.next;
        }
        for entry in matching.into_iter().rev() {
            visit(
                entry.ts,
                &rows.data[entry.at..entry.at + entry.len as usize],
            )?;
        }
        Ok(())
    }

    /// Forgets buckets before this one, which have expired.
    pub(crate) fn expire(&mut self, bucket: i64) {
        let kept = self.buckets.split_off(&bucket);
        for rows in std::mem::replace(&mut self.buckets, kept).values() {
            self.bytes -= rows.bytes();
        }
    }

    /// Forgets the oldest bucket, which the store has.
    pub(crate) fn forget_oldest(&mut self) {
        if let Some((bucket, rows)) = self.buckets.pop_first() {
            self.bytes -= rows.bytes();
            self.complete_from = self.complete_from.max(bucket.saturating_add(1));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// Bytes taken, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Bytes of a key besides its own: where it ends, index, latest row.
const KEY_BYTES: usize = 18;

impl Bucket {
    fn bytes(&self) -> usize {
        self.keys.data_len()
            + self.heads.len() * KEY_BYTES
            + self.data.len()
            + self.entries.len() * size_of::<Entry>()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::JoinBuffer;

    fn rows(buffer: &JoinBuffer, key: &[u8], times: (i64, i64)) -> Vec<(i64, Vec<u8>)> {
        let mut found = Vec::new();
        buffer
            .visit::<()>(0, key, times, &mut |ts, row| {
                found.push((ts, row.to_vec()));
                Ok(())
            })
            .unwrap();
        found
    }

    #[test]
    fn rows_come_by_time_and_then_as_they_came() {
        let mut buffer = JoinBuffer::new(0);
        for (key, ts, row) in [("a", 5, "1"), ("b", 5, "2"), ("a", 3, "3"), ("a", 5, "4")] {
            buffer.push(0, key.as_bytes(), ts, row.as_bytes());
        }
        let all: Vec<_> = rows(&buffer, b"a", (0, 9));
        assert_eq!(
            all,
            [(3, b"3".to_vec()), (5, b"1".to_vec()), (5, b"4".to_vec())]
        );
        assert_eq!(rows(&buffer, b"a", (0, 4)), [(3, b"3".to_vec())]);
        assert_eq!(rows(&buffer, b"a", (4, 4)), []);
        assert_eq!(rows(&buffer, b"c", (0, 9)), []);
    }

    #[test]
    fn forgetting_gives_all_bytes_back_and_takes_nothing_older() {
        let mut buffer = JoinBuffer::new(0);
        buffer.push(0, b"a", 1, b"row");
        buffer.push(1, b"a", 2, b"row");
        buffer.push(2, b"a", 3, b"row");
        buffer.expire(1);
        buffer.forget_oldest();
        assert_eq!(buffer.complete_from, 2);
        buffer.push(1, b"a", 2, b"row");
        buffer.forget_oldest();
        assert!(buffer.is_empty());
        assert_eq!(buffer.bytes(), 0);
    }
}
