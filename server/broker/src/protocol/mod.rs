//! The wire: frames in, a decoded request to a handler, its response encoded, frames out.
//!
//! ```text
//! socket ─► frame (length within the limit) ─► guard (array lengths that lie are refused) ─► decode by key and version
//!        ◄─ frame ◄───────────────────────────────────────────────── encode ◄─ handler ◄──┘
//! ```
//! Requests of one connection are answered one after the other, in order, as Kafka does.
//! Invariant: bytes from outside lead to an answer or to a closed connection; never to a panic, nor to memory beyond the
//! request limit.

mod api;
mod connection;
mod dispatch;
mod frame;
mod guard;
mod memory;
mod produce_walk;
mod response;

pub(crate) use api::APIS;
pub(crate) use connection::serve;
pub(crate) use dispatch::Peer;
pub(crate) use memory::{Lease, Memory};

#[cfg(test)]
mod tests;
