//! Reading the state behind a table, for pull queries (spec/semantics.md §9.2, §12.2).
//!
//! ```text
//!  Access ─► entries of the store ─► rows, results of aggregates ─► filters, projections behind
//!         ─► keys, WINDOWSTART, WINDOWEND, values, ROWTIME
//! ```
//!
//! Invariant: what a filter behind the state rejects (HAVING) is not there for a pull query.

use std::fmt;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use weir_state::KvStore;
use weir_state::codec::key::{KeyReader, from_ordered_i64, ordered_i64, prefix_end};
use weir_state::codec::{ColumnView, Scalar, write_key};

use crate::EngineError;
use crate::batch::take_columns;
use crate::expr::Exprs;
use crate::ops::group_by::window_columns;
use crate::ops::groups::StateLayout;
use crate::ops::session::keys::{GROUP_AT, all_sessions, session_bounds, visit_group};
use crate::ops::table_store::TableStore;
use crate::point::PointLayout;

/// Which rows are wanted.
#[derive(Debug, Clone)]
pub enum Access {
    /// All.
    Scan,
    /// Those of these keys.
    Keys(Vec<KeyAccess>),
    /// Those whose single key column lies in this range, bounds included; each a column of one
    /// row of the key's type.
    Range {
        /// Least key.
        from: Option<ArrayRef>,
        /// Greatest key.
        to: Option<ArrayRef>,
    },
}

/// One key, and which of its windows.
#[derive(Debug, Clone)]
pub struct KeyAccess {
    /// The key columns, one row each, of exactly their types.
    pub key: Vec<ArrayRef>,
    /// Least and greatest WINDOWSTART, ms, included.
    pub start: (i64, i64),
    /// Least and greatest WINDOWEND, ms, included.
    pub end: (i64, i64),
}

/// How rows lie in the store.
pub(crate) enum ViewLayout {
    /// Rows of a table.
    Rows(TableStore),
    /// States of groups.
    Groups {
        states: StateLayout,
        group: Vec<DataType>,
    },
    /// States of groups and windows of this length.
    Windows {
        states: StateLayout,
        group: Vec<DataType>,
        size: i64,
    },
    /// States of groups and sessions.
    Sessions {
        states: StateLayout,
        group: Vec<DataType>,
        /// Length of a segment of the store, ms.
        segment_ms: i64,
    },
}

/// A step between the state and the result.
pub(crate) enum ViewStep {
    Project(Exprs),
    Filter(Exprs),
}

/// Reads one store as rows of the query's result. Cheap to share.
pub struct MaterializedView {
    pub(crate) layout: ViewLayout,
    pub(crate) steps: Vec<ViewStep>,
    /// For each column of the answer but ROWTIME, its position in the query's result.
    pub(crate) order: Vec<usize>,
    pub(crate) schema: SchemaRef,
    /// The short way to one row, where there is one.
    pub(crate) point: Option<PointLayout>,
}

impl fmt::Debug for MaterializedView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaterializedView")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

/// Entries of a store: key and value.
type Entries = Vec<(Vec<u8>, Vec<u8>)>;

impl MaterializedView {
    /// The schema of the answer: of these result columns, and ROWTIME.
    pub(crate) fn schema_of(fields: &[Arc<Field>]) -> SchemaRef {
        let mut fields: Vec<Arc<Field>> = fields.to_vec();
        fields.push(Arc::new(Field::new("ROWTIME", DataType::Int64, true)));
        Arc::new(Schema::new(fields))
    }

    /// The columns of the answer: keys, WINDOWSTART and WINDOWEND if windowed, values, ROWTIME.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The rows wanted, in the order of the store (of keys, for [`Access::Keys`]).
    ///
    /// # Errors
    /// The store fails, or holds what this program did not write.
    pub fn read(&self, store: &dyn KvStore, access: &Access) -> Result<RecordBatch, EngineError> {
        let mut entries = Entries::new();
        match access {
            Access::Scan => {
                let (from, to) = match self.layout {
                    ViewLayout::Sessions { .. } => all_sessions(),
                    _ => (Bound::Unbounded, Bound::Unbounded),
                };
                collect(store, from, to, &mut entries)?;
            }
            Access::Keys(keys) => {
                for KeyAccess { key, start, end } in keys {
                    self.lookup(store, &key_bytes(key)?, *start, *end, &mut entries)?;
                }
            }
            Access::Range { from, to } => {
                let bytes = |column: &ArrayRef| key_bytes(std::slice::from_ref(column));
                let from = from.as_ref().map(bytes).transpose()?;
                let to = to
                    .as_ref()
                    .map(bytes)
                    .transpose()?
                    .and_then(|to| prefix_end(&to));
                collect(
                    store,
                    from.as_deref().map_or(Bound::Unbounded, Bound::Included),
                    to.as_deref().map_or(Bound::Unbounded, Bound::Excluded),
                    &mut entries,
                )?;
            }
        }
        let (columns, rows) = self.columns(&entries)?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            columns,
            &options,
        )?)
    }

    /// The rows of one key, all its windows: columns as in [`schema`](Self::schema), and how many
    /// rows. `key`: as [`write_key`] writes the key columns.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_key(
        &self,
        store: &dyn KvStore,
        key: &[u8],
    ) -> Result<(Vec<ArrayRef>, usize), EngineError> {
        let anything = (i64::MIN, i64::MAX);
        let mut entries = Entries::new();
        self.lookup(store, key, anything, anything, &mut entries)?;
        self.columns(&entries)
    }

    /// Whether [`read_scalars`](Self::read_scalars) can be used.
    pub fn has_scalars(&self) -> bool {
        self.point.is_some()
    }

    /// The row of one key, if there is one, without columns: for each of `wanted`, a position
    /// in [`schema`](Self::schema), its value. `key`: as [`write_key`] writes the key columns.
    ///
    /// # Errors
    /// As [`read`](Self::read); and if the view [has no scalars](Self::has_scalars).
    pub fn read_scalars(
        &self,
        store: &dyn KvStore,
        key: &[u8],
        wanted: &[usize],
    ) -> Result<Option<Vec<Scalar<'static>>>, EngineError> {
        match &self.point {
            Some(point) => point.read(store, key, wanted),
            None => Err(EngineError::Internal("not a row of scalars".into())),
        }
    }

    /// Finds the entries of a key; `start_of`, `end_of`: least and greatest bound of its windows.
    fn lookup(
        &self,
        store: &dyn KvStore,
        key: &[u8],
        start_of: (i64, i64),
        end_of: (i64, i64),
        entries: &mut Entries,
    ) -> Result<(), EngineError> {
        match &self.layout {
            ViewLayout::Rows(_) | ViewLayout::Groups { .. } => {
                if let Some(value) = store.get(key)? {
                    entries.push((key.to_vec(), value));
                }
            }
            ViewLayout::Windows { size, .. } => {
                let low = start_of.0.max(end_of.0.saturating_sub(*size));
                let high = start_of.1.min(end_of.1.saturating_sub(*size));
                let mut next = low;
                // From each start that is there straight to the key within it.
                while next <= high {
                    let Some(start) = first_start(store, next)?.filter(|start| *start <= high)
                    else {
                        break;
                    };
                    let entry = [&ordered_i64(start)[..], key].concat();
                    if let Some(value) = store.get(&entry)? {
                        entries.push((entry, value));
                    }
                    let Some(after) = start.checked_add(1) else {
                        break;
                    };
                    next = after;
                }
            }
            ViewLayout::Sessions { segment_ms, .. } => {
                let keep = |start: i64, end: i64| {
                    (start_of.0..=start_of.1).contains(&start)
                        && (end_of.0..=end_of.1).contains(&end)
                };
                let from = end_of.0.max(start_of.0);
                visit_group(
                    store,
                    *segment_ms,
                    key,
                    from,
                    &mut |entry, start, end, value| {
                        if keep(start, end) {
                            entries.push((entry.to_vec(), value.to_vec()));
                        }
                        ControlFlow::Continue(())
                    },
                )?;
            }
        }
        Ok(())
    }

    /// The columns of the answer, and how many rows.
    fn columns(&self, entries: &Entries) -> Result<(Vec<ArrayRef>, usize), EngineError> {
        let values = || entries.iter().map(|(_, value)| &value[..]);
        let (mut columns, mut ts) = match &self.layout {
            ViewLayout::Rows(layout) => {
                let mut reader = layout.reader()?;
                for value in values() {
                    reader.push(Some(value))?;
                }
                let keys = entries.iter().map(|(key, _)| &key[..]);
                let rows = reader.finish(layout.key_columns(keys)?)?;
                (rows.columns, rows.ts)
            }
            ViewLayout::Groups { states, group } => {
                let mut columns = group_columns(group, entries.iter().map(|(key, _)| &key[..]))?;
                let (results, ts) = states.results(values())?;
                columns.extend(results);
                (columns, ts)
            }
            ViewLayout::Windows {
                states,
                group,
                size,
            } => {
                let keys = entries
                    .iter()
                    .map(|(key, _)| key.get(8..).unwrap_or_default());
                let mut columns = group_columns(group, keys)?;
                columns.extend(window_columns(entries.iter().map(|(key, _)| {
                    let start = key
                        .first_chunk::<8>()
                        .map_or(0, |start| from_ordered_i64(*start));
                    (start, start.saturating_add(*size))
                })));
                let (results, ts) = states.results(values())?;
                columns.extend(results);
                (columns, ts)
            }
            ViewLayout::Sessions { states, group, .. } => {
                let keys = entries
                    .iter()
                    .map(|(key, _)| key.get(GROUP_AT..).unwrap_or_default());
                let mut columns = group_columns(group, keys)?;
                columns.extend(window_columns(
                    entries
                        .iter()
                        .map(|(key, _)| session_bounds(key).unwrap_or_default()),
                ));
                let (results, ts) = states.results(values())?;
                columns.extend(results);
                (columns, ts)
            }
        };
        for step in &self.steps {
            match step {
                ViewStep::Project(exprs) => {
                    columns = exprs.evaluate(&columns, ts.len(), None, &mut |_, _| {})?;
                }
                ViewStep::Filter(predicate) => {
                    let kept = predicate.matches(&columns, ts.len(), None, &mut |_, _| {})?;
                    let rows: UInt32Array = kept
                        .iter()
                        .enumerate()
                        .filter_map(|(row, kept)| kept.then_some(row as u32))
                        .collect();
                    columns = take_columns(&columns, &rows)?;
                    ts = rows.values().iter().map(|row| ts[*row as usize]).collect();
                }
            }
        }
        let mut answer = crate::batch::project(&columns, &self.order);
        let rows = ts.len();
        answer.push(Arc::new(Int64Array::from(ts)));
        Ok((answer, rows))
    }
}

fn key_bytes(key: &[ArrayRef]) -> Result<Vec<u8>, EngineError> {
    let mut bytes = Vec::new();
    write_key(&ColumnView::all(key)?, 0, &mut bytes);
    Ok(bytes)
}

fn group_columns<'a>(
    types: &[DataType],
    keys: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<ArrayRef>, EngineError> {
    let mut reader = KeyReader::new(types)?;
    for key in keys {
        reader.read(key)?;
    }
    Ok(reader.finish()?)
}

fn collect(
    store: &dyn KvStore,
    from: Bound<&[u8]>,
    to: Bound<&[u8]>,
    entries: &mut Entries,
) -> Result<(), EngineError> {
    store.range(from, to, &mut |key, value| {
        entries.push((key.to_vec(), value.to_vec()));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(())
}

/// The least window start from `from` on that has an entry.
fn first_start(store: &dyn KvStore, from: i64) -> Result<Option<i64>, EngineError> {
    let mut found = None;
    let from = ordered_i64(from);
    store.range(Bound::Included(&from), Bound::Unbounded, &mut |key, _| {
        found = key.first_chunk::<8>().map(|start| from_ordered_i64(*start));
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found)
}
