//! HTTP/2 by Upgrade from HTTP/1.1 (RFC 7540 §3.2), on listeners without TLS.
//!
//! ```text
//!  GET … Upgrade: h2c ──► 101 Switching Protocols
//!  client: preface, SETTINGS ─┬─► HTTP/2 connection: the first request is its stream 1
//!      HEADERS, DATA of it ───┘   (written here, behind the client's SETTINGS)
//!  client: whatever follows ────►
//! ```
//!
//! The HTTP/2 implementation knows no request that came before the connection, so it is given to
//! it as the frames that the client would have sent. `HTTP2-Settings` is not looked into: the
//! client's own SETTINGS frame, which must follow, says the same.
//!
//! Invariant: a request is upgraded only if its whole body fits the first flow-control window; any
//! other is answered in HTTP/1.1, as the RFC allows.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::{CONNECTION, HOST, UPGRADE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Version};
use axum::response::Response;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Largest body that is upgraded, bytes: the first window of a connection.
const WINDOW: u64 = 65_535;
/// Largest payload of a frame unless agreed otherwise, bytes.
const MAX_FRAME: usize = 16_384;
/// `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`, bytes.
const PREFACE: usize = 24;
/// Length, type, flags, stream.
const FRAME_HEAD: usize = 9;

const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const CONTINUATION: u8 = 0x9;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// Headers that speak of the HTTP/1.1 connection.
const OF_CONNECTION: &[&str] = &[
    "connection",
    "upgrade",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "te",
    "host",
];

/// Whether a request asks for the upgrade and may have it.
pub(crate) fn is_wanted<B: HttpBody>(request: &axum::http::Request<B>) -> bool {
    let headers = request.headers();
    request.version() == Version::HTTP_11
        && has_token(headers, UPGRADE.as_str(), "h2c")
        && has_token(headers, CONNECTION.as_str(), "upgrade")
        && headers.contains_key("http2-settings")
        && request
            .body()
            .size_hint()
            .exact()
            .is_some_and(|n| n <= WINDOW)
}

fn has_token(headers: &HeaderMap, name: &str, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| part.trim().eq_ignore_ascii_case(token))
}

/// The answer that ends HTTP/1.1 on a connection.
pub(crate) fn switching() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("h2c"));
    response
}

/// A request as the frames of stream 1.
pub(crate) fn frames(parts: &Parts, body: &Bytes) -> Vec<u8> {
    let mut block = Vec::new();
    field(&mut block, ":method", parts.method.as_str().as_bytes());
    field(&mut block, ":scheme", b"http");
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    field(&mut block, ":path", path.as_bytes());
    if let Some(host) = parts.headers.get(HOST) {
        field(&mut block, ":authority", host.as_bytes());
    }
    for (name, value) in &parts.headers {
        if !OF_CONNECTION.contains(&name.as_str()) {
            field(&mut block, name.as_str(), value.as_bytes());
        }
    }
    let mut out = Vec::with_capacity(block.len() + body.len() + 4 * FRAME_HEAD);
    let mut pieces = block.chunks(MAX_FRAME).peekable();
    let mut kind = HEADERS;
    while let Some(piece) = pieces.next() {
        let mut flags = 0;
        if kind == HEADERS && body.is_empty() {
            flags |= END_STREAM;
        }
        if pieces.peek().is_none() {
            flags |= END_HEADERS;
        }
        frame(&mut out, kind, flags, piece);
        kind = CONTINUATION;
    }
    let mut pieces = body.chunks(MAX_FRAME).peekable();
    while let Some(piece) = pieces.next() {
        let flags = if pieces.peek().is_none() {
            END_STREAM
        } else {
            0
        };
        frame(&mut out, DATA, flags, piece);
    }
    out
}

/// A header as HPACK writes one that it does not remember (RFC 7541 §6.2.2), without Huffman.
fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.push(0);
    text(out, name.as_bytes());
    text(out, value);
}

/// A length in a prefix of seven bits (RFC 7541 §5.1), then the bytes.
fn text(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut rest = bytes.len();
    if rest < 127 {
        out.push(rest as u8);
    } else {
        out.push(127);
        rest -= 127;
        while rest >= 128 {
            out.push((rest % 128) as u8 | 128);
            rest /= 128;
        }
        out.push(rest as u8);
    }
    out.extend_from_slice(bytes);
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, payload: &[u8]) {
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags, 0, 0, 0, 1]);
    out.extend_from_slice(payload);
}

/// A connection into whose input `frames` are put, behind the client's preface and SETTINGS.
pub(crate) struct Injected<I> {
    inner: I,
    frames: Vec<u8>,
    at: Place,
}

/// How far reading has come.
enum Place {
    /// Before the frames: bytes of the client that were read, up to the end of its SETTINGS.
    Opening(Vec<u8>),
    /// What is left to hand out of the opening and the frames.
    Handing(Vec<u8>, usize),
    /// Behind them.
    Through,
}

impl<I> Injected<I> {
    /// See the type.
    pub(crate) fn new(inner: I, frames: Vec<u8>) -> Self {
        Self {
            inner,
            frames,
            at: Place::Opening(Vec::new()),
        }
    }
}

/// How many bytes the preface and the first frame have; `None`: not known yet.
fn opening_length(read: &[u8]) -> Option<usize> {
    let head = read.get(PREFACE..PREFACE + 3)?;
    let payload = head.iter().fold(0, |n, byte| n << 8 | usize::from(*byte));
    Some(PREFACE + FRAME_HEAD + payload)
}

impl<I: AsyncRead + Unpin> AsyncRead for Injected<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        loop {
            match &mut this.at {
                Place::Opening(read) => {
                    let wanted = opening_length(read).unwrap_or(PREFACE + FRAME_HEAD);
                    // A SETTINGS frame longer than a frame may be is refused by who reads it.
                    if read.len() >= wanted || wanted > PREFACE + FRAME_HEAD + MAX_FRAME {
                        let mut all = std::mem::take(read);
                        all.append(&mut this.frames);
                        this.at = Place::Handing(all, 0);
                        continue;
                    }
                    let mut chunk = vec![0; wanted - read.len()];
                    let mut chunk = ReadBuf::new(&mut chunk);
                    ready!(Pin::new(&mut this.inner).poll_read(cx, &mut chunk))?;
                    if chunk.filled().is_empty() {
                        return Poll::Ready(Ok(()));
                    }
                    read.extend_from_slice(chunk.filled());
                }
                Place::Handing(all, done) => {
                    let rest = all.get(*done..).unwrap_or_default();
                    if rest.is_empty() {
                        this.at = Place::Through;
                        continue;
                    }
                    let count = rest.len().min(buf.remaining());
                    buf.put_slice(&rest[..count]);
                    *done += count;
                    return Poll::Ready(Ok(()));
                }
                Place::Through => return Pin::new(&mut this.inner).poll_read(cx, buf),
            }
        }
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Injected<I> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use axum::http::Request;
    use tokio::io::AsyncReadExt;

    #[test]
    fn who_may_upgrade() {
        let request = |version, upgrade, connection, body: &'static str| {
            Request::post("/ksql")
                .version(version)
                .header("upgrade", upgrade)
                .header("connection", connection)
                .header("http2-settings", "AAMAAABkAAQAAP__")
                .body(Body::from(body))
                .unwrap()
        };
        let connection = "Upgrade, HTTP2-Settings";
        assert!(is_wanted(&request(
            Version::HTTP_11,
            "h2c",
            connection,
            "{}"
        )));
        assert!(!is_wanted(&request(
            Version::HTTP_10,
            "h2c",
            connection,
            ""
        )));
        assert!(!is_wanted(&request(
            Version::HTTP_11,
            "websocket",
            connection,
            ""
        )));
        assert!(!is_wanted(&request(
            Version::HTTP_11,
            "h2c",
            "keep-alive",
            ""
        )));
        let large = Request::post("/ksql")
            .header("upgrade", "h2c")
            .header("connection", connection)
            .header("http2-settings", "")
            .body(Body::from(vec![b' '; 65_536]))
            .unwrap();
        assert!(!is_wanted(&large));
    }

    /// What is read behind any split of the client's bytes is opening, frames, rest.
    #[tokio::test]
    async fn frames_stand_behind_the_settings() {
        let mut opening = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        opening.extend_from_slice(&[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100]);
        let mut sent = opening.clone();
        sent.extend_from_slice(b"rest");
        let mut expected = opening.clone();
        expected.extend_from_slice(b"framesrest");
        for split in 1..sent.len() {
            let (first, second) = sent.split_at(split);
            let chained = first.chain(second);
            let mut read = Vec::new();
            Injected::new(chained, b"frames".to_vec())
                .read_to_end(&mut read)
                .await
                .unwrap();
            assert_eq!(read, expected, "split at {split}");
        }
    }

    #[test]
    fn long_bodies_and_headers_are_cut_into_frames() {
        let (parts, ()) = Request::post("/ksql?a=b")
            .header("host", "h:1")
            .header("x-long", "v".repeat(20_000))
            .header("connection", "x")
            .body(())
            .unwrap()
            .into_parts();
        let out = frames(&parts, &Bytes::from(vec![7; 40_000]));
        let mut rest = out.as_slice();
        let mut seen = Vec::new();
        while !rest.is_empty() {
            let length = rest[..3].iter().fold(0, |n, b| n << 8 | usize::from(*b));
            assert_eq!(&rest[5..9], [0, 0, 0, 1]);
            seen.push((rest[3], rest[4], length));
            rest = &rest[9 + length..];
        }
        let lengths: Vec<_> = seen
            .iter()
            .map(|(kind, flags, _)| (*kind, *flags))
            .collect();
        assert_eq!(
            lengths,
            [
                (HEADERS, 0),
                (CONTINUATION, END_HEADERS),
                (DATA, 0),
                (DATA, 0),
                (DATA, END_STREAM)
            ]
        );
        assert!(seen.iter().all(|(.., length)| *length <= MAX_FRAME));
    }
}
