//! `POST /query`, `/query-stream`, `/close-query` (spec/api.md §4).
//!
//! ```text
//!  request ─► Weir::query ─► RowStream ─► RowWriter ─► one chunk per row
//! ```

use std::convert::Infallible;
use std::sync::Arc;

use arrow::array::RecordBatch;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Version};
use axum::response::Response;
use futures::Stream;
use indexmap::IndexMap;
use serde_json::Value;
use weir_catalog::{
    Answer, Endpoint, QueryFailure, QueryKind, QueryRequest, RowEvent, RowStream, Weir,
};
use weir_protocol::{ApiError, KsqlRequest};
use weir_types::ErrorCode;

use crate::alive::{self, kept_alive};
use crate::print;
use crate::proto_row::RowSchema;
use crate::request;
use crate::respond::{self, DELIMITED, JSON, KSQL_V1, KSQL_V1_PROTOBUF};
use crate::rows::{Cells, RowFormat, RowWriter};
use crate::statements::unreadable;

/// The format that `Accept` asks for (spec §4.1); `None`: nothing fits.
pub(crate) fn row_format(headers: &HeaderMap, endpoint: Endpoint) -> Option<RowFormat> {
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

/// Whether `/query` answers as `/query-stream` does.
const MIGRATE: &str = "ksql.endpoint.migrate.query";

/// Whether the server or the request asks for the writer of before `/query-stream`:
/// `ksql.endpoint.migrate.query=false` (spec §4.1).
fn is_older_writer(weir: &Weir, request: &KsqlRequest) -> bool {
    match request.streams_properties.get(MIGRATE) {
        Some(Value::Bool(migrated)) => !migrated,
        Some(Value::String(text)) => text.eq_ignore_ascii_case("false"),
        _ => is_older(weir),
    }
}

/// See [`is_older_writer`], of the server alone.
pub(crate) fn is_older(weir: &Weir) -> bool {
    weir.property(MIGRATE)
        .is_some_and(|text| text.eq_ignore_ascii_case("false"))
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
    let mut writer = RowWriter::new(rows.kind, format);
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
    let writer = RowWriter::new(rows.kind, format);
    written(rows, writer)
}

/// Rows that are written before others on the same thread get a turn.
const TURN: usize = 500;

/// See [`chunks`].
fn written(rows: RowStream, writer: RowWriter) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let state = Writing {
        rows,
        writer,
        begun: false,
        left: None,
        ended: false,
    };
    futures::stream::unfold(state, |mut state| async move {
        let chunks = state.next().await?;
        Some((futures::stream::iter(chunks), state))
    })
    .flatten_chunks()
}

/// An answer that is being written.
struct Writing {
    rows: RowStream,
    writer: RowWriter,
    begun: bool,
    /// Rows of which some are written: the batch, which are tombstones, the next one.
    left: Option<(RecordBatch, Vec<bool>, usize)>,
    ended: bool,
}

impl Writing {
    /// The next chunks, perhaps none yet; `None`: the answer is whole.
    async fn next(&mut self) -> Option<Vec<String>> {
        let mut out = Vec::new();
        if !self.begun {
            self.begun = true;
            let mut first = String::new();
            let RowStream {
                query_id, columns, ..
            } = &self.rows;
            self.writer.header(query_id, columns, &mut first);
            if !first.is_empty() {
                return Some(vec![first]);
            }
        }
        if self.ended {
            return None;
        }
        if let Some((batch, tombstones, from)) = self.left.take() {
            tokio::task::yield_now().await;
            self.write(batch, tombstones, from, &mut out);
            return Some(out);
        }
        match self.rows.rows.recv().await {
            Some(RowEvent::Rows { batch, tombstones }) => {
                self.write(batch, tombstones, 0, &mut out);
            }
            Some(RowEvent::Failed(error)) => {
                self.writer.failed(&error, &mut out);
                self.ended = true;
            }
            Some(RowEvent::End(reason)) => {
                self.writer.end(Some(reason), &mut out);
                self.ended = true;
            }
            None => {
                self.writer.end(None, &mut out);
                self.ended = true;
            }
        }
        Some(out)
    }

    /// Writes rows of a batch, up to a turn.
    fn write(
        &mut self,
        batch: RecordBatch,
        tombstones: Vec<bool>,
        from: usize,
        out: &mut Vec<String>,
    ) {
        let to = batch.num_rows().min(from.saturating_add(TURN));
        for row in from..to {
            let tombstone = tombstones.get(row).copied().unwrap_or(false);
            let mut text = String::with_capacity(64);
            let cells = Cells::Columns(batch.columns(), row);
            self.writer.row(cells, tombstone, &mut text);
            if !text.is_empty() {
                out.push(text);
            }
        }
        if to < batch.num_rows() {
            self.left = Some((batch, tombstones, to));
        }
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
    use futures::StreamExt;
    use tokio::sync::mpsc;
    use weir_catalog::{EndReason, LookupRows, Scalar};
    use weir_types::{Column, SqlType};

    use super::*;
    use crate::rows::Whole;

    fn columns() -> Vec<Column> {
        vec![
            Column::key("ID", SqlType::Integer),
            Column::value("V", SqlType::String),
        ]
    }

    fn batch(rows: usize) -> RecordBatch {
        let ids: ArrayRef = Arc::new(Int32Array::from_iter_values(0..rows as i32));
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a long enough \"text\""; rows]));
        RecordBatch::try_from_iter([("ID", ids), ("V", texts)]).unwrap()
    }

    /// The chunks of a pull query over a table.
    async fn streamed(rows: usize, format: RowFormat) -> Vec<String> {
        let (sender, receiver) = mpsc::channel(2);
        let tombstones = Vec::new();
        let batch = batch(rows);
        let event = RowEvent::Rows { batch, tombstones };
        sender.send(event).await.unwrap();
        let end = RowEvent::End(EndReason::Completed);
        sender.send(end).await.unwrap();
        let stream = RowStream {
            query_id: "query_1".to_owned(),
            kind: QueryKind::PullTable,
            columns: columns(),
            rows: receiver,
            guard: Box::new(()),
        };
        let chunks: Vec<_> = chunks(stream, format).collect().await;
        let text = |chunk: Bytes| String::from_utf8(chunk.to_vec()).unwrap();
        chunks
            .into_iter()
            .map(|chunk| text(chunk.unwrap()))
            .collect()
    }

    fn whole(rows: &LookupRows, format: RowFormat) -> Vec<String> {
        let whole = Whole::of("query_1", &columns(), rows, format);
        let begins = std::iter::once(0).chain(whole.ends.iter().copied());
        let chunks = begins.zip(&whole.ends);
        chunks
            .map(|(begin, end)| whole.text[begin..*end].to_owned())
            .collect()
    }

    #[tokio::test]
    async fn a_lookup_has_the_chunks_of_a_stream_of_its_rows() {
        for format in [
            RowFormat::Streamed,
            RowFormat::Delimited,
            RowFormat::JsonArray,
        ] {
            // None, one, and more than a held answer has at once.
            for rows in [0, 1, 300] {
                let expected = streamed(rows, format).await;
                let of_columns = LookupRows::Columns(batch(rows).columns().to_vec(), rows);
                assert_eq!(whole(&of_columns, format), expected, "{format:?} {rows}");
                if rows < 2 {
                    let row = vec![
                        Scalar::Int32(0),
                        Scalar::Utf8("a long enough \"text\"".into()),
                    ];
                    let one = LookupRows::One((rows == 1).then_some(row));
                    assert_eq!(whole(&one, format), expected, "{format:?} {rows}");
                }
            }
        }
    }

    #[tokio::test]
    async fn rows_of_many_turns_are_all_written() {
        let rows = 2 * TURN + 1;
        let chunks = streamed(rows, RowFormat::Delimited).await;
        assert_eq!(chunks.len(), rows + 1);
        let last = format!("[{},\"a long enough \\\"text\\\"\"]\n", rows - 1);
        assert_eq!(chunks.last(), Some(&last));
    }
}
