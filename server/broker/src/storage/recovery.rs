//! Opening a partition's folder: trust the checkpoint, check what follows it, heal what is broken.
//!
//! ```text
//! sealed, below the checkpoint   │ checkpoint's segment        │ after it
//! footer only                    │ saved index, then scan      │ scan
//! ```
//! When the checkpoint or an index it relies on is unusable, everything is scanned instead, and a line in the log says so.

use super::checkpoint::Checkpoint;
use super::data::SegmentData;
use super::env::StorageEnv;
use super::log::Log;
use super::scan::{Scanner, Step};
use super::segment::{Segment, log_path};
use crate::clock::now_ms;
use crate::records::{BatchHeader, is_commit_marker};
use bytes::Bytes;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const INDEX_INTERVAL: u64 = 4096;

/// Opens (or begins) the log in `dir`.
pub(crate) fn open(dir: PathBuf, env: &Arc<StorageEnv>) -> io::Result<Log> {
    std::fs::create_dir_all(&dir)?;
    let bases = segment_bases(&dir)?;
    let checkpoint = Checkpoint::read(&dir).unwrap_or_else(|reason| {
        tracing::warn!(folder = %dir.display(), reason, "the checkpoint is unusable; reading the whole partition");
        None
    });
    let log_start = checkpoint.as_ref().map_or(0, |c| c.log_start);
    let trusted = checkpoint.and_then(|c| from_checkpoint(&dir, env, &bases, c));
    let (mut log, tail) = match trusted {
        Some(trusted) => trusted,
        None => (bare(&dir, env), bases),
    };
    scan_tail(&dir, &mut log, &tail)?;
    if log.segments.is_empty() {
        let start = log.next.max(log_start);
        log.next = start;
        log.segments
            .push_back(Segment::empty(Some(&dir), env, start));
    }
    let first = log.segments.front().map_or(0, |s| s.base);
    log.start = log_start.max(first).min(log.next);
    log.compacted_to = log.compacted_to.max(log.start);
    Ok(log)
}

/// A log without any segment yet.
fn bare(dir: &Path, env: &Arc<StorageEnv>) -> Log {
    let mut log = Log::empty(Some(dir.to_path_buf()), env.clone(), 0);
    log.segments = VecDeque::new();
    log
}

/// Base offsets of the segments, ascending. Removes leftovers of interrupted work.
fn segment_bases(dir: &Path) -> io::Result<Vec<i64>> {
    let mut bases = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            // Output of a compaction that was interrupted.
            std::fs::remove_dir_all(&path)?;
            continue;
        }
        match path.extension().and_then(|e| e.to_str()) {
            Some("tmp") => std::fs::remove_file(&path)?,
            Some("log") => {
                let base = path
                    .file_stem()
                    .and_then(|s| s.to_str())
                    .and_then(|s| s.parse().ok());
                match base {
                    Some(base) => bases.push(base),
                    None => {
                        tracing::warn!(file = %path.display(), "not a segment; left alone");
                    }
                }
            }
            _ => {}
        }
    }
    bases.sort_unstable();
    Ok(bases)
}

/// The log as of the checkpoint and the segments that must be scanned after it; `None` when an index is unusable.
fn from_checkpoint(
    dir: &Path,
    env: &Arc<StorageEnv>,
    bases: &[i64],
    checkpoint: Checkpoint,
) -> Option<(Log, Vec<i64>)> {
    let mut log = bare(dir, env);
    log.producers = checkpoint.producers;
    log.compacted_to = checkpoint.compacted_to;
    log.next = checkpoint.recovered_to;
    log.checkpointed_to = checkpoint.recovered_to;
    let mut covered = i64::MIN;
    for &base in bases.iter().filter(|b| **b < checkpoint.active.base) {
        let path = log_path(dir, base);
        if base < covered {
            // Compaction replaced it by a larger segment and was killed before it could delete it.
            let _ = std::fs::remove_file(&path);
            let _ = std::fs::remove_file(super::segment::index_path(&path));
            continue;
        }
        let Some(segment) = Segment::open_sealed(env, &path, base) else {
            tracing::warn!(file = %path.display(), "its index is missing or does not fit; reading the whole partition");
            return None;
        };
        covered = segment.next;
        log.segments.push_back(segment);
    }
    let tail: Vec<i64> = bases
        .iter()
        .copied()
        .filter(|b| *b >= checkpoint.active.base)
        .collect();
    if tail.first() == Some(&checkpoint.active.base) {
        let saved = checkpoint.active;
        let length = std::fs::metadata(log_path(dir, saved.base)).ok()?.len();
        let mut active = Segment::empty(Some(dir), env, saved.base);
        if length < saved.size
            || active
                .load_saved_index(saved.index_entries, saved.index_crc)
                .is_err()
                && saved.index_entries > 0
        {
            tracing::warn!(folder = %dir.display(), "the active segment or its index is shorter than the checkpoint says; reading the whole partition");
            return None;
        }
        active.size = saved.size;
        active.next = saved.next;
        active.max_timestamp = saved.max_timestamp;
        active.started = saved.started;
        active.aborted = saved.aborted;
        log.segments.push_back(active);
    }
    Some((log, tail))
}

/// Checks and counts the batches of the segments `tail`, and cuts the log at the first that is torn.
fn scan_tail(dir: &Path, log: &mut Log, tail: &[i64]) -> io::Result<()> {
    let env = log.env.clone();
    let mut rest = tail.iter();
    while let Some(&base) = rest.next() {
        let path = log_path(dir, base);
        let begun = log.segments.back().is_some_and(|s| s.base == base);
        if !begun {
            if base < log.next && !log.segments.is_empty() {
                tracing::info!(file = %path.display(), "removed a segment that another one replaces");
                let _ = std::fs::remove_file(&path);
                continue;
            }
            if log.segments.back().is_some_and(|s| !s.is_sealed()) {
                seal_back(log)?;
            }
            log.next = log.next.max(base);
            log.segments
                .push_back(Segment::empty(Some(dir), &env, base));
        }
        let length = std::fs::metadata(&path)?.len();
        if let Some(position) = scan_segment(log, length)? {
            tracing::warn!(
                file = %path.display(), position, bytes = length - position,
                "cut a torn tail off the log"
            );
            if let Some(SegmentData::File(slot)) = log.segments.back().map(|s| &s.data) {
                slot.get()?.set_len(position)?;
            }
            for &lost in rest.by_ref() {
                let lost = log_path(dir, lost);
                tracing::warn!(file = %lost.display(), "removed a segment that follows the torn one");
                std::fs::remove_file(&lost)?;
                let _ = std::fs::remove_file(super::segment::index_path(&lost));
            }
        }
    }
    if let Some(last) = log.segments.back() {
        if last.is_sealed() {
            let next = log.next.max(last.next);
            log.next = next;
            log.segments
                .push_back(Segment::empty(Some(dir), &env, next));
        } else {
            log.next = last.next.max(last.base);
        }
    }
    Ok(())
}

fn seal_back(log: &mut Log) -> io::Result<()> {
    let env = log.env.clone();
    if let Some(segment) = log.segments.back_mut() {
        segment.seal(&env)?;
        if let SegmentData::File(slot) = &segment.data {
            log.unsynced.push(slot.clone());
        }
    }
    Ok(())
}

/// Scans the last segment of `log` from what is counted of it up to `length`. Returns the position of torn bytes.
fn scan_segment(log: &mut Log, length: u64) -> io::Result<Option<u64>> {
    let Some(from) = log.segments.back().map(|s| s.size) else {
        return Ok(None);
    };
    // The scanner borrows the segment's data while the log changes, so it gets a handle of its own.
    let Some(SegmentData::File(slot)) = log.segments.back().map(|s| &s.data) else {
        return Ok(None);
    };
    let data = SegmentData::File(slot.clone());
    let mut scanner = Scanner::new(&data, from, length);
    loop {
        match scanner.next_batch()? {
            Step::End => return Ok(None),
            Step::Torn(position, _) => return Ok(Some(position)),
            Step::Batch(position, header, bytes) => {
                if header.base_offset < log.next {
                    return Ok(Some(position));
                }
                replay(log, position, &header, &bytes);
            }
        }
    }
}

fn replay(log: &mut Log, position: u64, header: &BatchHeader, bytes: &Bytes) {
    if let Some(segment) = log.segments.back_mut() {
        segment.account(position, header, INDEX_INTERVAL);
        if !header.is_control() {
            segment.started.get_or_insert(header.max_timestamp);
        }
    }
    // Silence counts from the start: the records' own times may lie far back.
    let now = now_ms();
    log.next = header.next_offset();
    log.since_checkpoint += header.size as u64;
    if header.is_control() {
        log.close(header, is_commit_marker(header, bytes), now);
    } else if header.has_producer() {
        log.producers.appended(header, now);
    }
}
