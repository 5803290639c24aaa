//! GROUP BY with its windows.

use std::sync::Arc;

use datafusion::common::DFSchemaRef;
use datafusion::logical_expr::{Expr, LogicalPlan};
use weir_functions::aggregate::Aggregate as AggregateFunction;

/// One aggregate of an [`Aggregate`] node.
#[derive(Debug, Clone)]
pub struct AggregateCall {
    /// The function.
    pub function: Arc<dyn AggregateFunction>,
    /// Its arguments over the input, already cast.
    pub args: Vec<Expr>,
    /// Name of the output column.
    pub output: String,
}

/// Windows of an [`Aggregate`], in milliseconds (spec/semantics.md §5).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WindowSpec {
    /// Shape.
    pub shape: WindowShapeMs,
    /// Grace after the end of a window.
    pub grace_ms: i64,
    /// How long a window stays in the store.
    pub retention_ms: i64,
    /// EMIT FINAL: one row for each window once it has closed.
    pub emit_final: bool,
}

/// Shape of windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WindowShapeMs {
    /// Tumbling: `advance == size`.
    Time {
        /// Length.
        size: i64,
        /// Distance of starts.
        advance: i64,
    },
    /// Sessions.
    Session {
        /// Gap of inactivity.
        gap: i64,
    },
}

/// GROUP BY (spec/semantics.md §4, §5). A table; its key is the group (and the window).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Aggregate {
    /// Input: a stream, or a table whose changes carry old rows.
    pub input: Arc<LogicalPlan>,
    /// Whether the input is a table (undo, then add).
    pub input_is_table: bool,
    /// Group expressions; empty for an aggregate without GROUP BY in a push query.
    pub group: Vec<Expr>,
    /// Whether rows come here already keyed by the group (no topic in between): false means the
    /// input is a [`Repartition`] by the group.
    pub keyed: bool,
    /// What is computed for each group; expressions behind read these and group columns only.
    pub aggregates: Vec<AggregateCall>,
    /// WINDOW.
    pub window: Option<WindowSpec>,
    /// Name of the store (`Aggregate-Aggregate-Materialize`).
    pub store: String,
    /// Output: group columns, WINDOWSTART and WINDOWEND if windowed, one column per aggregate.
    pub schema: DFSchemaRef,
}
