//! What CREATE OR REPLACE and ALTER may change of a source (spec/sql.md §12).

use weir_parser::ast::SourceKind;
use weir_types::{Column, SqlError};

use super::{flag, kind_word};
use crate::catalog::{Catalog, SourceInfo};

/// Whether `new` may take the place of `old`.
///
/// # Errors
///
/// Replacing is switched off; a SOURCE; another kind, topic, format, window or timestamp column;
/// other key columns; value columns that are not kept as they are.
pub fn check_replacement(
    old: &SourceInfo,
    new: &SourceInfo,
    catalog: &dyn Catalog,
) -> Result<(), SqlError> {
    if !flag(catalog, "ksql.create.or.replace.enabled", true) {
        return Err(SqlError::statement(
            "CREATE OR REPLACE functionality is not enabled: set \
             'ksql.create.or.replace.enabled' to true.",
        ));
    }
    let name = &new.name;
    if old.read_only || new.read_only {
        return Err(source_not_replaced(new.kind, name));
    }
    let refuse = |detail: String| {
        Err(SqlError::statement(format!(
            "Cannot upgrade data source `{name}`: {detail}"
        )))
    };
    if old.kind != new.kind {
        let (old, new) = (kind_word(old.kind), kind_word(new.kind));
        return refuse(format!("it is a {old} and cannot become a {new}"));
    }
    let parts = [
        ("topic", old.topic == new.topic),
        ("key format", old.key_format == new.key_format),
        ("value format", old.value_format == new.value_format),
        ("window", old.window == new.window),
        ("timestamp column", old.timestamp == new.timestamp),
    ];
    if let Some((part, _)) = parts.iter().find(|(_, same)| !same) {
        return refuse(format!(
            "the {part} cannot be changed. Drop and create it instead."
        ));
    }
    let keys: Vec<&Column> = old.schema.keys().collect();
    if keys != new.schema.keys().collect::<Vec<_>>() {
        return refuse(format!(
            "Key columns must be identical. Old: {} New: {}",
            old.schema, new.schema
        ));
    }
    let others = |source: &SourceInfo| -> Vec<Column> {
        let keys: Vec<&Column> = source.schema.keys().collect();
        source
            .schema
            .columns()
            .iter()
            .filter(|c| !keys.contains(c))
            .cloned()
            .collect()
    };
    let (before, after) = (others(old), others(new));
    let changed: Vec<String> = before
        .iter()
        .enumerate()
        .filter(|(i, column)| after.get(*i) != Some(column))
        .map(|(_, column)| weir_types::Schema::new(vec![column.clone()]).to_string())
        .collect();
    if !changed.is_empty() {
        return refuse(format!(
            "The following columns are changed, missing or reordered: [{}]",
            changed.join(", ")
        ));
    }
    Ok(())
}

/// That OR REPLACE does not go with SOURCE.
pub(super) fn source_not_replaced(kind: SourceKind, name: &str) -> SqlError {
    let word = kind_word(kind);
    SqlError::statement(format!(
        "Cannot add {word} '{name}': CREATE OR REPLACE is not supported on source {word}s."
    ))
}
