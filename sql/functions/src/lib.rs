//! The function registry: scalar, table and aggregate functions on Arrow columns.
