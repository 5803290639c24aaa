//! A table read from a topic: keeps the latest row of each key and adds the row before to every
//! change.
//!
//! ```text
//!  batch ─► keys ─┬─ seen earlier in the batch ─► its row
//!                 └─ else ─► store (misses fetched together)
//!  last row of each key ─► store
//! ```
//!
//! With the record cache on, changes are held until the flush and each key is emitted once, its
//! old row being that of the flush before (spec/semantics.md §9.3).

use arrow::array::ArrayRef;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use weir_state::codec::ColumnView;

use super::table_store::TableStore;
use super::{Context, Operator, only};
use crate::EngineError;
use crate::batch::{Batch, Headers, OldRows, project};

/// See the module.
pub(crate) struct TableSource {
    pub(crate) layout: TableStore,
    /// Whether changes may be held until the flush: false where a join looks rows up as of each
    /// change.
    pub(crate) cached: bool,
    held: HashMap<Vec<u8>, Held, ahash::RandomState>,
    held_bytes: usize,
    updates: u64,
}

/// A key changed since the last flush.
struct Held {
    old: Option<Vec<u8>>,
    new: Option<Vec<u8>>,
    ts: i64,
    headers: Headers,
    order: u64,
}

impl TableSource {
    pub(crate) fn new(layout: TableStore, cached: bool) -> Self {
        Self {
            layout,
            cached,
            held: HashMap::default(),
            held_bytes: 0,
            updates: 0,
        }
    }

    fn hold(
        &mut self,
        key: &[u8],
        old: Option<&[u8]>,
        new: Option<&[u8]>,
        ts: i64,
        headers: Headers,
    ) {
        self.updates += 1;
        let new = new.map(<[u8]>::to_vec);
        let order = self.updates;
        match self.held.entry(key.to_vec()) {
            Entry::Occupied(mut entry) => {
                let held = entry.get_mut();
                (held.new, held.ts, held.headers, held.order) = (new, ts, headers, order);
            }
            Entry::Vacant(entry) => {
                let old = old.map(<[u8]>::to_vec);
                self.held_bytes +=
                    key.len() + old.as_ref().map_or(0, Vec::len) + new.as_ref().map_or(0, Vec::len);
                entry.insert(Held {
                    old,
                    new,
                    ts,
                    headers,
                    order,
                });
            }
        }
    }
}

impl Operator for TableSource {
    fn process(&mut self, inputs: Vec<Batch>, ctx: &mut Context<'_>) -> Result<Batch, EngineError> {
        let mut batch = only(inputs);
        let rows = batch.len();
        if rows == 0 {
            return Ok(batch);
        }
        let keys = self.layout.keys(&batch.columns, rows)?;
        let value_columns = self.layout.value_columns(&batch.columns);
        let views = ColumnView::all(&value_columns)?;

        // What each row replaces: an earlier row of the batch, or what the store holds.
        let mut data = Vec::new();
        let mut ends = Vec::with_capacity(rows);
        let mut last: HashMap<&[u8], usize, ahash::RandomState> = HashMap::default();
        let mut before: Vec<Result<usize, usize>> = Vec::with_capacity(rows);
        let mut misses: Vec<&[u8]> = Vec::new();
        for row in 0..rows {
            if !batch.is_absent(row) {
                TableStore::write_value(&views, row, batch.ts[row], &mut data);
            }
            ends.push(data.len());
            match last.insert(keys.get(row), row) {
                Some(earlier) => before.push(Ok(earlier)),
                None => {
                    before.push(Err(misses.len()));
                    misses.push(keys.get(row));
                }
            }
        }
        let mut found = Vec::with_capacity(misses.len());
        ctx.store(self.layout.store)?
            .get_many(&misses, &mut found)?;
        let written = |row: usize| {
            let start = if row == 0 { 0 } else { ends[row - 1] };
            (!batch.is_absent(row)).then(|| &data[start..ends[row]])
        };
        let old = |row: usize| match before[row] {
            Ok(earlier) => written(earlier),
            Err(miss) => found
                .get(miss)
                .and_then(|value: &Option<Vec<u8>>| value.as_deref()),
        };

        let store = ctx.store(self.layout.store)?;
        for row in 0..rows {
            if last.get(keys.get(row)) == Some(&row) {
                store.put(keys.get(row), written(row), batch.ts[row])?;
            }
        }
        if self.cached && !ctx.cache_off() {
            for row in 0..rows {
                self.hold(
                    keys.get(row),
                    old(row),
                    written(row),
                    batch.ts[row],
                    batch.header(row),
                );
            }
            return Ok(Batch::default());
        }
        let mut reader = self.layout.reader()?;
        for row in 0..rows {
            reader.push(old(row))?;
        }
        let key_columns: Vec<ArrayRef> = project(&batch.columns, &self.layout.key);
        let stored = reader.finish(key_columns)?;
        batch.old = Some(OldRows {
            columns: stored.columns,
            present: stored.present,
            ts: stored.ts,
        });
        Ok(batch)
    }

    fn flush(&mut self, ctx: &mut Context<'_>) -> Result<Batch, EngineError> {
        let mut changes: Vec<(Vec<u8>, Held)> = std::mem::take(&mut self.held)
            .into_iter()
            .filter(|(_, held)| held.old.is_some() || held.new.is_some())
            .collect();
        self.held_bytes = 0;
        if changes.is_empty() {
            return Ok(Batch::default());
        }
        changes.sort_by_key(|(_, held)| held.order);
        let key = self
            .layout
            .key_columns(changes.iter().map(|(key, _)| key.as_slice()))?;
        let mut new = self.layout.reader()?;
        let mut old = self.layout.reader()?;
        let mut batch = Batch::default();
        for (_, held) in &changes {
            new.push(held.new.as_deref())?;
            old.push(held.old.as_deref())?;
            batch.ts.push(held.ts);
            batch.seq.push(ctx.take_seq());
        }
        let new = new.finish(key.clone())?;
        let old = old.finish(key)?;
        batch.columns = new.columns;
        batch.absent = Some(new.present.iter().map(|present| !present).collect());
        batch.old = Some(OldRows {
            columns: old.columns,
            present: old.present,
            ts: old.ts,
        });
        if changes.iter().any(|(_, held)| held.headers.is_some()) {
            batch.headers = Some(changes.into_iter().map(|(_, held)| held.headers).collect());
        }
        Ok(batch)
    }

    fn held_bytes(&self) -> usize {
        self.held_bytes
    }
}
