//! The joins.

use std::sync::Arc;

use datafusion::common::DFSchemaRef;
use datafusion::logical_expr::LogicalPlan;

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
    /// Indices of WINDOWSTART and WINDOWEND in the left and in the right schema, where keys are
    /// windowed: rows then match on key and window start.
    pub windows: Option<[[usize; 2]; 2]>,
    /// Kind.
    pub join_type: JoinType,
    /// Whether the output begins with a synthetic key column (ROWKEY, ROWKEY_1, …), which holds
    /// the join key of whichever side is there.
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
