//! The SQL types of `spec/sql.md` §4 and their Arrow form.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};

/// Most digits that an Arrow 256-bit decimal can hold.
pub const MAX_DECIMAL_PRECISION: u8 = 76;

/// A SQL type (spec/sql.md §4). Every value of every type may be null.
///
/// `Display` prints the canonical text of ksqlDB's API: `INTEGER`, `DECIMAL(4, 2)`,
/// ``STRUCT<`F1` STRING, `F2` INTEGER>``.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SqlType {
    /// TRUE or FALSE. Arrow `Boolean`.
    Boolean,
    /// 32 bits, signed, wrapping. Arrow `Int32`.
    Integer,
    /// 64 bits, signed, wrapping. Arrow `Int64`.
    Bigint,
    /// IEEE 754, 64 bits. Arrow `Float64`.
    Double,
    /// Exact decimal of `precision` digits, `scale` of them after the point. Arrow
    /// `Decimal256(min(precision, 76), scale)`.
    Decimal {
        /// Digits in all, at least 1. ksqlDB sets no upper bound; values hold at most 76 digits.
        precision: u32,
        /// Digits after the point, at most `precision`.
        scale: u32,
    },
    /// Unicode text. Arrow `Utf8`.
    String,
    /// Bytes. Arrow `Binary`.
    Bytes,
    /// Days since the epoch. Arrow `Date32`.
    Date,
    /// Milliseconds of the day. Arrow `Time32(Millisecond)`.
    Time,
    /// Milliseconds since the epoch, no zone. Arrow `Timestamp(Millisecond, None)`.
    Timestamp,
    /// A list. Arrow `List` with a nullable field `item`.
    Array(Box<SqlType>),
    /// A map. Arrow `Map` with entries `entries { key, value }`, keys not sorted. A null key is
    /// held as the text `null`, as ksqlDB writes it.
    Map(Box<SqlType>, Box<SqlType>),
    /// A struct with named fields in declared order. Arrow `Struct`.
    Struct(Vec<StructField>),
}

/// A field of a STRUCT.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StructField {
    /// Name as stored: upper case unless it was quoted.
    pub name: String,
    /// Type of the field.
    pub sql_type: SqlType,
}

impl StructField {
    /// A field called `name` of type `sql_type`.
    pub fn new(name: impl Into<String>, sql_type: SqlType) -> Self {
        Self {
            name: name.into(),
            sql_type,
        }
    }
}

impl SqlType {
    /// `ARRAY<item>`.
    pub fn array(item: SqlType) -> Self {
        Self::Array(Box::new(item))
    }

    /// `MAP<key, value>`.
    pub fn map(key: SqlType, value: SqlType) -> Self {
        Self::Map(Box::new(key), Box::new(value))
    }

    /// `DECIMAL(precision, scale)`.
    pub fn decimal(precision: u32, scale: u32) -> Self {
        Self::Decimal { precision, scale }
    }

    /// The Arrow type that holds values of this type. One to one, but for decimals of more than
    /// 76 digits.
    pub fn to_arrow(&self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Integer => DataType::Int32,
            Self::Bigint => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Decimal { precision, scale } => {
                let max = u32::from(MAX_DECIMAL_PRECISION);
                DataType::Decimal256((*precision).min(max) as u8, (*scale).min(max) as i8)
            }
            Self::String => DataType::Utf8,
            Self::Bytes => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Time => DataType::Time32(TimeUnit::Millisecond),
            Self::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, None),
            Self::Array(item) => {
                DataType::List(Arc::new(Field::new("item", item.to_arrow(), true)))
            }
            Self::Map(key, value) => {
                let entries = Fields::from(vec![
                    Field::new("key", key.to_arrow(), false),
                    Field::new("value", value.to_arrow(), true),
                ]);
                let field = Field::new("entries", DataType::Struct(entries), false);
                DataType::Map(Arc::new(field), false)
            }
            Self::Struct(fields) => DataType::Struct(
                fields
                    .iter()
                    .map(|f| Field::new(&f.name, f.sql_type.to_arrow(), true))
                    .collect(),
            ),
        }
    }

    /// The SQL type whose values an Arrow type holds, or `None` for Arrow types that no SQL type
    /// maps to.
    pub fn from_arrow(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Self::Boolean,
            DataType::Int32 => Self::Integer,
            DataType::Int64 => Self::Bigint,
            DataType::Float64 => Self::Double,
            DataType::Decimal256(precision, scale) if *scale >= 0 => {
                Self::decimal(u32::from(*precision), *scale as u32)
            }
            DataType::Utf8 => Self::String,
            DataType::Binary => Self::Bytes,
            DataType::Date32 => Self::Date,
            DataType::Time32(TimeUnit::Millisecond) => Self::Time,
            DataType::Timestamp(TimeUnit::Millisecond, None) => Self::Timestamp,
            DataType::List(item) => Self::array(Self::from_arrow(item.data_type())?),
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(fields) if fields.len() == 2 => Self::map(
                    Self::from_arrow(fields[0].data_type())?,
                    Self::from_arrow(fields[1].data_type())?,
                ),
                _ => return None,
            },
            DataType::Struct(fields) => Self::Struct(
                fields
                    .iter()
                    .map(|f| Some(StructField::new(f.name(), Self::from_arrow(f.data_type())?)))
                    .collect::<Option<_>>()?,
            ),
            _ => return None,
        })
    }

    /// INTEGER, BIGINT, DECIMAL or DOUBLE.
    pub fn is_numeric(&self) -> bool {
        matches!(
            self,
            Self::Integer | Self::Bigint | Self::Double | Self::Decimal { .. }
        )
    }

    /// DATE, TIME or TIMESTAMP.
    pub fn is_temporal(&self) -> bool {
        matches!(self, Self::Date | Self::Time | Self::Timestamp)
    }

    /// Whether a MAP occurs in this type at any depth (such a type cannot be a key).
    pub fn contains_map(&self) -> bool {
        match self {
            Self::Map(..) => true,
            Self::Array(item) => item.contains_map(),
            Self::Struct(fields) => fields.iter().any(|f| f.sql_type.contains_map()),
            _ => false,
        }
    }

    /// Precision and scale that this type has as a decimal in arithmetic (spec/sql.md §4.2):
    /// INTEGER (10, 0), BIGINT (19, 0), DECIMAL its own.
    pub fn as_decimal(&self) -> Option<(u32, u32)> {
        match self {
            Self::Integer => Some((10, 0)),
            Self::Bigint => Some((19, 0)),
            Self::Decimal { precision, scale } => Some((*precision, *scale)),
            _ => None,
        }
    }

    /// The type's word without parameters, as in the API's `Schema.type`: `DECIMAL`, `ARRAY`.
    pub fn base_name(&self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::Integer => "INTEGER",
            Self::Bigint => "BIGINT",
            Self::Double => "DOUBLE",
            Self::Decimal { .. } => "DECIMAL",
            Self::String => "STRING",
            Self::Bytes => "BYTES",
            Self::Date => "DATE",
            Self::Time => "TIME",
            Self::Timestamp => "TIMESTAMP",
            Self::Array(_) => "ARRAY",
            Self::Map(..) => "MAP",
            Self::Struct(_) => "STRUCT",
        }
    }
}

impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decimal { precision, scale } => write!(f, "DECIMAL({precision}, {scale})"),
            Self::Array(item) => write!(f, "ARRAY<{item}>"),
            Self::Map(key, value) => write!(f, "MAP<{key}, {value}>"),
            Self::Struct(fields) => {
                f.write_str("STRUCT<")?;
                for (i, field) in fields.iter().enumerate() {
                    let comma = if i > 0 { ", " } else { "" };
                    write!(
                        f,
                        "{comma}{} {}",
                        crate::ident::quoted(&field.name),
                        field.sql_type
                    )?;
                }
                // ksqlDB prints an empty struct with a blank inside.
                f.write_str(if fields.is_empty() { " >" } else { ">" })
            }
            other => f.write_str(other.base_name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrow_form_is_one_to_one() {
        let nested = SqlType::Struct(vec![
            StructField::new("A", SqlType::array(SqlType::decimal(4, 2))),
            StructField::new("m", SqlType::map(SqlType::String, SqlType::Timestamp)),
        ]);
        for sql_type in [
            SqlType::Boolean,
            SqlType::Integer,
            SqlType::Bigint,
            SqlType::Double,
            SqlType::String,
            SqlType::Bytes,
            SqlType::Date,
            SqlType::Time,
            SqlType::Timestamp,
            nested,
        ] {
            assert_eq!(SqlType::from_arrow(&sql_type.to_arrow()), Some(sql_type));
        }
    }

    #[test]
    fn prints_as_the_api_does() {
        let nested = SqlType::Struct(vec![
            StructField::new("F1", SqlType::String),
            StructField::new("F2", SqlType::map(SqlType::String, SqlType::decimal(4, 2))),
        ]);
        assert_eq!(
            nested.to_string(),
            "STRUCT<`F1` STRING, `F2` MAP<STRING, DECIMAL(4, 2)>>"
        );
    }
}
