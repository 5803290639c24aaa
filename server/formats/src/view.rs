//! Columns as the encoders see them: one typed view per column, made once per batch.
//!
//! Invariant: a view was checked against its SQL type, children included, so that reading a row
//! needs no further check.

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BooleanArray, StringArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{
    Date32Type, Decimal256Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType, i256,
};
use weir_types::java::{write_decimal, write_decimal_plain};
use weir_types::{SqlType, own_scale};

use crate::error::FormatError;

/// A column, typed.
pub(crate) enum View<'a> {
    Boolean(&'a BooleanArray),
    Integer(&'a [i32]),
    Bigint(&'a [i64]),
    Double(&'a [f64]),
    /// Unscaled values at a common scale, some perhaps stand-ins ([`own_scale`]).
    Decimal {
        unscaled: &'a [i256],
        scale: u32,
    },
    Text(&'a StringArray),
    Binary(&'a BinaryArray),
    List {
        offsets: &'a OffsetBuffer<i32>,
        items: Box<Column<'a>>,
    },
    Map {
        offsets: &'a OffsetBuffer<i32>,
        keys: &'a StringArray,
        values: Box<Column<'a>>,
    },
    Struct {
        fields: Vec<Column<'a>>,
    },
}

/// A view with its validity.
pub(crate) struct Column<'a> {
    nulls: Option<&'a arrow::buffer::NullBuffer>,
    pub(crate) view: View<'a>,
}

impl<'a> Column<'a> {
    /// Looks at `array` as a column of `sql_type`.
    pub(crate) fn new(array: &'a ArrayRef, sql_type: &SqlType) -> Result<Self, FormatError> {
        let view = View::new(array, sql_type).ok_or_else(|| {
            FormatError::new(format!(
                "A column of {sql_type} was to be written, but it holds {}",
                array.data_type()
            ))
        })?;
        Ok(Self {
            nulls: array.nulls(),
            view,
        })
    }

    fn of(array: &'a ArrayRef, sql_type: &SqlType) -> Option<Self> {
        Some(Self {
            nulls: array.nulls(),
            view: View::new(array, sql_type)?,
        })
    }

    /// Whether row `i` holds no value.
    #[inline]
    pub(crate) fn is_null(&self, i: usize) -> bool {
        self.nulls.is_some_and(|n| n.is_null(i))
    }
}

impl<'a> View<'a> {
    fn new(array: &'a ArrayRef, sql_type: &SqlType) -> Option<Self> {
        Some(match sql_type {
            SqlType::Boolean => Self::Boolean(array.as_boolean_opt()?),
            SqlType::Integer => Self::Integer(array.as_primitive_opt::<Int32Type>()?.values()),
            SqlType::Bigint => Self::Bigint(array.as_primitive_opt::<Int64Type>()?.values()),
            SqlType::Double => Self::Double(array.as_primitive_opt::<Float64Type>()?.values()),
            SqlType::Decimal { .. } => {
                let decimals = array.as_primitive_opt::<Decimal256Type>()?;
                Self::Decimal {
                    unscaled: decimals.values(),
                    scale: u32::try_from(decimals.scale()).ok()?,
                }
            }
            SqlType::String => Self::Text(array.as_string_opt()?),
            SqlType::Bytes => Self::Binary(array.as_binary_opt()?),
            SqlType::Date => Self::Integer(array.as_primitive_opt::<Date32Type>()?.values()),
            SqlType::Time => {
                Self::Integer(array.as_primitive_opt::<Time32MillisecondType>()?.values())
            }
            SqlType::Timestamp => Self::Bigint(
                array
                    .as_primitive_opt::<TimestampMillisecondType>()?
                    .values(),
            ),
            SqlType::Array(item) => {
                let list = array.as_list_opt::<i32>()?;
                Self::List {
                    offsets: list.offsets(),
                    items: Box::new(Column::of(list.values(), item)?),
                }
            }
            SqlType::Map(key, value) if **key == SqlType::String => {
                let map = array.as_map_opt()?;
                Self::Map {
                    offsets: map.offsets(),
                    keys: map.keys().as_string_opt()?,
                    values: Box::new(Column::of(map.values(), value)?),
                }
            }
            SqlType::Map(..) => return None,
            SqlType::Struct(fields) => {
                let array: &StructArray = array.as_struct_opt()?;
                if array.num_columns() != fields.len() {
                    return None;
                }
                Self::Struct {
                    fields: array
                        .columns()
                        .iter()
                        .zip(fields)
                        .map(|(column, field)| Column::of(column, &field.sql_type))
                        .collect::<Option<_>>()?,
                }
            }
        })
    }
}

/// Views of all columns of a side; an error if they do not fit the declared types or are not of
/// one length.
pub(crate) fn columns<'a>(
    arrays: &'a [ArrayRef],
    declared: &[(String, SqlType)],
) -> Result<Vec<Column<'a>>, FormatError> {
    let rows = arrays.first().map_or(0, |a| a.len());
    if arrays.len() != declared.len() || arrays.iter().any(|a| a.len() != rows) {
        return Err(FormatError::new(format!(
            "{} columns of one length were to be written, but {} came",
            declared.len(),
            arrays.len()
        )));
    }
    arrays
        .iter()
        .zip(declared)
        .map(|(array, (_, t))| Column::new(array, t))
        .collect()
}

/// Appends a decimal as `BigDecimal.toString` prints it, with the scale that is its own.
pub(crate) fn push_decimal(unscaled: i256, scale: u32, out: &mut Vec<u8>) {
    let (unscaled, zeros) = own_scale::split(unscaled);
    let scale = scale.saturating_sub(zeros);
    match unscaled.to_i128() {
        Some(small) => write_decimal(itoa::Buffer::new().format(small), scale, out),
        None => write_decimal(&unscaled.to_string(), scale, out),
    }
}

/// Appends a decimal without exponent, with its column's scale.
pub(crate) fn push_decimal_plain(unscaled: i256, scale: u32, out: &mut Vec<u8>) {
    let unscaled = own_scale::plain(unscaled);
    match unscaled.to_i128() {
        Some(small) => write_decimal_plain(itoa::Buffer::new().format(small), scale, out),
        None => write_decimal_plain(&unscaled.to_string(), scale, out),
    }
}

/// Appends an integer.
#[inline]
pub(crate) fn push_integer(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends padded standard base64.
pub(crate) fn push_base64(bytes: &[u8], out: &mut Vec<u8>) {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let start = out.len();
    let room = bytes.len().div_ceil(3) * 4;
    out.resize(start + room, 0);
    let written = out
        .get_mut(start..)
        .and_then(|slot| STANDARD.encode_slice(bytes, slot).ok());
    out.truncate(start + written.unwrap_or(0));
}
