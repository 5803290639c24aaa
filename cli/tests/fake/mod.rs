//! A server that answers what a test tells it to, and remembers what it was asked.
//!
//! Invariant: one connection, one request; a streamed answer stays open until the test ends it or
//! the client hangs up, and the test learns which.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// Longer than any step takes on a busy machine; only a failing test waits for it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub line: String,
    pub headers: Vec<String>,
    pub body: Value,
}

impl Asked {
    pub fn sql(&self) -> &str {
        self.body["ksql"].as_str().unwrap_or_default()
    }
}

/// What is answered.
pub enum Reply {
    /// A whole answer: status and body.
    Whole(u16, String),
    /// Chunks, then the end.
    Chunks(Vec<String>),
    /// Chunks, then silence until the client hangs up.
    Open(Vec<String>),
    /// The connection breaks in the middle of a chunk.
    Broken(String),
}

impl Reply {
    pub fn json(value: Value) -> Self {
        Self::Whole(200, value.to_string())
    }

    pub fn refused(status: u16, message: &str) -> Self {
        Self::statement_error(status, message, "generic_error")
    }

    pub fn statement_error(status: u16, message: &str, kind: &str) -> Self {
        let code = u32::from(status) * 100;
        let error = json!({"@type": kind, "error_code": code, "message": message, "entities": []});
        Self::Whole(status, error.to_string())
    }

    /// Rows as `/query` sends them.
    pub fn rows(schema: &str, rows: &[Value], last: Option<&str>) -> Vec<String> {
        let mut chunks = vec![format!(
            "[{},\n",
            json!({"header": {"queryId": "transient_1", "schema": schema}})
        )];
        for row in rows {
            chunks.push(format!("{},\n", json!({"row": {"columns": row}})));
        }
        if let Some(last) = last {
            chunks.push(format!("{}]", json!({"finalMessage": last})));
        }
        chunks
    }
}

type Handler = dyn Fn(&Asked) -> Reply + Send + Sync;

/// The server; it lives as long as the test.
pub struct Fake {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    hung_up: Receiver<String>,
}

impl Fake {
    /// Answers `/info` and `/is_valid_property` itself, everything else by `handler`.
    pub fn start(handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (tell, hung_up) = channel();
        let handler: Arc<Handler> = Arc::new(handler);
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (handler, log, tell) = (Arc::clone(&handler), Arc::clone(&log), tell.clone());
                thread::spawn(move || serve(stream.unwrap(), &*handler, &log, &tell));
            }
        });
        Self {
            url,
            asked,
            hung_up,
        }
    }

    /// What was asked of `path` so far.
    pub fn asked(&self, path: &str) -> Vec<Asked> {
        let all = self.asked.lock().unwrap();
        all.iter()
            .filter(|a| a.line.contains(path))
            .cloned()
            .collect()
    }

    /// Waits until the client hangs up on an open answer; the SQL of the request.
    pub fn wait_for_hang_up(&self) -> String {
        self.hung_up.recv_timeout(PATIENCE).unwrap()
    }
}

fn serve(stream: TcpStream, handler: &Handler, log: &Mutex<Vec<Asked>>, tell: &Sender<String>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return;
    }
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        if header.trim().is_empty() {
            break;
        }
        headers.push(header.trim().to_owned());
    }
    let length = headers
        .iter()
        .find_map(|h| {
            h.to_lowercase()
                .strip_prefix("content-length:")?
                .trim()
                .parse()
                .ok()
        })
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let asked = Asked {
        line: line.trim().to_owned(),
        headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    log.lock().unwrap().push(asked.clone());
    let reply = if asked.line.contains(" /info ") {
        let info = json!({"version": "0.29.0", "serverStatus": "RUNNING"});
        Reply::json(json!({"KsqlServerInfo": info}))
    } else if asked.line.contains("/is_valid_property/") {
        Reply::Whole(200, "true".to_owned())
    } else {
        handler(&asked)
    };
    let head = |status: u16, framing: &str| {
        format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{framing}\r\n\r\n")
    };
    let chunked = head(200, "transfer-encoding: chunked");
    let mut send = |text: &str| writer.write_all(text.as_bytes()).unwrap_or_default();
    match reply {
        Reply::Whole(status, body) => {
            send(&head(status, &format!("content-length: {}", body.len())));
            send(&body);
        }
        Reply::Chunks(chunks) => {
            send(&chunked);
            chunks.iter().for_each(|c| send(&chunk(c)));
            send("0\r\n\r\n");
        }
        Reply::Open(chunks) => {
            send(&chunked);
            chunks.iter().for_each(|c| send(&chunk(c)));
            // The client sends nothing more: what ends this is that it hangs up.
            let _ = reader.read(&mut [0]);
            tell.send(asked.sql().to_owned()).unwrap_or_default();
        }
        Reply::Broken(text) => {
            send(&chunked);
            send(&format!("{:x}\r\n{text}", text.len() + 10));
        }
    }
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}
