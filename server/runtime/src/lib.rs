//! Workers, epochs and the commit protocol: tasks run against Kafka, exactly once.
