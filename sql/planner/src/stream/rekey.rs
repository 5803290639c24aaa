//! Nodes that change rows or keys one by one: table filter, new key, repartition, table functions,
//! materialisation.

use std::sync::Arc;

use datafusion::common::DFSchemaRef;
use datafusion::logical_expr::{Expr, LogicalPlan};
use weir_types::ValueFormat;

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

/// Keeps a table's latest rows, where nothing before it does: for pull queries the result of a
/// join (`Project-Last`), for a join a table that went through a topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Materialize {
    /// Input: a table.
    pub input: Arc<LogicalPlan>,
    /// Indices of its key columns.
    pub key: Vec<usize>,
    /// Name of the store.
    pub store: String,
}
