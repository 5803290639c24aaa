//! Builders of Arrow columns that can take a row back.
//!
//! ```text
//!   push … push   push ─ error ─► truncate(rows)   push … finish ─► ArrayRef
//! ```
//!
//! Arrow's own builders only grow. These keep plain vectors, so that the values of a half-read
//! record are cut off again and one bad record costs nothing but itself. Invariant: between two
//! records all builders of a decoder hold the same number of rows; a child holds as many rows as
//! the last offset of its parent says.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal256Array, Float64Array, Int32Array,
    Int64Array, ListArray, MapArray, StringArray, StructArray, Time32MillisecondArray,
    TimestampMillisecondArray,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Fields, i256};
use weir_types::SqlType;

/// Validity of rows; costs a counter as long as no row is null.
#[derive(Debug, Default)]
pub(crate) struct Nulls {
    len: usize,
    bits: Option<Vec<bool>>,
}

impl Nulls {
    fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn push_valid(&mut self) {
        self.len += 1;
        if let Some(bits) = &mut self.bits {
            bits.push(true);
        }
    }

    #[inline]
    fn push_null(&mut self) {
        let len = self.len;
        self.bits.get_or_insert_with(|| vec![true; len]).push(false);
        self.len += 1;
    }

    fn truncate(&mut self, rows: usize) {
        self.len = self.len.min(rows);
        if let Some(bits) = &mut self.bits {
            bits.truncate(rows);
        }
    }

    fn finish(&mut self) -> Option<NullBuffer> {
        self.len = 0;
        let bits = self.bits.take()?;
        Some(NullBuffer::new(BooleanBuffer::from(bits))).filter(|n| n.null_count() > 0)
    }
}

/// Values of one width.
#[derive(Debug, Default)]
pub(crate) struct Primitive<T> {
    values: Vec<T>,
    nulls: Nulls,
}

impl<T: Default> Primitive<T> {
    #[inline]
    pub(crate) fn push(&mut self, value: T) {
        self.values.push(value);
        self.nulls.push_valid();
    }

    #[inline]
    fn push_null(&mut self) {
        self.values.push(T::default());
        self.nulls.push_null();
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.nulls.truncate(rows);
    }

    fn take(&mut self) -> (Vec<T>, Option<NullBuffer>) {
        let capacity = self.values.len();
        let values = std::mem::replace(&mut self.values, Vec::with_capacity(capacity));
        (values, self.nulls.finish())
    }
}

/// Text. What is appended to `data` belongs to the row that the next `end_row` ends.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) data: String,
    offsets: Vec<i32>,
    nulls: Nulls,
}

/// Byte strings, as [`Text`].
#[derive(Debug)]
pub(crate) struct Binary {
    pub(crate) data: Vec<u8>,
    offsets: Vec<i32>,
    nulls: Nulls,
}

/// Lists; the items of a row are pushed to `items` before `end_row`.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) items: Box<ColumnBuilder>,
    offsets: Vec<i32>,
    nulls: Nulls,
    data_type: DataType,
}

/// Maps; keys and values of a row are pushed before `end_row`.
#[derive(Debug)]
pub(crate) struct Map {
    pub(crate) keys: Box<ColumnBuilder>,
    pub(crate) values: Box<ColumnBuilder>,
    offsets: Vec<i32>,
    nulls: Nulls,
    data_type: DataType,
}

/// Structs; every field gets one row before `end_row`.
#[derive(Debug)]
pub(crate) struct Struct {
    pub(crate) fields: Vec<ColumnBuilder>,
    nulls: Nulls,
    arrow_fields: Fields,
}

impl Text {
    #[inline]
    pub(crate) fn push(&mut self, text: &str) {
        self.data.push_str(text);
        self.end_row();
    }

    #[inline]
    pub(crate) fn end_row(&mut self) {
        self.offsets.push(self.data.len() as i32);
        self.nulls.push_valid();
    }
}

impl Binary {
    pub(crate) fn end_row(&mut self) {
        self.offsets.push(self.data.len() as i32);
        self.nulls.push_valid();
    }
}

impl List {
    pub(crate) fn end_row(&mut self) {
        self.offsets.push(self.items.len() as i32);
        self.nulls.push_valid();
    }
}

impl Map {
    pub(crate) fn end_row(&mut self) {
        self.offsets.push(self.keys.len() as i32);
        self.nulls.push_valid();
    }

    /// Entries pushed since the last row ended start here.
    pub(crate) fn row_start(&self) -> usize {
        self.offsets.last().map_or(0, |o| *o as usize)
    }
}

impl Struct {
    pub(crate) fn end_row(&mut self) {
        self.nulls.push_valid();
    }

    pub(crate) fn len(&self) -> usize {
        self.nulls.len()
    }
}

/// A column under construction. A batch holds less than 2 GiB of text, as Arrow's `Utf8` does.
#[derive(Debug)]
pub(crate) enum ColumnBuilder {
    Boolean(Primitive<bool>),
    Integer(Primitive<i32>),
    Bigint(Primitive<i64>),
    Double(Primitive<f64>),
    Decimal(Primitive<i256>, DataType),
    Text(Text),
    Binary(Binary),
    Date(Primitive<i32>),
    Time(Primitive<i32>),
    Timestamp(Primitive<i64>),
    List(List),
    Map(Map),
    Struct(Struct),
}

impl ColumnBuilder {
    /// An empty builder of columns of `sql_type`.
    pub(crate) fn new(sql_type: &SqlType) -> Self {
        match sql_type {
            SqlType::Boolean => Self::Boolean(Primitive::default()),
            SqlType::Integer => Self::Integer(Primitive::default()),
            SqlType::Bigint => Self::Bigint(Primitive::default()),
            SqlType::Double => Self::Double(Primitive::default()),
            SqlType::Decimal { .. } => Self::Decimal(Primitive::default(), sql_type.to_arrow()),
            SqlType::String => Self::Text(Text {
                data: String::new(),
                offsets: vec![0],
                nulls: Nulls::default(),
            }),
            SqlType::Bytes => Self::Binary(Binary {
                data: Vec::new(),
                offsets: vec![0],
                nulls: Nulls::default(),
            }),
            SqlType::Date => Self::Date(Primitive::default()),
            SqlType::Time => Self::Time(Primitive::default()),
            SqlType::Timestamp => Self::Timestamp(Primitive::default()),
            SqlType::Array(item) => Self::List(List {
                items: Box::new(Self::new(item)),
                offsets: vec![0],
                nulls: Nulls::default(),
                data_type: sql_type.to_arrow(),
            }),
            SqlType::Map(key, value) => Self::Map(Map {
                keys: Box::new(Self::new(key)),
                values: Box::new(Self::new(value)),
                offsets: vec![0],
                nulls: Nulls::default(),
                data_type: sql_type.to_arrow(),
            }),
            SqlType::Struct(fields) => Self::Struct(Struct {
                fields: fields.iter().map(|f| Self::new(&f.sql_type)).collect(),
                nulls: Nulls::default(),
                arrow_fields: match sql_type.to_arrow() {
                    DataType::Struct(fields) => fields,
                    _ => Fields::empty(),
                },
            }),
        }
    }

    /// Rows held.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Boolean(b) => b.values.len(),
            Self::Integer(b) | Self::Date(b) | Self::Time(b) => b.values.len(),
            Self::Bigint(b) | Self::Timestamp(b) => b.values.len(),
            Self::Double(b) => b.values.len(),
            Self::Decimal(b, _) => b.values.len(),
            Self::Text(b) => b.nulls.len(),
            Self::Binary(b) => b.nulls.len(),
            Self::List(b) => b.nulls.len(),
            Self::Map(b) => b.nulls.len(),
            Self::Struct(b) => b.nulls.len(),
        }
    }

    /// Appends a null row.
    pub(crate) fn push_null(&mut self) {
        match self {
            Self::Boolean(b) => b.push_null(),
            Self::Integer(b) | Self::Date(b) | Self::Time(b) => b.push_null(),
            Self::Bigint(b) | Self::Timestamp(b) => b.push_null(),
            Self::Double(b) => b.push_null(),
            Self::Decimal(b, _) => b.push_null(),
            Self::Text(b) => {
                b.offsets.push(b.data.len() as i32);
                b.nulls.push_null();
            }
            Self::Binary(b) => {
                b.offsets.push(b.data.len() as i32);
                b.nulls.push_null();
            }
            Self::List(b) => {
                b.offsets.push(b.items.len() as i32);
                b.nulls.push_null();
            }
            Self::Map(b) => {
                b.offsets.push(b.keys.len() as i32);
                b.nulls.push_null();
            }
            Self::Struct(b) => {
                b.fields.iter_mut().for_each(Self::push_null);
                b.nulls.push_null();
            }
        }
    }

    /// Cuts everything after the first `rows` rows off, begun rows included.
    pub(crate) fn truncate(&mut self, rows: usize) {
        match self {
            Self::Boolean(b) => b.truncate(rows),
            Self::Integer(b) | Self::Date(b) | Self::Time(b) => b.truncate(rows),
            Self::Bigint(b) | Self::Timestamp(b) => b.truncate(rows),
            Self::Double(b) => b.truncate(rows),
            Self::Decimal(b, _) => b.truncate(rows),
            Self::Text(b) => {
                b.nulls.truncate(rows);
                b.data.truncate(cut(&mut b.offsets, rows));
            }
            Self::Binary(b) => {
                b.nulls.truncate(rows);
                b.data.truncate(cut(&mut b.offsets, rows));
            }
            Self::List(b) => {
                b.nulls.truncate(rows);
                b.items.truncate(cut(&mut b.offsets, rows));
            }
            Self::Map(b) => {
                b.nulls.truncate(rows);
                let entries = cut(&mut b.offsets, rows);
                b.keys.truncate(entries);
                b.values.truncate(entries);
            }
            Self::Struct(b) => {
                b.nulls.truncate(rows);
                b.fields.iter_mut().for_each(|f| f.truncate(rows));
            }
        }
    }

    /// The column; the builder is empty afterwards.
    pub(crate) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Boolean(b) => {
                let (values, nulls) = b.take();
                Arc::new(BooleanArray::new(BooleanBuffer::from(values), nulls))
            }
            Self::Integer(b) => {
                let (values, nulls) = b.take();
                Arc::new(Int32Array::new(values.into(), nulls))
            }
            Self::Bigint(b) => {
                let (values, nulls) = b.take();
                Arc::new(Int64Array::new(values.into(), nulls))
            }
            Self::Double(b) => {
                let (values, nulls) = b.take();
                Arc::new(Float64Array::new(values.into(), nulls))
            }
            Self::Decimal(b, data_type) => {
                let (values, nulls) = b.take();
                let array = Decimal256Array::new(values.into(), nulls);
                Arc::new(array.with_data_type(data_type.clone()))
            }
            Self::Text(b) => {
                let capacity = b.data.len();
                let data = std::mem::replace(&mut b.data, String::with_capacity(capacity));
                let (offsets, nulls) = (take_offsets(&mut b.offsets), b.nulls.finish());
                // SAFETY: `data` is a String, hence valid UTF-8, and every offset was its length
                // when it was pushed, hence non-decreasing and on a character boundary.
                let array = unsafe {
                    StringArray::new_unchecked(offsets, Buffer::from(data.into_bytes()), nulls)
                };
                Arc::new(array)
            }
            Self::Binary(b) => {
                let data = std::mem::take(&mut b.data);
                let (offsets, nulls) = (take_offsets(&mut b.offsets), b.nulls.finish());
                Arc::new(BinaryArray::new(offsets, Buffer::from(data), nulls))
            }
            Self::Date(b) => {
                let (values, nulls) = b.take();
                Arc::new(Date32Array::new(values.into(), nulls))
            }
            Self::Time(b) => {
                let (values, nulls) = b.take();
                Arc::new(Time32MillisecondArray::new(values.into(), nulls))
            }
            Self::Timestamp(b) => {
                let (values, nulls) = b.take();
                Arc::new(TimestampMillisecondArray::new(values.into(), nulls))
            }
            Self::List(b) => {
                let items = b.items.finish();
                let (offsets, nulls) = (take_offsets(&mut b.offsets), b.nulls.finish());
                match &b.data_type {
                    DataType::List(field) => {
                        Arc::new(ListArray::new(Arc::clone(field), offsets, items, nulls))
                    }
                    other => arrow::array::new_null_array(other, offsets.len() - 1),
                }
            }
            Self::Map(b) => {
                let entries = vec![b.keys.finish(), b.values.finish()];
                let (offsets, nulls) = (take_offsets(&mut b.offsets), b.nulls.finish());
                match &b.data_type {
                    DataType::Map(field, sorted) => {
                        let entries = match field.data_type() {
                            DataType::Struct(fields) => {
                                StructArray::new(fields.clone(), entries, None)
                            }
                            _ => StructArray::new_empty_fields(0, None),
                        };
                        Arc::new(MapArray::new(
                            Arc::clone(field),
                            offsets,
                            entries,
                            nulls,
                            *sorted,
                        ))
                    }
                    other => arrow::array::new_null_array(other, offsets.len() - 1),
                }
            }
            Self::Struct(b) => {
                let (rows, nulls) = (b.nulls.len(), b.nulls.finish());
                if b.fields.is_empty() {
                    return Arc::new(StructArray::new_empty_fields(rows, nulls));
                }
                let fields = b.fields.iter_mut().map(Self::finish).collect();
                Arc::new(StructArray::new(b.arrow_fields.clone(), fields, nulls))
            }
        }
    }
}

/// Cuts `offsets` to `rows` rows and returns where the last of them ends.
fn cut(offsets: &mut Vec<i32>, rows: usize) -> usize {
    offsets.truncate(rows + 1);
    offsets.last().map_or(0, |o| *o as usize)
}

fn take_offsets(offsets: &mut Vec<i32>) -> OffsetBuffer<i32> {
    let fresh = Vec::with_capacity(offsets.len());
    let taken = std::mem::replace(offsets, fresh);
    offsets.push(0);
    OffsetBuffer::new(ScalarBuffer::from(taken))
}
