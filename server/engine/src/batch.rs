//! Rows on their way through a task.
//!
//! ```text
//!  columns  c0 c1 c2 …      new rows, keys among them
//!  seq, ts                  order in the step, event time
//!  absent                   row has no value: a null stream value, a tombstone
//!  null_key                 record had no key at all, as against a key of null columns
//!  headers                 only if some record of the batch has any
//!  old      c0 c1 c2 …      tables: the rows before the change
//! ```
//!
//! Invariant: `seq` never decreases from row to row, and every part that is there has one entry
//! for each row.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute;
use weir_state::codec::{ColumnView, write_key};
use weir_types::records::RecordHeaders;

use crate::EngineError;

/// Headers of one row; `None` if it has none.
pub(crate) type Headers = Option<Arc<RecordHeaders>>;

/// Columnar rows of one step. See the module.
#[derive(Clone, Default)]
pub(crate) struct Batch {
    pub(crate) columns: Vec<ArrayRef>,
    pub(crate) seq: Vec<u64>,
    pub(crate) ts: Vec<i64>,
    pub(crate) absent: Option<Vec<bool>>,
    pub(crate) null_key: Option<Vec<bool>>,
    pub(crate) headers: Option<Vec<Headers>>,
    pub(crate) old: Option<OldRows>,
}

/// The rows before the changes of a batch. Where `present` is false the columns say nothing.
#[derive(Clone, Default)]
pub(crate) struct OldRows {
    pub(crate) columns: Vec<ArrayRef>,
    pub(crate) present: Vec<bool>,
    /// Timestamps of the old rows; -1 where there is none.
    pub(crate) ts: Vec<i64>,
}

impl OldRows {
    /// No row was there before; the columns are those of the new rows.
    pub(crate) fn none(columns: Vec<ArrayRef>, rows: usize) -> Self {
        Self {
            columns,
            present: vec![false; rows],
            ts: vec![-1; rows],
        }
    }
}

impl Batch {
    pub(crate) fn len(&self) -> usize {
        self.seq.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.seq.is_empty()
    }

    pub(crate) fn is_absent(&self, row: usize) -> bool {
        self.absent.as_ref().is_some_and(|absent| absent[row])
    }

    pub(crate) fn header(&self, row: usize) -> Headers {
        self.headers
            .as_ref()
            .and_then(|headers| headers[row].clone())
    }

    /// Which rows have a value; `None` if all have.
    pub(crate) fn present(&self) -> Option<Vec<bool>> {
        let absent = self.absent.as_ref()?;
        absent
            .contains(&true)
            .then(|| absent.iter().map(|absent| !absent).collect())
    }

    /// The rows at these indices, in this order.
    pub(crate) fn take(&self, rows: &[u32]) -> Result<Batch, EngineError> {
        if rows.len() == self.len() && rows.iter().enumerate().all(|(i, row)| i as u32 == *row) {
            return Ok(self.clone());
        }
        let indices = UInt32Array::from(rows.to_vec());
        let old = match &self.old {
            Some(old) => Some(OldRows {
                columns: take_columns(&old.columns, &indices)?,
                present: pick(&old.present, rows),
                ts: pick(&old.ts, rows),
            }),
            None => None,
        };
        Ok(Batch {
            columns: take_columns(&self.columns, &indices)?,
            seq: pick(&self.seq, rows),
            ts: pick(&self.ts, rows),
            absent: self.absent.as_ref().map(|absent| pick(absent, rows)),
            null_key: self.null_key.as_ref().map(|null| pick(null, rows)),
            headers: self.headers.as_ref().map(|headers| {
                rows.iter()
                    .map(|row| headers[*row as usize].clone())
                    .collect()
            }),
            old,
        })
    }

    /// The rows of both, in this order.
    pub(crate) fn append(self, next: Batch) -> Result<Batch, EngineError> {
        if self.is_empty() {
            return Ok(next);
        }
        if next.is_empty() {
            return Ok(self);
        }
        let (first, second) = (self.len(), next.len());
        let absent = merge_parts(self.absent, next.absent, first, second, false);
        let null_key = merge_parts(self.null_key, next.null_key, first, second, false);
        let headers = merge_parts(self.headers, next.headers, first, second, None);
        let old = match (self.old, next.old) {
            (Some(mut a), Some(b)) => {
                a.columns = concat_columns(&a.columns, &b.columns)?;
                a.present.extend(b.present);
                a.ts.extend(b.ts);
                Some(a)
            }
            _ => None,
        };
        let columns = concat_columns(&self.columns, &next.columns)?;
        let (mut seq, mut ts) = (self.seq, self.ts);
        seq.extend(next.seq);
        ts.extend(next.ts);
        Ok(Batch {
            columns,
            seq,
            ts,
            absent,
            null_key,
            headers,
            old,
        })
    }
}

fn merge_parts<T: Clone>(
    a: Option<Vec<T>>,
    b: Option<Vec<T>>,
    first: usize,
    second: usize,
    default: T,
) -> Option<Vec<T>> {
    if a.is_none() && b.is_none() {
        return None;
    }
    let mut all = a.unwrap_or_else(|| vec![default.clone(); first]);
    all.extend(b.unwrap_or_else(|| vec![default; second]));
    Some(all)
}

fn pick<T: Copy>(values: &[T], rows: &[u32]) -> Vec<T> {
    rows.iter().map(|row| values[*row as usize]).collect()
}

/// The rows at `indices` of each column; a null index gives a null.
pub(crate) fn take_columns(
    columns: &[ArrayRef],
    indices: &UInt32Array,
) -> Result<Vec<ArrayRef>, EngineError> {
    columns
        .iter()
        .map(|column| Ok(compute::take(column.as_ref(), indices, None)?))
        .collect()
}

pub(crate) fn concat_columns(
    first: &[ArrayRef],
    second: &[ArrayRef],
) -> Result<Vec<ArrayRef>, EngineError> {
    first
        .iter()
        .zip(second)
        .map(|(a, b)| Ok(compute::concat(&[a.as_ref(), b.as_ref()])?))
        .collect()
}

/// Order-preserving keys of many rows in one buffer.
#[derive(Default)]
pub(crate) struct Keys {
    data: Vec<u8>,
    ends: Vec<usize>,
}

impl Keys {
    pub(crate) fn get(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.data[start..self.ends[index]]
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of all keys.
    pub(crate) fn data_len(&self) -> usize {
        self.data.len()
    }

    /// Bytes taken.
    pub(crate) fn bytes(&self) -> usize {
        self.data.capacity() + self.ends.capacity() * size_of::<usize>()
    }

    /// Appends the key of a row behind `prefix`.
    pub(crate) fn push(&mut self, prefix: &[u8], columns: &[ColumnView<'_>], row: usize) {
        self.data.extend_from_slice(prefix);
        write_key(columns, row, &mut self.data);
        self.ends.push(self.data.len());
    }

    /// Appends a key as it is.
    pub(crate) fn push_bytes(&mut self, key: &[u8]) {
        self.data.extend_from_slice(key);
        self.ends.push(self.data.len());
    }

    /// The keys of `rows` rows of these columns.
    pub(crate) fn of(columns: &[ArrayRef], rows: usize) -> Result<Self, EngineError> {
        let views = ColumnView::all(columns)?;
        let mut keys = Self::default();
        for row in 0..rows {
            keys.push(&[], &views, row);
        }
        Ok(keys)
    }
}

/// The columns at these indices.
pub(crate) fn project(columns: &[ArrayRef], indices: &[usize]) -> Vec<ArrayRef> {
    indices
        .iter()
        .filter_map(|index| columns.get(*index).cloned())
        .collect()
}

/// Whether a record key of these columns is null: its single column is.
pub(crate) fn is_null_key(key: &[ArrayRef], row: usize) -> bool {
    matches!(key, [only] if only.is_null(row))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use arrow::array::Int32Array;

    use super::*;

    fn batch(values: &[i32], absent: Option<Vec<bool>>) -> Batch {
        Batch {
            columns: vec![Arc::new(Int32Array::from(values.to_vec()))],
            seq: (0..values.len() as u64).collect(),
            ts: vec![7; values.len()],
            absent,
            ..Batch::default()
        }
    }

    #[test]
    fn append_fills_missing_parts() {
        let all = batch(&[1, 2], None)
            .append(batch(&[3], Some(vec![true])))
            .unwrap();
        assert_eq!(all.absent, Some(vec![false, false, true]));
        assert_eq!(all.present(), Some(vec![true, true, false]));
        assert_eq!(all.take(&[2, 0]).unwrap().absent, Some(vec![true, false]));
    }
}
