//! PRINT as text (spec/api.md §4.5).

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures::StreamExt;
use weir_catalog::{PrintEvent, PrintStream};

use crate::respond::{self, JSON};

/// The records of a PRINT as they come. `with_formats`: the lines that name the formats too, and
/// the content type that goes with them.
pub(crate) fn response(lines: PrintStream, with_formats: bool) -> Response {
    let chunks = futures::stream::unfold(lines, move |mut lines| async move {
        let event = lines.lines.recv().await?;
        Some((futures::stream::iter(texts(event, with_formats)), lines))
    })
    .flatten()
    .map(|text| Ok::<_, Infallible>(Bytes::from(text)));
    respond::response(200, with_formats.then_some(JSON), Body::from_stream(chunks))
}

/// The chunks of one event: labels and names of formats are chunks of their own.
fn texts(event: PrintEvent, with_formats: bool) -> Vec<String> {
    match event {
        PrintEvent::Formats { .. } if !with_formats => Vec::new(),
        PrintEvent::Formats { key, value } => vec![
            "Key format: ".to_owned(),
            format!("{key}\n"),
            "Value format: ".to_owned(),
            format!("{value}\n"),
        ],
        PrintEvent::Record(line) => vec![format!("{line}\n")],
    }
}
