//! Table-table join on the keys of both (spec/semantics.md §8.2).
//!
//! ```text
//!  change of one side at seq s ─► row of the other side as of s ─► joined row, tombstone, nothing
//! ```
//!
//! Each side reads the other through [`super::lookup`], so no row is stored twice.

use arrow::array::{Array, ArrayRef, new_null_array};
use arrow::compute::interleave;
use weir_planner::stream::JoinType;

use super::lookup::{Found, Lookup, Overlay, ResolvedRows, joins};
use super::{Context, Operator};
use crate::EngineError;
use crate::batch::{Batch, Keys, OldRows, project, take_columns};

/// See the module.
pub(crate) struct TableTableJoin {
    pub(crate) left_key: usize,
    pub(crate) right_key: usize,
    pub(crate) join_type: JoinType,
    /// Whether the result begins with the join key.
    pub(crate) synthetic_key: bool,
    pub(crate) left: Lookup,
    pub(crate) right: Lookup,
    pub(crate) want_old: bool,
    /// Types of the columns of both sides.
    pub(crate) types: [Vec<arrow::datatypes::DataType>; 2],
}

/// What a change of one side gives, for each of its rows that gives anything.
struct Joined {
    batch: Batch,
}

/// Says whether a row comes out of a change and whether it is a tombstone.
///
/// `own_new`, `own_old`: whether the changed side has a row now, had one before; `other`: whether
/// the other side has one; `left`: whether the changed side is the left one.
fn outcome(
    join_type: JoinType,
    left: bool,
    own_new: bool,
    own_old: bool,
    other: bool,
) -> Option<bool> {
    let now = if left {
        joins(join_type, own_new, other)
    } else {
        joins(join_type, other, own_new)
    };
    if now {
        return Some(false);
    }
    // No row now. A tombstone goes out where the join could have had a row before: always if
    // the other side is there (an inner join never looks whether its own side was set), else only
    // if the own side alone made one.
    let tombstone = if other {
        !own_new
    } else {
        let alone = if left {
            joins(join_type, true, false)
        } else {
            joins(join_type, false, true)
        };
        alone && own_old
    };
    tombstone.then_some(true)
}

impl TableTableJoin {
    /// The rows that the changes of one side give.
    fn side(
        &self,
        changes: &Batch,
        others: &Batch,
        left: bool,
        ctx: &mut Context<'_>,
    ) -> Result<Joined, EngineError> {
        if changes.is_empty() {
            return Ok(Joined {
                batch: Batch::default(),
            });
        }
        let (own_key, other_key, lookup) = if left {
            (self.left_key, self.right_key, &self.right)
        } else {
            (self.right_key, self.left_key, &self.left)
        };
        let keys = Keys::of(&project(&changes.columns, &[own_key]), changes.len())?;
        let wanted: Vec<(&[u8], u64)> = (0..changes.len())
            .map(|row| (keys.get(row), changes.seq[row]))
            .collect();
        let overlay = Overlay::new(others, &[other_key])?;
        let ResolvedRows { found, fetched } = overlay.resolve(&wanted, lookup, ctx)?;

        let had = |row: usize| changes.old.as_ref().is_some_and(|old| old.present[row]);
        let mut rows: Vec<u32> = Vec::new();
        let mut absent = Vec::new();
        for (row, found) in found.iter().enumerate() {
            let other = *found != Found::Nothing;
            let own = !changes.is_absent(row);
            if let Some(tombstone) = outcome(self.join_type, left, own, had(row), other) {
                rows.push(row as u32);
                absent.push(tombstone);
            }
        }
        let picked: Vec<Found> = rows.iter().map(|row| found[*row as usize]).collect();
        let own = changes.take(&rows)?;
        let other_columns = overlay.columns(&picked, &fetched)?;
        let key = own
            .columns
            .get(own_key)
            .cloned()
            .ok_or_else(|| EngineError::Plan("a join has no key column".into()))?;
        let ts = own
            .ts
            .iter()
            .zip(&picked)
            .map(|(ts, found)| overlay.ts(*found, &fetched).max(*ts))
            .collect();
        let old = match (&own.old, self.want_old) {
            (Some(old), true) => {
                let present = picked
                    .iter()
                    .zip(&old.present)
                    .map(|(found, own)| {
                        let other = *found != Found::Nothing;
                        if left {
                            joins(self.join_type, *own, other)
                        } else {
                            joins(self.join_type, other, *own)
                        }
                    })
                    .collect();
                let blank = |columns: &[ArrayRef]| -> Result<Vec<ArrayRef>, EngineError> {
                    let indices = old
                        .present
                        .iter()
                        .enumerate()
                        .map(|(row, present)| present.then_some(row as u32))
                        .collect();
                    take_columns(columns, &indices)
                };
                let ts = picked
                    .iter()
                    .zip(&old.ts)
                    .map(|(found, ts)| overlay.ts(*found, &fetched).max(*ts))
                    .collect();
                let columns = self.columns(&key, blank(&old.columns)?, other_columns.clone(), left);
                Some(OldRows {
                    columns,
                    present,
                    ts,
                })
            }
            _ => None,
        };
        // The value columns of a deleted side are null already; its key columns stay for the
        // tombstone, but a joined row must not show them.
        let own_columns = if absent
            .iter()
            .zip(&rows)
            .all(|(absent, row)| *absent || !changes.is_absent(*row as usize))
        {
            own.columns.clone()
        } else {
            let indices = rows
                .iter()
                .enumerate()
                .map(|(index, row)| {
                    let hidden = changes.is_absent(*row as usize) && !absent[index];
                    (!hidden).then_some(index as u32)
                })
                .collect();
            take_columns(&own.columns, &indices)?
        };
        let columns = self.columns(&key, own_columns, other_columns, left);
        Ok(Joined {
            batch: Batch {
                columns,
                seq: own.seq,
                ts,
                absent: absent.contains(&true).then_some(absent),
                null_key: None,
                headers: own.headers,
                old,
            },
        })
    }

    fn columns(
        &self,
        key: &ArrayRef,
        own: Vec<ArrayRef>,
        other: Vec<ArrayRef>,
        left: bool,
    ) -> Vec<ArrayRef> {
        let mut columns = Vec::with_capacity(own.len() + other.len() + 1);
        if self.synthetic_key {
            columns.push(ArrayRef::clone(key));
        }
        let (first, second) = if left { (own, other) } else { (other, own) };
        columns.extend(first);
        columns.extend(second);
        columns
    }
}

impl Operator for TableTableJoin {
    fn process(&mut self, inputs: Vec<Batch>, ctx: &mut Context<'_>) -> Result<Batch, EngineError> {
        let mut inputs = inputs.into_iter();
        let mut left = inputs.next().unwrap_or_default();
        let mut right = inputs.next().unwrap_or_default();
        for (batch, types) in [&mut left, &mut right].into_iter().zip(&self.types) {
            if batch.is_empty() {
                batch.columns = types.iter().map(|t| new_null_array(t, 0)).collect();
            }
        }
        let from_left = self.side(&left, &right, true, ctx)?.batch;
        let from_right = self.side(&right, &left, false, ctx)?.batch;
        merge(from_left, from_right)
    }
}

/// Both batches in the order of `seq`.
pub(crate) fn merge(first: Batch, second: Batch) -> Result<Batch, EngineError> {
    if first.is_empty() {
        return Ok(second);
    }
    if second.is_empty() {
        return Ok(first);
    }
    let split = first.len();
    let all = first.append(second)?;
    if all.seq[split - 1] <= all.seq[split] {
        return Ok(all);
    }
    let mut order: Vec<u32> = (0..all.len() as u32).collect();
    order.sort_by_key(|row| all.seq[*row as usize]);
    all.take(&order)
}

/// Picks rows of several sources of equal columns: source and row of each.
pub(crate) fn pick(
    sources: &[&[ArrayRef]],
    types: &[arrow::datatypes::DataType],
    picks: &[(usize, usize)],
) -> Result<Vec<ArrayRef>, EngineError> {
    types
        .iter()
        .enumerate()
        .map(|(index, data_type)| {
            let null = new_null_array(data_type, 1);
            let arrays: Vec<&dyn Array> = sources
                .iter()
                .map(|source| {
                    source
                        .get(index)
                        .map_or(null.as_ref(), |column| column.as_ref())
                })
                .collect();
            Ok(interleave(&arrays, picks)?)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::outcome;
    use weir_planner::stream::JoinType::{Full, Inner, Left, Right};

    /// The matrix of spec/semantics.md §8.2: trigger, other side, INNER, LEFT, FULL.
    #[test]
    fn outcomes() {
        let (row, tombstone, nothing) = (Some(false), Some(true), None);
        for (left, own_new, own_old, other, inner, left_join, full) in [
            (true, true, false, false, nothing, row, row),
            (true, true, false, true, row, row, row),
            (true, false, true, false, nothing, tombstone, tombstone),
            (true, false, false, false, nothing, nothing, nothing),
            (true, false, true, true, tombstone, tombstone, row),
            (true, false, false, true, tombstone, tombstone, row),
            (false, true, false, false, nothing, nothing, row),
            (false, true, false, true, row, row, row),
            (false, false, true, false, nothing, nothing, tombstone),
            (false, false, false, false, nothing, nothing, nothing),
            (false, false, true, true, tombstone, row, row),
        ] {
            let case = (left, own_new, own_old, other);
            assert_eq!(
                outcome(Inner, left, own_new, own_old, other),
                inner,
                "inner {case:?}"
            );
            assert_eq!(
                outcome(Left, left, own_new, own_old, other),
                left_join,
                "left {case:?}"
            );
            assert_eq!(
                outcome(Right, !left, own_new, own_old, other),
                left_join,
                "right {case:?}"
            );
            assert_eq!(
                outcome(Full, left, own_new, own_old, other),
                full,
                "full {case:?}"
            );
        }
    }
}
