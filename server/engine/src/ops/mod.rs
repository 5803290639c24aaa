//! The operators of a task, one file each.
//!
//! ```text
//!  inputs ─► node 0 ─► node 1 ─┐
//!  inputs ─► node 2 ───────────┴─► node 3 ─► root (sink, frames, rows)
//! ```
//!
//! A task runs its nodes once a step, children first; each takes the batches of its children and
//! gives its own. Roots give nothing and write to [`Context::out`].
//!
//! Invariant (record cache off): the output of an operator depends on the order of its input rows
//! (`seq` across its inputs), never on how they are cut into steps.

pub(crate) mod aggregate;
pub(crate) mod filter;
pub(crate) mod fk_left;
pub(crate) mod fk_right;
pub(crate) mod flat_map;
pub(crate) mod group_by;
pub(crate) mod groups;
pub(crate) mod held;
pub(crate) mod join_buffer;
pub(crate) mod join_pending;
pub(crate) mod join_spec;
pub(crate) mod lookup;
pub(crate) mod materialize;
pub(crate) mod output;
pub(crate) mod project;
pub(crate) mod repartition;
pub(crate) mod select_key;
pub(crate) mod session;
pub(crate) mod sink;
pub(crate) mod stream_stream;
pub(crate) mod stream_table;
pub(crate) mod table_filter;
pub(crate) mod table_source;
pub(crate) mod table_store;
pub(crate) mod table_table;
pub(crate) mod window_close;

use weir_state::KvStore;

use crate::batch::Batch;
use crate::{Emitted, EngineError, TaskOptions};

/// What an operator may touch while it runs.
pub(crate) struct Context<'a> {
    /// The stores of the task.
    pub(crate) stores: &'a mut [Box<dyn KvStore>],
    /// What the task hands out.
    pub(crate) out: &'a mut Emitted,
    /// Options of the task.
    pub(crate) options: &'a TaskOptions,
    /// Wall clock as the caller read it, ms.
    pub(crate) now_ms: i64,
    /// Greatest timestamp that the task has taken, row by row of the step; the first row has
    /// `seq` [`first_seq`](Self::first_seq).
    pub(crate) task_times: &'a [i64],
    /// See [`task_times`](Self::task_times).
    pub(crate) first_seq: u64,
    /// Greatest timestamp that the task has taken.
    pub(crate) task_time: i64,
    /// The next `seq`, for rows that come out of flushes.
    pub(crate) next_seq: &'a mut u64,
}

impl Context<'_> {
    /// Whether every update must be emitted.
    pub(crate) fn cache_off(&self) -> bool {
        self.options.cache_bytes == 0
    }

    /// A `seq` after all that were given before.
    pub(crate) fn take_seq(&mut self) -> u64 {
        *self.next_seq += 1;
        *self.next_seq - 1
    }

    /// Greatest timestamp that the task had taken once it took the row of that `seq`.
    pub(crate) fn time_at(&self, seq: u64) -> i64 {
        let index = seq
            .checked_sub(self.first_seq)
            .and_then(|index| usize::try_from(index).ok());
        index
            .and_then(|index| self.task_times.get(index))
            .copied()
            .unwrap_or(self.task_time)
    }

    /// The store of that index.
    pub(crate) fn store(&mut self, index: usize) -> Result<&mut dyn KvStore, EngineError> {
        match self.stores.get_mut(index) {
            Some(store) => Ok(store.as_mut()),
            None => Err(EngineError::Internal(format!("task has no store {index}"))),
        }
    }
}

/// One node of a task.
pub(crate) trait Operator: Send {
    /// Takes the batches of its children (any of them may be empty, not all) and gives its own.
    fn process(&mut self, inputs: Vec<Batch>, ctx: &mut Context<'_>) -> Result<Batch, EngineError>;

    /// Ends an epoch: gives what was held back and writes what only memory knows to the stores.
    fn flush(&mut self, _ctx: &mut Context<'_>) -> Result<Batch, EngineError> {
        Ok(Batch::default())
    }

    /// Brings the stores up to what memory knows, and emits nothing.
    fn publish(&mut self, _ctx: &mut Context<'_>) -> Result<(), EngineError> {
        Ok(())
    }

    /// Bytes of dirty rows held back; the task flushes early above its limit.
    fn held_bytes(&self) -> usize {
        0
    }

    /// The stores were changed from outside: forget what memory holds.
    fn stores_changed(&mut self) {}

    /// What must survive a restart besides the stores; empty if nothing. Without `;` and `,`, which
    /// the task's text has for itself.
    fn save(&self) -> String {
        String::new()
    }

    /// Takes back what [`Self::save`] gave.
    fn restore(&mut self, _saved: &str) {}
}

/// Makes an operator, with no rows behind it, for the task of a partition; shared by all tasks of
/// a sub-topology.
pub(crate) type OperatorSpec =
    Box<dyn Fn(u32) -> Result<Box<dyn Operator>, EngineError> + Send + Sync>;

/// Text of numbers for [`Operator::save`].
pub(crate) fn save_numbers(numbers: &[Option<i64>]) -> String {
    let texts: Vec<String> = numbers
        .iter()
        .map(|number| number.map(|n| n.to_string()).unwrap_or_default())
        .collect();
    texts.join(":")
}

/// What [`save_numbers`] was given; `None` for what is missing.
pub(crate) fn saved_numbers(text: &str) -> impl Iterator<Item = Option<i64>> {
    let numbers = text.split(':').map(|number| number.parse().ok());
    numbers.chain(std::iter::repeat(None))
}

/// The only input of an operator that has one.
pub(crate) fn only(inputs: Vec<Batch>) -> Batch {
    inputs.into_iter().next().unwrap_or_default()
}
