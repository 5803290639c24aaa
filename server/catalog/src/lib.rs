//! Metastore, command log, statement execution and the life of queries.
