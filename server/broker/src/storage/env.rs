//! What all partitions share: open files, cached indexes, the memory budget, and the list of those that need a flush.

use super::files::FilePool;
use super::index::IndexEntry;
use super::partition::Partition;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;

/// Open log files at most; further segments are opened when they are read.
const OPEN_FILES: usize = 256;
/// Indexes of sealed segments kept in memory at most.
const CACHED_INDEXES: usize = 64;

/// When written batches reach the disk. A killed process loses nothing under any of them; only a power cut does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FsyncPolicy {
    /// Together, this long after the first write: a power cut loses at most that time.
    Background(Duration),
    /// Before each acknowledgement.
    EveryWrite,
}

/// Shared by the partitions of one broker.
#[derive(Debug)]
pub(crate) struct StorageEnv {
    pub(crate) files: Arc<FilePool>,
    pub(crate) fsync: FsyncPolicy,
    indexes: Mutex<VecDeque<Arc<Vec<IndexEntry>>>>,
    memory_used: AtomicU64,
    memory_cap: u64,
    dirty: Mutex<Vec<Weak<Partition>>>,
    /// Woken when the first partition becomes dirty.
    pub(crate) flush_needed: Notify,
}

impl StorageEnv {
    /// `memory_cap`: bytes that logs in memory may hold together.
    pub(crate) fn new(fsync: FsyncPolicy, memory_cap: u64) -> Arc<Self> {
        Arc::new(Self {
            files: FilePool::new(OPEN_FILES),
            fsync,
            indexes: Mutex::default(),
            memory_used: AtomicU64::new(0),
            memory_cap,
            dirty: Mutex::default(),
            flush_needed: Notify::new(),
        })
    }

    /// Takes `bytes` of the memory budget, or fails as a full disk would.
    pub(crate) fn reserve_memory(&self, bytes: u64) -> io::Result<()> {
        let used = self.memory_used.fetch_add(bytes, Ordering::Relaxed);
        if used.saturating_add(bytes) > self.memory_cap {
            self.release_memory(bytes);
            return Err(io::Error::new(
                io::ErrorKind::StorageFull,
                "the logs in memory have reached their cap; raise it, or give the broker a data directory",
            ));
        }
        Ok(())
    }

    pub(crate) fn release_memory(&self, bytes: u64) {
        self.memory_used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Keeps `index` alive while it is among the recently used ones.
    pub(crate) fn keep_index(&self, index: Arc<Vec<IndexEntry>>) {
        let mut kept = self.indexes.lock();
        kept.push_back(index);
        if kept.len() > CACHED_INDEXES {
            kept.pop_front();
        }
    }

    pub(crate) fn mark_dirty(&self, partition: Weak<Partition>) {
        let mut dirty = self.dirty.lock();
        dirty.push(partition);
        if dirty.len() == 1 {
            self.flush_needed.notify_one();
        }
    }

    /// The partitions written since the last call.
    pub(crate) fn take_dirty(&self) -> Vec<Arc<Partition>> {
        let taken = std::mem::take(&mut *self.dirty.lock());
        taken.iter().filter_map(Weak::upgrade).collect()
    }
}
