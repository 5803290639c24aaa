//! What tests share: starting Apache Kafka and the server, waiting on conditions.
