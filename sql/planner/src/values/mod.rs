//! INSERT INTO … VALUES: one record from constant expressions (spec/sql.md §2.4).
//!
//! ```text
//!  columns, values ─► each value typed ─► evaluated ─► converted to its column's type ─► InsertRow
//! ```
//!
//! Invariant: every column of the target's record has a value of exactly its type, or NULL.

use datafusion::logical_expr::Expr as PlanExpr;
use datafusion::scalar::ScalarValue;
use weir_functions::operators;
use weir_parser::ast::{Expr, SourceKind};
use weir_types::ident::pseudo;
use weir_types::{Column, ColumnRole, SqlError, SqlType};

use crate::catalog::Catalog;
use crate::ddl::{InsertTarget, InsertValuesPlan};
use crate::expr::scope::{Qualifier, Sources};
use crate::expr::{Lowering, NoColumns, constant, literal, refuse};
use crate::printed;

/// The record that INSERT INTO … VALUES writes.
#[derive(Debug, Clone, PartialEq)]
pub struct InsertRow {
    /// Values of the key columns in schema order.
    pub key: Vec<ScalarValue>,
    /// Values of the value columns in schema order.
    pub value: Vec<ScalarValue>,
    /// ROWTIME if it was given, ms; else the server's clock counts.
    pub timestamp: Option<i64>,
}

/// Evaluates the values of an INSERT whose columns were found by
/// [`insert_values`](crate::ddl::insert_values).
///
/// # Errors
/// Values that are no constants, do not fit their columns or cannot be computed; a table's key
/// column that is NULL.
pub fn evaluate_insert(
    plan: &InsertValuesPlan,
    values: &[Expr],
    catalog: &dyn Catalog,
) -> Result<InsertRow, SqlError> {
    let target = &plan.source;
    let columns = target.schema.columns();
    let mut row = columns.iter().map(null).collect::<Result<Vec<_>, _>>()?;
    let mut timestamp = None;
    for (target, value) in plan.targets.iter().zip(values) {
        match target {
            InsertTarget::RowTime => {
                let column = Column::value(pseudo::ROWTIME, SqlType::Bigint);
                if let ScalarValue::Int64(millis) = evaluate(&column, value, catalog)? {
                    timestamp = millis;
                }
                if let Some(negative) = timestamp.filter(|millis| *millis < 0) {
                    return Err(SqlError::statement(format!(
                        "Failed to insert values into '{}'. Invalid timestamp: {negative}. \
                         Timestamps count milliseconds since 1970 and must not be negative.",
                        plan.source.name
                    )));
                }
            }
            InsertTarget::Column(index) => {
                if let (Some(column), Some(slot)) = (columns.get(*index), row.get_mut(*index)) {
                    *slot = evaluate(column, value, catalog)?;
                }
            }
        }
    }
    let (mut key, mut record) = (Vec::new(), Vec::new());
    for (column, value) in columns.iter().zip(row) {
        match column.role {
            ColumnRole::Key if target.kind == SourceKind::Table && value.is_null() => {
                return Err(SqlError::statement(format!(
                    "Failed to insert values into '{}'. Value for primary key column(s) {} is \
                     required for tables",
                    target.name, column.name
                )));
            }
            ColumnRole::Key => key.push(value),
            ColumnRole::Value => record.push(value),
            ColumnRole::Headers | ColumnRole::Header(_) => {}
        }
    }
    Ok(InsertRow {
        key,
        value: record,
        timestamp,
    })
}

fn evaluate(column: &Column, value: &Expr, catalog: &dyn Catalog) -> Result<ScalarValue, SqlError> {
    let mut value = value.clone();
    let none = Sources::default();
    Qualifier {
        sources: &none,
        clause: "VALUES",
        window_bounds: false,
        synthetic_key: None,
    }
    .qualify(&mut value)
    .map_err(|mut e| {
        e.message = format!("Failed to prepare statement: {}", e.message);
        e
    })?;
    let typed = Lowering::new(&NoColumns, catalog).lower(&value)?;
    let Some(own) = typed.sql_type.clone() else {
        return null(column);
    };
    let compute = |expr: &PlanExpr| {
        constant::evaluate(expr).map_err(|reason| {
            refuse(
                &value,
                format!(
                    "Failed to insert {} into `{}` {}: {reason}",
                    printed::plain(&value),
                    column.name,
                    column.sql_type
                ),
            )
        })
    };
    let computed = compute(&typed.expr)?;
    if own == column.sql_type {
        return Ok(computed);
    }
    if computed.is_null() {
        return null(column);
    }
    let expr = converted(computed, &own, &column.sql_type).ok_or_else(|| {
        refuse(
            &value,
            format!(
                "Expected type {} for field `{}` but got {own}({})",
                column.sql_type,
                column.name,
                printed::plain(&value)
            ),
        )
    })?;
    compute(&expr)
}

/// The value as one of the column's type; `None` if it does not fit by itself. It is the value
/// that counts, not what its type could hold: 1 + 1 fits a DECIMAL(1, 0).
fn converted(value: ScalarValue, own: &SqlType, wanted: &SqlType) -> Option<PlanExpr> {
    if let Some(value) = literal::rescaled(&value, wanted) {
        return Some(PlanExpr::Literal(value, None));
    }
    let value = PlanExpr::Literal(value, None);
    if let Some(converted) = literal::converted(&value, wanted) {
        return Some(converted);
    }
    if !fits(own, wanted) {
        return None;
    }
    let call = operators::cast(own, wanted).ok()?;
    Some(call.udf.call(vec![value]))
}

/// Numbers widen (a decimal loses no digit), strings become times and bytes, nested values go
/// part by part.
fn fits(own: &SqlType, wanted: &SqlType) -> bool {
    match (own, wanted) {
        (
            SqlType::Decimal {
                precision: p1,
                scale: s1,
            },
            SqlType::Decimal {
                precision: p2,
                scale: s2,
            },
        ) => s2 >= s1 && p2 - s2 >= p1 - s1,
        (SqlType::Array(a), SqlType::Array(b)) => fits(a, b),
        (SqlType::Map(k1, v1), SqlType::Map(k2, v2)) => fits(k1, k2) && fits(v1, v2),
        (SqlType::Struct(from), SqlType::Struct(to)) => from.iter().all(|f| {
            to.iter()
                .find(|t| t.name == f.name)
                .is_none_or(|t| fits(&f.sql_type, &t.sql_type))
        }),
        _ => own == wanted || operators::implicit_cast(own, wanted),
    }
}

fn null(column: &Column) -> Result<ScalarValue, SqlError> {
    ScalarValue::try_from(&column.sql_type.to_arrow())
        .map_err(|e| SqlError::internal(e.to_string()))
}
