//! What listings ask of running queries and of Kafka. One door, so that listings can be tested
//! without either.

use serde_json::Value;
use weir_protocol::QueryError;
use weir_runtime::TopicTraffic;
use weir_types::Column;

/// A running push query.
#[derive(Debug, Clone)]
pub struct PushQueryInfo {
    /// `transient_…`
    pub id: String,
    /// Its statement.
    pub sql: String,
    /// Columns of its rows.
    pub columns: Vec<Column>,
    /// Sources it reads.
    pub sources: Vec<String>,
    /// Operator tree.
    pub topology: String,
    /// Logical plan.
    pub plan: String,
}

/// Running queries and topics, as seen now.
pub trait RuntimeView {
    /// `RUNNING`, `PAUSED`, `ERROR`.
    fn query_state(&self, id: &str) -> String;

    /// The last errors of a query.
    fn query_errors(&self, id: &str) -> Vec<QueryError>;

    /// Text of a query's operators.
    fn topology(&self, id: &str) -> Option<String>;

    /// Consumer group of a query.
    fn group_id(&self, id: &str) -> String;

    /// Push queries that run now.
    fn push_queries(&self) -> Vec<PushQueryInfo>;

    /// This server, `host:port`.
    fn host(&self) -> String;

    /// Partitions and replicas of a topic.
    fn topic(&self, name: &str) -> Result<Option<(i32, i32)>, String>;

    /// All topics with the replicas of each partition, by name; hidden ones only with `all`.
    fn topics(&self, all: bool) -> Result<Vec<(String, Vec<i32>)>, String>;

    /// Consumers and groups that read a topic.
    fn consumers(&self, topic: &str) -> (i32, i32);

    /// The tasks of a query that reads these topics, with their offsets; none while it does not run.
    fn tasks(&self, id: &str, topics: &[&str]) -> Vec<Value>;

    /// What the queries of this server read from and wrote to a topic.
    fn traffic(&self, topic: &str) -> TopicTraffic;

    /// Offsets that a query's group has committed, by topic, as DESCRIBE EXTENDED shows them.
    fn offset_summary(&self, id: &str) -> Option<Value>;
}
