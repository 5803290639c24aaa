//! `POST /ksql` (spec/api.md §3).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use weir_catalog::Weir;

use crate::request::{self, BodyError};
use crate::respond::{self, JSON};

/// Runs statements and answers one entity each.
pub(crate) async fn ksql(State(weir): State<Arc<Weir>>, request: Request) -> Response {
    let version = request.version();
    let body = match request::read(request.into_body()).await {
        Ok(body) => body,
        Err(error) => return unreadable(&error),
    };
    let request = match request::ksql_request(&body, version) {
        Ok(request) => request,
        // What is refused before a resource looks at it has no content type.
        Err(error) => return respond::failed(&error, None),
    };
    match weir.execute(request).await {
        Ok(entities) => respond::json(&entities),
        Err(error) => respond::failed(&error, Some(JSON)),
    }
}

/// `POST /ksql/terminate`: ends the cluster.
pub(crate) async fn terminate_cluster(State(weir): State<Arc<Weir>>, request: Request) -> Response {
    let body = match request::read(request.into_body()).await {
        Ok(body) => body,
        Err(error) => return unreadable(&error),
    };
    match weir.terminate_cluster(&body).await {
        Ok(entities) => respond::json(&entities),
        Err(error) => respond::failed(&error, Some(JSON)),
    }
}

/// 413 for a body over the limit; a broken one has nobody left to answer to.
pub(crate) fn unreadable(error: &BodyError) -> Response {
    match error {
        BodyError::TooLarge => respond::response(413, None, Body::empty()),
        BodyError::Broken => respond::response(400, None, Body::empty()),
    }
}
