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
use tokio::net::TcpListener;
use tokio::sync::watch;
use weir_catalog::Weir;

use crate::{h2c, inserts, plain, query, respond, statements, websocket};

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
}

/// A listening HTTP server.
pub struct HttpServer {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl HttpServer {
    /// Listens on `address` (port 0: any free one) and serves `weir` until stopped.
    pub async fn start(address: SocketAddr, weir: Arc<Weir>) -> Result<Self, ServeError> {
        let bind = |source| ServeError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(listener, router(weir), stopped));
        Ok(Self {
            address,
            stop,
            task,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
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
    Router::new()
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
        .layer(middleware::from_fn_with_state(weir.clone(), gate))
        .with_state(weir)
}

/// What holds for every request: HEAD and OPTIONS are wrong methods, `Accept` must fit on plain
/// endpoints, a server that is not ready says so.
async fn gate(State(weir): State<Arc<Weir>>, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::HEAD | Method::OPTIONS) {
        return respond::not_found().await;
    }
    let path = request.uri().path();
    let free = matches!(path, "/" | "/close-query" | "/ws/query") || path.starts_with("/chc/");
    let query = matches!(path, "/query" | "/query-stream" | "/inserts-stream");
    if !free && !query && !respond::accepts_json(request.headers()) {
        return respond::not_found().await;
    }
    if !path.starts_with("/chc/")
        && let Some(error) = weir.not_ready()
    {
        return respond::unavailable(&error);
    }
    let mut response = next.run(request).await;
    if response.status() == StatusCode::NOT_FOUND {
        // A wrong method is an unknown path: no other one is named.
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

async fn accept(listener: TcpListener, router: Router, stopped: watch::Receiver<bool>) {
    let service = Routes {
        router,
        stopped: stopped.clone(),
    };
    let mut stop = stopped.clone();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file handles or a connection that vanished: the listener lives on.
                    tracing::warn!(%error, "connection not accepted");
                    tokio::task::yield_now().await;
                    continue;
                }
            },
            _ = stop.changed() => return,
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        tokio::spawn(serve(stream, service.clone(), stopped.clone()));
    }
}

/// Serves one connection until it or the server ends.
async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    service: Routes,
    mut stopped: watch::Receiver<bool>,
) {
    let service = TowerToHyperService::new(service);
    let builder = auto::Builder::new(TokioExecutor::new());
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::select! {
        ended = connection => {
            if let Err(error) = ended {
                tracing::debug!(%error, "connection ended");
            }
        }
        _ = stopped.changed() => {}
    }
}

/// Goes on in HTTP/2 on a connection that was upgraded, its first request given as frames.
async fn serve_upgraded(
    upgrade: hyper::upgrade::OnUpgrade,
    frames: Vec<u8>,
    service: Routes,
    mut stopped: watch::Receiver<bool>,
) {
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
    tokio::select! {
        ended = connection => {
            if let Err(error) = ended {
                tracing::debug!(%error, "connection ended");
            }
        }
        _ = stopped.changed() => {}
    }
}

/// The router behind what must come before routing: the rewrite of the path, and the upgrade to
/// HTTP/2.
#[derive(Clone)]
struct Routes {
    router: Router,
    stopped: watch::Receiver<bool>,
}

impl Routes {
    async fn upgrade(self, mut request: hyper::Request<hyper::body::Incoming>) -> Response {
        let upgrade = hyper::upgrade::on(&mut request);
        let (parts, body) = request.into_parts();
        let Ok(body) = body.collect().await else {
            return respond::response(400, None, axum::body::Body::empty());
        };
        let frames = h2c::frames(&parts, &body.to_bytes());
        let stopped = self.stopped.clone();
        tokio::spawn(serve_upgraded(upgrade, frames, self, stopped));
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
        if h2c::is_wanted(&request) {
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
