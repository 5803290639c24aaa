//! SELECT and PRINT of clients (spec/api.md §4).
//!
//! ```text
//!  text ─► one statement ─┬─ SELECT … EMIT ─► push: a task of the runtime, rows as they come
//!                         ├─ SELECT over a table ─► pull: the state of its query
//!                         │     (one that differs from an earlier one in its key alone ─► lookup)
//!                         ├─ SELECT over a stream ─► scan: its topic up to the end of now
//!                         └─ PRINT ─► a reader of its own
//! ```

mod explain;
mod lookup;
mod pull;
mod push;
mod scan;
mod shape;

use std::sync::Arc;

use weir_parser::Parsed;
use weir_parser::ast::{Query, SourceKind, Statement};
use weir_protocol::ApiError;
use weir_types::{ErrorCode, SqlError};

pub(crate) use explain::explain;
pub use lookup::{Lookup, LookupRows};
pub(crate) use lookup::{Lookups, answer as look_up, find};

use crate::api::{Answer, Endpoint, QueryRequest, RowStream};
use crate::config::Overrides;
use crate::metastore::{Metastore, PlannedTopics, View};
use crate::print::{self, PrintRequest};
use crate::request::Session;
use crate::weir::{QueryFailure, Weir};

/// Refused before the statement was prepared.
fn unprepared(error: ApiError) -> QueryFailure {
    QueryFailure {
        error,
        prepared: false,
    }
}

/// Refused after that.
fn prepared(error: ApiError) -> QueryFailure {
    QueryFailure {
        error,
        prepared: true,
    }
}

/// Starts a query.
pub(crate) fn start(weir: &Arc<Weir>, request: QueryRequest) -> Result<Answer, QueryFailure> {
    let session = session(weir, &request)?;
    if request.endpoint != Endpoint::QueryStream && request.sql.trim().is_empty() {
        let message = "\"ksql\" field must be populated";
        return Err(unprepared(ApiError::generic(
            ErrorCode::BadRequest,
            message,
        )));
    }
    let parsed = one_statement(&request, &session)?;
    let store = weir.metastore();
    match &parsed.statement {
        Statement::Query(query) => {
            sources_exist(&store, query, &parsed.text).map_err(unprepared)?;
            let statement = Select {
                query,
                text: &parsed.text,
                request: &request,
            };
            let answer = select(weir, &store, &statement, &session.overrides);
            answer.map(Answer::Rows).map_err(|mut error| {
                // A predicate of the wrong type is told with the statement around it.
                if error.message.starts_with("Error in WHERE expression") {
                    about(&mut error.message, &parsed.text);
                }
                prepared(error)
            })
        }
        Statement::Print {
            topic,
            from_beginning,
            interval,
            limit,
        } => {
            topic_exists(weir, topic, &parsed.text, request.endpoint)?;
            let request = PrintRequest {
                topic: topic.clone(),
                from_beginning: *from_beginning,
                interval: interval
                    .and_then(|n| u64::try_from(n).ok())
                    .unwrap_or(1)
                    .max(1),
                limit: limit.map(|n| u64::try_from(n).unwrap_or(0)),
            };
            print::start(weir, request)
                .map(Answer::Print)
                .map_err(|e| prepared(ApiError::generic(ErrorCode::ServerError, e)))
        }
        _ => Err(wrong_kind(request.endpoint, &parsed)),
    }
}

/// `/query-stream` ignores properties that it does not know (spec §3.1).
fn session(weir: &Weir, request: &QueryRequest) -> Result<Session, QueryFailure> {
    let mut properties = request.properties.clone();
    if request.endpoint == Endpoint::QueryStream {
        properties.retain(|name, _| crate::config::canonical(name).is_ok());
    }
    weir.session(&properties, &request.variables)
        .map_err(unprepared)
}

/// Exactly one statement.
fn one_statement(request: &QueryRequest, session: &Session) -> Result<Parsed, QueryFailure> {
    let mut all = weir_parser::parse_all(&request.sql, &session.variables).map_err(|e| {
        let syntax = e
            .position
            .filter(|_| e.message.contains(": Syntax Error\n"));
        let mut error = ApiError::from_sql(e, &request.sql);
        if let Some(position) = syntax {
            about(&mut error.message, &request.sql);
            if request.endpoint == Endpoint::Query {
                let at = format!("{position}: Syntax error at {position}");
                error.message.push_str(&format!("\nCaused by: {at}"));
            }
        }
        unprepared(error)
    })?;
    match (all.len(), all.pop()) {
        (1, Some(parsed)) => Ok(parsed),
        (count, _) => {
            let mut message = format!("Expected exactly one KSQL statement; found {count} instead");
            if request.endpoint == Endpoint::QueryStream {
                about(&mut message, &request.sql);
            }
            Err(unprepared(ApiError::statement(
                ErrorCode::BadStatement,
                message,
                request.sql.clone(),
            )))
        }
    }
}

/// Adds the statement that a message is about.
fn about(message: &mut String, statement: &str) {
    message.push_str("\nStatement: ");
    message.push_str(statement);
}

/// Neither SELECT nor PRINT.
fn wrong_kind(endpoint: Endpoint, parsed: &Parsed) -> QueryFailure {
    let message = "Only SELECT and PRINT can be sent here; send other statements to /ksql.";
    unprepared(match endpoint {
        Endpoint::QueryStream => {
            let mut message = message.to_owned();
            about(&mut message, &parsed.text);
            ApiError::statement(ErrorCode::BadStatement, message, parsed.text.clone())
        }
        Endpoint::Query | Endpoint::WebSocket => ApiError::generic(ErrorCode::BadRequest, message),
    })
}

/// Names in FROM and JOIN are looked up while the statement is prepared.
pub(crate) fn sources_exist(store: &Metastore, query: &Query, text: &str) -> Result<(), ApiError> {
    let joined = query.joins.iter().map(|join| &join.source);
    for source in std::iter::once(&query.from).chain(joined) {
        if store.source(&source.name.name).is_none() {
            let mut message = format!(
                "Exception while preparing statement: {} does not exist.",
                source.name.name
            );
            let names = || store.sources().map(|s| s.name.as_str());
            let mut near: Vec<&str> = names()
                .filter(|name| name.eq_ignore_ascii_case(&source.name.name))
                .collect();
            if near.is_empty() {
                near.extend(weir_planner::near::nearest(&source.name.name, names()));
            }
            if !near.is_empty() {
                let near: Vec<String> = near
                    .into_iter()
                    .map(weir_types::ident::quoted_if_needed)
                    .collect();
                message.push_str(&format!("\nDid you mean {}?", near.join(", ")));
            }
            return Err(ApiError::statement(ErrorCode::BadStatement, message, text));
        }
    }
    Ok(())
}

/// PRINT of a topic that is not there names those that differ only in case.
fn topic_exists(
    weir: &Weir,
    topic: &str,
    text: &str,
    endpoint: Endpoint,
) -> Result<(), QueryFailure> {
    let failed = |e: weir_kafka::KafkaError| {
        prepared(ApiError::generic(ErrorCode::ServerError, e.to_string()))
    };
    if weir.admin.describe_topic(topic).map_err(failed)?.is_some() {
        return Ok(());
    }
    if endpoint == Endpoint::WebSocket {
        let message = format!(
            "Topic does not exist, or KSQL does not have permission to list the topic: {topic}"
        );
        return Err(prepared(ApiError::generic(ErrorCode::BadRequest, message)));
    }
    let mut message = format!(
        "Could not find topic '{topic}', or the KSQL user does not have permissions to list the \
         topic. Topic names are case-sensitive."
    );
    if endpoint == Endpoint::QueryStream {
        return Err(prepared(ApiError::statement(
            ErrorCode::BadStatement,
            message,
            text,
        )));
    }
    let near: Vec<String> = weir
        .admin
        .topics()
        .map_err(failed)?
        .into_iter()
        .filter(|t| t.name.eq_ignore_ascii_case(topic))
        .map(|t| format!("\tprint '{}'", t.name))
        .collect();
    if !near.is_empty() {
        message.push_str(&format!("\nDid you mean:\n{}", near.join("\n")));
    }
    Err(prepared(ApiError::generic(ErrorCode::BadRequest, message)))
}

/// A SELECT as it was sent.
struct Select<'a> {
    query: &'a Query,
    /// Its text, variables filled in.
    text: &'a str,
    request: &'a QueryRequest,
}

/// A SELECT, by what it reads and whether it has EMIT.
fn select(
    weir: &Arc<Weir>,
    store: &Arc<Metastore>,
    statement: &Select<'_>,
    overrides: &Overrides,
) -> Result<RowStream, ApiError> {
    let &Select { query, text, .. } = statement;
    let planned = PlannedTopics::default();
    let view = View {
        store,
        topics: weir.cluster_topics(),
        planned: &planned,
        config: &weir.config,
        overrides,
    };
    let refused = |e: SqlError| ApiError::from_sql(e, text);
    if query.emit.is_some() {
        return push::start(weir, query, text, &view);
    }
    let plan = weir_planner::pull::plan_pull(query, &view).map_err(refused)?;
    match plan.source.kind {
        SourceKind::Table => pull::answer(weir, store, &plan, statement),
        SourceKind::Stream => scan::start(weir, query, text, &view),
    }
}
