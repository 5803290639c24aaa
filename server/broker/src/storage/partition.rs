//! A partition as the handlers see it: the log behind a lock, and the fetches that wait for it to grow.

use super::compact::Compaction;
use super::env::StorageEnv;
use super::log::{AppendError, Appended, FetchSlice, Isolation, Log, ReadError};
use super::lookup::TimeTarget;
use super::producers::ProducerView;
use super::recovery;
use super::segment::Segment;
use super::validate::Incoming;
use crate::config::TopicSettings;
use crate::records::BatchHeader;
use bytes::Bytes;
use parking_lot::Mutex;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use tokio::sync::Notify;

/// See the module's documentation.
pub(crate) struct Partition {
    env: Arc<StorageEnv>,
    log: Mutex<Log>,
    waiting: Mutex<Vec<Weak<Notify>>>,
    /// Flushes and compactions of one partition go one after the other, so that an older checkpoint never replaces a newer one.
    maintenance: Mutex<()>,
}

/// Offsets that bound a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// First offset that may be read.
    pub(crate) start: i64,
    /// First offset that an open transaction may still take back.
    pub(crate) stable: i64,
    /// Offset of the next record.
    pub(crate) end: i64,
}

impl std::fmt::Debug for Partition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Partition").finish_non_exhaustive()
    }
}

impl Partition {
    /// Opens the partition in `dir`, creating or healing it, or begins one in memory.
    pub(crate) fn open(dir: Option<PathBuf>, env: &Arc<StorageEnv>) -> io::Result<Arc<Self>> {
        let log = match dir {
            Some(dir) => recovery::open(dir, env)?,
            None => Log::empty(None, env.clone(), 0),
        };
        Ok(Arc::new(Self {
            env: env.clone(),
            log: Mutex::new(log),
            waiting: Mutex::default(),
            maintenance: Mutex::default(),
        }))
    }

    /// Appends a checked batch and wakes the fetches that wait here.
    pub(crate) fn append(
        self: &Arc<Self>,
        incoming: &Incoming,
        settings: &TopicSettings,
        now: i64,
    ) -> Result<Appended, AppendError> {
        let appended = {
            let mut log = self.log.lock();
            let appended = log.append(incoming, settings, now)?;
            self.mark_dirty(&mut log);
            appended
        };
        self.wake();
        Ok(appended)
    }

    /// See [`Log::enlist`].
    pub(crate) fn enlist(&self, producer_id: i64, epoch: i16) {
        self.log.lock().enlist(producer_id, epoch);
    }

    /// See [`Log::end_transaction`]; the last stable offset moves, so waiting fetches are woken.
    pub(crate) fn end_transaction(
        self: &Arc<Self>,
        producer_id: i64,
        epoch: i16,
        commit: bool,
        now: i64,
    ) -> io::Result<()> {
        let written = {
            let mut log = self.log.lock();
            let written = log.end_transaction(producer_id, epoch, commit, now)?;
            if written {
                self.mark_dirty(&mut log);
            }
            written
        };
        if written {
            self.wake();
        }
        Ok(())
    }

    fn mark_dirty(self: &Arc<Self>, log: &mut Log) {
        if !log.dirty && log.dir.is_some() {
            log.dirty = true;
            self.env.mark_dirty(Arc::downgrade(self));
        }
    }

    /// Where the log begins and ends.
    pub(crate) fn bounds(&self) -> Bounds {
        let log = self.log.lock();
        Bounds {
            start: log.start(),
            stable: log.last_stable(),
            end: log.end(),
        }
    }

    /// The producers that have written here of late.
    pub(crate) fn producers(&self) -> Vec<ProducerView> {
        self.log.lock().producers.views().collect()
    }

    /// Reads batches; see [`Log::plan_fetch`]. The bytes are read without the lock.
    pub(crate) fn fetch(
        &self,
        offset: i64,
        max_bytes: usize,
        isolation: Isolation,
        at_least_one: bool,
    ) -> Result<FetchSlice, ReadError> {
        let plan = self
            .log
            .lock()
            .plan_fetch(offset, max_bytes, isolation, at_least_one)?;
        let mut slice = plan.slice;
        let Some(range) = plan.range else {
            return Ok(slice);
        };
        let (records, last) = whole_batches(range.read()?);
        slice.records = records;
        slice.aborted.retain(|a| a.first_offset <= last);
        Ok(slice)
    }

    /// See [`Log::find_time`].
    pub(crate) fn find_time(&self, target: TimeTarget) -> io::Result<Option<(i64, i64)>> {
        self.log.lock().find_time(target)
    }

    /// Asks to be woken by the next write.
    pub(crate) fn watch(&self, waiter: &Arc<Notify>) {
        let mut waiting = self.waiting.lock();
        if waiting.len() >= 16 {
            waiting.retain(|w| w.strong_count() > 0);
        }
        waiting.push(Arc::downgrade(waiter));
    }

    /// Wakes all that wait here.
    pub(crate) fn wake(&self) {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        for waiter in waiting.iter().filter_map(Weak::upgrade) {
            waiter.notify_one();
        }
    }

    /// Moves the log start to `offset` (-1: to the end); records below are gone for good.
    pub(crate) fn delete_records(&self, offset: i64, now: i64) -> Result<i64, ReadError> {
        let (start, gone) = {
            let mut log = self.log.lock();
            log.delete_records(offset)?
        };
        delete_files(&gone);
        self.flush(true, now)?;
        Ok(start)
    }

    /// Deletes what is beyond the topic's retention. Returns whether anything went.
    pub(crate) fn retain(&self, settings: &TopicSettings, now: i64) -> io::Result<bool> {
        let gone = self.log.lock().retain(settings, now)?;
        delete_files(&gone);
        Ok(!gone.is_empty())
    }

    /// Compacts the sealed segments when enough of them is new.
    pub(crate) fn compact(&self, settings: &TopicSettings, now: i64) -> io::Result<()> {
        let due = self.log.lock().compaction_due(settings, now)?;
        if !due {
            return Ok(());
        }
        // A start must never scan a segment that compaction has rewritten.
        self.flush(true, now)?;
        let _one_at_a_time = self.maintenance.lock();
        loop {
            let Some(plan) = self.log.lock().plan_compaction(settings, now)? else {
                return Ok(());
            };
            let done = Compaction::run(&plan)?;
            for output in done.outputs {
                let replaced = self.log.lock().replace_compacted(&plan, output)?;
                delete_files(&replaced);
            }
            self.log.lock().compacted(done.compacted_to);
            plan.clear();
        }
    }

    /// Brings what was written to disk, with a checkpoint when one is due or `force` asks for it.
    pub(crate) fn flush(&self, force: bool, now: i64) -> io::Result<()> {
        let _one_at_a_time = self.maintenance.lock();
        let flush = self.log.lock().begin_flush(force, now)?;
        for slot in &flush.files {
            slot.get()?.sync_data()?;
        }
        if let Some((dir, checkpoint)) = flush.checkpoint {
            checkpoint.write(&dir)?;
            self.log.lock().checkpointed_to = checkpoint.recovered_to;
        }
        Ok(())
    }
}

fn delete_files(segments: &[Segment]) {
    for segment in segments {
        segment.delete_files();
    }
}

impl Partition {
    /// A last flush. Writes a checkpoint only when something follows the present one.
    pub(crate) fn flush_at_stop(&self, now: i64) -> io::Result<()> {
        let written = self.log.lock().since_checkpoint > 0;
        if written {
            self.flush(true, now)
        } else {
            Ok(())
        }
    }
}

/// Cuts off a batch that is only in part there. Returns the rest and its last offset.
fn whole_batches(bytes: Bytes) -> (Bytes, i64) {
    let (mut end, mut last) = (0, -1);
    while let Some(Ok(header)) = bytes.get(end..).map(BatchHeader::parse) {
        if header.size > bytes.len() - end {
            break;
        }
        end += header.size;
        last = header.last_offset();
    }
    (bytes.slice(..end), last)
}
