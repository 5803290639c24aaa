//! `POST /inserts-stream` (spec/api.md §5): rows in, acknowledgements out, on one HTTP/2 stream.
//!
//! ```text
//!  body ─► lines ─► target (validated before the 200) ─► rows ─► catalog ─► {"seq":n,"status":"ok"}
//! ```
//!
//! Rows that came together are inserted before the first of them is acknowledged; if one of them
//! is refused, its error alone is the answer to them, and the end.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::{Request, State};
use axum::http::Version;
use axum::response::Response;
use futures::StreamExt;
use serde_json::Value;
use weir_catalog::{Inserter, Weir};
use weir_protocol::ApiError;
use weir_types::ErrorCode;

use crate::json_row::write_string;
use crate::request::{self, MAX_BODY};
use crate::respond::{self, DELIMITED, JSON};

/// Takes the target line, answers 200, then acknowledges row after row.
pub(crate) async fn inserts_stream(State(weir): State<Arc<Weir>>, request: Request) -> Response {
    if request.version() != Version::HTTP_2 {
        let error = ApiError::generic(
            ErrorCode::Http2Only,
            "The /inserts-stream endpoint is only available using HTTP2",
        );
        return respond::failed(&error, None);
    }
    let as_array = match respond::accepted(request.headers()) {
        None => false,
        Some(types) => match types.iter().find_map(|t| match t.as_str() {
            "*/*" | DELIMITED => Some(false),
            JSON => Some(true),
            _ => None,
        }) {
            Some(as_array) => as_array,
            None => return respond::not_found().await,
        },
    };
    let mut lines = Lines::new(request.into_body());
    let Some(first) = lines.next().await else {
        // Nothing is answered before the first line has come, and here none will: the stream ends
        // when the client gives it up.
        return std::future::pending().await;
    };
    let inserter = match request::inserts_target(&first) {
        Ok(target) => weir.insert_target(&target.target),
        Err(error) => Err(error),
    };
    match inserter {
        Ok(inserter) => {
            let acks = Acks {
                lines,
                inserter,
                seq: 0,
                as_array,
                opened: false,
                ready: VecDeque::new(),
                ended: false,
            };
            let chunks = futures::stream::unfold(acks, Acks::next)
                .map(|text| Ok::<_, Infallible>(Bytes::from(text)));
            respond::response(200, None, Body::from_stream(chunks))
        }
        Err(error) => respond::failed(&error, None),
    }
}

/// The lines of a request body as they come; a last one without newline counts.
struct Lines {
    body: BodyDataStream,
    buffer: Vec<u8>,
    /// Where in `buffer` a newline has been looked for already.
    searched: usize,
    ended: bool,
}

impl Lines {
    fn new(body: Body) -> Self {
        Self {
            body: body.into_data_stream(),
            buffer: Vec::new(),
            searched: 0,
            ended: false,
        }
    }

    /// The next line that is not blank, of what has come already.
    fn next_here(&mut self) -> Option<Vec<u8>> {
        while let Some(at) = self
            .buffer
            .get(self.searched..)
            .and_then(|new| new.iter().position(|b| *b == b'\n'))
        {
            let rest = self.buffer.split_off(self.searched + at + 1);
            let mut line = std::mem::replace(&mut self.buffer, rest);
            self.searched = 0;
            line.pop();
            if line.iter().any(|b| !b.is_ascii_whitespace()) {
                return Some(line);
            }
        }
        self.searched = self.buffer.len();
        None
    }

    /// The next line that is not blank.
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(line) = self.next_here() {
                return Some(line);
            }
            if self.ended || self.buffer.len() > MAX_BODY {
                self.searched = 0;
                let line = std::mem::take(&mut self.buffer);
                return line
                    .iter()
                    .any(|b| !b.is_ascii_whitespace())
                    .then_some(line);
            }
            match self.body.next().await {
                Some(Ok(bytes)) => self.buffer.extend_from_slice(&bytes),
                Some(Err(_)) | None => self.ended = true,
            }
        }
    }
}

struct Acks {
    lines: Lines,
    inserter: Inserter,
    seq: u64,
    as_array: bool,
    /// The array has been opened.
    opened: bool,
    /// Chunks to be sent.
    ready: VecDeque<String>,
    /// Nothing more is read.
    ended: bool,
}

impl Acks {
    async fn next(mut self) -> Option<(String, Self)> {
        if self.ready.is_empty() && !self.ended {
            match self.lines.next().await {
                Some(line) => self.take(line).await,
                None => self.ended = true,
            }
            if self.ended && self.as_array {
                let end = if self.opened { "]" } else { "[]" };
                self.ready.push_back(end.to_owned());
            }
        }
        let chunk = self.ready.pop_front()?;
        Some((chunk, self))
    }

    /// Inserts this row and those that came with it.
    async fn take(&mut self, first: Vec<u8>) {
        let mut acks = Vec::new();
        let mut next = Some(first);
        while let Some(line) = next {
            match insert(&self.inserter, &line).await {
                Ok(()) => acks.push(format!("{{\"seq\":{},\"status\":\"ok\"}}", self.seq)),
                Err(error) => {
                    let mut text = format!(
                        "{{\"@type\":\"InsertError\",\"status\":\"error\",\"seq\":{},\"message\":",
                        self.seq
                    );
                    write_string(&error.message, &mut text);
                    text.push_str(&format!(",\"error_code\":{}}}", error.code.code()));
                    acks = vec![text];
                    self.ended = true;
                    break;
                }
            }
            self.seq += 1;
            next = self.lines.next_here();
        }
        for ack in acks {
            let chunk = match (self.as_array, self.opened) {
                (true, false) => format!("[{ack}"),
                (true, true) => format!(",{ack}"),
                (false, _) => format!("{ack}\n"),
            };
            self.opened = true;
            self.ready.push_back(chunk);
        }
    }
}

/// Inserts the row of a line.
async fn insert(inserter: &Inserter, line: &[u8]) -> Result<(), ApiError> {
    let row = serde_json::Deserializer::from_slice(line)
        .into_iter::<Value>()
        .next();
    match row {
        Some(Ok(Value::Object(row))) => inserter.insert(row).await,
        _ => Err(ApiError::generic(
            ErrorCode::BadRequest,
            "Invalid JSON in inserts stream: a row must be a JSON object",
        )),
    }
}
