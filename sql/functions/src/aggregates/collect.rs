//! COLLECT_LIST and COLLECT_SET: values in order of arrival, NULL included.

use arrow::array::ArrayRef;
use indexmap::IndexSet;
use weir_types::SqlType;

use crate::aggregate::GroupStates;
use crate::value::Value;

use super::slots::{column_of, items, value_at, value_memory};

/// COLLECT_LIST: at most `limit` values, later ones are dropped.
pub(super) struct Lists {
    limit: usize,
    item_type: SqlType,
    lists: Vec<Vec<Value>>,
}

impl Lists {
    /// States over values of `item_type`.
    pub(super) fn new(limit: usize, item_type: SqlType) -> Self {
        Self {
            limit,
            item_type,
            lists: Vec::new(),
        }
    }
}

impl GroupStates for Lists {
    fn resize(&mut self, len: usize) {
        self.lists.resize(len, Vec::new());
    }

    fn reset(&mut self, slot: usize) {
        self.lists[slot].clear();
    }

    fn load(&mut self, slots: &[u32], state: &[ArrayRef]) {
        for (i, slot) in slots.iter().enumerate() {
            self.lists[*slot as usize] = items(value_at(&state[0], i));
        }
    }

    fn save(&self, slots: &[u32]) -> Vec<ArrayRef> {
        vec![self.results(slots)]
    }

    fn update(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        for (slot, row) in slots.iter().zip(rows) {
            let list = &mut self.lists[*slot as usize];
            if list.len() < self.limit {
                list.push(value_at(&args[0], *row as usize));
            }
        }
    }

    fn undo(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        for (slot, row) in slots.iter().zip(rows) {
            let value = value_at(&args[0], *row as usize);
            let list = &mut self.lists[*slot as usize];
            if let Some(found) = list.iter().rposition(|kept| *kept == value) {
                list.remove(found);
            }
        }
    }

    fn merge(&mut self, into: usize, from: usize) {
        let room = self.limit.saturating_sub(self.lists[into].len());
        let added: Vec<Value> = self.lists[from].iter().take(room).cloned().collect();
        self.lists[into].extend(added);
    }

    fn results(&self, slots: &[u32]) -> ArrayRef {
        let values: Vec<Value> = slots
            .iter()
            .map(|slot| Value::Array(self.lists[*slot as usize].clone()))
            .collect();
        column_of(&SqlType::array(self.item_type.clone()), &values)
    }

    fn memory(&self) -> usize {
        self.lists.iter().flatten().map(value_memory).sum()
    }
}

/// COLLECT_SET: at most `limit` distinct values, later ones are dropped.
pub(super) struct Sets {
    limit: usize,
    item_type: SqlType,
    sets: Vec<IndexSet<Value, ahash::RandomState>>,
}

impl Sets {
    /// States over values of `item_type`.
    pub(super) fn new(limit: usize, item_type: SqlType) -> Self {
        Self {
            limit,
            item_type,
            sets: Vec::new(),
        }
    }
}

impl GroupStates for Sets {
    fn resize(&mut self, len: usize) {
        self.sets.resize_with(len, IndexSet::default);
    }

    fn reset(&mut self, slot: usize) {
        self.sets[slot].clear();
    }

    fn load(&mut self, slots: &[u32], state: &[ArrayRef]) {
        for (i, slot) in slots.iter().enumerate() {
            self.sets[*slot as usize] = items(value_at(&state[0], i)).into_iter().collect();
        }
    }

    fn save(&self, slots: &[u32]) -> Vec<ArrayRef> {
        vec![self.results(slots)]
    }

    fn update(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        for (slot, row) in slots.iter().zip(rows) {
            let set = &mut self.sets[*slot as usize];
            if set.len() < self.limit {
                set.insert(value_at(&args[0], *row as usize));
            }
        }
    }

    fn undo(&mut self, _slots: &[u32], _rows: &[u32], _args: &[ArrayRef]) {}

    fn merge(&mut self, into: usize, from: usize) {
        let added: Vec<Value> = self.sets[from].iter().cloned().collect();
        let set = &mut self.sets[into];
        for value in added {
            if set.len() >= self.limit {
                return;
            }
            set.insert(value);
        }
    }

    fn results(&self, slots: &[u32]) -> ArrayRef {
        let values: Vec<Value> = slots
            .iter()
            .map(|slot| Value::Array(self.sets[*slot as usize].iter().cloned().collect()))
            .collect();
        column_of(&SqlType::array(self.item_type.clone()), &values)
    }

    fn memory(&self) -> usize {
        self.sets
            .iter()
            .flatten()
            .map(|value| value_memory(value) + 16)
            .sum()
    }
}
