//! What a statement changes in the metastore.

use weir_parser::ast::SourceKind;
use weir_planner::catalog::SourceInfo;
use weir_types::SqlType;

use crate::metastore::{Metastore, PersistentQuery};

/// A change of the metastore.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)]
pub enum Effect {
    /// CREATE STREAM / TABLE, ALTER; with the query that materialises a SOURCE TABLE.
    PutSource {
        /// The source.
        source: SourceInfo,
        /// Its materialisation.
        query: Option<PersistentQuery>,
        /// ALTER, not CREATE.
        altered: bool,
    },
    /// CREATE … AS SELECT, INSERT INTO … SELECT.
    StartQuery {
        /// The sink, if it is new.
        sink: Option<SourceInfo>,
        /// The query.
        query: PersistentQuery,
    },
    /// DROP STREAM / TABLE.
    DropSource {
        /// Name.
        name: String,
        /// Its topic, for the message.
        topic: String,
        /// Its own query, which goes with it.
        query: Option<String>,
    },
    /// TERMINATE.
    Terminate(Vec<String>),
    /// PAUSE.
    Pause(Vec<String>),
    /// RESUME.
    Resume(Vec<String>),
    /// CREATE TYPE.
    PutType(String, SqlType),
    /// DROP TYPE.
    RemoveType(String),
    /// ALTER SYSTEM: property and value.
    SetSystem(String, String),
}

impl Effect {
    /// The message of a `commandStatus` that succeeded (spec/api.md §3.2).
    pub fn message(&self) -> String {
        match self {
            Self::PutSource {
                source,
                altered: true,
                ..
            } => {
                let word = match source.kind {
                    SourceKind::Stream => "Stream",
                    SourceKind::Table => "Table",
                };
                format!("{word} {} altered.", source.name)
            }
            Self::PutSource {
                query: Some(query), ..
            }
            | Self::StartQuery { query, .. } => {
                format!("Created query with ID {}", query.id)
            }
            Self::PutSource { source, .. } => match source.kind {
                SourceKind::Stream => "Stream created".to_owned(),
                SourceKind::Table => "Table created".to_owned(),
            },
            Self::DropSource { name, topic, .. } => {
                format!("Source `{name}` (topic: {topic}) was dropped.")
            }
            Self::Terminate(_) => "Query terminated.".to_owned(),
            Self::Pause(_) => "Query paused.".to_owned(),
            Self::Resume(_) => "Query resumed.".to_owned(),
            Self::PutType(name, sql_type) => {
                format!("Registered custom type with name '{name}' and SQL type {sql_type}")
            }
            Self::RemoveType(name) => format!("Dropped type '{name}'"),
            Self::SetSystem(name, value) => {
                format!("System property {name} was set to {value}.")
            }
        }
    }

    /// The query that it starts.
    pub fn started(&self) -> Option<&PersistentQuery> {
        match self {
            Self::PutSource {
                query: Some(query), ..
            }
            | Self::StartQuery { query, .. } => Some(query),
            _ => None,
        }
    }
}

/// Applies a change to a metastore or a sandbox.
pub fn apply(store: &mut Metastore, effect: &Effect) {
    match effect {
        Effect::PutSource { source, query, .. } => {
            store.put_source(source.clone());
            if let Some(query) = query {
                store.put_query(query.clone());
            }
        }
        Effect::StartQuery { sink, query } => {
            if let Some(sink) = sink {
                store.put_source(sink.clone());
            }
            store.put_query(query.clone());
        }
        Effect::DropSource { name, query, .. } => {
            store.remove_source(name);
            if let Some(query) = query {
                store.remove_query(query);
            }
        }
        Effect::Terminate(ids) => {
            for id in ids {
                store.remove_query(id);
            }
        }
        Effect::Pause(ids) => ids.iter().for_each(|id| store.set_paused(id, true)),
        Effect::Resume(ids) => ids.iter().for_each(|id| store.set_paused(id, false)),
        Effect::PutType(name, sql_type) => store.put_type(name, sql_type.clone()),
        Effect::RemoveType(name) => {
            store.remove_type(name);
        }
        Effect::SetSystem(name, value) => store.set_system(name, value),
    }
}
