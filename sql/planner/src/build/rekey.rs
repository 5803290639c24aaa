//! Table functions, and new keys: PARTITION BY, and the key side of joins.

use std::sync::Arc;

use datafusion::common::{Column as PlanColumn, TableReference};
use datafusion::logical_expr::LogicalPlan;
use weir_functions::{FunctionKind, registry};
use weir_parser::ast::{Expr, ExprKind};
use weir_types::{SqlError, SqlType};

use super::stage::{KeyColumn, KeyOrigin, Stage, StageScope, extended};
use crate::analysis::Analysis;
use crate::analysis::select::is_null_literal;
use crate::expr::{Lowering, Typed, tree};
use crate::stream::{FlatMap, SelectKey, StreamNode};

/// Adds the columns of the table functions in SELECT.
///
/// # Errors
/// Table functions in one another or in CASE, arguments that do not fit.
pub(crate) fn explode(analysis: &Analysis<'_>, mut stage: Stage) -> Result<Stage, SqlError> {
    let mut calls: Vec<&Expr> = Vec::new();
    for item in &analysis.items {
        collect(&item.expr, false, &mut calls)?;
    }
    let qualifier = TableReference::bare("$explode");
    let (mut functions, mut columns) = (Vec::new(), Vec::new());
    for (i, call) in calls.iter().enumerate() {
        let scope = StageScope {
            sources: &analysis.sources,
            stage: &stage,
        };
        let rows = Lowering::new(&scope, analysis.catalog).table_function(call)?;
        let Some(SqlType::Array(row)) = rows.sql_type else {
            return Err(SqlError::internal("A table function does not give rows."));
        };
        functions.push(rows.expr);
        columns.push((Some(qualifier.clone()), format!("KSQL_SYNTH_{i}"), *row));
    }
    let schema = extended(Vec::new(), stage.plan.schema(), columns.clone())?;
    for (call, (qualifier, name, sql_type)) in calls.into_iter().zip(columns) {
        let column = PlanColumn::new(qualifier, name);
        stage.add_computed(
            call,
            datafusion::logical_expr::Expr::Column(column),
            sql_type,
        );
    }
    stage.plan = StreamNode::FlatMap(FlatMap {
        input: Arc::new(stage.plan),
        functions,
        schema,
    })
    .into_plan();
    Ok(stage)
}

fn collect<'a>(expr: &'a Expr, inside: bool, calls: &mut Vec<&'a Expr>) -> Result<(), SqlError> {
    let mut inside = inside;
    let refuse = |what: &str| {
        Err(SqlError::statement(format!("Table functions can not be {what}.")).at(expr.span.into()))
    };
    match &expr.kind {
        ExprKind::Call { function, .. }
            if registry::registry().kind(&function.name) == Some(FunctionKind::Table) =>
        {
            if inside {
                return refuse("nested");
            }
            inside = true;
            if !calls.iter().any(|known| tree::same(known, expr)) {
                calls.push(expr);
            }
        }
        ExprKind::Case { .. } if crate::analysis::contains_kind(expr, FunctionKind::Table) => {
            return refuse("used in CASE");
        }
        _ => {}
    }
    tree::children(expr)
        .into_iter()
        .try_for_each(|child| collect(child, inside, calls))
}

/// PARTITION BY.
///
/// # Errors
/// Windowed sources, expressions that cannot be keys.
pub(crate) fn partition(analysis: &Analysis<'_>, stage: Stage) -> Result<Stage, SqlError> {
    // Rows that are keyed so already stay as they are, windows included.
    if stage.is_keyed_by(&analysis.partition_by, &analysis.items) {
        return Ok(stage);
    }
    if stage.window.is_some() {
        return Err(SqlError::statement(
            "PARTITION BY is not supported on windowed sources: implicit repartitioning of \
             windowed sources is not supported.",
        ));
    }
    if let [only] = analysis.partition_by.as_slice()
        && is_null_literal(only)
    {
        return select_key(stage, Vec::new(), KeyOrigin::Partition, "$key");
    }
    let mut keys = Vec::with_capacity(analysis.partition_by.len());
    for expr in &analysis.partition_by {
        let scope = StageScope {
            sources: &analysis.sources,
            stage: &stage,
        };
        let lowered = Lowering::new(&scope, analysis.catalog).lower(expr)?;
        if lowered.sql_type.is_none() {
            return Err(SqlError::statement(
                "PARTITION BY NULL can only stand alone: NULL cannot be one key of several.",
            )
            .at(expr.span.into()));
        }
        keys.push((expr.clone(), lowered));
    }
    select_key(stage, keys, KeyOrigin::Partition, "$key")
}

/// Gives the rows a new key; its columns come first, under `qualifier`.
///
/// # Errors
/// A fault of ours.
pub(crate) fn select_key(
    mut stage: Stage,
    keys: Vec<(Expr, Typed)>,
    origin: KeyOrigin,
    qualifier: &str,
) -> Result<Stage, SqlError> {
    let table = TableReference::bare(qualifier);
    let mut columns = Vec::with_capacity(keys.len());
    let mut exprs = Vec::with_capacity(keys.len());
    let mut key_columns = Vec::with_capacity(keys.len());
    for (i, (expr, typed)) in keys.into_iter().enumerate() {
        let Some(sql_type) = typed.sql_type else {
            continue;
        };
        let name = key_name(&expr, i);
        key_columns.push(KeyColumn {
            column: PlanColumn::new(Some(table.clone()), name.as_str()),
            sql_type: sql_type.clone(),
            means: vec![expr],
        });
        columns.push((Some(table.clone()), name, sql_type));
        exprs.push(typed.expr);
    }
    let schema = extended(columns, stage.plan.schema(), Vec::new())?;
    stage.plan = StreamNode::SelectKey(SelectKey {
        input: Arc::new(stage.plan),
        keys: exprs,
        schema,
    })
    .into_plan();
    for key in &key_columns {
        // The expression is not computed again behind: a failed key is null in the result, too.
        for expr in &key.means {
            stage.computed.push((
                tree::shape(expr),
                datafusion::logical_expr::Expr::Column(key.column.clone()),
                key.sql_type.clone(),
            ));
        }
    }
    stage.keys = key_columns;
    stage.origin = origin;
    Ok(stage)
}

/// A name for a computed key column; unique by its index.
fn key_name(expr: &Expr, index: usize) -> String {
    match &expr.kind {
        ExprKind::Column { name, .. } if index == 0 => name.name.clone(),
        ExprKind::Column { name, .. } => format!("{}_{index}", name.name),
        _ => format!("KEY_{index}"),
    }
}

/// The plan alone, for nodes that take an input.
pub(crate) fn input(stage: &Stage) -> Arc<LogicalPlan> {
    Arc::new(stage.plan.clone())
}
