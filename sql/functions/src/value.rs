//! One value of any SQL type, for work on nested values and on values whose type is only known at
//! run time. Hot paths work on whole columns instead.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal256Array,
    Float64Array, Int32Array, Int64Array, ListArray, MapArray, StringArray, StructArray,
    Time32MillisecondArray, TimestampMillisecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    DataType, Date32Type, Decimal256Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimeUnit, TimestampMillisecondType, i256,
};
use datafusion::common::{Result, internal_err};
use weir_types::surrogates::units;
use weir_types::{SqlType, own_scale};

use crate::convert::decimal::compare_scaled;

/// A value. Equality, hash and order are those of Java's objects: NaN equals itself and is the
/// greatest, `-0.0` is less than `0.0`, text is ordered by UTF-16 units, bytes are signed, NULL is
/// least. Decimals are equal if their scales are as well; see [`Value::compare`].
#[derive(Debug, Clone)]
pub enum Value {
    /// No value.
    Null,
    /// BOOLEAN.
    Boolean(bool),
    /// INTEGER.
    Integer(i32),
    /// BIGINT.
    Bigint(i64),
    /// DOUBLE.
    Double(f64),
    /// DECIMAL: unscaled value and scale, its own one ([`own_scale`]).
    Decimal(i256, u32),
    /// STRING.
    String(String),
    /// BYTES.
    Bytes(Vec<u8>),
    /// DATE: days since the epoch.
    Date(i32),
    /// TIME: milliseconds of the day.
    Time(i32),
    /// TIMESTAMP: milliseconds since the epoch.
    Timestamp(i64),
    /// ARRAY.
    Array(Vec<Value>),
    /// MAP: entries in stored order.
    Map(Vec<(Value, Value)>),
    /// STRUCT: values of the fields in declared order; their names are in the type.
    Struct(Vec<Value>),
}

impl Value {
    /// The value in `row` of `array`.
    ///
    /// # Errors
    /// When the array is of an Arrow type that no SQL type has.
    pub fn of(array: &ArrayRef, row: usize) -> Result<Self> {
        if array.is_null(row) {
            return Ok(Self::Null);
        }
        Ok(match array.data_type() {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Boolean(array.as_boolean().value(row)),
            DataType::Int32 => Self::Integer(array.as_primitive::<Int32Type>().value(row)),
            DataType::Int64 => Self::Bigint(array.as_primitive::<Int64Type>().value(row)),
            DataType::Float64 => Self::Double(array.as_primitive::<Float64Type>().value(row)),
            DataType::Decimal256(_, scale) => {
                let held = array.as_primitive::<Decimal256Type>().value(row);
                let (unscaled, zeros) = own_scale::split(held);
                let scale = u32::try_from(*scale).unwrap_or(0);
                Self::Decimal(unscaled, scale.saturating_sub(zeros))
            }
            DataType::Utf8 => Self::String(array.as_string::<i32>().value(row).to_owned()),
            DataType::Binary => Self::Bytes(array.as_binary::<i32>().value(row).to_owned()),
            DataType::Date32 => Self::Date(array.as_primitive::<Date32Type>().value(row)),
            DataType::Time32(TimeUnit::Millisecond) => {
                Self::Time(array.as_primitive::<Time32MillisecondType>().value(row))
            }
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                Self::Timestamp(array.as_primitive::<TimestampMillisecondType>().value(row))
            }
            DataType::List(_) => Self::Array(Self::all(&array.as_list::<i32>().value(row))?),
            DataType::Map(..) => {
                let entries = array.as_map().value(row);
                let keys = Self::all(entries.column(0))?;
                Self::Map(
                    keys.into_iter()
                        .zip(Self::all(entries.column(1))?)
                        .collect(),
                )
            }
            DataType::Struct(_) => Self::Struct(
                array
                    .as_struct()
                    .columns()
                    .iter()
                    .map(|column| Self::of(column, row))
                    .collect::<Result<_>>()?,
            ),
            other => return internal_err!("no SQL type is held as {other}"),
        })
    }

    /// All values of `array`.
    ///
    /// # Errors
    /// As [`Value::of`].
    pub fn all(array: &ArrayRef) -> Result<Vec<Self>> {
        (0..array.len()).map(|row| Self::of(array, row)).collect()
    }

    /// Whether this is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Java's `compareTo`: as the order, but that decimals of different scales may be equal.
    pub fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Decimal(a, s), Self::Decimal(b, t)) => compare_scaled(*a, *s, *b, *t),
            _ => self.cmp(other),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Boolean(_) => 1,
            Self::Integer(_) => 2,
            Self::Bigint(_) => 3,
            Self::Double(_) => 4,
            Self::Decimal(..) => 5,
            Self::String(_) => 6,
            Self::Bytes(_) => 7,
            Self::Date(_) => 8,
            Self::Time(_) => 9,
            Self::Timestamp(_) => 10,
            Self::Array(_) => 11,
            Self::Map(_) => 12,
            Self::Struct(_) => 13,
        }
    }
}

/// Order of texts by UTF-16 units, as Java's `String.compareTo`.
pub fn compare_text(left: &str, right: &str) -> Ordering {
    // UTF-8 order differs from UTF-16 order only where a character beyond U+FFFF meets one of
    // U+E000..U+FFFF, so the first differing byte decides when it is below those.
    let (l, r) = (left.as_bytes(), right.as_bytes());
    let common = l.iter().zip(r).take_while(|(a, b)| a == b).count();
    match (l.get(common), r.get(common)) {
        (Some(a), Some(b)) if *a >= 0xee && *b >= 0xee => units(left).cmp(units(right)),
        (a, b) => a.cmp(&b),
    }
}

/// Order of bytes as signed numbers, the way ksqlDB compares BYTES (spec/sql.md §4.3).
pub fn compare_bytes(left: &[u8], right: &[u8]) -> Ordering {
    left.iter()
        .map(|b| *b as i8)
        .cmp(right.iter().map(|b| *b as i8))
}

/// Order of doubles as Java's `Double.compare`: NaN is the greatest, `-0.0 < 0.0`.
pub fn compare_doubles(left: f64, right: f64) -> Ordering {
    match (left.is_nan(), right.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => left.total_cmp(&right),
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Boolean(a), Self::Boolean(b)) => a.cmp(b),
            (Self::Integer(a), Self::Integer(b))
            | (Self::Date(a), Self::Date(b))
            | (Self::Time(a), Self::Time(b)) => a.cmp(b),
            (Self::Bigint(a), Self::Bigint(b)) | (Self::Timestamp(a), Self::Timestamp(b)) => {
                a.cmp(b)
            }
            (Self::Double(a), Self::Double(b)) => compare_doubles(*a, *b),
            (Self::Decimal(a, s), Self::Decimal(b, t)) if s == t => a.cmp(b),
            (Self::Decimal(a, s), Self::Decimal(b, t)) => {
                compare_scaled(*a, *s, *b, *t).then(s.cmp(t))
            }
            (Self::String(a), Self::String(b)) => compare_text(a, b),
            (Self::Bytes(a), Self::Bytes(b)) => compare_bytes(a, b),
            (Self::Array(a), Self::Array(b)) | (Self::Struct(a), Self::Struct(b)) => a.cmp(b),
            (Self::Map(a), Self::Map(b)) => {
                // Maps are equal whatever the order of their entries.
                let sorted = |entries: &[(Self, Self)]| {
                    let mut entries = entries.to_vec();
                    entries.sort();
                    entries
                };
                sorted(a).cmp(&sorted(b))
            }
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rank().hash(state);
        match self {
            Self::Null => {}
            Self::Boolean(v) => v.hash(state),
            Self::Integer(v) | Self::Date(v) | Self::Time(v) => v.hash(state),
            Self::Bigint(v) | Self::Timestamp(v) => v.hash(state),
            Self::Double(v) if v.is_nan() => f64::NAN.to_bits().hash(state),
            Self::Double(v) => v.to_bits().hash(state),
            Self::Decimal(v, scale) => (v, scale).hash(state),
            Self::String(v) => v.hash(state),
            Self::Bytes(v) => v.hash(state),
            Self::Array(v) | Self::Struct(v) => v.hash(state),
            Self::Map(entries) => entries.len().hash(state),
        }
    }
}

/// A column of `sql_type` of these values.
///
/// # Errors
/// When a value is of another type, or a decimal of more scale, than `sql_type`.
pub fn array_of(sql_type: &SqlType, values: &[Value]) -> Result<ArrayRef> {
    /// Collects one variant's payloads.
    macro_rules! collect {
        ($variant:ident, $array:ty, $map:expr) => {{
            let out = values
                .iter()
                .map(|value| match value {
                    Value::Null => Ok(None),
                    Value::$variant(v) => Ok(Some($map(v))),
                    other => mismatch(sql_type, other),
                })
                .collect::<Result<$array>>()?;
            Arc::new(out)
        }};
    }
    Ok(match sql_type {
        SqlType::Boolean => collect!(Boolean, BooleanArray, |v: &bool| *v),
        SqlType::Integer => collect!(Integer, Int32Array, |v: &i32| *v),
        SqlType::Bigint => collect!(Bigint, Int64Array, |v: &i64| *v),
        SqlType::Double => collect!(Double, Float64Array, |v: &f64| *v),
        SqlType::String => collect!(String, StringArray, String::as_str),
        SqlType::Bytes => collect!(Bytes, BinaryArray, Vec::as_slice),
        SqlType::Date => collect!(Date, Date32Array, |v: &i32| *v),
        SqlType::Time => collect!(Time, Time32MillisecondArray, |v: &i32| *v),
        SqlType::Timestamp => collect!(Timestamp, TimestampMillisecondArray, |v: &i64| *v),
        SqlType::Decimal { scale, .. } => {
            let out = values
                .iter()
                .map(|value| match value {
                    Value::Null => Ok(None),
                    Value::Decimal(v, s) if s == scale => Ok(Some(*v)),
                    Value::Decimal(v, s) => match own_scale::held(*v, *s, *scale) {
                        Some(held) => Ok(Some(held)),
                        None => mismatch(sql_type, value),
                    },
                    other => mismatch(sql_type, other),
                })
                .collect::<Result<Decimal256Array>>()?;
            Arc::new(out.with_data_type(sql_type.to_arrow()))
        }
        SqlType::Array(item) => {
            let mut children = Vec::new();
            let mut lengths = Vec::with_capacity(values.len());
            for value in values {
                let before = children.len();
                match value {
                    Value::Null => {}
                    Value::Array(items) => children.extend_from_slice(items),
                    other => return mismatch(sql_type, other),
                }
                lengths.push(children.len() - before);
            }
            list_of(
                sql_type,
                lengths,
                array_of(item, &children)?,
                nulls_of(values),
            )?
        }
        SqlType::Map(key, item) => {
            let (mut keys, mut items) = (Vec::new(), Vec::new());
            let mut lengths = Vec::with_capacity(values.len());
            for value in values {
                let before = keys.len();
                match value {
                    Value::Null => {}
                    Value::Map(entries) => {
                        for (k, v) in entries {
                            keys.push(k.clone());
                            items.push(v.clone());
                        }
                    }
                    other => return mismatch(sql_type, other),
                }
                lengths.push(keys.len() - before);
            }
            map_of(
                sql_type,
                lengths,
                array_of(key, &keys)?,
                array_of(item, &items)?,
                nulls_of(values),
            )?
        }
        SqlType::Struct(fields) => {
            let mut columns = Vec::with_capacity(fields.len());
            for (i, field) in fields.iter().enumerate() {
                let column: Vec<Value> = values
                    .iter()
                    .map(|value| match value {
                        Value::Null => Ok(Value::Null),
                        Value::Struct(items) => Ok(items.get(i).cloned().unwrap_or(Value::Null)),
                        other => mismatch(sql_type, other),
                    })
                    .collect::<Result<_>>()?;
                columns.push(array_of(&field.sql_type, &column)?);
            }
            struct_of(sql_type, columns, nulls_of(values), values.len())?
        }
    })
}

/// A column of ARRAY type `sql_type` over its elements laid end to end.
///
/// # Errors
/// When the parts do not fit together.
pub fn list_of(
    sql_type: &SqlType,
    lengths: impl IntoIterator<Item = usize>,
    items: ArrayRef,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let DataType::List(field) = sql_type.to_arrow() else {
        return internal_err!("{sql_type} is no ARRAY");
    };
    Ok(Arc::new(ListArray::try_new(
        field,
        OffsetBuffer::from_lengths(lengths),
        items,
        nulls,
    )?))
}

/// A column of MAP type `sql_type` over its entries laid end to end.
///
/// # Errors
/// When the parts do not fit together.
pub fn map_of(
    sql_type: &SqlType,
    lengths: impl IntoIterator<Item = usize>,
    keys: ArrayRef,
    values: ArrayRef,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let DataType::Map(field, sorted) = sql_type.to_arrow() else {
        return internal_err!("{sql_type} is no MAP");
    };
    let DataType::Struct(fields) = field.data_type() else {
        return internal_err!("{sql_type} is no MAP");
    };
    let entries = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(MapArray::try_new(
        field, offsets, entries, nulls, sorted,
    )?))
}

/// A column of STRUCT type `sql_type` over the columns of its fields, of `rows` rows.
///
/// # Errors
/// When the parts do not fit together.
pub fn struct_of(
    sql_type: &SqlType,
    columns: Vec<ArrayRef>,
    nulls: Option<NullBuffer>,
    rows: usize,
) -> Result<ArrayRef> {
    let DataType::Struct(fields) = sql_type.to_arrow() else {
        return internal_err!("{sql_type} is no STRUCT");
    };
    Ok(Arc::new(StructArray::try_new_with_length(
        fields, columns, nulls, rows,
    )?))
}

fn nulls_of(values: &[Value]) -> Option<NullBuffer> {
    values.iter().any(Value::is_null).then(|| {
        values
            .iter()
            .map(|value| !value.is_null())
            .collect::<Vec<bool>>()
            .into()
    })
}

fn mismatch<T>(sql_type: &SqlType, value: &Value) -> Result<T> {
    internal_err!("{value:?} is no {sql_type}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use weir_types::StructField;

    #[test]
    fn nested_columns_read_back() {
        let sql_type = SqlType::Struct(vec![
            StructField::new("A", SqlType::array(SqlType::decimal(4, 2))),
            StructField::new("M", SqlType::map(SqlType::String, SqlType::Timestamp)),
            StructField::new("B", SqlType::Bytes),
        ]);
        let values = vec![
            Value::Struct(vec![
                Value::Array(vec![Value::Decimal(i256::from(125), 2), Value::Null]),
                Value::Map(vec![(Value::String("k".into()), Value::Timestamp(7))]),
                Value::Bytes(vec![1, 255]),
            ]),
            Value::Null,
            Value::Struct(vec![Value::Null, Value::Map(vec![]), Value::Null]),
        ];
        let array = array_of(&sql_type, &values).unwrap();
        assert_eq!(array.data_type(), &sql_type.to_arrow());
        assert_eq!(Value::all(&array).unwrap(), values);
    }

    #[test]
    fn decimals_keep_their_own_scale() {
        let sql_type = SqlType::array(SqlType::decimal(9, 2));
        let decimal = |v: i128, scale| Value::Decimal(i256::from_i128(v), scale);
        let values = vec![Value::Array(vec![
            decimal(-30, 1),
            decimal(-300, 2),
            decimal(0, 0),
        ])];
        let array = array_of(&sql_type, &values).unwrap();
        assert_eq!(Value::all(&array).unwrap(), values);
        assert!(array_of(&SqlType::decimal(9, 2), &[decimal(1, 3)]).is_err());
        assert_ne!(decimal(-30, 1), decimal(-300, 2));
        let order = decimal(-30, 1).compare(&decimal(-300, 2));
        assert_eq!(order, Ordering::Equal);
    }

    #[test]
    fn order_is_that_of_java() {
        assert_eq!(compare_text("\u{ffff}", "\u{10000}"), Ordering::Greater);
        assert_eq!(compare_text("a", "ab"), Ordering::Less);
        assert_eq!(compare_text("é", "z"), Ordering::Greater);
        assert_eq!(compare_bytes(&[0xff], &[0]), Ordering::Less);
        assert_eq!(compare_doubles(-0.0, 0.0), Ordering::Less);
        assert_eq!(compare_doubles(f64::NAN, f64::INFINITY), Ordering::Greater);
    }
}
