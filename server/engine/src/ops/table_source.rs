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
use hashbrown::{HashMap, HashTable};
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
    held: HeldRows,
}

impl TableSource {
    pub(crate) fn new(layout: TableStore, cached: bool) -> Self {
        Self {
            layout,
            cached,
            held: HeldRows::default(),
        }
    }
}

/// Keys changed since the last flush, their bytes in one arena.
#[derive(Default)]
struct HeldRows {
    data: Vec<u8>,
    rows: Vec<Held>,
    index: HashTable<u32>,
    hasher: ahash::RandomState,
    updates: u64,
}

/// A key changed since the last flush.
struct Held {
    key: Place,
    old: Option<Place>,
    new: Option<Place>,
    ts: i64,
    headers: Headers,
    order: u64,
}

/// Where bytes are in the arena: start, length.
type Place = (u32, u32);

/// A change of a row: its last value of all, and the one that it had at the last flush.
struct Change<'a> {
    old: Option<&'a [u8]>,
    new: Option<&'a [u8]>,
    ts: i64,
    headers: Headers,
}

impl HeldRows {
    fn hold(&mut self, key: &[u8], change: Change<'_>) {
        self.updates += 1;
        let Change {
            old,
            new,
            ts,
            headers,
        } = change;
        let (data, rows) = (&mut self.data, &mut self.rows);
        let hash = self.hasher.hash_one(key);
        let found = self
            .index
            .find(hash, |row| bytes(data, rows[*row as usize].key) == key);
        if let Some(row) = found {
            let held = &mut rows[*row as usize];
            held.new = match (new, held.new) {
                (Some(new), Some((start, len))) if new.len() <= len as usize => {
                    let at = start as usize;
                    data[at..at + new.len()].copy_from_slice(new);
                    Some((start, new.len() as u32))
                }
                (new, _) => new.map(|new| add(data, new)),
            };
            (held.ts, held.headers, held.order) = (ts, headers, self.updates);
            return;
        }
        let held = Held {
            key: add(data, key),
            old: old.map(|old| add(data, old)),
            new: new.map(|new| add(data, new)),
            ts,
            headers,
            order: self.updates,
        };
        rows.push(held);
        self.index
            .insert_unique(hash, (rows.len() - 1) as u32, |row| {
                self.hasher.hash_one(bytes(data, rows[*row as usize].key))
            });
    }

    fn get(&self, place: Option<Place>) -> Option<&[u8]> {
        place.map(|place| bytes(&self.data, place))
    }

    /// Bytes taken; more than any limit where places could not tell bytes apart any more.
    fn bytes(&self) -> usize {
        if self.data.len() > ARENA_BYTES {
            return usize::MAX / 4;
        }
        self.data.len() + self.rows.len() * (size_of::<Held>() + 8)
    }
}

/// An arena beyond this is emptied, whatever the record cache may take.
const ARENA_BYTES: usize = 1 << 30;

fn add(data: &mut Vec<u8>, part: &[u8]) -> Place {
    let start = data.len() as u32;
    data.extend_from_slice(part);
    (start, part.len() as u32)
}

fn bytes(data: &[u8], (start, len): Place) -> &[u8] {
    &data[start as usize..][..len as usize]
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
                let change = Change {
                    old: old(row),
                    new: written(row),
                    ts: batch.ts[row],
                    headers: batch.header(row),
                };
                self.held.hold(keys.get(row), change);
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
        let mut all = std::mem::take(&mut self.held);
        let mut changes = std::mem::take(&mut all.rows);
        changes.retain(|held| held.old.is_some() || held.new.is_some());
        if changes.is_empty() {
            return Ok(Batch::default());
        }
        changes.sort_unstable_by_key(|held| held.order);
        let key = self
            .layout
            .key_columns(changes.iter().map(|held| bytes(&all.data, held.key)))?;
        let mut new = self.layout.reader()?;
        let mut old = self.layout.reader()?;
        let mut batch = Batch::default();
        for held in &changes {
            new.push(all.get(held.new))?;
            old.push(all.get(held.old))?;
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
        if changes.iter().any(|held| held.headers.is_some()) {
            batch.headers = Some(changes.into_iter().map(|held| held.headers).collect());
        }
        Ok(batch)
    }

    fn held_bytes(&self) -> usize {
        self.held.bytes()
    }
}
