//! GROUP BY with session windows (spec/semantics.md §5.3, §6).
//!
//! ```text
//!  row at t ─► sessions within the gap (memory; older ones: store) ─► late? ─► merge, add
//!           ─► a tombstone for each session that was merged away ─► the merged session
//!  cache on: both only at the flush, and none for what came and went in between (§9.3)
//! ```
//!
//! Invariant: sessions of a group are further apart than the gap; clean ones are in the store too.

mod cache;
pub(crate) mod keys;
mod out;
mod write;

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::ArrayRef;
use weir_formats::Encoder;
use weir_planner::stream::WindowSpec;

use super::group_by::{AggregateSpec, accept};
use super::groups::StateLayout;
use super::{Context, Operator, only, save_numbers, saved_numbers};
use crate::EngineError;
use crate::batch::{Batch, Keys};
use crate::memory::Share;
use cache::{NONE, SessionCache};
use keys::{after_all, segment_ms, visit_group};

/// A session that a row touches.
struct Found {
    start: i64,
    end: i64,
    slot: u32,
    /// Its number in memory; `None`: it was read from the store.
    live: Option<u32>,
}

impl Found {
    fn new(start: i64, end: i64, slot: u32) -> Self {
        Self {
            start,
            end,
            slot,
            live: None,
        }
    }
}

/// A row to be emitted.
struct Out {
    /// Row of the batch that caused it.
    row: u32,
    group: u32,
    start: i64,
    end: i64,
    slot: u32,
    /// Slot of the state before, if there was one.
    old: u32,
    tombstone: bool,
    order: u64,
}

/// A row of the batch.
#[derive(Clone, Copy)]
struct Row {
    index: u32,
    group: u32,
    ts: i64,
}

/// Bytes of a session that is held back, roughly.
const HELD_BYTES: usize = 160;

/// See the module.
pub(crate) struct SessionAggregate {
    spec: Arc<AggregateSpec>,
    layout: StateLayout,
    window: WindowSpec,
    gap: i64,
    segment: i64,
    /// EMIT FINAL: encodes group columns for the order of rows.
    order: Option<Box<dyn Encoder>>,
    stream_time: i64,
    /// Greatest end of a session that was stored.
    store_time: i64,
    last_close: Option<i64>,
    not_before: i64,
    expired_to: i64,
    cache: Option<SessionCache>,
    share: Share,
    /// Sessions that were changed since the last write (some are gone since).
    dirty: Vec<u32>,
    /// Sessions that the store has and memory has not any more: group, start, end.
    gone: Vec<(u32, i64, i64)>,
    /// Rows to be emitted besides those of dirty sessions.
    out: Vec<Out>,
    /// Slots of states that only `out` needs.
    retired: Vec<u32>,
    /// Slots and rows whose arguments are still to be added, in order.
    updates: (Vec<u32>, Vec<u32>),
    changes: u64,
    /// Changes up to this order were published.
    published: u64,
    found: Vec<Found>,
}

impl SessionAggregate {
    pub(crate) fn new(
        spec: Arc<AggregateSpec>,
        window: WindowSpec,
        gap: i64,
        order: Option<Box<dyn Encoder>>,
    ) -> Self {
        Self {
            layout: StateLayout::new(spec.functions.clone()),
            spec,
            segment: segment_ms(window.retention_ms),
            window,
            gap,
            order,
            stream_time: -1,
            store_time: -1,
            last_close: None,
            not_before: i64::MIN,
            expired_to: 0,
            cache: None,
            share: Share::default(),
            dirty: Vec::new(),
            gone: Vec::new(),
            out: Vec::new(),
            retired: Vec::new(),
            updates: Default::default(),
            changes: 0,
            published: 0,
            found: Vec::new(),
        }
    }

    /// Sessions that ended before this time have closed.
    fn closed_before(&self) -> i64 {
        let grace = self.window.grace_ms.saturating_add(self.gap);
        self.stream_time.saturating_sub(grace)
    }

    /// The first segment that is still kept.
    fn live_segment(&self) -> i64 {
        self.store_time
            .saturating_sub(self.window.retention_ms)
            .div_euclid(self.segment)
    }

    /// Takes what memory holds; makes it on first use.
    fn take_cache(&mut self, ctx: &mut Context<'_>) -> Result<SessionCache, EngineError> {
        if let Some(cache) = self.cache.take() {
            return Ok(cache);
        }
        let after = after_all(ctx.store(self.spec.store)?, self.segment)?;
        let complete_from = after.unwrap_or(i64::MIN);
        Ok(SessionCache::new(
            &self.layout,
            self.order.is_some(),
            complete_from,
        ))
    }

    /// Sessions of a group that a row at `ts` touches, in ascending end, into `found`.
    fn find(
        &mut self,
        cache: &mut SessionCache,
        group: u32,
        ts: i64,
        ctx: &mut Context<'_>,
    ) -> Result<(), EngineError> {
        self.found.clear();
        let visible = self.store_time.saturating_sub(self.window.retention_ms) + 1;
        let from = ts.saturating_sub(self.gap).max(visible);
        let latest = ts.saturating_add(self.gap);
        let complete_from = cache.complete_from;
        if from < complete_from {
            let mut stored: Vec<(i64, i64, Vec<u8>)> = Vec::new();
            visit_group(
                ctx.store(self.spec.store)?,
                self.segment,
                cache.key(group),
                from,
                &mut |_, start, end, value| {
                    if start > latest || end >= complete_from {
                        return ControlFlow::Break(());
                    }
                    stored.push((start, end, value.to_vec()));
                    ControlFlow::Continue(())
                },
            )?;
            for (start, end, value) in stored {
                let slot = cache.slots.load(&self.layout, &value)?;
                self.found.push(Found::new(start, end, slot));
            }
        }
        let first = self.found.len();
        let mut sessions = Vec::new();
        cache.find(group, from, latest, &mut sessions);
        self.found.extend(sessions.into_iter().map(|session| {
            let live = cache.get(session);
            Found {
                start: live.start,
                end: live.end,
                slot: live.slot,
                live: Some(session),
            }
        }));
        self.found[first..].sort_unstable_by_key(|session| (session.end, session.start));
        Ok(())
    }

    /// Adds the arguments that are due.
    fn add(&mut self, cache: &mut SessionCache, args: &[Vec<ArrayRef>]) {
        let (slots, rows) = &mut self.updates;
        if slots.is_empty() {
            return;
        }
        for (state, args) in cache.slots.states.iter_mut().zip(args) {
            state.update(slots, rows, args);
        }
        slots.clear();
        rows.clear();
    }

    /// Puts a row and the sessions found into one session with these bounds.
    fn merge(
        &mut self,
        cache: &mut SessionCache,
        row: Row,
        (start, end): (i64, i64),
        args: &[Vec<ArrayRef>],
        ctx: &mut Context<'_>,
    ) -> Result<(), EngineError> {
        let each = self.emits_each(ctx);
        self.store_time = self.store_time.max(end);
        let found = std::mem::take(&mut self.found);
        if let [only] = &found[..]
            && let Some(session) = only.live
            && !each
            && !self.spec.want_old
        {
            // Nobody wants to see the state before it.
            if (only.start, only.end) != (start, end) {
                if cache.get(session).stored {
                    self.bury(row, only, only.slot);
                } else if cache.get(session).published {
                    self.gone.push((row.group, only.start, only.end));
                }
                let live = cache.get_mut(session);
                (live.stored, live.published) = (false, false);
                cache.extend(session, start, end);
            }
            self.add_later(row, only.slot);
            self.touch(cache, session);
            self.found = found;
            return Ok(());
        }
        if !found.is_empty() {
            self.add(cache, args);
        }
        let slot = cache.slots.fresh();
        let (mut kept, mut old) = (None, NONE);
        for session in &found {
            cache.slots.merge(slot, session.slot);
            // A row at the only time of a session replaces it without a tombstone.
            if each && self.order.is_none() && (start, end) != (row.ts, row.ts) {
                let out = self.row_out(row, session, session.slot);
                self.out.push(out);
            }
            let same = (session.start, session.end) == (start, end);
            let Some(number) = session.live else {
                self.retired.push(session.slot);
                if same {
                    old = session.slot;
                    continue;
                }
                self.put(cache.key(row.group), session, None, ctx)?;
                if !each {
                    let out = self.row_out(row, session, session.slot);
                    self.out.push(out);
                }
                continue;
            };
            if same {
                kept = Some(number);
                self.replace(cache, number, slot, each);
                continue;
            }
            let live = cache.remove(number);
            if live.stored && each {
                self.gone.push((row.group, live.start, live.end));
            } else if live.stored {
                let old = if live.old == NONE {
                    live.slot
                } else {
                    live.old
                };
                self.bury(row, session, old);
            } else if live.published {
                self.gone.push((row.group, live.start, live.end));
            }
            self.retired.push(live.slot);
            self.retired.push(live.old);
        }
        self.found = found;
        self.add_later(row, slot);
        let merged = Found::new(start, end, slot);
        if end < cache.complete_from {
            // It is in the store alone, as its neighbours are.
            self.add(cache, args);
            let value = self.state(cache, &[slot])?;
            self.put(cache.key(row.group), &merged, value.get(0), ctx)?;
            self.retired.push(slot);
        } else {
            // A session too old to be found is overwritten all the same.
            if self.found.is_empty() {
                kept = cache.with_bounds(row.group, start, end);
                kept.inspect(|number| self.replace(cache, *number, slot, each));
            }
            let session = kept.unwrap_or_else(|| cache.insert(row.group, start, end, slot));
            self.touch(cache, session);
            if !each {
                return Ok(());
            }
        }
        if self.order.is_none() {
            let out = Out {
                tombstone: false,
                old: if each { NONE } else { old },
                ..self.row_out(row, &merged, NONE)
            };
            self.out.push(out);
        }
        Ok(())
    }

    /// Gives a session another state.
    fn replace(&mut self, cache: &mut SessionCache, session: u32, slot: u32, each: bool) {
        let live = cache.get_mut(session);
        if !each && live.stored && live.old == NONE {
            live.old = live.slot;
        } else {
            self.retired.push(live.slot);
        }
        live.slot = slot;
    }

    /// Whether rows are emitted as they change, not at the flush.
    fn emits_each(&self, ctx: &Context<'_>) -> bool {
        ctx.cache_off() || self.order.is_some()
    }

    /// Notes a change of a session.
    fn touch(&mut self, cache: &mut SessionCache, session: u32) {
        self.changes += 1;
        let live = cache.get_mut(session);
        live.order = self.changes;
        if !live.dirty {
            live.dirty = true;
            self.dirty.push(session);
        }
    }

    /// A stored session is none any more; at the flush that is written and emitted.
    fn bury(&mut self, row: Row, session: &Found, old: u32) {
        self.gone.push((row.group, session.start, session.end));
        let out = self.row_out(row, session, old);
        self.out.push(out);
    }

    /// A tombstone of a session.
    fn row_out(&mut self, row: Row, session: &Found, old: u32) -> Out {
        self.changes += 1;
        Out {
            row: row.index,
            group: row.group,
            start: session.start,
            end: session.end,
            slot: if old == NONE { session.slot } else { old },
            old,
            tombstone: true,
            order: self.changes,
        }
    }

    fn add_later(&mut self, row: Row, slot: u32) {
        let (slots, rows) = &mut self.updates;
        slots.push(slot);
        rows.push(row.index);
    }
}

impl Operator for SessionAggregate {
    fn process(&mut self, inputs: Vec<Batch>, ctx: &mut Context<'_>) -> Result<Batch, EngineError> {
        let batch = only(inputs);
        let rows = batch.len();
        let present = batch.present();
        let spec = Arc::clone(&self.spec);
        let log = Some(&mut ctx.out.log);
        let (group, accepted) = accept(&spec.group, &batch.columns, present.as_deref(), rows, log)?;
        let args = spec.args(&batch.columns, &accepted, Some(&mut ctx.out.log))?;
        let keys = Keys::of(&group, rows)?;
        let mut cache = self.take_cache(ctx)?;
        for row in (0..rows).filter(|row| accepted[*row]) {
            let ts = batch.ts[row];
            self.stream_time = self.stream_time.max(ts);
            let row = Row {
                index: row as u32,
                group: cache.group(keys.get(row)),
                ts,
            };
            self.find(&mut cache, row.group, ts, ctx)?;
            let starts = self.found.iter().map(|session| session.start);
            let start = starts.fold(ts, i64::min);
            let end = self
                .found
                .iter()
                .map(|session| session.end)
                .fold(ts, i64::max);
            if end < self.closed_before() {
                ctx.out.counters.dropped += 1;
                let read = self.found.iter().filter(|session| session.live.is_none());
                self.retired.extend(read.map(|session| session.slot));
            } else {
                self.merge(&mut cache, row, (start, end), &args, ctx)?;
            }
            if self.order.is_some() {
                self.release(&mut cache, row.index, &args, ctx)?;
            }
        }
        self.add(&mut cache, &args);
        if let Some(message) = cache.slots.states.iter().find_map(|state| state.failure()) {
            return Err(EngineError::Record(message));
        }
        let mut emitted = Batch::default();
        if self.emits_each(ctx) {
            let out = std::mem::take(&mut self.out);
            if !out.is_empty() {
                emitted = self.emit(&cache, &out)?;
                let rows = out.iter().map(|out| batch.seq[out.row as usize]);
                emitted.seq = rows.collect();
            }
            self.write(&mut cache, ctx)?;
            self.trim(&mut cache, ctx);
        }
        self.cache = Some(cache);
        Ok(emitted)
    }

    fn flush(&mut self, ctx: &mut Context<'_>) -> Result<Batch, EngineError> {
        if self.dirty.is_empty() && self.out.is_empty() && self.gone.is_empty() {
            return Ok(Batch::default());
        }
        let mut cache = self.take_cache(ctx)?;
        let mut out = std::mem::take(&mut self.out);
        // A session may be listed twice, if its place was taken over from another one.
        let mut dirty = self.dirty.clone();
        dirty.sort_unstable();
        dirty.dedup();
        let changed = dirty.into_iter().map(|session| *cache.get(session));
        out.extend(changed.filter(|live| live.dirty).map(|live| Out {
            row: 0,
            group: live.group,
            start: live.start,
            end: live.end,
            slot: live.slot,
            old: live.old,
            tombstone: false,
            order: live.order,
        }));
        out.sort_unstable_by_key(|out| out.order);
        let mut emitted = Batch::default();
        if !out.is_empty() {
            emitted = self.emit(&cache, &out)?;
            emitted.seq = out.iter().map(|_| ctx.take_seq()).collect();
        }
        self.write(&mut cache, ctx)?;
        self.trim(&mut cache, ctx);
        self.cache = Some(cache);
        Ok(emitted)
    }

    fn publish(&mut self, ctx: &mut Context<'_>) -> Result<(), EngineError> {
        if self.dirty.is_empty() && self.gone.is_empty() {
            return Ok(());
        }
        let mut cache = self.take_cache(ctx)?;
        let given = self.give(&mut cache, ctx);
        self.cache = Some(cache);
        given
    }

    fn held_bytes(&self) -> usize {
        (self.dirty.len() + self.out.len()) * HELD_BYTES
    }

    fn stores_changed(&mut self) {
        self.cache = None;
    }

    fn save(&self) -> String {
        save_numbers(&[
            Some(self.stream_time),
            Some(self.store_time),
            self.last_close,
        ])
    }

    fn restore(&mut self, saved: &str) {
        let mut numbers = saved_numbers(saved);
        let mut next = || numbers.next().flatten();
        self.stream_time = next().unwrap_or(-1);
        self.store_time = next().unwrap_or(-1);
        self.last_close = next();
    }
}
