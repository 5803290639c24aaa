//! The log of each partition: where record batches live and how they are found again.
//!
//! ```text
//!            ┌ Partition (lock, waiting fetches) ─────────────────────────────┐
//! append ──► │ Log: ProducerTable checks ─► active Segment ─► file or memory   │ ──► flusher: fsync, checkpoint
//! fetch  ◄── │      Segment.locate (sparse index) ─► byte range, read unlocked │
//!            └ cleaner: retention (whole segments), compaction (sealed ones) ──┘
//! ```
//!
//! A partition is a folder:
//! - `BASE.log`: record batches byte for byte, the only truth;
//! - `BASE.index`: sparse offset and time index, its footer written when the segment is sealed;
//! - `checkpoint`: up to which offset the log is on disk, with the producers' state there.
//!
//! Invariant: a start reads the checkpoint, the footers, and only those batches that follow the checkpoint; each of these
//! is checked, and the log is cut at the first that is torn. Compaction never touches a segment behind the checkpoint.

mod checkpoint;
mod compact;
mod compact_map;
mod data;
mod env;
mod files;
mod index;
mod log;
mod lookup;
mod partition;
mod producers;
mod recovery;
mod retention;
mod scan;
mod segment;
mod validate;

pub use env::FsyncPolicy;
pub(crate) use env::StorageEnv;
pub(crate) use log::{AbortedTransaction, AppendError, Appended, FetchSlice, Isolation, ReadError};
pub(crate) use lookup::TimeTarget;
pub(crate) use partition::Partition;
pub(crate) use producers::Refusal;
pub(crate) use validate::validate;

#[cfg(test)]
mod tests;
