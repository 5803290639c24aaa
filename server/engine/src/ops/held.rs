//! The record cache of an aggregate: which groups changed since the flush, and what they were.
//!
//! ```text
//!  update of a slot ─► first since the flush? ─► remember its old results
//!                  └─► last order, last headers
//!  flush ─► slots in the order of their last updates
//! ```
//!
//! Invariant: a slot is listed once between two flushes.

use arrow::array::{ArrayRef, UInt32Array};

use crate::EngineError;
use crate::batch::{Headers, concat_columns, take_columns};

/// See the module.
#[derive(Default)]
pub(crate) struct Held {
    /// Per slot: its position in `rows` plus one; 0 if it is not held.
    position: Vec<u32>,
    rows: Vec<HeldRow>,
    old: Vec<ArrayRef>,
    old_rows: u32,
    updates: u64,
}

/// A changed group.
pub(crate) struct HeldRow {
    pub(crate) slot: u32,
    order: u64,
    pub(crate) headers: Headers,
    /// Row of the old results; `None` if the group did not exist.
    pub(crate) old: Option<u32>,
}

/// Changed groups in the order of their last updates, and the results they had at the flush
/// before.
pub(crate) struct Changes {
    pub(crate) rows: Vec<HeldRow>,
    old: Vec<ArrayRef>,
}

impl Held {
    /// Notes an update of `slot`. If it is the first one since the flush, `existed` says whether
    /// the group existed before, and the slot's old results are row number
    /// [`remember`](Self::remember) will give them next; the result is then true.
    pub(crate) fn note(&mut self, slot: u32, headers: Headers, existed: bool) -> bool {
        self.updates += 1;
        let index = slot as usize;
        if self.position.len() <= index {
            self.position.resize(index + 1, 0);
        }
        match self.position[index] {
            0 => {
                let old = existed.then_some(self.old_rows);
                self.old_rows += u32::from(existed);
                self.rows.push(HeldRow {
                    slot,
                    order: self.updates,
                    headers,
                    old,
                });
                self.position[index] = self.rows.len() as u32;
                existed
            }
            position => {
                if let Some(row) = self.rows.get_mut(position as usize - 1) {
                    row.order = self.updates;
                    row.headers = headers;
                }
                false
            }
        }
    }

    /// Takes the old results of the slots for which [`note`](Self::note) was true, in order.
    pub(crate) fn remember(&mut self, results: Vec<ArrayRef>) -> Result<(), EngineError> {
        append(&mut self.old, results)
    }

    /// Number of changed groups.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Hands over what changed and holds nothing any more.
    pub(crate) fn take(&mut self) -> Changes {
        let mut rows = std::mem::take(&mut self.rows);
        for row in &rows {
            self.position[row.slot as usize] = 0;
        }
        rows.sort_unstable_by_key(|row| row.order);
        self.old_rows = 0;
        Changes {
            rows,
            old: std::mem::take(&mut self.old),
        }
    }
}

impl Changes {
    /// Old results of the changed groups, in their order; `None` if no group existed.
    pub(crate) fn old(&self) -> Result<Option<Vec<ArrayRef>>, EngineError> {
        if self.old.is_empty() {
            return Ok(None);
        }
        let indices: UInt32Array = self.rows.iter().map(|row| row.old).collect();
        take_columns(&self.old, &indices).map(Some)
    }
}

/// Appends columns to columns.
pub(crate) fn append(all: &mut Vec<ArrayRef>, next: Vec<ArrayRef>) -> Result<(), EngineError> {
    *all = if all.is_empty() {
        next
    } else {
        concat_columns(all, &next)?
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Held;

    #[test]
    fn slots_come_once_in_the_order_of_their_last_updates() {
        let mut held = Held::default();
        assert!(!held.note(3, None, false));
        assert!(held.note(1, None, true));
        assert!(held.note(0, None, true));
        assert!(!held.note(1, None, true));
        let changes = held.take();
        let rows: Vec<_> = changes.rows.iter().map(|row| (row.slot, row.old)).collect();
        assert_eq!(rows, [(3, None), (0, Some(1)), (1, Some(0))]);
        assert!(held.take().rows.is_empty());
        assert!(held.note(3, None, true));
    }
}
