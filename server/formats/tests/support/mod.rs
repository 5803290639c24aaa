//! Shared by the tests of each format: payloads through a decoder and back through an encoder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use weir_formats::{Decoded, Side, decoder, encoder};
use weir_types::records::EncodedColumn;
use weir_types::{FormatKind, FormatSpec, SqlType, ValueFormat};

pub(crate) fn format(kind: FormatKind, wrap_single: Option<bool>) -> ValueFormat {
    ValueFormat {
        format: FormatSpec::new(kind),
        wrap_single,
    }
}

pub(crate) fn columns(types: &[(&str, SqlType)]) -> Vec<(String, SqlType)> {
    types
        .iter()
        .map(|(n, t)| ((*n).to_owned(), t.clone()))
        .collect()
}

/// What a payload became: the text of its row as `to` writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Row(String),
    Null,
    Dropped(String),
}

/// Reads `payloads` as `from` and writes what was read as `to`.
pub(crate) fn convert(
    from: &ValueFormat,
    to: &ValueFormat,
    columns: &[(String, SqlType)],
    payloads: &[Option<&[u8]>],
) -> Vec<Outcome> {
    let all: Vec<usize> = (0..columns.len()).collect();
    let mut decoder = decoder(from, Side::Value, columns, &all).unwrap();
    let mut encoder = encoder(to, Side::Value, columns).unwrap();
    let read: Vec<_> = payloads.iter().map(|p| decoder.decode(*p)).collect();
    let rows = decoder.len();
    let arrays = decoder.finish();
    assert!(arrays.iter().all(|a| a.len() == rows));
    let mut out = EncodedColumn::default();
    assert!(encoder.encode(&arrays, None, &mut out).unwrap().is_empty());
    let mut row = 0;
    read.into_iter()
        .map(|result| match result {
            Ok(decoded) => {
                row += 1;
                match decoded {
                    Decoded::Null => Outcome::Null,
                    Decoded::Row => {
                        let bytes = out.get(row - 1).unwrap_or(b"<null>");
                        Outcome::Row(String::from_utf8(bytes.to_vec()).unwrap())
                    }
                }
            }
            Err(error) => Outcome::Dropped(error.message),
        })
        .collect()
}

/// Converts one payload.
pub(crate) fn convert_one(
    from: &ValueFormat,
    to: &ValueFormat,
    columns: &[(String, SqlType)],
    payload: &str,
) -> Outcome {
    convert(from, to, columns, &[Some(payload.as_bytes())]).remove(0)
}
