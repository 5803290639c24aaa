//! Push operators over column batches: tasks, steps and interleaving. No I/O, no clock, no async.
//!
//! ```text
//!  QueryPlan ──compile──► Topology { sub-topologies cut at Repartition nodes }
//!                              │ new_task(partition, stores)
//!                              ▼
//!  FetchedBatch ──offer──► Task ──step──► Emitted { sink, repartition, changelog, rows, log }
//! ```
//!
//! Invariants: a step is one bounded batch and an epoch many steps; the result of a batch is the
//! result of its rows one at a time (record cache off); one bad row never fails a batch.

pub mod api;
mod batch;
pub mod compile;
mod compile_ends;
mod compile_joins;
mod compile_view;
mod describe;
mod expr;
mod frames;
mod input;
pub mod materialized;
mod memory;
mod ops;
mod plan_info;
mod point;
mod source;
mod task;
mod timestamps;

#[cfg(test)]
mod tests;

pub use api::*;
pub use compile::compile;
pub use materialized::{Access, KeyAccess, MaterializedView};
pub use memory::MemoryBudget;
pub use weir_state::codec::Scalar;
