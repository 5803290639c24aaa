//! Custom types (spec/sql.md §2.11).

use weir_parser::ast::{Ident, TypeName};
use weir_types::{SqlError, SqlType, StructField};

use super::Outcome;
use super::with::prepare;
use crate::catalog::Catalog;
use crate::near;

/// Names of types, for hints.
const BUILT_IN: &[&str] = &[
    "BOOLEAN",
    "INTEGER",
    "BIGINT",
    "DOUBLE",
    "DECIMAL",
    "STRING",
    "VARCHAR",
    "BYTES",
    "DATE",
    "TIME",
    "TIMESTAMP",
    "ARRAY",
    "MAP",
    "STRUCT",
];

/// A type with the custom ones in it replaced by what they stand for.
///
/// # Errors
///
/// No type of that name.
pub fn resolve_type(type_name: &TypeName, catalog: &dyn Catalog) -> Result<SqlType, SqlError> {
    Ok(match type_name {
        TypeName::Sql(sql_type) => sql_type.clone(),
        TypeName::Custom(name) => catalog.custom_type(&name.name).ok_or_else(|| {
            let hint = match name.name.to_ascii_uppercase().as_str() {
                "ARRAY" => "\nAn ARRAY says what it holds: ARRAY<STRING>.".to_owned(),
                "MAP" => "\nA MAP says what it holds: MAP<STRING, INTEGER>.".to_owned(),
                "STRUCT" => "\nA STRUCT names its fields: STRUCT<A INTEGER>.".to_owned(),
                _ => near::hint(&name.name, BUILT_IN.iter().copied()),
            };
            prepare(format!("Cannot resolve unknown type: {}{hint}", name.name))
                .at(name.span.into())
        })?,
        TypeName::Array(item) => SqlType::array(resolve_type(item, catalog)?),
        TypeName::Map(key, value) => {
            SqlType::map(resolve_type(key, catalog)?, resolve_type(value, catalog)?)
        }
        TypeName::Struct(fields) => SqlType::Struct(
            fields
                .iter()
                .map(|(name, t)| Ok(StructField::new(name, resolve_type(t, catalog)?)))
                .collect::<Result<_, SqlError>>()?,
        ),
    })
}

/// The type that CREATE TYPE registers under its name.
///
/// # Errors
///
/// The name is taken (a warning with IF NOT EXISTS); the definition has an unknown type.
pub fn create_type(
    name: &Ident,
    definition: &TypeName,
    if_not_exists: bool,
    catalog: &dyn Catalog,
) -> Result<Outcome<SqlType>, SqlError> {
    let sql_type = resolve_type(definition, catalog)?;
    match catalog.custom_type(&name.name) {
        None => Ok(Outcome::Do(sql_type)),
        Some(known) if if_not_exists => Ok(Outcome::Nothing(format!(
            "{} is already registered with type {known}",
            name.name
        ))),
        Some(known) => Err(SqlError::statement(format!(
            "Cannot register custom type '{}' since it is already registered with type: {known}",
            name.name
        ))
        .at(name.span.into())),
    }
}

/// Whether DROP TYPE has something to drop.
///
/// # Errors
///
/// No type of that name (a warning with IF EXISTS).
pub fn drop_type(
    name: &Ident,
    if_exists: bool,
    catalog: &dyn Catalog,
) -> Result<Outcome<()>, SqlError> {
    if catalog.custom_type(&name.name).is_some() {
        return Ok(Outcome::Do(()));
    }
    if if_exists {
        return Ok(Outcome::Nothing(format!(
            "Type '{}' does not exist",
            name.name
        )));
    }
    Err(SqlError::statement(format!("Type {} does not exist.", name.name)).at(name.span.into()))
}
