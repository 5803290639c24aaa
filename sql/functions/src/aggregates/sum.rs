//! SUM, SUM_LIST and AVG over INTEGER, BIGINT and DOUBLE.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, Float64Array, Int64Array, PrimitiveArray,
};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};

use crate::aggregate::GroupStates;

use super::slots;

/// A type whose values can be added up: integers wrap around.
pub(super) trait Summable: ArrowPrimitiveType {
    /// `left + right`.
    fn add(left: Self::Native, right: Self::Native) -> Self::Native;
    /// `left - right`.
    fn sub(left: Self::Native, right: Self::Native) -> Self::Native;
    /// The nearest double.
    fn to_double(value: Self::Native) -> f64;
    /// `count * value - sum`, computed in 64 bits by integers, as a double.
    fn spread(count: i64, value: Self::Native, sum: Self::Native) -> f64;
}

macro_rules! summable_integer {
    ($data_type:ty) => {
        impl Summable for $data_type {
            fn add(left: Self::Native, right: Self::Native) -> Self::Native {
                left.wrapping_add(right)
            }
            fn sub(left: Self::Native, right: Self::Native) -> Self::Native {
                left.wrapping_sub(right)
            }
            fn to_double(value: Self::Native) -> f64 {
                value as f64
            }
            fn spread(count: i64, value: Self::Native, sum: Self::Native) -> f64 {
                count
                    .wrapping_mul(i64::from(value))
                    .wrapping_sub(i64::from(sum)) as f64
            }
        }
    };
}

summable_integer!(Int32Type);
summable_integer!(Int64Type);

impl Summable for Float64Type {
    fn add(left: f64, right: f64) -> f64 {
        left + right
    }
    fn sub(left: f64, right: f64) -> f64 {
        left - right
    }
    fn to_double(value: f64) -> f64 {
        value
    }
    fn spread(count: i64, value: f64, sum: f64) -> f64 {
        count as f64 * value - sum
    }
}

/// Where the numbers to add up lie in an argument.
pub(super) trait Addends: Send + 'static {
    /// Calls `add` with slot and number, in order; NULLs are skipped.
    fn each<T: Summable>(
        slots: &[u32],
        rows: &[u32],
        column: &ArrayRef,
        add: impl FnMut(usize, T::Native),
    );
}

/// The values of a column: SUM.
pub(super) struct Values;

impl Addends for Values {
    fn each<T: Summable>(
        slots: &[u32],
        rows: &[u32],
        column: &ArrayRef,
        add: impl FnMut(usize, T::Native),
    ) {
        slots::for_each_valid::<T>(slots, rows, column.as_primitive(), add);
    }
}

/// The elements of a column of arrays: SUM_LIST.
pub(super) struct Elements;

impl Addends for Elements {
    fn each<T: Summable>(
        slots: &[u32],
        rows: &[u32],
        column: &ArrayRef,
        mut add: impl FnMut(usize, T::Native),
    ) {
        let lists = column.as_list::<i32>();
        let items = lists.values().as_primitive::<T>();
        let offsets = lists.value_offsets();
        for (slot, row) in slots.iter().zip(rows) {
            let row = *row as usize;
            if lists.is_null(row) {
                continue;
            }
            for item in offsets[row] as usize..offsets[row + 1] as usize {
                if items.is_valid(item) {
                    add(*slot as usize, items.value(item));
                }
            }
        }
    }
}

/// The sum so far, from 0.
pub(super) struct Sums<T: Summable, A: Addends> {
    sums: Vec<T::Native>,
    addends: PhantomData<A>,
}

impl<T: Summable, A: Addends> Default for Sums<T, A> {
    fn default() -> Self {
        Self {
            sums: Vec::new(),
            addends: PhantomData,
        }
    }
}

impl<T: Summable, A: Addends> GroupStates for Sums<T, A> {
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
        let sums = &mut self.sums;
        A::each::<T>(slots, rows, &args[0], |slot, value| {
            sums[slot] = T::add(sums[slot], value);
        });
    }

    fn undo(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        let sums = &mut self.sums;
        A::each::<T>(slots, rows, &args[0], |slot, value| {
            sums[slot] = T::sub(sums[slot], value);
        });
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

/// AVG: a sum of the argument's type (integers wrap, as ksqlDB's do) and a count.
pub(super) struct Averages<T: Summable> {
    groups: Vec<(T::Native, i64)>,
}

impl<T: Summable> Default for Averages<T> {
    fn default() -> Self {
        Self { groups: Vec::new() }
    }
}

impl<T: Summable> GroupStates for Averages<T> {
    fn resize(&mut self, len: usize) {
        self.groups.resize(len, Default::default());
    }

    fn reset(&mut self, slot: usize) {
        self.groups[slot] = Default::default();
    }

    fn load(&mut self, slots: &[u32], state: &[ArrayRef]) {
        let sums = state[0].as_primitive::<T>().values();
        let counts = state[1].as_primitive::<Int64Type>().values();
        for (i, slot) in slots.iter().enumerate() {
            self.groups[*slot as usize] = (sums[i], counts[i]);
        }
    }

    fn save(&self, slots: &[u32]) -> Vec<ArrayRef> {
        let groups = || slots::pick(&self.groups, slots);
        vec![
            Arc::new(PrimitiveArray::<T>::from_iter_values(
                groups().map(|(sum, _)| sum),
            )),
            Arc::new(Int64Array::from_iter_values(
                groups().map(|(_, count)| count),
            )),
        ]
    }

    fn update(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        let groups = &mut self.groups;
        slots::for_each_valid::<T>(slots, rows, args[0].as_primitive(), |slot, value| {
            let (sum, count) = &mut groups[slot];
            *sum = T::add(*sum, value);
            *count += 1;
        });
    }

    fn undo(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        let groups = &mut self.groups;
        slots::for_each_valid::<T>(slots, rows, args[0].as_primitive(), |slot, value| {
            let (sum, count) = &mut groups[slot];
            *sum = T::sub(*sum, value);
            *count -= 1;
        });
    }

    fn merge(&mut self, into: usize, from: usize) {
        let (sum, count) = self.groups[from];
        let target = &mut self.groups[into];
        *target = (T::add(target.0, sum), target.1 + count);
    }

    fn results(&self, slots: &[u32]) -> ArrayRef {
        let average = |(sum, count)| {
            if count == 0 {
                0.0
            } else {
                T::to_double(sum) / count as f64
            }
        };
        Arc::new(Float64Array::from_iter_values(
            slots::pick(&self.groups, slots).map(average),
        ))
    }

    fn memory(&self) -> usize {
        self.groups.capacity() * size_of::<(T::Native, i64)>()
    }
}
