//! The HTTP API: routes and streaming responses (spec/api.md §0 to §7). The only crate that knows
//! axum.
//!
//! ```text
//!  listener ─► lane ─► (TLS) ─► HTTP/1.1, HTTP/2 (prior knowledge or Upgrade), WebSocket on one port
//!     │
//!     ├─ quick       pull queries by key, before any routing
//!     ├─ plain       /info /healthcheck /status /clusterStatus /v1/metadata /chc
//!     ├─ statements  /ksql                    request ─► catalog ─► entities
//!     ├─ query       /query /query-stream /close-query    rows as they come, one chunk each
//!     ├─ inserts     /inserts-stream          rows in, acknowledgements out
//!     └─ websocket   /ws/query
//! ```
//!
//! Invariants: a response stream owns its query, so a client that goes away ends it; every stream
//! is bounded, so a slow client holds its query back and nothing is piled up for it.

mod alive;
mod cors;
mod h2c;
mod inserts;
mod json_row;
mod lanes;
mod plain;
mod print;
mod proto_row;
mod query;
mod quick;
mod request;
mod respond;
mod rows;
mod server;
mod statements;
mod tls;
mod websocket;

pub use json_row::write_row;
pub use server::{HttpServer, ServeError};
pub use tls::Tls;
