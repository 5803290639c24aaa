//! The HTTP side: one connection per request, so that dropping a request is dropping its
//! connection (spec/api.md §7.2).
//!
//! ```text
//!  Session ──► Client ──HTTP/1.1──► server
//!                │  /info, /ksql, /is_valid_property: a whole answer
//!                └─ /query: RowStream, lines as they come ◄── deadline, Ctrl-C
//! ```
//!
//! Invariant: calls block the caller's thread and nothing else; Ctrl-C and a deadline end each of
//! them, whatever the server does.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use bytes::{Buf, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use openssl::ssl::SslConnector;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, sleep_until};
use weir_protocol::KsqlRequest;

use crate::interrupt::Interrupt;
use crate::tls;

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest line of an answer that is kept; a server that sends more is not one of ours.
const LONGEST_LINE: usize = 256 << 20;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClientError {
    /// The address cannot be used.
    #[error("{0}")]
    Address(String),
    /// No connection, or one that broke.
    #[error(
        "Could not reach the server at {server}: {reason}\nIs it running? `server <url>` names \
         another one."
    )]
    Unreachable {
        /// The address.
        server: String,
        /// What the system said.
        reason: String,
    },
    /// The answer is not what the API promises.
    #[error("The server at {server} gave an answer that is not understood: {reason}")]
    Answer {
        /// The address.
        server: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Ctrl-C.
    #[error("The request was cancelled; the server may still carry it out.")]
    Cancelled,
}

/// What the server said: a result, or an error object of its own.
#[derive(Debug)]
pub(crate) enum Answer<T> {
    /// Success.
    Done(T),
    /// An error object: `@type`, `error_code`, `message`.
    Refused(Value),
}

/// How requests prove who asks.
#[derive(Clone, Default)]
pub(crate) enum Credentials {
    /// They do not.
    #[default]
    None,
    /// HTTP Basic: user and password.
    Basic(String, String),
    /// A bearer token.
    Bearer(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic(..) => "Basic(…)",
            Self::Bearer(_) => "Bearer(…)",
        })
    }
}

/// A server to ask. Clones share their runtime.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    runtime: Arc<Runtime>,
    interrupt: Interrupt,
    address: Address,
    authorization: Option<HeaderValue>,
    api_key: Option<HeaderValue>,
    /// The session's `ssl.*` properties, and what was made of them once it was needed.
    ssl: Arc<[(String, String)]>,
    tls: Arc<OnceLock<SslConnector>>,
}

/// A server address taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Address {
    /// As given.
    url: String,
    /// `host:port` to connect to and to name in `Host`.
    authority: String,
    /// The host alone, as its certificate names it.
    host: String,
    /// Whether it is spoken to over TLS.
    is_tls: bool,
}

impl Address {
    /// The first of a list separated by commas.
    fn parse(list: &str) -> Result<Self, ClientError> {
        let url = list.split(',').next().unwrap_or_default().trim();
        let refuse = |cause: String| {
            ClientError::Address(format!(
                "The supplied serverAddress is invalid: {url}\nCaused by: {cause}"
            ))
        };
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(match url.split_once(':') {
                Some((scheme, _)) => refuse(format!("unknown protocol: {scheme}")),
                None => refuse(format!("no protocol: {url}")),
            });
        };
        let (is_tls, port) = match scheme {
            "http" => (false, 80),
            "https" => (true, 443),
            other => return Err(refuse(format!("unknown protocol: {other}"))),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let uri: hyper::http::uri::Authority = authority
            .parse()
            .map_err(|e| refuse(format!("bad host or port: {e}")))?;
        if uri.host().is_empty() || authority.contains('@') {
            return Err(refuse("a host name is missing".to_owned()));
        }
        let authority = match uri.port_u16() {
            Some(_) => authority.to_owned(),
            None if uri.host().len() == authority.len() => format!("{authority}:{port}"),
            None => return Err(refuse(format!("bad host or port: {authority}"))),
        };
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            host: uri.host().trim_matches(['[', ']']).to_owned(),
            authority,
            is_tls,
        })
    }
}

impl Client {
    /// A client of the server at `url` (`http[s]://host[:port]`, the first one of a list), with the
    /// session's `ssl.*` properties.
    ///
    /// # Errors
    ///
    /// The address is not a URL of a known protocol, or the credentials cannot be sent in a header.
    pub(crate) fn new(
        url: &str,
        credentials: &Credentials,
        api_key: Option<&(String, String)>,
        ssl: &[(String, String)],
        interrupt: Interrupt,
    ) -> Result<Self, ClientError> {
        let address = Address::parse(url)?;
        let basic = |user: &str, password: &str| {
            let text = format!("{user}:{password}");
            let text = base64::engine::general_purpose::STANDARD.encode(text);
            header(&format!("Basic {text}"))
        };
        let authorization = match credentials {
            Credentials::None => None,
            Credentials::Basic(user, password) => Some(basic(user, password)?),
            Credentials::Bearer(token) => Some(header(&format!("Bearer {token}"))?),
        };
        let api_key = match api_key {
            Some((key, secret)) => Some(basic(key, secret)?),
            None => None,
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|e| ClientError::Unreachable {
                server: address.url.clone(),
                reason: e.to_string(),
            })?;
        Ok(Self {
            runtime: Arc::new(runtime),
            interrupt,
            address,
            authorization,
            api_key,
            ssl: ssl.into(),
            tls: Arc::default(),
        })
    }

    /// The runtime that requests run on.
    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The address as given.
    pub(crate) fn server(&self) -> &str {
        &self.address.url
    }

    /// Asks another server from now on.
    ///
    /// # Errors
    ///
    /// The address is not a URL of a known protocol.
    pub(crate) fn set_server(&mut self, url: &str) -> Result<(), ClientError> {
        self.address = Address::parse(url)?;
        Ok(())
    }

    /// GET `/info`: the `KsqlServerInfo` object.
    ///
    /// # Errors
    ///
    /// No connection, Ctrl-C, or an answer that is no JSON.
    pub(crate) fn info(&self) -> Result<Answer<Value>, ClientError> {
        Ok(match self.whole(Method::GET, "/info", None)? {
            Answer::Done(mut info) => Answer::Done(info["KsqlServerInfo"].take()),
            Answer::Refused(error) => Answer::Refused(error),
        })
    }

    /// POST `/ksql`: one entity per statement that yields one.
    ///
    /// # Errors
    ///
    /// As for [`Client::info`].
    pub(crate) fn statements(
        &self,
        request: &KsqlRequest,
    ) -> Result<Answer<Vec<Value>>, ClientError> {
        let body = self.body_of(request)?;
        match self.whole(Method::POST, "/ksql", Some(body))? {
            Answer::Done(Value::Array(entities)) => Ok(Answer::Done(entities)),
            Answer::Done(_) => Err(self.not_understood("a list of entities was expected")),
            Answer::Refused(error) => Ok(Answer::Refused(error)),
        }
    }

    /// GET `/is_valid_property/{name}`: whether a session may set it.
    ///
    /// # Errors
    ///
    /// As for [`Client::info`].
    pub(crate) fn is_valid_property(&self, name: &str) -> Result<Answer<()>, ClientError> {
        let mut path = String::from("/is_valid_property/");
        for byte in name.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                path.push(char::from(byte));
            } else {
                path.push_str(&format!("%{byte:02X}"));
            }
        }
        Ok(match self.whole(Method::GET, &path, None)? {
            Answer::Done(_) => Answer::Done(()),
            Answer::Refused(error) => Answer::Refused(error),
        })
    }

    /// POST `/query`: the lines of one SELECT or PRINT.
    ///
    /// # Errors
    ///
    /// No connection, or Ctrl-C before the answer began.
    pub(crate) fn query(
        &self,
        request: &KsqlRequest,
        timeout: Option<Duration>,
    ) -> Result<Answer<RowStream>, ClientError> {
        let body = self.body_of(request)?;
        self.until_interrupted(async {
            let response = self.send(Method::POST, "/query", Some(body)).await?;
            if response.status() == StatusCode::OK {
                return Ok(Answer::Done(RowStream {
                    client: self.clone(),
                    body: response.into_body(),
                    buffer: BytesMut::new(),
                    searched: 0,
                    ended: false,
                    deadline: timeout.map(|t| Instant::now() + t),
                }));
            }
            Ok(Answer::Refused(self.refusal("/query", response).await?))
        })
    }

    fn body_of(&self, request: &KsqlRequest) -> Result<Bytes, ClientError> {
        serde_json::to_vec(request)
            .map(Bytes::from)
            .map_err(|e| self.not_understood(e))
    }

    fn whole(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Answer<Value>, ClientError> {
        self.until_interrupted(async {
            let response = self.send(method, path, body).await?;
            if !response.status().is_success() {
                return Ok(Answer::Refused(self.refusal(path, response).await?));
            }
            let bytes = self.collect(response).await?;
            serde_json::from_slice(&bytes)
                .map(Answer::Done)
                .map_err(|e| self.not_understood(e))
        })
    }

    /// The error object of an answer; one of our own where the answer has none.
    async fn refusal(
        &self,
        path: &str,
        response: Response<Incoming>,
    ) -> Result<Value, ClientError> {
        let status = response.status();
        let bytes = self.collect(response).await?;
        if let Ok(error) = serde_json::from_slice::<Value>(&bytes)
            && error.get("message").is_some_and(Value::is_string)
        {
            return Ok(error);
        }
        let message = match status {
            StatusCode::UNAUTHORIZED => {
                "Could not authenticate with the given credentials.".to_owned()
            }
            StatusCode::FORBIDDEN => "You are not allowed to use this server.".to_owned(),
            StatusCode::NOT_FOUND => format!(
                "Path not found: '{path}'. Check that {} is the address of a Weir or ksqlDB \
                 server.",
                self.address.url
            ),
            other => format!(
                "The server answered with status {other}: {}",
                String::from_utf8_lossy(&bytes).trim()
            ),
        };
        let code = u32::from(status.as_u16()) * 100;
        Ok(json!({"@type": "generic_error", "error_code": code, "message": message}))
    }

    async fn collect(&self, response: Response<Incoming>) -> Result<Bytes, ClientError> {
        let body = response.into_body().collect().await;
        body.map(|b| b.to_bytes()).map_err(|e| self.unreachable(e))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Response<Incoming>, ClientError> {
        let connect = TcpStream::connect(&self.address.authority);
        let stream = match tokio::time::timeout(CONNECT_TIMEOUT, connect).await {
            Ok(connected) => connected.map_err(|e| self.unreachable(e))?,
            Err(_) => return Err(self.unreachable("the connection timed out")),
        };
        // Requests are small and somebody waits for each.
        stream.set_nodelay(true).map_err(|e| self.unreachable(e))?;
        let stream: Box<dyn tls::Stream> = if self.address.is_tls {
            let connector = self.connector()?;
            let shaken = tls::connect(&connector, &self.address.host, stream);
            match tokio::time::timeout(CONNECT_TIMEOUT, shaken).await {
                Ok(stream) => Box::new(stream.map_err(|e| self.unreachable(e))?),
                Err(_) => return Err(self.unreachable("the TLS handshake timed out")),
            }
        } else {
            Box::new(stream)
        };
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| self.unreachable(e))?;
        // Ends with the response: nobody holds the sender after this function.
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.address.authority)
            .header(ACCEPT, "application/json");
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(key) = &self.api_key {
            request = request.header("X-Confluent-API-Key", key);
        }
        let request = request
            .body(Full::new(body.unwrap_or_default()))
            .map_err(|e| self.unreachable(e))?;
        sender
            .send_request(request)
            .await
            .map_err(|e| self.unreachable(e))
    }

    fn connector(&self) -> Result<SslConnector, ClientError> {
        if let Some(connector) = self.tls.get() {
            return Ok(connector.clone());
        }
        let made = tls::connector(&self.ssl).map_err(|e| ClientError::Address(e.to_string()))?;
        Ok(self.tls.get_or_init(|| made).clone())
    }

    fn until_interrupted<T>(
        &self,
        work: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        self.runtime.block_on(async {
            tokio::select! {
                done = work => done,
                () = self.interrupt.rung() => Err(ClientError::Cancelled),
            }
        })
    }

    fn unreachable(&self, reason: impl fmt::Display) -> ClientError {
        ClientError::Unreachable {
            server: self.address.url.clone(),
            reason: reason.to_string(),
        }
    }

    fn not_understood(&self, reason: impl fmt::Display) -> ClientError {
        ClientError::Answer {
            server: self.address.url.clone(),
            reason: reason.to_string(),
        }
    }
}

fn header(text: &str) -> Result<HeaderValue, ClientError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        ClientError::Address("The credentials hold characters that no header can hold.".to_owned())
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// What a running query gives next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// A line, without its end; never an empty one.
    Line(String),
    /// The server ended the answer.
    End,
    /// Ctrl-C, or the time is up.
    Stopped,
}

/// The lines of a running query. Dropping it closes the connection, which ends the query.
#[derive(Debug)]
pub(crate) struct RowStream {
    client: Client,
    body: Incoming,
    buffer: BytesMut,
    /// Bytes of `buffer` known to hold no end of line.
    searched: usize,
    ended: bool,
    deadline: Option<Instant>,
}

impl RowStream {
    /// Waits for the next line.
    ///
    /// # Errors
    ///
    /// The connection broke.
    pub(crate) fn next(&mut self) -> Result<Next, ClientError> {
        loop {
            while let Some(line) = self.take_line() {
                if !line.trim().is_empty() {
                    return Ok(Next::Line(line));
                }
            }
            if self.ended {
                return Ok(Next::End);
            }
            if self.buffer.len() > LONGEST_LINE {
                return Err(self.client.not_understood("a line has no end"));
            }
            let deadline = self.deadline;
            let (body, client) = (&mut self.body, &self.client);
            let frame = client.runtime.block_on(async {
                let late = async {
                    match deadline {
                        Some(at) => sleep_until(at).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    biased;
                    () = client.interrupt.rung() => Err(()),
                    () = late => Err(()),
                    frame = body.frame() => Ok(frame),
                }
            });
            match frame {
                Err(()) => return Ok(Next::Stopped),
                Ok(None) => self.ended = true,
                Ok(Some(Err(e))) => return Err(self.client.unreachable(e)),
                Ok(Some(Ok(frame))) => {
                    if let Some(data) = frame.data_ref() {
                        self.buffer.extend_from_slice(data);
                    }
                }
            }
        }
    }

    /// The next whole line of the buffer, or what is left of it at the end.
    fn take_line(&mut self) -> Option<String> {
        let unseen = self.buffer.get(self.searched..).unwrap_or_default();
        let line = match unseen.iter().position(|b| *b == b'\n') {
            Some(at) => {
                let line = self.buffer.split_to(self.searched + at);
                self.buffer.advance(1);
                line
            }
            None if self.ended && !self.buffer.is_empty() => self.buffer.split(),
            None => {
                self.searched = self.buffer.len();
                return None;
            }
        };
        self.searched = 0;
        let line = String::from_utf8_lossy(&line);
        Some(line.trim_end_matches('\r').to_owned())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (url, authority) in [
            ("http://localhost:8088", "localhost:8088"),
            ("http://h/", "h:80"),
            ("http://a:1,http://b:2", "a:1"),
            ("http://[::1]:9/x", "[::1]:9"),
            ("https://h", "h:443"),
        ] {
            assert_eq!(Address::parse(url).unwrap().authority, authority, "{url}");
        }
        for (url, words) in [
            (
                "nonsense://x",
                "nonsense://x\nCaused by: unknown protocol: nonsense",
            ),
            ("localhost:8088", "unknown protocol: localhost"),
            ("localhost", "no protocol: localhost"),
            ("http://", "bad host"),
            ("http://h:port", "bad host or port"),
        ] {
            let error = Address::parse(url).unwrap_err().to_string();
            assert!(error.contains(words), "{url}: {error}");
        }
    }
}
