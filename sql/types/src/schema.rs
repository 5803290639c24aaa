//! The schema of a source or of a query's result.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{Field, SchemaRef};

use crate::{SqlType, ident};

/// Where a column lives in a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ColumnRole {
    /// Part of the record key (KEY of a stream, PRIMARY KEY of a table).
    Key,
    /// Part of the record value.
    Value,
    /// All headers: `ARRAY<STRUCT<KEY STRING, VALUE BYTES>>`.
    Headers,
    /// The last header of this name: BYTES.
    Header(String),
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Column {
    /// Name as stored: upper case unless it was quoted.
    pub name: String,
    /// Type of its values.
    pub sql_type: SqlType,
    /// Where it lives in a record.
    pub role: ColumnRole,
}

impl Column {
    /// A key column.
    pub fn key(name: impl Into<String>, sql_type: SqlType) -> Self {
        Self {
            name: name.into(),
            sql_type,
            role: ColumnRole::Key,
        }
    }

    /// A value column.
    pub fn value(name: impl Into<String>, sql_type: SqlType) -> Self {
        Self {
            name: name.into(),
            sql_type,
            role: ColumnRole::Value,
        }
    }
}

/// Columns in declared order; in a result, all keys stand before all values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Schema {
    columns: Vec<Column>,
}

impl Schema {
    /// A schema of these columns.
    pub fn new(columns: Vec<Column>) -> Self {
        Self { columns }
    }

    /// All columns in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The key columns in order.
    pub fn keys(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|c| c.role == ColumnRole::Key)
    }

    /// The value columns in order, headers not included.
    pub fn values(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|c| c.role == ColumnRole::Value)
    }

    /// The column of that exact name.
    pub fn find(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// The Arrow schema of these columns, in order, all nullable.
    pub fn to_arrow(&self) -> SchemaRef {
        Arc::new(arrow::datatypes::Schema::new(
            self.columns
                .iter()
                .map(|c| Field::new(&c.name, c.sql_type.to_arrow(), true))
                .collect::<Vec<_>>(),
        ))
    }
}

impl fmt::Display for Schema {
    /// As ksqlDB prints a schema: ``` `ID` INTEGER KEY, `V` STRING```.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, column) in self.columns.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            write!(
                f,
                "{comma}{} {}",
                ident::quoted(&column.name),
                column.sql_type
            )?;
            match &column.role {
                ColumnRole::Key => f.write_str(" KEY")?,
                ColumnRole::Value => {}
                ColumnRole::Headers => f.write_str(" HEADERS")?,
                ColumnRole::Header(key) => write!(f, " HEADER('{key}')")?,
            }
        }
        Ok(())
    }
}
