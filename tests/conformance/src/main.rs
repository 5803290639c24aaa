//! The conformance runner: recorded cases, without Kafka.
fn main() {}
