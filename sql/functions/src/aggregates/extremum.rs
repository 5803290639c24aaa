//! MIN and MAX in Java's order of the type; NULLs are skipped.

use std::cmp::Ordering;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, PrimitiveArray, StringArray,
};
use arrow::datatypes::{
    DataType, Date32Type, Decimal256Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType, i256,
};
use weir_types::own_scale;

use crate::aggregate::GroupStates;
use crate::value::{compare_bytes, compare_doubles};

use super::slots;

/// A fixed-width type with Java's order.
pub(super) trait Ranked: ArrowPrimitiveType {
    /// Whether `left` comes before `right`.
    fn less(left: Self::Native, right: Self::Native) -> bool;
}

macro_rules! ranked {
    ($($data_type:ty),*) => {$(
        impl Ranked for $data_type {
            fn less(left: Self::Native, right: Self::Native) -> bool {
                left < right
            }
        }
    )*};
}

ranked!(
    Int32Type,
    Int64Type,
    Date32Type,
    Time32MillisecondType,
    TimestampMillisecondType
);

/// The extreme keeps the scale that it came with.
impl Ranked for Decimal256Type {
    fn less(left: i256, right: i256) -> bool {
        own_scale::plain(left) < own_scale::plain(right)
    }
}

impl Ranked for Float64Type {
    fn less(left: f64, right: f64) -> bool {
        compare_doubles(left, right) == Ordering::Less
    }
}

/// MIN or MAX of a fixed-width type.
pub(super) struct PrimitiveExtremes<T: Ranked, const MAX: bool> {
    best: Vec<Option<T::Native>>,
    data_type: DataType,
}

impl<T: Ranked, const MAX: bool> PrimitiveExtremes<T, MAX> {
    /// Extremes of columns of the Arrow type `data_type`.
    pub(super) fn new(data_type: DataType) -> Self {
        Self {
            best: Vec::new(),
            data_type,
        }
    }

    fn better(value: T::Native, kept: T::Native) -> bool {
        if MAX {
            T::less(kept, value)
        } else {
            T::less(value, kept)
        }
    }
}

impl<T: Ranked, const MAX: bool> GroupStates for PrimitiveExtremes<T, MAX> {
    fn resize(&mut self, len: usize) {
        self.best.resize(len, None);
    }

    fn reset(&mut self, slot: usize) {
        self.best[slot] = None;
    }

    fn load(&mut self, slots: &[u32], state: &[ArrayRef]) {
        let column = state[0].as_primitive::<T>();
        for (i, slot) in slots.iter().enumerate() {
            self.best[*slot as usize] = column.is_valid(i).then(|| column.value(i));
        }
    }

    fn save(&self, slots: &[u32]) -> Vec<ArrayRef> {
        vec![self.results(slots)]
    }

    fn update(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        let best = &mut self.best;
        slots::for_each_valid::<T>(slots, rows, args[0].as_primitive(), |slot, value| {
            let kept = &mut best[slot];
            if kept.is_none_or(|kept| Self::better(value, kept)) {
                *kept = Some(value);
            }
        });
    }

    fn undo(&mut self, _slots: &[u32], _rows: &[u32], _args: &[ArrayRef]) {}

    fn merge(&mut self, into: usize, from: usize) {
        if let Some(value) = self.best[from]
            && self.best[into].is_none_or(|kept| Self::better(value, kept))
        {
            self.best[into] = Some(value);
        }
    }

    fn results(&self, slots: &[u32]) -> ArrayRef {
        let values = PrimitiveArray::<T>::from_iter(slots::pick(&self.best, slots));
        Arc::new(values.with_data_type(self.data_type.clone()))
    }

    fn memory(&self) -> usize {
        self.best.capacity() * size_of::<Option<T::Native>>()
    }
}

/// A type of variable width: STRING or BYTES.
pub(super) trait Text: Send + 'static {
    /// The order of ksqlDB.
    fn compare(left: &[u8], right: &[u8]) -> Ordering;
    /// The bytes of `row`, `None` if it is NULL.
    fn get(column: &ArrayRef, row: usize) -> Option<&[u8]>;
    /// A column of bytes that `get` gave.
    fn column<'a>(values: impl Iterator<Item = Option<&'a [u8]>>) -> ArrayRef;
}

/// STRING.
pub(super) struct Strings;

impl Text for Strings {
    fn compare(left: &[u8], right: &[u8]) -> Ordering {
        // UTF-16 order differs from that of UTF-8 only where a character beyond U+FFFF (first byte
        // F0 and up) meets one of U+E000..U+FFFF (EE, EF): the surrogates of the former are less.
        let rank = |byte: u8| {
            if matches!(byte, 0xee | 0xef) {
                byte + 0x10
            } else {
                byte
            }
        };
        match left.iter().zip(right).find(|(l, r)| l != r) {
            Some((l, r)) => rank(*l).cmp(&rank(*r)),
            None => left.len().cmp(&right.len()),
        }
    }

    fn get(column: &ArrayRef, row: usize) -> Option<&[u8]> {
        let column = column.as_string::<i32>();
        column.is_valid(row).then(|| column.value(row).as_bytes())
    }

    fn column<'a>(values: impl Iterator<Item = Option<&'a [u8]>>) -> ArrayRef {
        Arc::new(StringArray::from_iter(values.map(|value| {
            value.and_then(|bytes| std::str::from_utf8(bytes).ok())
        })))
    }
}

/// BYTES.
pub(super) struct Bytes;

impl Text for Bytes {
    fn compare(left: &[u8], right: &[u8]) -> Ordering {
        compare_bytes(left, right)
    }

    fn get(column: &ArrayRef, row: usize) -> Option<&[u8]> {
        let column = column.as_binary::<i32>();
        column.is_valid(row).then(|| column.value(row))
    }

    fn column<'a>(values: impl Iterator<Item = Option<&'a [u8]>>) -> ArrayRef {
        Arc::new(BinaryArray::from_iter(values))
    }
}

/// MIN or MAX of STRING or BYTES.
pub(super) struct TextExtremes<T: Text> {
    best: Vec<Option<Vec<u8>>>,
    /// How a better value compares with the kept one.
    wanted: Ordering,
    kind: PhantomData<T>,
}

impl<T: Text> TextExtremes<T> {
    /// Keeps the greatest, or the least.
    pub(super) fn new(max: bool) -> Self {
        let wanted = if max {
            Ordering::Greater
        } else {
            Ordering::Less
        };
        Self {
            best: Vec::new(),
            wanted,
            kind: PhantomData,
        }
    }
}

impl<T: Text> GroupStates for TextExtremes<T> {
    fn resize(&mut self, len: usize) {
        self.best.resize(len, None);
    }

    fn reset(&mut self, slot: usize) {
        self.best[slot] = None;
    }

    fn load(&mut self, slots: &[u32], state: &[ArrayRef]) {
        for (i, slot) in slots.iter().enumerate() {
            self.best[*slot as usize] = T::get(&state[0], i).map(<[u8]>::to_vec);
        }
    }

    fn save(&self, slots: &[u32]) -> Vec<ArrayRef> {
        vec![self.results(slots)]
    }

    fn update(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        for (slot, row) in slots.iter().zip(rows) {
            let Some(value) = T::get(&args[0], *row as usize) else {
                continue;
            };
            match &mut self.best[*slot as usize] {
                Some(kept) => {
                    if T::compare(value, kept) == self.wanted {
                        // The old value's memory is used again.
                        kept.clear();
                        kept.extend_from_slice(value);
                    }
                }
                empty => *empty = Some(value.to_vec()),
            }
        }
    }

    fn undo(&mut self, _slots: &[u32], _rows: &[u32], _args: &[ArrayRef]) {}

    fn merge(&mut self, into: usize, from: usize) {
        let Some(value) = self.best[from].clone() else {
            return;
        };
        let kept = &mut self.best[into];
        if kept
            .as_ref()
            .is_none_or(|kept| T::compare(&value, kept) == self.wanted)
        {
            *kept = Some(value);
        }
    }

    fn results(&self, slots: &[u32]) -> ArrayRef {
        T::column(
            slots
                .iter()
                .map(|slot| self.best[*slot as usize].as_deref()),
        )
    }

    fn memory(&self) -> usize {
        let held: usize = self.best.iter().flatten().map(Vec::capacity).sum();
        held + self.best.capacity() * size_of::<Option<Vec<u8>>>()
    }
}
