//! One segment: a run of batches with its sparse index. The last one of a log is active, the others are sealed.

use super::data::{MemoryBatches, SegmentData};
use super::env::StorageEnv;
use super::index::{self, ENTRY_LEN, FOOTER_LEN, Footer, IndexEntry};
use super::log::AbortedTransaction;
use super::scan::Scanner;
use crate::records::BatchHeader;
use parking_lot::Mutex;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

/// `horizon` of a segment that compaction has not rewritten yet.
pub(crate) const NEVER_COMPACTED: i64 = i64::MAX;

/// A run of batches from `base` on.
#[derive(Debug)]
pub(crate) struct Segment {
    /// Offset that names the segment; no batch in it lies below.
    pub(crate) base: i64,
    pub(crate) data: SegmentData,
    /// Bytes of whole batches.
    pub(crate) size: u64,
    /// Offset after the last batch.
    pub(crate) next: i64,
    /// Largest timestamp, `i64::MIN` while empty.
    pub(crate) max_timestamp: i64,
    /// Wall clock (ms) when the first batch came, for `segment.ms`; `None` while empty.
    pub(crate) started: Option<i64>,
    /// Aborted transactions whose marker lies in this segment, in marker order.
    pub(crate) aborted: Vec<AbortedTransaction>,
    /// From when on compaction may drop the tombstones and markers in it; see [`NEVER_COMPACTED`].
    pub(crate) horizon: i64,
    index: Index,
}

#[derive(Debug)]
enum Index {
    /// In memory, growing; the first `saved` entries are in the index file, with this running checksum.
    Live {
        entries: Vec<IndexEntry>,
        saved: usize,
        saved_crc: u32,
        since_entry: u64,
    },
    /// In the index file; loaded when needed and kept by the cache of [`StorageEnv`].
    Sealed(Mutex<Weak<Vec<IndexEntry>>>),
}

/// File of the segment that starts at `base`.
pub(crate) fn log_path(dir: &Path, base: i64) -> PathBuf {
    dir.join(format!("{base:020}.log"))
}

/// Index file of the log file `log`.
pub(crate) fn index_path(log: &Path) -> PathBuf {
    log.with_extension("index")
}

impl Segment {
    /// An empty active segment; `dir` is `None` in memory mode.
    pub(crate) fn empty(dir: Option<&Path>, env: &Arc<StorageEnv>, base: i64) -> Self {
        let data = match dir {
            Some(dir) => SegmentData::File(env.files.slot(log_path(dir, base))),
            None => SegmentData::Memory(MemoryBatches::new(env.clone())),
        };
        Self::with_data(data, base)
    }

    fn with_data(data: SegmentData, base: i64) -> Self {
        Self {
            base,
            data,
            size: 0,
            next: base,
            max_timestamp: i64::MIN,
            started: None,
            aborted: Vec::new(),
            horizon: NEVER_COMPACTED,
            index: Index::Live {
                entries: Vec::new(),
                saved: 0,
                saved_crc: 0,
                since_entry: u64::MAX,
            },
        }
    }

    /// Opens a sealed segment by its footer alone; `None` when the index is missing or does not belong to the log file.
    pub(crate) fn open_sealed(env: &Arc<StorageEnv>, log: &Path, base: i64) -> Option<Self> {
        let size = std::fs::metadata(log).ok()?.len();
        let file = File::open(index_path(log)).ok()?;
        let length = file.metadata().ok()?.len();
        let body_len = length.checked_sub(FOOTER_LEN as u64)?;
        let mut footer_bytes = [0u8; FOOTER_LEN];
        file.read_exact_at(&mut footer_bytes, body_len).ok()?;
        let (footer, crc) = index::decode_footer(&footer_bytes)?;
        if footer.log_size != size || footer.next < base {
            return None;
        }
        let mut segment =
            Self::with_data(SegmentData::File(env.files.slot(log.to_path_buf())), base);
        if footer.aborted > 0 {
            let mut body = vec![0u8; usize::try_from(body_len).ok()?];
            file.read_exact_at(&mut body, 0).ok()?;
            segment.aborted = index::decode_body(&body, &footer, crc)?.1;
        }
        segment.size = size;
        segment.next = footer.next;
        segment.max_timestamp = footer.max_timestamp;
        segment.started = Some(footer.max_timestamp);
        segment.horizon = footer.horizon;
        segment.index = Index::Sealed(Mutex::new(Weak::new()));
        Some(segment)
    }

    /// Takes the `saved` index entries of an active segment from its index file, when they are as the checkpoint says.
    pub(crate) fn load_saved_index(&mut self, saved: usize, crc: u32) -> io::Result<()> {
        let SegmentData::File(slot) = &self.data else {
            return Ok(());
        };
        let mut bytes = vec![0u8; saved * ENTRY_LEN];
        File::open(index_path(slot.path()))?.read_exact_at(&mut bytes, 0)?;
        if crc32c::crc32c(&bytes) != crc {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "index checksum"));
        }
        self.index = Index::Live {
            entries: index::decode_entries(&bytes),
            saved,
            saved_crc: crc,
            since_entry: u64::MAX,
        };
        Ok(())
    }

    pub(crate) fn is_sealed(&self) -> bool {
        matches!(self.index, Index::Sealed(_))
    }

    /// Appends a batch's bytes. On an error the segment is as before.
    pub(crate) fn append(
        &mut self,
        header: &BatchHeader,
        records: &[u8],
        now: i64,
        index_interval: u64,
    ) -> io::Result<()> {
        let head = header.to_bytes();
        self.data.write(self.size, &head, records)?;
        self.account(self.size, header, index_interval);
        self.started.get_or_insert(now);
        Ok(())
    }

    /// Counts a batch that is already at `position`, the end of what was counted so far.
    pub(crate) fn account(&mut self, position: u64, header: &BatchHeader, index_interval: u64) {
        if let Index::Live {
            entries,
            since_entry,
            ..
        } = &mut self.index
        {
            if *since_entry >= index_interval {
                *since_entry = 0;
                entries.push(IndexEntry {
                    offset: header.base_offset,
                    position,
                    max_before: self.max_timestamp,
                });
            }
            *since_entry += header.size as u64;
        }
        self.size = position + header.size as u64;
        self.next = header.next_offset();
        if !header.is_control() {
            self.max_timestamp = self.max_timestamp.max(header.max_timestamp);
        }
    }

    /// Writes the index entries that are not in the file yet. Returns how many it holds then, with their checksum.
    pub(crate) fn save_index(&mut self) -> io::Result<(usize, u32)> {
        let SegmentData::File(slot) = &self.data else {
            return Ok((0, 0));
        };
        let Index::Live {
            entries,
            saved,
            saved_crc,
            ..
        } = &mut self.index
        else {
            return Ok((0, 0));
        };
        let fresh = entries.get(*saved..).unwrap_or_default();
        if !fresh.is_empty() {
            let mut bytes = Vec::with_capacity(fresh.len() * ENTRY_LEN);
            index::encode_entries(fresh, &mut bytes);
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(index_path(slot.path()))?;
            file.write_all_at(&bytes, (*saved * ENTRY_LEN) as u64)?;
            *saved_crc = crc32c::crc32c_append(*saved_crc, &bytes);
            *saved = entries.len();
        }
        Ok((*saved, *saved_crc))
    }

    /// Ends appending: writes the whole index with its footer and forgets it. Nothing to do in memory mode.
    pub(crate) fn seal(&mut self, env: &StorageEnv) -> io::Result<()> {
        let SegmentData::File(slot) = &self.data else {
            return Ok(());
        };
        let Index::Live { entries, .. } = &mut self.index else {
            return Ok(());
        };
        let footer = Footer {
            log_size: self.size,
            next: self.next,
            max_timestamp: self.max_timestamp,
            horizon: self.horizon,
            entries: entries.len() as u32,
            aborted: self.aborted.len() as u32,
        };
        let path = index_path(slot.path());
        let temporary = path.with_extension("index.tmp");
        let mut file = File::create(&temporary)?;
        file.write_all(&index::encode_sealed(entries, &self.aborted, footer))?;
        std::fs::rename(&temporary, &path)?;
        let entries = Arc::new(std::mem::take(entries));
        self.index = Index::Sealed(Mutex::new(Arc::downgrade(&entries)));
        env.keep_index(entries);
        Ok(())
    }

    /// Position and header of the first batch that ends at or after `offset`, `None` when there is none in this segment.
    pub(crate) fn locate(
        &self,
        env: &StorageEnv,
        offset: i64,
    ) -> io::Result<Option<(u64, BatchHeader)>> {
        let from = self.with_index(env, |entries| index::floor_offset(entries, offset))?;
        let mut scanner = Scanner::new(&self.data, from, self.size);
        while let Some((at, header)) = scanner.next_header()? {
            if header.last_offset() >= offset {
                return Ok(Some((at, header)));
            }
        }
        Ok(None)
    }

    /// A scanner of the batches from which on one may have a timestamp of at least `timestamp`.
    pub(crate) fn scan_from_time(
        &self,
        env: &StorageEnv,
        timestamp: i64,
    ) -> io::Result<Scanner<'_>> {
        let from = self.with_index(env, |entries| index::floor_time(entries, timestamp))?;
        Ok(Scanner::new(&self.data, from, self.size))
    }

    fn with_index<R>(
        &self,
        env: &StorageEnv,
        look: impl FnOnce(&[IndexEntry]) -> R,
    ) -> io::Result<R> {
        let cached = match &self.index {
            Index::Live { entries, .. } => return Ok(look(entries)),
            Index::Sealed(cached) => cached,
        };
        let mut cached = cached.lock();
        if let Some(entries) = cached.upgrade() {
            return Ok(look(&entries));
        }
        let entries = Arc::new(self.read_index().unwrap_or_default());
        *cached = Arc::downgrade(&entries);
        let result = look(&entries);
        env.keep_index(entries);
        Ok(result)
    }

    /// The entries in the index file; `None` makes lookups scan from the segment's start, which is slow and right.
    fn read_index(&self) -> Option<Vec<IndexEntry>> {
        let SegmentData::File(slot) = &self.data else {
            return None;
        };
        let bytes = std::fs::read(index_path(slot.path())).ok()?;
        let (body, footer) = bytes.split_at_checked(bytes.len().checked_sub(FOOTER_LEN)?)?;
        let (footer, crc) = index::decode_footer(footer)?;
        let parsed = index::decode_body(body, &footer, crc);
        if parsed.is_none() {
            tracing::warn!(file = %slot.path().display(), "the index is corrupt; lookups scan the segment");
        }
        parsed.map(|(entries, _)| entries)
    }

    /// Removes the segment's files.
    pub(crate) fn delete_files(&self) {
        if let SegmentData::File(slot) = &self.data {
            let _ = std::fs::remove_file(index_path(slot.path()));
            let _ = std::fs::remove_file(slot.path());
        }
    }
}
