//! End-to-end and crash tests: the real server on the embedded broker and on Apache Kafka.
