//! [`StreamNode`] as DataFusion sees it: inputs, expressions, and the lines of EXPLAIN.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::{DFSchemaRef, DataFusionError, Result};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};
use weir_parser::ast::SourceKind;
use weir_types::WindowInfo;

use super::{AggregateCall, JoinInputs, JoinType, SourceColumn, StreamNode, WindowShapeMs};

impl StreamNode {
    /// The stream node at the root of `plan`, if there is one.
    pub fn of(plan: &LogicalPlan) -> Option<&StreamNode> {
        match plan {
            // Through the trait object: `Arc` has no method of that name, but auto-deref would
            // find the one of a concrete type first.
            LogicalPlan::Extension(Extension { node }) => {
                node.as_ref().as_any().downcast_ref::<StreamNode>()
            }
            _ => None,
        }
    }

    /// The node as a plan.
    pub fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension {
            node: Arc::new(self),
        })
    }

    fn join_inputs(&self) -> Option<&JoinInputs> {
        match self {
            Self::StreamTableJoin(join) => Some(&join.inputs),
            Self::StreamStreamJoin(join) => Some(&join.inputs),
            Self::TableTableJoin(join) => Some(&join.inputs),
            Self::ForeignKeyJoin(join) => Some(&join.inputs),
            _ => None,
        }
    }

    fn join_inputs_mut(&mut self) -> Option<&mut JoinInputs> {
        match self {
            Self::StreamTableJoin(join) => Some(&mut join.inputs),
            Self::StreamStreamJoin(join) => Some(&mut join.inputs),
            Self::TableTableJoin(join) => Some(&mut join.inputs),
            Self::ForeignKeyJoin(join) => Some(&mut join.inputs),
            _ => None,
        }
    }

    fn single_input(&self) -> Option<&Arc<LogicalPlan>> {
        match self {
            Self::TableFilter(node) => Some(&node.input),
            Self::SelectKey(node) => Some(&node.input),
            Self::Repartition(node) => Some(&node.input),
            Self::Aggregate(node) => Some(&node.input),
            Self::FlatMap(node) => Some(&node.input),
            Self::Materialize(node) => Some(&node.input),
            Self::Sink(node) => Some(&node.input),
            Self::Output(node) => Some(&node.input),
            _ => None,
        }
    }

    fn single_input_mut(&mut self) -> Option<&mut Arc<LogicalPlan>> {
        match self {
            Self::TableFilter(node) => Some(&mut node.input),
            Self::SelectKey(node) => Some(&mut node.input),
            Self::Repartition(node) => Some(&mut node.input),
            Self::Aggregate(node) => Some(&mut node.input),
            Self::FlatMap(node) => Some(&mut node.input),
            Self::Materialize(node) => Some(&mut node.input),
            Self::Sink(node) => Some(&mut node.input),
            Self::Output(node) => Some(&mut node.input),
            _ => None,
        }
    }

    fn expressions_mut(&mut self) -> Vec<&mut Expr> {
        match self {
            Self::TableFilter(node) => vec![&mut node.predicate],
            Self::SelectKey(node) => node.keys.iter_mut().collect(),
            Self::Aggregate(node) => {
                let args = node.aggregates.iter_mut().flat_map(|a| a.args.iter_mut());
                node.group.iter_mut().chain(args).collect()
            }
            Self::FlatMap(node) => node.functions.iter_mut().collect(),
            _ => Vec::new(),
        }
    }
}

/// Two calls are one if they would compute the same column.
impl PartialEq for AggregateCall {
    fn eq(&self, other: &Self) -> bool {
        self.function.name() == other.function.name()
            && self.args == other.args
            && self.output == other.output
    }
}

impl Eq for AggregateCall {}

impl Hash for AggregateCall {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.name().hash(state);
        self.args.hash(state);
        self.output.hash(state);
    }
}

/// Plans have no order among themselves; only equality is defined.
impl PartialOrd for StreamNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for StreamNode {
    fn name(&self) -> &str {
        match self {
            Self::Source(_) => "Source",
            Self::TableFilter(_) => "TableFilter",
            Self::SelectKey(_) => "SelectKey",
            Self::Repartition(_) => "Repartition",
            Self::Aggregate(_) => "StreamAggregate",
            Self::FlatMap(_) => "FlatMap",
            Self::StreamTableJoin(_) => "StreamTableJoin",
            Self::StreamStreamJoin(_) => "StreamStreamJoin",
            Self::TableTableJoin(_) => "TableTableJoin",
            Self::ForeignKeyJoin(_) => "ForeignKeyJoin",
            Self::Materialize(_) => "Materialize",
            Self::Sink(_) => "Sink",
            Self::Output(_) => "Output",
        }
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        match (self.join_inputs(), self.single_input()) {
            (Some(join), _) => vec![&join.left, &join.right],
            (None, Some(input)) => vec![input],
            (None, None) => Vec::new(),
        }
    }

    fn schema(&self) -> &DFSchemaRef {
        match self {
            Self::Source(node) => &node.schema,
            Self::SelectKey(node) => &node.schema,
            Self::Aggregate(node) => &node.schema,
            Self::FlatMap(node) => &node.schema,
            Self::StreamTableJoin(node) => &node.inputs.schema,
            Self::StreamStreamJoin(node) => &node.inputs.schema,
            Self::TableTableJoin(node) => &node.inputs.schema,
            Self::ForeignKeyJoin(node) => &node.inputs.schema,
            Self::TableFilter(node) => node.input.schema(),
            Self::Repartition(node) => node.input.schema(),
            Self::Materialize(node) => node.input.schema(),
            Self::Sink(node) => node.input.schema(),
            Self::Output(node) => node.input.schema(),
        }
    }

    fn expressions(&self) -> Vec<Expr> {
        match self {
            Self::TableFilter(node) => vec![node.predicate.clone()],
            Self::SelectKey(node) => node.keys.clone(),
            Self::Aggregate(node) => {
                let args = node.aggregates.iter().flat_map(|a| &a.args);
                node.group.iter().chain(args).cloned().collect()
            }
            Self::FlatMap(node) => node.functions.clone(),
            _ => Vec::new(),
        }
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let mut node = self.clone();
        let slots = node.expressions_mut();
        if slots.len() != exprs.len() || self.inputs().len() != inputs.len() {
            return Err(DataFusionError::Internal(format!(
                "{} was given {} expressions and {} inputs",
                self.name(),
                exprs.len(),
                inputs.len()
            )));
        }
        for (slot, expr) in slots.into_iter().zip(exprs) {
            *slot = expr;
        }
        let mut inputs = inputs.into_iter().map(Arc::new);
        if let Some(join) = node.join_inputs_mut() {
            if let (Some(left), Some(right)) = (inputs.next(), inputs.next()) {
                join.left = left;
                join.right = right;
            }
        } else if let (Some(slot), Some(input)) = (node.single_input_mut(), inputs.next()) {
            *slot = input;
        }
        Ok(node)
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: ", self.name())?;
        match self {
            Self::Source(node) => {
                write!(f, "{} {}", kind_name(node.kind), node.name)?;
                if node.alias != node.name {
                    write!(f, " AS {}", node.alias)?;
                }
                write!(f, " topic={} [", node.topic)?;
                for (i, (column, field)) in
                    node.columns.iter().zip(node.schema.fields()).enumerate()
                {
                    let comma = if i > 0 { ", " } else { "" };
                    let key = if matches!(column, SourceColumn::Key(_)) {
                        " KEY"
                    } else {
                        ""
                    };
                    write!(f, "{comma}{}{key}", field.name())?;
                }
                f.write_str("]")?;
                write_window(f, node.window)?;
                node.store
                    .iter()
                    .try_for_each(|store| write!(f, " store={store}"))
            }
            Self::TableFilter(node) => write!(f, "{} {}", node.clause, node.predicate),
            Self::SelectKey(node) => write_list(f, &node.keys),
            Self::Repartition(node) => {
                let keys: Vec<_> = node
                    .key
                    .iter()
                    .map(|&i| column_name(&node.input, i))
                    .collect();
                write!(f, "[{}] topic={}", keys.join(", "), node.topic_suffix)?;
                write!(f, " format={}", node.key_format.format.kind)
            }
            Self::Aggregate(node) => {
                f.write_str("groupBy=")?;
                write_list(f, &node.group)?;
                f.write_str(" aggr=[")?;
                for (i, call) in node.aggregates.iter().enumerate() {
                    let comma = if i > 0 { ", " } else { "" };
                    write!(f, "{comma}{}(", call.function.name())?;
                    for (i, arg) in call.args.iter().enumerate() {
                        let comma = if i > 0 { ", " } else { "" };
                        write!(f, "{comma}{arg}")?;
                    }
                    write!(f, ") AS {}", call.output)?;
                }
                f.write_str("]")?;
                if let Some(window) = &node.window {
                    match window.shape {
                        WindowShapeMs::Time { size, advance } if size == advance => {
                            write!(f, " window=TUMBLING({size}ms")?;
                        }
                        WindowShapeMs::Time { size, advance } => {
                            write!(f, " window=HOPPING({size}ms, {advance}ms")?;
                        }
                        WindowShapeMs::Session { gap } => write!(f, " window=SESSION({gap}ms")?,
                    }
                    write!(
                        f,
                        ", grace={}ms, retention={}ms)",
                        window.grace_ms, window.retention_ms
                    )?;
                    if window.emit_final {
                        f.write_str(" emit=FINAL")?;
                    }
                }
                let undo = if node.input_is_table {
                    " undo=true"
                } else {
                    ""
                };
                write!(f, "{undo} store={}", node.store)
            }
            Self::FlatMap(node) => write_list(f, &node.functions),
            Self::StreamTableJoin(node) => write_join(f, &node.inputs),
            Self::StreamStreamJoin(node) => {
                write_join(f, &node.inputs)?;
                write!(f, " before={}ms after={}ms", node.before_ms, node.after_ms)?;
                node.grace_ms
                    .iter()
                    .try_for_each(|grace| write!(f, " grace={grace}ms"))
            }
            Self::TableTableJoin(node) => write_join(f, &node.inputs),
            Self::ForeignKeyJoin(node) => write_join(f, &node.inputs),
            Self::Materialize(node) => {
                let keys: Vec<_> = node
                    .key
                    .iter()
                    .map(|&i| column_name(&node.input, i))
                    .collect();
                write!(f, "[{}] store={}", keys.join(", "), node.store)
            }
            Self::Sink(node) => {
                write!(
                    f,
                    "{} {} topic={}",
                    kind_name(node.kind),
                    node.name,
                    node.topic
                )?;
                write!(f, " key={}", node.key_format.format.kind)?;
                write!(f, " value={}", node.value_format.format.kind)?;
                write_window(f, node.window)
            }
            Self::Output(node) => {
                let names: Vec<_> = (0..node.types.len())
                    .map(|i| column_name(&node.input, i))
                    .collect();
                write!(f, "[{}]", names.join(", "))
            }
        }
    }
}

fn kind_name(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Stream => "stream",
        SourceKind::Table => "table",
    }
}

fn write_window(f: &mut fmt::Formatter, window: Option<WindowInfo>) -> fmt::Result {
    match window {
        Some(WindowInfo {
            kind,
            size_ms: Some(size),
        }) => {
            write!(f, " window={}({size}ms)", kind.name())
        }
        Some(WindowInfo {
            kind,
            size_ms: None,
        }) => write!(f, " window={}", kind.name()),
        None => Ok(()),
    }
}

fn write_list(f: &mut fmt::Formatter, exprs: &[Expr]) -> fmt::Result {
    f.write_str("[")?;
    for (i, expr) in exprs.iter().enumerate() {
        let comma = if i > 0 { ", " } else { "" };
        write!(f, "{comma}{expr}")?;
    }
    f.write_str("]")
}

fn write_join(f: &mut fmt::Formatter, inputs: &JoinInputs) -> fmt::Result {
    let kind = match inputs.join_type {
        JoinType::Inner => "INNER",
        JoinType::Left => "LEFT",
        JoinType::Right => "RIGHT",
        JoinType::Full => "FULL",
    };
    write!(
        f,
        "{kind} {} = {}",
        column_name(&inputs.left, inputs.left_key),
        column_name(&inputs.right, inputs.right_key)
    )
}

fn column_name(plan: &LogicalPlan, index: usize) -> String {
    let schema = plan.schema();
    if index < schema.fields().len() {
        datafusion::common::Column::from(schema.qualified_field(index)).flat_name()
    } else {
        format!("#{index}")
    }
}
