//! Which store holds a table's result, and the way from its entries to rows.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::logical_expr::LogicalPlan;
use weir_planner::stream::{Aggregate, StreamNode, WindowShapeMs};

use crate::EngineError;
use crate::compile::types;
use crate::compile_ends::source_key;
use crate::expr::Exprs;
use crate::materialized::{MaterializedView, ViewLayout, ViewStep};
use crate::ops::groups::StateLayout;
use crate::ops::session::keys::segment_ms;
use crate::ops::table_store::TableStore;
use crate::point::PointLayout;

/// The state behind the filters and projections of a plan: its store, and how it is read. `None`
/// if nothing keeps the result.
pub(crate) fn view(root: &LogicalPlan) -> Result<Option<(String, MaterializedView)>, EngineError> {
    let (plan, order) = match StreamNode::of(root) {
        Some(StreamNode::Sink(node)) => {
            let keys = node.declared.keys().count();
            let values = node.declared.values().count();
            let bounds = if node.window.is_some() { 2 } else { 0 };
            let mut order: Vec<usize> = (0..keys).collect();
            order.extend(keys + values..keys + values + bounds);
            order.extend(keys..keys + values);
            (node.input.as_ref(), order)
        }
        Some(StreamNode::Output(_)) => return Ok(None),
        Some(StreamNode::Source(node)) => {
            let mut order = source_key(node);
            order.extend(
                (0..node.columns.len())
                    .filter(|i| !order.contains(i))
                    .collect::<Vec<_>>(),
            );
            (root, order)
        }
        _ => (root, (0..root.schema().fields().len()).collect()),
    };
    let mut steps = Vec::new();
    let Some((store, layout)) = state(plan, &mut steps)? else {
        return Ok(None);
    };
    let fields: Vec<Arc<Field>> = order
        .iter()
        .filter_map(|index| plan.schema().fields().get(*index).cloned())
        .collect();
    let schema = MaterializedView::schema_of(&fields);
    let point = PointLayout::of(&layout, &steps, &order);
    Ok(Some((
        store,
        MaterializedView {
            layout,
            steps,
            order,
            schema,
            point,
        },
    )))
}

/// The state at the bottom; the steps above it are appended, the first one first.
fn state(
    plan: &LogicalPlan,
    steps: &mut Vec<ViewStep>,
) -> Result<Option<(String, ViewLayout)>, EngineError> {
    if let LogicalPlan::Projection(node) = plan {
        let found = state(&node.input, steps)?;
        steps.push(ViewStep::Project(Exprs::new(
            &node.expr,
            node.input.schema(),
        )?));
        return Ok(found);
    }
    // HAVING behind EMIT FINAL.
    if let LogicalPlan::Filter(node) = plan {
        let found = state(&node.input, steps)?;
        let predicate = Exprs::new([&node.predicate], node.input.schema())?;
        steps.push(ViewStep::Filter(predicate));
        return Ok(found);
    }
    Ok(match StreamNode::of(plan) {
        Some(StreamNode::TableFilter(node)) => {
            let found = state(&node.input, steps)?;
            steps.push(ViewStep::Filter(Exprs::new(
                [&node.predicate],
                node.input.schema(),
            )?));
            found
        }
        Some(StreamNode::Materialize(node)) => {
            let layout = TableStore::new(0, types(node.input.schema()), &node.key);
            Some((node.store.clone(), ViewLayout::Rows(layout)))
        }
        Some(StreamNode::Source(node)) => node.store.as_ref().map(|store| {
            let layout = TableStore::new(0, types(&node.schema), &source_key(node));
            (store.clone(), ViewLayout::Rows(layout))
        }),
        Some(StreamNode::Aggregate(node)) => Some((node.store.clone(), groups(node))),
        _ => None,
    })
}

fn groups(node: &Aggregate) -> ViewLayout {
    let functions = node
        .aggregates
        .iter()
        .map(|call| Arc::clone(&call.function))
        .collect();
    let states = StateLayout::new(functions);
    let group: Vec<DataType> = types(&node.schema)
        .into_iter()
        .take(node.group.len())
        .collect();
    let retention = node.window.as_ref().map_or(0, |window| window.retention_ms);
    match node.window.as_ref().map(|window| window.shape) {
        None => ViewLayout::Groups { states, group },
        Some(WindowShapeMs::Time { size, .. }) => ViewLayout::Windows {
            states,
            group,
            size,
        },
        Some(WindowShapeMs::Session { .. }) => ViewLayout::Sessions {
            states,
            group,
            segment_ms: segment_ms(retention),
        },
    }
}
