//! PRINT as text (spec/api.md §4.5).

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures::StreamExt;
use weir_catalog::{PrintEvent, PrintStream};

use crate::alive::kept_alive;
use crate::respond::{self, JSON};

/// The records of a PRINT as they come. `pause`: the lines that name the formats too, the content
/// type that goes with them, and line ends where nothing came for so long.
pub(crate) fn response(lines: PrintStream, pause: Option<Duration>) -> Response {
    let with_formats = pause.is_some();
    let chunks = futures::stream::unfold(lines, move |mut lines| async move {
        let event = lines.lines.recv().await?;
        Some((futures::stream::iter(texts(event, with_formats)), lines))
    })
    .flatten()
    .map(|text| Ok::<_, Infallible>(Bytes::from(text)));
    match pause {
        Some(pause) => {
            let body = Body::from_stream(kept_alive(chunks, pause));
            respond::response(200, Some(JSON), body)
        }
        None => respond::response(200, None, Body::from_stream(chunks)),
    }
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
