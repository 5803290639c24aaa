//! The metastore: sources, custom types and persistent queries, as the command log made them.
//!
//! ```text
//!  command log ──apply──► Metastore ──clone──► sandbox of a request (planned, then thrown away)
//! ```
//!
//! Invariant: the metastore changes only by applying commands in the order of the log, so every
//! server that has read the same log holds the same metastore.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use indexmap::IndexMap;
use weir_parser::ast::SourceKind;
use weir_planner::catalog::{Catalog, SourceInfo, TopicInfo};
use weir_planner::stream::QueryPlan;
use weir_types::SqlType;

use crate::config::{self, Overrides, ServerConfig};

/// How a persistent query came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersistentKind {
    /// CREATE … AS SELECT: it goes with its sink.
    CreateAs,
    /// INSERT INTO … SELECT.
    Insert,
    /// The materialisation of a SOURCE TABLE: cannot be ended by hand.
    SourceTable,
}

/// A persistent query.
#[derive(Debug, Clone)]
pub struct PersistentQuery {
    /// `CSAS_…`, `CTAS_…`, `INSERTQUERY_…`, `CST_…`.
    pub id: String,
    /// How it came to be.
    pub kind: PersistentKind,
    /// Its statement in canonical form.
    pub sql: String,
    /// Name and topic of the sink; none for a SOURCE TABLE's.
    pub sink: Option<(String, String)>,
    /// Its plan, sink included.
    pub plan: QueryPlan,
    /// Properties set when it was made.
    pub overrides: Overrides,
    /// Paused by hand.
    pub paused: bool,
}

/// Sources, types, queries, and properties of the cluster.
#[derive(Debug, Clone, Default)]
pub struct Metastore {
    sources: IndexMap<String, Arc<SourceInfo>>,
    types: IndexMap<String, SqlType>,
    queries: IndexMap<String, Arc<PersistentQuery>>,
    system: Overrides,
}

impl Metastore {
    /// All sources in order of creation.
    pub fn sources(&self) -> impl Iterator<Item = &Arc<SourceInfo>> {
        self.sources.values()
    }

    /// The source of that name.
    pub fn source(&self, name: &str) -> Option<&Arc<SourceInfo>> {
        self.sources.get(name)
    }

    /// Adds or replaces a source.
    pub fn put_source(&mut self, source: SourceInfo) {
        self.sources.insert(source.name.clone(), Arc::new(source));
    }

    /// Removes a source.
    pub fn remove_source(&mut self, name: &str) -> Option<Arc<SourceInfo>> {
        self.sources.shift_remove(name)
    }

    /// Custom types in order of creation.
    pub fn types(&self) -> &IndexMap<String, SqlType> {
        &self.types
    }

    /// Adds a custom type.
    pub fn put_type(&mut self, name: &str, sql_type: SqlType) {
        self.types.insert(name.to_owned(), sql_type);
    }

    /// Removes a custom type.
    pub fn remove_type(&mut self, name: &str) -> Option<SqlType> {
        self.types.shift_remove(name)
    }

    /// Properties that ALTER SYSTEM has set for the cluster.
    pub fn system(&self) -> &Overrides {
        &self.system
    }

    /// Sets a property for the cluster.
    pub fn set_system(&mut self, name: &str, value: &str) {
        self.system.0.insert(name.to_owned(), value.to_owned());
    }

    /// Persistent queries in order of creation.
    pub fn queries(&self) -> impl Iterator<Item = &Arc<PersistentQuery>> {
        self.queries.values()
    }

    /// The query of that id (upper case).
    pub fn query(&self, id: &str) -> Option<&Arc<PersistentQuery>> {
        self.queries.get(id)
    }

    /// Adds or replaces a query.
    pub fn put_query(&mut self, query: PersistentQuery) {
        self.queries.insert(query.id.clone(), Arc::new(query));
    }

    /// Removes a query.
    pub fn remove_query(&mut self, id: &str) -> Option<Arc<PersistentQuery>> {
        self.queries.shift_remove(id)
    }

    /// Pauses or resumes a query.
    pub fn set_paused(&mut self, id: &str, paused: bool) {
        if let Some(query) = self.queries.get_mut(id) {
            Arc::make_mut(query).paused = paused;
        }
    }

    /// Queries that read the source.
    pub fn readers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Arc<PersistentQuery>> {
        self.queries
            .values()
            .filter(move |q| q.plan.sources.iter().any(|s| s == name))
    }

    /// Queries that write the source.
    pub fn writers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Arc<PersistentQuery>> {
        self.queries
            .values()
            .filter(move |q| q.sink.as_ref().is_some_and(|(sink, _)| sink == name))
    }

    /// Names of the sources made by CREATE … AS from this one: what hinders DROP. Newest first.
    pub fn dependents(&self, name: &str) -> Vec<String> {
        let mut out: Vec<String> = self
            .readers(name)
            .filter(|q| q.kind == PersistentKind::CreateAs)
            .filter_map(|q| q.sink.as_ref().map(|(sink, _)| sink.clone()))
            .collect();
        out.reverse();
        out
    }

    /// The query that made a CREATE … AS source or materialises a SOURCE TABLE.
    pub fn own_query(&self, name: &str) -> Option<&Arc<PersistentQuery>> {
        self.queries.values().find(|q| match q.kind {
            PersistentKind::CreateAs => q.sink.as_ref().is_some_and(|(sink, _)| sink == name),
            PersistentKind::SourceTable => q.plan.sources.iter().any(|s| s == name),
            PersistentKind::Insert => false,
        })
    }
}

/// What the cluster knows of topics.
pub trait Topics: Send + Sync {
    /// Partitions and the like of a topic; `Ok(None)` if it does not exist. The error is what
    /// Kafka said.
    fn describe(&self, name: &str) -> Result<Option<TopicInfo>, String>;
}

/// A metastore as the planner sees it: with topics and with the configuration of one request.
pub struct View<'a> {
    /// The metastore, or a sandbox.
    pub store: &'a Metastore,
    /// Topics of the cluster.
    pub topics: &'a dyn Topics,
    /// Topics that statements before this one will have made or deleted.
    pub planned: &'a PlannedTopics,
    /// The server's configuration.
    pub config: &'a ServerConfig,
    /// What the request overrides.
    pub overrides: &'a Overrides,
}

/// Topics that a sandbox has made or deleted.
#[derive(Debug, Clone, Default)]
pub struct PlannedTopics {
    /// Made.
    pub made: HashMap<String, TopicInfo>,
    /// Deleted.
    pub deleted: HashSet<String>,
}

impl View<'_> {
    /// What a query of the request is run with: properties of ALTER SYSTEM, then its overrides.
    pub fn effective(&self) -> Overrides {
        self.overrides.over(self.store.system())
    }
}

impl Catalog for View<'_> {
    fn source(&self, name: &str) -> Option<Arc<SourceInfo>> {
        self.store.source(name).cloned()
    }

    fn source_names(&self) -> Vec<String> {
        self.store.sources().map(|s| s.name.clone()).collect()
    }

    fn custom_type(&self, name: &str) -> Option<SqlType> {
        self.store.types().get(name).cloned()
    }

    fn topic(&self, name: &str) -> Option<TopicInfo> {
        if let Some(info) = self.planned.made.get(name) {
            return Some(*info);
        }
        if self.planned.deleted.contains(name) {
            return None;
        }
        self.topics.describe(name).unwrap_or_else(|error| {
            tracing::warn!(topic = name, %error, "topic cannot be described");
            None
        })
    }

    fn config(&self, name: &str) -> Option<String> {
        let overrides = (!config::is_protected(name)).then_some(&self.overrides.0);
        overrides
            .and_then(|overrides| overrides.get(name))
            .or_else(|| self.store.system().0.get(name))
            .cloned()
            .or_else(|| self.config.value(name))
    }
}

/// The word for a kind of source.
pub fn kind_word(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Stream => "STREAM",
        SourceKind::Table => "TABLE",
    }
}
