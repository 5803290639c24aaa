//! INSERT INTO … VALUES: which column each value goes to (spec/sql.md §2.4).

use std::sync::Arc;

use weir_parser::ast::Ident;
use weir_parser::printer::mask_insert_values;
use weir_types::ident::{pseudo, quoted};
use weir_types::{Column, ColumnRole, SqlError};

use super::with::prepare;
use super::{flag, is_read_only_topic, kind_word};
use crate::catalog::{Catalog, SourceInfo};
use crate::near;

/// Where a value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsertTarget {
    /// The column at this index of the source's schema.
    Column(usize),
    /// The record's timestamp: BIGINT.
    RowTime,
}

/// Where the values of an INSERT go; columns not named are null.
#[derive(Debug, Clone, PartialEq)]
pub struct InsertValuesPlan {
    /// The source written to.
    pub source: Arc<SourceInfo>,
    /// One for each value, in order.
    pub targets: Vec<InsertTarget>,
}

/// Finds the columns of an INSERT with `values` values.
///
/// # Errors
///
/// 40000: inserting is switched off, unknown source, windowed or read-only source or topic, header
/// columns. 40001, with the values hidden: unknown or repeated columns, another count of values
/// than of columns, a table's key column missing.
pub fn insert_values(
    target: &Ident,
    columns: &[Ident],
    values: usize,
    catalog: &dyn Catalog,
) -> Result<InsertValuesPlan, SqlError> {
    if !columns.is_empty() && columns.len() != values {
        return Err(prepare(format!(
            "Expected number columns and values to match: {}, {values}",
            columns.len()
        )));
    }
    if !flag(catalog, "ksql.insert.into.values.enabled", true) {
        return Err(SqlError::request(
            "The server has disabled INSERT INTO ... VALUES functionality. To enable it, restart \
             the server with 'ksql.insert.into.values.enabled'=true",
        ));
    }
    let Some(source) = catalog.source(&target.name) else {
        return Err(SqlError::request(format!(
            "Cannot insert values into an unknown stream/table: {}{}",
            quoted(&target.name),
            near::source_hint(&target.name, catalog)
        ))
        .at(target.span.into()));
    };
    check_writable(&source, columns, catalog)?;
    let hidden = || {
        let names: Vec<String> = columns.iter().map(|c| c.name.clone()).collect();
        mask_insert_values(&source.name, &names, values)
    };
    let targets = targets(&source, columns, values).map_err(|detail| {
        SqlError::statement(format!(
            "Failed to insert values into '{}'. {detail}",
            source.name
        ))
        .in_statement(hidden())
    })?;
    Ok(InsertValuesPlan { source, targets })
}

/// Whether rows can be put into the source at all.
fn check_writable(
    source: &SourceInfo,
    columns: &[Ident],
    catalog: &dyn Catalog,
) -> Result<(), SqlError> {
    if source.window.is_some() {
        return Err(SqlError::request(
            "Cannot insert values into windowed stream/table!",
        ));
    }
    if source.read_only {
        return Err(SqlError::request(format!(
            "Cannot insert values into read-only {}: {}",
            kind_word(source.kind),
            source.name
        )));
    }
    if is_read_only_topic(&source.topic, catalog) {
        return Err(SqlError::request(format!(
            "Cannot insert values into read-only topic: {}",
            source.topic
        )));
    }
    let headers: Vec<&str> = source
        .schema
        .columns()
        .iter()
        .filter(|c| matches!(c.role, ColumnRole::Headers | ColumnRole::Header(_)))
        .map(|c| c.name.as_str())
        .filter(|name| columns.is_empty() || columns.iter().any(|c| c.name == *name))
        .collect();
    if !headers.is_empty() {
        return Err(SqlError::request(format!(
            "Cannot insert into HEADER columns: {}",
            headers.join(", ")
        )));
    }
    Ok(())
}

fn targets(
    source: &SourceInfo,
    columns: &[Ident],
    values: usize,
) -> Result<Vec<InsertTarget>, String> {
    let all = source.schema.columns();
    if columns.is_empty() {
        // Keys come first wherever they were declared.
        let mut order: Vec<(usize, &Column)> = all.iter().enumerate().collect();
        order.sort_by_key(|(_, column)| column.role != ColumnRole::Key);
        if all.len() != values {
            let names: Vec<String> = order.iter().map(|(_, c)| quoted(&c.name)).collect();
            return Err(format!(
                "Expected a value for each column. Expected Columns: [{}]. Got {values} values.",
                names.join(", ")
            ));
        }
        let indices = order.into_iter().map(|(index, _)| index);
        return Ok(indices.map(InsertTarget::Column).collect());
    }
    let mut targets = Vec::with_capacity(columns.len());
    for column in columns {
        let target = match all.iter().position(|c| c.name == column.name) {
            Some(index) => InsertTarget::Column(index),
            None if column.name == pseudo::ROWTIME => InsertTarget::RowTime,
            None if pseudo::is_pseudo(&column.name) => {
                return Err(format!(
                    "Inserting into column {} is not allowed.",
                    quoted(&column.name)
                ));
            }
            None => {
                let hint = near::hint(&column.name, all.iter().map(|c| c.name.as_str()));
                return Err(format!(
                    "Column name {} does not exist.{hint}",
                    quoted(&column.name)
                ));
            }
        };
        if targets.contains(&target) {
            return Err(format!(
                "Column {} is named more than once.",
                quoted(&column.name)
            ));
        }
        targets.push(target);
    }
    if source.kind == weir_parser::ast::SourceKind::Table {
        let missing: Vec<String> = all
            .iter()
            .enumerate()
            .filter(|(_, c)| c.role == ColumnRole::Key)
            .filter(|(i, _)| !targets.contains(&InsertTarget::Column(*i)))
            .map(|(_, c)| quoted(&c.name))
            .collect();
        if !missing.is_empty() {
            return Err(format!(
                "Value for primary key column(s) {} is required for tables",
                missing.join(", ")
            ));
        }
    }
    Ok(targets)
}
