//! Streaming SQL for Kafka in one binary.
fn main() {}
