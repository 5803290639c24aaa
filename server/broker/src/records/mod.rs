//! Record batches (message format v2): the unit that producers send, the log stores and consumers fetch.
//!
//! ```text
//! frame ──parse──► BatchHeader ──check──► stored byte for byte
//!                      │                   (base offset and leader epoch patched)
//!                      └─ records ──walk──► offsets, times, keys   (only lookups and compaction look inside)
//! ```
//!
//! Invariant: records are never decoded and encoded again; compaction copies the raw bytes of those it keeps,
//! so duplicate headers, unknown attributes and odd encodings survive.

mod build;
mod codec;
mod header;
mod walk;

pub(crate) use build::{control_marker, is_commit_marker, rebuild};
pub(crate) use header::{BatchError, BatchHeader, HEADER_LEN, add_sequence};
pub(crate) use walk::{body_of, check_plain_records, records};

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
