//! What tests share: starting Apache Kafka and the server, talking to both, waiting on conditions.
//!
//! ```text
//!   ApacheKafka ──► bootstrap ──► Topics (rdkafka: make, write, read committed)
//!                      ▲
//!   WeirServer ────────┘ (its embedded broker, or the cluster it was given)
//!       └── Http: statements, rows, rows as they come
//! ```
//!
//! Invariant: whatever is started here listens on loopback, writes only into a folder of its own,
//! and is ended by its pid when it is dropped.
//!
//! A step that fails ends the test with a message that says which it was: there is nobody to hand
//! an error to.

#![allow(clippy::expect_used, clippy::panic)]

mod apache_kafka;
mod http;
mod ports;
mod process;
mod server;
mod topics;
mod wait;

pub use apache_kafka::ApacheKafka;
pub use http::{Http, Lines, Response};
pub use ports::free_port;
pub use process::Usage;
pub use server::WeirServer;
pub use topics::{Record, Topics, block_on};
pub use wait::{Looks, look_for, pause, settle, wait_for, wait_until};
