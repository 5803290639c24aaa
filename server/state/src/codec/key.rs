//! Keys: bytes whose unsigned order is the order of the columns, and that tell where they end.
//!
//! | Part | Bytes |
//! |---|---|
//! | null | `00` |
//! | not null | `01`, then the value |
//! | BOOLEAN | `00` or `01` |
//! | INTEGER, DATE, TIME; BIGINT, TIMESTAMP | big-endian, sign bit flipped |
//! | DOUBLE | IEEE 754 big-endian; negative: all bits flipped, else the sign bit |
//! | DECIMAL | 32 bytes big-endian, sign bit flipped |
//! | STRING, BYTES | the bytes, `00` as `00 FF`, then `00 00` |
//! | ARRAY, MAP | before each item (or key and value) `01`, at the end `00` |
//! | STRUCT | the fields |
//!
//! Keys carry no version byte, since ranges are cut by prefix: the version of the values of a
//! store is that of its keys too.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, i256};

use super::view::{ViewData, decimal_bytes};
use super::{CodecError, ColumnBuilder, ColumnView, Cursor};

/// Appends the key of row `row`.
pub fn write_key(columns: &[ColumnView<'_>], row: usize, out: &mut Vec<u8>) {
    for column in columns {
        write_part(column, row, out);
    }
}

/// Appends a key part of type STRING, as [`write_key`] does of a column.
pub fn write_text(value: &str, out: &mut Vec<u8>) {
    out.push(1);
    write_bytes(value.as_bytes(), out);
}

/// Appends a key part of type INTEGER, as [`write_key`] does of a column.
pub fn write_i32(value: i32, out: &mut Vec<u8>) {
    out.push(1);
    out.extend_from_slice(&ordered_i32(value));
}

/// Appends a key part of type BIGINT, as [`write_key`] does of a column.
pub fn write_i64(value: i64, out: &mut Vec<u8>) {
    out.push(1);
    out.extend_from_slice(&ordered_i64(value));
}

fn write_part(column: &ColumnView<'_>, row: usize, out: &mut Vec<u8>) {
    if column.is_null(row) {
        out.push(0);
        return;
    }
    out.push(1);
    match &column.data {
        ViewData::Boolean(values) => out.push(u8::from(values.value(row))),
        ViewData::Int32(values) => out.extend_from_slice(&ordered_i32(values[row])),
        ViewData::Int64(values) => out.extend_from_slice(&ordered_i64(values[row])),
        ViewData::Float64(values) => {
            let bits = values[row].to_bits();
            let ordered = if bits >> 63 == 1 {
                !bits
            } else {
                bits | (1 << 63)
            };
            out.extend_from_slice(&ordered.to_be_bytes());
        }
        ViewData::Decimal(values) => {
            let mut bytes = decimal_bytes(values.value(row));
            bytes[0] ^= 0x80;
            out.extend_from_slice(&bytes);
        }
        ViewData::Utf8(values) => write_bytes(values.value(row).as_bytes(), out),
        ViewData::Binary(values) => write_bytes(values.value(row), out),
        ViewData::List(offsets, items) => {
            for item in offsets[row] as usize..offsets[row + 1] as usize {
                out.push(1);
                write_part(items, item, out);
            }
            out.push(0);
        }
        ViewData::Map(offsets, keys, values) => {
            for item in offsets[row] as usize..offsets[row + 1] as usize {
                out.push(1);
                write_part(keys, item, out);
                write_part(values, item, out);
            }
            out.push(0);
        }
        ViewData::Struct(fields) => fields.iter().for_each(|field| write_part(field, row, out)),
    }
}

fn ordered_i32(value: i32) -> [u8; 4] {
    ((value as u32) ^ (1 << 31)).to_be_bytes()
}

/// Eight bytes whose unsigned order is that of `value`.
pub fn ordered_i64(value: i64) -> [u8; 8] {
    ((value as u64) ^ (1 << 63)).to_be_bytes()
}

pub(super) fn from_ordered_i32(bytes: [u8; 4]) -> i32 {
    (u32::from_be_bytes(bytes) ^ (1 << 31)) as i32
}

pub(super) fn from_ordered_f64(bytes: [u8; 8]) -> f64 {
    let ordered = u64::from_be_bytes(bytes);
    f64::from_bits(if ordered >> 63 == 1 {
        ordered & !(1 << 63)
    } else {
        !ordered
    })
}

/// The number whose [`ordered_i64`] these bytes are.
pub fn from_ordered_i64(bytes: [u8; 8]) -> i64 {
    (u64::from_be_bytes(bytes) ^ (1 << 63)) as i64
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some(zero) = rest.iter().position(|byte| *byte == 0) {
        out.extend_from_slice(&rest[..zero]);
        out.extend_from_slice(&[0, 0xff]);
        rest = &rest[zero + 1..];
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(&[0, 0]);
}

/// The least byte string greater than every one that begins with `prefix`; `None` if there is no
/// such string.
pub fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let keep = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut end = prefix[..=keep].to_vec();
    end[keep] += 1;
    Some(end)
}

/// Reads keys back into columns.
pub struct KeyReader {
    columns: Vec<ColumnBuilder>,
    scratch: Vec<u8>,
}

impl KeyReader {
    /// A reader of keys with columns of these types.
    ///
    /// # Errors
    /// [`CodecError::Unsupported`] for Arrow types that no SQL type maps to.
    pub fn new(types: &[DataType]) -> Result<Self, CodecError> {
        let columns = types
            .iter()
            .map(ColumnBuilder::new)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            columns,
            scratch: Vec::new(),
        })
    }

    /// Appends a row from the front of `bytes` and gives what follows the key.
    ///
    /// # Errors
    /// [`CodecError::Corrupt`]; the reader must then not be used any more.
    pub fn read<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], CodecError> {
        let mut cursor = Cursor::new(bytes);
        for column in &mut self.columns {
            read_part(column, &mut cursor, &mut self.scratch)?;
        }
        Ok(cursor.rest())
    }

    /// The rows read, as columns; the reader is empty again.
    ///
    /// # Errors
    /// [`CodecError::Corrupt`] where text is not UTF-8.
    pub fn finish(&mut self) -> Result<Vec<ArrayRef>, CodecError> {
        self.columns.iter_mut().map(ColumnBuilder::finish).collect()
    }
}

fn read_part(
    column: &mut ColumnBuilder,
    cursor: &mut Cursor<'_>,
    scratch: &mut Vec<u8>,
) -> Result<(), CodecError> {
    match cursor.byte()? {
        0 => {
            column.push_null();
            return Ok(());
        }
        1 => {}
        _ => return Err(CodecError::Corrupt("a key part has no marker")),
    }
    match column {
        ColumnBuilder::Boolean(values) => values.push(cursor.byte()? != 0),
        ColumnBuilder::Int32(values) => {
            values.push(from_ordered_i32(cursor.array()?));
        }
        ColumnBuilder::Int64(values) => values.push(from_ordered_i64(cursor.array()?)),
        ColumnBuilder::Float64(values) => values.push(from_ordered_f64(cursor.array()?)),
        ColumnBuilder::Decimal(values) => {
            let mut bytes: [u8; 32] = cursor.array()?;
            bytes[0] ^= 0x80;
            values.push(i256::from_be_bytes(bytes));
        }
        ColumnBuilder::Bytes(values) => {
            scratch.clear();
            loop {
                match cursor.byte()? {
                    0 => match cursor.byte()? {
                        0xff => scratch.push(0),
                        0 => break,
                        _ => return Err(CodecError::Corrupt("bad escape in a key")),
                    },
                    byte => scratch.push(byte),
                }
            }
            values.push(scratch);
        }
        ColumnBuilder::List(list) => {
            while cursor.byte()? == 1 {
                read_part(list.items_mut(), cursor, scratch)?;
            }
            list.end_row();
        }
        ColumnBuilder::Map(map) => {
            while cursor.byte()? == 1 {
                let (keys, values) = map.entries_mut();
                read_part(keys, cursor, scratch)?;
                read_part(values, cursor, scratch)?;
            }
            map.end_row();
        }
        ColumnBuilder::Struct(fields) => {
            for field in fields.fields_mut() {
                read_part(field, cursor, scratch)?;
            }
            fields.end_row();
        }
    }
    Ok(())
}
