//! Values of one row, without columns: what a lookup by key reads.
//!
//! ```text
//!  key bytes ─read_key──┐
//!                       ├─► Scalars, one for each column
//!  row bytes ─read_row──┘
//! ```
//!
//! Building columns for a single row costs several allocations each; most lookups want a few
//! values of plain types. Rows with columns of any other type are read with
//! [`RowReader`](super::RowReader) and [`KeyReader`](super::KeyReader).
//!
//! Invariant: the values are those that the two readers give.

use std::borrow::Cow;

use arrow::datatypes::DataType;

use super::key::{from_ordered_f64, from_ordered_i32, from_ordered_i64};
use super::{CodecError, Cursor, ROW_VERSION};

/// A type whose values need no column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScalarType {
    /// BOOLEAN
    Boolean,
    /// INTEGER
    Int32,
    /// BIGINT
    Int64,
    /// DOUBLE
    Float64,
    /// STRING
    Utf8,
}

impl ScalarType {
    /// The type, if it is one of these.
    pub fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Self::Boolean,
            DataType::Int32 => Self::Int32,
            DataType::Int64 => Self::Int64,
            DataType::Float64 => Self::Float64,
            DataType::Utf8 => Self::Utf8,
            _ => return None,
        })
    }

    /// All types, if all are of these.
    pub fn all<'a>(types: impl IntoIterator<Item = &'a DataType>) -> Option<Vec<Self>> {
        types.into_iter().map(Self::of).collect()
    }
}

/// A value of one of these types.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar<'a> {
    /// NULL of any type.
    Null,
    /// BOOLEAN
    Boolean(bool),
    /// INTEGER
    Int32(i32),
    /// BIGINT
    Int64(i64),
    /// DOUBLE
    Float64(f64),
    /// STRING
    Utf8(Cow<'a, str>),
}

impl Scalar<'_> {
    /// The value apart from the bytes that it was read from.
    pub fn to_owned(&self) -> Scalar<'static> {
        match self {
            Self::Null => Scalar::Null,
            Self::Boolean(value) => Scalar::Boolean(*value),
            Self::Int32(value) => Scalar::Int32(*value),
            Self::Int64(value) => Scalar::Int64(*value),
            Self::Float64(value) => Scalar::Float64(*value),
            Self::Utf8(text) => Scalar::Utf8(Cow::Owned(text.clone().into_owned())),
        }
    }
}

/// Appends the values of a key and gives what follows it.
///
/// # Errors
/// [`CodecError::Corrupt`]
pub fn read_key<'a>(
    types: &[ScalarType],
    bytes: &'a [u8],
    out: &mut Vec<Scalar<'a>>,
) -> Result<&'a [u8], CodecError> {
    let mut cursor = Cursor::new(bytes);
    for scalar_type in types {
        out.push(match cursor.byte()? {
            0 => Scalar::Null,
            1 => match scalar_type {
                ScalarType::Boolean => Scalar::Boolean(cursor.byte()? != 0),
                ScalarType::Int32 => Scalar::Int32(from_ordered_i32(cursor.array()?)),
                ScalarType::Int64 => Scalar::Int64(from_ordered_i64(cursor.array()?)),
                ScalarType::Float64 => Scalar::Float64(from_ordered_f64(cursor.array()?)),
                ScalarType::Utf8 => Scalar::Utf8(key_text(&mut cursor)?),
            },
            _ => return Err(CodecError::Corrupt("a key part has no marker")),
        });
    }
    Ok(cursor.rest())
}

/// A text in which `00` is `00 FF`, up to `00 00`.
fn key_text<'a>(cursor: &mut Cursor<'a>) -> Result<Cow<'a, str>, CodecError> {
    let mut unescaped: Vec<u8> = Vec::new();
    loop {
        let zero = cursor.rest().iter().position(|byte| *byte == 0);
        let piece = cursor.take(zero.unwrap_or(usize::MAX))?;
        cursor.byte()?;
        match cursor.byte()? {
            0 if unescaped.is_empty() => return Ok(Cow::Borrowed(text(piece)?)),
            0 => {
                unescaped.extend_from_slice(piece);
                return Ok(Cow::Owned(text(&unescaped)?.to_owned()));
            }
            0xff => {
                unescaped.extend_from_slice(piece);
                unescaped.push(0);
            }
            _ => return Err(CodecError::Corrupt("bad escape in a key")),
        }
    }
}

/// Appends the values of a row and gives what follows it.
///
/// # Errors
/// [`CodecError`]
pub fn read_row<'a>(
    types: &[ScalarType],
    bytes: &'a [u8],
    out: &mut Vec<Scalar<'a>>,
) -> Result<&'a [u8], CodecError> {
    let mut cursor = Cursor::new(bytes);
    match cursor.byte()? {
        ROW_VERSION => {}
        version => return Err(CodecError::Version(version)),
    }
    let bitmap = cursor.take(types.len().div_ceil(8))?;
    for (index, scalar_type) in types.iter().enumerate() {
        if bitmap[index / 8] >> (index % 8) & 1 == 0 {
            out.push(Scalar::Null);
            continue;
        }
        out.push(match scalar_type {
            ScalarType::Boolean => Scalar::Boolean(cursor.byte()? != 0),
            ScalarType::Int32 => Scalar::Int32(i32::from_le_bytes(cursor.array()?)),
            ScalarType::Int64 => Scalar::Int64(i64::from_le_bytes(cursor.array()?)),
            ScalarType::Float64 => Scalar::Float64(f64::from_le_bytes(cursor.array()?)),
            ScalarType::Utf8 => {
                let len = cursor.varint()?;
                Scalar::Utf8(Cow::Borrowed(text(cursor.take(len)?)?))
            }
        });
    }
    Ok(cursor.rest())
}

fn text(bytes: &[u8]) -> Result<&str, CodecError> {
    std::str::from_utf8(bytes).map_err(|_| CodecError::Corrupt("text is not UTF-8"))
}
