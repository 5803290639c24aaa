//! Workers, epochs and the commit protocol: tasks run against Kafka, exactly once.
//!
//! ```text
//!              start, stop, pause, push, read_store
//!                         │
//!   membership ──slots──► supervisor ──tasks──► worker 0 … n   one consumer, one transactional
//!                         ▲    prepare               │         producer, many tasks of many queries
//!                         └──── failed, reset ◄──────┘
//! ```
//!
//! What is decided without Kafka is decided in modules of pure functions: [`fetch`] (who reads
//! what from where), [`layout`] (tasks, internal topics), [`positions`] (what a commit keeps),
//! [`failure`] (when to try again).
//!
//! Invariants: the effects of a record, its offset and the state it made become visible together;
//! a server that lost its slots cannot commit; resources grow with workers, not with queries.

pub mod config;
pub mod failure;
pub mod fetch;
mod latch;
pub mod layout;
mod membership;
pub mod names;
pub mod positions;
mod prepare;
pub mod push;
pub mod query;
pub mod runtime;
mod supervisor;
pub mod traffic;
mod worker;

pub use config::{Guarantee, OffsetReset, QueryOptions, QuerySpec, RuntimeConfig};
pub use failure::{ErrorClass, QueryError};
pub use push::{PushEvent, PushHandle};
pub use query::{QueryState, QueryStatus};
pub use runtime::{Runtime, RuntimeError};
pub use traffic::{Flow, TopicTraffic};
