//! Between the JSON of a case and the bytes of a record.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use weir_types::surrogates::halves_held;
use weir_types::{FormatKind, SqlType, ValueFormat};

use crate::case::Window;

/// The bytes that `json` stands for in a record side with these columns.
///
/// # Errors
/// A format that cannot be fed here.
pub(crate) fn encode(
    json: &Value,
    format: &ValueFormat,
    types: &[SqlType],
) -> Result<Option<Vec<u8>>, String> {
    if json.is_null() {
        return Ok(None);
    }
    let text = || match json {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Ok(Some(match format.format.kind {
        FormatKind::None | FormatKind::Delimited => text().into_bytes(),
        FormatKind::Json => json.to_string().into_bytes(),
        FormatKind::Kafka => match types {
            [SqlType::Integer] => whole(json)?.to_be_bytes()[4..].to_vec(),
            [SqlType::Bigint] => whole(json)?.to_be_bytes().to_vec(),
            [SqlType::Double] => text()
                .parse::<f64>()
                .map_err(|_| format!("no DOUBLE: {json}"))?
                .to_be_bytes()
                .to_vec(),
            [SqlType::Bytes] => STANDARD
                .decode(text())
                .map_err(|error| format!("no base64: {error}"))?,
            _ => text().into_bytes(),
        },
        other => return Err(format!("inputs of format {other} are not supported")),
    }))
}

fn whole(json: &Value) -> Result<i64, String> {
    let text = match json {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.parse().map_err(|_| format!("no whole number: {json}"))
}

/// Appends the window of a key.
pub(crate) fn append_window(key: &mut Vec<u8>, window: &Window) {
    if window.session {
        key.extend_from_slice(&window.end.to_be_bytes());
    }
    key.extend_from_slice(&window.start.to_be_bytes());
}

/// Takes the window of a key off; `size` is that of time windows, `None` for sessions.
pub(crate) fn split_window(bytes: &[u8], size: Option<i64>) -> Option<(Vec<u8>, Window)> {
    let (rest, start) = bytes.split_last_chunk::<8>()?;
    let start = i64::from_be_bytes(*start);
    match size {
        Some(size) => {
            let end = start.saturating_add(size);
            Some((
                rest.to_vec(),
                Window {
                    start,
                    end,
                    session: false,
                },
            ))
        }
        None => {
            let (key, end) = rest.split_last_chunk::<8>()?;
            let end = i64::from_be_bytes(*end);
            Some((
                key.to_vec(),
                Window {
                    start,
                    end,
                    session: true,
                },
            ))
        }
    }
}

/// What the bytes of a record side stand for, as a case writes it.
///
/// # Errors
/// Bytes that are not of that format.
pub(crate) fn decode(
    bytes: Option<&[u8]>,
    format: &ValueFormat,
    types: &[SqlType],
) -> Result<Value, String> {
    let Some(bytes) = bytes else {
        return Ok(Value::Null);
    };
    let text = || {
        std::str::from_utf8(bytes)
            .map(ToOwned::to_owned)
            .map_err(|_| "no UTF-8".to_owned())
    };
    let short = || format!("{} bytes for {:?}", bytes.len(), types);
    Ok(match format.format.kind {
        FormatKind::None | FormatKind::Delimited => Value::String(text()?),
        FormatKind::Json => {
            let text = text()?;
            serde_json::from_str(&halves_held(&text))
                .map_err(|error| format!("no JSON ({error}): {text}"))?
        }
        FormatKind::Kafka => match types {
            [SqlType::Integer] => i32::from_be_bytes(bytes.try_into().map_err(|_| short())?).into(),
            [SqlType::Bigint] => i64::from_be_bytes(bytes.try_into().map_err(|_| short())?).into(),
            [SqlType::Double] => f64::from_be_bytes(bytes.try_into().map_err(|_| short())?).into(),
            [SqlType::Bytes] => Value::String(STANDARD.encode(bytes)),
            _ => Value::String(text()?),
        },
        other => return Err(format!("outputs of format {other} are not supported")),
    })
}
