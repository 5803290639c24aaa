//! EARLIEST_BY_OFFSET and LATEST_BY_OFFSET: the first or last values in order of processing.
//!
//! Each kept value carries the number of its turn, so that merged sessions know which of their
//! values came first. Turns count over all groups of a task and go on behind the greatest that
//! was loaded.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::Int64Type;
use weir_types::SqlType;

use crate::aggregate::GroupStates;
use crate::value::Value;

use super::slots::{column_of, items, value_at, value_memory};

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    /// The last values instead of the first.
    pub(super) latest: bool,
    /// NULL does not count as a value.
    pub(super) ignore_nulls: bool,
}

/// One value per slot.
pub(super) struct OneByOffset {
    rule: Rule,
    sql_type: SqlType,
    next_turn: i64,
    kept: Vec<Option<(i64, Value)>>,
}

impl OneByOffset {
    /// States over values of `sql_type`.
    pub(super) fn new(rule: Rule, sql_type: SqlType) -> Self {
        Self {
            rule,
            sql_type,
            next_turn: 0,
            kept: Vec::new(),
        }
    }
}

impl GroupStates for OneByOffset {
    fn resize(&mut self, len: usize) {
        self.kept.resize(len, None);
    }

    fn reset(&mut self, slot: usize) {
        self.kept[slot] = None;
    }

    fn load(&mut self, slots: &[u32], state: &[ArrayRef]) {
        let turns = state[0].as_primitive::<Int64Type>();
        for (i, slot) in slots.iter().enumerate() {
            self.kept[*slot as usize] = turns.is_valid(i).then(|| {
                let turn = turns.value(i);
                self.next_turn = self.next_turn.max(turn + 1);
                (turn, value_at(&state[1], i))
            });
        }
    }

    fn save(&self, slots: &[u32]) -> Vec<ArrayRef> {
        let turns = slots
            .iter()
            .map(|slot| self.kept[*slot as usize].as_ref().map(|kept| kept.0));
        vec![Arc::new(Int64Array::from_iter(turns)), self.results(slots)]
    }

    fn update(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        let column = &args[0];
        for (slot, row) in slots.iter().zip(rows) {
            let (slot, row) = (*slot as usize, *row as usize);
            let turn = self.next_turn;
            self.next_turn += 1;
            if (self.rule.ignore_nulls && column.is_null(row))
                || (!self.rule.latest && self.kept[slot].is_some())
            {
                continue;
            }
            self.kept[slot] = Some((turn, value_at(column, row)));
        }
    }

    fn undo(&mut self, _slots: &[u32], _rows: &[u32], _args: &[ArrayRef]) {}

    fn merge(&mut self, into: usize, from: usize) {
        let Some((turn, _)) = &self.kept[from] else {
            return;
        };
        let replaces = match &self.kept[into] {
            None => true,
            Some((kept, _)) if self.rule.latest => turn >= kept,
            Some((kept, _)) => turn < kept,
        };
        if replaces {
            self.kept[into] = self.kept[from].clone();
        }
    }

    fn results(&self, slots: &[u32]) -> ArrayRef {
        let values: Vec<Value> = slots
            .iter()
            .map(|slot| match &self.kept[*slot as usize] {
                Some((_, value)) => value.clone(),
                None => Value::Null,
            })
            .collect();
        column_of(&self.sql_type, &values)
    }

    fn memory(&self) -> usize {
        self.kept
            .iter()
            .flatten()
            .map(|(_, value)| size_of::<i64>() + value_memory(value))
            .sum()
    }
}

/// Up to `limit` values per slot, oldest first.
pub(super) struct SomeByOffset {
    rule: Rule,
    limit: usize,
    item_type: SqlType,
    next_turn: i64,
    kept: Vec<Vec<(i64, Value)>>,
}

impl SomeByOffset {
    /// States over values of `item_type`.
    pub(super) fn new(rule: Rule, limit: usize, item_type: SqlType) -> Self {
        Self {
            rule,
            limit,
            item_type,
            next_turn: 0,
            kept: Vec::new(),
        }
    }

    /// Drops what is beyond the limit.
    fn trim(rule: Rule, limit: usize, kept: &mut Vec<(i64, Value)>) {
        let excess = kept.len().saturating_sub(limit);
        if rule.latest {
            kept.drain(..excess);
        } else {
            kept.truncate(limit);
        }
    }
}

impl GroupStates for SomeByOffset {
    fn resize(&mut self, len: usize) {
        self.kept.resize(len, Vec::new());
    }

    fn reset(&mut self, slot: usize) {
        self.kept[slot].clear();
    }

    fn load(&mut self, slots: &[u32], state: &[ArrayRef]) {
        let turns = state[0].as_list::<i32>();
        for (i, slot) in slots.iter().enumerate() {
            let turns = turns.value(i);
            let turns = turns.as_primitive::<Int64Type>().values();
            if let Some(last) = turns.iter().max() {
                self.next_turn = self.next_turn.max(last + 1);
            }
            let values = items(value_at(&state[1], i));
            self.kept[*slot as usize] = turns.iter().copied().zip(values).collect();
        }
    }

    fn save(&self, slots: &[u32]) -> Vec<ArrayRef> {
        let turns: Vec<Value> = slots
            .iter()
            .map(|slot| {
                let kept = &self.kept[*slot as usize];
                Value::Array(kept.iter().map(|(turn, _)| Value::Bigint(*turn)).collect())
            })
            .collect();
        vec![
            column_of(&SqlType::array(SqlType::Bigint), &turns),
            self.results(slots),
        ]
    }

    fn update(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        let column = &args[0];
        for (slot, row) in slots.iter().zip(rows) {
            let row = *row as usize;
            let turn = self.next_turn;
            self.next_turn += 1;
            let kept = &mut self.kept[*slot as usize];
            if (self.rule.ignore_nulls && column.is_null(row))
                || (!self.rule.latest && kept.len() >= self.limit)
            {
                continue;
            }
            kept.push((turn, value_at(column, row)));
            Self::trim(self.rule, self.limit, kept);
        }
    }

    fn undo(&mut self, _slots: &[u32], _rows: &[u32], _args: &[ArrayRef]) {}

    fn merge(&mut self, into: usize, from: usize) {
        let added = self.kept[from].clone();
        let kept = &mut self.kept[into];
        kept.extend(added);
        kept.sort_by_key(|(turn, _)| *turn);
        Self::trim(self.rule, self.limit, kept);
    }

    fn results(&self, slots: &[u32]) -> ArrayRef {
        let values: Vec<Value> = slots
            .iter()
            .map(|slot| {
                let kept = &self.kept[*slot as usize];
                Value::Array(kept.iter().map(|(_, value)| value.clone()).collect())
            })
            .collect();
        column_of(&SqlType::array(self.item_type.clone()), &values)
    }

    fn memory(&self) -> usize {
        self.kept
            .iter()
            .flatten()
            .map(|(_, value)| size_of::<i64>() + value_memory(value))
            .sum()
    }
}
