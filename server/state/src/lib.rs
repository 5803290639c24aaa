//! State stores: where operators keep what they must remember, in memory and in RocksDB.
//!
//! ```text
//!  operator ──get/put/range──► TaskStore ── uncommitted overlay ──► RocksDB column family of the task
//!                                 │
//!                                 └── changelog: what the epoch wrote, last value per key
//!  commit: Kafka transaction first, then one write batch { data, offsets }   (DESIGN §3)
//! ```
//!
//! Invariant: a key-value pair is in RocksDB only together with the source and changelog offsets
//! that it corresponds to; a crash before the commit leaves the database as it was.

pub mod codec;
mod memory;
pub mod rocks;
pub mod store;

pub use memory::MemoryStore;
pub use rocks::{Budget, Database, Positions, RocksStore, TaskId, TaskState};
pub use store::{KvStore, Result, StateError};
