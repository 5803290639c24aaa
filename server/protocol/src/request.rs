//! Request bodies. Unknown members are ignored and null stands for an absent optional member
//! (spec/api.md §0 rule 8); what is coerced and how errors are worded is the server's business.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Body of `/ksql` and `/query` (spec/api.md §3.1).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KsqlRequest {
    /// Statements.
    #[serde(default)]
    pub ksql: String,
    /// Property overrides of this request.
    #[serde(default)]
    pub streams_properties: IndexMap<String, Value>,
    /// Values for `${name}`.
    #[serde(default)]
    pub session_variables: IndexMap<String, Value>,
    /// Internal switches.
    #[serde(default)]
    pub request_properties: IndexMap<String, Value>,
    /// Wait until this command was executed; below 0 or absent: do not wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_sequence_number: Option<i64>,
}

/// Body of `/query-stream` (spec/api.md §4.1).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueryStreamRequest {
    /// One SELECT or PRINT.
    pub sql: String,
    /// Property overrides.
    #[serde(default)]
    pub properties: IndexMap<String, Value>,
    /// Values for `${name}`.
    #[serde(default)]
    pub session_variables: IndexMap<String, Value>,
    /// Internal switches.
    #[serde(default)]
    pub request_properties: IndexMap<String, Value>,
}

/// Body of `/close-query`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CloseQueryRequest {
    /// Id of a push query.
    pub query_id: String,
}

/// First line of `/inserts-stream` (spec/api.md §5).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InsertsTarget {
    /// Stream or table.
    pub target: String,
    /// Accepted and without effect.
    #[serde(default)]
    pub properties: IndexMap<String, Value>,
}
