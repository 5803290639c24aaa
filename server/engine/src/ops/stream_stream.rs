//! Stream-stream join within a window (spec/semantics.md §7).
//!
//! ```text
//!  rows of both sides by seq
//!    stream time ─► flush of pending non-matches ─► matches of the other side's window store
//!    no match ─► padded row now, or pending ─► own row into the own store
//! ```
//!
//! | Store | Key | Value |
//! |---|---|---|
//! | side | bucket of time, join key, time, counter | row |
//! | pending | time, side (right first), join key, counter | row |
//!
//! Buckets are as long as half the retention, so that expiry is one range delete. Every row is
//! written to the stores; the last ones are read from memory ([`super::join_buffer`],
//! [`super::join_pending`]), older ones from the stores.
//!
//! Invariant: a row is read only by rows with a later `seq`; a side's row is visible while it is
//! within the retention of what that side stored last.

use std::ops::{Bound, ControlFlow};

use arrow::array::{Array, ArrayRef, BinaryArray};
use weir_formats::Encoder;
use weir_planner::stream::JoinType;
use weir_state::codec::key::{from_ordered_i64, ordered_i64};
use weir_state::codec::{CodecError, ColumnView, RowReader, write_row};
use weir_types::records::EncodedColumn;

use super::join_buffer::JoinBuffer;
use super::join_pending::{Closed, Pending};
use super::join_spec::StreamStreamSpec;
use super::table_table::pick;
use super::{Context, Operator, save_numbers, saved_numbers};
use crate::EngineError;
use crate::batch::{Batch, Keys, project};
use crate::memory::Share;

/// Where a row of one side is.
#[derive(Clone, Copy)]
enum Source {
    /// In the batch of the step.
    Batch(usize),
    /// Read from a store.
    Stored(usize),
    /// Nowhere: padded.
    Nothing,
}

struct Out {
    sides: [Source; 2],
    ts: i64,
    seq: u64,
    /// Side and row whose headers go out.
    trigger: (usize, usize),
}

/// See the module.
pub(crate) struct StreamStreamJoin {
    spec: StreamStreamSpec,
    /// Encodes join keys of both sides to equal bytes.
    encoders: [Box<dyn Encoder>; 2],
    stream_time: i64,
    /// Greatest timestamp stored since the task opened, per side.
    store_time: [i64; 2],
    /// No stored timestamp is greater, whenever it was stored; per side.
    latest: [i64; 2],
    expired_to: [i64; 2],
    /// Least timestamp that may be pending (spec/semantics.md §7.4); `None`: none.
    oldest: Option<i64>,
    counter: u64,
    not_before: i64,
    /// What memory holds of both sides and of pending rows; `None`: not looked up yet.
    memory: Option<([JoinBuffer; 2], Pending)>,
    share: Share,
    /// Scratch for a stored row and its key.
    value: Vec<u8>,
    entry: Vec<u8>,
}

/// What one step works on.
struct Step<'a> {
    batches: [&'a Batch; 2],
    views: [Vec<ColumnView<'a>>; 2],
    keys: [Keys; 2],
    readers: [RowReader; 2],
    stored: [usize; 2],
    out: Vec<Out>,
}

impl StreamStreamJoin {
    pub(crate) fn new(spec: StreamStreamSpec, encoders: [Box<dyn Encoder>; 2]) -> Self {
        Self {
            spec,
            encoders,
            stream_time: -1,
            store_time: [-1; 2],
            latest: [-1; 2],
            expired_to: [i64::MIN; 2],
            oldest: None,
            counter: 0,
            not_before: i64::MIN,
            memory: None,
            share: Share::default(),
            value: Vec::new(),
            entry: Vec::new(),
        }
    }

    /// What memory holds; at first that is where the stores end.
    fn take_memory(
        &mut self,
        ctx: &mut Context<'_>,
    ) -> Result<([JoinBuffer; 2], Pending), EngineError> {
        if let Some(memory) = self.memory.take() {
            return Ok(memory);
        }
        let mut buffer = |side: usize| -> Result<JoinBuffer, EngineError> {
            let greatest = ctx.store(self.spec.stores[side])?.upper_bound()?;
            let Some(bucket) = greatest.as_deref().and_then(<[u8]>::first_chunk::<8>) else {
                return Ok(JoinBuffer::new(i64::MIN));
            };
            let next = from_ordered_i64(*bucket).saturating_add(1);
            let ends = next.saturating_mul(self.spec.bucket_ms());
            self.latest[side] = self.latest[side].max(ends);
            Ok(JoinBuffer::new(next))
        };
        let buffers = [buffer(0)?, buffer(1)?];
        Ok((buffers, Pending::load(ctx.store(self.spec.stores[2])?)?))
    }

    /// Gives memory back if it is too much: the oldest rows are read from the stores again.
    fn trim(&mut self, memory: &mut ([JoinBuffer; 2], Pending), ctx: &Context<'_>) {
        let budget = &ctx.options.memory;
        let (buffers, pending) = memory;
        let held = |buffers: &[JoinBuffer; 2], pending: &Pending| {
            buffers[0].bytes() + buffers[1].bytes() + pending.bytes()
        };
        let before = held(buffers, pending);
        if !self.share.set(before, budget) {
            return;
        }
        pending.forget_rows();
        while held(buffers, pending) > before / 2 && !buffers.iter().all(JoinBuffer::is_empty) {
            let larger = usize::from(buffers[1].bytes() > buffers[0].bytes());
            buffers[larger].forget_oldest();
        }
        self.share.set(held(buffers, pending), budget);
    }

    /// Join keys as bytes that tell where they end.
    fn keys(&mut self, side: usize, column: &ArrayRef, batch: &Batch) -> Result<Keys, EngineError> {
        let mut encoded = EncodedColumn::default();
        if let Some(encoder) = self.encoders.get_mut(side) {
            encoder
                .encode(std::slice::from_ref(column), None, &mut encoded)
                .map_err(|error| EngineError::Internal(error.to_string()))?;
        }
        let bytes: BinaryArray = (0..encoded.len()).map(|row| encoded.get(row)).collect();
        let mut parts: Vec<ArrayRef> = vec![std::sync::Arc::new(bytes)];
        parts.extend(project(&batch.columns, &self.spec.windows[side]));
        Keys::of(&parts, column.len())
    }

    fn record(
        &mut self,
        step: &mut Step<'_>,
        side: usize,
        row: usize,
        (buffers, waiting): &mut ([JoinBuffer; 2], Pending),
        ctx: &mut Context<'_>,
    ) -> Result<(), EngineError> {
        let batch = step.batches[side];
        let (ts, seq) = (batch.ts[row], batch.seq[row]);
        let on_time = ts >= self.stream_time;
        self.stream_time = self.stream_time.max(ts);
        if batch.is_absent(row) {
            ctx.out.counters.dropped += 1;
            return Ok(());
        }
        let other = 1 - side;
        let preserves = self.spec.preserves(side);
        let mut out = |sides, ts| {
            step.out.push(Out {
                sides,
                ts,
                seq,
                trigger: (side, row),
            })
        };
        let pair = |own: Source, theirs: Source| {
            if side == 0 {
                [own, theirs]
            } else {
                [theirs, own]
            }
        };
        let padded = pair(Source::Batch(row), Source::Nothing);
        let null_key = batch
            .columns
            .get(self.spec.keys[side])
            .is_none_or(|column| column.is_null(row));
        if null_key {
            if preserves {
                out(padded, ts);
            } else {
                ctx.out.counters.dropped += 1;
            }
            return Ok(());
        }
        let delays = self.spec.grace_ms.is_some() && self.spec.join_type != JoinType::Inner;
        if delays && on_time {
            self.flush_pending(step, side, row, waiting, ctx)?;
        }

        let Step {
            keys,
            readers,
            stored,
            out,
            views,
            ..
        } = step;
        let key = keys[side].get(row);
        let mut matches = Vec::new();
        let reader = &mut readers[other];
        self.matches(
            &buffers[other],
            key,
            side,
            ts,
            ctx,
            &mut |other_ts, value| {
                reader.read(value)?;
                matches.push(other_ts);
                Ok(())
            },
        )?;
        let matched = !matches.is_empty();
        for other_ts in matches {
            let theirs = Source::Stored(stored[other]);
            stored[other] += 1;
            out.push(Out {
                sides: pair(Source::Batch(row), theirs),
                ts: ts.max(other_ts),
                seq,
                trigger: (side, row),
            });
            if delays && self.spec.preserves(other) {
                waiting.remove((key, other, other_ts), ctx.store(self.spec.stores[2])?)?;
            }
        }
        self.value.clear();
        write_row(&views[side], row, &mut self.value);
        self.counter += 1;
        if !matched && preserves {
            let (_, own_after) = self.spec.reach(side);
            if !delays || ts.saturating_add(own_after) < self.stream_time {
                out.push(Out {
                    sides: padded,
                    ts,
                    seq,
                    trigger: (side, row),
                });
            } else {
                let store = ctx.store(self.spec.stores[2])?;
                waiting.add((key, side, ts), self.counter, &self.value, store)?;
                self.oldest = Some(self.oldest.map_or(ts, |oldest| oldest.min(ts)));
            }
        }
        let bucket = self.spec.bucket(ts);
        self.entry.clear();
        self.entry.extend_from_slice(&ordered_i64(bucket));
        self.entry.extend_from_slice(key);
        self.entry.extend_from_slice(&ordered_i64(ts));
        self.entry.extend_from_slice(&self.counter.to_be_bytes());
        ctx.store(self.spec.stores[side])?
            .put(&self.entry, Some(&self.value), ts)?;
        buffers[side].push(bucket, key, ts, &self.value);
        self.store_time[side] = self.store_time[side].max(ts);
        self.latest[side] = self.latest[side].max(ts);
        Ok(())
    }

    /// Visits timestamps and rows of the other side that match, in ascending time, equal times in
    /// the order they came.
    fn matches(
        &self,
        buffer: &JoinBuffer,
        key: &[u8],
        side: usize,
        ts: i64,
        ctx: &mut Context<'_>,
        visit: &mut dyn FnMut(i64, &[u8]) -> Result<(), CodecError>,
    ) -> Result<(), EngineError> {
        let other = 1 - side;
        let (before, after) = self.spec.reach(side);
        let visible = self.store_time[other].saturating_sub(self.spec.retention()) + 1;
        let low = ts.saturating_sub(before).max(0).max(visible);
        let high = ts.saturating_add(after).min(self.latest[other]);
        if low > high {
            return Ok(());
        }
        for bucket in self.spec.bucket(low)..=self.spec.bucket(high) {
            if bucket >= buffer.complete_from {
                buffer.visit(bucket, key, (low, high), visit)?;
                continue;
            }
            let mut from = ordered_i64(bucket).to_vec();
            from.extend_from_slice(key);
            let mut to = from.clone();
            from.extend_from_slice(&ordered_i64(low));
            to.extend_from_slice(&ordered_i64(high));
            to.extend_from_slice(&[0xff; 9]);
            let mut result = Ok(());
            ctx.store(self.spec.stores[other])?.range(
                Bound::Included(&from),
                Bound::Excluded(&to),
                &mut |entry, value| {
                    let times = entry
                        .len()
                        .checked_sub(16)
                        .and_then(|at| entry.get(at..at + 8));
                    if let Some(time) = times.and_then(|time| time.try_into().ok()) {
                        result = visit(from_ordered_i64(time), value);
                    }
                    Ok(match result {
                        Ok(()) => ControlFlow::Continue(()),
                        Err(_) => ControlFlow::Break(()),
                    })
                },
            )?;
            result?;
        }
        Ok(())
    }

    /// Emits pending rows whose windows have closed; a row of `side` arrived on time.
    fn flush_pending(
        &mut self,
        step: &mut Step<'_>,
        side: usize,
        row: usize,
        waiting: &mut Pending,
        ctx: &mut Context<'_>,
    ) -> Result<(), EngineError> {
        let interval = ctx.options.emit_interval_ms;
        if interval > 0 {
            if ctx.now_ms < self.not_before {
                return Ok(());
            }
            self.not_before = ctx.now_ms + interval;
        }
        let grace = self.spec.grace();
        let (_, after) = self.spec.reach(side);
        let Some(oldest) = self.oldest else {
            return Ok(());
        };
        if oldest.saturating_add(after).saturating_add(grace) >= self.stream_time {
            return Ok(());
        }
        let seq = step.batches[side].seq[row];
        let (spec, stream_time) = (&self.spec, self.stream_time);
        let is_closed = |ts: i64, own: usize| {
            let (_, own_after) = spec.reach(own);
            ts.saturating_add(own_after).saturating_add(grace) < stream_time
        };
        let (closed, oldest) = waiting.close(&is_closed, ctx.store(spec.stores[2])?)?;
        self.oldest = oldest;
        for Closed {
            ts,
            side: own,
            row: value,
        } in closed
        {
            step.readers[own].read(&value)?;
            let source = Source::Stored(step.stored[own]);
            step.stored[own] += 1;
            let sides = if own == 0 {
                [source, Source::Nothing]
            } else {
                [Source::Nothing, source]
            };
            step.out.push(Out {
                sides,
                ts,
                seq,
                trigger: (side, row),
            });
        }
        Ok(())
    }

    fn emit(&self, mut step: Step<'_>) -> Result<Batch, EngineError> {
        if step.out.is_empty() {
            return Ok(Batch::default());
        }
        let mut columns = Vec::new();
        let mut keys: Vec<ArrayRef> = Vec::new();
        for side in 0..2 {
            let stored = step.readers[side].finish()?;
            let picks: Vec<(usize, usize)> = step
                .out
                .iter()
                .map(|out| match out.sides[side] {
                    Source::Batch(row) => (0, row),
                    Source::Stored(row) => (1, row),
                    Source::Nothing => (2, 0),
                })
                .collect();
            let sources: [&[ArrayRef]; 3] = [&step.batches[side].columns, &stored, &[]];
            let side_columns = pick(&sources, &self.spec.types[side], &picks)?;
            keys.extend(side_columns.get(self.spec.keys[side]).cloned());
            columns.extend(side_columns);
        }
        if self.spec.synthetic_key
            && let [left, right] = &keys[..]
        {
            let picks: Vec<(usize, usize)> = step
                .out
                .iter()
                .enumerate()
                .map(|(row, out)| match out.sides[0] {
                    Source::Nothing => (1, row),
                    _ => (0, row),
                })
                .collect();
            columns.insert(
                0,
                arrow::compute::interleave(&[left.as_ref(), right.as_ref()], &picks)?,
            );
        }
        let headers: Vec<_> = step
            .out
            .iter()
            .map(|out| step.batches[out.trigger.0].header(out.trigger.1))
            .collect();
        Ok(Batch {
            columns,
            seq: step.out.iter().map(|out| out.seq).collect(),
            ts: step.out.iter().map(|out| out.ts).collect(),
            absent: None,
            null_key: None,
            headers: headers.iter().any(Option::is_some).then_some(headers),
            old: None,
        })
    }

    /// Drops what no row can match any more.
    fn expire(
        &mut self,
        buffers: &mut [JoinBuffer; 2],
        ctx: &mut Context<'_>,
    ) -> Result<(), EngineError> {
        for (side, buffer) in buffers.iter_mut().enumerate() {
            let visible = self.store_time[side].saturating_sub(self.spec.retention());
            let bucket = self.spec.bucket(visible);
            if self.store_time[side] >= 0 && bucket > self.expired_to[side] {
                self.expired_to[side] = bucket;
                buffer.expire(bucket);
                ctx.store(self.spec.stores[side])?
                    .expire_range(&[], &ordered_i64(bucket))?;
            }
        }
        Ok(())
    }
}

impl Operator for StreamStreamJoin {
    fn process(&mut self, inputs: Vec<Batch>, ctx: &mut Context<'_>) -> Result<Batch, EngineError> {
        let mut inputs = inputs.into_iter();
        let mut left = inputs.next().unwrap_or_default();
        let mut right = inputs.next().unwrap_or_default();
        for (batch, types) in [&mut left, &mut right].into_iter().zip(&self.spec.types) {
            if batch.is_empty() {
                batch.columns = types
                    .iter()
                    .map(|t| arrow::array::new_null_array(t, 0))
                    .collect();
            }
        }
        let key = |batch: &Batch, side: usize| {
            batch
                .columns
                .get(self.spec.keys[side])
                .cloned()
                .ok_or_else(|| EngineError::Plan("a join has no key column".into()))
        };
        let (left_key, right_key) = (key(&left, 0)?, key(&right, 1)?);
        let mut step = Step {
            keys: [
                self.keys(0, &left_key, &left)?,
                self.keys(1, &right_key, &right)?,
            ],
            views: [
                ColumnView::all(&left.columns)?,
                ColumnView::all(&right.columns)?,
            ],
            readers: [
                RowReader::new(self.spec.types[0].iter())?,
                RowReader::new(self.spec.types[1].iter())?,
            ],
            stored: [0; 2],
            out: Vec::new(),
            batches: [&left, &right],
        };
        let mut memory = self.take_memory(ctx)?;
        let mut next = [0; 2];
        while next[0] < left.len() || next[1] < right.len() {
            let side = match (left.seq.get(next[0]), right.seq.get(next[1])) {
                (Some(l), Some(r)) => usize::from(r < l),
                (Some(_), None) => 0,
                _ => 1,
            };
            self.record(&mut step, side, next[side], &mut memory, ctx)?;
            next[side] += 1;
        }
        let batch = self.emit(step)?;
        self.expire(&mut memory.0, ctx)?;
        self.trim(&mut memory, ctx);
        self.memory = Some(memory);
        Ok(batch)
    }

    fn stores_changed(&mut self) {
        self.memory = None;
        self.latest = [-1; 2];
    }

    fn save(&self) -> String {
        let [left, right] = self.store_time;
        let counter = i64::try_from(self.counter).ok();
        let times = [Some(self.stream_time), Some(left), Some(right), self.oldest];
        save_numbers(&[&[counter][..], &times].concat())
    }

    fn restore(&mut self, saved: &str) {
        let mut numbers = saved_numbers(saved);
        let mut next = || numbers.next().flatten();
        self.counter = next().map_or(0, i64::unsigned_abs);
        self.stream_time = next().unwrap_or(-1);
        self.store_time = [next().unwrap_or(-1), next().unwrap_or(-1)];
        self.oldest = next();
    }
}
