//! Workers, epochs and the commit protocol: tasks run against Kafka, exactly once.

pub mod failure;
pub mod fetch;
pub mod layout;
pub mod names;
pub mod positions;
