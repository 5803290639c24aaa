//! Messages as bytes: tags, varints and the well-known types.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    Date32Type, Decimal256Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType, i256,
};
use weir_types::{java, own_scale};

use super::{Field, Kind, Message};

impl Message {
    /// Appends row `row` of `columns`, one for each field.
    pub(super) fn write<'a>(
        &self,
        columns: impl Iterator<Item = &'a dyn Array>,
        row: usize,
        out: &mut Vec<u8>,
    ) {
        for ((field, array), number) in self.fields.iter().zip(columns).zip(1..) {
            field.write(number, array, row, out);
        }
    }
}

impl Field {
    fn write(&self, number: u32, array: &dyn Array, row: usize, out: &mut Vec<u8>) {
        if array.is_null(row) {
            return;
        }
        if let Some(list) = array.as_list_opt::<i32>() {
            let items = list.value(row);
            if self.kind.is_packed() {
                let mut packed = Vec::new();
                for i in 0..items.len() {
                    self.kind.write_bare(items.as_ref(), i, &mut packed);
                }
                if !packed.is_empty() {
                    write_bytes(number, &packed, out);
                }
            } else {
                for i in 0..items.len() {
                    self.kind.write(number, items.as_ref(), i, out);
                }
            }
        } else if !self.kind.is_default(array, row) {
            self.kind.write(number, array, row, out);
        }
    }
}

impl Kind {
    /// Whether lists of it are one run of bytes.
    fn is_packed(&self) -> bool {
        matches!(self, Self::Int32 | Self::Int64 | Self::Double | Self::Bool)
    }

    /// Whether it is the value that a field without bytes has.
    fn is_default(&self, array: &dyn Array, row: usize) -> bool {
        match self {
            Self::Int32 => array.as_primitive::<Int32Type>().value(row) == 0,
            Self::Int64 => array.as_primitive::<Int64Type>().value(row) == 0,
            Self::Double => array.as_primitive::<Float64Type>().value(row).to_bits() == 0,
            Self::Bool => !array.as_boolean().value(row),
            Self::String => array.as_string::<i32>().value(row).is_empty(),
            Self::Bytes => array.as_binary::<i32>().value(row).is_empty(),
            _ => false,
        }
    }

    /// One number without its tag.
    fn write_bare(&self, array: &dyn Array, row: usize, out: &mut Vec<u8>) {
        match self {
            Self::Int32 => {
                write_varint(i64::from(array.as_primitive::<Int32Type>().value(row)), out);
            }
            Self::Int64 => write_varint(array.as_primitive::<Int64Type>().value(row), out),
            Self::Bool => out.push(u8::from(array.as_boolean().value(row))),
            _ => {
                let value = array.as_primitive::<Float64Type>().value(row);
                out.extend_from_slice(&value.to_le_bytes());
            }
        }
    }

    fn write(&self, number: u32, array: &dyn Array, row: usize, out: &mut Vec<u8>) {
        const VARINT: u32 = 0;
        const FIXED_64: u32 = 1;
        match self {
            Self::Int32 | Self::Int64 | Self::Bool => {
                write_tag(number, VARINT, out);
                self.write_bare(array, row, out);
            }
            Self::Double => {
                write_tag(number, FIXED_64, out);
                self.write_bare(array, row, out);
            }
            Self::String => {
                write_bytes(number, array.as_string::<i32>().value(row).as_bytes(), out)
            }
            Self::Bytes => write_bytes(number, array.as_binary::<i32>().value(row), out),
            Self::Decimal { scale, .. } => {
                let (digits, zeros) =
                    own_scale::split(array.as_primitive::<Decimal256Type>().value(row));
                let length = digits.to_string().trim_start_matches('-').len() as i64;
                let mut message = Vec::new();
                write_bytes(1, &shortest(digits), &mut message);
                write_numbers(
                    2,
                    &[length, i64::from(scale.saturating_sub(zeros))],
                    &mut message,
                );
                write_bytes(number, &message, out);
            }
            Self::Date => {
                let days = array.as_primitive::<Date32Type>().value(row);
                let (year, month, day) = java::civil(i64::from(days));
                write_message(number, &[year, i64::from(month), i64::from(day)], out);
            }
            Self::Time => {
                let millis = i64::from(array.as_primitive::<Time32MillisecondType>().value(row));
                let seconds = millis.div_euclid(1000);
                let parts = [
                    seconds / 3600,
                    seconds / 60 % 60,
                    seconds % 60,
                    millis.rem_euclid(1000) * 1_000_000,
                ];
                write_message(number, &parts, out);
            }
            Self::Timestamp => {
                let millis = array.as_primitive::<TimestampMillisecondType>().value(row);
                let parts = [millis.div_euclid(1000), millis.rem_euclid(1000) * 1_000_000];
                write_message(number, &parts, out);
            }
            Self::Struct(message) => {
                let mut nested = Vec::new();
                let columns = array.as_struct().columns().iter();
                message.write(columns.map(AsRef::as_ref), row, &mut nested);
                write_bytes(number, &nested, out);
            }
            Self::Entry(message) => {
                let entries = array.as_map().value(row);
                for entry in 0..entries.len() {
                    let mut nested = Vec::new();
                    let columns = entries.columns().iter();
                    message.write(columns.map(AsRef::as_ref), entry, &mut nested);
                    write_bytes(number, &nested, out);
                }
            }
        }
    }
}

/// A message whose fields are whole numbers, from number 1.
fn write_message(number: u32, values: &[i64], out: &mut Vec<u8>) {
    let mut message = Vec::new();
    write_numbers(1, values, &mut message);
    write_bytes(number, &message, out);
}

/// Fields that are whole numbers, from number `first`.
fn write_numbers(first: u32, values: &[i64], out: &mut Vec<u8>) {
    for (value, number) in values.iter().zip(first..) {
        if *value != 0 {
            write_tag(number, 0, out);
            write_varint(*value, out);
        }
    }
}

fn write_bytes(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    const LENGTH_DELIMITED: u32 = 2;
    write_tag(number, LENGTH_DELIMITED, out);
    write_varint(bytes.len() as i64, out);
    out.extend_from_slice(bytes);
}

fn write_tag(number: u32, wire_type: u32, out: &mut Vec<u8>) {
    write_varint(i64::from(number) << 3 | i64::from(wire_type), out);
}

fn write_varint(value: i64, out: &mut Vec<u8>) {
    let mut rest = value as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Two's complement, big-endian, in the fewest bytes.
fn shortest(value: i256) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let sign = if value < i256::ZERO { 0xFF } else { 0 };
    let keeps_sign = |next: u8| (next & 0x80 != 0) == (sign != 0);
    let mut start = 0;
    while start + 1 < bytes.len() && bytes[start] == sign && keeps_sign(bytes[start + 1]) {
        start += 1;
    }
    bytes[start..].to_vec()
}
