//! The plan of a query, and the extension nodes that streams need.
//!
//! ```text
//!  Source ─► Filter / TableFilter ─► Repartition ─► Aggregate ─► TableFilter ─► Projection ─► Sink
//!     └────► StreamTableJoin ◄─ Source (table)
//! ```
//!
//! Every node's output is an ordinary DataFusion schema. A row has more than its columns: a
//! timestamp, headers, a sequence number, whether its value is null, for tables the row before
//! the change; these travel beside the columns (engine `Batch`) and no node names them. ROWTIME,
//! ROWPARTITION, ROWOFFSET, WINDOWSTART, WINDOWEND and header columns are ordinary columns of
//! [`Source`] where something reads them.
//!
//! Native DataFusion nodes: `Projection` (streams and tables alike) and `Filter` (streams only).
//! Everything else is a [`StreamNode`] in a `LogicalPlan::Extension`.

use datafusion::common::DFSchemaRef;
use datafusion::logical_expr::{Expr, LogicalPlan};
use std::sync::Arc;
use weir_functions::aggregate::Aggregate as AggregateFunction;
use weir_parser::ast::SourceKind;
use weir_types::{Schema, SqlType, ValueFormat, WindowInfo};

use crate::catalog::TimestampColumn;

/// A planned query.
#[derive(Debug, Clone)]
pub struct QueryPlan {
    /// The root: [`StreamNode::Sink`] of a persistent query, [`StreamNode::Output`] of a push one.
    pub root: LogicalPlan,
    /// Columns of the result: keys first.
    pub schema: Schema,
    /// Stream or table.
    pub kind: SourceKind,
    /// Window in the result's key.
    pub window: Option<WindowInfo>,
    /// Names of the sources read, left to right, each once.
    pub sources: Vec<String>,
    /// LIMIT of a push query.
    pub limit: Option<i64>,
}

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

/// A filter over a table: a row that leaves the filter becomes a tombstone
/// (spec/semantics.md §3.2). WHERE on tables, HAVING.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableFilter {
    /// Input.
    pub input: Arc<LogicalPlan>,
    /// Boolean.
    pub predicate: Expr,
    /// HAVING or WHERE, for the processing log.
    pub clause: &'static str,
}

/// Gives records a new key (PARTITION BY; a join on another column). A record whose key
/// expression is null or fails keeps on with a null key part (spec/semantics.md §3.3). No topic
/// by itself: see [`Repartition`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SelectKey {
    /// Input.
    pub input: Arc<LogicalPlan>,
    /// The new key's expressions; empty for PARTITION BY NULL.
    pub keys: Vec<Expr>,
    /// Output: the new key columns, then the input's columns (old keys have become values).
    pub schema: DFSchemaRef,
}

/// Sends records through an internal topic so that equal keys meet in one partition
/// (spec/semantics.md §2.3). The engine cuts the plan here. A single-column key that is null
/// becomes a null record key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Repartition {
    /// Input; for tables its changes carry old rows.
    pub input: Arc<LogicalPlan>,
    /// Indices of the key columns in the input's schema.
    pub key: Vec<usize>,
    /// Suffix of the topic's name after the application id (`Aggregate-GroupBy-repartition`).
    pub topic_suffix: String,
    /// Format in which keys are written for partitioning (equal keys of both sides of a join
    /// must give equal bytes).
    pub key_format: ValueFormat,
}

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
#[derive(Debug, Clone)]
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
    /// Columns that non-aggregate expressions behind need are group columns only.
    pub aggregates: Vec<AggregateCall>,
    /// WINDOW.
    pub window: Option<WindowSpec>,
    /// Name of the store (`Aggregate-Aggregate-Materialize`).
    pub store: String,
    /// Output: group columns, WINDOWSTART and WINDOWEND if windowed, one column per aggregate.
    pub schema: DFSchemaRef,
}

/// Table functions in SELECT (spec/semantics.md §3.4): one row in, many out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FlatMap {
    /// Input.
    pub input: Arc<LogicalPlan>,
    /// Each gives a list for each row; shorter ones are padded with null.
    pub functions: Vec<Expr>,
    /// Output: the input's columns, then one column per function.
    pub schema: DFSchemaRef,
}

/// Kind of a join as run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JoinType {
    /// Both sides must be there.
    Inner,
    /// Left rows always.
    Left,
    /// Right rows always.
    Right,
    /// All rows.
    Full,
}

/// What joins of all kinds share. Output schema: left columns, right columns; then, where
/// [`Self::synthetic_key`], the key columns come first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JoinInputs {
    /// Left input.
    pub left: Arc<LogicalPlan>,
    /// Right input.
    pub right: Arc<LogicalPlan>,
    /// Index of the join column in the left schema (FK join: of the foreign key column).
    pub left_key: usize,
    /// Index of the join column in the right schema.
    pub right_key: usize,
    /// Kind.
    pub join_type: JoinType,
    /// Whether the output begins with a column ROWKEY holding the join key of whichever side is
    /// there.
    pub synthetic_key: bool,
    /// Output columns.
    pub schema: DFSchemaRef,
}

/// Stream and table (spec/semantics.md §8.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamTableJoin {
    /// Inputs; the right one is a table with a store.
    pub inputs: JoinInputs,
}

/// Stream and stream (spec/semantics.md §7).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamStreamJoin {
    /// Inputs.
    pub inputs: JoinInputs,
    /// How much earlier a right record may be, ms.
    pub before_ms: i64,
    /// How much later, ms.
    pub after_ms: i64,
    /// GRACE as given; `None`: eager non-matches.
    pub grace_ms: Option<i64>,
    /// Names of the left, the right and the pending store.
    pub stores: [String; 3],
}

/// Table and table on their keys (spec/semantics.md §8.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableTableJoin {
    /// Inputs, both tables that can be looked up by key.
    pub inputs: JoinInputs,
}

/// Table and table, a column of the left one holding the key of the right one
/// (spec/semantics.md §8.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ForeignKeyJoin {
    /// Inputs.
    pub inputs: JoinInputs,
    /// Indices of the left table's key columns.
    pub left_primary_key: Vec<usize>,
    /// Suffixes of the subscription and the response topic.
    pub topic_suffixes: [String; 2],
    /// Names of the subscription store and of the left materialisation.
    pub stores: [String; 2],
}

/// Keeps a table's latest rows for pull queries, where nothing before it does
/// (`Project-Last`, and a plain `SELECT … FROM table`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Materialize {
    /// Input: a table.
    pub input: Arc<LogicalPlan>,
    /// Indices of its key columns.
    pub key: Vec<usize>,
    /// Name of the store.
    pub store: String,
}

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
    /// Which output columns belong to the key (filled in tombstones).
    pub key: Vec<usize>,
    /// Types of the columns.
    pub types: Vec<SqlType>,
}

/// All extension nodes.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)]
pub enum StreamNode {
    /// See [`Source`].
    Source(Source),
    /// See [`TableFilter`].
    TableFilter(TableFilter),
    /// See [`SelectKey`].
    SelectKey(SelectKey),
    /// See [`Repartition`].
    Repartition(Repartition),
    /// See [`Aggregate`].
    Aggregate(Aggregate),
    /// See [`FlatMap`].
    FlatMap(FlatMap),
    /// See [`StreamTableJoin`].
    StreamTableJoin(StreamTableJoin),
    /// See [`StreamStreamJoin`].
    StreamStreamJoin(StreamStreamJoin),
    /// See [`TableTableJoin`].
    TableTableJoin(TableTableJoin),
    /// See [`ForeignKeyJoin`].
    ForeignKeyJoin(ForeignKeyJoin),
    /// See [`Materialize`].
    Materialize(Materialize),
    /// See [`Sink`].
    Sink(Sink),
    /// See [`Output`].
    Output(Output),
}
