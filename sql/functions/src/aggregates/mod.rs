//! The aggregate functions (spec/sql.md §7.2).
//!
//! ```text
//!  table::FUNCTIONS ─build─► Definition (Arc<dyn Aggregate>) ─states()─► one GroupStates per task
//!                                                                         │ one slot per group
//!    count, sum, extremum      typed buffers: Vec<i64>, Vec<f64>, …       │
//!    offset, collect, topk,    a small collection of `Value`s per slot    │
//!    spread, statistics        sums per slot                              │
//!    distinct                  HyperLogLog registers per slot             ▼
//!                                                        state columns, result column
//! ```
//!
//! Invariant: `load` of what `save` gave restores a slot exactly, and rows are applied in order,
//! so neither the size of batches nor eviction of groups changes a result.

mod build;
mod collect;
mod count;
mod decimal_sum;
mod distinct;
mod extremum;
mod hyperloglog;
mod offset;
#[cfg(test)]
mod properties;
mod slots;
mod spread;
mod statistics;
mod sum;
mod table;
mod topk;

#[cfg(test)]
mod tests;

use std::fmt;

use weir_types::SqlType;

use crate::aggregate::{Aggregate, GroupStates};

pub(crate) use table::FUNCTIONS;

/// An aggregate chosen for given types: what each family's builder makes.
struct Definition {
    name: String,
    arg_types: Vec<SqlType>,
    return_type: SqlType,
    state_types: Vec<SqlType>,
    supports_undo: bool,
    state_is_result: bool,
    composite: Option<bool>,
    states: Box<dyn Fn() -> Box<dyn GroupStates> + Send + Sync>,
}

impl Definition {
    /// An aggregate without undo whose states `states` makes.
    fn new<S: GroupStates + 'static>(
        name: &str,
        arg_types: Vec<SqlType>,
        return_type: SqlType,
        state_types: Vec<SqlType>,
        states: impl Fn() -> S + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.to_owned(),
            arg_types,
            return_type,
            state_types,
            supports_undo: false,
            state_is_result: false,
            composite: None,
            states: Box::new(move || Box::new(states())),
        }
    }

    /// The same, able to take rows back.
    fn with_undo(mut self) -> Self {
        self.supports_undo = true;
        self
    }

    /// The same, whose state is one column that is the result itself.
    fn with_result_as_state(mut self) -> Self {
        self.state_is_result = true;
        self
    }

    /// The same, where ksqlDB's intermediate value is nested though ours is not.
    fn composite(mut self) -> Self {
        self.composite = Some(true);
        self
    }
}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{:?} -> {}",
            self.name, self.arg_types, self.return_type
        )
    }
}

impl Aggregate for Definition {
    fn name(&self) -> &str {
        &self.name
    }

    fn arg_types(&self) -> &[SqlType] {
        &self.arg_types
    }

    fn return_type(&self) -> SqlType {
        self.return_type.clone()
    }

    fn state_types(&self) -> Vec<SqlType> {
        self.state_types.clone()
    }

    fn state_is_result(&self) -> bool {
        self.state_is_result
    }

    fn supports_undo(&self) -> bool {
        self.supports_undo
    }

    fn has_composite_state(&self) -> bool {
        self.composite.unwrap_or_else(|| {
            self.state_types.len() != 1
                || self.state_types.iter().any(|column| {
                    matches!(
                        column,
                        SqlType::Array(_) | SqlType::Map(..) | SqlType::Struct(_)
                    )
                })
        })
    }

    fn states(&self) -> Box<dyn GroupStates> {
        (self.states)()
    }
}
