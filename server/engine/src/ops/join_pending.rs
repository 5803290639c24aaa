//! Rows of an outer stream-stream join that have no match so far (spec/semantics.md §7.4).
//!
//! ```text
//!  key: time, side (right first), join key, counter     value: row
//! ```
//!
//! Invariant: memory and store hold the same keys; a row that memory does not hold is read from
//! the store.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use weir_state::KvStore;
use weir_state::codec::key::{from_ordered_i64, ordered_i64, prefix_end};

use crate::EngineError;

/// See the module.
#[derive(Default)]
pub(crate) struct Pending {
    rows: BTreeMap<Box<[u8]>, Option<Box<[u8]>>>,
    bytes: usize,
}

/// A row whose window has closed.
pub(crate) struct Closed {
    pub(crate) ts: i64,
    pub(crate) side: usize,
    pub(crate) row: Vec<u8>,
}

impl Pending {
    /// What the store holds, without the rows.
    pub(crate) fn load(store: &dyn KvStore) -> Result<Self, EngineError> {
        let mut pending = Self::default();
        store.range(Bound::Unbounded, Bound::Unbounded, &mut |key, _| {
            pending.bytes += key.len() + ENTRY_BYTES;
            pending.rows.insert(key.into(), None);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(pending)
    }

    /// Adds a row of `side`; `counter` tells equal ones apart.
    pub(crate) fn add(
        &mut self,
        (key, side, ts): (&[u8], usize, i64),
        counter: u64,
        row: &[u8],
        store: &mut dyn KvStore,
    ) -> Result<(), EngineError> {
        let mut entry = prefix(key, side, ts);
        entry.extend_from_slice(&counter.to_be_bytes());
        store.put(&entry, Some(row), ts)?;
        self.bytes += entry.len() + row.len() + ENTRY_BYTES;
        self.rows.insert(entry.into(), Some(row.into()));
        Ok(())
    }

    /// Removes all rows of that time, side and key: they have a match.
    pub(crate) fn remove(
        &mut self,
        (key, side, ts): (&[u8], usize, i64),
        store: &mut dyn KvStore,
    ) -> Result<(), EngineError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let from = prefix(key, side, ts);
        let end = prefix_end(&from);
        let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let range = self.rows.range::<[u8], _>((Bound::Included(&from[..]), to));
        let entries: Vec<Box<[u8]>> = range.map(|(entry, _)| entry.clone()).collect();
        for entry in entries {
            self.take(&entry);
            store.put(&entry, None, ts)?;
        }
        Ok(())
    }

    /// Takes the rows for which `is_closed` (time, side) is true, in the order of the store, up to
    /// where both sides have one that is not. Gives the time of the last row looked at, too.
    pub(crate) fn close(
        &mut self,
        is_closed: &dyn Fn(i64, usize) -> bool,
        store: &mut dyn KvStore,
    ) -> Result<(Vec<Closed>, Option<i64>), EngineError> {
        let mut last = None;
        let mut open = [false; 2];
        let mut entries: Vec<(Box<[u8]>, i64, usize)> = Vec::new();
        for entry in self.rows.keys() {
            let Some((time, rest)) = entry.split_first_chunk::<8>() else {
                continue;
            };
            let ts = from_ordered_i64(*time);
            let side = 1 - usize::from(rest.first().copied().unwrap_or(0)).min(1);
            last = Some(ts);
            if is_closed(ts, side) {
                entries.push((entry.clone(), ts, side));
            } else {
                open[side] = true;
                if open == [true; 2] {
                    break;
                }
            }
        }
        let mut closed = Vec::with_capacity(entries.len());
        for (entry, ts, side) in entries {
            let row = match self.take(&entry) {
                Some(row) => Some(row.into_vec()),
                None => store.get(&entry)?,
            };
            store.put(&entry, None, ts)?;
            closed.extend(row.map(|row| Closed { ts, side, row }));
        }
        Ok((closed, last))
    }

    fn take(&mut self, entry: &[u8]) -> Option<Box<[u8]>> {
        let row = self.rows.remove(entry)?;
        self.bytes -= entry.len() + row.as_ref().map_or(0, |row| row.len()) + ENTRY_BYTES;
        row
    }

    /// Forgets the rows, not the keys.
    pub(crate) fn forget_rows(&mut self) {
        for row in self.rows.values_mut() {
            self.bytes -= row.take().map_or(0, |row| row.len());
        }
    }

    /// Bytes taken, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Bytes of an entry besides key and row.
const ENTRY_BYTES: usize = 64;

/// What the keys of that time, side and join key begin with: the right side comes first.
fn prefix(key: &[u8], side: usize, ts: i64) -> Vec<u8> {
    let mut prefix = Vec::with_capacity(key.len() + 24);
    prefix.extend_from_slice(&ordered_i64(ts));
    prefix.push(1 - side as u8);
    prefix.extend_from_slice(key);
    prefix
}
