//! A small blocking client for the server's HTTP API: one connection for one request.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

/// Longest silence in the middle of an answer that is expected to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client of one server on loopback.
#[derive(Debug, Clone, Copy)]
pub struct Http {
    port: u16,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Body as text.
    pub body: String,
}

impl Http {
    /// A client of the server on this port.
    pub fn new(port: u16) -> Self {
        Self { port }
    }

    /// Posts JSON and hands over the answer's status and its body, to be read as it comes.
    fn open(&self, path: &str, accept: Option<&str>, body: &Value) -> io::Result<(u16, Body)> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let body = body.to_string();
        let accept = accept.map_or_else(String::new, |types| format!("Accept: {types}\r\n"));
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             {accept}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )?;
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| malformed(&line))?;
        let mut framing = Framing::ToEnd;
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => {
                    let length = value.trim().parse().map_err(|_| malformed(&line))?;
                    framing = Framing::Length(length);
                }
                "transfer-encoding" => framing = Framing::Chunked { left: 0 },
                _ => {}
            }
        }
        Ok((status, Body { reader, framing }))
    }

    /// Posts JSON and reads the whole answer.
    ///
    /// # Errors
    ///
    /// What the connection says: refused, reset, timed out.
    pub fn post(&self, path: &str, body: &Value) -> io::Result<Response> {
        self.whole(path, None, body)
    }

    /// As [`post`](Self::post), of the media type `accept`.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn post_accepting(&self, path: &str, accept: &str, body: &Value) -> io::Result<Response> {
        self.whole(path, Some(accept), body)
    }

    fn whole(&self, path: &str, accept: Option<&str>, body: &Value) -> io::Result<Response> {
        let (status, mut reader) = self.open(path, accept, body)?;
        let mut body = String::new();
        reader.read_to_string(&mut body)?;
        Ok(Response { status, body })
    }

    /// Runs statements, reading topics from their start, and gives the entities of the answer.
    ///
    /// # Panics
    ///
    /// When the server refuses them or does not answer.
    pub fn ksql(&self, sql: &str) -> Value {
        self.ksql_with(sql, &[])
    }

    /// As [`ksql`](Self::ksql), with more properties set for these statements.
    ///
    /// # Panics
    ///
    /// As there.
    pub fn ksql_with(&self, sql: &str, properties: &[(&str, &str)]) -> Value {
        let reset = ("ksql.streams.auto.offset.reset", "earliest");
        let set: BTreeMap<&str, &str> = properties.iter().copied().chain([reset]).collect();
        let body = json!({"ksql": sql, "streamsProperties": set});
        let answer = self
            .post("/ksql", &body)
            .unwrap_or_else(|e| panic!("no answer to {sql}: {e}"));
        assert_eq!(answer.status, 200, "{sql}: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap_or_else(|e| panic!("{e}: {}", answer.body))
    }

    /// Rows of a query that ends by itself, or why the server does not answer it (now).
    ///
    /// # Errors
    ///
    /// Words of the connection or of the server.
    pub fn try_query(&self, sql: &str) -> Result<Vec<Vec<Value>>, String> {
        let body = json!({"sql": sql, "properties": {"auto.offset.reset": "earliest"}});
        let answer = self
            .post("/query-stream", &body)
            .map_err(|e| e.to_string())?;
        if answer.status != 200 {
            return Err(answer.body);
        }
        let mut rows = Vec::new();
        for line in answer.body.lines().skip(1).filter(|l| !l.is_empty()) {
            match serde_json::from_str(line) {
                Ok(Value::Array(row)) => rows.push(row),
                Ok(other) if other.get("finalMessage").is_some() => {}
                _ => return Err(line.to_owned()),
            }
        }
        Ok(rows)
    }

    /// Rows of a query that ends by itself.
    ///
    /// # Panics
    ///
    /// When there is an error instead.
    pub fn query(&self, sql: &str) -> Vec<Vec<Value>> {
        self.try_query(sql).unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    /// Starts a push query; its rows come until the value is dropped.
    ///
    /// # Errors
    ///
    /// Words of the connection or of the server.
    pub fn push(&self, sql: &str) -> Result<Lines, String> {
        let body = json!({"sql": sql, "properties": {"auto.offset.reset": "earliest"}});
        let (status, mut body) = self
            .open("/query-stream", None, &body)
            .map_err(|e| e.to_string())?;
        if status == 200 {
            return Ok(Lines {
                body: BufReader::new(body),
            });
        }
        let mut text = String::new();
        body.read_to_string(&mut text).map_err(|e| e.to_string())?;
        Err(text)
    }
}

/// What comes of a push query: first what its columns are, then a row a line.
pub struct Lines {
    body: BufReader<Body>,
}

impl Lines {
    /// The next line; `None` at the end.
    ///
    /// # Panics
    ///
    /// When the connection fails or nothing comes for a minute.
    pub fn next_line(&mut self) -> Option<Value> {
        let mut line = String::new();
        let read = self.body.read_line(&mut line);
        let read = read.unwrap_or_else(|e| panic!("a push query's row: {e}"));
        if read == 0 {
            return None;
        }
        Some(serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}")))
    }
}

fn malformed(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not HTTP: {line}"))
}

/// How the end of a body is known (RFC 9112 §6.3).
enum Framing {
    Length(u64),
    /// Bytes left of the chunk that is being read.
    Chunked {
        left: u64,
    },
    ToEnd,
    Ended,
}

struct Body {
    reader: BufReader<TcpStream>,
    framing: Framing,
}

impl Body {
    fn next_chunk(&mut self) -> io::Result<u64> {
        let mut line = String::new();
        // The line end of the chunk before, then the size of the next.
        while line.trim().is_empty() {
            line.clear();
            if self.reader.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let digits = line.split(';').next().unwrap_or_default().trim();
        u64::from_str_radix(digits, 16).map_err(|_| malformed(&line))
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let limit = match self.framing {
            Framing::Ended => return Ok(0),
            Framing::ToEnd => return self.reader.read(buffer),
            Framing::Length(left) => left,
            Framing::Chunked { left: 0 } => self.next_chunk()?,
            Framing::Chunked { left } => left,
        };
        if limit == 0 {
            self.framing = Framing::Ended;
            return Ok(0);
        }
        let end = buffer
            .len()
            .min(usize::try_from(limit).unwrap_or(usize::MAX));
        let read = self.reader.read(&mut buffer[..end])?;
        if read == 0 && end > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let left = limit - read as u64;
        self.framing = match self.framing {
            Framing::Length(_) => Framing::Length(left),
            _ => Framing::Chunked { left },
        };
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use serde_json::json;

    use super::Http;

    /// A server of one answer.
    fn answering(answer: &'static str) -> Http {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("its address").port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            // A request may come in pieces.
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n{}") {
                let mut piece = [0; 1024];
                let read = stream.read(&mut piece).expect("a request");
                assert!(read > 0, "the request breaks off");
                request.extend_from_slice(&piece[..read]);
            }
            assert!(request.starts_with(b"POST /x HTTP/1.1\r\n"));
            stream.write_all(answer.as_bytes()).expect("an answer");
        });
        Http::new(port)
    }

    #[test]
    fn bodies_are_read_however_their_end_is_told() {
        for (answer, body) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc"),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1;x\r\nc\r\n0\r\n\r\n",
                "abc",
            ),
            ("HTTP/1.1 200 OK\r\n\r\nabc", "abc"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""),
        ] {
            let response = answering(answer).post("/x", &json!({})).expect(answer);
            assert_eq!((response.status, response.body.as_str()), (200, body));
        }
    }

    #[test]
    fn a_body_that_breaks_off_is_an_error() {
        for answer in [
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nab",
        ] {
            assert!(
                answering(answer).post("/x", &json!({})).is_err(),
                "{answer}"
            );
        }
    }
}
