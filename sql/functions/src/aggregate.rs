//! What an aggregate function is to the engine.
//!
//! ```text
//!            load(slots, columns of state)          save(slots) → columns of state
//!  store ───────────────────────────────►  GroupStates  ───────────────────────────► store
//!                     update(slots, args)  │  one slot per (group, window)
//!                                          ▼
//!                               results(slots) → column
//! ```
//!
//! Invariant: feeding rows one by one or many at once gives the same states; rows of one call are
//! applied in order, also when several go to the same slot.

use std::fmt::Debug;

use arrow::array::ArrayRef;
use weir_types::SqlType;

/// An aggregate function chosen for given argument types (spec/sql.md §7.2).
pub trait Aggregate: Debug + Send + Sync {
    /// Name and arguments as EXPLAIN shows them.
    fn name(&self) -> &str;

    /// The types that the (non-constant) arguments must be cast to.
    fn arg_types(&self) -> &[SqlType];

    /// Type of the result.
    fn return_type(&self) -> SqlType;

    /// Types of the columns that hold the state of one group, as the store keeps them.
    fn state_types(&self) -> Vec<SqlType>;

    /// Whether the state is one column that is the result itself.
    fn state_is_result(&self) -> bool {
        false
    }

    /// Whether rows can be taken back (aggregation of a table).
    fn supports_undo(&self) -> bool;

    /// Whether ksqlDB's intermediate value is an ARRAY, MAP or STRUCT, which a value format without
    /// nested types cannot hold: such a statement is refused.
    fn has_composite_state(&self) -> bool {
        let state = self.state_types();
        state.len() != 1
            || state.iter().any(|column| {
                matches!(
                    column,
                    SqlType::Array(_) | SqlType::Map(..) | SqlType::Struct(_)
                )
            })
    }

    /// States of no group yet.
    fn states(&self) -> Box<dyn GroupStates>;
}

/// States of many groups, each in a slot. Columns given and returned are of the exact Arrow types
/// of [`SqlType::to_arrow`].
pub trait GroupStates: Send {
    /// Makes slots `0..len` exist; new ones hold the initial state.
    fn resize(&mut self, len: usize);

    /// Puts `slot` back to the initial state.
    fn reset(&mut self, slot: usize);

    /// Sets slot `slots[i]` to row `i` of the state columns.
    fn load(&mut self, slots: &[u32], state: &[ArrayRef]);

    /// The states of these slots as columns, one row per slot given.
    fn save(&self, slots: &[u32]) -> Vec<ArrayRef>;

    /// Adds row `i` of the arguments to slot `slots[i]`, in order. `rows[i]` says which row of
    /// `args` the i-th application takes.
    fn update(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]);

    /// Takes row `rows[i]` of the arguments back from slot `slots[i]`. Only called when
    /// [`Aggregate::supports_undo`].
    fn undo(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]);

    /// Folds the state of `from` into `into` (merging sessions); `into` is the earlier session.
    fn merge(&mut self, into: usize, from: usize);

    /// The results of these slots, one row per slot given.
    fn results(&self, slots: &[u32]) -> ArrayRef;

    /// Why the query must stop (a SUM of DECIMAL outgrew its type), once an earlier `update`,
    /// `undo` or `merge` met it. States are of no use from then on.
    fn failure(&self) -> Option<String> {
        None
    }

    /// Bytes held, roughly; for the memory budget.
    fn memory(&self) -> usize;
}
