//! A catalog in memory: for tests, for the sandbox of a request and for the conformance runner.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;
use weir_types::SqlType;

use super::TopicSpec;
use crate::catalog::{Catalog, SourceInfo, TopicInfo};

/// Sources, types, topics and configuration, in memory. Clones are cheap and independent.
#[derive(Debug, Clone, Default)]
pub struct MemoryCatalog {
    sources: IndexMap<String, Arc<SourceInfo>>,
    types: BTreeMap<String, SqlType>,
    topics: BTreeMap<String, TopicInfo>,
    config: BTreeMap<String, String>,
}

impl MemoryCatalog {
    /// Nothing at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces a source under its name.
    pub fn put_source(&mut self, source: SourceInfo) {
        self.sources.insert(source.name.clone(), Arc::new(source));
    }

    /// Removes a source; whether there was one.
    pub fn remove_source(&mut self, name: &str) -> bool {
        self.sources.shift_remove(name).is_some()
    }

    /// The sources in the order in which they were added.
    pub fn sources(&self) -> impl Iterator<Item = &Arc<SourceInfo>> {
        self.sources.values()
    }

    /// Registers a custom type.
    pub fn put_type(&mut self, name: impl Into<String>, sql_type: SqlType) {
        self.types.insert(name.into(), sql_type);
    }

    /// Removes a custom type; whether there was one.
    pub fn remove_type(&mut self, name: &str) -> bool {
        self.types.remove(name).is_some()
    }

    /// Adds or replaces a topic.
    pub fn put_topic(&mut self, name: impl Into<String>, topic: TopicInfo) {
        self.topics.insert(name.into(), topic);
    }

    /// Adds the topic that a plan asks for; replicas left to the broker count as 1.
    pub fn create_topic(&mut self, spec: &TopicSpec) {
        let retention = spec.configs.iter().find(|(name, _)| name == "retention.ms");
        let info = TopicInfo {
            partitions: spec.partitions,
            replicas: spec.replicas.unwrap_or(1),
            retention_ms: retention.and_then(|(_, value)| value.parse().ok()),
        };
        self.topics.insert(spec.name.clone(), info);
    }

    /// Sets a configuration value.
    pub fn set_config(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.config.insert(name.into(), value.into());
    }

    /// Back to the default of a configuration value.
    pub fn unset_config(&mut self, name: &str) {
        self.config.remove(name);
    }
}

impl Catalog for MemoryCatalog {
    fn source(&self, name: &str) -> Option<Arc<SourceInfo>> {
        self.sources.get(name).cloned()
    }

    fn source_names(&self) -> Vec<String> {
        self.sources.keys().cloned().collect()
    }

    fn custom_type(&self, name: &str) -> Option<SqlType> {
        self.types.get(name).cloned()
    }

    fn topic(&self, name: &str) -> Option<TopicInfo> {
        self.topics.get(name).copied()
    }

    fn config(&self, name: &str) -> Option<String> {
        self.config.get(name).cloned()
    }
}
