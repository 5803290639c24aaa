//! The bytes of one segment: a file, or batches in memory.

use super::env::StorageEnv;
use super::files::FileSlot;
use bytes::{Bytes, BytesMut};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Below this size a batch is written with one call, its header and records joined first.
const JOIN_BELOW: usize = 16 << 10;

/// Where a segment's bytes are. Appending happens under the partition's lock; positions below the segment's size never change.
#[derive(Debug)]
pub(crate) enum SegmentData {
    File(Arc<FileSlot>),
    Memory(MemoryBatches),
}

impl SegmentData {
    /// Writes a batch, given as its header and the records after it, at `position`.
    pub(crate) fn write(&mut self, position: u64, head: &[u8], records: &[u8]) -> io::Result<()> {
        match self {
            Self::File(slot) => {
                let file = if position == 0 {
                    slot.create()?
                } else {
                    slot.get()?
                };
                let written = write_file(&file, position, head, records);
                if written.is_err() {
                    // Leave no torn batch behind: whatever is written next takes its place anyway,
                    // so a failure here changes nothing but what a start after a crash has to cut.
                    let _ = file.set_len(position);
                }
                written
            }
            Self::Memory(memory) => memory.push(position, head, records),
        }
    }

    /// A range that can be read without the partition's lock.
    pub(crate) fn range(&self, position: u64, length: usize) -> io::Result<Range> {
        Ok(match self {
            Self::File(slot) => Range::File(slot.get()?, position, length),
            Self::Memory(memory) => Range::Memory(memory.read(position, length)),
        })
    }

    /// The same bytes for a reader that holds no lock.
    pub(crate) fn snapshot(&self) -> Self {
        match self {
            Self::File(slot) => Self::File(slot.clone()),
            Self::Memory(memory) => Self::Memory(MemoryBatches {
                env: memory.env.clone(),
                batches: memory.batches.clone(),
                used: 0,
            }),
        }
    }

    /// Reads `length` bytes, or fewer at the end.
    pub(crate) fn read(&self, position: u64, length: usize) -> io::Result<Bytes> {
        self.range(position, length)?.read()
    }
}

fn write_file(file: &File, position: u64, head: &[u8], records: &[u8]) -> io::Result<()> {
    if head.len() + records.len() < JOIN_BELOW {
        let mut whole = BytesMut::with_capacity(head.len() + records.len());
        whole.extend_from_slice(head);
        whole.extend_from_slice(records);
        return file.write_all_at(&whole, position);
    }
    file.write_all_at(head, position)?;
    file.write_all_at(records, position + head.len() as u64)
}

/// See [`SegmentData::range`].
pub(crate) enum Range {
    File(Arc<File>, u64, usize),
    Memory(Bytes),
}

impl Range {
    /// The bytes; fewer than asked for where the file ends.
    pub(crate) fn read(self) -> io::Result<Bytes> {
        let (file, position, length) = match self {
            Self::Memory(bytes) => return Ok(bytes),
            Self::File(file, position, length) => (file, position, length),
        };
        let mut buffer = BytesMut::zeroed(length);
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, position + filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        buffer.truncate(filled);
        Ok(buffer.freeze())
    }
}

/// Batches in memory, by position; returns their budget when dropped.
#[derive(Debug)]
pub(crate) struct MemoryBatches {
    env: Arc<StorageEnv>,
    batches: Vec<(u64, Bytes)>,
    used: u64,
}

impl MemoryBatches {
    pub(crate) fn new(env: Arc<StorageEnv>) -> Self {
        Self {
            env,
            batches: Vec::new(),
            used: 0,
        }
    }

    fn push(&mut self, position: u64, head: &[u8], records: &[u8]) -> io::Result<()> {
        let length = head.len() + records.len();
        self.env.reserve_memory(length as u64)?;
        self.used += length as u64;
        let mut whole = BytesMut::with_capacity(length);
        whole.extend_from_slice(head);
        whole.extend_from_slice(records);
        self.batches.push((position, whole.freeze()));
        Ok(())
    }

    fn read(&self, position: u64, length: usize) -> Bytes {
        let first = self
            .batches
            .partition_point(|(at, bytes)| at + bytes.len() as u64 <= position);
        let mut out = BytesMut::new();
        let mut wanted = length;
        for (at, bytes) in self.batches.iter().skip(first) {
            let skip = position.saturating_sub(*at) as usize;
            let take = wanted.min(bytes.len().saturating_sub(skip));
            let piece = bytes.slice(skip..skip + take);
            wanted -= take;
            if out.is_empty() && wanted == 0 {
                return piece;
            }
            out.extend_from_slice(&piece);
            if wanted == 0 {
                break;
            }
        }
        out.freeze()
    }
}

impl Drop for MemoryBatches {
    fn drop(&mut self) {
        self.env.release_memory(self.used);
    }
}
