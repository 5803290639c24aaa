//! Whether the plan of CREATE OR REPLACE … AS can take over what the query in its place has
//! stored (spec/sql.md §12, spec/semantics.md §12.5).
//!
//! ```text
//!  old: Sink ─ Projection ─ [HAVING] ─ Aggregate ─ Projection ─ [WHERE] ─ Source
//!  new: Sink ─ Projection ─            Aggregate ─ Projection ─ [WHERE] ─ Source
//!              free                    equal       equal        free      equal
//! ```
//!
//! Invariant: what is accepted reads the same topics, keeps the same stores under the same keys
//! and sends the same rows through the same internal topics; only filters and the last projection
//! may differ. Whether the columns of the sink still fit is
//! [`check_replacement`](crate::ddl::check_replacement)'s to say.

use std::collections::BTreeSet;

use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::{Expr, LogicalPlan};
use weir_types::SqlError;

use crate::stream::{Aggregate, QueryPlan, Repartition, Source, StreamNode};

/// Whether `new` may take the place of `old`, the plan of the query `id`.
///
/// # Errors
/// A step that cannot be replaced at all (joins, windows, table functions, aggregates of tables),
/// other steps, another source, other groups, aggregates or keys, other columns read by an
/// aggregation.
pub fn check_upgrade(id: &str, old: &QueryPlan, new: &QueryPlan) -> Result<(), SqlError> {
    let refuse = |reason: String| {
        SqlError::statement(format!(
            "Cannot replace query {id}: {reason}\nDrop the sink and create it anew, or write to a \
             sink of another name."
        ))
    };
    let (old, new) = (steps(&old.root), steps(&new.root));
    for step in old.iter().chain(&new) {
        if let Some(name) = step.unsupported() {
            return Err(refuse(format!("Upgrades not yet supported for {name}.")));
        }
    }
    let aggregates = old.iter().any(|s| matches!(s, Step::Aggregate(_)));
    let mut pairs = old.iter().zip(&new);
    let differ = pairs.find(|(old, new)| old.name() != new.name());
    if let Some((old, new)) = differ {
        return Err(refuse(format!(
            "Query is not upgradeable. Plan type upgrade from {} to {} is not supported.",
            old.name(),
            new.name()
        )));
    }
    if old.len() != new.len() {
        return Err(refuse(
            "Query is not upgradeable. A step was added or removed.".to_owned(),
        ));
    }
    let mut below_aggregate = false;
    for (old, new) in old.iter().zip(&new) {
        if let Some(part) = changed(old, new, below_aggregate, aggregates) {
            return Err(refuse(format!(
                "Query is not upgradeable. {} must stay as they are: the {part} changed.",
                old.name()
            )));
        }
        below_aggregate |= matches!(old, Step::Aggregate(_));
    }
    Ok(())
}

/// A step of a plan that is no filter.
enum Step<'a> {
    Projection(&'a [Expr]),
    SelectKey(&'a [Expr]),
    Repartition(&'a Repartition),
    Aggregate(&'a Aggregate),
    Source(&'a Source),
    Other(&'static str),
}

impl Step<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Projection(_) => "Select",
            Self::SelectKey(_) => "PARTITION BY",
            Self::Repartition(_) => "Repartition",
            Self::Aggregate(_) => "GROUP BY and aggregates",
            Self::Source(_) => "Source",
            Self::Other(name) => name,
        }
    }

    fn unsupported(&self) -> Option<&'static str> {
        match self {
            Self::Aggregate(node) if node.window.is_some() => Some("WindowedAggregate"),
            Self::Aggregate(node) if node.input_is_table => Some("TableAggregate"),
            Self::Other(name) => Some(name),
            _ => None,
        }
    }
}

/// The steps of a plan from its sink to its source, filters left out: they keep nothing.
fn steps(root: &LogicalPlan) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut next = Some(root);
    while let Some(plan) = next {
        let step = match (plan, StreamNode::of(plan)) {
            (LogicalPlan::Projection(node), _) => Some(Step::Projection(&node.expr)),
            (LogicalPlan::Filter(_), _) => None,
            (_, Some(node)) => match node {
                StreamNode::Sink(_) | StreamNode::Output(_) | StreamNode::TableFilter(_) => None,
                StreamNode::SelectKey(node) => Some(Step::SelectKey(&node.keys)),
                StreamNode::Repartition(node) => Some(Step::Repartition(node)),
                StreamNode::Aggregate(node) => Some(Step::Aggregate(node)),
                StreamNode::Source(node) => Some(Step::Source(node)),
                StreamNode::FlatMap(_) => Some(Step::Other("FlatMap")),
                StreamNode::StreamTableJoin(_) => Some(Step::Other("StreamTableJoin")),
                StreamNode::StreamStreamJoin(_) => Some(Step::Other("StreamStreamJoin")),
                StreamNode::TableTableJoin(_) => Some(Step::Other("TableTableJoin")),
                StreamNode::ForeignKeyJoin(_) => Some(Step::Other("ForeignKeyTableTableJoin")),
                StreamNode::Materialize(_) => Some(Step::Other("TableSelectKey")),
            },
            _ => Some(Step::Other("Unknown")),
        };
        steps.extend(step);
        // Behind a step that is refused nothing counts any more.
        next = match steps.last() {
            Some(Step::Other(_)) => None,
            _ => plan.inputs().first().copied(),
        };
    }
    steps
}

/// What of two steps of one kind differs and must not.
fn changed(
    old: &Step<'_>,
    new: &Step<'_>,
    below_aggregate: bool,
    aggregates: bool,
) -> Option<&'static str> {
    match (old, new) {
        (Step::Projection(old), Step::Projection(new)) if below_aggregate => {
            (!same(old, new)).then_some("columns")
        }
        (Step::SelectKey(old), Step::SelectKey(new)) => (!same(old, new)).then_some("expressions"),
        (Step::Repartition(old), Step::Repartition(new)) => {
            let same = old.key == new.key && old.key_format == new.key_format;
            (!same).then_some("key")
        }
        (Step::Aggregate(old), Step::Aggregate(new)) => {
            let calls = |node: &Aggregate| -> Vec<String> {
                let call = |a: &crate::stream::AggregateCall| {
                    let args: Vec<_> = a.args.iter().map(|e| plain(e).to_string()).collect();
                    let (name, returns) = (a.function.name(), a.function.return_type());
                    format!("{name}({}) {returns}", args.join(", "))
                };
                node.aggregates.iter().map(call).collect()
            };
            if !same(&old.group, &new.group) {
                Some("grouping expressions")
            } else if calls(old) != calls(new) {
                Some("aggregate functions")
            } else {
                None
            }
        }
        (Step::Source(old), Step::Source(new)) => {
            let read = |source: &Source| -> BTreeSet<String> {
                let names = source.schema.fields().iter();
                names.map(|f| f.name().clone()).collect()
            };
            let formats = (
                &old.key_format,
                &old.value_format,
                old.window,
                &old.timestamp,
            ) == (
                &new.key_format,
                &new.value_format,
                new.window,
                &new.timestamp,
            );
            if old.name != new.name || old.topic != new.topic {
                Some("source")
            } else if !formats {
                Some("formats")
            } else if aggregates && read(old) != read(new) {
                Some("set of columns read")
            } else {
                None
            }
        }
        _ => None,
    }
}

/// Whether two lists compute the same, whatever alias the source has.
fn same(old: &[Expr], new: &[Expr]) -> bool {
    old.len() == new.len() && old.iter().zip(new).all(|(a, b)| plain(a) == plain(b))
}

/// An expression without the aliases of sources.
fn plain(expr: &Expr) -> Expr {
    let bare = expr.clone().transform(|e| {
        Ok(match e {
            Expr::Column(column) => {
                Transformed::yes(Expr::Column(Column::new_unqualified(column.name)))
            }
            other => Transformed::no(other),
        })
    });
    bare.map_or_else(|_| expr.clone(), |t| t.data)
}
