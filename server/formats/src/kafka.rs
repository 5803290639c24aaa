//! The KAFKA and NONE formats: Kafka's own serializers for one column, or nothing at all
//! (spec/formats.md §1.5, §1.7).
//!
//! ```text
//!   INT 4 bytes, BIGINT 8, DOUBLE 8 (big endian); STRING UTF-8; BYTES as they are
//! ```
//!
//! Invariant: a side without columns is written as null and read without looking at its bytes.

use arrow::array::{Array, ArrayRef};
use arrow::buffer::NullBuffer;
use weir_types::SqlType;
use weir_types::records::EncodedColumn;
use weir_types::surrogates::write_utf8;

use crate::columns::ColumnBuilder;
use crate::error::{DecodeError, EncodeError, FormatError};
use crate::view::{self, View};
use crate::{Decoded, Decoder, Encoder, Side};

/// Reads KAFKA payloads, and NONE's.
#[derive(Debug)]
pub(crate) struct KafkaDecoder {
    side: Side,
    column: Option<(SqlType, ColumnBuilder)>,
    projection: usize,
    rows: usize,
}

impl KafkaDecoder {
    pub(crate) fn new(side: Side, columns: &[(String, SqlType)], projection: &[usize]) -> Self {
        Self {
            side,
            column: columns
                .first()
                .map(|(_, t)| (t.clone(), ColumnBuilder::new(t))),
            projection: projection.len(),
            rows: 0,
        }
    }
}

/// The bytes of a number, or what is wrong with them.
fn fixed<const N: usize>(
    payload: &[u8],
    side: Side,
    sql_type: &SqlType,
) -> Result<[u8; N], DecodeError> {
    <[u8; N]>::try_from(payload).map_err(|_| {
        let cause = format!("size of data is {}, not {N} bytes", payload.len());
        DecodeError::caused_by(
            format!(
                "Cannot read the {} as {sql_type} of the KAFKA format: {cause}",
                side.word()
            ),
            cause,
        )
    })
}

impl Decoder for KafkaDecoder {
    fn decode(&mut self, payload: Option<&[u8]>) -> Result<Decoded, DecodeError> {
        let side = self.side;
        let decoded = match (&mut self.column, payload) {
            (None, None) => Decoded::Null,
            (None, Some(_)) => Decoded::Row,
            (Some((_, builder)), None) => {
                builder.push_null();
                Decoded::Null
            }
            (Some((t, builder)), Some(bytes)) => {
                match builder {
                    ColumnBuilder::Integer(b) => b.push(i32::from_be_bytes(fixed(bytes, side, t)?)),
                    ColumnBuilder::Bigint(b) => b.push(i64::from_be_bytes(fixed(bytes, side, t)?)),
                    ColumnBuilder::Double(b) => b.push(f64::from_be_bytes(fixed(bytes, side, t)?)),
                    ColumnBuilder::Text(b) => match std::str::from_utf8(bytes) {
                        Ok(text) => b.push(text),
                        // As Java does, each broken sequence becomes U+FFFD.
                        Err(_) => b.push(&String::from_utf8_lossy(bytes)),
                    },
                    ColumnBuilder::Binary(b) => {
                        b.data.extend_from_slice(bytes);
                        b.end_row();
                    }
                    _ => {
                        return Err(DecodeError::new(format!("The KAFKA format holds no {t}")));
                    }
                }
                Decoded::Row
            }
        };
        self.rows += 1;
        Ok(decoded)
    }

    fn len(&self) -> usize {
        self.rows
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        self.rows = 0;
        let column = self.column.as_mut().map(|(_, builder)| builder.finish());
        column.map_or_else(Vec::new, |c| vec![c; self.projection])
    }
}

/// Writes KAFKA payloads, and NONE's.
#[derive(Debug)]
pub(crate) struct KafkaEncoder {
    columns: Vec<(String, SqlType)>,
}

impl KafkaEncoder {
    pub(crate) fn new(columns: &[(String, SqlType)]) -> Self {
        Self {
            columns: columns.to_vec(),
        }
    }
}

/// NaN as Java's `doubleToLongBits` gives it.
const CANONICAL_NAN: u64 = 0x7ff8_0000_0000_0000;

impl Encoder for KafkaEncoder {
    fn encode(
        &mut self,
        columns: &[ArrayRef],
        absent: Option<&NullBuffer>,
        out: &mut EncodedColumn,
    ) -> Result<Vec<(usize, EncodeError)>, FormatError> {
        let views = view::columns(columns, &self.columns)?;
        let Some(column) = views.first() else {
            (0..absent.map_or(0, NullBuffer::len)).for_each(|_| out.push_null());
            return Ok(Vec::new());
        };
        let rows = columns.first().map_or(0, |c| c.len());
        for row in 0..rows {
            if column.is_null(row) || absent.is_some_and(|a| a.is_null(row)) {
                out.push_null();
                continue;
            }
            let data = &mut out.data;
            match &column.view {
                View::Integer(b) => data.extend_from_slice(&b[row].to_be_bytes()),
                View::Bigint(b) => data.extend_from_slice(&b[row].to_be_bytes()),
                View::Double(b) => {
                    let value = b[row];
                    let bits = if value.is_nan() {
                        CANONICAL_NAN
                    } else {
                        value.to_bits()
                    };
                    data.extend_from_slice(&bits.to_be_bytes());
                }
                View::Text(b) => write_utf8(b.value(row), data),
                View::Binary(b) => data.extend_from_slice(b.value(row)),
                _ => {}
            }
            out.end_row();
        }
        Ok(Vec::new())
    }
}
