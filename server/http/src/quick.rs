//! Pull queries by key, answered before a request is routed.
//!
//! ```text
//!  POST /query, /query-stream ─► {"sql": …} and nothing else ─► Weir::look_up ─► rows, all at once
//!         └ anything else, or nothing known ─► the routes, with the body as it came
//! ```
//!
//! Such queries are the most frequent ones by far, and small: routing, a channel for rows and a
//! stream of chunks would each cost as much as the lookup.
//!
//! Invariant: the body is byte for byte that of the routes, its chunks included.

use std::borrow::Cow;
use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::{ORIGIN, UPGRADE};
use axum::http::{Method, Version};
use axum::response::Response;
use http_body::Frame;
use http_body_util::BodyExt;
use serde::Deserialize;
use serde::de::IgnoredAny;
use weir_catalog::{Endpoint, Weir};

use crate::rows::{RowFormat, Whole};
use crate::{query, respond};

/// Longest body that is looked at, bytes.
const LONGEST: u64 = 4096;

/// What is known of a request that may be such a query, from its head alone.
pub(crate) struct Candidate {
    endpoint: Endpoint,
    format: RowFormat,
}

/// Whether a request may be such a query: if not, its body is not to be touched here.
pub(crate) fn candidate<B: HttpBody>(
    weir: &Weir,
    request: &axum::http::Request<B>,
) -> Option<Candidate> {
    let endpoint = match request.uri().path() {
        "/query-stream" => Endpoint::QueryStream,
        "/query" => Endpoint::Query,
        _ => return None,
    };
    let headers = request.headers();
    let plain = request.method() == Method::POST
        && request.version() >= Version::HTTP_11
        && !headers.contains_key(ORIGIN)
        && !headers.contains_key(UPGRADE)
        && request
            .body()
            .size_hint()
            .exact()
            .is_some_and(|length| length <= LONGEST)
        && weir.not_ready().is_none()
        && (endpoint != Endpoint::Query || !query::is_older(weir));
    let format = query::row_format(headers, endpoint).filter(|_| plain)?;
    (format != RowFormat::Protobuf).then_some(Candidate { endpoint, format })
}

/// Answers a request, or gives it back for the routes.
pub(crate) async fn answer(
    weir: &Weir,
    candidate: Candidate,
    request: hyper::Request<hyper::body::Incoming>,
) -> Result<Response, Request> {
    let (parts, mut body) = request.into_parts();
    let mut whole = Bytes::new();
    while let Some(frame) = body.frame().await {
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) if whole.is_empty() => whole = data,
            Ok(Ok(data)) => whole = Bytes::from([whole, data].concat()),
            // Trailers.
            Ok(Err(_)) => {}
            // The client went away or broke the protocol: as the routes see it.
            Err(error) => return Err(Request::from_parts(parts, broken(error))),
        }
    }
    match lookup(weir, &candidate, &whole) {
        Some(response) => Ok(response),
        None => Err(Request::from_parts(parts, Body::from(whole))),
    }
}

/// A body that fails when it is read.
fn broken(error: hyper::Error) -> Body {
    Body::from_stream(futures::stream::once(async move { Err::<Bytes, _>(error) }))
}

fn lookup(weir: &Weir, candidate: &Candidate, body: &[u8]) -> Option<Response> {
    let Candidate { endpoint, format } = candidate;
    let found = weir.look_up(&statement(*endpoint, body)?)?;
    // Whatever happened while the body came.
    if weir.not_ready().is_some() {
        return None;
    }
    let whole = Whole::of(&found.query_id, found.columns(), &found.rows, *format);
    let body = Body::new(Chunks {
        text: Bytes::from(whole.text),
        ends: whole.ends.into_iter(),
        at: 0,
    });
    Some(respond::response(200, Some(format.content_type()), body))
}

/// What a request may hold: a statement, and nothing that changes what it means.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Members<'a> {
    #[serde(borrow)]
    sql: Option<Text<'a>>,
    #[serde(borrow)]
    ksql: Option<Text<'a>>,
    properties: Option<HashMap<String, IgnoredAny>>,
    streams_properties: Option<HashMap<String, IgnoredAny>>,
    session_variables: Option<HashMap<String, IgnoredAny>>,
    request_properties: Option<HashMap<String, IgnoredAny>>,
}

/// A text that is borrowed where it has no escapes; serde borrows no `Option<Cow>`.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The statement of a request that holds nothing else. `None`: the request is to be read in full.
fn statement(endpoint: Endpoint, body: &[u8]) -> Option<Cow<'_, str>> {
    let members: Members<'_> = serde_json::from_slice(body).ok()?;
    let sets = [
        members.properties,
        members.streams_properties,
        members.session_variables,
        members.request_properties,
    ];
    if sets.iter().flatten().any(|set| !set.is_empty()) {
        return None;
    }
    match (endpoint, members.sql, members.ksql) {
        (Endpoint::QueryStream, Some(sql), None) | (Endpoint::Query, None, Some(sql)) => {
            Some(sql.0)
        }
        _ => None,
    }
}

/// A body in chunks that are all there, as that of every answer with rows.
struct Chunks {
    text: Bytes,
    ends: std::vec::IntoIter<usize>,
    /// Where the next one begins.
    at: usize,
}

impl HttpBody for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(end) = self.ends.next() else {
            return Poll::Ready(None);
        };
        let begin = std::mem::replace(&mut self.at, end);
        Poll::Ready(Some(Ok(Frame::data(self.text.slice(begin..end)))))
    }

    fn is_end_stream(&self) -> bool {
        self.ends.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_of_requests_that_set_nothing() {
        for (endpoint, body, expected) in [
            (Endpoint::QueryStream, r#"{"sql":"S"}"#, Some("S")),
            (
                Endpoint::QueryStream,
                r#"{"properties":{},"sql":"a\nb","sessionVariables":null}"#,
                Some("a\nb"),
            ),
            (
                Endpoint::Query,
                r#" {"ksql":"S","streamsProperties":{},"requestProperties":{}} "#,
                Some("S"),
            ),
            (Endpoint::QueryStream, r#"{"ksql":"S"}"#, None),
            (Endpoint::Query, r#"{"sql":"S"}"#, None),
            (Endpoint::Query, r#"{"sql":"S","ksql":"S"}"#, None),
            (Endpoint::QueryStream, r#"{"sql":null}"#, None),
            (Endpoint::QueryStream, r#"{"sql":1}"#, None),
            (Endpoint::QueryStream, r#"{"sql":"S","sql":"T"}"#, None),
            (
                Endpoint::QueryStream,
                r#"{"sql":"S","properties":{"a":1}}"#,
                None,
            ),
            (
                Endpoint::QueryStream,
                r#"{"sql":"S","properties":[]}"#,
                None,
            ),
            (
                Endpoint::Query,
                r#"{"ksql":"S","commandSequenceNumber":1}"#,
                None,
            ),
            (Endpoint::Query, r#"{"ksql":"S"} {}"#, None),
            (Endpoint::Query, "", None),
        ] {
            let found = statement(endpoint, body.as_bytes());
            assert_eq!(found.as_deref(), expected, "{body}");
        }
    }
}
