//! The states of many groups: one slot for each group (and window) in memory, the rest in the
//! store.
//!
//! ```text
//!  key bytes ─hash─► slot ─► GroupStates columns, timestamp
//!               └─ miss ─► window begun since the task opened? ─► the group is new
//!                     └─ else ─► store (all misses of a step in one fetch)
//!  dirty slots ─► save ─► row of state columns, timestamp ─► store
//!  too many bytes ─► a quarter, the slots of the last windows, stays; the others go
//! ```
//!
//! Invariants: a slot that is not dirty equals what the store holds (the initial state where it
//! holds nothing), so clean slots may be forgotten at any time; of windows that start at
//! [`Groups::complete_from`] or later, every group is in a slot.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use hashbrown::HashTable;
use weir_functions::aggregate::{Aggregate, GroupStates};
use weir_state::codec::key::from_ordered_i64;
use weir_state::codec::{ColumnView, RowReader, write_row};

use super::Context;
use super::table_store::timestamp;
use crate::EngineError;
use crate::MemoryBudget;
use crate::batch::Keys;
use crate::memory::Share;

/// The aggregate functions of a node and how their states are stored. Cheap to clone.
#[derive(Clone)]
pub(crate) struct StateLayout {
    pub(crate) functions: Arc<[Arc<dyn Aggregate>]>,
    /// Types of all state columns, function by function.
    pub(crate) types: Arc<[DataType]>,
    /// Number of state columns of each function.
    widths: Arc<[usize]>,
    /// Whether the state columns are the results themselves.
    pub(crate) are_results: bool,
}

impl StateLayout {
    pub(crate) fn new(functions: Vec<Arc<dyn Aggregate>>) -> Self {
        let states: Vec<Vec<DataType>> = functions
            .iter()
            .map(|function| {
                function
                    .state_types()
                    .iter()
                    .map(|t| t.to_arrow())
                    .collect()
            })
            .collect();
        Self {
            are_results: functions.iter().all(|function| function.state_is_result()),
            functions: functions.into(),
            widths: states.iter().map(Vec::len).collect(),
            types: states.into_iter().flatten().collect(),
        }
    }

    /// Fresh states of every function.
    pub(crate) fn states(&self) -> Vec<Box<dyn GroupStates>> {
        self.functions
            .iter()
            .map(|function| function.states())
            .collect()
    }

    /// Sets slots to rows of state columns.
    pub(crate) fn load(
        &self,
        states: &mut [Box<dyn GroupStates>],
        slots: &[u32],
        columns: &[ArrayRef],
    ) {
        let mut rest = columns;
        for (state, width) in states.iter_mut().zip(self.widths.iter()) {
            let (own, others) = rest.split_at((*width).min(rest.len()));
            state.load(slots, own);
            rest = others;
        }
    }

    /// The state columns of slots.
    pub(crate) fn save(&self, states: &[Box<dyn GroupStates>], slots: &[u32]) -> Vec<ArrayRef> {
        states.iter().flat_map(|state| state.save(slots)).collect()
    }

    /// A reader of stored states.
    pub(crate) fn reader(&self) -> Result<StateReader, EngineError> {
        Ok(StateReader {
            rows: RowReader::new(self.types.iter())?,
            ts: Vec::new(),
        })
    }

    /// The results of stored states, one row each, and their timestamps.
    pub(crate) fn results<'a>(
        &self,
        stored: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(Vec<ArrayRef>, Vec<i64>), EngineError> {
        let mut reader = self.reader()?;
        for value in stored {
            reader.push(value)?;
        }
        let (columns, ts) = reader.finish()?;
        if self.are_results {
            return Ok((columns, ts));
        }
        let slots: Vec<u32> = (0..ts.len() as u32).collect();
        let mut states = self.states();
        states.iter_mut().for_each(|state| state.resize(ts.len()));
        self.load(&mut states, &slots, &columns);
        Ok((results(&states, &slots), ts))
    }
}

/// Appends a stored state: row `row` of the state columns, then the timestamp.
pub(crate) fn write_state(views: &[ColumnView<'_>], row: usize, ts: i64, out: &mut Vec<u8>) {
    write_row(views, row, out);
    out.extend_from_slice(&ts.to_le_bytes());
}

/// The result columns of slots.
pub(crate) fn results(states: &[Box<dyn GroupStates>], slots: &[u32]) -> Vec<ArrayRef> {
    states.iter().map(|state| state.results(slots)).collect()
}

/// Reads stored states.
pub(crate) struct StateReader {
    rows: RowReader,
    ts: Vec<i64>,
}

impl StateReader {
    pub(crate) fn push(&mut self, value: &[u8]) -> Result<(), EngineError> {
        let rest = self.rows.read(value)?;
        self.ts.push(timestamp(rest)?);
        Ok(())
    }

    /// The state columns and the timestamps.
    pub(crate) fn finish(mut self) -> Result<(Vec<ArrayRef>, Vec<i64>), EngineError> {
        Ok((self.rows.finish()?, self.ts))
    }
}

/// Bytes of a slot besides its key and states: index, timestamp, marks.
const SLOT_BYTES: usize = 18;

/// See the module.
pub(crate) struct Groups {
    layout: StateLayout,
    store: usize,
    pub(crate) states: Vec<Box<dyn GroupStates>>,
    index: HashTable<u32>,
    hasher: ahash::RandomState,
    keys: Keys,
    /// Greatest timestamp of each slot.
    pub(crate) ts: Vec<i64>,
    /// Whether the group of each slot is stored (or was updated).
    pub(crate) exists: Vec<bool>,
    dirty: Vec<bool>,
    dirty_slots: Vec<u32>,
    /// Whether keys begin with the start of a window.
    windowed: bool,
    /// See the module; `None`: not known.
    complete_from: Option<i64>,
    share: Share,
}

impl Groups {
    pub(crate) fn new(layout: StateLayout, store: usize, windowed: bool) -> Self {
        Self {
            states: layout.states(),
            layout,
            store,
            windowed,
            complete_from: None,
            share: Share::default(),
            index: HashTable::new(),
            hasher: ahash::RandomState::with_seeds(1, 2, 3, 4),
            keys: Keys::default(),
            ts: Vec::new(),
            exists: Vec::new(),
            dirty: Vec::new(),
            dirty_slots: Vec::new(),
        }
    }

    /// The slot of each key; those not in memory are loaded.
    pub(crate) fn slots(
        &mut self,
        keys: &Keys,
        ctx: &mut Context<'_>,
    ) -> Result<Vec<u32>, EngineError> {
        let mut slots = Vec::with_capacity(keys.len());
        let first_new = self.ts.len();
        for row in 0..keys.len() {
            let key = keys.get(row);
            let hash = self.hasher.hash_one(key);
            let held = &self.keys;
            if let Some(slot) = self
                .index
                .find(hash, |slot| held.get(*slot as usize) == key)
            {
                slots.push(*slot);
                continue;
            }
            let slot = self.ts.len() as u32;
            self.keys.push_bytes(key);
            let (held, hasher) = (&self.keys, &self.hasher);
            self.index
                .insert_unique(hash, slot, |slot| hasher.hash_one(held.get(*slot as usize)));
            self.ts.push(-1);
            self.exists.push(false);
            self.dirty.push(false);
            slots.push(slot);
        }
        if self.ts.len() > first_new {
            self.load(first_new, ctx)?;
        }
        Ok(slots)
    }

    fn load(&mut self, first: usize, ctx: &mut Context<'_>) -> Result<(), EngineError> {
        let len = self.ts.len();
        self.states.iter_mut().for_each(|state| state.resize(len));
        let complete_from = self.complete_from(ctx)?;
        let unknown: Vec<usize> = (first..len)
            .filter(|slot| self.start(*slot).is_none_or(|start| start < complete_from))
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let wanted: Vec<&[u8]> = unknown.iter().map(|slot| self.keys.get(*slot)).collect();
        let mut found = Vec::with_capacity(wanted.len());
        ctx.store(self.store)?.get_many(&wanted, &mut found)?;
        let mut reader = self.layout.reader()?;
        let mut loaded = Vec::new();
        for (slot, value) in unknown.into_iter().zip(&found) {
            if let Some(value) = value {
                reader.push(value)?;
                loaded.push(slot as u32);
            }
        }
        if loaded.is_empty() {
            return Ok(());
        }
        let (columns, ts) = reader.finish()?;
        self.layout.load(&mut self.states, &loaded, &columns);
        for (slot, ts) in loaded.iter().zip(ts) {
            self.ts[*slot as usize] = ts;
            self.exists[*slot as usize] = true;
        }
        Ok(())
    }

    /// The window of a slot.
    fn start(&self, slot: usize) -> Option<i64> {
        let start = self.keys.get(slot).first_chunk::<8>()?;
        self.windowed.then(|| from_ordered_i64(*start))
    }

    fn complete_from(&mut self, ctx: &mut Context<'_>) -> Result<i64, EngineError> {
        if !self.windowed {
            return Ok(i64::MAX);
        }
        if let Some(from) = self.complete_from {
            return Ok(from);
        }
        let greatest = ctx.store(self.store)?.upper_bound()?;
        let start = greatest.as_deref().and_then(|key| key.first_chunk::<8>());
        let from = match (start, &greatest) {
            (Some(start), _) => from_ordered_i64(*start).saturating_add(1),
            (None, Some(_)) => i64::MAX,
            (None, None) => i64::MIN,
        };
        self.complete_from = Some(from);
        Ok(from)
    }

    /// Marks a slot as changed.
    pub(crate) fn touch(&mut self, slot: u32) {
        if !self.dirty[slot as usize] {
            self.dirty[slot as usize] = true;
            self.dirty_slots.push(slot);
        }
    }

    /// The result columns of slots.
    pub(crate) fn results(&self, slots: &[u32]) -> Vec<ArrayRef> {
        results(&self.states, slots)
    }

    /// The key bytes of a slot.
    pub(crate) fn key(&self, slot: u32) -> &[u8] {
        self.keys.get(slot as usize)
    }

    /// Writes changed slots to the store.
    pub(crate) fn write(&mut self, ctx: &mut Context<'_>) -> Result<(), EngineError> {
        if self.dirty_slots.is_empty() {
            return Ok(());
        }
        let slots = std::mem::take(&mut self.dirty_slots);
        let columns = self.layout.save(&self.states, &slots);
        let views = ColumnView::all(&columns)?;
        let store = ctx.store(self.store)?;
        let mut value = Vec::new();
        for (row, slot) in slots.iter().enumerate() {
            let index = *slot as usize;
            self.dirty[index] = false;
            if self.exists[index] {
                value.clear();
                write_state(&views, row, self.ts[index], &mut value);
                store.put(self.keys.get(index), Some(&value), self.ts[index])?;
            }
        }
        Ok(())
    }

    /// Forgets slots if they take too much memory. Only right after [`Self::write`].
    pub(crate) fn trim(&mut self, budget: &MemoryBudget) -> Result<(), EngineError> {
        let bytes = self.bytes();
        if !self.share.set(bytes, budget) {
            return Ok(());
        }
        let per_slot = (bytes / self.ts.len().max(1)).max(1);
        // Rows in order touch the last windows only, and what stays is copied.
        let quarter = self.latest(bytes / 4 / per_slot);
        let (from, kept) = match quarter.1.is_empty() {
            true => self.latest(bytes / 2 / per_slot),
            false => quarter,
        };
        let columns = self.layout.save(&self.states, &kept);
        let mut fresh = Self::new(self.layout.clone(), self.store, self.windowed);
        fresh.complete_from = from;
        for slot in &kept {
            let index = *slot as usize;
            let key = self.keys.get(index);
            let hash = fresh.hasher.hash_one(key);
            let (held, hasher) = (&fresh.keys, &fresh.hasher);
            fresh
                .index
                .insert_unique(hash, fresh.ts.len() as u32, |slot| {
                    hasher.hash_one(held.get(*slot as usize))
                });
            fresh.keys.push_bytes(key);
            fresh.ts.push(self.ts[index]);
            fresh.exists.push(self.exists[index]);
            fresh.dirty.push(false);
        }
        if !kept.is_empty() {
            let slots: Vec<u32> = (0..kept.len() as u32).collect();
            fresh
                .states
                .iter_mut()
                .for_each(|state| state.resize(kept.len()));
            self.layout.load(&mut fresh.states, &slots, &columns);
        }
        fresh.share = std::mem::take(&mut self.share);
        *self = fresh;
        let bytes = self.bytes();
        self.share.set(bytes, budget);
        Ok(())
    }

    /// The slots of the last windows, `most` of them at most, and the first of these windows.
    fn latest(&self, most: usize) -> (Option<i64>, Vec<u32>) {
        let mut sizes: BTreeMap<i64, usize> = BTreeMap::new();
        for start in (0..self.ts.len()).filter_map(|slot| self.start(slot)) {
            *sizes.entry(start).or_default() += 1;
        }
        let mut total = 0;
        let mut first = i64::MAX;
        for (start, size) in sizes.iter().rev() {
            total += size;
            if total > most {
                break;
            }
            first = *start;
        }
        if first == i64::MAX {
            // Not even the last window: the store knows where the next one begins.
            return (None, Vec::new());
        }
        let kept = (0..self.ts.len() as u32)
            .filter(|slot| {
                self.start(*slot as usize)
                    .is_some_and(|start| start >= first)
            })
            .collect();
        (self.complete_from.map(|from| from.max(first)), kept)
    }

    /// Forgets everything.
    pub(crate) fn forget(&mut self) {
        *self = Self::new(self.layout.clone(), self.store, self.windowed);
    }

    fn bytes(&self) -> usize {
        let states: usize = self.states.iter().map(|state| state.memory()).sum();
        states + self.keys.bytes() + self.ts.len() * SLOT_BYTES
    }

    /// Bytes of so many groups, roughly.
    pub(crate) fn bytes_of(&self, groups: usize) -> usize {
        if groups == 0 {
            return 0;
        }
        let held: usize = self.states.iter().map(|state| state.memory()).sum();
        (held / self.ts.len().max(1) + 64) * groups
    }
}
