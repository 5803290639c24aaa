//! Reading request bodies as ksqlDB does (spec/api.md §0 rule 8): the first JSON value counts,
//! unknown members are ignored, null means absent, scalars are coerced.

use axum::body::Body;
use axum::http::Version;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use indexmap::IndexMap;
use serde_json::Value;
use weir_protocol::{ApiError, InsertsTarget, KsqlRequest, QueryStreamRequest};
use weir_types::ErrorCode;

/// Largest request body in bytes.
pub(crate) const MAX_BODY: usize = 10 * 1024 * 1024;

/// Why a body cannot be had.
pub(crate) enum BodyError {
    /// More than [`MAX_BODY`]: 413, empty.
    TooLarge,
    /// The client went away or broke the protocol.
    Broken,
}

/// The whole body.
pub(crate) async fn read(body: Body) -> Result<Vec<u8>, BodyError> {
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(collected) => Ok(collected.to_bytes().to_vec()),
        Err(error) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge),
        Err(_) => Err(BodyError::Broken),
    }
}

/// One more than the largest number of 64 bits.
const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

type Members = serde_json::Map<String, Value>;

fn invalid(message: impl std::fmt::Display) -> ApiError {
    ApiError::generic(
        ErrorCode::BadRequest,
        format!("Invalid JSON in request: {message}"),
    )
}

fn undecodable() -> ApiError {
    ApiError::generic(ErrorCode::ServerError, "Failed to deserialize buffer")
}

/// The members of the first JSON value in `body`; a byte order mark before it does not count.
fn members(body: &[u8], version: Version) -> Result<Members, ApiError> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(if body.is_empty() && version < Version::HTTP_2 {
            ApiError::generic(ErrorCode::ServerError, "The request has no body")
        } else {
            invalid("No content to map due to end-of-input")
        });
    }
    let first = serde_json::Deserializer::from_slice(body)
        .into_iter::<Value>()
        .next();
    match first {
        Some(Ok(Value::Object(members))) => Ok(members),
        Some(Ok(Value::Null)) => Err(undecodable()),
        Some(Ok(other)) => Err(invalid(format!(
            "expected an object, got {}",
            described(&other)
        ))),
        Some(Err(error)) => Err(invalid(error)),
        None => Err(invalid("No content to map due to end-of-input")),
    }
}

/// What a message calls a value; long ones by their kind.
fn described(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => format!("the boolean {value}"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// A text member; scalars become their text, null and absence `None`.
fn text(members: &mut Members, name: &str) -> Result<Option<String>, ApiError> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(Value::Bool(value)) => Ok(Some(value.to_string())),
        Some(other) => Err(invalid(format!(
            "member \"{name}\": expected a string, got {}",
            described(&other)
        ))),
    }
}

/// An object member; null and absence give an empty one.
fn object(members: &mut Members, name: &str) -> Result<IndexMap<String, Value>, ApiError> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(IndexMap::new()),
        Some(Value::Object(map)) => Ok(map.into_iter().collect()),
        Some(other) => Err(invalid(format!(
            "member \"{name}\": expected an object, got {}",
            described(&other)
        ))),
    }
}

/// Property overrides: like [`object`], but a null value inside is refused.
fn overrides(members: &mut Members, name: &str) -> Result<IndexMap<String, Value>, ApiError> {
    let map = object(members, name)?;
    if map.values().any(Value::is_null) {
        return Err(undecodable());
    }
    Ok(map)
}

/// A whole number of 64 bits: fractions are cut, texts must be whole numbers, blank ones are none.
fn whole_number(members: &mut Members, name: &str) -> Result<Option<i64>, ApiError> {
    let refused =
        |value: &Value| invalid(format!("member \"{name}\": not a whole number: {value}"));
    match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => {
            let fits = |v: &f64| (-TWO_TO_63..TWO_TO_63).contains(v);
            let cut = || number.as_f64().filter(fits).map(|v| v as i64);
            let whole = number.as_i64().or_else(cut);
            whole
                .map(Some)
                .ok_or_else(|| refused(&Value::Number(number)))
        }
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => match text.trim().parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(refused(&Value::String(text))),
        },
        Some(other) => Err(refused(&other)),
    }
}

/// Body of `/ksql` and `/query`.
pub(crate) fn ksql_request(body: &[u8], version: Version) -> Result<KsqlRequest, ApiError> {
    let mut members = members(body, version)?;
    Ok(KsqlRequest {
        ksql: text(&mut members, "ksql")?.unwrap_or_default(),
        streams_properties: overrides(&mut members, "streamsProperties")?,
        session_variables: object(&mut members, "sessionVariables")?,
        request_properties: object(&mut members, "requestProperties")?,
        command_sequence_number: whole_number(&mut members, "commandSequenceNumber")?,
    })
}

/// Body of `/query-stream`.
pub(crate) fn query_stream_request(
    body: &[u8],
    version: Version,
) -> Result<QueryStreamRequest, ApiError> {
    let mut members = members(body, version)?;
    let sql = required(&mut members, "sql")?;
    Ok(QueryStreamRequest {
        sql,
        properties: overrides(&mut members, "properties")?,
        session_variables: object(&mut members, "sessionVariables")?,
        request_properties: object(&mut members, "requestProperties")?,
    })
}

/// A text member that must be there and not be null.
fn required(members: &mut Members, name: &str) -> Result<String, ApiError> {
    if !members.contains_key(name) {
        return Err(invalid(format!("Missing required member '{name}'")));
    }
    text(members, name)?.ok_or_else(undecodable)
}

/// Body of `/close-query`.
pub(crate) fn close_query_request(body: &[u8], version: Version) -> Result<String, ApiError> {
    let mut members = members(body, version)?;
    required(&mut members, "queryId")
}

/// First line of `/inserts-stream`.
pub(crate) fn inserts_target(line: &[u8]) -> Result<InsertsTarget, ApiError> {
    let mut members = members(line, Version::HTTP_2)?;
    Ok(InsertsTarget {
        target: required(&mut members, "target")?,
        properties: object(&mut members, "properties")?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn first_value_counts_and_scalars_are_coerced() {
        let body = br#"{"ksql":1,"commandSequenceNumber":"7","unknown":[]} trailing"#;
        let request = ksql_request(body, Version::HTTP_11).unwrap();
        assert_eq!(request.ksql, "1");
        assert_eq!(request.command_sequence_number, Some(7));
        let body = br#"{"ksql":null,"streamsProperties":null,"commandSequenceNumber":7.5}"#;
        let request = ksql_request(body, Version::HTTP_11).unwrap();
        assert_eq!(request.ksql, "");
        assert_eq!(request.command_sequence_number, Some(7));
        let body = b"\xEF\xBB\xBF{\"commandSequenceNumber\":\" \"}";
        let request = ksql_request(body, Version::HTTP_11).unwrap();
        assert_eq!(request.command_sequence_number, None);
    }

    #[test]
    fn refusals() {
        for (body, version, code) in [
            ("", Version::HTTP_11, ErrorCode::ServerError),
            ("", Version::HTTP_2, ErrorCode::BadRequest),
            ("{", Version::HTTP_11, ErrorCode::BadRequest),
            ("[]", Version::HTTP_11, ErrorCode::BadRequest),
            ("null", Version::HTTP_11, ErrorCode::ServerError),
            (r#"{"ksql":[]}"#, Version::HTTP_11, ErrorCode::BadRequest),
            (
                r#"{"streamsProperties":[]}"#,
                Version::HTTP_11,
                ErrorCode::BadRequest,
            ),
            (
                r#"{"streamsProperties":{"a":null}}"#,
                Version::HTTP_11,
                ErrorCode::ServerError,
            ),
            (
                r#"{"commandSequenceNumber":9223372036854775808}"#,
                Version::HTTP_11,
                ErrorCode::BadRequest,
            ),
            (
                r#"{"commandSequenceNumber":"x"}"#,
                Version::HTTP_11,
                ErrorCode::BadRequest,
            ),
        ] {
            assert_eq!(
                ksql_request(body.as_bytes(), version).unwrap_err().code,
                code,
                "{body}"
            );
        }
        let missing = query_stream_request(b"{}", Version::HTTP_11).unwrap_err();
        assert_eq!(missing.code, ErrorCode::BadRequest);
        let null = query_stream_request(br#"{"sql":null}"#, Version::HTTP_11).unwrap_err();
        assert_eq!(null.code, ErrorCode::ServerError);
    }
}
