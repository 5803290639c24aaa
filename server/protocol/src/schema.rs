//! Fields and schemas as the API describes them (spec/api.md §3.3).

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use weir_types::{Column, ColumnRole, SqlType};

/// The type of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SchemaInfo {
    /// `INTEGER`, `DECIMAL`, `STRUCT`…
    #[serde(rename = "type")]
    pub type_name: String,
    /// Fields of a STRUCT, else null.
    pub fields: Option<Vec<FieldInfo>>,
    /// Element type of an ARRAY, value type of a MAP, else null.
    pub member_schema: Option<Box<SchemaInfo>>,
    /// Precision and scale, of a DECIMAL only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<IndexMap<String, u32>>,
}

impl From<&SqlType> for SchemaInfo {
    fn from(sql_type: &SqlType) -> Self {
        let fields = match sql_type {
            SqlType::Struct(fields) => Some(
                fields
                    .iter()
                    .map(|f| FieldInfo::new(&f.name, (&f.sql_type).into()))
                    .collect(),
            ),
            _ => None,
        };
        let member_schema = match sql_type {
            SqlType::Array(item) => Some(Box::new(item.as_ref().into())),
            SqlType::Map(_, value) => Some(Box::new(value.as_ref().into())),
            _ => None,
        };
        let parameters = match sql_type {
            SqlType::Decimal { precision, scale } => Some(IndexMap::from([
                ("precision".to_owned(), *precision),
                ("scale".to_owned(), *scale),
            ])),
            _ => None,
        };
        Self {
            type_name: sql_type.base_name().to_owned(),
            fields,
            member_schema,
            parameters,
        }
    }
}

/// A field with its role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldInfo {
    /// Name.
    pub name: String,
    /// Type.
    pub schema: SchemaInfo,
    /// `KEY` or `HEADER`; absent for values.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The header's key, of `HEADER('k')` columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_key: Option<String>,
}

impl FieldInfo {
    /// A value field.
    pub fn new(name: &str, schema: SchemaInfo) -> Self {
        Self {
            name: name.to_owned(),
            schema,
            role: None,
            header_key: None,
        }
    }
}

impl From<&Column> for FieldInfo {
    fn from(column: &Column) -> Self {
        let (role, header_key) = match &column.role {
            ColumnRole::Key => (Some("KEY"), None),
            ColumnRole::Value => (None, None),
            ColumnRole::Headers => (Some("HEADER"), None),
            ColumnRole::Header(key) => (Some("HEADER"), Some(key.clone())),
        };
        Self {
            name: column.name.clone(),
            schema: (&column.sql_type).into(),
            role: role.map(str::to_owned),
            header_key,
        }
    }
}
