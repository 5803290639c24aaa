//! What the families share: typed columns to slots and back, and columns of `Value`s.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, new_null_array};
use arrow::datatypes::{DataType, Decimal256Type};
use weir_types::{SqlType, own_scale, row_errors};

use crate::value::{Value, array_of};

/// The values of these slots.
pub(super) fn pick<'a, T: Copy>(values: &'a [T], slots: &'a [u32]) -> impl Iterator<Item = T> + 'a {
    slots.iter().map(|slot| values[*slot as usize])
}

/// Sets slots to the rows of a column without NULLs.
pub(super) fn load_primitive<T: ArrowPrimitiveType>(
    values: &mut [T::Native],
    slots: &[u32],
    column: &PrimitiveArray<T>,
) {
    for (slot, value) in slots.iter().zip(column.values()) {
        values[*slot as usize] = *value;
    }
}

/// Calls `apply` with slot and value of each row that is not NULL, in order.
#[inline(always)]
pub(super) fn for_each_valid<T: ArrowPrimitiveType>(
    slots: &[u32],
    rows: &[u32],
    column: &PrimitiveArray<T>,
    mut apply: impl FnMut(usize, T::Native),
) {
    let values = column.values();
    match column.nulls() {
        None => {
            for (slot, row) in slots.iter().zip(rows) {
                apply(*slot as usize, values[*row as usize]);
            }
        }
        Some(nulls) => {
            for (slot, row) in slots.iter().zip(rows) {
                let row = *row as usize;
                if nulls.is_valid(row) {
                    apply(*slot as usize, values[row]);
                }
            }
        }
    }
}

/// The value of `row`. The engine gives columns of the declared types, so this cannot fail but
/// for a defect; the row then counts as NULL and is reported. A decimal is at its column's scale.
pub(super) fn value_at(column: &ArrayRef, row: usize) -> Value {
    match (Value::of(column, row), column.data_type()) {
        (Ok(Value::Decimal(..)), DataType::Decimal256(_, scale)) => {
            let held = column.as_primitive::<Decimal256Type>().value(row);
            Value::Decimal(own_scale::plain(held), u32::try_from(*scale).unwrap_or(0))
        }
        (Ok(value), _) => value,
        (Err(error), _) => {
            row_errors::report(|| error.to_string());
            Value::Null
        }
    }
}

/// The elements of an ARRAY value; none of NULL.
pub(super) fn items(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}

/// A column of these values, which are of type `sql_type` by construction.
pub(super) fn column_of(sql_type: &SqlType, values: &[Value]) -> ArrayRef {
    array_of(sql_type, values).unwrap_or_else(|error| {
        row_errors::report(|| error.to_string());
        new_null_array(&sql_type.to_arrow(), values.len())
    })
}

/// Bytes that a value holds, roughly.
pub(super) fn value_memory(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::String(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Array(items) | Value::Struct(items) => items.iter().map(value_memory).sum(),
            Value::Map(entries) => entries
                .iter()
                .map(|(k, v)| value_memory(k) + value_memory(v))
                .sum(),
            _ => 0,
        }
}
