//! COUNT_DISTINCT: a HyperLogLog estimate, equal to ksqlDB's.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, Int64Array};
use weir_types::SqlType;

use crate::aggregate::GroupStates;
use crate::convert::write_element;
use crate::value::Value;

use super::hyperloglog::{Sketch, hash_bytes, hash_long};
use super::slots::value_at;

/// One sketch per slot.
pub(super) struct Distincts {
    sql_type: SqlType,
    sketches: Vec<Sketch>,
}

impl Distincts {
    /// States over values of `sql_type`.
    pub(super) fn new(sql_type: SqlType) -> Self {
        Self {
            sql_type,
            sketches: Vec::new(),
        }
    }
}

/// The hash of a value: numbers by their bits, everything else by its text in Java.
fn hash(value: &Value, sql_type: &SqlType) -> Option<u32> {
    Some(match value {
        Value::Null => return None,
        Value::Integer(v) => hash_long(i64::from(*v)),
        Value::Bigint(v) => hash_long(*v),
        Value::Double(v) => hash_long(v.to_bits() as i64),
        Value::String(text) => hash_bytes(text.as_bytes()),
        other => {
            let mut text = String::new();
            write_element(other, sql_type, &mut text);
            hash_bytes(text.as_bytes())
        }
    })
}

impl GroupStates for Distincts {
    fn resize(&mut self, len: usize) {
        self.sketches.resize_with(len, Sketch::default);
    }

    fn reset(&mut self, slot: usize) {
        self.sketches[slot] = Sketch::default();
    }

    fn load(&mut self, slots: &[u32], state: &[ArrayRef]) {
        let bytes = state[0].as_binary::<i32>();
        for (i, slot) in slots.iter().enumerate() {
            self.sketches[*slot as usize] = Sketch::read(bytes.value(i));
        }
    }

    fn save(&self, slots: &[u32]) -> Vec<ArrayRef> {
        let mut out = BinaryBuilder::with_capacity(slots.len(), slots.len() * 64);
        let mut bytes = Vec::new();
        for slot in slots {
            bytes.clear();
            self.sketches[*slot as usize].write(&mut bytes);
            out.append_value(&bytes);
        }
        vec![Arc::new(out.finish())]
    }

    fn update(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        let column = &args[0];
        for (slot, row) in slots.iter().zip(rows) {
            let (slot, row) = (*slot as usize, *row as usize);
            if column.is_null(row) {
                continue;
            }
            let hash = match column.as_string_opt::<i32>() {
                Some(texts) => Some(hash_bytes(texts.value(row).as_bytes())),
                None => hash(&value_at(column, row), &self.sql_type),
            };
            if let Some(hash) = hash {
                self.sketches[slot].add(hash);
            }
        }
    }

    fn undo(&mut self, _slots: &[u32], _rows: &[u32], _args: &[ArrayRef]) {}

    fn merge(&mut self, into: usize, from: usize) {
        let other = std::mem::take(&mut self.sketches[from]);
        self.sketches[into].merge(&other);
        self.sketches[from] = other;
    }

    fn results(&self, slots: &[u32]) -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(
            slots
                .iter()
                .map(|slot| self.sketches[*slot as usize].estimate()),
        ))
    }

    fn memory(&self) -> usize {
        self.sketches.iter().map(Sketch::memory).sum()
    }
}
