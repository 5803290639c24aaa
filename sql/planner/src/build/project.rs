//! The final projection: which result columns are the key, and the rules about them
//! (spec/sql.md §5.3).

use std::sync::Arc;

use datafusion::logical_expr::{Expr as PlanExpr, LogicalPlan, Projection};
use weir_parser::ast::SourceKind;
use weir_types::ident::pseudo;
use weir_types::{Column, ColumnRole, Schema, SqlError, SqlType};

use super::sorted;
use super::stage::{KeyColumn, KeyOrigin, Stage, StageScope, internal, schema};
use crate::analysis::Analysis;
use crate::expr::{Lowering, refuse, tree};
use crate::printed;
use crate::stream::{Materialize, Output, QueryPlan, StreamNode};

/// A result column: its role, and what computes it.
struct ResultColumn {
    column: Column,
    expr: PlanExpr,
}

/// Projects the rows of `stage` to the result.
///
/// # Errors
/// Key columns missing or doubled, no value columns, names used twice, values without a type.
pub(crate) fn finish(analysis: &Analysis<'_>, stage: Stage) -> Result<QueryPlan, SqlError> {
    let key_items = key_items(analysis, &stage)?;
    let mut columns = Vec::with_capacity(analysis.items.len());
    for (i, item) in analysis.items.iter().enumerate() {
        let key = key_items
            .iter()
            .position(|k| *k == Some(i))
            .and_then(|k| stage.keys.get(k));
        columns.push(match key {
            Some(key) => ResultColumn {
                column: Column::key(&item.name, key.sql_type.clone()),
                expr: PlanExpr::Column(key.column.clone()),
            },
            None => {
                let scope = StageScope {
                    sources: &analysis.sources,
                    stage: &stage,
                };
                let typed = Lowering::new(&scope, analysis.catalog).lower(&item.expr)?;
                let Some(sql_type) = typed.sql_type else {
                    return Err(refuse(
                        &item.expr,
                        "Can't infer a type of null. Please explicitly cast it to a required type, \
                         e.g. CAST(null AS VARCHAR).",
                    ));
                };
                ResultColumn {
                    column: Column::value(&item.name, sql_type),
                    expr: typed.expr,
                }
            }
        });
    }
    if !analysis.aggregates() {
        // Keys are made before, and each aggregate call has a list of its own.
        let values = columns
            .iter_mut()
            .filter(|c| c.column.role == ColumnRole::Value);
        let mut values: Vec<_> = values.map(|c| &mut c.expr).collect();
        sorted::in_place(&mut values).map_err(internal)?;
    }
    if analysis.purpose.is_persistent() {
        // Keys in the order of the key, then values in the order of SELECT.
        let mut ordered: Vec<_> = columns.into_iter().map(Some).collect();
        let mut keyed = Vec::with_capacity(ordered.len());
        for item in key_items.into_iter().flatten() {
            keyed.extend(ordered.get_mut(item).and_then(Option::take));
        }
        keyed.extend(ordered.into_iter().flatten());
        columns = keyed;
        check_columns(&columns)?;
    } else {
        unique_names(&columns)?;
    }
    let mut plan = project(stage.plan.clone(), &columns, &stage, analysis)?;
    let result = if analysis.purpose.is_persistent() {
        let result = Schema::new(columns.into_iter().map(|c| c.column).collect());
        if needs_store(analysis, &stage) {
            plan = StreamNode::Materialize(Materialize {
                input: Arc::new(plan),
                key: (0..result.keys().count()).collect(),
                store: "Project-Last".to_owned(),
            })
            .into_plan();
        }
        result
    } else {
        let bounds = stage.window.iter().flat_map(|(_, bounds)| bounds);
        let bounds: Vec<_> = bounds.collect();
        let in_key =
            |c: &ResultColumn| c.column.role == ColumnRole::Key || bounds.contains(&&c.expr);
        let key = (0..columns.len())
            .filter(|&i| columns.get(i).is_some_and(in_key))
            .collect();
        // To a client all columns are alike.
        let result: Vec<_> = columns
            .into_iter()
            .map(|c| Column {
                role: ColumnRole::Value,
                ..c.column
            })
            .collect();
        plan = StreamNode::Output(Output {
            key,
            types: result.iter().map(|c| c.sql_type.clone()).collect(),
            input: Arc::new(plan),
        })
        .into_plan();
        Schema::new(result)
    };
    Ok(QueryPlan {
        root: plan,
        schema: result,
        kind: stage.kind,
        window: stage.window.map(|(window, _)| window),
        retention_ms: analysis
            .window
            .as_ref()
            .and_then(|w| w.retention)
            .map(|r| r.millis()),
        sources: analysis
            .sources
            .list
            .iter()
            .map(|s| s.info.name.clone())
            .collect(),
        limit: analysis.limit,
    })
}

/// Whether nothing in front of the projection keeps the rows by their key: joins of tables.
fn needs_store(analysis: &Analysis<'_>, stage: &Stage) -> bool {
    stage.kind == SourceKind::Table && !analysis.joins.is_empty() && !analysis.aggregates()
}

/// For each key column the item that selects it; `None` only in push queries.
fn key_items(analysis: &Analysis<'_>, stage: &Stage) -> Result<Vec<Option<usize>>, SqlError> {
    let mut found = Vec::with_capacity(stage.keys.len());
    for key in &stage.keys {
        let mut items = Vec::new();
        for meant in &key.means {
            items = (0..analysis.items.len())
                .filter(|&i| {
                    analysis
                        .items
                        .get(i)
                        .is_some_and(|item| tree::same(&item.expr, meant))
                })
                .collect();
            if !items.is_empty() {
                break;
            }
        }
        if items.len() > 1 && analysis.purpose.is_persistent() {
            let names: Vec<_> = items
                .iter()
                .filter_map(|&i| analysis.items.get(i))
                .map(|item| item.name.as_str())
                .collect();
            return Err(SqlError::statement(format!(
                "The projection contains a key column (`{}`) more than once, aliased as: {}.\nEach \
                 key column must only be in the projection once. If you intended to copy the key \
                 into the value, then consider using the AS_VALUE function to indicate which key \
                 reference should be copied.",
                key.means.first().map(printed::plain).unwrap_or_default(),
                names.join(" and ")
            )));
        }
        found.push(items.first().copied());
    }
    if analysis.purpose.is_persistent() && found.contains(&None) {
        return Err(missing(analysis, stage));
    }
    Ok(found)
}

/// The message that tells which key columns SELECT lacks.
fn missing(analysis: &Analysis<'_>, stage: &Stage) -> SqlError {
    let crate::analysis::Purpose::Persistent(sink) = analysis.purpose else {
        return SqlError::internal("A push query needs no key.");
    };
    let print: fn(&weir_parser::ast::Expr) -> String = match stage.origin {
        KeyOrigin::Partition | KeyOrigin::Join => printed::qualified,
        _ => printed::plain,
    };
    let first = |key: &KeyColumn| key.means.first().map(print).unwrap_or_default();
    let (noun, words, example) = match stage.origin {
        KeyOrigin::Join => {
            let means: Vec<_> = stage
                .keys
                .iter()
                .flat_map(|k| &k.means)
                .map(print)
                .collect();
            let plural = if means.len() > 1 { "s" } else { "" };
            let example = means.first().cloned().unwrap_or_default();
            (
                format!("join expression{plural}"),
                enumerate(&means, "or"),
                example,
            )
        }
        KeyOrigin::ForeignKey => {
            let keys: Vec<_> = stage.keys.iter().map(first).collect();
            let left = analysis
                .sources
                .list
                .first()
                .map_or("", |s| s.info.name.as_str());
            return SqlError::statement(format!(
                "Primary key column missing in projection. For foreign-key table-table joins, the \
                 projection must include all primary key columns from the left input table \
                 (`{left}`): {}.",
                keys.join(", ")
            ));
        }
        origin => {
            let noun = match origin {
                KeyOrigin::Group => "grouping expression",
                KeyOrigin::Partition => "partitioning expression",
                _ => "key column",
            };
            let keys: Vec<_> = stage
                .keys
                .iter()
                .filter(|key| {
                    origin != KeyOrigin::Group
                        || !analysis
                            .items
                            .iter()
                            .any(|item| key.means.iter().any(|meant| tree::same(&item.expr, meant)))
                })
                .map(first)
                .collect();
            let plural = if keys.len() > 1 { "s" } else { "" };
            (
                format!("{noun}{plural}"),
                enumerate(&keys, "and"),
                keys.join(", "),
            )
        }
    };
    SqlError::statement(format!(
        "Key missing from projection (ie, SELECT).\nThe query used to build `{sink}` must include \
         the {noun} {words} in its projection (eg, SELECT {example}...)."
    ))
}

/// `A, B or C`.
fn enumerate(words: &[String], last: &str) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., end] => format!("{} {last} {end}", rest.join(", ")),
    }
}

fn check_columns(columns: &[ResultColumn]) -> Result<(), SqlError> {
    for (i, result) in columns.iter().enumerate() {
        let column = &result.column;
        if column.role == ColumnRole::Key && column.sql_type.contains_map() {
            return Err(map_key(&column.name, &column.sql_type));
        }
        if columns.iter().take(i).any(|c| c.column.name == column.name) {
            let word = if column.role == ColumnRole::Key {
                "key"
            } else {
                "value"
            };
            return Err(SqlError::statement(format!(
                "Duplicate {word} columns found in schema: `{}` {}. Please give each column a name \
                 of its own.",
                column.name, column.sql_type
            )));
        }
    }
    if columns.iter().all(|c| c.column.role == ColumnRole::Key) {
        return Err(SqlError::statement(
            "The projection contains no value columns.",
        ));
    }
    Ok(())
}

fn unique_names(columns: &[ResultColumn]) -> Result<(), SqlError> {
    for (i, result) in columns.iter().enumerate() {
        if columns
            .iter()
            .take(i)
            .any(|c| c.column.name == result.column.name)
        {
            return Err(SqlError::statement(format!(
                "Duplicate value columns found in schema: `{}` {}. Please give each column a name \
                 of its own.",
                result.column.name, result.column.sql_type
            )));
        }
    }
    Ok(())
}

/// The refusal of a key that holds a MAP.
pub(crate) fn map_key(name: &str, sql_type: &SqlType) -> SqlError {
    SqlError::statement(format!(
        "Map keys, including types that contain maps, are not supported as they may lead to \
         unexpected behavior due to inconsistent serialization. Key column name: `{name}`. Column \
         type: {sql_type}."
    ))
}

fn project(
    input: LogicalPlan,
    columns: &[ResultColumn],
    stage: &Stage,
    analysis: &Analysis<'_>,
) -> Result<LogicalPlan, SqlError> {
    let mut exprs: Vec<_> = columns
        .iter()
        .map(|c| named(&c.expr, &c.column.name))
        .collect();
    let mut types: Vec<_> = columns
        .iter()
        .map(|c| (None, c.column.name.clone(), c.column.sql_type.clone()))
        .collect();
    if let (Some((_, bounds)), true) = (&stage.window, analysis.purpose.is_persistent()) {
        for (bound, name) in bounds.iter().zip([pseudo::WINDOWSTART, pseudo::WINDOWEND]) {
            exprs.push(named(bound, name));
            types.push((None, name.to_owned(), SqlType::Bigint));
        }
    }
    Projection::try_new_with_schema(exprs, Arc::new(input), schema(types)?)
        .map(LogicalPlan::Projection)
        .map_err(internal)
}

fn named(expr: &PlanExpr, name: &str) -> PlanExpr {
    match expr {
        PlanExpr::Column(column) if column.relation.is_none() && column.name == name => {
            expr.clone()
        }
        _ => expr.clone().alias(name),
    }
}
