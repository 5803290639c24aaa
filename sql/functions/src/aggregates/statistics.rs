//! STDDEV_SAMP, STDDEV_SAMPLE and CORRELATION.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, Float64Array, Int64Array, PrimitiveArray,
};
use arrow::datatypes::{Float64Type, Int64Type};

use crate::aggregate::GroupStates;

use super::slots;
use super::sum::Summable;

/// Sum, count and the sum of squared distances from the mean.
struct Moments<T: ArrowPrimitiveType> {
    sum: T::Native,
    count: i64,
    squares: f64,
}

impl<T: Summable> Clone for Moments<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Summable> Copy for Moments<T> {}

impl<T: Summable> Default for Moments<T> {
    fn default() -> Self {
        Self {
            sum: T::Native::default(),
            count: 0,
            squares: 0.0,
        }
    }
}

impl<T: Summable> Moments<T> {
    /// What the value that makes `count` values of sum `sum` adds to the squares: the recurrence
    /// of Youngs and Cramer.
    fn share(count: i64, sum: T::Native, value: T::Native) -> f64 {
        if count < 2 {
            return 0.0;
        }
        let distance = T::spread(count, value, sum);
        distance * distance / (count as f64 * (count - 1) as f64)
    }

    fn add(&mut self, value: T::Native) {
        self.count += 1;
        self.sum = T::add(self.sum, value);
        self.squares += Self::share(self.count, self.sum, value);
    }

    fn take(&mut self, value: T::Native) {
        self.squares -= Self::share(self.count, self.sum, value);
        self.count -= 1;
        self.sum = T::sub(self.sum, value);
    }

    fn merge(&mut self, other: Self) {
        if other.count == 0 {
            return;
        }
        if self.count > 0 {
            let (left, right) = (self.count as f64, other.count as f64);
            let distance = T::to_double(self.sum) / left - T::to_double(other.sum) / right;
            self.squares += distance * distance * left * right / (left + right);
        }
        self.squares += other.squares;
        self.count += other.count;
        self.sum = T::add(self.sum, other.sum);
    }

    fn variance(&self) -> f64 {
        if self.count < 2 {
            0.0
        } else {
            self.squares / (self.count - 1) as f64
        }
    }
}

/// STDDEV_SAMPLE, or (without the root) STDDEV_SAMP.
pub(super) struct Deviations<T: Summable> {
    root: bool,
    groups: Vec<Moments<T>>,
}

impl<T: Summable> Deviations<T> {
    /// The deviation if `root`, else its square.
    pub(super) fn new(root: bool) -> Self {
        Self {
            root,
            groups: Vec::new(),
        }
    }
}

impl<T: Summable> GroupStates for Deviations<T> {
    fn resize(&mut self, len: usize) {
        self.groups.resize(len, Moments::default());
    }

    fn reset(&mut self, slot: usize) {
        self.groups[slot] = Moments::default();
    }

    fn load(&mut self, slots: &[u32], state: &[ArrayRef]) {
        let sums = state[0].as_primitive::<T>().values();
        let counts = state[1].as_primitive::<Int64Type>().values();
        let squares = state[2].as_primitive::<Float64Type>().values();
        for (i, slot) in slots.iter().enumerate() {
            self.groups[*slot as usize] = Moments {
                sum: sums[i],
                count: counts[i],
                squares: squares[i],
            };
        }
    }

    fn save(&self, slots: &[u32]) -> Vec<ArrayRef> {
        let groups = || slots::pick(&self.groups, slots);
        vec![
            Arc::new(PrimitiveArray::<T>::from_iter_values(
                groups().map(|group| group.sum),
            )),
            Arc::new(Int64Array::from_iter_values(
                groups().map(|group| group.count),
            )),
            Arc::new(Float64Array::from_iter_values(
                groups().map(|group| group.squares),
            )),
        ]
    }

    fn update(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        let groups = &mut self.groups;
        slots::for_each_valid::<T>(slots, rows, args[0].as_primitive(), |slot, value| {
            groups[slot].add(value);
        });
    }

    fn undo(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        let groups = &mut self.groups;
        slots::for_each_valid::<T>(slots, rows, args[0].as_primitive(), |slot, value| {
            groups[slot].take(value);
        });
    }

    fn merge(&mut self, into: usize, from: usize) {
        let other = self.groups[from];
        self.groups[into].merge(other);
    }

    fn results(&self, slots: &[u32]) -> ArrayRef {
        let result = |group: Moments<T>| {
            if self.root {
                group.variance().sqrt()
            } else {
                group.variance()
            }
        };
        Arc::new(Float64Array::from_iter_values(
            slots::pick(&self.groups, slots).map(result),
        ))
    }

    fn memory(&self) -> usize {
        self.groups.capacity() * size_of::<Moments<T>>()
    }
}

/// Count and sums of x, y, x², y² and xy.
#[derive(Debug, Clone, Copy, Default)]
struct Products {
    count: i64,
    /// x, y, x², y², xy.
    sums: [f64; 5],
}

impl Products {
    fn change(&mut self, x: f64, y: f64, sign: f64) {
        for (sum, term) in self.sums.iter_mut().zip([x, y, x * x, y * y, x * y]) {
            *sum += sign * term;
        }
    }

    fn correlation(&self) -> f64 {
        let n = self.count as f64;
        let [x, y, xx, yy, xy] = self.sums;
        (n * xy - x * y) / ((n * xx - x * x) * (n * yy - y * y)).sqrt()
    }
}

/// CORRELATION: Pearson's coefficient of the pairs without NULL.
pub(super) struct Correlations<T: Summable> {
    groups: Vec<Products>,
    kind: PhantomData<fn() -> T>,
}

impl<T: Summable> Default for Correlations<T> {
    fn default() -> Self {
        Self {
            groups: Vec::new(),
            kind: PhantomData,
        }
    }
}

impl<T: Summable> Correlations<T> {
    fn change(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef], by: i64) {
        let (xs, ys) = (args[0].as_primitive::<T>(), args[1].as_primitive::<T>());
        for (slot, row) in slots.iter().zip(rows) {
            let row = *row as usize;
            if xs.is_null(row) || ys.is_null(row) {
                continue;
            }
            let group = &mut self.groups[*slot as usize];
            group.count += by;
            group.change(
                T::to_double(xs.value(row)),
                T::to_double(ys.value(row)),
                by as f64,
            );
        }
    }
}

impl<T: Summable> GroupStates for Correlations<T> {
    fn resize(&mut self, len: usize) {
        self.groups.resize(len, Products::default());
    }

    fn reset(&mut self, slot: usize) {
        self.groups[slot] = Products::default();
    }

    fn load(&mut self, slots: &[u32], state: &[ArrayRef]) {
        let counts = state[0].as_primitive::<Int64Type>().values();
        for (i, slot) in slots.iter().enumerate() {
            let group = &mut self.groups[*slot as usize];
            group.count = counts[i];
            for (sum, column) in group.sums.iter_mut().zip(&state[1..]) {
                *sum = column.as_primitive::<Float64Type>().value(i);
            }
        }
    }

    fn save(&self, slots: &[u32]) -> Vec<ArrayRef> {
        let groups = || slots::pick(&self.groups, slots);
        let mut columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from_iter_values(
            groups().map(|group| group.count),
        ))];
        for i in 0..5 {
            columns.push(Arc::new(Float64Array::from_iter_values(
                groups().map(|group| group.sums[i]),
            )));
        }
        columns
    }

    fn update(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        self.change(slots, rows, args, 1);
    }

    fn undo(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        self.change(slots, rows, args, -1);
    }

    fn merge(&mut self, into: usize, from: usize) {
        let other = self.groups[from];
        let group = &mut self.groups[into];
        group.count += other.count;
        for (sum, added) in group.sums.iter_mut().zip(other.sums) {
            *sum += added;
        }
    }

    fn results(&self, slots: &[u32]) -> ArrayRef {
        let values = slots::pick(&self.groups, slots).map(|group| group.correlation());
        Arc::new(Float64Array::from_iter_values(values))
    }

    fn memory(&self) -> usize {
        self.groups.capacity() * size_of::<Products>()
    }
}
