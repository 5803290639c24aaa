//! `POST /query`, `/query-stream`, `/close-query` (spec/api.md §4).
//!
//! ```text
//!  RowStream ──► RowWriter (StreamedRow array, also of Protobuf | delimited | JSON array) ──► one chunk per row
//! ```

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Version};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::Stream;
use indexmap::IndexMap;
use serde_json::Value;
use weir_catalog::{
    Answer, Endpoint, QueryFailure, QueryKind, QueryRequest, RowEvent, RowStream, Weir,
};
use weir_protocol::{ApiError, KsqlRequest};
use weir_types::{Column, ColumnRole, ErrorCode};

use crate::alive::{self, kept_alive};
use crate::json_row::{write_row, write_string};
use crate::print;
use crate::proto_row::RowSchema;
use crate::request;
use crate::respond::{self, DELIMITED, JSON, KSQL_V1, KSQL_V1_PROTOBUF};
use crate::statements::unreadable;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowFormat {
    /// `[{"header":…},\n{"row":…},\n…]`
    Streamed,
    /// A metadata line, then an array per line.
    Delimited,
    /// The same, wrapped as one JSON array.
    JsonArray,
    /// As [`Streamed`](Self::Streamed), with Protobuf messages for rows.
    Protobuf,
}

impl RowFormat {
    fn content_type(self) -> &'static str {
        match self {
            Self::Streamed => KSQL_V1,
            Self::Delimited => DELIMITED,
            Self::JsonArray => JSON,
            Self::Protobuf => KSQL_V1_PROTOBUF,
        }
    }
}

/// The format that `Accept` asks for (spec §4.1); `None`: nothing fits.
fn row_format(headers: &HeaderMap, endpoint: Endpoint) -> Option<RowFormat> {
    let stream = endpoint == Endpoint::QueryStream;
    let Some(types) = respond::accepted(headers) else {
        return Some(if stream {
            RowFormat::Delimited
        } else {
            RowFormat::Streamed
        });
    };
    types.iter().find_map(|accepted| match accepted.as_str() {
        "*/*" | DELIMITED => Some(RowFormat::Delimited),
        KSQL_V1 => Some(RowFormat::Streamed),
        KSQL_V1_PROTOBUF => Some(RowFormat::Protobuf),
        JSON if stream => Some(RowFormat::JsonArray),
        JSON => Some(RowFormat::Streamed),
        other if respond::covers(other, DELIMITED) => Some(RowFormat::Delimited),
        _ => None,
    })
}

/// `POST /query`
pub(crate) async fn query(State(weir): State<Arc<Weir>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some(format) = row_format(&parts.headers, Endpoint::Query) else {
        return respond::not_found().await;
    };
    let body = match request::read(body).await {
        Ok(body) => body,
        Err(error) => return unreadable(&error),
    };
    let request = match request::ksql_request(&body, parts.version) {
        Ok(request) => request,
        Err(error) => return respond::failed(&error, None),
    };
    let older = is_older_writer(&weir, &request);
    let host = source_host(&weir, &request.request_properties);
    let request = QueryRequest {
        sql: request.ksql,
        properties: request.streams_properties,
        variables: request.session_variables,
        request_properties: request.request_properties,
        endpoint: Endpoint::Query,
        command_sequence_number: request.command_sequence_number,
    };
    match weir.query(request).await {
        Ok(_) if parts.version == Version::HTTP_10 => respond::failed(&http_10(), None),
        Ok(Answer::Print(_)) if parts.version == Version::HTTP_2 => {
            respond::response(405, None, Body::empty())
        }
        Ok(Answer::Rows(_)) if older && parts.version == Version::HTTP_2 => {
            respond::response(405, None, Body::empty())
        }
        Ok(Answer::Rows(rows)) if older => {
            let rows = kept_alive(chunks(rows, RowFormat::Streamed), alive::pause(&weir));
            respond::response(200, Some(JSON), Body::from_stream(rows))
        }
        Ok(Answer::Rows(rows)) => rows_response(rows, format, host),
        Ok(Answer::Print(lines)) => {
            let pause = (format != RowFormat::Delimited).then(|| alive::pause(&weir));
            print::response(lines, pause)
        }
        Err(QueryFailure {
            error,
            prepared: false,
        }) => respond::failed(&error, Some(JSON)),
        Err(QueryFailure {
            error,
            prepared: true,
        }) => respond::failed_chunked(&error),
    }
}

/// `POST /query-stream`
pub(crate) async fn query_stream(State(weir): State<Arc<Weir>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some(format) = row_format(&parts.headers, Endpoint::QueryStream) else {
        return respond::not_found().await;
    };
    if parts.version == Version::HTTP_10 {
        return respond::failed(&http_10(), None);
    }
    let body = match request::read(body).await {
        Ok(body) => body,
        Err(error) => return unreadable(&error),
    };
    let request = match request::query_stream_request(&body, parts.version) {
        Ok(request) => request,
        Err(error) => return respond::failed_chunked(&error),
    };
    let host = source_host(&weir, &request.request_properties);
    let request = QueryRequest {
        sql: request.sql,
        properties: request.properties,
        variables: request.session_variables,
        request_properties: request.request_properties,
        endpoint: Endpoint::QueryStream,
        command_sequence_number: None,
    };
    match weir.query(request).await {
        Ok(Answer::Rows(rows)) => rows_response(rows, format, host),
        Ok(Answer::Print(lines)) if format == RowFormat::Delimited => print::response(lines, None),
        Ok(Answer::Print(_)) => respond::response(406, None, Body::empty()),
        Err(failure) => respond::failed_chunked(&failure.error),
    }
}

/// `POST /close-query`
pub(crate) async fn close_query(State(weir): State<Arc<Weir>>, request: Request) -> Response {
    let version = request.version();
    let body = match request::read(request.into_body()).await {
        Ok(body) => body,
        Err(error) => return unreadable(&error),
    };
    let id = match request::close_query_request(&body, version) {
        Ok(id) => id,
        Err(error) => return respond::failed(&error, None),
    };
    if weir.close_query(&id) {
        respond::response(200, None, Body::empty())
    } else {
        let message = format!("No query with id {id}");
        respond::failed(&ApiError::generic(ErrorCode::BadRequest, message), None)
    }
}

/// Whether the server or the request asks for the writer of before `/query-stream`:
/// `ksql.endpoint.migrate.query=false` (spec §4.1).
fn is_older_writer(weir: &Weir, request: &KsqlRequest) -> bool {
    const NAME: &str = "ksql.endpoint.migrate.query";
    match request.streams_properties.get(NAME) {
        Some(Value::Bool(migrated)) => !migrated,
        Some(Value::String(text)) => text.eq_ignore_ascii_case("false"),
        _ => weir
            .property(NAME)
            .is_some_and(|text| text.eq_ignore_ascii_case("false")),
    }
}

/// Who had the rows of a pull query, where the request is one for debugging (spec §4.2).
fn source_host(weir: &Weir, request_properties: &IndexMap<String, Value>) -> Option<String> {
    let debugs = match request_properties.get("request.ksql.debug.request")? {
        Value::Bool(debugs) => *debugs,
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        _ => false,
    };
    debugs.then(|| weir.host().to_owned())
}

fn http_10() -> ApiError {
    ApiError::generic(ErrorCode::BadRequest, "Queries need HTTP/1.1 or HTTP/2")
}

fn rows_response(rows: RowStream, format: RowFormat, source_host: Option<String>) -> Response {
    let mut writer = RowWriter::new(&rows, format);
    writer.source_host = source_host.filter(|_| rows.kind == QueryKind::PullTable);
    if format == RowFormat::Protobuf {
        let Some(schema) = RowSchema::new(&rows.columns) else {
            let message = "Protobuf has no ARRAY of ARRAY. Ask for another format of rows, or \
                           select the elements.";
            let error = ApiError::generic(ErrorCode::BadRequest, message);
            return respond::failed_chunked(&error);
        };
        writer.messages = Some(schema);
    }
    let body = Body::from_stream(written(rows, writer));
    respond::response(200, Some(format.content_type()), body)
}

/// The chunks of a response: header, rows, end.
fn chunks(rows: RowStream, format: RowFormat) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let writer = RowWriter::new(&rows, format);
    written(rows, writer)
}

/// See [`chunks`].
fn written(
    rows: RowStream,
    mut writer: RowWriter,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let first = writer.header(&rows);
    let state = (rows, writer, Some(first), false);
    futures::stream::unfold(state, |(mut rows, mut writer, pending, ended)| async move {
        if let Some(chunk) = pending
            && !writer.holds_back()
        {
            return Some((futures::stream::iter(chunk), (rows, writer, None, ended)));
        }
        if ended {
            return None;
        }
        let mut out = Vec::new();
        let mut ended = false;
        match rows.rows.recv().await {
            Some(RowEvent::Rows { batch, tombstones }) => {
                for row in 0..batch.num_rows() {
                    let tombstone = tombstones.get(row).copied().unwrap_or(false);
                    writer.row(batch.columns(), row, tombstone, &mut out);
                }
            }
            Some(RowEvent::Failed(error)) => {
                writer.failed(&error, &mut out);
                ended = true;
            }
            Some(RowEvent::End(reason)) => {
                writer.end(Some(reason), &mut out);
                ended = true;
            }
            None => {
                writer.end(None, &mut out);
                ended = true;
            }
        }
        Some((futures::stream::iter(out), (rows, writer, None, ended)))
    })
    .flatten_chunks()
}

/// Flattens a stream of groups of chunks.
trait FlattenChunks: Stream + Sized {
    fn flatten_chunks(self) -> impl Stream<Item = Result<Bytes, Infallible>>
    where
        Self: Stream<Item = futures::stream::Iter<std::vec::IntoIter<String>>>,
    {
        use futures::StreamExt;
        self.flatten().map(|text| Ok(Bytes::from(text)))
    }
}

impl<S: Stream> FlattenChunks for S {}

/// Writes one answer in one format.
struct RowWriter {
    format: RowFormat,
    kind: QueryKind,
    /// A pull query over a table is written at once: its text so far.
    held: String,
    /// The message that each row of a StreamedRow array is, if rows are Protobuf.
    messages: Option<RowSchema>,
    /// The `sourceHost` of each row of a StreamedRow array.
    source_host: Option<String>,
}

impl RowWriter {
    fn new(rows: &RowStream, format: RowFormat) -> Self {
        Self {
            format,
            kind: rows.kind,
            held: String::new(),
            messages: None,
            source_host: None,
        }
    }

    /// A small table pull in a StreamedRow array goes out as one chunk (spec §4.2).
    fn holds_back(&self) -> bool {
        let is_array = matches!(self.format, RowFormat::Streamed | RowFormat::Protobuf);
        self.kind == QueryKind::PullTable && is_array
    }

    /// Flush of a held answer, bytes (spec §4.2).
    const FLUSH: usize = 5 * 1024;

    fn header(&mut self, rows: &RowStream) -> Vec<String> {
        let mut text = String::new();
        match self.format {
            RowFormat::Streamed | RowFormat::Protobuf => {
                text.push_str("[{\"header\":{\"queryId\":");
                write_string(&rows.query_id, &mut text);
                text.push_str(",\"schema\":");
                write_string(&schema_text(&rows.columns), &mut text);
                if let Some(schema) = &self.messages {
                    text.push_str(",\"protoSchema\":");
                    write_string(&schema.definition(), &mut text);
                }
                text.push_str("}}");
                if self.holds_back() {
                    self.held = text;
                    return Vec::new();
                }
                text.push_str(",\n");
            }
            RowFormat::Delimited | RowFormat::JsonArray => {
                if self.format == RowFormat::JsonArray {
                    text.push('[');
                }
                metadata(rows, &mut text);
                if self.format == RowFormat::Delimited {
                    text.push('\n');
                }
            }
        }
        vec![text]
    }

    fn row(
        &mut self,
        columns: &[arrow::array::ArrayRef],
        row: usize,
        tombstone: bool,
        out: &mut Vec<String>,
    ) {
        let mut text = String::with_capacity(64);
        match self.format {
            RowFormat::Streamed | RowFormat::Protobuf => {
                if self.holds_back() {
                    self.held.push_str(",\n");
                }
                match &self.messages {
                    Some(schema) if !tombstone => {
                        text.push_str("{\"row\":{\"protobufBytes\":\"");
                        STANDARD.encode_string(schema.message(columns, row), &mut text);
                        text.push_str("\"}");
                    }
                    _ => {
                        text.push_str("{\"row\":{\"columns\":");
                        write_row(columns, row, &mut text);
                        text.push_str(if tombstone {
                            ",\"tombstone\":true}"
                        } else {
                            "}"
                        });
                    }
                }
                if let Some(host) = &self.source_host {
                    text.push_str(",\"sourceHost\":");
                    write_string(host, &mut text);
                }
                text.push('}');
                if self.holds_back() {
                    self.held.push_str(&text);
                    if self.held.len() >= Self::FLUSH {
                        out.push(std::mem::take(&mut self.held));
                    }
                    return;
                }
                text.push_str(",\n");
            }
            // Tombstones do not reach these formats.
            RowFormat::Delimited | RowFormat::JsonArray if tombstone => return,
            RowFormat::Delimited => {
                write_row(columns, row, &mut text);
                text.push('\n');
            }
            RowFormat::JsonArray => {
                text.push(',');
                write_row(columns, row, &mut text);
            }
        }
        out.push(text);
    }

    fn failed(&mut self, error: &ApiError, out: &mut Vec<String>) {
        let text = respond::error_text(error);
        match self.format {
            RowFormat::Streamed | RowFormat::Protobuf => {
                let mut held = std::mem::take(&mut self.held);
                if self.holds_back() {
                    held.push_str(",\n");
                }
                out.push(format!("{held}{{\"errorMessage\":{text}}}"));
                out.push("]".to_owned());
            }
            RowFormat::Delimited => out.push(format!("{text}\n")),
            RowFormat::JsonArray => {
                out.push(format!(",{text}"));
                out.push("]".to_owned());
            }
        }
    }

    fn end(&mut self, reason: Option<weir_catalog::EndReason>, out: &mut Vec<String>) {
        match self.format {
            RowFormat::Streamed | RowFormat::Protobuf if self.holds_back() => {
                let mut text = std::mem::take(&mut self.held);
                text.push(']');
                out.push(text);
            }
            RowFormat::Streamed | RowFormat::Protobuf => {
                let message = match reason {
                    Some(weir_catalog::EndReason::Limit) => "Limit Reached",
                    _ => "Query Completed",
                };
                out.push(format!("{{\"finalMessage\":\"{message}\"}}"));
                out.push("]".to_owned());
            }
            RowFormat::Delimited => {}
            RowFormat::JsonArray => out.push("]".to_owned()),
        }
    }
}

/// ``` `ID` INTEGER KEY, `V` STRING```, roles as the catalog marked them. ksqlDB names header columns
/// before values here, although the rows hold them in declared order.
fn schema_text(columns: &[Column]) -> String {
    let mut columns = columns.to_vec();
    let of_header = |c: &Column| matches!(c.role, ColumnRole::Headers | ColumnRole::Header(_));
    if columns.iter().any(of_header) {
        columns.sort_by_key(|column| match column.role {
            ColumnRole::Key => 0,
            ColumnRole::Headers | ColumnRole::Header(_) => 1,
            ColumnRole::Value => 2,
        });
    }
    weir_types::Schema::new(columns).to_string()
}

/// `{"queryId":…,"columnNames":[…],"columnTypes":[…]}`
fn metadata(rows: &RowStream, out: &mut String) {
    out.push_str("{\"queryId\":");
    write_string(&rows.query_id, out);
    out.push_str(",\"columnNames\":[");
    list(rows.columns.iter().map(|c| c.name.clone()), out);
    out.push_str("],\"columnTypes\":[");
    list(rows.columns.iter().map(|c| c.sql_type.to_string()), out);
    out.push_str("]}");
}

fn list(items: impl Iterator<Item = String>, out: &mut String) {
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_string(&item, out);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int32Array};
    use weir_types::SqlType;

    use super::*;

    fn row(writer: &mut RowWriter, tombstone: bool) -> String {
        let column: ArrayRef = Arc::new(Int32Array::from(vec![7]));
        let mut out = Vec::new();
        writer.row(&[column], 0, tombstone, &mut out);
        out.concat()
    }

    /// A row and the end.
    fn whole(mut writer: RowWriter) -> String {
        let mut out = vec![row(&mut writer, false)];
        writer.end(None, &mut out);
        out.concat()
    }

    #[test]
    fn rows_of_a_streamed_row_array_take_what_the_request_asks_for() {
        let mut writer = RowWriter {
            format: RowFormat::Streamed,
            kind: QueryKind::Push,
            held: String::new(),
            messages: None,
            source_host: None,
        };
        assert_eq!(row(&mut writer, false), "{\"row\":{\"columns\":[7]}},\n");
        let tombstone = "{\"row\":{\"columns\":[7],\"tombstone\":true}},\n";
        assert_eq!(row(&mut writer, true), tombstone);
        writer.messages = RowSchema::new(&[Column::value("ID", SqlType::Integer)]);
        let message = "{\"row\":{\"protobufBytes\":\"CAc=\"}},\n";
        assert_eq!(row(&mut writer, false), message);
        assert_eq!(row(&mut writer, true), tombstone);
        writer.messages = None;
        writer.source_host = Some("h1:8088".to_owned());
        let pulled = RowWriter {
            format: RowFormat::Protobuf,
            kind: QueryKind::PullTable,
            held: "[{}".to_owned(),
            messages: RowSchema::new(&[Column::value("ID", SqlType::Integer)]),
            source_host: None,
        };
        assert_eq!(
            whole(pulled),
            "[{},\n{\"row\":{\"protobufBytes\":\"CAc=\"}}]"
        );
        let of_host = "{\"row\":{\"columns\":[7]},\"sourceHost\":\"h1:8088\"},\n";
        assert_eq!(row(&mut writer, false), of_host);
    }
}
