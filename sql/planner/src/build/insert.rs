//! INSERT INTO … SELECT: the target, and whether the result fits it (spec/sql.md §2.3).

use std::sync::Arc;

use datafusion::common::Column as PlanColumn;
use datafusion::logical_expr::{Expr as PlanExpr, LogicalPlan, Projection};
use weir_functions::operators;
use weir_parser::ast::{Ident, SourceKind};
use weir_types::ident::pseudo;
use weir_types::{Column, ColumnRole, Schema, SqlError, SqlType};

use super::stage::{internal, schema};
use crate::catalog::{Catalog, SourceInfo};
use crate::ddl::is_read_only_topic;
use crate::expr::literal;
use crate::near;
use crate::stream::QueryPlan;

/// The stream to write to.
///
/// # Errors
/// No such source, a table, a read-only source, one with header columns.
pub(crate) fn target(name: &Ident, catalog: &dyn Catalog) -> Result<Arc<SourceInfo>, SqlError> {
    let refuse = |message: String| Err(SqlError::statement(message).at(name.span.into()));
    let Some(info) = catalog.source(&name.name) else {
        let hint = near::source_hint(&name.name, catalog);
        return refuse(format!(
            "Exception while preparing statement: Line: {}, Col: {}: Source `{}` does not \
             exist.{hint}",
            name.span.line, name.span.column, name.name
        ));
    };
    if info.kind == SourceKind::Table {
        return refuse(format!(
            "Exception while preparing statement: INSERT INTO can only be used to insert into a \
             stream. {} is a table.",
            info.name
        ));
    }
    if info.read_only {
        return refuse(format!(
            "Cannot insert into read-only stream: {}",
            info.name
        ));
    }
    if is_read_only_topic(&info.topic, catalog) {
        return refuse(format!(
            "Cannot write to the read-only topic {}: 'ksql.readonly.topics' names it.",
            info.topic
        ));
    }
    if info.schema.columns().iter().any(is_header) {
        return refuse(format!(
            "Cannot insert into {} because it has header columns",
            info.name
        ));
    }
    Ok(info)
}

fn is_header(column: &Column) -> bool {
    matches!(column.role, ColumnRole::Headers | ColumnRole::Header(_))
}

/// `plan` with the columns of `target`.
///
/// # Errors
/// Another count, order, names, roles or types that are not converted by themselves.
pub(crate) fn fit(mut plan: QueryPlan, target: &SourceInfo) -> Result<QueryPlan, SqlError> {
    let wanted = in_record_order(&target.schema);
    let incompatible = || {
        SqlError::statement(format!(
            "Incompatible schema between results and sink.\nResult schema is {}\nSink schema is {}",
            plan.schema, target.schema
        ))
    };
    if plan.schema.columns().len() != wanted.len() || plan.window != target.window {
        return Err(incompatible());
    }
    let mut exprs = Vec::with_capacity(wanted.len());
    let mut changed = false;
    for (own, wanted) in plan.schema.columns().iter().zip(&wanted) {
        if own.name != wanted.name || own.role != wanted.role {
            return Err(incompatible());
        }
        let column = PlanExpr::Column(PlanColumn::new_unqualified(own.name.clone()));
        if own.sql_type == wanted.sql_type {
            exprs.push(column);
            continue;
        }
        let value = literal_of(&plan.root, &own.name)
            .filter(|_| matches!(wanted.sql_type, SqlType::Decimal { .. }))
            .and_then(|value| literal::converted(&value, &wanted.sql_type));
        let value = match value {
            Some(value) => value,
            None if fits(&own.sql_type, &wanted.sql_type) => {
                let call =
                    operators::coerce(&own.sql_type, &wanted.sql_type).ok_or_else(incompatible)?;
                call.udf.call(vec![column])
            }
            None => return Err(incompatible()),
        };
        changed = true;
        exprs.push(value.alias(&own.name));
    }
    if changed {
        let mut types: Vec<_> = wanted
            .iter()
            .map(|c| (None, c.name.clone(), c.sql_type.clone()))
            .collect();
        if plan.window.is_some() {
            for bound in [pseudo::WINDOWSTART, pseudo::WINDOWEND] {
                exprs.push(PlanExpr::Column(PlanColumn::new_unqualified(bound)));
                types.push((None, bound.to_owned(), SqlType::Bigint));
            }
        }
        plan.root = Projection::try_new_with_schema(exprs, Arc::new(plan.root), schema(types)?)
            .map(LogicalPlan::Projection)
            .map_err(internal)?;
    }
    plan.schema = Schema::new(wanted);
    Ok(plan)
}

/// Keys first, as results are.
fn in_record_order(schema: &Schema) -> Vec<Column> {
    schema.keys().chain(schema.values()).cloned().collect()
}

/// Decimals fit where no digit on either side of the point is lost (spec/semantics.md §12.3).
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
        _ => false,
    }
}

/// The literal that a result column is, if it is one.
fn literal_of(plan: &LogicalPlan, name: &str) -> Option<PlanExpr> {
    let LogicalPlan::Projection(projection) = plan else {
        return None;
    };
    let index = projection.schema.index_of_column_by_name(None, name)?;
    match projection.expr.get(index)? {
        PlanExpr::Alias(alias) if matches!(*alias.expr, PlanExpr::Literal(..)) => {
            Some(alias.expr.as_ref().clone())
        }
        _ => None,
    }
}
