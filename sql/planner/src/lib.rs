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

pub mod catalog;
pub mod ddl;
pub mod stream;
