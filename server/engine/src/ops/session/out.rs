//! What sessions emit: changes as rows, and with EMIT FINAL the sessions that closed.
//!
//! ```text
//!  EMIT FINAL: memory by end, store by its index ─► closed ─► by end, start, serialised key ─► out
//! ```

use std::ops::{Bound, ControlFlow};

use arrow::array::ArrayRef;
use weir_state::codec::key::KeyReader;
use weir_types::records::EncodedColumn;

use super::cache::{NONE, SessionCache};
use super::keys::{index_parts, index_prefix, session_key};
use super::{Found, Out, Row, SessionAggregate};
use crate::EngineError;
use crate::batch::{Batch, OldRows};
use crate::ops::Context;
use crate::ops::group_by::window_columns;
use crate::ops::groups::results;

impl SessionAggregate {
    /// EMIT FINAL: emits the sessions that closed, after the row `row`.
    pub(super) fn release(
        &mut self,
        cache: &mut SessionCache,
        row: u32,
        args: &[Vec<ArrayRef>],
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
        let kept_from = self.live_segment().saturating_mul(self.segment);
        let mut closed: Vec<Found> = Vec::new();
        let mut groups = Vec::new();
        if lower < cache.complete_from {
            let from = index_prefix(lower.max(kept_from));
            let to = index_prefix(close.min(cache.complete_from));
            let mut stored: Vec<(i64, i64, Vec<u8>)> = Vec::new();
            ctx.store(self.spec.store)?.range(
                Bound::Included(&from),
                Bound::Excluded(&to),
                &mut |entry, _| {
                    if let Some((start, end, key)) = index_parts(entry) {
                        stored.push((start, end, key.to_vec()));
                    }
                    Ok(ControlFlow::Continue(()))
                },
            )?;
            let mut entry = Vec::new();
            for (start, end, key) in stored {
                session_key(self.segment, &key, start, end, &mut entry);
                let Some(value) = ctx.store(self.spec.store)?.get(&entry)? else {
                    continue;
                };
                let slot = cache.slots.load(&self.layout, &value)?;
                self.retired.push(slot);
                closed.push(Found {
                    start,
                    end,
                    slot,
                    live: None,
                });
                groups.push(cache.group(&key));
            }
        }
        for live in cache.ended(lower.max(kept_from), close) {
            closed.push(Found {
                start: live.start,
                end: live.end,
                slot: live.slot,
                live: None,
            });
            groups.push(live.group);
        }
        if !closed.is_empty() {
            self.add(cache, args);
        }
        for index in self.sort(cache, &closed, &groups)? {
            let of = Row {
                index: row,
                group: groups[index],
                ts: 0,
            };
            let out = Out {
                tombstone: false,
                ..self.row_out(of, &closed[index], NONE)
            };
            self.out.push(out);
        }
        Ok(())
    }

    /// The order by end, start and serialised key.
    fn sort(
        &mut self,
        cache: &SessionCache,
        closed: &[Found],
        groups: &[u32],
    ) -> Result<Vec<usize>, EngineError> {
        let mut order: Vec<usize> = (0..closed.len()).collect();
        let Some(encoder) = self.order.as_mut().filter(|_| closed.len() > 1) else {
            return Ok(order);
        };
        let mut reader = KeyReader::new(&self.spec.group_types)?;
        for group in groups {
            reader.read(cache.key(*group))?;
        }
        let mut encoded = EncodedColumn::default();
        encoder
            .encode(&reader.finish()?, None, &mut encoded)
            .map_err(|error| EngineError::Internal(error.to_string()))?;
        let key = |index: usize| {
            let session = &closed[index];
            (session.end, session.start, encoded.get(index))
        };
        order.sort_by(|a, b| key(*a).cmp(&key(*b)));
        Ok(order)
    }

    /// The rows of `out`, without their `seq`.
    pub(super) fn emit(&self, cache: &SessionCache, out: &[Out]) -> Result<Batch, EngineError> {
        let mut reader = KeyReader::new(&self.spec.group_types)?;
        for out in out {
            reader.read(cache.key(out.group))?;
        }
        let mut columns = reader.finish()?;
        columns.extend(window_columns(out.iter().map(|out| (out.start, out.end))));
        let old = if self.spec.want_old {
            let slots: Vec<u32> = out
                .iter()
                .map(|out| if out.old == NONE { out.slot } else { out.old })
                .collect();
            let mut old = columns.clone();
            old.extend(results(&cache.slots.states, &slots));
            Some(OldRows {
                columns: old,
                present: out.iter().map(|out| out.old != NONE).collect(),
                ts: vec![-1; out.len()],
            })
        } else {
            None
        };
        let slots: Vec<u32> = out.iter().map(|out| out.slot).collect();
        columns.extend(results(&cache.slots.states, &slots));
        let absent: Vec<bool> = out.iter().map(|out| out.tombstone).collect();
        Ok(Batch {
            columns,
            seq: Vec::new(),
            ts: out.iter().map(|out| out.end).collect(),
            absent: absent.contains(&true).then_some(absent),
            null_key: None,
            headers: None,
            old,
        })
    }
}
