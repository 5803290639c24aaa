//! Reading the current rows of a table by key, through the operators between its store and a join.
//!
//! ```text
//!  keys ─► store ─► filter, projection … ─► rows
//!  keys ─► left lookup, right lookup ─► joined rows        (a join of tables that is joined again)
//! ```
//!
//! [`Overlay`] gives the row *as of* a `seq` inside a step, although the store has seen the whole
//! step already: a key that changes in the step is read from the changes themselves.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, new_null_array};
use arrow::compute::interleave;
use hashbrown::HashMap;
use weir_planner::stream::JoinType;

use super::Context;
use super::table_store::{StoredRows, TableStore};
use crate::EngineError;
use crate::batch::{Batch, Keys, project};
use crate::expr::Exprs;

/// See the module. Cheap to clone.
#[derive(Clone)]
pub(crate) enum Lookup {
    /// The rows of a store.
    Store(TableStore),
    /// A projection of rows.
    Project(Arc<Lookup>, Exprs),
    /// The rows that pass a filter.
    Filter(Arc<Lookup>, Exprs),
    /// The join of two tables on their keys.
    Join {
        left: Arc<Lookup>,
        right: Arc<Lookup>,
        join_type: JoinType,
        /// Join columns of both sides where the result begins with the key.
        synthetic_key: Option<(usize, usize)>,
    },
}

impl Lookup {
    /// The row of each key.
    pub(crate) fn fetch(
        &self,
        keys: &[&[u8]],
        ctx: &mut Context<'_>,
    ) -> Result<StoredRows, EngineError> {
        match self {
            Self::Store(layout) => layout.fetch(keys, ctx),
            Self::Project(input, exprs) => {
                let mut rows = input.fetch(keys, ctx)?;
                rows.columns = exprs.evaluate(
                    &rows.columns,
                    keys.len(),
                    Some(&rows.present),
                    &mut |_, _| {},
                )?;
                Ok(rows)
            }
            Self::Filter(input, predicate) => {
                let mut rows = input.fetch(keys, ctx)?;
                let present = Some(rows.present.as_slice());
                rows.present =
                    predicate.matches(&rows.columns, keys.len(), present, &mut |_, _| {})?;
                Ok(rows)
            }
            Self::Join {
                left,
                right,
                join_type,
                synthetic_key,
            } => {
                let left = left.fetch(keys, ctx)?;
                let right = right.fetch(keys, ctx)?;
                let side = |rows: &StoredRows| -> Vec<Option<usize>> {
                    rows.present
                        .iter()
                        .enumerate()
                        .map(|(i, p)| p.then_some(i))
                        .collect()
                };
                let (left_rows, right_rows) = (side(&left), side(&right));
                let mut columns = Vec::new();
                if let Some((left_key, right_key)) = synthetic_key {
                    let keys = [
                        left.columns[*left_key].as_ref(),
                        right.columns[*right_key].as_ref(),
                    ];
                    let picks: Vec<(usize, usize)> = left
                        .present
                        .iter()
                        .enumerate()
                        .map(|(i, l)| (usize::from(!l), i))
                        .collect();
                    columns.push(interleave(&keys, &picks)?);
                }
                columns.extend(pick_rows(&left.columns, &left_rows)?);
                columns.extend(pick_rows(&right.columns, &right_rows)?);
                let present = left_rows
                    .iter()
                    .zip(&right_rows)
                    .map(|(l, r)| joins(*join_type, l.is_some(), r.is_some()))
                    .collect();
                let ts = left
                    .ts
                    .iter()
                    .zip(&right.ts)
                    .map(|(l, r)| *l.max(r))
                    .collect();
                Ok(StoredRows {
                    columns,
                    present,
                    ts,
                })
            }
        }
    }
}

/// Whether a join has a row where these sides are there.
pub(crate) fn joins(join_type: JoinType, left: bool, right: bool) -> bool {
    match join_type {
        JoinType::Inner => left && right,
        JoinType::Left => left,
        JoinType::Right => right,
        JoinType::Full => left || right,
    }
}

/// Rows of columns by index; `None` gives nulls.
fn pick_rows(columns: &[ArrayRef], rows: &[Option<usize>]) -> Result<Vec<ArrayRef>, EngineError> {
    let indices = rows.iter().map(|row| row.map(|row| row as u32)).collect();
    crate::batch::take_columns(columns, &indices)
}

/// Where a row of a table is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// There is none.
    Nothing,
    /// Row of the changes: its new part.
    New(usize),
    /// Row of the changes: its old part.
    Old(usize),
    /// Row of what was fetched.
    Fetched(usize),
}

/// The changes of a table in one step, by key.
pub(crate) struct Overlay<'a> {
    changes: &'a Batch,
    by_key: HashMap<Vec<u8>, Vec<usize>, ahash::RandomState>,
}

/// The rows that were asked for, wherever they came from.
pub(crate) struct ResolvedRows {
    pub(crate) found: Vec<Found>,
    pub(crate) fetched: StoredRows,
}

impl<'a> Overlay<'a> {
    /// Over changes that carry old rows; `key` are the key columns of the table.
    pub(crate) fn new(changes: &'a Batch, key: &[usize]) -> Result<Self, EngineError> {
        let mut by_key: HashMap<Vec<u8>, Vec<usize>, ahash::RandomState> = HashMap::default();
        if !changes.is_empty() {
            let keys = Keys::of(&project(&changes.columns, key), changes.len())?;
            for row in 0..changes.len() {
                by_key.entry_ref(keys.get(row)).or_default().push(row);
            }
        }
        Ok(Self { changes, by_key })
    }

    /// The row of each key as of its `seq`.
    pub(crate) fn resolve(
        &self,
        wanted: &[(&[u8], u64)],
        lookup: &Lookup,
        ctx: &mut Context<'_>,
    ) -> Result<ResolvedRows, EngineError> {
        let mut misses = Vec::new();
        let mut found = Vec::with_capacity(wanted.len());
        for (key, seq) in wanted {
            let rows = if self.by_key.is_empty() {
                None
            } else {
                self.by_key.get(*key)
            };
            let Some(rows) = rows else {
                found.push(Found::Fetched(misses.len()));
                misses.push(*key);
                continue;
            };
            let before = rows.partition_point(|row| self.changes.seq[*row] < *seq);
            found.push(
                match before.checked_sub(1).and_then(|last| rows.get(last)) {
                    Some(row) if self.changes.is_absent(*row) => Found::Nothing,
                    Some(row) => Found::New(*row),
                    None => match (rows.first(), &self.changes.old) {
                        (Some(row), Some(old)) if old.present[*row] => Found::Old(*row),
                        _ => Found::Nothing,
                    },
                },
            );
        }
        let fetched = lookup.fetch(&misses, ctx)?;
        for found in &mut found {
            if matches!(found, Found::Fetched(row) if !fetched.present[*row]) {
                *found = Found::Nothing;
            }
        }
        Ok(ResolvedRows { found, fetched })
    }

    /// Timestamp of a row.
    pub(crate) fn ts(&self, found: Found, fetched: &StoredRows) -> i64 {
        match found {
            Found::Nothing => -1,
            Found::New(row) => self.changes.ts[row],
            Found::Old(row) => self.changes.old.as_ref().map_or(-1, |old| old.ts[row]),
            Found::Fetched(row) => fetched.ts[row],
        }
    }

    /// The columns of these rows; nulls where there is nothing.
    pub(crate) fn columns(
        &self,
        found: &[Found],
        fetched: &StoredRows,
    ) -> Result<Vec<ArrayRef>, EngineError> {
        (0..fetched.columns.len())
            .map(|index| {
                let stored = fetched.columns[index].as_ref();
                let null = new_null_array(stored.data_type(), 1);
                let new = self.changes.columns.get(index);
                let old = self
                    .changes
                    .old
                    .as_ref()
                    .and_then(|old| old.columns.get(index));
                let sources: [&dyn Array; 4] = [
                    stored,
                    new.map_or(null.as_ref(), |column| column.as_ref()),
                    old.map_or(null.as_ref(), |column| column.as_ref()),
                    null.as_ref(),
                ];
                let picks: Vec<(usize, usize)> = found
                    .iter()
                    .map(|found| match found {
                        Found::Fetched(row) => (0, *row),
                        Found::New(row) => (1, *row),
                        Found::Old(row) => (2, *row),
                        Found::Nothing => (3, 0),
                    })
                    .collect();
                Ok(interleave(&sources, &picks)?)
            })
            .collect()
    }
}
