//! Kafka clients: the only crate that knows rdkafka.
