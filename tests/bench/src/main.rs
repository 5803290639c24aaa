//! Benchmarks: the same queries in Weir and in Kafka Streams on one broker, in one run.
fn main() {}
