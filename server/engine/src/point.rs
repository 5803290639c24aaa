//! One row of a store as scalars: the short way of a lookup by key.
//!
//! ```text
//!  key ─► parts ──┐
//!                 ├─► the places of the columns wanted ─► scalars
//!  value ─► row, timestamp
//! ```
//!
//! It is there for tables whose stored columns are all of plain types, and whose result is these
//! columns in some order: nothing computed, nothing filtered away behind the state.
//!
//! Invariant: the scalars are what [`MaterializedView::read_key`](crate::MaterializedView::read_key)
//! gives as columns.

use weir_state::KvStore;
use weir_state::codec::scalar::{read_key, read_row};
use weir_state::codec::{Scalar, ScalarType};

use crate::EngineError;
use crate::materialized::{ViewLayout, ViewStep};
use crate::ops::table_store::timestamp;

/// How the columns of an answer lie in an entry.
pub(crate) struct PointLayout {
    key: Vec<ScalarType>,
    value: Vec<ScalarType>,
    /// For each column of the answer, its place among the parts of the key, the columns of the
    /// row, and the timestamp, counted in this order.
    places: Vec<usize>,
}

impl PointLayout {
    /// The layout of a view, if its rows can be read so; `order`: for each column of the answer
    /// but ROWTIME, its position in what the steps give.
    pub(crate) fn of(layout: &ViewLayout, steps: &[ViewStep], order: &[usize]) -> Option<Self> {
        let (key, value, mut columns) = match layout {
            ViewLayout::Rows(table) => {
                let types = |indices: &[usize]| {
                    ScalarType::all(indices.iter().filter_map(|index| table.types.get(*index)))
                };
                let stored: Vec<usize> = table
                    .key
                    .iter()
                    .chain(table.values.iter())
                    .copied()
                    .collect();
                let place = |column| stored.iter().position(|stored| *stored == column);
                let columns: Option<Vec<usize>> = (0..table.types.len()).map(place).collect();
                (types(&table.key)?, types(&table.values)?, columns?)
            }
            ViewLayout::Groups { states, group } if states.are_results => {
                let (key, value) = (ScalarType::all(group)?, ScalarType::all(&*states.types)?);
                let columns = (0..key.len() + value.len()).collect();
                (key, value, columns)
            }
            _ => return None,
        };
        let pick = |columns: &[usize], indices: &[usize]| -> Option<Vec<usize>> {
            let column = |index: &usize| columns.get(*index).copied();
            indices.iter().map(column).collect()
        };
        for step in steps {
            match step {
                ViewStep::Project(exprs) => columns = pick(&columns, &exprs.as_columns()?)?,
                ViewStep::Filter(_) => return None,
            }
        }
        let mut places = pick(&columns, order)?;
        places.push(key.len() + value.len());
        Some(Self { key, value, places })
    }

    /// The row of a key, if there is one: for each of `wanted`, a position in the answer, its
    /// value.
    pub(crate) fn read(
        &self,
        store: &dyn KvStore,
        key: &[u8],
        wanted: &[usize],
    ) -> Result<Option<Vec<Scalar<'static>>>, EngineError> {
        let Some(value) = store.get(key)? else {
            return Ok(None);
        };
        let mut found = Vec::with_capacity(self.key.len() + self.value.len() + 1);
        read_key(&self.key, key, &mut found)?;
        let rest = read_row(&self.value, &value, &mut found)?;
        found.push(Scalar::Int64(timestamp(rest)?));
        let value = |position: &usize| {
            let place = self.places.get(*position)?;
            Some(found.get(*place)?.to_owned())
        };
        let row: Option<Vec<_>> = wanted.iter().map(value).collect();
        row.map(Some)
            .ok_or_else(|| EngineError::Internal(format!("no columns {wanted:?}")))
    }
}
