//! The listener and the table of routes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::ALLOW;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use weir_catalog::Weir;

use crate::cors::{Cors, Verdict};
use crate::lanes::Lanes;
use crate::tls::Tls;
use crate::{h2c, inserts, plain, query, quick, respond, statements, websocket};

/// Why the server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// Address asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// There are no threads to serve with.
    #[error("cannot start a thread: {0}")]
    Threads(std::io::Error),
}

/// A listening HTTP server.
pub struct HttpServer {
    address: SocketAddr,
    is_tls: bool,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl HttpServer {
    /// Listens on `address` (port 0: any free one) and serves `weir` until stopped; with `tls`
    /// over TLS alone.
    pub async fn start(
        address: SocketAddr,
        tls: Option<Tls>,
        weir: Arc<Weir>,
    ) -> Result<Self, ServeError> {
        let bind = |source| ServeError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let (stop, stopped) = watch::channel(false);
        let is_tls = tls.is_some();
        let service = Routes {
            router: router(weir.clone()),
            quick: Some(weir),
            upgrades: !is_tls,
        };
        let serve = move |stream| spawn(stream, tls.clone(), service.clone());
        // Not on a thread of a runtime: one whose thread does not start is dropped.
        let lanes = tokio::task::spawn_blocking(move || Lanes::start(serve))
            .await
            .map_err(std::io::Error::other)
            .flatten()
            .map_err(ServeError::Threads)?;
        let task = tokio::spawn(accept(listener, lanes, stopped));
        Ok(Self {
            address,
            is_tls,
            stop,
            task,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it speaks TLS.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Closes the listener and all connections.
    pub async fn stop(self) {
        // A receiver that is gone means that the loop has ended already.
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

/// All routes; whatever is not here is 404 `Not Found`, wrong methods included (spec §1).
pub(crate) fn router(weir: Arc<Weir>) -> Router {
    let cors = Cors::from_properties(|name| weir.property(name)).map(Arc::new);
    let routes = Router::new()
        .route("/", get(plain::root))
        .route("/info", get(plain::info))
        .route("/healthcheck", get(plain::healthcheck))
        .route("/status", get(plain::statuses))
        .route("/status/{kind}/{entity}/{action}", get(plain::status))
        .route("/clusterStatus", get(plain::cluster_status))
        .route("/heartbeat", post(plain::feature_off))
        .route("/lag", post(plain::lag))
        .route("/is_valid_property/{name}", get(plain::is_valid_property))
        .route("/v1/metadata", get(plain::metadata))
        .route("/v1/metadata/id", get(plain::metadata_id))
        .route("/chc/ready", get(plain::chc))
        .route("/chc/live", get(plain::chc))
        .route("/ksql", post(statements::ksql))
        .route("/ksql/terminate", post(statements::terminate_cluster))
        .route("/query", post(query::query))
        .route("/query-stream", post(query::query_stream))
        .route("/close-query", post(query::close_query))
        .route("/inserts-stream", post(inserts::inserts_stream))
        .route("/ws/query", get(websocket::ws_query))
        .fallback(respond::not_found)
        .method_not_allowed_fallback(respond::not_found)
        .with_state(weir.clone());
    // Around the routes as a whole, not around each: what they add to an answer passes through it.
    Router::new()
        .fallback_service(routes)
        .layer(middleware::from_fn_with_state((weir, cors), gate))
}

/// What holds for every request: its origin may ask, a server that is not ready says so, HEAD and
/// OPTIONS are wrong methods, `Accept` must fit on plain endpoints.
async fn gate(
    State((weir, cors)): State<(Arc<Weir>, Option<Arc<Cors>>)>,
    request: Request,
    next: Next,
) -> Response {
    let verdict = cors.map_or(Verdict::Plain, |cors| {
        cors.look_at(request.method(), request.uri().path(), request.headers())
    });
    match verdict {
        Verdict::Plain => admit(&weir, request, next).await,
        Verdict::Answered(response) => response,
        Verdict::Allowed(headers) => {
            let mut response = admit(&weir, request, next).await;
            response.headers_mut().extend(headers);
            response
        }
    }
}

/// See [`gate`], of requests that may come from where they come.
async fn admit(weir: &Weir, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let of_health = path.starts_with("/chc/");
    if !of_health && let Some(error) = weir.not_ready() {
        return respond::unavailable(&error);
    }
    if matches!(*request.method(), Method::HEAD | Method::OPTIONS) {
        return respond::not_found().await;
    }
    let free = of_health || matches!(path, "/" | "/close-query" | "/ws/query");
    let query = matches!(path, "/query" | "/query-stream" | "/inserts-stream");
    if !free && !query && !respond::accepts_json(request.headers()) {
        return respond::not_found().await;
    }
    without_methods(next.run(request).await)
}

/// A wrong method is an unknown path: no other one is named.
fn without_methods(mut response: Response) -> Response {
    if response.status() == StatusCode::NOT_FOUND {
        response.headers_mut().remove(ALLOW);
    }
    response
}

/// `/info/` is `/info`.
fn trim_slash(uri: &mut Uri) {
    let path = uri.path();
    if path.len() > 1 && path.ends_with('/') {
        let trimmed = path.trim_end_matches('/');
        let trimmed = if trimmed.is_empty() { "/" } else { trimmed };
        let text = match uri.query() {
            Some(query) => format!("{trimmed}?{query}"),
            None => trimmed.to_owned(),
        };
        if let Ok(parsed) = text.parse() {
            *uri = parsed;
        }
    }
}

/// Takes connections until the server stops, which closes them.
async fn accept(listener: TcpListener, mut lanes: Lanes, mut stopped: watch::Receiver<bool>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => break,
        };
        // As a plain socket, since a lane has an event loop of its own.
        match accepted.and_then(|(stream, _)| stream.into_std()) {
            Ok(stream) => lanes.give(stream),
            Err(error) => {
                // Out of file handles or a connection that vanished: the listener lives on.
                tracing::warn!(%error, "connection not accepted");
                tokio::task::yield_now().await;
            }
        }
    }
    drop(listener);
    // Its end is waited for by whoever stops the server.
    let _ = tokio::task::spawn_blocking(move || lanes.stop()).await;
}

/// Serves a connection on the lane that this is called on.
fn spawn(stream: std::net::TcpStream, tls: Option<Tls>, service: Routes) {
    let stream = match TcpStream::from_std(stream) {
        Ok(stream) => stream,
        Err(error) => {
            tracing::warn!(%error, "connection not accepted");
            return;
        }
    };
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    match tls {
        None => {
            tokio::spawn(serve(stream, service));
        }
        Some(tls) => {
            tokio::spawn(async move {
                if let Some(stream) = tls.accept(stream).await {
                    serve(stream, service).await;
                }
            });
        }
    }
}

/// Serves one connection until it ends.
async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, service: Routes) {
    let service = TowerToHyperService::new(service);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // Chunks are small, and three pieces each: copied together they are one write.
    builder.http1().writev(false);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "connection ended");
    }
}

/// Goes on in HTTP/2 on a connection that was upgraded, its first request given as frames.
async fn serve_upgraded(upgrade: hyper::upgrade::OnUpgrade, frames: Vec<u8>, service: Routes) {
    let upgraded = match upgrade.await {
        Ok(upgraded) => upgraded,
        Err(error) => {
            tracing::debug!(%error, "connection not upgraded");
            return;
        }
    };
    let stream = TokioIo::new(h2c::Injected::new(TokioIo::new(upgraded), frames));
    let service = TowerToHyperService::new(service);
    let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(stream, service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "connection ended");
    }
}

/// The router behind what must come before routing: lookups by key, the rewrite of the path, and
/// the upgrade to HTTP/2.
#[derive(Clone)]
struct Routes {
    router: Router,
    /// Who answers lookups.
    quick: Option<Arc<Weir>>,
    /// Whether a connection may be upgraded to HTTP/2; over TLS that is agreed by ALPN.
    upgrades: bool,
}

impl Routes {
    async fn upgrade(self, mut request: hyper::Request<hyper::body::Incoming>) -> Response {
        let upgrade = hyper::upgrade::on(&mut request);
        let (parts, body) = request.into_parts();
        let Ok(body) = body.collect().await else {
            return respond::response(400, None, axum::body::Body::empty());
        };
        let frames = h2c::frames(&parts, &body.to_bytes());
        tokio::spawn(serve_upgraded(upgrade, frames, self));
        h2c::switching()
    }
}

impl tower_service::Service<hyper::Request<hyper::body::Incoming>> for Routes {
    type Response = Response;
    type Error = Infallible;
    type Future = futures::future::Either<
        <Router as tower_service::Service<Request>>::Future,
        futures::future::BoxFuture<'static, Result<Response, Infallible>>,
    >;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: hyper::Request<hyper::body::Incoming>) -> Self::Future {
        use futures::future::Either;
        if let Some(weir) = &self.quick
            && let Some(candidate) = quick::candidate(weir, &request)
        {
            let (weir, mut router) = (weir.clone(), self.router.clone());
            return Either::Right(Box::pin(async move {
                match quick::answer(&weir, candidate, request).await {
                    Ok(response) => Ok(response),
                    Err(request) => {
                        tower_service::Service::<Request>::call(&mut router, request).await
                    }
                }
            }));
        }
        if self.upgrades && h2c::is_wanted(&request) {
            let upgraded = self.clone().upgrade(request);
            return Either::Right(Box::pin(async { Ok(upgraded.await) }));
        }
        trim_slash(request.uri_mut());
        let request = request.map(axum::body::Body::new);
        Either::Left(tower_service::Service::<Request>::call(
            &mut self.router,
            request,
        ))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// A frame: kind, flags, stream, payload.
    async fn frame(stream: &mut (impl AsyncRead + Unpin)) -> (u8, u8, u32, Vec<u8>) {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let length = head[..3].iter().fold(0, |n, b| n << 8 | usize::from(*b));
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).await.unwrap();
        let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        (head[3], head[4], id, payload)
    }

    #[tokio::test]
    async fn a_request_that_asks_for_h2c_is_answered_in_http_2() {
        let echo = |request: Request| async move {
            let path = request.uri().to_string();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            format!("{path} {}", String::from_utf8_lossy(&body))
        };
        let service = Routes {
            router: Router::new().route("/ksql", post(echo)),
            quick: None,
            upgrades: true,
        };
        let (mut client, server) = tokio::io::duplex(1 << 16);
        tokio::spawn(serve(server, service));
        client
            .write_all(
                b"POST /ksql?a=b HTTP/1.1\r\nHost: h:1\r\nConnection: Upgrade, HTTP2-Settings\r\n\
                  Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nContent-Length: 4\r\n\r\nbody",
            )
            .await
            .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        // The client's preface and an empty SETTINGS frame.
        client
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
            .await
            .unwrap();
        let mut body = Vec::new();
        loop {
            let (kind, flags, stream, payload) = frame(&mut client).await;
            // DATA of the first request, up to its end.
            if (kind, stream) == (0, 1) {
                body.extend(payload);
                if flags & 1 == 1 {
                    break;
                }
            }
        }
        assert_eq!(String::from_utf8(body).unwrap(), "http://h:1/ksql?a=b body");
    }
}
