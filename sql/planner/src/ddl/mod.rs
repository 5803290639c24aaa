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
mod create;
mod drop;
mod inference;
mod insert_values;
mod memory;
mod replace;
mod sink;
mod topic;
mod types;
mod with;

use std::sync::Arc;

use weir_parser::ast::{Ident, SourceKind};
use weir_types::SqlError;

use crate::catalog::{Catalog, SourceInfo};

pub use alter::alter_source;
pub use create::{CreateSourcePlan, create_source};
pub use drop::{DropPlan, drop_source};
pub use inference::{Inference, SubjectSchema, inference};
pub use insert_values::{InsertTarget, InsertValuesPlan, insert_values};
pub use memory::MemoryCatalog;
pub use replace::check_replacement;
pub use sink::{QueryResult, SinkTopic, sink_source, sink_topic};
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

/// The source of that name, of that kind; `statement` is the verb for the message.
fn existing(
    catalog: &dyn Catalog,
    kind: SourceKind,
    name: &Ident,
    statement: &str,
) -> Result<Arc<SourceInfo>, SqlError> {
    let Some(source) = catalog.source(&name.name) else {
        return Err(unknown_source(catalog, kind, name));
    };
    if source.kind != kind {
        return Err(SqlError::statement(format!(
            "Incompatible data source type is {}, but statement was {statement} {}",
            kind_word(source.kind),
            kind_word(kind)
        ))
        .at(name.span.into()));
    }
    Ok(source)
}

/// That no source has this name, and which name may have been meant.
fn unknown_source(catalog: &dyn Catalog, kind: SourceKind, name: &Ident) -> SqlError {
    let word = match kind {
        SourceKind::Stream => "Stream",
        SourceKind::Table => "Table",
    };
    let similar: Vec<String> = catalog
        .source_names()
        .into_iter()
        .filter(|n| n.eq_ignore_ascii_case(&name.name))
        .collect();
    let hint = similar.first().map_or_else(String::new, |n| {
        format!("\nDid you mean `{n}`? Put the name in back-quotes to keep its case.")
    });
    SqlError::statement(format!("{word} {} does not exist.{hint}", name.name)).at(name.span.into())
}
