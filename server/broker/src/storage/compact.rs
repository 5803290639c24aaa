//! Compaction: of each key only the newest record stays, at its own offset.
//!
//! ```text
//!  compacted │ new, sealed              │ active
//!            └─ 1. keys ► OffsetMap ─┐
//!  └─ 2. rewrite every segment up to where the map reaches ─► compacting/BASE.log ─► 3. rename in, under the lock
//! ```
//! Steps 1 and 2 hold no lock, and step 3 takes it anew for each segment. What is written goes to disk a little at a time:
//! one large flush would keep the producers' own writes waiting for the disk. Memory is bounded by the map, and what does not
//! fit waits for the next round.
//! Aborted records go at once. Tombstones and transaction markers stay until `delete.retention.ms` after their segment was
//! first rewritten, so that a reader in the middle of the log still learns of the deletion or of the transaction's end.

use super::compact_map::OffsetMap;
use super::data::SegmentData;
use super::env::StorageEnv;
use super::log::{AbortedTransaction, Log};
use super::scan::{Scanner, Step};
use super::segment::{NEVER_COMPACTED, Segment, index_path, log_path};
use crate::config::TopicSettings;
use crate::records::{BatchHeader, HEADER_LEN, body_of, rebuild, records};
use bytes::Bytes;
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Folder of rewritten segments inside the partition's.
const WORK_DIR: &str = "compacting";
/// Rewritten bytes that are brought to disk together.
const FLUSH_AFTER: u64 = 4 << 20;

/// What one round may touch, taken from the log under its lock.
pub(crate) struct CompactionPlan {
    env: Arc<StorageEnv>,
    dir: Option<PathBuf>,
    sources: Vec<Source>,
    /// First offset whose keys are not in any earlier round.
    dirty_from: i64,
    aborted: HashMap<i64, Vec<(i64, i64)>>,
    settings: TopicSettings,
    now: i64,
}

struct Source {
    base: i64,
    next: i64,
    size: u64,
    horizon: i64,
    aborted: Vec<AbortedTransaction>,
    data: SegmentData,
}

/// A rewritten segment with the bases of those that it replaces.
pub(crate) type Rewritten = (Vec<i64>, Segment);

/// What a round has made.
pub(crate) struct Compaction {
    pub(crate) outputs: Vec<Rewritten>,
    /// Offset up to which the log is compacted then.
    pub(crate) compacted_to: i64,
}

impl Log {
    /// Whether enough is new for a round. Seals the active segment when it is over age.
    pub(crate) fn compaction_due(
        &mut self,
        settings: &TopicSettings,
        now: i64,
    ) -> io::Result<bool> {
        if !settings.compact {
            return Ok(false);
        }
        let oldest = settings.segment_ms.min(settings.max_compaction_lag_ms);
        let over_age = self.segments.back().is_some_and(|active| {
            active.size > 0
                && active
                    .started
                    .is_some_and(|t| now.saturating_sub(t) > oldest)
        });
        if over_age {
            self.roll()?;
        }
        let mut total = 0;
        let mut dirty = 0;
        let mut late = false;
        for segment in self.cleanable(settings, now, i64::MAX) {
            total += segment.size;
            if segment.next > self.compacted_to {
                dirty += segment.size;
                late |= segment
                    .started
                    .is_some_and(|t| now.saturating_sub(t) > settings.max_compaction_lag_ms);
            }
        }
        Ok(dirty > 0 && (late || dirty as f64 >= total as f64 * settings.min_cleanable_ratio))
    }

    /// Sealed segments that may be compacted and end at or below `saved`.
    fn cleanable(
        &self,
        settings: &TopicSettings,
        now: i64,
        saved: i64,
    ) -> impl Iterator<Item = &Segment> + use<'_> {
        let stable = self.last_stable();
        let lag = settings.min_compaction_lag_ms;
        self.segments
            .iter()
            .take(self.segments.len() - 1)
            .take_while(move |s| {
                s.next <= stable.min(saved)
                    && (lag <= 0 || now.saturating_sub(s.max_timestamp) > lag)
            })
    }

    /// The next round, `None` when nothing is left to do.
    pub(crate) fn plan_compaction(
        &self,
        settings: &TopicSettings,
        now: i64,
    ) -> io::Result<Option<CompactionPlan>> {
        // In memory there is no start after a crash to be careful for.
        let saved = match &self.dir {
            Some(_) => self.checkpointed_to,
            None => i64::MAX,
        };
        let sources: Vec<Source> = self
            .cleanable(settings, now, saved)
            .map(|s| Source {
                base: s.base,
                next: s.next,
                size: s.size,
                horizon: s.horizon,
                aborted: s.aborted.clone(),
                data: s.data.snapshot(),
            })
            .collect();
        if sources.last().is_none_or(|s| s.next <= self.compacted_to) {
            return Ok(None);
        }
        let mut aborted: HashMap<i64, Vec<(i64, i64)>> = HashMap::new();
        for a in self.segments.iter().flat_map(|s| &s.aborted) {
            let ranges = aborted.entry(a.producer_id).or_default();
            ranges.push((a.first_offset, a.last_offset));
        }
        Ok(Some(CompactionPlan {
            env: self.env.clone(),
            dir: self.dir.clone(),
            sources,
            dirty_from: self.compacted_to,
            aborted,
            settings: settings.clone(),
            now,
        }))
    }

    /// Puts a rewritten segment in place of the old ones, or gives it back when its sources changed meanwhile.
    /// Returns the segments whose files are to be removed.
    pub(crate) fn replace_compacted(
        &mut self,
        plan: &CompactionPlan,
        (bases, mut segment): Rewritten,
    ) -> io::Result<Vec<Segment>> {
        let first = self.segments.iter().position(|s| s.base == segment.base);
        let same = first.is_some_and(|first| {
            let present = self.segments.iter().skip(first).map(|s| s.base);
            present.take(bases.len()).eq(bases.iter().copied())
        });
        let Some(first) = first.filter(|_| same) else {
            return Ok(vec![segment]);
        };
        if let (Some(dir), SegmentData::File(slot)) = (&plan.dir, &segment.data) {
            let target = log_path(dir, segment.base);
            // A second name keeps the old file alive, so that replacing it is quick and freeing its blocks comes later,
            // without the lock. Where links are impossible it is only slower.
            let _ = std::fs::hard_link(&target, slot.path().with_extension("replaced"));
            std::fs::rename(slot.path(), &target)?;
            std::fs::rename(index_path(slot.path()), index_path(&target))?;
            segment.data = SegmentData::File(self.env.files.slot(target));
        }
        let old = self.segments.drain(first..first + bases.len());
        let replaced = old.filter(|old| old.base != segment.base).collect();
        self.segments.insert(first, segment);
        Ok(replaced)
    }

    /// Notes that a round is through.
    pub(crate) fn compacted(&mut self, to: i64) {
        self.compacted_to = self.compacted_to.max(to);
    }
}

impl CompactionPlan {
    /// Removes what the round left in its folder.
    pub(crate) fn clear(&self) {
        if let Some(dir) = &self.dir {
            let _ = std::fs::remove_dir_all(dir.join(WORK_DIR));
        }
    }
}

impl Compaction {
    /// Does the reading and writing of a round.
    pub(crate) fn run(plan: &CompactionPlan) -> io::Result<Self> {
        let mut map = OffsetMap::new();
        let compacted_to = plan.collect_keys(&mut map)?;
        let dir = match &plan.dir {
            Some(dir) => {
                let dir = dir.join(WORK_DIR);
                std::fs::create_dir_all(&dir)?;
                Some(dir)
            }
            None => None,
        };
        let mut outputs = Vec::new();
        for group in plan.groups(compacted_to) {
            outputs.push(plan.rewrite(group, &map, compacted_to, dir.clone())?);
        }
        Ok(Self {
            outputs,
            compacted_to,
        })
    }
}

impl CompactionPlan {
    fn is_aborted(&self, header: &BatchHeader) -> bool {
        header.is_transactional()
            && self.aborted.get(&header.producer_id).is_some_and(|ranges| {
                ranges
                    .iter()
                    .any(|(first, last)| (*first..=*last).contains(&header.base_offset))
            })
    }

    /// Fills the map with the keys of the new records. Returns the offset up to which they are in it.
    fn collect_keys(&self, map: &mut OffsetMap) -> io::Result<i64> {
        let mut reached = self.dirty_from;
        for source in self.sources.iter().filter(|s| s.next > self.dirty_from) {
            let mut scanner = Scanner::new(&source.data, 0, source.size);
            loop {
                let (header, bytes) = match scanner.next_batch()? {
                    Step::Batch(_, header, bytes) => (header, bytes),
                    Step::End => break,
                    Step::Torn(at, e) => return Err(corrupt(source.base, at, &e)),
                };
                if map.is_full() {
                    return Ok(reached);
                }
                if header.next_offset() > self.dirty_from
                    && !header.is_control()
                    && !self.is_aborted(&header)
                {
                    let body = body_of(&header, &bytes).map_err(|e| corrupt(source.base, 0, &e))?;
                    for record in records(&header, &body) {
                        let record = record.map_err(|e| corrupt(source.base, 0, &e))?;
                        if let Some(key) = record.key {
                            map.insert(key, record.offset);
                        }
                    }
                }
                reached = reached.max(header.next_offset());
            }
            reached = reached.max(source.next);
        }
        Ok(reached)
    }

    /// Neighbours that become one segment: of the same age class, and not larger than `segment.bytes` together.
    /// A segment whose horizon is still to come stays alone, or merging would put the horizon off again and again.
    fn groups(&self, reached: i64) -> Vec<&[Source]> {
        let class = |s: &Source| match s.horizon {
            NEVER_COMPACTED => 0,
            horizon if horizon <= self.now => 1,
            _ => 2,
        };
        let end = self.sources.partition_point(|s| s.base < reached);
        let mut rest = self.sources.get(..end).unwrap_or_default();
        let mut groups = Vec::new();
        while let Some(first) = rest.first() {
            let mut size = 0;
            let length = rest
                .iter()
                .take_while(|s| {
                    size += s.size;
                    class(s) == class(first) && size <= self.settings.segment_bytes
                })
                .count();
            let length = if class(first) == 2 { 1 } else { length.max(1) };
            let (group, others) = rest.split_at(length);
            groups.push(group);
            rest = others;
        }
        groups
    }

    fn rewrite(
        &self,
        group: &[Source],
        map: &OffsetMap,
        reached: i64,
        dir: Option<PathBuf>,
    ) -> io::Result<(Vec<i64>, Segment)> {
        let base = group.first().map_or(0, |s| s.base);
        let mut out = Segment::empty(dir.as_deref(), &self.env, base);
        let compacted = |s: &Source| s.horizon != NEVER_COMPACTED;
        out.horizon = group
            .iter()
            .filter(|s| compacted(s))
            .map(|s| s.horizon)
            .max()
            .unwrap_or_else(|| self.now.saturating_add(self.settings.delete_retention_ms));
        let mut flushed = 0;
        for source in group {
            let expired = source.horizon <= self.now;
            let mut scanner = Scanner::new(&source.data, 0, source.size);
            loop {
                let (header, bytes) = match scanner.next_batch()? {
                    Step::Batch(_, header, bytes) => (header, bytes),
                    Step::End => break,
                    Step::Torn(at, e) => return Err(corrupt(source.base, at, &e)),
                };
                if let Some(kept) = self.filter(&header, bytes, map, reached, expired)? {
                    let header = BatchHeader::parse(&kept).map_err(io::Error::other)?;
                    let body = kept.slice(HEADER_LEN..);
                    out.append(&header, &body, self.now, self.settings.index_interval)?;
                    if let SegmentData::File(slot) = &out.data
                        && out.size - flushed >= FLUSH_AFTER
                    {
                        slot.get()?.sync_data()?;
                        flushed = out.size;
                    }
                }
            }
            // Of the aborted transactions that end below, no record is left.
            let still = source.aborted.iter().filter(|a| a.last_offset >= reached);
            out.aborted.extend(still);
            out.next = source.next;
        }
        if let SegmentData::File(slot) = &out.data {
            // It exists also when nothing is left, as the place of the offsets.
            slot.create()?.sync_data()?;
        }
        out.started = Some(out.max_timestamp);
        out.seal(&self.env)?;
        Ok((group.iter().map(|s| s.base).collect(), out))
    }

    /// What stays of a batch: itself, fewer records, or nothing.
    fn filter(
        &self,
        header: &BatchHeader,
        bytes: Bytes,
        map: &OffsetMap,
        reached: i64,
        expired: bool,
    ) -> io::Result<Option<Bytes>> {
        if header.base_offset >= reached {
            return Ok(Some(bytes));
        }
        if header.is_control() {
            return Ok((!expired).then_some(bytes));
        }
        if self.is_aborted(header) {
            return Ok(None);
        }
        let body = body_of(header, &bytes).map_err(io::Error::other)?;
        let (mut kept, mut count) = (Vec::new(), 0);
        for record in records(header, &body) {
            let record = record.map_err(io::Error::other)?;
            let newest = record
                .key
                .is_none_or(|key| map.get(key).is_none_or(|newest| newest <= record.offset));
            let outlived = expired && !record.has_value;
            if newest && !outlived {
                kept.extend_from_slice(record.raw);
                count += 1;
            }
        }
        Ok(match count {
            0 => None,
            all if all == header.record_count => Some(bytes),
            some => Some(rebuild(header, &kept, some)),
        })
    }
}

fn corrupt(base: i64, position: u64, error: &crate::records::BatchError) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("segment {base}, position {position}: {error}"),
    )
}
