//! ALTER STREAM / TABLE … ADD (spec/sql.md §2.6).

use weir_parser::ast::{ColumnDef, Ident, SourceKind, Statement, TypeName};
use weir_parser::printer::print_statement;
use weir_types::ident::{pseudo, quoted};
use weir_types::{Column, Schema, SqlError};

use super::create::check_formats;
use super::existing::existing;
use super::{kind_word, resolve_type};
use crate::catalog::{Catalog, SourceInfo};

/// The source with the columns added to its values.
///
/// # Errors
///
/// Unknown source, another kind, a SOURCE, one made by CREATE … AS; a column that is there, is
/// added twice, has a reserved name, an unknown type or one that the format cannot hold.
pub fn alter_source(
    kind: SourceKind,
    name: &Ident,
    add: &[ColumnDef],
    catalog: &dyn Catalog,
) -> Result<SourceInfo, SqlError> {
    let old = existing(catalog, kind, name, "ALTER")?;
    let word = kind_word(kind);
    if old.read_only {
        return Err(SqlError::statement(format!(
            "Cannot alter {word} '{}': ALTER operations are not supported on source {word}s.",
            old.name
        )));
    }
    if old.created_as {
        return Err(SqlError::statement(format!(
            "Cannot alter {word} '{}': ALTER command is not supported for CREATE ... AS \
             statements. Use CREATE OR REPLACE.",
            old.name
        )));
    }
    let mut columns = old.schema.columns().to_vec();
    let mut resolved = Vec::with_capacity(add.len());
    for def in add {
        let column = &def.name.name;
        let refuse = |message: String| Err(SqlError::statement(message).at(def.name.span.into()));
        if columns.iter().any(|c| c.name == *column) {
            return refuse(format!(
                "Cannot add column {} to schema. A column with the same name already exists.",
                quoted(column)
            ));
        }
        if pseudo::is_pseudo(column) {
            return refuse(format!(
                "'{column}' is a reserved column name. You cannot use it as a name for a column."
            ));
        }
        let sql_type = resolve_type(&def.type_name, catalog)?;
        columns.push(Column::value(column, sql_type.clone()));
        resolved.push(ColumnDef {
            type_name: TypeName::Sql(sql_type),
            ..def.clone()
        });
    }
    let schema = Schema::new(columns);
    check_formats(
        old.key_format.format.kind,
        old.value_format.format.kind,
        &schema,
    )?;
    let statement = Statement::AlterSource {
        kind,
        name: name.clone(),
        add: resolved,
    };
    let sql = format!("{}\n{}", old.sql, print_statement(&statement));
    Ok(SourceInfo {
        schema,
        sql,
        ..SourceInfo::clone(&old)
    })
}
