//! The store that operators see.

use std::ops::{Bound, ControlFlow};

/// What can go wrong in a store.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The database refused.
    #[error("state store {store}: {message}")]
    Storage {
        /// Name of the store or the folder.
        store: String,
        /// What the database said.
        message: String,
    },
    /// Bytes that our codec did not write.
    #[error("state store {store}: corrupt entry: {message}")]
    Corrupt {
        /// Name of the store.
        store: String,
        /// What is wrong.
        message: String,
    },
}

/// Result of a store.
pub type Result<T> = std::result::Result<T, StateError>;

/// Sees one entry of a range; may stop.
pub type Visitor<'a> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>> + 'a;

/// One store of one task: ordered bytes to bytes. Reads see the task's own uncommitted writes.
///
/// Writes of an epoch are kept aside until the task's backend commits them with their offsets; the
/// changelog gets the last value of each key written since the last [`drain_changelog`](Self::drain_changelog).
pub trait KvStore: Send {
    /// Name, unique in the task (`Aggregate-Aggregate-Materialize`).
    fn name(&self) -> &str;

    /// Appends the value of each key to `out`, in order.
    fn get_many(&self, keys: &[&[u8]], out: &mut Vec<Option<Vec<u8>>>) -> Result<()>;

    /// The value of one key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut out = Vec::with_capacity(1);
        self.get_many(&[key], &mut out)?;
        Ok(out.pop().flatten())
    }

    /// Sets (or with `None` removes) a key. `timestamp` is that of the changelog record, ms.
    fn put(&mut self, key: &[u8], value: Option<&[u8]>, timestamp: i64) -> Result<()>;

    /// Visits the entries between two bounds in ascending unsigned byte order of keys.
    fn range(&self, from: Bound<&[u8]>, to: Bound<&[u8]>, visit: &mut Visitor<'_>) -> Result<()>;

    /// A key that no key of the store is greater than; `None`: the store is empty.
    fn upper_bound(&self) -> Result<Option<Vec<u8>>>;

    /// Removes every key in `from..to` (expiry; not written to the changelog, whose own retention
    /// drops such keys).
    fn expire_range(&mut self, from: &[u8], to: &[u8]) -> Result<()>;

    /// Hands over the changelog records since the last call, in the order of each key's last
    /// write: key, value (`None`: tombstone), timestamp.
    fn drain_changelog(&mut self, emit: &mut dyn FnMut(&[u8], Option<&[u8]>, i64)) -> Result<()>;

    /// Applies a changelog record while restoring; not logged again.
    fn restore(&mut self, key: &[u8], value: Option<&[u8]>, timestamp: i64) -> Result<()>;

    /// Says that the caller itself keeps what it will read again: the store holds no copies of
    /// committed values from now on.
    fn stop_remembering(&mut self) {}

    /// Bytes of uncommitted writes held.
    fn uncommitted_bytes(&self) -> usize;
}
