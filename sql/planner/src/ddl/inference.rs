//! Columns that come from a schema registry (spec/sql.md §2.1).
//!
//! Planning reads no registry: it says which schemas are needed, and whoever has a registry adds
//! their columns to the statement.

use weir_parser::ast::{ColumnConstraint, CreateSource, SourceKind};
use weir_types::{ErrorCode, FormatKind, SqlError};

use super::create::{canonical, with_formats};
use super::with::{WithProperties, format_kind};
use crate::catalog::Catalog;

/// A schema to read from the registry before a source can be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectSchema {
    /// Format of the side.
    pub format: FormatKind,
    /// `<topic>-key` or `<topic>-value`.
    pub subject: String,
    /// KEY_SCHEMA_ID or VALUE_SCHEMA_ID: that schema instead of the latest.
    pub id: Option<i32>,
    /// KEY_ or VALUE_SCHEMA_FULL_NAME: which message of the schema.
    pub full_name: Option<String>,
}

/// The sides of a source whose columns come from the registry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inference {
    /// The key's schema.
    pub key: Option<SubjectSchema>,
    /// The value's schema.
    pub value: Option<SubjectSchema>,
}

/// Which columns have to be inferred: those of a registry format's side that declares none.
/// Whoever has a registry adds them to the statement and then calls [`create_source`].
///
/// # Errors
///
/// A WITH clause that is wrong, an unknown format, a schema id beside declared columns or with a
/// format that has no registry.
pub fn inference(create: &CreateSource, catalog: &dyn Catalog) -> Result<Inference, SqlError> {
    let with = WithProperties::of_create(&create.with)?;
    let completed = with_formats(&create.with, &with, catalog)?;
    let with = WithProperties::of_create(&completed)?;
    let shown = canonical(create, &create.columns, &completed);
    inferred(create, &with).map_err(|e| e.in_statement(shown))
}

pub(super) fn inferred(
    create: &CreateSource,
    with: &WithProperties,
) -> Result<Inference, SqlError> {
    let topic = with.topic.as_deref().unwrap_or_default();
    let has = |is_key: bool| {
        create.columns.iter().any(|c| match &c.constraint {
            ColumnConstraint::Key | ColumnConstraint::PrimaryKey => is_key,
            ColumnConstraint::None => !is_key,
            ColumnConstraint::Headers | ColumnConstraint::Header(_) => false,
        })
    };
    let side = |is_key: bool| -> Result<Option<SubjectSchema>, SqlError> {
        let (word, properties) = if is_key {
            ("KEY", &with.key)
        } else {
            ("VALUE", &with.value)
        };
        let format = format_kind(properties.format.as_deref().unwrap_or_default())?;
        if properties.schema_id.is_some() {
            if !format.uses_registry() {
                return Err(SqlError::statement(format!(
                    "{word}_FORMAT should support schema inference when {word}_SCHEMA_ID is \
                     provided. Current format is {format}."
                )));
            }
            if has(is_key) {
                return Err(SqlError::statement(format!(
                    "Table elements and {word}_SCHEMA_ID cannot both exist for create statement."
                )));
            }
        }
        if !format.uses_registry() || has(is_key) {
            return Ok(None);
        }
        Ok(Some(SubjectSchema {
            format,
            subject: format!("{topic}-{}", word.to_ascii_lowercase()),
            id: properties.schema_id,
            full_name: properties.full_name.clone(),
        }))
    };
    Ok(Inference {
        key: side(true)?,
        value: side(false)?,
    })
}

/// Whether the columns can only come from a registry that is not there.
pub(super) fn check_registry(
    kind: SourceKind,
    needs: &Inference,
    catalog: &dyn Catalog,
) -> Result<(), SqlError> {
    let configured = catalog
        .config("ksql.schema.registry.url")
        .is_some_and(|url| !url.trim().is_empty());
    let missing = match (&needs.value, &needs.key) {
        (Some(value), _) => value,
        (None, Some(key)) if kind == SourceKind::Table => key,
        _ => return Ok(()),
    };
    if configured {
        return Ok(());
    }
    Err(SqlError::new(
        ErrorCode::SchemaRegistryNotConfigured,
        format!(
            "The columns of the {} format come from Schema Registry (subject '{}'), but none is \
             configured. Set 'ksql.schema.registry.url', or declare the columns.",
            missing.format, missing.subject
        ),
    ))
}
