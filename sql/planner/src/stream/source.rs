//! Where records come in: a topic read as a stream or a table.

use datafusion::common::DFSchemaRef;
use weir_parser::ast::SourceKind;
use weir_types::{Schema, ValueFormat, WindowInfo};

use crate::catalog::TimestampColumn;

/// What a column of [`Source`] holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SourceColumn {
    /// Key column: index among the key columns of the source's schema.
    Key(usize),
    /// Value column: index among the value columns of the source's schema.
    Value(usize),
    /// All headers.
    Headers,
    /// The last header of this name.
    Header(String),
    /// The record's timestamp after extraction: BIGINT.
    RowTime,
    /// Partition of the record: INTEGER.
    RowPartition,
    /// Offset of the record: BIGINT.
    RowOffset,
    /// Start of the key's window: BIGINT.
    WindowStart,
    /// End of the key's window: BIGINT.
    WindowEnd,
}

/// Reads a topic (spec/semantics.md §1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Source {
    /// Name of the stream or table.
    pub name: String,
    /// Alias in the query (the name if none was given); qualifier of the output columns.
    pub alias: String,
    /// Stream or table.
    pub kind: SourceKind,
    /// Topic.
    pub topic: String,
    /// The source's whole schema.
    pub declared: Schema,
    /// Key format.
    pub key_format: ValueFormat,
    /// Value format.
    pub value_format: ValueFormat,
    /// Window in the key.
    pub window: Option<WindowInfo>,
    /// Timestamp column.
    pub timestamp: Option<TimestampColumn>,
    /// What each output column holds; pruned to what the plan reads, and always with all key
    /// columns of a table.
    pub columns: Vec<SourceColumn>,
    /// Table only: name of its store (`KsqlTopic-Reduce`, `KafkaTopic_Left-Reduce`, …); `None`
    /// where old values need not be known.
    pub store: Option<String>,
    /// Output columns.
    pub schema: DFSchemaRef,
}
