//! Rows: a version byte, then the columns. A row tells where it ends.
//!
//! | Part | Bytes |
//! |---|---|
//! | row | version `01`, columns |
//! | columns, fields, items | bitmap of what is not null (first in the lowest bit), then each value that is not null |
//! | BOOLEAN | `00` or `01` |
//! | INTEGER, DATE, TIME; BIGINT, TIMESTAMP; DOUBLE | little-endian, 4 or 8 bytes |
//! | DECIMAL | length byte, two's complement big-endian, shortest |
//! | STRING, BYTES | length (LEB128), bytes |
//! | ARRAY | count (LEB128), items |
//! | MAP | count (LEB128), keys as items, values as items |
//! | STRUCT | fields |

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, i256};

use super::view::{ViewData, decimal_bytes};
use super::{CodecError, ColumnBuilder, ColumnView, Cursor, write_varint};

/// The version that is written.
pub const ROW_VERSION: u8 = 1;

/// Appends row `row`.
pub fn write_row(columns: &[ColumnView<'_>], row: usize, out: &mut Vec<u8>) {
    out.push(ROW_VERSION);
    write_fields(columns, row, out);
}

fn write_fields(columns: &[ColumnView<'_>], row: usize, out: &mut Vec<u8>) {
    for chunk in columns.chunks(8) {
        let mut bits = 0u8;
        for (bit, column) in chunk.iter().enumerate() {
            bits |= u8::from(!column.is_null(row)) << bit;
        }
        out.push(bits);
    }
    for column in columns {
        if !column.is_null(row) {
            write_value(column, row, out);
        }
    }
}

fn write_items(column: &ColumnView<'_>, from: usize, to: usize, out: &mut Vec<u8>) {
    let mut item = from;
    while item < to {
        let mut bits = 0u8;
        for bit in 0..(to - item).min(8) {
            bits |= u8::from(!column.is_null(item + bit)) << bit;
        }
        out.push(bits);
        item += 8;
    }
    for item in from..to {
        if !column.is_null(item) {
            write_value(column, item, out);
        }
    }
}

fn write_value(column: &ColumnView<'_>, row: usize, out: &mut Vec<u8>) {
    match &column.data {
        ViewData::Boolean(values) => out.push(u8::from(values.value(row))),
        ViewData::Int32(values) => out.extend_from_slice(&values[row].to_le_bytes()),
        ViewData::Int64(values) => out.extend_from_slice(&values[row].to_le_bytes()),
        ViewData::Float64(values) => out.extend_from_slice(&values[row].to_le_bytes()),
        ViewData::Decimal(values) => {
            let bytes = decimal_bytes(values.value(row));
            let sign = if bytes[0] & 0x80 == 0 { 0 } else { 0xff };
            let mut from = bytes
                .iter()
                .take(31)
                .take_while(|byte| **byte == sign)
                .count();
            if from > 0 && (bytes[from] ^ sign) & 0x80 != 0 {
                from -= 1;
            }
            out.push((32 - from) as u8);
            out.extend_from_slice(&bytes[from..]);
        }
        ViewData::Utf8(values) => write_bytes(values.value(row).as_bytes(), out),
        ViewData::Binary(values) => write_bytes(values.value(row), out),
        ViewData::List(offsets, items) => {
            let (from, to) = (offsets[row] as usize, offsets[row + 1] as usize);
            write_varint((to - from) as u64, out);
            write_items(items, from, to, out);
        }
        ViewData::Map(offsets, keys, values) => {
            let (from, to) = (offsets[row] as usize, offsets[row + 1] as usize);
            write_varint((to - from) as u64, out);
            write_items(keys, from, to, out);
            write_items(values, from, to, out);
        }
        ViewData::Struct(fields) => write_fields(fields, row, out),
    }
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Reads rows back into columns.
pub struct RowReader {
    columns: Vec<ColumnBuilder>,
}

impl RowReader {
    /// A reader of rows with columns of these types.
    ///
    /// # Errors
    /// [`CodecError::Unsupported`] for Arrow types that no SQL type maps to.
    pub fn new<'a>(types: impl IntoIterator<Item = &'a DataType>) -> Result<Self, CodecError> {
        let columns = types
            .into_iter()
            .map(ColumnBuilder::new)
            .collect::<Result<_, _>>()?;
        Ok(Self { columns })
    }

    /// Appends a row from the front of `bytes` and gives what follows it.
    ///
    /// # Errors
    /// [`CodecError`]; the reader must then not be used any more.
    pub fn read<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], CodecError> {
        let mut cursor = Cursor::new(bytes);
        match cursor.byte()? {
            ROW_VERSION => {}
            version => return Err(CodecError::Version(version)),
        }
        read_fields(&mut self.columns, &mut cursor)?;
        Ok(cursor.rest())
    }

    /// Appends a row of nulls.
    pub fn push_null(&mut self) {
        self.columns.iter_mut().for_each(ColumnBuilder::push_null);
    }

    /// The rows read, as columns; the reader is empty again.
    ///
    /// # Errors
    /// [`CodecError::Corrupt`] where text is not UTF-8.
    pub fn finish(&mut self) -> Result<Vec<ArrayRef>, CodecError> {
        self.columns.iter_mut().map(ColumnBuilder::finish).collect()
    }
}

fn read_fields(columns: &mut [ColumnBuilder], cursor: &mut Cursor<'_>) -> Result<(), CodecError> {
    let bitmap = cursor.take(columns.len().div_ceil(8))?;
    for (index, column) in columns.iter_mut().enumerate() {
        if bitmap[index / 8] >> (index % 8) & 1 == 0 {
            column.push_null();
        } else {
            read_value(column, cursor)?;
        }
    }
    Ok(())
}

fn read_items(
    column: &mut ColumnBuilder,
    count: usize,
    cursor: &mut Cursor<'_>,
) -> Result<(), CodecError> {
    let bitmap = cursor.take(count.div_ceil(8))?;
    for index in 0..count {
        if bitmap[index / 8] >> (index % 8) & 1 == 0 {
            column.push_null();
        } else {
            read_value(column, cursor)?;
        }
    }
    Ok(())
}

fn read_value(column: &mut ColumnBuilder, cursor: &mut Cursor<'_>) -> Result<(), CodecError> {
    match column {
        ColumnBuilder::Boolean(values) => values.push(cursor.byte()? != 0),
        ColumnBuilder::Int32(values) => values.push(i32::from_le_bytes(cursor.array()?)),
        ColumnBuilder::Int64(values) => values.push(i64::from_le_bytes(cursor.array()?)),
        ColumnBuilder::Float64(values) => values.push(f64::from_le_bytes(cursor.array()?)),
        ColumnBuilder::Decimal(values) => {
            let len = usize::from(cursor.byte()?);
            let bytes = cursor.take(len)?;
            if len == 0 || len > 32 {
                return Err(CodecError::Corrupt("a decimal has no valid length"));
            }
            let mut wide = [if bytes[0] & 0x80 == 0 { 0 } else { 0xff }; 32];
            wide[32 - len..].copy_from_slice(bytes);
            values.push(i256::from_be_bytes(wide));
        }
        ColumnBuilder::Bytes(values) => {
            let len = cursor.varint()?;
            values.push(cursor.take(len)?);
        }
        ColumnBuilder::List(list) => {
            let count = cursor.varint()?;
            read_items(list.items_mut(), count, cursor)?;
            list.end_row();
        }
        ColumnBuilder::Map(map) => {
            let count = cursor.varint()?;
            let (keys, values) = map.entries_mut();
            read_items(keys, count, cursor)?;
            read_items(values, count, cursor)?;
            map.end_row();
        }
        ColumnBuilder::Struct(fields) => {
            read_fields(fields.fields_mut(), cursor)?;
            fields.end_row();
        }
    }
    Ok(())
}
