//! Rows in Protobuf as text: what `protobufBytes` holds by the header's `protoSchema`.
//!
//! Only what the cases have: a message of strings, bytes, whole numbers and doubles.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A field of the message: kind and name; its number is its place, from 1.
struct Field<'a> {
    kind: &'a str,
    name: &'a str,
}

/// The answer with each row as the text of its message, a line for each field.
pub(crate) fn as_text(entities: &[Value]) -> Result<Vec<Value>, String> {
    let schema = entities
        .iter()
        .find_map(|entity| entity["header"]["protoSchema"].as_str())
        .ok_or("no protoSchema")?;
    let fields: Vec<Field> = schema
        .lines()
        .filter_map(|line| {
            let mut words = line.strip_prefix("  ")?.split(' ');
            Some(Field {
                kind: words.next()?,
                name: words.next()?,
            })
        })
        .collect();
    let rows = entities
        .iter()
        .map(|entity| match entity["row"]["protobufBytes"].as_str() {
            None => Ok(entity.clone()),
            Some(text) => {
                let bytes = STANDARD.decode(text).map_err(|e| e.to_string())?;
                row(&fields, &bytes).map(|text| json!({ "row": text }))
            }
        });
    rows.collect()
}

fn row(fields: &[Field], mut bytes: &[u8]) -> Result<String, String> {
    let mut out = String::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let at = usize::try_from(tag >> 3).unwrap_or(0).checked_sub(1);
        let field = at.and_then(|at| fields.get(at));
        let field = field.ok_or_else(|| format!("no field for tag {tag}"))?;
        let value = match tag & 7 {
            0 => (varint(&mut bytes)? as i64).to_string(),
            1 => {
                let eight = take(&mut bytes, 8)?.try_into().map_err(|_| "cut short")?;
                f64::from_le_bytes(eight).to_string()
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).map_err(|e| e.to_string())?;
                let text = take(&mut bytes, length)?;
                let text = std::str::from_utf8(text)
                    .map_err(|_| format!("{} of {} is no text", field.kind, field.name))?;
                format!("{text:?}")
            }
            other => return Err(format!("wire type {other} of {}", field.name)),
        };
        out.push_str(&format!("{}: {value}\n", field.name));
    }
    Ok(out)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], String> {
    let (taken, rest) = bytes
        .split_at_checked(length)
        .ok_or("a message is cut short")?;
    *bytes = rest;
    Ok(taken)
}

fn varint(bytes: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *take(bytes, 1)?.first().ok_or("a message is cut short")?;
        value |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err("a number of more than 64 bits".to_owned())
}
