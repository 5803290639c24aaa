//! Keeps a table's latest rows for pull queries and passes its changes on.

use hashbrown::HashMap;
use weir_state::codec::ColumnView;

use super::table_store::TableStore;
use super::{Context, Operator, only};
use crate::EngineError;
use crate::batch::Batch;

/// See the module.
pub(crate) struct Materialize {
    pub(crate) layout: TableStore,
}

impl Operator for Materialize {
    fn process(&mut self, inputs: Vec<Batch>, ctx: &mut Context<'_>) -> Result<Batch, EngineError> {
        let batch = only(inputs);
        let keys = self.layout.keys(&batch.columns, batch.len())?;
        let value_columns = self.layout.value_columns(&batch.columns);
        let views = ColumnView::all(&value_columns)?;
        let mut last: HashMap<&[u8], usize, ahash::RandomState> = HashMap::default();
        for row in 0..batch.len() {
            last.insert(keys.get(row), row);
        }
        let store = ctx.store(self.layout.store)?;
        let mut value = Vec::new();
        for row in 0..batch.len() {
            if last.get(keys.get(row)) != Some(&row) {
                continue;
            }
            if batch.is_absent(row) {
                store.put(keys.get(row), None, batch.ts[row])?;
            } else {
                value.clear();
                TableStore::write_value(&views, row, batch.ts[row], &mut value);
                store.put(keys.get(row), Some(&value), batch.ts[row])?;
            }
        }
        Ok(batch)
    }
}
