//! Kafka clients: the only crate that knows librdkafka.
//!
//! ```text
//!            properties ──► ClientConfig
//!                              │
//!   topic ──► Consumer ──► FetchedBatch (one arena per partition and poll)      fetch loop
//!   EncodedBatch ──► Producer / TransactionalProducer ──► topic                 produce loop
//!   group ──► GroupMember ──► generation, carried by every transaction          fencing
//!   Admin: topics, configs, groups, offsets          LogReader: tail one topic
//! ```
//!
//! The hot paths call librdkafka's C interface: batches come from one queue and are copied into an
//! arena that is ours (the client's memory is free at once), records go out through `produceva` on
//! a topic handle. Nothing above sees a message type of the client.
//!
//! Invariant: no call blocks for longer than the deadline that its caller named. librdkafka's
//! transactional calls do not keep theirs, so they run on a thread of their own, and a producer
//! that is late is given up.

pub mod admin;
pub mod config;
pub mod consumer;
pub mod error;
mod groups;
pub mod member;
#[cfg(test)]
mod mock_tests;
mod offsets;
pub mod producer;
mod raw;
pub mod reader;
mod time_zero;
pub mod transaction;

pub use admin::{Admin, NewTopic, PartitionInfo, TopicDescription};
pub use config::{ClientConfig, Role};
pub use consumer::{Consumer, FetchId, Fetched, Polled, Waker};
pub use error::{ErrorKind, KafkaError, Result};
pub use member::{GroupMember, MemberEvent};
pub use offsets::{GroupOffset, OffsetAt, TopicPartition};
pub use producer::{Producer, TopicHandle};
pub use raw::GroupMetadata;
pub use reader::LogReader;
pub use transaction::{GroupOffsets, TransactionalProducer};
