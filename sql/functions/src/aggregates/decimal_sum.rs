//! SUM over DECIMAL: exact; a sum that outgrows the declared precision stops the query.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal256Array};
use arrow::datatypes::{DataType, Decimal256Type, i256};

use crate::aggregate::GroupStates;

use super::slots;

/// The unscaled sum so far, from 0.
pub(super) struct DecimalSums {
    sums: Vec<i256>,
    data_type: DataType,
    /// The least magnitude that does not fit: 10^precision.
    limit: i256,
    overflown: bool,
}

impl DecimalSums {
    /// Sums of the Arrow type `data_type`, a `Decimal256`.
    pub(super) fn new(data_type: DataType) -> Self {
        let precision = match data_type {
            DataType::Decimal256(precision, _) => u32::from(precision),
            _ => 0,
        };
        // 10^76 is below the greatest i256, so no allowed precision overflows here.
        let limit = i256::from_i128(10).wrapping_pow(precision);
        Self {
            sums: Vec::new(),
            data_type,
            limit,
            overflown: false,
        }
    }

    fn change(
        &mut self,
        slots: &[u32],
        rows: &[u32],
        args: &[ArrayRef],
        change: fn(i256, i256) -> Option<i256>,
    ) {
        let (sums, limit, overflown) = (&mut self.sums, self.limit, &mut self.overflown);
        slots::for_each_valid::<Decimal256Type>(
            slots,
            rows,
            args[0].as_primitive(),
            |slot, value| {
                match change(sums[slot], value) {
                    Some(sum) if sum < limit && sum > limit.wrapping_neg() => sums[slot] = sum,
                    _ => *overflown = true,
                };
            },
        );
    }
}

impl GroupStates for DecimalSums {
    fn resize(&mut self, len: usize) {
        self.sums.resize(len, i256::ZERO);
    }

    fn reset(&mut self, slot: usize) {
        self.sums[slot] = i256::ZERO;
    }

    fn load(&mut self, slots: &[u32], state: &[ArrayRef]) {
        slots::load_primitive::<Decimal256Type>(&mut self.sums, slots, state[0].as_primitive());
    }

    fn save(&self, slots: &[u32]) -> Vec<ArrayRef> {
        vec![self.results(slots)]
    }

    fn update(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        self.change(slots, rows, args, i256::checked_add);
    }

    fn undo(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        self.change(slots, rows, args, i256::checked_sub);
    }

    fn merge(&mut self, into: usize, from: usize) {
        match self.sums[into].checked_add(self.sums[from]) {
            Some(sum) if sum < self.limit && sum > self.limit.wrapping_neg() => {
                self.sums[into] = sum;
            }
            _ => self.overflown = true,
        }
    }

    fn results(&self, slots: &[u32]) -> ArrayRef {
        let sums = Decimal256Array::from_iter_values(slots::pick(&self.sums, slots));
        Arc::new(sums.with_data_type(self.data_type.clone()))
    }

    fn failure(&self) -> Option<String> {
        self.overflown.then(|| {
            let (precision, scale) = match self.data_type {
                DataType::Decimal256(precision, scale) => (precision, scale),
                _ => (0, 0),
            };
            format!(
                "Numeric field overflow: a sum does not fit DECIMAL({precision}, {scale}). \
                 Cast the argument of SUM to a wider DECIMAL."
            )
        })
    }

    fn memory(&self) -> usize {
        self.sums.capacity() * size_of::<i256>()
    }
}
