//! Where rows go: a topic, or a client.

use std::sync::Arc;

use datafusion::logical_expr::LogicalPlan;
use weir_parser::ast::SourceKind;
use weir_types::{Schema, SqlType, ValueFormat, WindowInfo};

use crate::catalog::TimestampColumn;

/// Writes the result to a topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sink {
    /// Input; its columns are the sink's, keys first, then values.
    pub input: Arc<LogicalPlan>,
    /// Name of the sink.
    pub name: String,
    /// Topic.
    pub topic: String,
    /// Stream or table.
    pub kind: SourceKind,
    /// The sink's columns.
    pub declared: Schema,
    /// Key format.
    pub key_format: ValueFormat,
    /// Value format.
    pub value_format: ValueFormat,
    /// Window in the key: the input then has WINDOWSTART and WINDOWEND as its last two columns.
    pub window: Option<WindowInfo>,
    /// Timestamp column of the result.
    pub timestamp: Option<TimestampColumn>,
}

/// Hands rows to a client (push query). The columns are those of the SELECT, in its order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Output {
    /// Input.
    pub input: Arc<LogicalPlan>,
    /// Which output columns belong to the key, window bounds included (filled in tombstones).
    pub key: Vec<usize>,
    /// Types of the columns.
    pub types: Vec<SqlType>,
}
