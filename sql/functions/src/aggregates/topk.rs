//! TOPK and TOPKDISTINCT: the greatest values, descending.

use arrow::array::{Array, ArrayRef};
use weir_types::SqlType;

use crate::aggregate::GroupStates;
use crate::value::Value;

use super::slots::{column_of, items, value_at, value_memory};

/// Up to `limit` values per slot, greatest first; equal ones in order of arrival.
///
/// With further columns a value is a struct of the sort column and those, ordered by the first
/// field alone; without, it is the sort column's value.
pub(super) struct Tops {
    limit: usize,
    distinct: bool,
    /// Whether values are structs.
    structs: bool,
    item_type: SqlType,
    tops: Vec<Vec<Value>>,
}

impl Tops {
    /// States over values of `item_type`.
    pub(super) fn new(limit: usize, distinct: bool, structs: bool, item_type: SqlType) -> Self {
        Self {
            limit,
            distinct,
            structs,
            item_type,
            tops: Vec::new(),
        }
    }

    /// What a value is ordered by.
    fn rank<'a>(&self, value: &'a Value) -> &'a Value {
        match value {
            Value::Struct(fields) if self.structs => fields.first().unwrap_or(value),
            _ => value,
        }
    }

    /// Puts `value` into a descending list, behind its equals.
    fn insert(&self, top: &mut Vec<Value>, value: Value) {
        let rank = self.rank(&value);
        let at = top.partition_point(|kept| self.rank(kept) >= rank);
        let equals = at
            .checked_sub(1)
            .is_some_and(|before| self.rank(&top[before]) == rank);
        if at >= self.limit || (self.distinct && equals) {
            return;
        }
        top.insert(at, value);
        top.truncate(self.limit);
    }
}

impl GroupStates for Tops {
    fn resize(&mut self, len: usize) {
        self.tops.resize(len, Vec::new());
    }

    fn reset(&mut self, slot: usize) {
        self.tops[slot].clear();
    }

    fn load(&mut self, slots: &[u32], state: &[ArrayRef]) {
        for (i, slot) in slots.iter().enumerate() {
            self.tops[*slot as usize] = items(value_at(&state[0], i));
        }
    }

    fn save(&self, slots: &[u32]) -> Vec<ArrayRef> {
        vec![self.results(slots)]
    }

    fn update(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        for (slot, row) in slots.iter().zip(rows) {
            let (slot, row) = (*slot as usize, *row as usize);
            if args[0].is_null(row) {
                continue;
            }
            let value = if self.structs {
                Value::Struct(args.iter().map(|arg| value_at(arg, row)).collect())
            } else {
                value_at(&args[0], row)
            };
            let mut top = std::mem::take(&mut self.tops[slot]);
            self.insert(&mut top, value);
            self.tops[slot] = top;
        }
    }

    fn undo(&mut self, _slots: &[u32], _rows: &[u32], _args: &[ArrayRef]) {}

    fn merge(&mut self, into: usize, from: usize) {
        let mut top = std::mem::take(&mut self.tops[into]);
        for value in self.tops[from].clone() {
            self.insert(&mut top, value);
        }
        self.tops[into] = top;
    }

    fn results(&self, slots: &[u32]) -> ArrayRef {
        let values: Vec<Value> = slots
            .iter()
            .map(|slot| Value::Array(self.tops[*slot as usize].clone()))
            .collect();
        column_of(&SqlType::array(self.item_type.clone()), &values)
    }

    fn memory(&self) -> usize {
        self.tops.iter().flatten().map(value_memory).sum()
    }
}
