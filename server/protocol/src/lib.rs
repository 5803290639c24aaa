//! The JSON model of the HTTP API, shared by the server and the command line (spec/api.md).
//!
//! ```text
//!  request   KsqlRequest, QueryStreamRequest, InsertsTarget, CloseQueryRequest
//!  entity    Entity: what a statement answers, `@type` first, `warnings` last
//!  error     ApiError: generic_error, statement_error, with code and HTTP status
//!  stream    headers, rows and final messages of query answers
//!  tls       keys and certificates of both ends
//! ```
//!
//! Invariant: members are written in the order in which ksqlDB writes them; some clients compare
//! prefixes of lines.

pub mod entity;
pub mod error;
pub mod request;
pub mod schema;
pub mod tls;

pub use entity::{
    ArgumentInfo, AssertSchema, AssertTopic, CommandStatus, CommandStatusEntity, DescribeFunction,
    Entity, FunctionName, KafkaTopic, KafkaTopicExtended, PropertyInfo, QueryDescription,
    QueryError, QueryStatusCount, RunningQuery, SourceDescription, SourceListing, VariableInfo,
    VariantInfo, Warning,
};
pub use error::ApiError;
pub use request::{CloseQueryRequest, InsertsTarget, KsqlRequest, QueryStreamRequest};
pub use schema::{FieldInfo, SchemaInfo};
