//! Analysis and type rules: from a syntax tree to a DataFusion logical plan with stream nodes.
//!
//! ```text
//!  ast::Statement ──ddl──► SourceInfo (CREATE, WITH properties, sinks)
//!  ast::Query ──analysis──► names, types, keys ──build──► LogicalPlan
//!       │                                                 native:    Projection, Filter (streams)
//!       └── trait Catalog (sources, types, topics)        extension: stream::* nodes
//! ```
//!
//! Invariant: planning is pure. The same statement over the same catalog gives the same plan, and
//! nothing outside is touched: topics, schemas and queries are made by the catalog crate after
//! the whole request was planned.

mod analysis;
mod build;
pub mod catalog;
pub mod ddl;
mod expr;
pub mod near;
mod printed;
pub mod pull;
pub mod stream;
pub mod values;

pub use analysis::canonical_query;
pub use build::{QueryContext, attach_sink, check_upgrade, plan_query, plan_source_table};

#[cfg(test)]
mod tests;
