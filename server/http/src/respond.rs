//! Responses that several routes share, and what `Accept` asks for.

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;
use weir_protocol::ApiError;
use weir_types::ErrorCode;

/// Plain endpoints and errors of `/ksql`.
pub(crate) const JSON: &str = "application/json";
/// StreamedRow arrays.
pub(crate) const KSQL_V1: &str = "application/vnd.ksql.v1+json";
/// The same with rows as Protobuf messages.
pub(crate) const KSQL_V1_PROTOBUF: &str = "application/vnd.ksql.v1+protobuf";
/// Metadata line and row lines.
pub(crate) const DELIMITED: &str = "application/vnd.ksqlapi.delimited.v1";

/// A response of these parts.
pub(crate) fn response(status: u16, content_type: Option<&'static str>, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(content_type) = content_type {
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    response
}

/// 200 with a JSON body.
pub(crate) fn json<T: Serialize>(value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => response(200, Some(JSON), Body::from(bytes)),
        Err(error) => failed(
            &ApiError::generic(ErrorCode::ServerError, error.to_string()),
            Some(JSON),
        ),
    }
}

/// Text of an error body.
pub(crate) fn error_text(error: &ApiError) -> String {
    serde_json::to_string(error).unwrap_or_default()
}

/// An error of known length.
pub(crate) fn failed(error: &ApiError, content_type: Option<&'static str>) -> Response {
    response(
        error.http_status(),
        content_type,
        Body::from(error_text(error)),
    )
}

/// An error as the streaming endpoints send it: chunked, without a content type.
pub(crate) fn failed_chunked(error: &ApiError) -> Response {
    let text = error_text(error);
    let chunk = futures::stream::once(async move { Ok::<_, std::convert::Infallible>(text) });
    response(error.http_status(), None, Body::from_stream(chunk))
}

/// 503 with a hint when to come again.
pub(crate) fn unavailable(error: &ApiError) -> Response {
    let mut response = failed(error, Some(JSON));
    if error.code == ErrorCode::NotReady {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("10"));
    }
    response
}

/// 404 as plain text without a content type.
pub(crate) async fn not_found() -> Response {
    response(404, None, Body::from("Not Found"))
}

/// The media types that `Accept` names, without parameters, the most wanted first: by `q`, then
/// exact types before wildcards, as Vert.x orders them; `None` if the header is absent.
pub(crate) fn accepted(headers: &HeaderMap) -> Option<Vec<String>> {
    let mut types = Vec::new();
    for value in headers.get_all(ACCEPT) {
        let text = value.to_str().unwrap_or_default();
        types.extend(text.split(',').map(media_type));
    }
    types.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    (!types.is_empty()).then(|| types.into_iter().map(|(_, name)| name).collect())
}

/// A media type of `Accept` with its weight.
fn media_type(text: &str) -> (u32, String) {
    let mut parts = text.split(';');
    let name = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    let quality = parts
        .filter_map(|parameter| parameter.trim().strip_prefix("q=")?.parse::<f32>().ok())
        .next()
        .unwrap_or(1.0);
    let exact = match name.split_once('/') {
        Some(("*", "*")) => 0,
        Some((_, "*")) => 1,
        _ => 3,
    };
    ((quality.clamp(0.0, 1.0) * 1000.0) as u32 + exact, name)
}

/// Whether one of the accepted types covers `offered`.
pub(crate) fn covers(accepted: &str, offered: &str) -> bool {
    if accepted == "*/*" || accepted == offered {
        return true;
    }
    match (accepted.strip_suffix("/*"), offered.split_once('/')) {
        (Some(kind), Some((offered_kind, _))) => kind == offered_kind,
        _ => false,
    }
}

/// Whether plain JSON may be answered.
pub(crate) fn accepts_json(headers: &HeaderMap) -> bool {
    accepted(headers)
        .is_none_or(|types| types.iter().any(|t| covers(t, JSON) || covers(t, KSQL_V1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(accept: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        headers
    }

    #[test]
    fn accept_rules() {
        assert!(accepts_json(&HeaderMap::new()));
        assert!(accepts_json(&headers("application/json; charset=utf-8")));
        assert!(accepts_json(&headers("application/*")));
        assert!(accepts_json(&headers(
            "text/html, application/json;q=0.9, */*;q=0.1"
        )));
        assert!(!accepts_json(&headers("text/html")));
        let order = |accept| accepted(&headers(accept)).unwrap_or_default();
        assert_eq!(
            order("*/*, text/*;q=0.9, a/b;q=0.9, c/d; q=0.95, e/f"),
            ["e/f", "*/*", "c/d", "a/b", "text/*"]
        );
        assert!(!accepts_json(&headers(DELIMITED)));
    }
}
