//! Sources of a plan, with the columns that the query reads, and the filters right behind them.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::TableReference;
use datafusion::logical_expr::{Expr as PlanExpr, Filter, LogicalPlan};
use weir_parser::ast::{Expr, ExprKind, SourceKind};
use weir_types::SqlError;
use weir_types::ident::pseudo;

use super::stage::{KeyColumn, KeyOrigin, Stage, internal, schema};
use crate::analysis::Analysis;
use crate::expr::scope::{ScopeColumn, SourceScope};
use crate::expr::tree;
use crate::stream::{Source, StreamNode, TableFilter};

/// The columns that a query reads: pairs of alias and name.
#[derive(Debug, Default)]
pub(crate) struct Used(HashSet<(String, String)>);

impl Used {
    /// The columns that occur anywhere in `analysis`.
    pub(crate) fn of(analysis: &Analysis<'_>) -> Self {
        let mut used = Self::default();
        let joins = analysis.joins.iter().flat_map(|j| [&j.left, &j.right]);
        let items = analysis.items.iter().map(|i| &i.expr);
        // HAVING without aggregation has no effect (spec/sql.md §9.3).
        let having = analysis.having.iter().filter(|_| analysis.aggregates());
        items
            .chain(&analysis.filter)
            .chain(&analysis.group_by)
            .chain(&analysis.partition_by)
            .chain(having)
            .chain(joins)
            .for_each(|expr| used.add(expr));
        used
    }

    /// All declared columns of `source`.
    pub(crate) fn all(source: &SourceScope) -> Self {
        let declared = source.info.schema.columns().iter();
        Self(
            declared
                .map(|c| (source.alias.clone(), c.name.clone()))
                .collect(),
        )
    }

    fn add(&mut self, expr: &Expr) {
        tree::walk(expr, &mut |e| {
            if let ExprKind::Column {
                source: Some(source),
                name,
            } = &e.kind
            {
                self.0.insert((source.name.clone(), name.name.clone()));
            }
            true
        });
    }

    fn reads(&self, source: &SourceScope, column: &ScopeColumn) -> bool {
        // A table is kept by its key, and a windowed key is its key columns and its bounds.
        (source.info.kind == SourceKind::Table && column.is_key())
            || column.is_window_bound()
            || self
                .0
                .contains(&(source.alias.clone(), column.name.clone()))
    }
}

/// The node that reads `source`. `store` is the name of a table's store.
///
/// # Errors
/// A fault of ours.
pub(crate) fn read(
    source: &SourceScope,
    used: &Used,
    store: Option<String>,
) -> Result<Stage, SqlError> {
    let info = &source.info;
    let columns: Vec<_> = source
        .columns
        .iter()
        .filter(|c| used.reads(source, c))
        .collect();
    let qualifier = TableReference::bare(source.alias.as_str());
    let node = Source {
        name: info.name.clone(),
        alias: source.alias.clone(),
        kind: info.kind,
        topic: info.topic.clone(),
        declared: info.schema.clone(),
        key_format: info.key_format.clone(),
        value_format: info.value_format.clone(),
        window: info.window,
        timestamp: info.timestamp.clone(),
        columns: columns.iter().map(|c| c.content.clone()).collect(),
        store: store.filter(|_| info.kind == SourceKind::Table),
        schema: schema(
            columns
                .iter()
                .map(|c| (Some(qualifier.clone()), c.name.clone(), c.sql_type.clone())),
        )?,
    };
    let keys = source
        .keys()
        .map(|key| KeyColumn {
            column: datafusion::common::Column::new(Some(qualifier.clone()), &key.name),
            sql_type: key.sql_type.clone(),
            means: vec![source.tree_column(&key.name, Default::default())],
        })
        .collect();
    let bounds = [
        source.plan_column(pseudo::WINDOWSTART),
        source.plan_column(pseudo::WINDOWEND),
    ];
    Ok(Stage {
        plan: StreamNode::Source(node).into_plan(),
        kind: info.kind,
        keys,
        origin: KeyOrigin::Source,
        key_format: info.key_format.clone(),
        window: info.window.map(|window| (window, bounds)),
        computed: Vec::new(),
    })
}

/// `plan` filtered: rows of a table that leave the filter become tombstones.
///
/// # Errors
/// A fault of ours.
pub(crate) fn filter(
    plan: LogicalPlan,
    predicate: PlanExpr,
    kind: SourceKind,
    clause: &'static str,
) -> Result<LogicalPlan, SqlError> {
    let input = Arc::new(plan);
    Ok(match kind {
        SourceKind::Stream => {
            LogicalPlan::Filter(Filter::try_new(predicate, input).map_err(internal)?)
        }
        SourceKind::Table => StreamNode::TableFilter(TableFilter {
            input,
            predicate,
            clause,
        })
        .into_plan(),
    })
}
