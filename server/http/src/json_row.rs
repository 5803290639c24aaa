//! Rows as JSON (spec/api.md §6).

use std::fmt::Write;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal256Array,
    Float64Array, Int32Array, Int64Array, ListArray, MapArray, StringArray, StructArray,
    Time32MillisecondArray, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, TimeUnit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use weir_catalog::Scalar;
use weir_types::{java, own_scale};

/// Appends row `row` of `columns` as a JSON array.
///
/// Types are those of `SqlType::to_arrow`; an array of any other type is written as null.
pub fn write_row(columns: &[ArrayRef], row: usize, out: &mut String) {
    out.push('[');
    for (i, column) in columns.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_value(column.as_ref(), row, false, out);
    }
    out.push(']');
}

/// Appends a row of scalars as a JSON array, as [`write_row`] does one of columns.
pub(crate) fn write_scalars(row: &[Scalar<'_>], out: &mut String) {
    out.push('[');
    for (i, value) in row.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        match value {
            Scalar::Null => out.push_str("null"),
            Scalar::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
            Scalar::Int32(value) => number(Some(value), out),
            Scalar::Int64(value) => number(Some(value), out),
            Scalar::Float64(value) => write_double(*value, out),
            Scalar::Utf8(text) => write_string(text, out),
        }
    }
    out.push(']');
}

/// Appends one value. Below a STRUCT temporal values are numbers and decimals lose their trailing
/// zeros: the reference has a second converter there (spec §6, last paragraph).
fn write_value(array: &dyn Array, row: usize, in_struct: bool, out: &mut String) {
    if array.is_null(row) || row >= array.len() {
        out.push_str("null");
        return;
    }
    let any = array.as_any();
    match array.data_type() {
        DataType::Boolean => {
            let value = any
                .downcast_ref::<BooleanArray>()
                .is_some_and(|a| a.value(row));
            out.push_str(if value { "true" } else { "false" });
        }
        DataType::Int32 => number(any.downcast_ref::<Int32Array>().map(|a| a.value(row)), out),
        DataType::Int64 => number(any.downcast_ref::<Int64Array>().map(|a| a.value(row)), out),
        DataType::Float64 => {
            let value = any
                .downcast_ref::<Float64Array>()
                .map_or(f64::NAN, |a| a.value(row));
            write_double(value, out);
        }
        DataType::Decimal256(_, scale) => {
            let (unscaled, zeros) = any
                .downcast_ref::<Decimal256Array>()
                .map_or_else(Default::default, |a| own_scale::split(a.value(row)));
            let mut text = String::new();
            let scale = u32::try_from(*scale).unwrap_or(0).saturating_sub(zeros);
            java::write_decimal_plain(&unscaled.to_string(), scale, &mut text);
            if in_struct {
                write_double(text.parse().unwrap_or(f64::NAN), out);
            } else {
                out.push_str(&text);
            }
        }
        DataType::Utf8 => {
            write_string(
                any.downcast_ref::<StringArray>()
                    .map_or("", |a| a.value(row)),
                out,
            );
        }
        DataType::Binary => {
            let bytes = any
                .downcast_ref::<BinaryArray>()
                .map_or(&[][..], |a| a.value(row));
            out.push('"');
            STANDARD.encode_string(bytes, out);
            out.push('"');
        }
        DataType::Date32 => {
            let days = any
                .downcast_ref::<Date32Array>()
                .map_or(0, |a| a.value(row));
            if in_struct {
                number(Some(days), out);
            } else {
                out.push('"');
                java::write_date(i64::from(days), out);
                out.push('"');
            }
        }
        DataType::Time32(TimeUnit::Millisecond) => {
            let ms = any
                .downcast_ref::<Time32MillisecondArray>()
                .map_or(0, |a| a.value(row));
            if in_struct {
                number(Some(ms), out);
            } else {
                out.push('"');
                java::write_time(i64::from(ms), out);
                out.push('"');
            }
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            let ms = any
                .downcast_ref::<TimestampMillisecondArray>()
                .map_or(0, |a| a.value(row));
            if in_struct {
                number(Some(ms), out);
            } else {
                out.push('"');
                java::write_timestamp(ms, out);
                out.push('"');
            }
        }
        DataType::List(_) => {
            out.push('[');
            if let Some(list) = any.downcast_ref::<ListArray>() {
                let items = list.value(row);
                for i in 0..items.len() {
                    if i > 0 {
                        out.push(',');
                    }
                    write_value(items.as_ref(), i, in_struct, out);
                }
            }
            out.push(']');
        }
        DataType::Map(..) => {
            out.push('{');
            if let Some(map) = any.downcast_ref::<MapArray>() {
                let entries = map.value(row);
                let (keys, values) = (entries.column(0), entries.column(1));
                for i in 0..entries.len() {
                    if i > 0 {
                        out.push(',');
                    }
                    write_key(keys, i, out);
                    out.push(':');
                    write_value(values.as_ref(), i, in_struct, out);
                }
            }
            out.push('}');
        }
        DataType::Struct(fields) => {
            out.push('{');
            if let Some(row_struct) = any.downcast_ref::<StructArray>() {
                for (i, (field, column)) in fields.iter().zip(row_struct.columns()).enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    write_string(field.name(), out);
                    out.push(':');
                    write_value(column.as_ref(), row, true, out);
                }
            }
            out.push('}');
        }
        _ => out.push_str("null"),
    }
}

/// A map key: always a JSON string.
fn write_key(keys: &ArrayRef, row: usize, out: &mut String) {
    if let Some(strings) = keys.as_string_opt::<i32>() {
        write_string(strings.value(row), out);
        return;
    }
    let mut text = String::new();
    write_value(keys.as_ref(), row, false, &mut text);
    write_string(text.trim_matches('"'), out);
}

fn number<T: std::fmt::Display>(value: Option<T>, out: &mut String) {
    match value {
        // Writing to a String cannot fail.
        Some(value) => {
            let _ = write!(out, "{value}");
        }
        None => out.push_str("null"),
    }
}

/// A double: a number, or a string for what JSON has no number for.
fn write_double(value: f64, out: &mut String) {
    if value.is_finite() {
        java::write_double(value, out);
    } else {
        out.push('"');
        java::write_double(value, out);
        out.push('"');
    }
}

/// A string, escaped as the reference server does: characters beyond U+FFFF as two escapes.
pub(crate) fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if u32::from(c) < 0x20 => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c if u32::from(c) > 0xffff => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04X}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn values_as_the_api_writes_them() {
        let decimal = Decimal256Array::from(vec![Some(arrow::datatypes::i256::from_i128(120))]);
        let decimal = decimal
            .with_precision_and_scale(6, 2)
            .map(|a| Arc::new(a) as ArrayRef);
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![Some(9_007_199_254_740_993)])),
            Arc::new(Float64Array::from(vec![11.0])),
            Arc::new(Float64Array::from(vec![f64::INFINITY])),
            Arc::new(StringArray::from(vec!["a\"b\\c\u{1F600}"])),
            Arc::new(BinaryArray::from(vec![&[1u8, 2, 3][..]])),
            Arc::new(Date32Array::from(vec![19_844])),
            Arc::new(Time32MillisecondArray::from(vec![37_230_000])),
            Arc::new(TimestampMillisecondArray::from(vec![1_714_558_830_123])),
        ];
        columns.extend(decimal);
        let mut out = String::new();
        write_row(&columns, 0, &mut out);
        assert_eq!(
            out,
            "[9007199254740993,11.0,\"Infinity\",\"a\\\"b\\\\c\\uD83D\\uDE00\",\"AQID\",\
             \"2024-05-01\",\"10:20:30\",\"2024-05-01T10:20:30.123\",1.20]"
        );
    }

    #[test]
    fn scalars_are_written_as_columns_are() {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(BooleanArray::from(vec![true])),
            Arc::new(Int32Array::from(vec![i32::MIN])),
            Arc::new(Int64Array::from(vec![i64::MAX])),
            Arc::new(Float64Array::from(vec![1e10])),
            Arc::new(Float64Array::from(vec![f64::NAN])),
            Arc::new(StringArray::from(vec!["\"\u{1}é\u{1F600}"])),
            Arc::new(StringArray::from(vec![None::<&str>])),
        ];
        let row = [
            Scalar::Boolean(true),
            Scalar::Int32(i32::MIN),
            Scalar::Int64(i64::MAX),
            Scalar::Float64(1e10),
            Scalar::Float64(f64::NAN),
            Scalar::Utf8("\"\u{1}é\u{1F600}".into()),
            Scalar::Null,
        ];
        let (mut expected, mut out) = (String::new(), String::new());
        write_row(&columns, 0, &mut expected);
        write_scalars(&row, &mut out);
        assert_eq!(out, expected);
    }
}
