//! COUNT: rows, or values that are not NULL.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::Int64Type;

use crate::aggregate::GroupStates;

use super::slots;

/// One BIGINT per slot.
#[derive(Default)]
pub(super) struct Counts {
    counts: Vec<i64>,
}

impl Counts {
    fn change(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef], by: i64) {
        match args.first().and_then(|arg| arg.nulls()) {
            None => {
                for slot in slots {
                    let count = &mut self.counts[*slot as usize];
                    *count = count.wrapping_add(by);
                }
            }
            Some(nulls) => {
                for (slot, row) in slots.iter().zip(rows) {
                    let counted = i64::from(nulls.is_valid(*row as usize));
                    let count = &mut self.counts[*slot as usize];
                    *count = count.wrapping_add(by * counted);
                }
            }
        }
    }
}

impl GroupStates for Counts {
    fn resize(&mut self, len: usize) {
        self.counts.resize(len, 0);
    }

    fn reset(&mut self, slot: usize) {
        self.counts[slot] = 0;
    }

    fn load(&mut self, slots: &[u32], state: &[ArrayRef]) {
        slots::load_primitive::<Int64Type>(&mut self.counts, slots, state[0].as_primitive());
    }

    fn save(&self, slots: &[u32]) -> Vec<ArrayRef> {
        vec![self.results(slots)]
    }

    fn update(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        self.change(slots, rows, args, 1);
    }

    fn undo(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        self.change(slots, rows, args, -1);
    }

    fn merge(&mut self, into: usize, from: usize) {
        self.counts[into] = self.counts[into].wrapping_add(self.counts[from]);
    }

    fn results(&self, slots: &[u32]) -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(slots::pick(
            &self.counts,
            slots,
        )))
    }

    fn memory(&self) -> usize {
        self.counts.capacity() * size_of::<i64>()
    }
}
