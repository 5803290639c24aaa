//! HTTP/1.1 and 1.0 by hand: the chunks of a response are what is compared.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A response as far as it has come.
#[derive(Debug, Default, Clone)]
pub(crate) struct Response {
    /// Status; `None`: nothing came.
    pub(crate) status: Option<u16>,
    /// Headers, names lower-case.
    pub(crate) headers: Vec<(String, String)>,
    /// Chunks of the body (one, for a body of known length).
    pub(crate) chunks: Vec<String>,
    /// Whether the server ended it.
    pub(crate) ended: bool,
}

impl Response {
    /// The whole body.
    pub(crate) fn body(&self) -> String {
        self.chunks.concat()
    }

    /// A header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }
}

/// An open connection with one response on it.
pub(crate) struct Exchange {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Bytes of the body still to come; `None`: chunked, or to the end of the connection.
    left: Option<usize>,
    chunked: bool,
    /// When the last chunk came that says something: line ends alone only keep an answer alive.
    told: Instant,
    pub(crate) response: Response,
}

/// How long a part of a response may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

impl Exchange {
    /// Sends a request and reads the response's head.
    pub(crate) async fn start(host: &str, request: &[u8]) -> Result<Self, String> {
        let mut stream = TcpStream::connect(host).await.map_err(|e| e.to_string())?;
        stream.write_all(request).await.map_err(|e| e.to_string())?;
        let mut exchange = Self {
            stream,
            buffer: Vec::new(),
            left: None,
            chunked: false,
            told: Instant::now(),
            response: Response::default(),
        };
        let head = loop {
            if let Some(at) = find(&exchange.buffer, b"\r\n\r\n") {
                let rest = exchange.buffer.split_off(at + 4);
                break std::mem::replace(&mut exchange.buffer, rest);
            }
            if !exchange.more().await? {
                return Ok(exchange);
            }
        };
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .and_then(|l| l.split(' ').nth(1))
            .and_then(|s| s.parse().ok());
        exchange.response.status = status;
        for line in lines.filter(|l| !l.is_empty()) {
            if let Some((name, value)) = line.split_once(':') {
                let header = (name.trim().to_ascii_lowercase(), value.trim().to_owned());
                exchange.response.headers.push(header);
            }
        }
        exchange.chunked = exchange.response.header("transfer-encoding") == Some("chunked");
        if !exchange.chunked {
            exchange.left = exchange
                .response
                .header("content-length")
                .and_then(|l| l.parse().ok());
        }
        Ok(exchange)
    }

    /// Reads more bytes; whether there were any.
    async fn more(&mut self) -> Result<bool, String> {
        let mut chunk = [0u8; 16 * 1024];
        let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut chunk))
            .await
            .map_err(|_| "nothing more came".to_owned())?
            .map_err(|e| e.to_string())?;
        self.buffer.extend_from_slice(&chunk[..read]);
        Ok(read > 0)
    }

    /// Reads the next chunk of the body; `false`: the response has ended.
    pub(crate) async fn next(&mut self) -> Result<bool, String> {
        if self.response.ended {
            return Ok(false);
        }
        if self.chunked {
            return self.next_chunk().await;
        }
        loop {
            match self.left {
                Some(left) if self.buffer.len() >= left => {
                    let body = self.buffer.drain(..left).collect::<Vec<u8>>();
                    self.push(&body);
                    self.response.ended = true;
                    return Ok(false);
                }
                _ => {
                    if !self.more().await? {
                        let body = std::mem::take(&mut self.buffer);
                        self.push(&body);
                        self.response.ended = true;
                        return Ok(false);
                    }
                }
            }
        }
    }

    fn push(&mut self, body: &[u8]) {
        if !body.is_empty() {
            self.response
                .chunks
                .push(String::from_utf8_lossy(body).into_owned());
        }
    }

    async fn next_chunk(&mut self) -> Result<bool, String> {
        loop {
            if let Some(at) = find(&self.buffer, b"\r\n") {
                let size = String::from_utf8_lossy(&self.buffer[..at]).into_owned();
                let size = usize::from_str_radix(size.split(';').next().unwrap_or("").trim(), 16)
                    .map_err(|_| format!("bad chunk size {size:?}"))?;
                if self.buffer.len() >= at + 2 + size + 2 {
                    let body: Vec<u8> = self.buffer[at + 2..at + 2 + size].to_vec();
                    self.buffer.drain(..at + 2 + size + 2);
                    if size == 0 {
                        self.response.ended = true;
                        return Ok(false);
                    }
                    self.push(&body);
                    if body != b"\n" {
                        self.told = Instant::now();
                    } else if self.told.elapsed() > PATIENCE {
                        return Err("nothing more came".to_owned());
                    }
                    return Ok(true);
                }
            }
            if !self.more().await? {
                return Err("the connection closed within a response".to_owned());
            }
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}
