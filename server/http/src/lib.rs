//! The HTTP API: axum routes and streaming responses.
