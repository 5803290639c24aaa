//! Columns to payloads.

use arrow::array::{Array, ArrayRef};
use arrow::buffer::NullBuffer;
use weir_types::SqlType;
use weir_types::java::write_double;
use weir_types::records::EncodedColumn;

use super::text::write_string;
use crate::error::{EncodeError, FormatError};
use crate::view::{self, Column, View, push_base64, push_decimal, push_integer};
use crate::{Encoder, Side};

/// Writes JSON payloads of one side.
#[derive(Debug)]
pub(crate) struct JsonEncoder {
    columns: Vec<(String, SqlType)>,
    shapes: Vec<(Vec<u8>, Shape)>,
    unwrapped: bool,
    side: Side,
    /// Bytes of a row, mean of the last rows written.
    row_bytes: usize,
}

/// What a view does not know: the names within, ready to be written.
#[derive(Debug)]
enum Shape {
    Leaf,
    Inner(Box<Shape>),
    /// `"NAME":` of each field; a comma before it for all but the first.
    Fields(Vec<(Vec<u8>, Shape)>),
}

impl Shape {
    fn new(sql_type: &SqlType) -> Self {
        match sql_type {
            SqlType::Array(inner) | SqlType::Map(_, inner) => {
                Self::Inner(Box::new(Self::new(inner)))
            }
            SqlType::Struct(fields) => {
                Self::Fields(Self::fields(fields.iter().map(|f| (&*f.name, &f.sql_type))))
            }
            _ => Self::Leaf,
        }
    }

    fn fields<'a>(fields: impl Iterator<Item = (&'a str, &'a SqlType)>) -> Vec<(Vec<u8>, Shape)> {
        fields
            .enumerate()
            .map(|(i, (name, sql_type))| {
                let mut prefix = Vec::new();
                if i > 0 {
                    prefix.push(b',');
                }
                write_string(name, &mut prefix);
                prefix.push(b':');
                (prefix, Self::new(sql_type))
            })
            .collect()
    }
}

impl JsonEncoder {
    pub(crate) fn new(side: Side, columns: &[(String, SqlType)], unwrapped: bool) -> Self {
        Self {
            columns: columns.to_vec(),
            shapes: Shape::fields(columns.iter().map(|(n, t)| (&**n, t))),
            unwrapped,
            side,
            row_bytes: 0,
        }
    }
}

impl Encoder for JsonEncoder {
    fn encode(
        &mut self,
        columns: &[ArrayRef],
        absent: Option<&NullBuffer>,
        out: &mut EncodedColumn,
    ) -> Result<Vec<(usize, EncodeError)>, FormatError> {
        let views = view::columns(columns, &self.columns)?;
        let rows = match (columns.first(), absent) {
            (Some(column), _) => column.len(),
            (None, absent) => absent.map_or(0, NullBuffer::len),
        };
        let start = out.data.len();
        out.data.reserve(rows * self.row_bytes);
        // A key without columns is no key.
        let keyless = views.is_empty() && self.side == Side::Key;
        for row in 0..rows {
            if keyless || absent.is_some_and(|a| a.is_null(row)) {
                out.push_null();
                continue;
            }
            match (views.first(), self.shapes.first()) {
                (Some(column), Some((_, shape))) if self.unwrapped => {
                    if column.is_null(row) {
                        out.push_null();
                        continue;
                    }
                    write_value(column, shape, row, &mut out.data);
                }
                _ => write_object(&views, &self.shapes, row, &mut out.data),
            }
            out.end_row();
        }
        if let Some(mean) = (out.data.len() - start).checked_div(rows) {
            self.row_bytes = mean + 1;
        }
        Ok(Vec::new())
    }
}

#[inline]
fn write_object(
    columns: &[Column<'_>],
    shapes: &[(Vec<u8>, Shape)],
    row: usize,
    out: &mut Vec<u8>,
) {
    out.push(b'{');
    for (column, (prefix, shape)) in columns.iter().zip(shapes) {
        out.extend_from_slice(prefix);
        write_nullable(column, shape, row, out);
    }
    out.push(b'}');
}

#[inline]
fn write_nullable(column: &Column<'_>, shape: &Shape, row: usize, out: &mut Vec<u8>) {
    if column.is_null(row) {
        out.extend_from_slice(b"null");
    } else {
        write_value(column, shape, row, out);
    }
}

/// Writes a value that is not null.
fn write_value(column: &Column<'_>, shape: &Shape, row: usize, out: &mut Vec<u8>) {
    match (&column.view, shape) {
        (View::Boolean(b), _) => {
            out.extend_from_slice(if b.value(row) { b"true" } else { b"false" });
        }
        (View::Integer(b), _) => push_integer(b[row], out),
        (View::Bigint(b), _) => push_integer(b[row], out),
        (View::Double(b), _) => {
            let value = b[row];
            if value.is_finite() {
                write_double(value, out);
            } else {
                out.push(b'"');
                write_double(value, out);
                out.push(b'"');
            }
        }
        (View::Decimal { unscaled, scale }, _) => push_decimal(unscaled[row], *scale, out),
        (View::Text(b), _) => write_string(b.value(row), out),
        (View::Binary(b), _) => {
            out.push(b'"');
            push_base64(b.value(row), out);
            out.push(b'"');
        }
        (View::List { offsets, items }, Shape::Inner(shape)) => {
            out.push(b'[');
            for item in offsets[row]..offsets[row + 1] {
                if item > offsets[row] {
                    out.push(b',');
                }
                write_nullable(items, shape, item as usize, out);
            }
            out.push(b']');
        }
        (
            View::Map {
                offsets,
                keys,
                values,
            },
            Shape::Inner(shape),
        ) => {
            out.push(b'{');
            for entry in offsets[row]..offsets[row + 1] {
                if entry > offsets[row] {
                    out.push(b',');
                }
                write_string(keys.value(entry as usize), out);
                out.push(b':');
                write_nullable(values, shape, entry as usize, out);
            }
            out.push(b'}');
        }
        (View::Struct { fields }, Shape::Fields(shapes)) => write_object(fields, shapes, row, out),
        // Shape and view come from one declared type.
        (View::List { .. } | View::Map { .. } | View::Struct { .. }, _) => {
            out.extend_from_slice(b"null");
        }
    }
}
