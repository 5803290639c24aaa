//! Typed views of Arrow columns, taken once for each batch so that rows are read without casts.

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Decimal256Array, StringArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType, TimeUnit,
    TimestampMillisecondType, i256,
};

use super::CodecError;

/// A column of one of the Arrow types of [`weir_types::SqlType::to_arrow`].
pub struct ColumnView<'a> {
    pub(crate) nulls: Option<&'a NullBuffer>,
    pub(crate) data: ViewData<'a>,
}

pub(crate) enum ViewData<'a> {
    Boolean(&'a BooleanArray),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    Float64(&'a [f64]),
    Decimal(&'a Decimal256Array),
    Utf8(&'a StringArray),
    Binary(&'a BinaryArray),
    List(&'a [i32], Box<ColumnView<'a>>),
    Map(&'a [i32], Box<ColumnView<'a>>, Box<ColumnView<'a>>),
    Struct(Vec<ColumnView<'a>>),
}

impl<'a> ColumnView<'a> {
    /// A view of `column`.
    ///
    /// # Errors
    /// [`CodecError::Unsupported`] for Arrow types that no SQL type maps to.
    pub fn new(column: &'a dyn Array) -> Result<Self, CodecError> {
        let data = match column.data_type() {
            DataType::Boolean => ViewData::Boolean(column.as_boolean()),
            DataType::Int32 => ViewData::Int32(column.as_primitive::<Int32Type>().values()),
            DataType::Date32 => ViewData::Int32(column.as_primitive::<Date32Type>().values()),
            DataType::Time32(TimeUnit::Millisecond) => {
                ViewData::Int32(column.as_primitive::<Time32MillisecondType>().values())
            }
            DataType::Int64 => ViewData::Int64(column.as_primitive::<Int64Type>().values()),
            DataType::Timestamp(TimeUnit::Millisecond, None) => {
                ViewData::Int64(column.as_primitive::<TimestampMillisecondType>().values())
            }
            DataType::Float64 => ViewData::Float64(column.as_primitive::<Float64Type>().values()),
            DataType::Decimal256(_, _) => ViewData::Decimal(column.as_primitive()),
            DataType::Utf8 => ViewData::Utf8(column.as_string()),
            DataType::Binary => ViewData::Binary(column.as_binary()),
            DataType::List(_) => {
                let list = column.as_list::<i32>();
                ViewData::List(
                    list.value_offsets(),
                    Box::new(Self::new(list.values().as_ref())?),
                )
            }
            DataType::Map(_, _) => {
                let map = column.as_map();
                ViewData::Map(
                    map.value_offsets(),
                    Box::new(Self::new(map.keys().as_ref())?),
                    Box::new(Self::new(map.values().as_ref())?),
                )
            }
            DataType::Struct(_) => ViewData::Struct(Self::all(column.as_struct().columns())?),
            other => return Err(CodecError::Unsupported(other.to_string())),
        };
        Ok(Self {
            nulls: column.nulls(),
            data,
        })
    }

    /// Views of all of these columns.
    ///
    /// # Errors
    /// As [`ColumnView::new`].
    pub fn all(columns: &'a [ArrayRef]) -> Result<Vec<Self>, CodecError> {
        columns
            .iter()
            .map(|column| Self::new(column.as_ref()))
            .collect()
    }

    /// Whether row `row` is null.
    pub fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }
}

/// The value of a decimal as big-endian two's complement.
pub(crate) fn decimal_bytes(value: i256) -> [u8; 32] {
    value.to_be_bytes()
}
