//! One partition's log: segments, offsets, producers. Synchronous; [`super::Partition`] holds the lock around it.

use super::checkpoint::{ActiveSegment, Checkpoint};
use super::data::{Range, SegmentData};
use super::env::{FsyncPolicy, StorageEnv};
use super::files::FileSlot;
use super::producers::{ProducerTable, Refusal, Verdict};
use super::segment::Segment;
use super::validate::Incoming;
use crate::config::TopicSettings;
use crate::records::{BatchError, BatchHeader, HEADER_LEN, control_marker};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// A checkpoint is written when this much was appended since the last: so much a start reads again per partition at most
/// (and what was written since the last flush).
const CHECKPOINT_AFTER: u64 = 1 << 20;
/// Index interval of batches that the broker itself writes.
const MARKER_INDEX_INTERVAL: u64 = 4096;

/// Why an append was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppendError {
    #[error("{0}")]
    Batch(#[from] BatchError),
    #[error("the record batch is invalid: {0}")]
    Invalid(&'static str),
    #[error("the record batch has {size} bytes; max.message.bytes of the topic is {limit}")]
    TooLarge { size: usize, limit: usize },
    #[error("the timestamp {timestamp} is further from the broker's clock than {limit} allows")]
    InvalidTimestamp { timestamp: i64, limit: &'static str },
    #[error("the producer's batch is refused: {0:?}")]
    Producer(Refusal),
    #[error("the log could not be written: {0}")]
    Storage(#[from] io::Error),
}

/// Where a batch came to lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Appended {
    pub(crate) base_offset: i64,
    /// The broker's time when the topic uses log-append time, else -1.
    pub(crate) append_time: i64,
}

/// A transaction that ended with an abort: records of `producer_id` from `first_offset` to `last_offset` (its marker) are void.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AbortedTransaction {
    pub(crate) producer_id: i64,
    pub(crate) first_offset: i64,
    pub(crate) last_offset: i64,
    /// Last stable offset right after the abort: transactions aborted later began at or after it.
    pub(crate) stable_after: i64,
}

/// Which records a reader may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    Uncommitted,
    Committed,
}

/// Why a read failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("the offset is outside the log")]
    OutOfRange,
    #[error("the log could not be read: {0}")]
    Storage(#[from] io::Error),
}

/// What a fetch of one partition gives.
#[derive(Clone, Debug, Default)]
pub(crate) struct FetchSlice {
    pub(crate) high_watermark: i64,
    pub(crate) last_stable: i64,
    pub(crate) log_start: i64,
    /// Whole batches.
    pub(crate) records: Bytes,
    /// Aborted transactions that touch them; empty for [`Isolation::Uncommitted`].
    pub(crate) aborted: Vec<AbortedTransaction>,
}

/// A fetch whose bytes are still to be read, without the lock.
pub(crate) struct FetchPlan {
    pub(crate) slice: FetchSlice,
    pub(crate) range: Option<Range>,
}

/// See the module's documentation. `segments` is never empty; the last one is active.
pub(crate) struct Log {
    pub(super) dir: Option<PathBuf>,
    pub(super) env: Arc<StorageEnv>,
    pub(super) segments: VecDeque<Segment>,
    pub(super) start: i64,
    pub(super) next: i64,
    pub(super) producers: ProducerTable,
    pub(super) compacted_to: i64,
    /// Offset of the checkpoint on disk; compaction stays below it.
    pub(super) checkpointed_to: i64,
    pub(super) since_checkpoint: u64,
    /// Sealed segments that are not on disk yet.
    pub(super) unsynced: Vec<Arc<FileSlot>>,
    pub(super) dirty: bool,
}

/// Work of a flush that needs no lock: bring `files` to disk, then write the checkpoint.
pub(crate) struct Flush {
    pub(crate) files: Vec<Arc<FileSlot>>,
    pub(crate) checkpoint: Option<(PathBuf, Checkpoint)>,
}

impl Log {
    /// An empty log from `start` on; in memory without `dir`.
    pub(crate) fn empty(dir: Option<PathBuf>, env: Arc<StorageEnv>, start: i64) -> Self {
        let first = Segment::empty(dir.as_deref(), &env, start);
        Self {
            dir,
            env,
            segments: VecDeque::from([first]),
            start,
            next: start,
            producers: ProducerTable::default(),
            compacted_to: start,
            checkpointed_to: start,
            since_checkpoint: 0,
            unsynced: Vec::new(),
            dirty: false,
        }
    }

    pub(crate) fn start(&self) -> i64 {
        self.start
    }
    /// Offset of the next record; with one replica also the high watermark.
    pub(crate) fn end(&self) -> i64 {
        self.next
    }
    /// First offset that an open transaction may still take back, or the end.
    pub(crate) fn last_stable(&self) -> i64 {
        self.producers.first_open().unwrap_or(self.next)
    }
    /// Bytes of all batches.
    pub(crate) fn size(&self) -> u64 {
        self.segments.iter().map(|s| s.size).sum()
    }

    /// Appends a producer's checked batch, or recognizes it as one already there.
    pub(crate) fn append(
        &mut self,
        incoming: &Incoming,
        settings: &TopicSettings,
        now: i64,
    ) -> Result<Appended, AppendError> {
        let mut header = incoming.header;
        if header.has_producer()
            && let Verdict::Duplicate(base_offset) = self
                .producers
                .check(&header)
                .map_err(AppendError::Producer)?
        {
            return Ok(Appended {
                base_offset,
                append_time: -1,
            });
        }
        header.base_offset = self.next;
        let mut append_time = -1;
        if settings.log_append_time {
            append_time = now;
            header.set_log_append_time(now);
            header.seal(&incoming.records);
        }
        self.roll_if_due(header.size as u64, settings, now)?;
        self.write(&header, &incoming.records, settings.index_interval, now)?;
        if header.has_producer() {
            self.producers.appended(&header, now);
        }
        Ok(Appended {
            base_offset: header.base_offset,
            append_time,
        })
    }

    /// Lets a transactional producer write here until [`Self::end_transaction`].
    pub(crate) fn enlist(&mut self, producer_id: i64, epoch: i16) {
        self.producers.enlist(producer_id, epoch);
    }

    /// Ends a producer's transaction: writes the marker if it wrote anything. Returns whether it did.
    pub(crate) fn end_transaction(
        &mut self,
        producer_id: i64,
        epoch: i16,
        commit: bool,
        now: i64,
    ) -> io::Result<bool> {
        if !self.producers.is_open(producer_id) {
            self.producers.dismiss(producer_id, epoch);
            return Ok(false);
        }
        let marker = control_marker(producer_id, epoch, commit, now);
        let mut header = BatchHeader::parse(&marker)
            .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))?;
        header.base_offset = self.next;
        self.write(
            &header,
            &marker.slice(HEADER_LEN..),
            MARKER_INDEX_INTERVAL,
            now,
        )?;
        self.close(&header, commit, now);
        Ok(true)
    }

    /// Accounts for a marker that is in the log.
    pub(super) fn close(&mut self, marker: &BatchHeader, commit: bool, now: i64) {
        let aborted = self.producers.closed(
            marker.producer_id,
            marker.producer_epoch,
            commit,
            marker.base_offset,
            now,
        );
        if let (Some(aborted), Some(segment)) = (aborted, self.segments.back_mut()) {
            segment.aborted.push(aborted);
        }
    }

    fn write(
        &mut self,
        header: &BatchHeader,
        records: &[u8],
        index_interval: u64,
        now: i64,
    ) -> io::Result<()> {
        let Some(active) = self.segments.back_mut() else {
            return Err(io::Error::other("the log has no active segment"));
        };
        active.append(header, records, now, index_interval)?;
        if self.env.fsync == FsyncPolicy::EveryWrite
            && let SegmentData::File(slot) = &active.data
        {
            slot.get()?.sync_data()?;
        }
        self.next = header.next_offset();
        self.since_checkpoint += header.size as u64;
        Ok(())
    }

    fn roll_if_due(&mut self, incoming: u64, settings: &TopicSettings, now: i64) -> io::Result<()> {
        let due = self.segments.back().is_some_and(|active| {
            active.size > 0
                && (active.size + incoming > settings.segment_bytes
                    || active
                        .started
                        .is_some_and(|t| now.saturating_sub(t) > settings.segment_ms))
        });
        if due { self.roll() } else { Ok(()) }
    }

    /// Seals the active segment and begins a new one. On an error the old one stays active.
    pub(crate) fn roll(&mut self) -> io::Result<()> {
        let next = Segment::empty(self.dir.as_deref(), &self.env, self.next);
        if let SegmentData::File(slot) = &next.data {
            // Its name keeps the next offset when all the others are deleted.
            slot.create()?;
        }
        if let Some(active) = self.segments.back_mut() {
            active.seal(&self.env)?;
            if let SegmentData::File(slot) = &active.data {
                self.unsynced.push(slot.clone());
            }
        }
        self.segments.push_back(next);
        Ok(())
    }

    /// Index of the first segment that ends after `offset`.
    pub(super) fn segment_at(&self, offset: i64) -> usize {
        self.segments.partition_point(|s| s.next <= offset)
    }

    /// Plans to read whole batches from the one that holds `offset`, up to `max_bytes` of them; the first one may be
    /// larger when `at_least_one`.
    pub(crate) fn plan_fetch(
        &self,
        offset: i64,
        max_bytes: usize,
        isolation: Isolation,
        at_least_one: bool,
    ) -> Result<FetchPlan, ReadError> {
        if offset < self.start || offset > self.next {
            return Err(ReadError::OutOfRange);
        }
        let limit = match isolation {
            Isolation::Uncommitted => self.next,
            Isolation::Committed => self.last_stable(),
        };
        let mut plan = FetchPlan {
            slice: FetchSlice {
                high_watermark: self.next,
                last_stable: self.last_stable(),
                log_start: self.start,
                ..FetchSlice::default()
            },
            range: None,
        };
        if offset >= limit {
            return Ok(plan);
        }
        for (number, segment) in self
            .segments
            .iter()
            .enumerate()
            .skip(self.segment_at(offset))
        {
            let Some((position, first)) = segment.locate(&self.env, offset)? else {
                continue;
            };
            if first.base_offset >= limit {
                break;
            }
            let end = if limit < segment.next {
                segment
                    .locate(&self.env, limit)?
                    .map_or(segment.size, |(at, _)| at)
            } else {
                segment.size
            };
            let available = usize::try_from(end.saturating_sub(position)).unwrap_or(usize::MAX);
            let wanted = if at_least_one {
                max_bytes.max(first.size)
            } else {
                max_bytes
            };
            if wanted >= first.size {
                plan.range = Some(segment.data.range(position, wanted.min(available))?);
                if isolation == Isolation::Committed {
                    plan.slice.aborted = self.aborted_between(number, offset, segment.next);
                }
            }
            break;
        }
        Ok(plan)
    }

    /// Aborted transactions that overlap `from..to`; their markers lie in segment `number` or later.
    fn aborted_between(&self, number: usize, from: i64, to: i64) -> Vec<AbortedTransaction> {
        let mut out = Vec::new();
        for aborted in self.segments.iter().skip(number).flat_map(|s| &s.aborted) {
            if aborted.last_offset >= from && aborted.first_offset < to {
                out.push(*aborted);
            }
            if aborted.stable_after >= to {
                break;
            }
        }
        out
    }

    /// Begins a flush: returns the files to bring to disk and, when due or forced, the checkpoint to write after that.
    pub(crate) fn begin_flush(&mut self, force: bool, now: i64) -> io::Result<Flush> {
        self.dirty = false;
        let mut flush = Flush {
            files: std::mem::take(&mut self.unsynced),
            checkpoint: None,
        };
        let (Some(dir), Some(active)) = (&self.dir, self.segments.back_mut()) else {
            return Ok(flush);
        };
        if let SegmentData::File(slot) = &active.data
            && active.size > 0
        {
            flush.files.push(slot.clone());
        }
        if force || self.since_checkpoint >= CHECKPOINT_AFTER {
            self.since_checkpoint = 0;
            self.producers.expire(now);
            let (index_entries, index_crc) = active.save_index()?;
            let checkpoint = Checkpoint {
                log_start: self.start,
                recovered_to: self.next,
                compacted_to: self.compacted_to,
                active: ActiveSegment {
                    base: active.base,
                    size: active.size,
                    next: active.next,
                    max_timestamp: active.max_timestamp,
                    started: active.started,
                    index_entries,
                    index_crc,
                    aborted: active.aborted.clone(),
                },
                producers: self.producers.clone(),
            };
            flush.checkpoint = Some((dir.clone(), checkpoint));
        }
        Ok(flush)
    }
}
