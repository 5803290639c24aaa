//! SUM over DECIMAL: exact; a sum that outgrows the declared precision stops the query.
//!
//! ksqlDB begins with a zero without fraction, which it writes ([`own_scale`]) if the first value
//! of a group is NULL; from the state store the zero then comes back with the column's scale.
//!
//! ```text
//!  new ──NULL──► zero_as_new (written 0) ──anything──► 0.00, sums
//!   └───────────────value─────────────────────────────► sums
//! ```

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal256Array};
use arrow::datatypes::{DataType, Decimal256Type, i256};

use weir_types::own_scale;

use crate::aggregate::GroupStates;

use super::slots;

/// A sum to which nothing came yet, not even NULL: no decimal and no stand-in.
const NEW: i256 = i256::MIN;

/// The unscaled sum so far.
pub(super) struct DecimalSums {
    sums: Vec<i256>,
    data_type: DataType,
    /// The zero without fraction.
    zero_as_new: i256,
    /// The least magnitude that does not fit: 10^precision.
    limit: i256,
    overflown: bool,
}

impl DecimalSums {
    /// Sums of the Arrow type `data_type`, a `Decimal256`.
    pub(super) fn new(data_type: DataType) -> Self {
        let (precision, scale) = match data_type {
            DataType::Decimal256(precision, scale) => (precision.into(), scale.unsigned_abs()),
            _ => (0, 0),
        };
        // 10^76 is below the greatest i256, so no allowed precision overflows here.
        let limit = i256::from_i128(10).wrapping_pow(precision);
        Self {
            sums: Vec::new(),
            data_type,
            zero_as_new: own_scale::stand_in(i256::ZERO, scale.into()),
            limit,
            overflown: false,
        }
    }

    fn column(&self, slots: &[u32], shown: impl Fn(i256) -> i256) -> ArrayRef {
        let sums = slots::pick(&self.sums, slots).map(shown);
        let sums = Decimal256Array::from_iter_values(sums);
        Arc::new(sums.with_data_type(self.data_type.clone()))
    }

    fn change(
        &mut self,
        slots: &[u32],
        rows: &[u32],
        args: &[ArrayRef],
        change: fn(i256, i256) -> Option<i256>,
    ) {
        let column = args[0].as_primitive::<Decimal256Type>();
        for (slot, row) in slots.iter().zip(rows) {
            let (sum, row) = (&mut self.sums[*slot as usize], *row as usize);
            if column.is_null(row) {
                *sum = if *sum == NEW {
                    self.zero_as_new
                } else {
                    settled(*sum)
                };
                continue;
            }
            match change(settled(*sum), own_scale::plain(column.value(row))) {
                Some(changed) if changed < self.limit && changed > self.limit.wrapping_neg() => {
                    *sum = changed;
                }
                _ => self.overflown = true,
            }
        }
    }
}

/// A sum as it comes back from a store.
fn settled(sum: i256) -> i256 {
    if sum == NEW {
        i256::ZERO
    } else {
        own_scale::plain(sum)
    }
}

impl GroupStates for DecimalSums {
    fn resize(&mut self, len: usize) {
        self.sums.resize(len, NEW);
    }

    fn reset(&mut self, slot: usize) {
        self.sums[slot] = NEW;
    }

    fn load(&mut self, slots: &[u32], state: &[ArrayRef]) {
        slots::load_primitive::<Decimal256Type>(&mut self.sums, slots, state[0].as_primitive());
    }

    fn save(&self, slots: &[u32]) -> Vec<ArrayRef> {
        vec![self.column(slots, settled)]
    }

    fn update(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        self.change(slots, rows, args, i256::checked_add);
    }

    fn undo(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        self.change(slots, rows, args, i256::checked_sub);
    }

    fn merge(&mut self, into: usize, from: usize) {
        if self.sums[from] == NEW {
            return;
        }
        match settled(self.sums[into]).checked_add(settled(self.sums[from])) {
            Some(sum) if sum < self.limit && sum > self.limit.wrapping_neg() => {
                self.sums[into] = sum;
            }
            _ => self.overflown = true,
        }
    }

    fn results(&self, slots: &[u32]) -> ArrayRef {
        self.column(slots, |sum| if sum == NEW { self.zero_as_new } else { sum })
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
