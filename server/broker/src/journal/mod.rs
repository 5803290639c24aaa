//! The journal: everything the broker must remember beside the records themselves.
//!
//! ```text
//! change ──encode──► frame (length, CRC-32C, JSON) ──append──► journal.log ──► applied in memory, then answered
//!                                                       │ grown beyond four times the state
//!                                                       └─► journal.tmp holding the state alone ──rename──► journal.log
//! ```
//! Invariant: nothing is answered before its entry is written, and replaying the entries in order gives the same state.
//! A start cuts off what follows the last whole entry and says so.

mod entry;
pub(crate) mod frame;

pub(crate) use entry::{CommittedOffset, Entry, OffsetEntry};

use crate::storage::FsyncPolicy;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const NAME: &str = "journal.log";
/// Below this size the journal is not rewritten.
const REWRITE_FROM: u64 = 4 << 20;
/// It is rewritten when it has grown to this multiple of its size after the last time.
const REWRITE_FACTOR: u64 = 4;

/// See the module's documentation. Without a file (memory mode) entries go nowhere.
#[derive(Debug)]
pub(crate) struct Journal {
    file: Option<(PathBuf, File)>,
    size: u64,
    size_after_rewrite: u64,
    fsync: FsyncPolicy,
    dirty: bool,
    buffer: Vec<u8>,
}

impl Journal {
    /// A journal that keeps nothing.
    pub(crate) fn in_memory() -> Self {
        Self {
            file: None,
            size: 0,
            size_after_rewrite: 0,
            fsync: FsyncPolicy::EveryWrite,
            dirty: false,
            buffer: Vec::new(),
        }
    }

    /// Opens the journal in `dir` and returns its entries.
    pub(crate) fn open(dir: &Path, fsync: FsyncPolicy) -> io::Result<(Self, Vec<Entry>)> {
        let path = dir.join(NAME);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(e),
        };
        let mut entries = Vec::new();
        let mut good = 0;
        while let Some((payload, length)) = bytes.get(good..).and_then(frame::decode) {
            let Ok(entry) = serde_json::from_slice(payload) else {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!(
                        "{}: the entry at byte {good} is sound but unknown; it was written by a newer version",
                        path.display()
                    ),
                ));
            };
            entries.push(entry);
            good += length;
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)?;
        if good < bytes.len() {
            tracing::warn!(
                file = %path.display(), position = good, bytes = bytes.len() - good,
                "cut a corrupt tail off the journal"
            );
            file.set_len(good as u64)?;
        }
        let journal = Self {
            file: Some((path, file)),
            size: good as u64,
            size_after_rewrite: 0,
            fsync,
            dirty: false,
            buffer: Vec::new(),
        };
        Ok((journal, entries))
    }

    /// Appends entries as one write. On an error nothing was appended.
    pub(crate) fn append(&mut self, entries: &[Entry]) -> io::Result<()> {
        let Some((_, file)) = &self.file else {
            return Ok(());
        };
        self.buffer.clear();
        for entry in entries {
            frame::encode(&serde_json::to_vec(entry)?, &mut self.buffer);
        }
        if let Err(e) = file.write_all_at(&self.buffer, self.size) {
            let _ = file.set_len(self.size);
            return Err(e);
        }
        self.size += self.buffer.len() as u64;
        self.dirty = true;
        if self.fsync == FsyncPolicy::EveryWrite {
            file.sync_data()?;
            self.dirty = false;
        }
        Ok(())
    }

    /// Whether [`Self::rewrite`] would make it much smaller.
    pub(crate) fn wants_rewrite(&self) -> bool {
        self.file.is_some()
            && self.size >= REWRITE_FROM.max(self.size_after_rewrite.saturating_mul(REWRITE_FACTOR))
    }

    /// Replaces the journal by one that holds only `state`.
    pub(crate) fn rewrite(&mut self, state: &[Entry]) -> io::Result<()> {
        let Some((path, _)) = &self.file else {
            return Ok(());
        };
        let mut bytes = Vec::new();
        for entry in state {
            frame::encode(&serde_json::to_vec(entry)?, &mut bytes);
        }
        let temporary = path.with_extension("tmp");
        let mut file = File::create(&temporary)?;
        file.write_all(&bytes)?;
        file.sync_data()?;
        std::fs::rename(&temporary, path)?;
        self.size = bytes.len() as u64;
        self.size_after_rewrite = self.size;
        self.dirty = false;
        self.file = Some((path.clone(), file));
        Ok(())
    }

    /// A handle with which to bring the entries to disk, when there are new ones.
    pub(crate) fn take_dirty(&mut self) -> Option<File> {
        if !std::mem::take(&mut self.dirty) {
            return None;
        }
        self.file
            .as_ref()
            .and_then(|(_, file)| file.try_clone().ok())
    }
}

#[cfg(test)]
mod tests;
