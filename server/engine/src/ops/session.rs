//! GROUP BY with session windows (spec/semantics.md §5.3, §6).
//!
//! ```text
//!  row at t ─► stored sessions within the gap ─► late? ─► merge, add
//!           ─► a tombstone for each session that was merged away ─► the merged session
//! ```
//!
//! | Entry | Key | Value |
//! |---|---|---|
//! | session | `00`, group key, end, start | states |
//! | index | `01`, end, start, group key | nothing |
//!
//! The index serves expiry and EMIT FINAL, which go by the end of sessions.
//!
//! Invariant: sessions of one group are further apart than the gap.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use weir_formats::Encoder;
use weir_functions::aggregate::GroupStates;
use weir_planner::stream::WindowSpec;
use weir_state::KvStore;
use weir_state::codec::key::{KeyReader, from_ordered_i64, ordered_i64};
use weir_state::codec::{ColumnView, write_key};
use weir_types::records::EncodedColumn;

use super::group_by::{AggregateSpec, accept, window_columns};
use super::groups::{StateLayout, results, write_state};
use super::{Context, Operator, only, save_numbers, saved_numbers};
use crate::EngineError;
use crate::batch::{Batch, OldRows, take_columns};

const SESSION: u8 = 0;
const INDEX: u8 = 1;

/// A stored session.
struct Session {
    start: i64,
    end: i64,
    value: Vec<u8>,
}

/// Rows to be emitted: row of the batch, bounds, slot of the state, whether it is a tombstone.
struct Out {
    row: u32,
    start: i64,
    end: i64,
    slot: u32,
    tombstone: bool,
}

/// See the module.
pub(crate) struct SessionAggregate {
    spec: Arc<AggregateSpec>,
    layout: StateLayout,
    window: WindowSpec,
    gap: i64,
    /// EMIT FINAL: encodes group columns for the order of rows.
    order: Option<Box<dyn Encoder>>,
    stream_time: i64,
    /// Greatest end of a session that was stored.
    store_time: i64,
    last_close: Option<i64>,
    not_before: i64,
    expired_to: i64,
    states: Option<States>,
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
            window,
            gap,
            order,
            stream_time: -1,
            store_time: -1,
            last_close: None,
            not_before: i64::MIN,
            expired_to: 0,
            states: None,
        }
    }

    /// Sessions that ended before this time have closed.
    fn closed_before(&self) -> i64 {
        let grace = self.window.grace_ms.saturating_add(self.gap);
        self.stream_time.saturating_sub(grace)
    }

    /// Sessions of a group that a row at `ts` touches, in ascending end.
    fn find(
        &self,
        key: &[u8],
        ts: i64,
        ctx: &mut Context<'_>,
    ) -> Result<Vec<Session>, EngineError> {
        let visible = self.store_time.saturating_sub(self.window.retention_ms) + 1;
        let mut from = session_prefix(key);
        let mut to = from.clone();
        from.extend_from_slice(&ordered_i64(ts.saturating_sub(self.gap).max(visible)));
        to.extend_from_slice(&[0xff; 17]);
        let mut found = Vec::new();
        let latest = ts.saturating_add(self.gap);
        ctx.store(self.spec.store)?.range(
            Bound::Included(&from),
            Bound::Excluded(&to),
            &mut |entry, value| {
                let Some((start, end)) = session_bounds(entry) else {
                    return Ok(ControlFlow::Continue(()));
                };
                if start > latest {
                    return Ok(ControlFlow::Break(()));
                }
                found.push(Session {
                    start,
                    end,
                    value: value.to_vec(),
                });
                Ok(ControlFlow::Continue(()))
            },
        )?;
        Ok(found)
    }

    /// Emits the sessions that closed, after the row `row`.
    fn release(
        &mut self,
        row: u32,
        states: &mut States,
        out: &mut Vec<(Out, Vec<u8>)>,
        ctx: &mut Context<'_>,
    ) -> Result<(), EngineError> {
        let interval = ctx.options.emit_interval_ms;
        if interval > 0 {
            if ctx.now_ms < self.not_before {
                return Ok(());
            }
            self.not_before = ctx.now_ms + interval;
        }
        let close = self.closed_before();
        if close < 1 || self.last_close.is_some_and(|last| close <= last) {
            return Ok(());
        }
        let lower = self.last_close.unwrap_or(0).max(0);
        self.last_close = Some(close);
        let segment = (self.window.retention_ms / 2).max(60_000);
        let live = self
            .store_time
            .saturating_sub(self.window.retention_ms)
            .div_euclid(segment);
        let from = index_prefix(lower);
        let to = index_prefix(close);
        let mut closed: Vec<(i64, i64, Vec<u8>)> = Vec::new();
        let store = ctx.store(self.spec.store)?;
        store.range(
            Bound::Included(&from),
            Bound::Excluded(&to),
            &mut |entry, _| {
                if let Some((start, end, key)) = index_parts(entry)
                    && end.div_euclid(segment) >= live
                {
                    closed.push((end, start, key.to_vec()));
                }
                Ok(ControlFlow::Continue(()))
            },
        )?;
        let ordered = self.sort(closed)?;
        for (end, start, key) in ordered {
            if let Some(value) = ctx
                .store(self.spec.store)?
                .get(&session_key(&key, start, end))?
            {
                let slot = states.load(&self.layout, &value)?;
                out.push((
                    Out {
                        row,
                        start,
                        end,
                        slot,
                        tombstone: false,
                    },
                    key,
                ));
            }
        }
        Ok(())
    }

    /// By end, start and serialised key.
    fn sort(
        &mut self,
        closed: Vec<(i64, i64, Vec<u8>)>,
    ) -> Result<Vec<(i64, i64, Vec<u8>)>, EngineError> {
        let Some(encoder) = self.order.as_mut().filter(|_| closed.len() > 1) else {
            return Ok(closed);
        };
        let mut reader = KeyReader::new(&self.spec.group_types)?;
        for (_, _, key) in &closed {
            reader.read(key)?;
        }
        let mut encoded = EncodedColumn::default();
        encoder
            .encode(&reader.finish()?, None, &mut encoded)
            .map_err(|error| EngineError::Internal(error.to_string()))?;
        let mut order: Vec<usize> = (0..closed.len()).collect();
        order.sort_by(|a, b| {
            (closed[*a].0, closed[*a].1, encoded.get(*a)).cmp(&(
                closed[*b].0,
                closed[*b].1,
                encoded.get(*b),
            ))
        });
        let mut closed: Vec<Option<_>> = closed.into_iter().map(Some).collect();
        Ok(order
            .into_iter()
            .filter_map(|index| closed[index].take())
            .collect())
    }

    /// Drops sessions that nothing can see any more.
    fn expire(&mut self, ctx: &mut Context<'_>) -> Result<(), EngineError> {
        let segment = (self.window.retention_ms / 2).max(60_000);
        let live = self
            .store_time
            .saturating_sub(self.window.retention_ms)
            .div_euclid(segment)
            * segment;
        if live <= self.expired_to {
            return Ok(());
        }
        let (from, to) = (index_prefix(i64::MIN), index_prefix(live));
        let store = ctx.store(self.spec.store)?;
        let mut gone = Vec::new();
        store.range(
            Bound::Included(&from),
            Bound::Excluded(&to),
            &mut |entry, _| {
                if let Some((start, end, key)) = index_parts(entry) {
                    gone.push(session_key(key, start, end));
                }
                Ok(ControlFlow::Continue(()))
            },
        )?;
        for key in gone {
            let mut end = key.clone();
            end.push(0);
            store.expire_range(&key, &end)?;
        }
        store.expire_range(&from, &to)?;
        self.expired_to = live;
        Ok(())
    }
}

/// States of the sessions that one step touches; every change takes a new slot. They live as long
/// as the task, since functions may number the rows they see.
struct States {
    states: Vec<Box<dyn GroupStates>>,
    used: usize,
    allocated: usize,
}

impl States {
    fn new(layout: &StateLayout) -> Self {
        Self {
            states: layout.states(),
            used: 0,
            allocated: 0,
        }
    }

    /// A slot with the initial state.
    fn fresh(&mut self) -> u32 {
        let slot = self.used;
        self.used += 1;
        if slot < self.allocated {
            self.states.iter_mut().for_each(|state| state.reset(slot));
        } else {
            self.allocated = self.used;
            let len = self.allocated;
            self.states.iter_mut().for_each(|state| state.resize(len));
        }
        slot as u32
    }

    /// A slot with a stored state.
    fn load(&mut self, layout: &StateLayout, value: &[u8]) -> Result<u32, EngineError> {
        let slot = self.fresh();
        let mut reader = layout.reader()?;
        reader.push(value)?;
        let (columns, _) = reader.finish()?;
        layout.load(&mut self.states, &[slot], &columns);
        Ok(slot)
    }
}

/// Prefix of the sessions of a group.
pub(crate) fn session_prefix(key: &[u8]) -> Vec<u8> {
    let mut prefix = Vec::with_capacity(key.len() + 18);
    prefix.push(SESSION);
    prefix.extend_from_slice(key);
    prefix
}

fn session_key(key: &[u8], start: i64, end: i64) -> Vec<u8> {
    let mut entry = session_prefix(key);
    entry.extend_from_slice(&ordered_i64(end));
    entry.extend_from_slice(&ordered_i64(start));
    entry
}

/// Start and end of a session, from its entry's key.
pub(crate) fn session_bounds(entry: &[u8]) -> Option<(i64, i64)> {
    let (rest, start) = entry.split_last_chunk::<8>()?;
    let (_, end) = rest.split_last_chunk::<8>()?;
    Some((from_ordered_i64(*start), from_ordered_i64(*end)))
}

fn index_prefix(end: i64) -> Vec<u8> {
    let mut prefix = vec![INDEX];
    prefix.extend_from_slice(&ordered_i64(end));
    prefix
}

fn index_key(key: &[u8], start: i64, end: i64) -> Vec<u8> {
    let mut entry = index_prefix(end);
    entry.extend_from_slice(&ordered_i64(start));
    entry.extend_from_slice(key);
    entry
}

/// Start, end and group key.
fn index_parts(entry: &[u8]) -> Option<(i64, i64, &[u8])> {
    let (end, rest) = entry.get(1..)?.split_first_chunk::<8>()?;
    let (start, key) = rest.split_first_chunk::<8>()?;
    Some((from_ordered_i64(*start), from_ordered_i64(*end), key))
}

fn put(
    store: &mut dyn KvStore,
    key: &[u8],
    start: i64,
    end: i64,
    value: Option<&[u8]>,
) -> Result<(), EngineError> {
    store.put(&session_key(key, start, end), value, end)?;
    store.put(&index_key(key, start, end), value.map(|_| &[][..]), end)?;
    Ok(())
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
        let views = ColumnView::all(&group)?;
        let mut states = self
            .states
            .take()
            .unwrap_or_else(|| States::new(&self.layout));
        states.used = 0;
        let mut out: Vec<(Out, Vec<u8>)> = Vec::new();
        let mut value = Vec::new();
        for row in (0..rows).filter(|row| accepted[*row]) {
            let ts = batch.ts[row];
            self.stream_time = self.stream_time.max(ts);
            let mut key = Vec::new();
            write_key(&views, row, &mut key);
            let found = self.find(&key, ts, ctx)?;
            let start = found.iter().map(|session| session.start).fold(ts, i64::min);
            let end = found.iter().map(|session| session.end).fold(ts, i64::max);
            if end < self.closed_before() {
                ctx.out.counters.dropped += 1;
            } else {
                let slot = states.fresh();
                for session in &found {
                    let from = states.load(&self.layout, &session.value)?;
                    for state in &mut states.states {
                        state.merge(slot as usize, from as usize);
                    }
                    if (start, end) != (ts, ts) {
                        put(
                            ctx.store(spec.store)?,
                            &key,
                            session.start,
                            session.end,
                            None,
                        )?;
                        let (start, end) = (session.start, session.end);
                        let row = row as u32;
                        if self.order.is_none() {
                            let gone = Out {
                                row,
                                start,
                                end,
                                slot: from,
                                tombstone: true,
                            };
                            out.push((gone, key.clone()));
                        }
                    }
                }
                for (state, args) in states.states.iter_mut().zip(&args) {
                    state.update(&[slot], &[row as u32], args);
                }
                if let Some(message) = states.states.iter().find_map(|state| state.failure()) {
                    return Err(EngineError::Record(message));
                }
                let columns = self.layout.save(&states.states, &[slot]);
                value.clear();
                write_state(&ColumnView::all(&columns)?, 0, end, &mut value);
                put(ctx.store(spec.store)?, &key, start, end, Some(&value))?;
                self.store_time = self.store_time.max(end);
                if self.order.is_none() {
                    let row = row as u32;
                    out.push((
                        Out {
                            row,
                            start,
                            end,
                            slot,
                            tombstone: false,
                        },
                        key,
                    ));
                }
            }
            if self.order.is_some() {
                self.release(row as u32, &mut states, &mut out, ctx)?;
            }
        }
        self.expire(ctx)?;
        let emitted = self.emit(&batch, &group, &states, &out);
        self.states = Some(states);
        emitted
    }

    fn save(&self) -> String {
        let (stream, store) = (self.stream_time, self.store_time);
        save_numbers(&[Some(stream), Some(store), self.last_close])
    }

    fn restore(&mut self, saved: &str) {
        let mut numbers = saved_numbers(saved);
        let mut next = || numbers.next().flatten();
        self.stream_time = next().unwrap_or(-1);
        self.store_time = next().unwrap_or(-1);
        self.last_close = next();
    }
}

impl SessionAggregate {
    fn emit(
        &self,
        batch: &Batch,
        group: &[ArrayRef],
        states: &States,
        out: &[(Out, Vec<u8>)],
    ) -> Result<Batch, EngineError> {
        if out.is_empty() {
            return Ok(Batch::default());
        }
        let mut columns = if self.order.is_some() {
            let mut reader = KeyReader::new(&self.spec.group_types)?;
            for (_, key) in out {
                reader.read(key)?;
            }
            reader.finish()?
        } else {
            let rows: UInt32Array = out.iter().map(|(out, _)| out.row).collect();
            take_columns(group, &rows)?
        };
        columns.extend(window_columns(
            out.iter().map(|(out, _)| (out.start, out.end)),
        ));
        let slots: Vec<u32> = out.iter().map(|(out, _)| out.slot).collect();
        columns.extend(results(&states.states, &slots));
        let absent: Vec<bool> = out.iter().map(|(out, _)| out.tombstone).collect();
        Ok(Batch {
            // The session that a tombstone removes was there; an update replaces nothing.
            old: self.spec.want_old.then(|| OldRows {
                columns: columns.clone(),
                present: absent.clone(),
                ts: vec![-1; out.len()],
            }),
            columns,
            seq: out
                .iter()
                .map(|(out, _)| batch.seq[out.row as usize])
                .collect(),
            ts: out.iter().map(|(out, _)| out.end).collect(),
            absent: absent.contains(&true).then_some(absent),
            null_key: None,
            headers: None,
        })
    }
}
