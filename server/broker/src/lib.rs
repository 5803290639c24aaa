//! The embedded broker: a durable single-node Kafka behind the Kafka protocol.
