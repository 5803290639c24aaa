//! Analysis of the statements that define things: sources, sinks, types, inserted rows.
//!
//! ```text
//!  CREATE ───────► with ──► create ──► CreateSourcePlan { SourceInfo, topic to create }
//!  CREATE … AS ──► with ──► sink ────► SinkTopic, then (with the query's result) SourceInfo
//!  INSERT VALUES ─────────► insert_values ──► which column each value goes to
//!  ALTER, DROP, TYPE ─────► alter, drop, types
//!                              │
//!                          trait Catalog
//! ```
//!
//! Invariant: nothing is changed here. Each function says what would have to be made or changed,
//! or why the statement is refused; the catalog crate carries it out, in order.

mod alter;
mod connector;
mod create;
mod drop;
mod existing;
mod inference;
mod insert_values;
mod memory;
mod properties;
mod replace;
mod sink;
mod topic;
mod types;
mod with;

use weir_parser::ast::SourceKind;

use crate::catalog::Catalog;

pub use alter::alter_source;
pub use connector::check_connector;
pub use create::{CreateSourcePlan, create_source};
pub use drop::{DropPlan, drop_source};
pub use inference::{Inference, SubjectSchema, inference};
pub use insert_values::{InsertTarget, InsertValuesPlan, insert_values};
pub use memory::MemoryCatalog;
pub use properties::{WITH_PROPERTIES, WithProperty, WithScope};
pub use replace::check_replacement;
pub use sink::{QueryResult, SinkTopic, sink_source, sink_topic};
pub(crate) use topic::is_read_only_topic;
pub use types::{create_type, drop_type, resolve_type};
pub use with::{check_insert_properties, query_id};

/// What a statement with IF [NOT] EXISTS comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome<T> {
    /// To be carried out.
    Do(T),
    /// Nothing to do: the text of the warning.
    Nothing(String),
}

/// A topic to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Name.
    pub name: String,
    /// Partitions, at least 1.
    pub partitions: u32,
    /// Replicas; `None` leaves them to the broker.
    pub replicas: Option<u16>,
    /// `cleanup.policy` and the like.
    pub configs: Vec<(String, String)>,
}

/// The lower-case word for a kind of source.
fn kind_word(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Stream => "stream",
        SourceKind::Table => "table",
    }
}

/// A boolean configuration value, with its default.
fn flag(catalog: &dyn Catalog, name: &str, default: bool) -> bool {
    catalog
        .config(name)
        .map_or(default, |value| value.trim().eq_ignore_ascii_case("true"))
}
