//! Column builders that the readers of keys and rows fill.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal256Array, Float64Array, Int32Array,
    Int64Array, ListArray, MapArray, StringArray, StructArray, Time32MillisecondArray,
    TimestampMillisecondArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, FieldRef, Fields, TimeUnit, i256};

use super::CodecError;

/// Builds a column of one of the Arrow types of [`weir_types::SqlType::to_arrow`].
pub enum ColumnBuilder {
    /// BOOLEAN.
    Boolean(Values<bool>),
    /// INTEGER, DATE, TIME.
    Int32(Values<i32>),
    /// BIGINT, TIMESTAMP.
    Int64(Values<i64>),
    /// DOUBLE.
    Float64(Values<f64>),
    /// DECIMAL.
    Decimal(Values<i256>),
    /// STRING, BYTES.
    Bytes(ByteValues),
    /// ARRAY.
    List(ListValues),
    /// MAP.
    Map(MapValues),
    /// STRUCT.
    Struct(StructValues),
}

/// Fixed-width values with validity.
pub struct Values<T> {
    data_type: DataType,
    values: Vec<T>,
    valid: Vec<bool>,
}

impl<T: Copy + Default> Values<T> {
    fn new(data_type: &DataType) -> Self {
        Self {
            data_type: data_type.clone(),
            values: Vec::new(),
            valid: Vec::new(),
        }
    }

    /// Appends a value.
    pub fn push(&mut self, value: T) {
        self.values.push(value);
        self.valid.push(true);
    }

    fn push_null(&mut self) {
        self.values.push(T::default());
        self.valid.push(false);
    }

    fn take(&mut self) -> (Vec<T>, Option<NullBuffer>) {
        (
            std::mem::take(&mut self.values),
            take_nulls(&mut self.valid),
        )
    }
}

fn take_nulls(valid: &mut Vec<bool>) -> Option<NullBuffer> {
    let valid = std::mem::take(valid);
    valid.contains(&false).then(|| NullBuffer::from(valid))
}

fn take_offsets(offsets: &mut Vec<i32>) -> OffsetBuffer<i32> {
    let offsets = std::mem::replace(offsets, vec![0]);
    OffsetBuffer::new(ScalarBuffer::from(offsets))
}

/// Byte strings.
pub struct ByteValues {
    utf8: bool,
    data: Vec<u8>,
    offsets: Vec<i32>,
    valid: Vec<bool>,
}

impl ByteValues {
    /// Appends a value.
    pub fn push(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
        self.offsets.push(self.data.len() as i32);
        self.valid.push(true);
    }
}

/// Lists.
pub struct ListValues {
    field: FieldRef,
    items: Box<ColumnBuilder>,
    offsets: Vec<i32>,
    valid: Vec<bool>,
}

impl ListValues {
    /// Takes the items of the row at hand; [`Self::end_row`] ends it.
    pub fn items_mut(&mut self) -> &mut ColumnBuilder {
        &mut self.items
    }

    /// Ends a row.
    pub fn end_row(&mut self) {
        self.offsets.push(self.items.len() as i32);
        self.valid.push(true);
    }
}

/// Maps.
pub struct MapValues {
    field: FieldRef,
    fields: Fields,
    keys: Box<ColumnBuilder>,
    values: Box<ColumnBuilder>,
    offsets: Vec<i32>,
    valid: Vec<bool>,
}

impl MapValues {
    /// Take the keys and the values of the row at hand; [`Self::end_row`] ends it.
    pub fn entries_mut(&mut self) -> (&mut ColumnBuilder, &mut ColumnBuilder) {
        (&mut self.keys, &mut self.values)
    }

    /// Ends a row.
    pub fn end_row(&mut self) {
        self.offsets.push(self.keys.len() as i32);
        self.valid.push(true);
    }
}

/// Structs.
pub struct StructValues {
    fields: Fields,
    columns: Vec<ColumnBuilder>,
    valid: Vec<bool>,
}

impl StructValues {
    /// Take the fields of the row at hand; [`Self::end_row`] ends it.
    pub fn fields_mut(&mut self) -> &mut [ColumnBuilder] {
        &mut self.columns
    }

    /// Ends a row.
    pub fn end_row(&mut self) {
        self.valid.push(true);
    }
}

impl ColumnBuilder {
    /// A builder of `data_type`.
    ///
    /// # Errors
    /// [`CodecError::Unsupported`] for Arrow types that no SQL type maps to.
    pub fn new(data_type: &DataType) -> Result<Self, CodecError> {
        let bytes = |utf8| {
            Self::Bytes(ByteValues {
                utf8,
                data: Vec::new(),
                offsets: vec![0],
                valid: Vec::new(),
            })
        };
        let unsupported = || CodecError::Unsupported(data_type.to_string());
        Ok(match data_type {
            DataType::Boolean => Self::Boolean(Values::new(data_type)),
            DataType::Int32 | DataType::Date32 | DataType::Time32(TimeUnit::Millisecond) => {
                Self::Int32(Values::new(data_type))
            }
            DataType::Int64 | DataType::Timestamp(TimeUnit::Millisecond, None) => {
                Self::Int64(Values::new(data_type))
            }
            DataType::Float64 => Self::Float64(Values::new(data_type)),
            DataType::Decimal256(_, _) => Self::Decimal(Values::new(data_type)),
            DataType::Utf8 => bytes(true),
            DataType::Binary => bytes(false),
            DataType::List(field) => Self::List(ListValues {
                field: Arc::clone(field),
                items: Box::new(Self::new(field.data_type())?),
                offsets: vec![0],
                valid: Vec::new(),
            }),
            DataType::Map(field, _) => {
                let DataType::Struct(fields) = field.data_type() else {
                    return Err(unsupported());
                };
                let [key, value] = &fields[..] else {
                    return Err(unsupported());
                };
                Self::Map(MapValues {
                    field: Arc::clone(field),
                    keys: Box::new(Self::new(key.data_type())?),
                    values: Box::new(Self::new(value.data_type())?),
                    fields: fields.clone(),
                    offsets: vec![0],
                    valid: Vec::new(),
                })
            }
            DataType::Struct(fields) => Self::Struct(StructValues {
                fields: fields.clone(),
                columns: fields
                    .iter()
                    .map(|field| Self::new(field.data_type()))
                    .collect::<Result<_, _>>()?,
                valid: Vec::new(),
            }),
            _ => return Err(unsupported()),
        })
    }

    /// Rows held.
    pub fn len(&self) -> usize {
        match self {
            Self::Boolean(values) => values.valid.len(),
            Self::Int32(values) => values.valid.len(),
            Self::Int64(values) => values.valid.len(),
            Self::Float64(values) => values.valid.len(),
            Self::Decimal(values) => values.valid.len(),
            Self::Bytes(values) => values.valid.len(),
            Self::List(values) => values.valid.len(),
            Self::Map(values) => values.valid.len(),
            Self::Struct(values) => values.valid.len(),
        }
    }

    /// Whether no row is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends a null.
    pub fn push_null(&mut self) {
        match self {
            Self::Boolean(values) => values.push_null(),
            Self::Int32(values) => values.push_null(),
            Self::Int64(values) => values.push_null(),
            Self::Float64(values) => values.push_null(),
            Self::Decimal(values) => values.push_null(),
            Self::Bytes(values) => {
                values.offsets.push(values.data.len() as i32);
                values.valid.push(false);
            }
            Self::List(values) => {
                values.offsets.push(values.items.len() as i32);
                values.valid.push(false);
            }
            Self::Map(values) => {
                values.offsets.push(values.keys.len() as i32);
                values.valid.push(false);
            }
            Self::Struct(values) => {
                values.columns.iter_mut().for_each(Self::push_null);
                values.valid.push(false);
            }
        }
    }

    /// The column; the builder is empty again.
    ///
    /// # Errors
    /// [`CodecError::Corrupt`] where text is not UTF-8 or entries do not fit their type.
    pub fn finish(&mut self) -> Result<ArrayRef, CodecError> {
        let misfit = |_| CodecError::Corrupt("values do not fit their type");
        Ok(match self {
            Self::Boolean(values) => {
                let (data, nulls) = values.take();
                Arc::new(BooleanArray::new(BooleanBuffer::from(data), nulls))
            }
            Self::Int32(values) => {
                let (data, nulls) = values.take();
                let data = ScalarBuffer::from(data);
                match values.data_type {
                    DataType::Date32 => Arc::new(Date32Array::new(data, nulls)),
                    DataType::Time32(_) => Arc::new(Time32MillisecondArray::new(data, nulls)),
                    _ => Arc::new(Int32Array::new(data, nulls)),
                }
            }
            Self::Int64(values) => {
                let (data, nulls) = values.take();
                let data = ScalarBuffer::from(data);
                match values.data_type {
                    DataType::Timestamp(_, _) => {
                        Arc::new(TimestampMillisecondArray::new(data, nulls))
                    }
                    _ => Arc::new(Int64Array::new(data, nulls)),
                }
            }
            Self::Float64(values) => {
                let (data, nulls) = values.take();
                Arc::new(Float64Array::new(ScalarBuffer::from(data), nulls))
            }
            Self::Decimal(values) => {
                let (data, nulls) = values.take();
                Arc::new(
                    Decimal256Array::new(ScalarBuffer::from(data), nulls)
                        .with_data_type(values.data_type.clone()),
                )
            }
            Self::Bytes(values) => {
                let offsets = take_offsets(&mut values.offsets);
                let data = Buffer::from_vec(std::mem::take(&mut values.data));
                let nulls = take_nulls(&mut values.valid);
                if values.utf8 {
                    let text = StringArray::try_new(offsets, data, nulls)
                        .map_err(|_| CodecError::Corrupt("text is not UTF-8"))?;
                    Arc::new(text)
                } else {
                    Arc::new(BinaryArray::new(offsets, data, nulls))
                }
            }
            Self::List(values) => {
                let offsets = take_offsets(&mut values.offsets);
                let nulls = take_nulls(&mut values.valid);
                let field = Arc::clone(&values.field);
                let items = values.items.finish()?;
                Arc::new(ListArray::try_new(field, offsets, items, nulls).map_err(misfit)?)
            }
            Self::Map(values) => {
                let offsets = take_offsets(&mut values.offsets);
                let nulls = take_nulls(&mut values.valid);
                let columns = vec![values.keys.finish()?, values.values.finish()?];
                let entries =
                    StructArray::try_new(values.fields.clone(), columns, None).map_err(misfit)?;
                let field = Arc::clone(&values.field);
                Arc::new(MapArray::try_new(field, offsets, entries, nulls, false).map_err(misfit)?)
            }
            Self::Struct(values) => {
                let len = values.valid.len();
                let nulls = take_nulls(&mut values.valid);
                let columns = values
                    .columns
                    .iter_mut()
                    .map(Self::finish)
                    .collect::<Result<Vec<_>, _>>()?;
                Arc::new(
                    StructArray::try_new_with_length(values.fields.clone(), columns, nulls, len)
                        .map_err(misfit)?,
                )
            }
        })
    }
}
