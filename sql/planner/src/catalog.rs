//! What planning needs to know of the world.

use std::sync::Arc;

use weir_parser::ast::SourceKind;
use weir_types::{Schema, SqlType, ValueFormat, WindowInfo};

/// Column that gives a record its timestamp (WITH TIMESTAMP, spec/semantics.md §1.4).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TimestampColumn {
    /// Name of a BIGINT, TIMESTAMP or STRING column.
    pub column: String,
    /// Java pattern; only for STRING.
    pub format: Option<String>,
}

/// A stream or table of the metastore.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceInfo {
    /// Name in stored form.
    pub name: String,
    /// Stream or table.
    pub kind: SourceKind,
    /// Columns: keys, values and headers in declared order.
    pub schema: Schema,
    /// Topic.
    pub topic: String,
    /// Key format; `wrap_single` is never set for keys.
    pub key_format: ValueFormat,
    /// Value format.
    pub value_format: ValueFormat,
    /// Window in the key, if any.
    pub window: Option<WindowInfo>,
    /// Timestamp column.
    pub timestamp: Option<TimestampColumn>,
    /// Declared with SOURCE.
    pub read_only: bool,
    /// Made by CREATE … AS SELECT.
    pub created_as: bool,
    /// Whether pull queries can read its state: tables of CTAS, SOURCE TABLEs.
    pub materialized: bool,
    /// The statement that made it, in canonical form.
    pub sql: String,
}

/// Partitions, replicas and retention of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicInfo {
    /// Partitions.
    pub partitions: u32,
    /// Replicas.
    pub replicas: u16,
    /// `retention.ms`, if known.
    pub retention_ms: Option<i64>,
}

/// What the planner asks of the metastore. Reads only.
pub trait Catalog {
    /// The source of that stored name.
    fn source(&self, name: &str) -> Option<Arc<SourceInfo>>;

    /// All names of sources (for "did you mean").
    fn source_names(&self) -> Vec<String>;

    /// The custom type of that stored name.
    fn custom_type(&self, name: &str) -> Option<SqlType>;

    /// What is known of a topic; `None` if it does not exist.
    fn topic(&self, name: &str) -> Option<TopicInfo>;

    /// A configuration value that applies to this statement (`ksql.*`), session overrides
    /// included; `None` means the default of `spec/api.md` §9.
    fn config(&self, name: &str) -> Option<String>;
}
