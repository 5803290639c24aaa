//! What statements answer (spec/api.md §3.3). Every entity is one JSON object: `@type`,
//! `statementText`, its own members, `warnings`.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema::{FieldInfo, SchemaInfo};

/// A warning beside an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Plain words.
    pub message: String,
}

/// State of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandStatus {
    /// `QUEUED PARSING EXECUTING RUNNING SUCCESS ERROR TERMINATED`.
    pub status: String,
    /// Plain words.
    pub message: String,
    /// The query started, if any.
    pub query_id: Option<String>,
}

/// Body of `currentStatus`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandStatusEntity {
    /// ``stream/`X`/create``.
    pub command_id: String,
    /// How far it is.
    pub command_status: CommandStatus,
    /// Offset in the command topic, -1 when there is none.
    pub command_sequence_number: i64,
}

/// A line of LIST STREAMS / TABLES.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceListing {
    /// `STREAM` or `TABLE`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Name.
    pub name: String,
    /// Topic.
    pub topic: String,
    /// Key format.
    pub key_format: String,
    /// Value format.
    pub value_format: String,
    /// Whether the key has a window.
    pub is_windowed: bool,
}

/// A line of LIST TOPICS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KafkaTopic {
    /// Name.
    pub name: String,
    /// Replicas of each partition.
    pub replica_info: Vec<i32>,
}

/// A line of LIST TOPICS EXTENDED.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KafkaTopicExtended {
    /// Name.
    pub name: String,
    /// Replicas of each partition.
    pub replica_info: Vec<i32>,
    /// Consumers reading it.
    pub consumer_count: i32,
    /// Groups reading it.
    pub consumer_group_count: i32,
}

/// State → number of servers.
pub type QueryStatusCount = IndexMap<String, i32>;

/// A line of LIST QUERIES.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunningQuery {
    /// Its statement.
    pub query_string: String,
    /// Names of its sinks.
    pub sinks: Vec<String>,
    /// Topics of its sinks.
    pub sink_kafka_topics: Vec<String>,
    /// Id.
    pub id: String,
    /// State → number of servers.
    pub status_count: QueryStatusCount,
    /// `PERSISTENT`, `PUSH`.
    pub query_type: String,
    /// Worst state.
    pub state: String,
}

/// A property of LIST PROPERTIES.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PropertyInfo {
    /// Name.
    pub name: String,
    /// `KSQL` or `EMBEDDED CONNECT WORKER`.
    pub scope: String,
    /// Value as text; null if unset.
    pub value: Option<String>,
    /// Whether a session may override it.
    pub editable: bool,
    /// `SERVER` or `QUERY`.
    pub level: String,
}

/// A line of LIST FUNCTIONS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionName {
    /// Name.
    pub name: String,
    /// `SCALAR`, `AGGREGATE`, `TABLE`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Category.
    pub category: String,
}

/// An argument of a variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArgumentInfo {
    /// Name.
    pub name: String,
    /// Type as printed.
    #[serde(rename = "type")]
    pub type_name: String,
    /// What it is.
    pub description: String,
    /// Whether it repeats.
    pub is_variadic: bool,
}

/// A variant of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VariantInfo {
    /// Arguments.
    pub arguments: Vec<ArgumentInfo>,
    /// Result type as printed.
    pub return_type: String,
    /// What it does.
    pub description: String,
    /// Types of the arguments as printed.
    pub argument_types: Vec<String>,
}

/// Body of `describe_function`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeFunction {
    /// Name.
    pub name: String,
    /// Overview.
    pub description: String,
    /// Author.
    pub author: String,
    /// Version.
    pub version: String,
    /// `internal` for functions that are built in.
    pub path: String,
    /// Variants.
    pub functions: Vec<VariantInfo>,
    /// `SCALAR`, `AGGREGATE`, `TABLE`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// A source described.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceDescription {
    /// Name.
    pub name: String,
    /// `TUMBLING`, `HOPPING`, `SESSION` or null.
    pub window_type: Option<String>,
    /// Queries that read it.
    pub read_queries: Vec<RunningQuery>,
    /// Queries that write it.
    pub write_queries: Vec<RunningQuery>,
    /// Columns.
    pub fields: Vec<FieldInfo>,
    /// `STREAM` or `TABLE`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Timestamp column, `""` if it is ROWTIME.
    pub timestamp: String,
    /// Local statistics as text; `""` unless EXTENDED.
    pub statistics: String,
    /// Local errors as text; `""` unless EXTENDED.
    pub error_stats: String,
    /// EXTENDED given.
    pub extended: bool,
    /// Key format.
    pub key_format: String,
    /// Value format.
    pub value_format: String,
    /// Topic.
    pub topic: String,
    /// Partitions of the topic.
    pub partitions: i32,
    /// Replicas of the topic.
    pub replication: i32,
    /// The statement that made it.
    pub statement: String,
    /// Offsets of the groups that read it.
    pub query_offset_summaries: Vec<Value>,
    /// Sources that hinder DROP.
    pub source_constraints: Vec<String>,
    /// Statistics of all servers.
    pub cluster_statistics: Vec<Value>,
    /// Errors of all servers.
    pub cluster_error_stats: Vec<Value>,
}

/// An error in a query's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueryError {
    /// When, ms since the epoch.
    pub timestamp: i64,
    /// What.
    pub error_message: String,
    /// `USER`, `SYSTEM`, `UNKNOWN`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// A query described.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueryDescription {
    /// Id.
    pub id: String,
    /// Its statement.
    pub statement_text: String,
    /// Window of the result.
    pub window_type: Option<String>,
    /// Columns of the result.
    pub fields: Vec<FieldInfo>,
    /// Sources read.
    pub sources: Vec<String>,
    /// Sinks written.
    pub sinks: Vec<String>,
    /// Operator tree.
    pub topology: String,
    /// Logical plan.
    pub execution_plan: String,
    /// Properties set for it.
    pub overridden_properties: IndexMap<String, Value>,
    /// Server → state.
    pub ksql_host_query_status: IndexMap<String, String>,
    /// `PERSISTENT`, `PUSH`.
    pub query_type: Option<String>,
    /// Its last errors.
    pub query_errors: Vec<QueryError>,
    /// Tasks and their offsets.
    pub tasks_metadata: Vec<Value>,
    /// Its group.
    pub consumer_group_id: Option<String>,
    /// Worst state.
    pub state: Option<String>,
}

/// A variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariableInfo {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
}

/// Body of `assert_topic`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssertTopic {
    /// Topic.
    pub topic_name: String,
    /// Whether it is there.
    pub exists: bool,
}

/// Body of `assert_schema`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssertSchema {
    /// Subject; null if not asked for.
    pub subject: Option<String>,
    /// Id; null if not asked for.
    pub id: Option<i32>,
    /// Whether it is there.
    pub exists: bool,
}

/// One answer of `/ksql`.
#[derive(Debug, Clone, PartialEq)]
pub struct Entity {
    /// `@type`.
    pub kind: &'static str,
    /// The statement answered.
    pub statement_text: String,
    /// Its own members in order.
    pub members: IndexMap<String, Value>,
    /// Warnings.
    pub warnings: Vec<Warning>,
}

impl Serialize for Entity {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("@type", self.kind)?;
        map.serialize_entry("statementText", &self.statement_text)?;
        for (name, value) in &self.members {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry("warnings", &self.warnings)?;
        map.end()
    }
}

/// A value as JSON; what serde cannot express becomes null (our own types always can).
fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

impl Entity {
    fn with(kind: &'static str, text: &str, members: Vec<(&str, Value)>) -> Self {
        Self {
            kind,
            statement_text: text.to_owned(),
            members: members
                .into_iter()
                .map(|(name, v)| (name.to_owned(), v))
                .collect(),
            warnings: Vec::new(),
        }
    }

    /// An entity whose members are those of `body`, in its order.
    fn flat<T: Serialize>(kind: &'static str, text: &str, body: &T) -> Self {
        let members = match json(body) {
            Value::Object(map) => map.into_iter().collect(),
            _ => IndexMap::new(),
        };
        Self {
            kind,
            statement_text: text.to_owned(),
            members,
            warnings: Vec::new(),
        }
    }

    /// `currentStatus`
    pub fn command(text: &str, status: &CommandStatusEntity) -> Self {
        Self::flat("currentStatus", text, status)
    }

    /// `warning_entity`
    pub fn warning(text: &str, message: &str) -> Self {
        Self::with("warning_entity", text, vec![("message", json(&message))])
    }

    /// `streams`
    pub fn streams(text: &str, streams: &[SourceListing]) -> Self {
        Self::with("streams", text, vec![("streams", json(&streams))])
    }

    /// `tables`
    pub fn tables(text: &str, tables: &[SourceListing]) -> Self {
        Self::with("tables", text, vec![("tables", json(&tables))])
    }

    /// `kafka_topics`
    pub fn topics(text: &str, topics: &[KafkaTopic]) -> Self {
        Self::with("kafka_topics", text, vec![("topics", json(&topics))])
    }

    /// `kafka_topics_extended`
    pub fn topics_extended(text: &str, topics: &[KafkaTopicExtended]) -> Self {
        Self::with(
            "kafka_topics_extended",
            text,
            vec![("topics", json(&topics))],
        )
    }

    /// `queries`
    pub fn queries(text: &str, queries: &[RunningQuery]) -> Self {
        Self::with("queries", text, vec![("queries", json(&queries))])
    }

    /// `query_descriptions`
    pub fn query_descriptions(text: &str, queries: &[QueryDescription]) -> Self {
        Self::with(
            "query_descriptions",
            text,
            vec![("queryDescriptions", json(&queries))],
        )
    }

    /// `queryDescription`
    pub fn query_description(text: &str, query: &QueryDescription) -> Self {
        Self::with(
            "queryDescription",
            text,
            vec![("queryDescription", json(query))],
        )
    }

    /// `sourceDescription`
    pub fn source_description(text: &str, source: &SourceDescription) -> Self {
        Self::with(
            "sourceDescription",
            text,
            vec![("sourceDescription", json(source))],
        )
    }

    /// `source_descriptions`
    pub fn source_descriptions(text: &str, sources: &[SourceDescription]) -> Self {
        Self::with(
            "source_descriptions",
            text,
            vec![("sourceDescriptions", json(&sources))],
        )
    }

    /// `properties`
    pub fn properties(
        text: &str,
        properties: &[PropertyInfo],
        overwritten: &[String],
        defaults: &[String],
    ) -> Self {
        Self::with(
            "properties",
            text,
            vec![
                ("properties", json(&properties)),
                ("overwrittenProperties", json(&overwritten)),
                ("defaultProperties", json(&defaults)),
            ],
        )
    }

    /// `function_names`
    pub fn functions(text: &str, functions: &[FunctionName]) -> Self {
        Self::with(
            "function_names",
            text,
            vec![("functions", json(&functions))],
        )
    }

    /// `describe_function`
    pub fn describe_function(text: &str, function: &DescribeFunction) -> Self {
        Self::flat("describe_function", text, function)
    }

    /// `type_list`
    pub fn types(text: &str, types: &IndexMap<String, SchemaInfo>) -> Self {
        Self::with("type_list", text, vec![("types", json(types))])
    }

    /// `variables`
    pub fn variables(text: &str, variables: &[VariableInfo]) -> Self {
        Self::with("variables", text, vec![("variables", json(&variables))])
    }

    /// `terminate_query`
    pub fn terminate_query(text: &str, query_id: &str, was_terminated: bool) -> Self {
        Self::with(
            "terminate_query",
            text,
            vec![
                ("queryId", json(&query_id)),
                ("wasTerminated", json(&was_terminated)),
            ],
        )
    }

    /// `assert_topic`
    pub fn assert_topic(text: &str, body: &AssertTopic) -> Self {
        Self::flat("assert_topic", text, body)
    }

    /// `assert_schema`
    pub fn assert_schema(text: &str, body: &AssertSchema) -> Self {
        Self::flat("assert_schema", text, body)
    }

    /// The same entity with one more warning.
    pub fn warn(mut self, message: impl Into<String>) -> Self {
        self.warnings.push(Warning {
            message: message.into(),
        });
        self
    }
}
