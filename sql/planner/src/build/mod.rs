//! From an analysed query to its plan.
//!
//! ```text
//!  Source ─► [joins] ─► Filter/TableFilter ─► [SelectKey] ─► [FlatMap] ─┬────────────────┐
//!                                           [Projection ─► Repartition] ◄┘                │
//!                                                           └─► Aggregate ─► HAVING ──────┤
//!          Output (push) / result of a persistent query ◄─ [Materialize] ◄─ Projection ◄──┘
//! ```
//!
//! [`attach_sink`] puts the sink on top once its topic and formats are known.

mod aggregate;
mod formats;
mod insert;
mod join;
mod numbering;
mod project;
mod rekey;
mod sorted;
mod source;
mod stage;
mod upgrade;

use std::sync::Arc;

use weir_functions::FunctionKind;
use weir_parser::ast::{Ident, Query, SourceKind};
use weir_types::SqlError;

use crate::analysis::{Analysis, Purpose, contains_kind};
use crate::catalog::{Catalog, SourceInfo};
use crate::expr::scope::SourceScope;
use crate::expr::{Lowering, time_text};
use crate::printed;
use crate::stream::{QueryPlan, Sink, StreamNode};
pub(crate) use aggregate::function_of;
use source::Used;
pub(crate) use stage::schema;
use stage::{Stage, StageScope};
pub use upgrade::check_upgrade;

/// Store of the only table that a query reads.
const TABLE_STORE: &str = "KsqlTopic-Reduce";

/// What a query is planned for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryContext<'a> {
    /// CREATE STREAM or TABLE … AS SELECT.
    CreateAs {
        /// STREAM or TABLE, as the statement says.
        kind: SourceKind,
        /// Name of the sink.
        sink: &'a str,
    },
    /// INSERT INTO … SELECT.
    Insert {
        /// The stream to write to.
        target: &'a Ident,
    },
    /// A client's query with EMIT.
    Push,
}

/// Plans a push or persistent query. The plan of a persistent query ends in the columns of the
/// result, keys first (then WINDOWSTART and WINDOWEND if windowed); [`attach_sink`] completes it.
///
/// # Errors
/// All refusals of spec/sql.md §11 of the stages "prepare" and "analysis" that concern queries.
pub fn plan_query(
    query: &Query,
    catalog: &dyn Catalog,
    context: QueryContext<'_>,
) -> Result<QueryPlan, SqlError> {
    let (purpose, target) = match context {
        QueryContext::CreateAs { sink, .. } => (Purpose::Persistent(sink), None),
        QueryContext::Insert { target } => (
            Purpose::Persistent(&target.name),
            Some(insert::target(target, catalog)?),
        ),
        QueryContext::Push => (Purpose::Push, None),
    };
    let analysis = Analysis::new(query, catalog, purpose)?;
    let stage = rows(&analysis)?;
    let kind = stage.kind;
    match context {
        QueryContext::CreateAs { kind: wanted, .. } if wanted != kind => {
            let word = |kind| {
                if kind == SourceKind::Table {
                    "TABLE"
                } else {
                    "STREAM"
                }
            };
            return Err(SqlError::statement(format!(
                "Invalid result type. Your SELECT query produces a {0}. Please use CREATE {0} AS \
                 SELECT statement instead.",
                word(kind)
            )));
        }
        QueryContext::Insert { target } if kind == SourceKind::Table => {
            return Err(SqlError::statement(format!(
                "Incompatible data sink and query result. Data sink ({}) type is KSTREAM but \
                 select query result is KTABLE.",
                target.name
            )));
        }
        _ => {}
    }
    let plan = project::finish(&analysis, stage)?;
    match target {
        Some(target) => insert::fit(plan, &target),
        None => Ok(plan),
    }
}

/// Puts the sink on top of a persistent query's plan. `sink` is the resolved target: its schema is
/// the plan's, or the target stream's of INSERT INTO.
pub fn attach_sink(mut plan: QueryPlan, sink: &SourceInfo) -> QueryPlan {
    plan.root = StreamNode::Sink(Sink {
        input: Arc::new(plan.root),
        name: sink.name.clone(),
        topic: sink.topic.clone(),
        kind: sink.kind,
        declared: sink.schema.clone(),
        key_format: sink.key_format.clone(),
        value_format: sink.value_format.clone(),
        window: sink.window,
        timestamp: sink.timestamp.clone(),
    })
    .into_plan();
    plan
}

/// The plan of CREATE SOURCE TABLE: the table's rows kept by key, and no sink.
///
/// # Errors
/// A fault of ours.
pub fn plan_source_table(table: &Arc<SourceInfo>) -> Result<QueryPlan, SqlError> {
    let scope = SourceScope::new(table.name.clone(), Arc::clone(table));
    let stage = source::read(&scope, &Used::all(&scope), Some(TABLE_STORE.to_owned()))?;
    Ok(QueryPlan {
        root: stage.plan,
        schema: table.schema.clone(),
        kind: SourceKind::Table,
        window: table.window,
        retention_ms: None,
        sources: vec![table.name.clone()],
        limit: None,
    })
}

/// Everything in front of the final projection.
fn rows(analysis: &Analysis<'_>) -> Result<Stage, SqlError> {
    let used = Used::of(analysis);
    let mut stage = join::build(analysis, &used)?;
    if let Some(filter) = &analysis.filter {
        let mut predicate = filter.clone();
        time_text::replace(&mut predicate)?;
        let scope = StageScope {
            sources: &analysis.sources,
            stage: &stage,
        };
        let lowered = Lowering::new(&scope, analysis.catalog)
            .boolean(&predicate, "WHERE")
            .map_err(|e| in_clause(e, "WHERE", &predicate))?;
        stage.plan = source::filter(stage.plan, lowered.expr, stage.kind, "WHERE")?;
    }
    if !analysis.partition_by.is_empty() {
        stage = rekey::partition(analysis, stage)?;
    }
    if analysis
        .items
        .iter()
        .any(|item| contains_kind(&item.expr, FunctionKind::Table))
    {
        stage = rekey::explode(analysis, stage)?;
    }
    if analysis.aggregates() {
        return aggregate::build(analysis, stage);
    }
    Ok(stage)
}

/// Says in which clause an expression failed.
pub(crate) fn in_clause(
    mut error: SqlError,
    clause: &str,
    expr: &weir_parser::ast::Expr,
) -> SqlError {
    let said = error.message.starts_with("Type error") || error.message.starts_with("Line:");
    if error.message.starts_with("Cannot compare") || error.message.starts_with("Comparison with") {
        error.message = format!(
            "Error in {clause} expression: {}\nStatement: {}",
            error.message,
            printed::plain(expr)
        );
    } else if !said {
        error.message = format!(
            "Invalid Predicate: {}. expression: {}",
            error.message.trim_end_matches('.'),
            printed::plain(expr)
        );
        error = error.in_statement(printed::plain(expr));
    }
    error
}
