//! A scenario: steps in order against a server that was emptied before.

use std::collections::HashMap;
use std::time::Duration;

use fancy_regex::Regex;
use serde_json::Value;
use weir_test_support::Looks;

use crate::compare;
use crate::http1::{self, PATIENCE, Response};
use crate::report::Report;
use crate::server::Server;
use crate::{http2, kafka, websocket};

/// An open exchange, of either protocol.
enum Open {
    One(http1::Exchange),
    Two(http2::Exchange),
}

impl Open {
    async fn next(&mut self) -> Result<bool, String> {
        match self {
            Self::One(exchange) => exchange.next().await,
            Self::Two(exchange) => exchange.next().await,
        }
    }

    fn response(&self) -> &Response {
        match self {
            Self::One(exchange) => &exchange.response,
            Self::Two(exchange) => &exchange.response,
        }
    }
}

/// A scenario being played.
struct Player<'a> {
    server: &'a Server,
    captured: HashMap<String, String>,
    streams: HashMap<String, (Open, usize)>,
}

/// How long a repeated request may take to give what is waited for.
const REPEAT: Duration = Duration::from_secs(20);

/// Plays one file.
pub(crate) async fn play(name: &str, recorded: &Value, server: &Server, report: &mut Report) {
    let mut player = Player {
        server,
        captured: HashMap::new(),
        streams: HashMap::new(),
    };
    let cleaned = clean(server).await;
    for (i, step) in recorded["steps"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        let result = match &cleaned {
            Ok(()) => player.step(step).await,
            Err(error) => Err(format!("the server could not be emptied: {error}")),
        };
        // Topics and records that the scenario brings are no exchanges.
        if step.get("create_topic").is_some() || step.get("produce").is_some() {
            if let Err(error) = result {
                crate::report::say(&format!("{name}#{i}: {error}"));
            }
            continue;
        }
        report.count(name, &format!("{name}#{i}"), result);
    }
}

/// Empties the server: queries, sources, types, topics.
pub(crate) async fn clean(server: &Server) -> Result<(), String> {
    statement(server, "TERMINATE ALL;").await?;
    for _ in 0..20 {
        let listed = statement(server, "LIST STREAMS; LIST TABLES; LIST TYPES;").await?;
        let entities: Value = serde_json::from_str(&listed).map_err(|e| e.to_string())?;
        let mut left = 0;
        for (kind, list) in [("STREAM", "streams"), ("TABLE", "tables")] {
            for entity in entities.as_array().into_iter().flatten() {
                for source in entity[list].as_array().into_iter().flatten() {
                    left += 1;
                    let name = source["name"].as_str().unwrap_or_default();
                    // What another source is made from goes in a later round.
                    let _ = statement(server, &format!("DROP {kind} `{name}`;")).await?;
                }
            }
        }
        for entity in entities.as_array().into_iter().flatten() {
            for name in entity["types"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(n, _)| n)
            {
                let _ = statement(server, &format!("DROP TYPE `{name}`;")).await?;
            }
        }
        if left == 0 {
            return kafka::delete_user_topics(&server.bootstrap()).await;
        }
    }
    Err("sources are left".to_owned())
}

/// Runs a statement and gives the body of the answer.
pub(crate) async fn statement(server: &Server, sql: &str) -> Result<String, String> {
    post(server, "/ksql", sql).await
}

/// Runs a query to its end and gives the body of the answer.
pub(crate) async fn query(server: &Server, sql: &str) -> Result<String, String> {
    post(server, "/query", sql).await
}

async fn post(server: &Server, path: &str, sql: &str) -> Result<String, String> {
    let body = serde_json::json!({
        "ksql": sql,
        "streamsProperties": { "auto.offset.reset": "earliest" },
    })
    .to_string();
    let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    let request = http1_request("POST", path, &server.host(), "1.1", &headers, Some(&body));
    let mut exchange = http1::Exchange::start(&server.host(), &request).await?;
    while exchange.next().await? {}
    Ok(exchange.response.body())
}

/// The bytes of a request.
pub(crate) fn http1_request(
    method: &str,
    path: &str,
    host: &str,
    version: &str,
    headers: &[(String, String)],
    body: Option<&str>,
) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/{version}\r\nHost: {host}\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(body) = body {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    text.push_str(body.unwrap_or_default());
    text.into_bytes()
}

impl Player<'_> {
    /// Placeholders filled in.
    fn filled(&self, text: &str) -> String {
        let mut text = text
            .replace("{{server}}", &format!("http://{}", self.server.host()))
            .replace("{{host}}", &self.server.host())
            .replace("{{bootstrap}}", &self.server.bootstrap())
            .replace("{{connect_url}}", crate::server::CONNECT_URL)
            .replace("{{schema_registry_url}}", crate::server::REGISTRY_URL)
            .replace("{{kafka_cluster_id}}", "weir-embedded")
            .replace("{{state_dir}}", &self.server.state_dir());
        for (name, value) in &self.captured {
            text = text.replace(&format!("{{{{{name}}}}}"), value);
        }
        text
    }

    async fn step(&mut self, step: &Value) -> Result<(), String> {
        if let Some(topic) = step.get("create_topic") {
            return kafka::create_topic(&self.server.bootstrap(), topic).await;
        }
        if let Some(records) = step.get("produce") {
            return kafka::produce(&self.server.bootstrap(), records);
        }
        if let Some(socket) = step.get("websocket") {
            return self.websocket(step, socket).await;
        }
        if step.get("action").is_some() {
            return self.go_on(step).await;
        }
        let repeat = step["repeat_until"].as_str();
        let looks = Looks::within(REPEAT).every(Duration::from_millis(100));
        loop {
            let mut open = self.send(step).await?;
            let until = step["read_until"].as_str();
            read(&mut open, until, 0).await?;
            let body = open.response().body();
            if let Some(pattern) = repeat {
                let pattern = Regex::new(pattern).map_err(|e| e.to_string())?;
                if !pattern.is_match(&body).unwrap_or(false)
                    && let Some(pause) = looks.pause()
                {
                    tokio::time::sleep(pause).await;
                    continue;
                }
            }
            self.capture(step, &body)?;
            let result = self.compare(step, open.response(), 0);
            if let Some(name) = step["stream"].as_str() {
                let seen = open.response().chunks.len();
                self.streams.insert(name.to_owned(), (open, seen));
            }
            return result;
        }
    }

    fn capture(&mut self, step: &Value, body: &str) -> Result<(), String> {
        for (name, pattern) in step["capture"].as_object().into_iter().flatten() {
            let regex =
                Regex::new(pattern.as_str().unwrap_or_default()).map_err(|e| e.to_string())?;
            if let Ok(Some(found)) = regex.captures(body)
                && let Some(group) = found.get(1)
            {
                self.captured
                    .insert(name.clone(), group.as_str().to_owned());
            }
        }
        Ok(())
    }

    async fn send(&self, step: &Value) -> Result<Open, String> {
        let request = &step["request"];
        let method = request["method"].as_str().unwrap_or("GET");
        let path = self.filled(request["path"].as_str().unwrap_or("/"));
        let body = match (&request["body"], request["body_repeat"].as_array()) {
            (Value::String(body), _) => Some(self.filled(body)),
            (_, Some(parts)) => {
                let text = |i: usize| parts.get(i).and_then(Value::as_str).unwrap_or_default();
                let times = parts.get(2).and_then(Value::as_u64).unwrap_or(0);
                Some(format!(
                    "{}{}{}",
                    text(0),
                    text(1).repeat(times as usize),
                    text(3)
                ))
            }
            _ => None,
        };
        let headers: Vec<(String, String)> = request["headers"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect();
        let host = self.server.host();
        match request["protocol"].as_str() {
            Some("HTTP/2") => {
                // A stream that goes on keeps its request open.
                let end = request["end_stream"].as_bool().unwrap_or(true);
                let mut exchange =
                    http2::Exchange::start(&host, method, &path, &headers, body.as_deref(), end)
                        .await?;
                // No answer was recorded: it is enough that none comes at once.
                let silent = step["response"].get("status") == Some(&Value::Null);
                if silent {
                    let _ = exchange.head_within(Duration::from_secs(1)).await;
                } else {
                    exchange.head_within(PATIENCE).await?;
                }
                Ok(Open::Two(exchange))
            }
            protocol => {
                let version = if protocol == Some("HTTP/1.0") {
                    "1.0"
                } else {
                    "1.1"
                };
                let request =
                    http1_request(method, &path, &host, version, &headers, body.as_deref());
                http1::Exchange::start(&host, &request).await.map(Open::One)
            }
        }
    }

    async fn go_on(&mut self, step: &Value) -> Result<(), String> {
        let name = step["stream"].as_str().unwrap_or_default();
        let Some((mut open, seen)) = self.streams.remove(name) else {
            return Err(format!("stream {name} is not open"));
        };
        match step["action"].as_str() {
            Some("close_connection") => return Ok(()),
            Some("send") => {
                let data = self.filled(step["data"].as_str().unwrap_or_default());
                let end = step["end_stream"].as_bool().unwrap_or(false);
                if let Open::Two(exchange) = &mut open {
                    exchange.send(&data, end)?;
                }
                if let Some(until) = step["until"].as_str() {
                    read(&mut open, Some(until), seen).await?;
                }
            }
            Some("read_until") => {
                read(
                    &mut open,
                    step["until"].as_str().or(step["read_until"].as_str()),
                    seen,
                )
                .await?;
            }
            _ => read(&mut open, None, seen).await?,
        }
        let body = open.response().chunks[seen.min(open.response().chunks.len())..].concat();
        self.capture(step, &body)?;
        let result = match step.get("response") {
            Some(_) => self.compare(step, open.response(), seen),
            None => Ok(()),
        };
        let seen = open.response().chunks.len();
        self.streams.insert(name.to_owned(), (open, seen));
        result
    }

    /// Compares a response, its chunks from `seen` on.
    fn compare(&self, step: &Value, actual: &Response, seen: usize) -> Result<(), String> {
        let expected = &step["response"];
        let volatile = &step["volatile"];
        let request = self.filled(step["request"]["body"].as_str().unwrap_or_default());
        if let Some(status) = expected.get("status")
            && !compare::has_mark(volatile, "status")
        {
            let same = actual.status.map(u64::from) == status.as_u64();
            let accident = status.as_u64() == Some(500)
                && actual.status.is_some_and(|s| (400..500).contains(&s))
                && expected["body"]
                    .as_str()
                    .is_some_and(|b| b.contains("Cannot invoke") || b.contains("No enum constant"));
            if accident {
                return Ok(());
            }
            if !same {
                return Err(format!(
                    "status {:?}, recorded {status}\nactual:   {}\nrecorded: {}",
                    actual.status,
                    actual.body(),
                    expected["body"].as_str().unwrap_or_default()
                ));
            }
        }
        if seen == 0
            && let Some(headers) = expected["headers"].as_object()
        {
            let recorded = headers.get("content-type").and_then(Value::as_str);
            if recorded != actual.header("content-type") {
                return Err(format!(
                    "content type {:?}, recorded {recorded:?}",
                    actual.header("content-type")
                ));
            }
        }
        let chunks = &actual.chunks[seen.min(actual.chunks.len())..];
        let body = chunks.concat();
        if let Some(recorded) = expected["chunks"].as_array() {
            let recorded: Vec<String> = recorded
                .iter()
                .map(|c| self.filled(c.as_str().unwrap_or_default()))
                .collect();
            compare::bodies(&recorded.concat(), &body, volatile, &request)?;
            if actual.status.is_some_and(|s| s < 300)
                && !compare::has_mark(volatile, "chunk_boundaries")
                && recorded.len() != chunks.len()
            {
                return Err(format!(
                    "{} chunks, recorded {}: {chunks:?}",
                    chunks.len(),
                    recorded.len()
                ));
            }
        } else if let Some(recorded) = expected["body"].as_str() {
            compare::bodies(&self.filled(recorded), &body, volatile, &request)?;
        }
        if let Some(ended) = expected["ended"].as_bool()
            && ended != actual.ended
            && expected.get("chunks").is_some()
        {
            return Err(format!("ended: {}, recorded {ended}", actual.ended));
        }
        Ok(())
    }

    async fn websocket(&self, step: &Value, socket: &Value) -> Result<(), String> {
        let path = socket["path"].as_str().unwrap_or_default();
        let query: Vec<(String, String)> = socket["query"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(n, v)| (n.clone(), self.filled(v.as_str().unwrap_or_default())))
            .collect();
        let request: String = query.iter().map(|(_, v)| v.clone()).collect();
        let answer = websocket::ask(
            &self.server.host(),
            path,
            &query,
            socket["read_until"].as_str(),
        )
        .await?;
        let expected = &step["response"];
        let frames: Vec<&str> = expected["frames"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if frames.len() != answer.frames.len() {
            return Err(format!("frames {:?}, recorded {frames:?}", answer.frames));
        }
        for (recorded, actual) in frames.iter().zip(&answer.frames) {
            let has_error = |text: &str| text.starts_with("{\"error\"");
            if has_error(recorded) && has_error(actual) {
                continue;
            }
            compare::bodies(&self.filled(recorded), actual, &step["volatile"], &request)?;
        }
        let code = expected["close_code"].as_u64();
        if code.is_some() && code != answer.close_code.map(u64::from) {
            return Err(format!(
                "close code {:?}, recorded {code:?}",
                answer.close_code
            ));
        }
        Ok(())
    }
}

/// Reads until the text since `seen` matches, or to the end.
async fn read(open: &mut Open, until: Option<&str>, seen: usize) -> Result<(), String> {
    let pattern = match until {
        Some("^") => return Ok(()),
        Some(pattern) => Some(Regex::new(pattern).map_err(|e| e.to_string())?),
        None => None,
    };
    loop {
        if let Some(pattern) = &pattern {
            let chunks = &open.response().chunks;
            let text = chunks[seen.min(chunks.len())..].concat();
            if pattern.is_match(&text).unwrap_or(false) {
                return Ok(());
            }
        }
        if !open.next().await? {
            return Ok(());
        }
    }
}
