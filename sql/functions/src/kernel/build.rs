//! Builders of a call's result.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BinaryBuilder, BooleanBuilder, Decimal256Array, PrimitiveArray,
    StringBuilder,
};
use arrow::buffer::{BooleanBuffer, MutableBuffer, NullBuffer};
use arrow::datatypes::{
    Date32Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType, TimestampMillisecondType,
    i256,
};
use datafusion::common::Result;
use weir_types::SqlType;

use super::{Call, row_error};
use crate::value::{Value, array_of};

impl Call<'_> {
    /// A STRING column of what `value` gives for each row.
    pub fn to_strings<S: AsRef<str>>(
        &self,
        mut value: impl FnMut(usize) -> Option<S>,
    ) -> Result<ArrayRef> {
        let mut out = StringBuilder::with_capacity(self.rows, self.rows * 8);
        let mut room = Room::default();
        for row in 0..self.rows {
            match value(row) {
                Some(text) if room.take(text.as_ref().len()) => out.append_value(text),
                _ => out.append_null(),
            }
        }
        Ok(Arc::new(out.finish()))
    }

    /// A STRING column; `write` appends a row's text to the buffer, `None` makes it NULL. Nothing
    /// is allocated for a row.
    pub fn write_strings(
        &self,
        mut write: impl FnMut(usize, &mut String) -> Option<()>,
    ) -> Result<ArrayRef> {
        let mut out = StringBuilder::with_capacity(self.rows, self.rows * 8);
        let mut buffer = String::new();
        let mut room = Room::default();
        for row in 0..self.rows {
            buffer.clear();
            match write(row, &mut buffer) {
                Some(()) if room.take(buffer.len()) => out.append_value(&buffer),
                _ => out.append_null(),
            }
        }
        Ok(Arc::new(out.finish()))
    }

    /// A BYTES column of what `value` gives for each row.
    pub fn to_binaries<B: AsRef<[u8]>>(
        &self,
        mut value: impl FnMut(usize) -> Option<B>,
    ) -> Result<ArrayRef> {
        let mut out = BinaryBuilder::with_capacity(self.rows, self.rows * 8);
        let mut room = Room::default();
        for row in 0..self.rows {
            match value(row) {
                Some(bytes) if room.take(bytes.as_ref().len()) => out.append_value(bytes),
                _ => out.append_null(),
            }
        }
        Ok(Arc::new(out.finish()))
    }

    /// A BOOLEAN column of what `value` gives for each row.
    pub fn to_booleans(&self, mut value: impl FnMut(usize) -> Option<bool>) -> Result<ArrayRef> {
        let mut out = BooleanBuilder::with_capacity(self.rows);
        for row in 0..self.rows {
            out.append_option(value(row));
        }
        Ok(Arc::new(out.finish()))
    }

    /// A column of `T` of what `value` gives for each row.
    pub fn to_primitives<T: ArrowPrimitiveType>(
        &self,
        mut value: impl FnMut(usize) -> Option<T::Native>,
    ) -> Result<ArrayRef> {
        Ok(Arc::new(collect_primitives::<T>(self.rows, &mut value)))
    }

    /// An INTEGER column.
    pub fn to_ints(&self, value: impl FnMut(usize) -> Option<i32>) -> Result<ArrayRef> {
        self.to_primitives::<Int32Type>(value)
    }

    /// A BIGINT column.
    pub fn to_bigints(&self, value: impl FnMut(usize) -> Option<i64>) -> Result<ArrayRef> {
        self.to_primitives::<Int64Type>(value)
    }

    /// A DOUBLE column.
    pub fn to_doubles(&self, value: impl FnMut(usize) -> Option<f64>) -> Result<ArrayRef> {
        self.to_primitives::<Float64Type>(value)
    }

    /// A DATE column of days since the epoch.
    pub fn to_dates(&self, value: impl FnMut(usize) -> Option<i32>) -> Result<ArrayRef> {
        self.to_primitives::<Date32Type>(value)
    }

    /// A TIME column of milliseconds of the day.
    pub fn to_times(&self, value: impl FnMut(usize) -> Option<i32>) -> Result<ArrayRef> {
        self.to_primitives::<Time32MillisecondType>(value)
    }

    /// A TIMESTAMP column of milliseconds since the epoch.
    pub fn to_timestamps(&self, value: impl FnMut(usize) -> Option<i64>) -> Result<ArrayRef> {
        self.to_primitives::<TimestampMillisecondType>(value)
    }

    /// A DECIMAL column of the return type's precision and scale, of unscaled values at that
    /// scale.
    ///
    /// # Errors
    /// When the return type is no DECIMAL.
    pub fn to_decimals(&self, mut value: impl FnMut(usize) -> Option<i256>) -> Result<ArrayRef> {
        let array: Decimal256Array = collect_primitives(self.rows, &mut value);
        Ok(Arc::new(array.with_data_type(self.return_type.to_arrow())))
    }

    /// A column of the return type, whatever it is. For nested types; scalars have faster ways.
    ///
    /// # Errors
    /// When a value does not fit the return type.
    pub fn to_values(&self, mut value: impl FnMut(usize) -> Option<Value>) -> Result<ArrayRef> {
        let values: Vec<Value> = (0..self.rows)
            .map(|row| value(row).unwrap_or(Value::Null))
            .collect();
        array_of(self.return_type, &values)
    }

    /// The value of argument `index` for `row`, whatever its type.
    ///
    /// # Errors
    /// When the argument is missing or of an Arrow type that no SQL type has.
    pub fn value(&self, index: usize, row: usize) -> Result<Value> {
        let arg = self.arg(index)?;
        Value::of(&arg.array, arg.index(row))
    }

    /// SQL type of argument `index`; STRING if there is none.
    pub fn arg_type(&self, index: usize) -> &SqlType {
        self.arg_types.get(index).unwrap_or(&SqlType::String)
    }
}

/// How much a column of texts or bytes still takes: its offsets have 31 bits.
struct Room(usize);

impl Default for Room {
    fn default() -> Self {
        Self(i32::MAX as usize)
    }
}

impl Room {
    /// Whether a value of so many bytes has room; if not, a row error.
    fn take(&mut self, bytes: usize) -> bool {
        match self.0.checked_sub(bytes) {
            Some(left) => {
                self.0 = left;
                true
            }
            None => row_error::<()>(|| "The results of one step are larger than 2 GiB".to_owned())
                .is_some(),
        }
    }
}

/// `rows` values of `T`.
fn collect_primitives<T: ArrowPrimitiveType>(
    rows: usize,
    value: &mut impl FnMut(usize) -> Option<T::Native>,
) -> PrimitiveArray<T> {
    let mut values: Vec<T::Native> = Vec::with_capacity(rows);
    let mut valid = MutableBuffer::new_null(rows);
    let mut nulls = 0;
    for row in 0..rows {
        match value(row) {
            Some(v) => {
                arrow::util::bit_util::set_bit(valid.as_slice_mut(), row);
                values.push(v);
            }
            None => {
                nulls += 1;
                values.push(T::Native::default());
            }
        }
    }
    let nulls = (nulls > 0).then(|| NullBuffer::new(BooleanBuffer::new(valid.into(), 0, rows)));
    PrimitiveArray::new(values.into(), nulls)
}
