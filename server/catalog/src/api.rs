//! What the HTTP layer sees of the catalog.
//!
//! ```text
//!  /ksql          ──► Weir::execute(KsqlRequest)      ──► entities
//!  /query…        ──► Weir::query(QueryRequest)       ──► Answer { Rows | Print }
//!  /inserts-stream──► Weir::insert_target(name)       ──► InsertTarget ──► insert(row)
//! ```

use arrow::array::RecordBatch;
use indexmap::IndexMap;
use serde_json::Value;
use tokio::sync::mpsc;
use weir_protocol::ApiError;
use weir_types::Column;

/// A query as an endpoint received it.
#[derive(Debug, Clone, Default)]
pub struct QueryRequest {
    /// One SELECT or PRINT.
    pub sql: String,
    /// Property overrides.
    pub properties: IndexMap<String, Value>,
    /// Values for `${name}`.
    pub variables: IndexMap<String, Value>,
    /// Internal switches.
    pub request_properties: IndexMap<String, Value>,
    /// Which endpoint: they word and code some refusals differently.
    pub endpoint: Endpoint,
    /// The command to wait for before; absent or negative: none.
    pub command_sequence_number: Option<i64>,
}

/// Where a query came in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Endpoint {
    /// `/query`
    #[default]
    Query,
    /// `/query-stream`
    QueryStream,
    /// `/ws/query`
    WebSocket,
}

/// What a query answers.
pub enum Answer {
    /// Rows of a SELECT.
    Rows(RowStream),
    /// Records of a PRINT.
    Print(PrintStream),
}

/// Kind of a SELECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryKind {
    /// Ends when the client goes, at LIMIT, or when it is terminated.
    Push,
    /// Over a table's state: ends by itself, without a final message.
    PullTable,
    /// Over a stream, to the end of its topic.
    PullStream,
}

/// Rows of a query. Dropping it ends the query.
pub struct RowStream {
    /// `transient_…` or `query_…`.
    pub query_id: String,
    /// Kind.
    pub kind: QueryKind,
    /// Columns of the rows; roles as the header shows them.
    pub columns: Vec<Column>,
    /// The rows. Bounded: a slow reader holds the query back.
    pub rows: mpsc::Receiver<RowEvent>,
    /// Ends the query when dropped.
    pub guard: Box<dyn Send + Sync>,
}

/// What comes from a running query.
#[derive(Debug)]
pub enum RowEvent {
    /// Rows; columns as in [`RowStream::columns`].
    Rows {
        /// The values.
        batch: RecordBatch,
        /// Whether a row is a tombstone; empty: none is.
        tombstones: Vec<bool>,
    },
    /// The query failed; nothing follows.
    Failed(ApiError),
    /// The query ended.
    End(EndReason),
}

/// Why a query ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// LIMIT reached.
    Limit,
    /// Nothing more to come, or closed by request.
    Completed,
}

/// Lines of a PRINT. Dropping it ends the query.
pub struct PrintStream {
    /// The lines.
    pub lines: mpsc::Receiver<PrintEvent>,
    /// Ends the query when dropped.
    pub guard: Box<dyn Send + Sync>,
}

/// What comes from a running PRINT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrintEvent {
    /// The surviving formats have changed: what key and value look like, most likely first.
    Formats {
        /// Text after `Key format: `.
        key: String,
        /// Text after `Value format: `.
        value: String,
    },
    /// One record: `rowtime: …, key: …, value: …, partition: …`.
    Record(String),
}

/// What `/info` tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// Version as clients compare it.
    pub version: String,
    /// Id of the Kafka cluster.
    pub kafka_cluster_id: String,
    /// `ksql.service.id`.
    pub service_id: String,
    /// `RUNNING`, `DEGRADED`, `ERROR`.
    pub status: &'static str,
}
