//! INSERT INTO … VALUES and `/inserts-stream`: one record at a time (spec/sql.md §2.4, spec/api.md
//! §5).

use std::sync::Arc;

use datafusion::scalar::ScalarValue;
use serde_json::{Map, Value};
use weir_parser::ast::{Expr, Ident};
use weir_planner::catalog::{Catalog, SourceInfo};
use weir_planner::ddl;
use weir_planner::values::evaluate_insert;
use weir_protocol::ApiError;
use weir_types::{Column, ColumnRole, ErrorCode, SqlError};

use crate::clock::now_ms;
use crate::json_values::from_json;
use crate::weir::{Weir, blocking};

/// A row ready to be written.
#[derive(Debug, Clone)]
pub struct PreparedRow {
    /// Where to.
    pub source: Arc<SourceInfo>,
    /// Values of the key columns in schema order.
    pub key: Vec<ScalarValue>,
    /// Values of the value columns in schema order.
    pub value: Vec<ScalarValue>,
    /// Timestamp, ms.
    pub timestamp: i64,
}

/// Checks and evaluates an INSERT INTO … VALUES.
pub(crate) fn check(
    target: &Ident,
    columns: &[Ident],
    values: &[Expr],
    catalog: &dyn Catalog,
) -> Result<PreparedRow, SqlError> {
    let plan = ddl::insert_values(target, columns, values.len(), catalog)?;
    let masked = || {
        let names: Vec<String> = columns.iter().map(|c| c.name.clone()).collect();
        weir_parser::printer::mask_insert_values(&target.name, &names, values.len())
    };
    let row = evaluate_insert(&plan, values, catalog).map_err(|e| SqlError {
        statement: Some(masked()),
        ..e
    })?;
    Ok(PreparedRow {
        source: plan.source,
        key: row.key,
        value: row.value,
        timestamp: row.timestamp.unwrap_or_else(now_ms),
    })
}

/// Rows on their way into one source.
pub struct Inserter {
    weir: Arc<Weir>,
    source: Arc<SourceInfo>,
}

impl Inserter {
    /// Opens the source called `target` (folded like an identifier unless back-quoted).
    pub(crate) fn open(weir: Arc<Weir>, target: &str) -> Result<Self, ApiError> {
        let refused = |code, message: String| Err(ApiError::generic(code, message));
        let name = match target.strip_prefix('`').and_then(|t| t.strip_suffix('`')) {
            Some(inner) => inner.replace("``", "`"),
            None => target.to_ascii_uppercase(),
        };
        if !weir.config.flag("ksql.insert.into.values.enabled") {
            return refused(
                ErrorCode::BadRequest,
                "The server has disabled INSERT INTO ... VALUES functionality. To enable it, \
                 restart your ksqlDB server with 'ksql.insert.into.values.enabled'=true"
                    .to_owned(),
            );
        }
        let Some(source) = weir.metastore().source(&name).cloned() else {
            return refused(
                ErrorCode::BadStatement,
                format!("Cannot insert values into an unknown stream/table: {name}"),
            );
        };
        if source.window.is_some() {
            return refused(
                ErrorCode::BadStatement,
                format!("Cannot insert values into windowed stream/table: {name}"),
            );
        }
        Ok(Self { weir, source })
    }

    /// Writes one row: members named like columns, others ignored.
    pub async fn insert(&self, row: Map<String, Value>) -> Result<(), ApiError> {
        let row = self.prepare(row)?;
        let weir = self.weir.clone();
        let written = blocking(move || weir.fleet.insert(&row)).await?;
        written.map_err(|e| ApiError::generic(ErrorCode::ServerError, e))
    }

    fn prepare(&self, mut row: Map<String, Value>) -> Result<PreparedRow, ApiError> {
        let mut key = Vec::new();
        let mut value = Vec::new();
        for column in self.source.schema.columns() {
            let given = take(&mut row, column).filter(|v| !v.is_null());
            match column.role {
                ColumnRole::Key => {
                    let Some(given) = given else {
                        return Err(ApiError::generic(
                            ErrorCode::BadRequest,
                            format!("Key field must be specified: {}", column.name),
                        ));
                    };
                    key.push(convert(column, &given)?);
                }
                ColumnRole::Value => {
                    value.push(convert(column, &given.unwrap_or(Value::Null))?);
                }
                ColumnRole::Headers | ColumnRole::Header(_) => {}
            }
        }
        Ok(PreparedRow {
            source: self.source.clone(),
            key,
            value,
            timestamp: now_ms(),
        })
    }
}

/// The member for a column: back-quoted names are exact, others match in any case.
fn take(row: &mut Map<String, Value>, column: &Column) -> Option<Value> {
    let quoted = weir_types::ident::quoted(&column.name);
    if let Some(value) = row.remove(&quoted) {
        return Some(value);
    }
    let name = row
        .keys()
        .find(|name| name.to_ascii_uppercase() == column.name)?
        .clone();
    row.remove(&name)
}

fn convert(column: &Column, value: &Value) -> Result<ScalarValue, ApiError> {
    from_json(&column.sql_type, value).map_err(|message| {
        ApiError::generic(
            ErrorCode::BadRequest,
            format!("{message} (column {})", column.name),
        )
    })
}
