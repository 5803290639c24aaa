//! Columns to payloads.

use arrow::array::{Array, ArrayRef};
use arrow::buffer::NullBuffer;
use weir_types::java::write_double;
use weir_types::records::EncodedColumn;
use weir_types::surrogates::write_utf8;
use weir_types::{SqlType, ValueFormat};

use super::Delimiter;
use crate::Encoder;
use crate::error::{EncodeError, FormatError};
use crate::view::{self, Column, View, push_base64, push_decimal_plain, push_integer};

/// Writes DELIMITED payloads of one side.
#[derive(Debug)]
pub(crate) struct DelimitedEncoder {
    delimiter: Delimiter,
    columns: Vec<(String, SqlType)>,
    token: Vec<u8>,
}

impl DelimitedEncoder {
    pub(crate) fn new(
        format: &ValueFormat,
        columns: &[(String, SqlType)],
    ) -> Result<Self, FormatError> {
        Ok(Self {
            delimiter: Delimiter::of(format)?,
            columns: columns.to_vec(),
            token: Vec::new(),
        })
    }
}

impl Encoder for DelimitedEncoder {
    fn encode(
        &mut self,
        columns: &[ArrayRef],
        absent: Option<&NullBuffer>,
        out: &mut EncodedColumn,
    ) -> Result<Vec<(usize, EncodeError)>, FormatError> {
        let views = view::columns(columns, &self.columns)?;
        let rows = columns
            .first()
            .map_or(absent.map_or(0, NullBuffer::len), |c| c.len());
        let mut buffer = [0; 4];
        let delimiter = self.delimiter.0.encode_utf8(&mut buffer).as_bytes();
        for row in 0..rows {
            if views.is_empty() || absent.is_some_and(|a| a.is_null(row)) {
                out.push_null();
                continue;
            }
            for (i, column) in views.iter().enumerate() {
                if i > 0 {
                    out.data.extend_from_slice(delimiter);
                }
                if column.is_null(row) {
                    continue;
                }
                self.token.clear();
                write_token(column, row, &mut self.token);
                quote(&self.token, i == 0, delimiter, &mut out.data);
            }
            out.end_row();
        }
        Ok(Vec::new())
    }
}

/// Writes a value without quotes.
fn write_token(column: &Column<'_>, row: usize, out: &mut Vec<u8>) {
    match &column.view {
        View::Boolean(b) => {
            out.extend_from_slice(if b.value(row) { b"true" } else { b"false" });
        }
        View::Integer(b) => push_integer(b[row], out),
        View::Bigint(b) => push_integer(b[row], out),
        View::Double(b) => write_double(b[row], out),
        View::Decimal { unscaled, scale } => push_decimal_plain(unscaled[row], *scale, out),
        View::Binary(b) => push_base64(b.value(row), out),
        View::Text(b) => write_utf8(b.value(row), out),
        // `check` refuses these.
        View::List { .. } | View::Map { .. } | View::Struct { .. } => {}
    }
}

/// Appends `token`, in quotes if a reader could misread it (spec/formats.md §1.8 "Quoting").
fn quote(token: &[u8], first_column: bool, delimiter: &[u8], out: &mut Vec<u8>) {
    let needed = match (token.first(), token.last()) {
        (Some(first), Some(last)) => {
            (first_column && !first.is_ascii_alphanumeric())
                || *first <= b'#'
                || *last <= b' '
                || token.iter().any(|b| matches!(b, b'\n' | b'\r' | b'"'))
                || memchr::memmem::find(token, delimiter).is_some()
        }
        _ => first_column,
    };
    if !needed {
        out.extend_from_slice(token);
        return;
    }
    out.push(b'"');
    for byte in token {
        if *byte == b'"' {
            out.push(b'"');
        }
        out.push(*byte);
    }
    out.push(b'"');
}
