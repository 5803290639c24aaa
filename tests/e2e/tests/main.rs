//! End-to-end and crash tests: the real server, as a process, on its embedded broker and on
//! Apache Kafka. `make e2e` builds what they start and fetches Apache Kafka.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod crash;
mod first_session;
mod guarantee;
mod one_server;
mod processing_log;
mod pull_queries;
mod push_queries;
mod restart;
