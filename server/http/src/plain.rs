//! Endpoints without a stream (spec/api.md §2).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderValue;
use axum::http::header::LOCATION;
use axum::response::Response;
use serde_json::json;
use weir_catalog::Weir;
use weir_protocol::ApiError;
use weir_types::ErrorCode;

use crate::respond::{self, JSON};

/// `GET /`: see `/info`.
pub(crate) async fn root() -> Response {
    let mut response = respond::response(307, None, Body::empty());
    response
        .headers_mut()
        .insert(LOCATION, HeaderValue::from_static("/info"));
    response
}

/// `GET /info`
pub(crate) async fn info(State(weir): State<Arc<Weir>>) -> Response {
    let info = weir.info();
    respond::json(&json!({ "KsqlServerInfo": {
        "version": info.version,
        "kafkaClusterId": info.kafka_cluster_id,
        "ksqlServiceId": info.service_id,
        "serverStatus": info.status,
    }}))
}

/// `GET /healthcheck`: always 200; the body tells.
pub(crate) async fn healthcheck(State(weir): State<Arc<Weir>>) -> Response {
    let health = weir.health().await;
    respond::json(&json!({
        "isHealthy": health.metastore && health.kafka && health.command_runner,
        "details": {
            "metastore": { "isHealthy": health.metastore },
            "kafka": { "isHealthy": health.kafka },
            "commandRunner": { "isHealthy": health.command_runner },
        },
        "serverState": "READY",
    }))
}

/// `GET /status`: every command with its status.
pub(crate) async fn statuses(State(weir): State<Arc<Weir>>) -> Response {
    let statuses: serde_json::Map<String, serde_json::Value> = weir
        .command_statuses()
        .into_iter()
        .map(|(id, status)| (id, json!(status)))
        .collect();
    respond::json(&json!({ "commandStatuses": statuses }))
}

/// `GET /status/{type}/{entity}/{action}`
pub(crate) async fn status(
    State(weir): State<Arc<Weir>>,
    Path((kind, entity, action)): Path<(String, String, String)>,
) -> Response {
    match weir.command_status(&kind, &entity, &action) {
        Ok(status) => respond::json(&status),
        // An unknown word is refused before the resource looks at it.
        Err(error) if error.code == ErrorCode::ServerError => respond::failed(&error, None),
        Err(error) => respond::failed(&error, Some(JSON)),
    }
}

/// `GET /clusterStatus`: 404, empty, while heartbeats are off.
pub(crate) async fn cluster_status() -> Response {
    feature_off().await
}

/// `/heartbeat`, `/lag` and the like while their feature is off.
pub(crate) async fn feature_off() -> Response {
    respond::response(404, Some(JSON), Body::empty())
}

/// `POST /lag`: its body is read before the feature is found to be off.
pub(crate) async fn lag(body: axum::body::Bytes) -> Response {
    let lags = serde_json::from_slice::<serde_json::Value>(&body).unwrap_or_default();
    let whole = lags["ksqlHost"].is_string()
        && lags["hostStoreLags"]["stateStoreLags"].is_object()
        && lags["hostStoreLags"]["updateTimeMs"].is_number();
    if whole {
        return feature_off().await;
    }
    let error = ApiError::generic(ErrorCode::ServerError, "Failed to deserialize buffer");
    respond::failed(&error, None)
}

/// `GET /is_valid_property/{name}`
pub(crate) async fn is_valid_property(
    State(weir): State<Arc<Weir>>,
    Path(name): Path<String>,
) -> Response {
    match weir.is_valid_property(&name) {
        Ok(()) => respond::json(&true),
        Err(error) => respond::failed(&error, Some(JSON)),
    }
}

fn cluster_id(weir: &Weir) -> serde_json::Value {
    let info = weir.info();
    json!({
        "scope": {
            "path": [],
            "clusters": {
                "kafka-cluster": info.kafka_cluster_id,
                "ksql-cluster": info.service_id,
            },
        },
        "id": "",
    })
}

/// `GET /v1/metadata`
pub(crate) async fn metadata(State(weir): State<Arc<Weir>>) -> Response {
    respond::json(&json!({ "version": weir_catalog::RELEASE, "clusterId": cluster_id(&weir) }))
}

/// `GET /v1/metadata/id`
pub(crate) async fn metadata_id(State(weir): State<Arc<Weir>>) -> Response {
    respond::json(&cluster_id(&weir))
}

/// `GET /chc/ready`, `GET /chc/live`
pub(crate) async fn chc() -> Response {
    respond::json(&json!({}))
}
