//! The numbers in names of internal stores and topics of joins (spec/semantics.md §2.4).
//!
//! ksqlDB leaves some names to Kafka Streams, which counts every processor and store that it is
//! asked for, named or not; so the number of a join's store says how much of the topology was
//! made before it:
//!
//! ```text
//!  stream ⋈ stream     left, right, then the join          JOINTHIS = names before + 2
//!  stream ⋈ table      right (the table) first, then left
//!  table ⋈ table       left, right                         FK REGISTRATION = names before
//! ```
//!
//! Invariant: only joins have such names, and their inputs are joins and sources, so that what
//! comes behind the joins (WHERE, GROUP BY, SELECT) never changes a number. The counts are those
//! of the topologies and topic names that were recorded.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::LogicalPlan;
use weir_parser::ast::SourceKind;
use weir_types::SqlError;

use super::stage::internal;
use crate::stream::{JoinInputs, JoinType, StreamNode};

/// A stream's source: topic, system columns, and a step that looks at what passes.
const STREAM_SOURCE: usize = 3;
/// A table's source: store, topic, table, its store with system columns, columns, alias.
const TABLE_SOURCE: usize = 6;
/// A stream sent through a topic: new key, filter, sink, source.
const STREAM_REPARTITION: usize = 4;
/// A table sent through a topic: to a stream, new key, filter, sink, source, table.
const TABLE_REPARTITION: usize = 6;
/// A stream-stream join: a window for each side, a join for each side, their merging.
const STREAM_STREAM: usize = 5;
/// A stream-table join, and a step that looks at what passes.
const STREAM_TABLE: usize = 2;
/// A table-table join: a join for each side, their merging.
const TABLE_TABLE: usize = 3;

/// `plan`, a tree of joins, with the numbered names of its joins filled in.
///
/// # Errors
/// A fault of ours.
pub(super) fn number(plan: LogicalPlan) -> Result<LogicalPlan, SqlError> {
    walk(plan, &mut 0)
}

fn walk(plan: LogicalPlan, next: &mut usize) -> Result<LogicalPlan, SqlError> {
    let Some(node) = StreamNode::of(&plan) else {
        return through(plan, next);
    };
    match node {
        StreamNode::Source(source) => {
            *next += match source.kind {
                SourceKind::Stream => STREAM_SOURCE,
                SourceKind::Table => TABLE_SOURCE,
            };
            Ok(plan)
        }
        StreamNode::Repartition(_) => {
            let plan = through(plan, next)?;
            *next += STREAM_REPARTITION;
            Ok(plan)
        }
        StreamNode::Materialize(_) => {
            // A table's topic is read back by the store behind it: counted as one.
            let plan = through(plan, next)?;
            *next += TABLE_REPARTITION - STREAM_REPARTITION;
            Ok(plan)
        }
        StreamNode::StreamTableJoin(join) => {
            let mut join = join.clone();
            join.inputs.right = input(&join.inputs.right, next)?;
            join.inputs.left = input(&join.inputs.left, next)?;
            *next += STREAM_TABLE;
            Ok(StreamNode::StreamTableJoin(join).into_plan())
        }
        StreamNode::StreamStreamJoin(join) => {
            let mut join = join.clone();
            both(&mut join.inputs, next)?;
            join.stores = window_stores(join.inputs.join_type, *next + 2);
            *next += STREAM_STREAM;
            Ok(StreamNode::StreamStreamJoin(join).into_plan())
        }
        StreamNode::TableTableJoin(join) => {
            let mut join = join.clone();
            both(&mut join.inputs, next)?;
            *next += TABLE_TABLE;
            Ok(StreamNode::TableTableJoin(join).into_plan())
        }
        StreamNode::ForeignKeyJoin(join) => {
            let mut join = join.clone();
            both(&mut join.inputs, next)?;
            let first = *next;
            let name = |what: &str, n: usize| format!("KTABLE-FK-JOIN-SUBSCRIPTION-{what}-{n:010}");
            join.topic_suffixes = [
                format!("{}-topic", name("REGISTRATION", first)),
                format!("{}-topic", name("RESPONSE", first + 8)),
            ];
            join.stores[0] = name("STATE-STORE", first + 4);
            Ok(StreamNode::ForeignKeyJoin(join).into_plan())
        }
        _ => through(plan, next),
    }
}

/// The stores of the left side, of the right side and of pending non-matches. A RIGHT join runs
/// as a LEFT one with its inputs swapped.
fn window_stores(join_type: JoinType, this: usize) -> [String; 3] {
    let store = |name: &str, n: usize| format!("KSTREAM-{name}-{n:010}-store");
    let (first, second) = match join_type {
        JoinType::Inner => ("JOINTHIS", "JOINOTHER"),
        JoinType::Left | JoinType::Right => ("JOINTHIS", "OUTEROTHER"),
        JoinType::Full => ("OUTERTHIS", "OUTEROTHER"),
    };
    let (first, second) = (store(first, this), store(second, this + 1));
    let pending = store("OUTERSHARED", this);
    match join_type {
        JoinType::Right => [second, first, pending],
        _ => [first, second, pending],
    }
}

fn both(inputs: &mut JoinInputs, next: &mut usize) -> Result<(), SqlError> {
    inputs.left = input(&inputs.left, next)?;
    inputs.right = input(&inputs.right, next)?;
    Ok(())
}

fn input(plan: &Arc<LogicalPlan>, next: &mut usize) -> Result<Arc<LogicalPlan>, SqlError> {
    walk(LogicalPlan::clone(plan), next).map(Arc::new)
}

/// A node that takes no name itself.
fn through(plan: LogicalPlan, next: &mut usize) -> Result<LogicalPlan, SqlError> {
    let numbered = plan.map_children(|child| {
        walk(child, next)
            .map(Transformed::yes)
            .map_err(|e| datafusion::common::DataFusionError::Internal(e.message))
    });
    numbered.map(|t| t.data).map_err(internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_join_keeps_the_left_side_in_the_other_store() {
        let stores = |kind| window_stores(kind, 8).map(|s| s.replace("KSTREAM-", ""));
        let other = "OUTEROTHER-0000000009-store";
        let pending = "OUTERSHARED-0000000008-store";
        assert_eq!(
            stores(JoinType::Left),
            ["JOINTHIS-0000000008-store", other, pending]
        );
        assert_eq!(
            stores(JoinType::Right),
            [other, "JOINTHIS-0000000008-store", pending]
        );
        assert_eq!(
            stores(JoinType::Full),
            ["OUTERTHIS-0000000008-store", other, pending]
        );
        assert_eq!(
            stores(JoinType::Inner),
            [
                "JOINTHIS-0000000008-store",
                "JOINOTHER-0000000009-store",
                pending
            ]
        );
    }
}
