//! How the rows of a table lie in its store.
//!
//! ```text
//!  key:   order-preserving key of the key columns
//!  value: row of the other columns, then the row's timestamp (i64 little-endian)
//! ```

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use hashbrown::HashMap;
use weir_state::codec::{CodecError, ColumnView, KeyReader, RowReader, write_row};

use super::Context;
use crate::EngineError;
use crate::batch::{Keys, project};

/// The layout of one table store. Cheap to clone.
#[derive(Clone)]
pub(crate) struct TableStore {
    /// Index among the stores of the task.
    pub(crate) store: usize,
    /// Types of all columns of the table.
    pub(crate) types: Arc<[DataType]>,
    /// Indices of the key columns.
    pub(crate) key: Arc<[usize]>,
    /// Indices of the other columns.
    pub(crate) values: Arc<[usize]>,
}

/// Rows read from a store. Where `present` is false there is none and the columns but those of
/// the key are null.
pub(crate) struct StoredRows {
    pub(crate) columns: Vec<ArrayRef>,
    pub(crate) present: Vec<bool>,
    pub(crate) ts: Vec<i64>,
}

impl TableStore {
    pub(crate) fn new(store: usize, types: Vec<DataType>, key: &[usize]) -> Self {
        let values = (0..types.len())
            .filter(|index| !key.contains(index))
            .collect();
        Self {
            store,
            types: types.into(),
            key: key.into(),
            values,
        }
    }

    /// The keys of rows.
    pub(crate) fn keys(&self, columns: &[ArrayRef], rows: usize) -> Result<Keys, EngineError> {
        Keys::of(&project(columns, &self.key), rows)
    }

    /// The columns of rows that are not part of the key.
    pub(crate) fn value_columns(&self, columns: &[ArrayRef]) -> Vec<ArrayRef> {
        project(columns, &self.values)
    }

    /// Appends the stored value of a row.
    pub(crate) fn write_value(views: &[ColumnView<'_>], row: usize, ts: i64, out: &mut Vec<u8>) {
        write_row(views, row, out);
        out.extend_from_slice(&ts.to_le_bytes());
    }

    /// A reader of stored values.
    pub(crate) fn reader(&self) -> Result<StoreReader<'_>, EngineError> {
        let types = self
            .values
            .iter()
            .filter_map(|index| self.types.get(*index));
        Ok(StoreReader {
            layout: self,
            rows: RowReader::new(types)?,
            present: Vec::new(),
            ts: Vec::new(),
        })
    }

    /// The key columns of keys.
    pub(crate) fn key_columns<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Vec<ArrayRef>, EngineError> {
        let types: Vec<_> = self
            .key
            .iter()
            .filter_map(|index| self.types.get(*index).cloned())
            .collect();
        let mut reader = KeyReader::new(&types)?;
        for key in keys {
            reader.read(key)?;
        }
        Ok(reader.finish()?)
    }

    /// The rows of these keys; equal keys are fetched once.
    pub(crate) fn fetch(
        &self,
        keys: &[&[u8]],
        ctx: &mut Context<'_>,
    ) -> Result<StoredRows, EngineError> {
        let mut distinct: Vec<&[u8]> = Vec::with_capacity(keys.len());
        let mut index: HashMap<&[u8], usize, ahash::RandomState> = HashMap::default();
        let which: Vec<usize> = keys
            .iter()
            .map(|key| {
                *index.entry(key).or_insert_with(|| {
                    distinct.push(key);
                    distinct.len() - 1
                })
            })
            .collect();
        let mut found = Vec::with_capacity(distinct.len());
        ctx.store(self.store)?.get_many(&distinct, &mut found)?;
        let mut reader = self.reader()?;
        for which in which {
            reader.push(found.get(which).and_then(|value| value.as_deref()))?;
        }
        reader.finish(self.key_columns(keys.iter().copied())?)
    }
}

/// The timestamp that a stored value ends with, given what follows its row.
pub(crate) fn timestamp(rest: &[u8]) -> Result<i64, CodecError> {
    let bytes = rest
        .try_into()
        .map_err(|_| CodecError::Corrupt("no timestamp"))?;
    Ok(i64::from_le_bytes(bytes))
}

/// Reads stored values.
pub(crate) struct StoreReader<'a> {
    layout: &'a TableStore,
    rows: RowReader,
    present: Vec<bool>,
    ts: Vec<i64>,
}

impl StoreReader<'_> {
    /// Appends a stored value, or a row that is not there.
    pub(crate) fn push(&mut self, value: Option<&[u8]>) -> Result<(), EngineError> {
        match value {
            Some(value) => {
                let rest = self.rows.read(value)?;
                self.ts.push(timestamp(rest)?);
            }
            None => {
                self.rows.push_null();
                self.ts.push(-1);
            }
        }
        self.present.push(value.is_some());
        Ok(())
    }

    /// The rows, with these key columns.
    pub(crate) fn finish(mut self, key: Vec<ArrayRef>) -> Result<StoredRows, EngineError> {
        let values = self.rows.finish()?;
        let mut columns: Vec<Option<ArrayRef>> = vec![None; self.layout.types.len()];
        for (index, column) in self.layout.values.iter().zip(values) {
            columns[*index] = Some(column);
        }
        for (index, column) in self.layout.key.iter().zip(key) {
            columns[*index] = Some(column);
        }
        let columns = columns.into_iter().flatten().collect();
        Ok(StoredRows {
            columns,
            present: self.present,
            ts: self.ts,
        })
    }
}
