//! Statements that answer from what is there.

pub mod listing;
mod statistics;
