//! SUM_LIST: the sum of all elements of all arrays.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};

use crate::aggregate::GroupStates;

use super::slots;
use super::sum::Summable;

/// The sum so far, from 0.
pub(super) struct ListSums<T: Summable> {
    sums: Vec<T::Native>,
}

impl<T: Summable> Default for ListSums<T> {
    fn default() -> Self {
        Self { sums: Vec::new() }
    }
}

impl<T: Summable> ListSums<T> {
    fn change(
        &mut self,
        slots: &[u32],
        rows: &[u32],
        args: &[ArrayRef],
        change: fn(T::Native, T::Native) -> T::Native,
    ) {
        let lists = args[0].as_list::<i32>();
        let items = lists.values().as_primitive::<T>();
        let offsets = lists.value_offsets();
        for (slot, row) in slots.iter().zip(rows) {
            let row = *row as usize;
            if lists.is_null(row) {
                continue;
            }
            let sum = &mut self.sums[*slot as usize];
            for item in offsets[row] as usize..offsets[row + 1] as usize {
                if items.is_valid(item) {
                    *sum = change(*sum, items.value(item));
                }
            }
        }
    }
}

impl<T: Summable> GroupStates for ListSums<T> {
    fn resize(&mut self, len: usize) {
        self.sums.resize(len, T::Native::default());
    }

    fn reset(&mut self, slot: usize) {
        self.sums[slot] = T::Native::default();
    }

    fn load(&mut self, slots: &[u32], state: &[ArrayRef]) {
        slots::load_primitive::<T>(&mut self.sums, slots, state[0].as_primitive());
    }

    fn save(&self, slots: &[u32]) -> Vec<ArrayRef> {
        vec![self.results(slots)]
    }

    fn update(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        self.change(slots, rows, args, T::add);
    }

    fn undo(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        self.change(slots, rows, args, T::sub);
    }

    fn merge(&mut self, into: usize, from: usize) {
        self.sums[into] = T::add(self.sums[into], self.sums[from]);
    }

    fn results(&self, slots: &[u32]) -> ArrayRef {
        Arc::new(PrimitiveArray::<T>::from_iter_values(slots::pick(
            &self.sums, slots,
        )))
    }

    fn memory(&self) -> usize {
        self.sums.capacity() * size_of::<T::Native>()
    }
}
