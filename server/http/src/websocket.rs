//! `GET /ws/query` (spec/api.md §4.6).

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::Version;
use axum::response::Response;
use weir_catalog::{Answer, Endpoint, PrintEvent, QueryRequest, RowEvent, Weir};
use weir_protocol::FieldInfo;
use weir_types::{Column, ErrorCode};

use crate::json_row::{write_row, write_string};
use crate::{request, respond};

/// Close codes of RFC 6455.
const DONE: u16 = 1000;
const BAD_REQUEST: u16 = 1003;
const SERVER_ERROR: u16 = 1011;
const TRY_AGAIN_LATER: u16 = 1013;

/// Upgrades and answers one query; a request for no upgrade is told so, as Vert.x does.
pub(crate) async fn ws_query(
    State(weir): State<Arc<Weir>>,
    Query(parameters): Query<HashMap<String, String>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        let text = "\"Connection\" header must be \"Upgrade\".";
        return respond::response(400, None, text.into());
    };
    upgrade.on_upgrade(move |socket| async move {
        serve(weir, parameters, socket).await;
    })
}

async fn serve(weir: Arc<Weir>, parameters: HashMap<String, String>, mut socket: WebSocket) {
    let (code, reason) = match answer(&weir, &parameters, &mut socket).await {
        Ok(()) => (DONE, "done".to_owned()),
        Err((code, reason)) => (code, reason),
    };
    let mut text = String::from("{\"error\":");
    write_string(&reason, &mut text);
    text.push('}');
    // A client that has gone needs no farewell.
    let _ = socket.send(Message::Text(text.into())).await;
    let close = CloseFrame {
        code,
        reason: shortened(&reason).into(),
    };
    let _ = socket.send(Message::Close(Some(close))).await;
}

type Failure = (u16, String);

async fn answer(
    weir: &Arc<Weir>,
    parameters: &HashMap<String, String>,
    socket: &mut WebSocket,
) -> Result<(), Failure> {
    if let Some(version) = parameters.get("version")
        && version != "1"
    {
        return Err((
            BAD_REQUEST,
            format!("Received invalid api version: {version}"),
        ));
    }
    let Some(text) = parameters.get("request") else {
        return Err((
            BAD_REQUEST,
            "Error parsing request: missing request parameter".into(),
        ));
    };
    let request = request::ksql_request(text.as_bytes(), Version::HTTP_2)
        .map_err(|e| (BAD_REQUEST, format!("Error parsing request: {}", e.message)))?;
    let request = QueryRequest {
        sql: request.ksql,
        properties: request.streams_properties,
        variables: request.session_variables,
        request_properties: request.request_properties,
        endpoint: Endpoint::WebSocket,
        command_sequence_number: request.command_sequence_number,
    };
    let answer = weir.query(request).await.map_err(|failure| {
        let code = match failure.error.code {
            ErrorCode::CommandQueueTimeout => return (TRY_AGAIN_LATER, failure.error.message),
            _ if failure.error.http_status() < 500 => BAD_REQUEST,
            _ => SERVER_ERROR,
        };
        let parsing = if failure.prepared {
            ""
        } else {
            "Error parsing query: "
        };
        (code, format!("{parsing}{}", failure.error.message))
    })?;
    match answer {
        Answer::Rows(mut rows) => {
            send(socket, fields(&rows.columns)).await?;
            while let Some(event) = rows.rows.recv().await {
                match event {
                    RowEvent::Rows { batch, tombstones } => {
                        for row in 0..batch.num_rows() {
                            if tombstones.get(row).copied().unwrap_or(false) {
                                continue;
                            }
                            let mut text = String::from("{\"row\":{\"columns\":");
                            write_row(batch.columns(), row, &mut text);
                            text.push_str("}}");
                            send(socket, text).await?;
                        }
                    }
                    RowEvent::Failed(error) => return Err((SERVER_ERROR, error.message)),
                    RowEvent::End(_) => break,
                }
            }
        }
        Answer::Print(mut lines) => {
            while let Some(event) = lines.lines.recv().await {
                if let PrintEvent::Record(line) = event {
                    let mut text = String::new();
                    write_string(&line, &mut text);
                    send(socket, text).await?;
                }
            }
        }
    }
    Ok(())
}

async fn send(socket: &mut WebSocket, text: String) -> Result<(), Failure> {
    socket
        .send(Message::Text(text.into()))
        .await
        .map_err(|e| (DONE, e.to_string()))
}

fn fields(columns: &[Column]) -> String {
    let fields: Vec<FieldInfo> = columns.iter().map(FieldInfo::from).collect();
    serde_json::to_string(&fields).unwrap_or_default()
}

/// At most 123 bytes, as a close frame allows.
fn shortened(reason: &str) -> String {
    if reason.len() <= 123 {
        return reason.to_owned();
    }
    let mut end = 120;
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}...", &reason[..end])
}
