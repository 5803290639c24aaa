//! The function registry: scalar, table and aggregate functions on Arrow columns, and the
//! operators of the language.
//!
//! ```text
//!  planner ──name, ArgType…──► registry::resolve_* ──► ScalarCall { udf, arg_types, return_type }
//!  planner ──types───────────► operators::*        ──► ScalarCall
//!  engine  ──DataFusion Expr─► compile::physical   ──► PhysicalExpr (lazy AND, OR, CASE; lambdas)
//!  engine  ──AggregateCall───► aggregate::GroupStates   one state for each group, in columns
//! ```
//!
//! Invariant: a kernel never fails a batch for one row; the row becomes null and
//! [`weir_types::row_errors::report`] is told why. Arrays are of exactly the Arrow type that
//! [`weir_types::SqlType::to_arrow`] names.

pub mod aggregate;
mod aggregates;
pub mod api;
pub mod compile;
pub mod convert;
pub mod datetime;
pub mod java_map;
pub mod kernel;
pub mod lambda;
pub mod operators;
pub mod registry;
mod scalar;
pub mod value;

pub use api::*;
