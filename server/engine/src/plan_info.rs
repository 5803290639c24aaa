//! What can be read off a plan without running it.

use datafusion::logical_expr::{Expr, LogicalPlan};
use weir_parser::ast::SourceKind;
use weir_planner::stream::{JoinInputs, SourceColumn, StreamNode};
use weir_types::WindowKind;

/// Whether the rows of a plan are changes of a table.
pub(crate) fn is_table(plan: &LogicalPlan) -> bool {
    match StreamNode::of(plan) {
        Some(StreamNode::Source(node)) => node.kind == SourceKind::Table,
        Some(
            StreamNode::TableFilter(_)
            | StreamNode::Materialize(_)
            | StreamNode::Aggregate(_)
            | StreamNode::TableTableJoin(_)
            | StreamNode::ForeignKeyJoin(_),
        ) => true,
        Some(StreamNode::StreamTableJoin(_) | StreamNode::StreamStreamJoin(_)) => false,
        _ => plan.inputs().first().is_some_and(|input| is_table(input)),
    }
}

/// Whether the changes of a table can tell the row before without more ado. A foreign-key join
/// can only where somebody insists (`Wants::old`): its result is not kept otherwise.
pub(crate) fn knows_old(plan: &LogicalPlan) -> bool {
    match StreamNode::of(plan) {
        Some(StreamNode::Source(node)) => node.store.is_some(),
        Some(
            StreamNode::Materialize(_) | StreamNode::Aggregate(_) | StreamNode::TableTableJoin(_),
        ) => true,
        Some(StreamNode::ForeignKeyJoin(_)) => false,
        _ => plan.inputs().first().is_some_and(|input| knows_old(input)),
    }
}

/// Which columns of a plan's rows belong to the key (or to its window): they are known for rows
/// without a value too.
pub(crate) fn key_columns(plan: &LogicalPlan) -> Vec<bool> {
    let columns = plan.schema().fields().len();
    let of = |join: &JoinInputs| {
        let mut keys = key_columns(&join.left);
        keys.extend(key_columns(&join.right));
        if join.synthetic_key {
            keys.insert(0, true);
        }
        keys
    };
    let mut keys = match plan {
        LogicalPlan::Projection(node) => {
            let input = key_columns(&node.input);
            node.expr
                .iter()
                .map(|expr| is_key(expr, &node.input, &input))
                .collect()
        }
        _ => match StreamNode::of(plan) {
            Some(StreamNode::Source(node)) => node
                .columns
                .iter()
                .map(|column| {
                    matches!(
                        column,
                        SourceColumn::Key(_) | SourceColumn::WindowStart | SourceColumn::WindowEnd
                    )
                })
                .collect(),
            Some(StreamNode::SelectKey(node)) => vec![true; node.keys.len()],
            Some(StreamNode::Aggregate(node)) => {
                let window = if node.window.is_some() { 2 } else { 0 };
                vec![true; node.group.len() + window]
            }
            Some(StreamNode::StreamTableJoin(node)) => of(&node.inputs),
            Some(StreamNode::StreamStreamJoin(node)) => of(&node.inputs),
            Some(StreamNode::TableTableJoin(node)) => of(&node.inputs),
            Some(StreamNode::ForeignKeyJoin(node)) => key_columns(&node.inputs.left),
            _ => plan
                .inputs()
                .first()
                .map(|input| key_columns(input))
                .unwrap_or_default(),
        },
    };
    keys.resize(columns, false);
    keys
}

fn is_key(expr: &Expr, input: &LogicalPlan, keys: &[bool]) -> bool {
    match expr {
        Expr::Alias(alias) => is_key(&alias.expr, input, keys),
        Expr::Column(column) => input
            .schema()
            .index_of_column(column)
            .is_ok_and(|index| keys.get(index) == Some(&true)),
        _ => false,
    }
}

/// Whether the keys of a plan's rows hold session windows.
pub(crate) fn has_sessions(plan: &LogicalPlan) -> bool {
    match StreamNode::of(plan) {
        Some(StreamNode::Source(node)) => node
            .window
            .is_some_and(|window| window.kind == WindowKind::Session),
        _ => plan
            .inputs()
            .first()
            .is_some_and(|input| has_sessions(input)),
    }
}
