//! EMIT FINAL of time windows: rows are read from the store when their windows close
//! (spec/semantics.md §6).
//!
//! ```text
//!  closing (row, close, least visible start)
//!    close <= last close        ─► nothing
//!    lower <= start <= upper    ─► stored windows by start, then serialised key
//!    start < least visible      ─► lost
//! ```
//!
//! Invariant: a window is emitted at most once, and no row changes it afterwards, since it is late
//! for all that follow.

use std::collections::BTreeSet;
use std::ops::{Bound, ControlFlow};

use arrow::array::ArrayRef;
use weir_formats::Encoder;
use weir_planner::stream::WindowShapeMs;
use weir_state::codec::key::{KeyReader, from_ordered_i64, ordered_i64};
use weir_types::records::EncodedColumn;

use super::Context;
use super::group_by::{AggregateSpec, window_columns};
use super::groups::StateLayout;
use crate::EngineError;
use crate::batch::{Batch, OldRows, take_columns};

/// See the module.
pub(crate) struct WindowClose {
    layout: StateLayout,
    /// Encodes group columns for the order of rows.
    encoder: Box<dyn Encoder>,
    last_close: Option<i64>,
    /// Starts of windows that may be in the store; `None`: not known since a restart.
    open: Option<BTreeSet<i64>>,
    /// No release before this wall-clock time, ms.
    not_before: i64,
}

/// A window to be emitted.
struct Closed {
    row: u32,
    start: i64,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl WindowClose {
    pub(crate) fn new(layout: StateLayout, encoder: Box<dyn Encoder>) -> Self {
        Self {
            layout,
            encoder,
            last_close: None,
            open: None,
            not_before: i64::MIN,
        }
    }

    /// Notes that a window of that start was updated.
    pub(crate) fn opened(&mut self, start: i64) {
        if let Some(open) = &mut self.open {
            open.insert(start);
        }
    }

    pub(crate) fn forget(&mut self) {
        self.open = None;
    }

    /// Close time that was released last.
    pub(crate) fn last_close(&self) -> Option<i64> {
        self.last_close
    }

    pub(crate) fn set_last_close(&mut self, last_close: Option<i64>) {
        self.last_close = last_close;
    }

    /// Emits the windows that the closings release.
    pub(crate) fn release(
        &mut self,
        closings: &[(u32, i64, i64)],
        batch: &Batch,
        spec: &AggregateSpec,
        ctx: &mut Context<'_>,
    ) -> Result<Batch, EngineError> {
        let Some(window) = &spec.window else {
            return Ok(Batch::default());
        };
        let WindowShapeMs::Time { size, .. } = window.shape else {
            return Ok(Batch::default());
        };
        let mut closed: Vec<Closed> = Vec::new();
        for (row, close, visible) in closings {
            if ctx.options.emit_interval_ms > 0 {
                if ctx.now_ms < self.not_before {
                    continue;
                }
                self.not_before = ctx.now_ms + ctx.options.emit_interval_ms;
            }
            let upper = close.saturating_sub(size);
            if self.last_close.is_some_and(|last| *close <= last) || upper < 0 {
                continue;
            }
            let lower = self
                .last_close
                .map_or(0, |last| last.saturating_sub(size).max(0) + 1);
            self.last_close = Some(*close);
            let starts = self.starts(lower, upper, spec.store, ctx)?;
            for start in starts.into_iter().filter(|start| start >= visible) {
                let from = ordered_i64(start);
                let to = ordered_i64(start.saturating_add(1));
                ctx.store(spec.store)?.range(
                    Bound::Included(&from),
                    Bound::Excluded(&to),
                    &mut |key, value| {
                        let key = key.get(8..).unwrap_or_default().to_vec();
                        closed.push(Closed {
                            row: *row,
                            start,
                            key,
                            value: value.to_vec(),
                        });
                        Ok(ControlFlow::Continue(()))
                    },
                )?;
            }
        }
        self.emit(closed, size, batch, spec)
    }

    /// Takes the starts of windows in these bounds (both inclusive).
    fn starts(
        &mut self,
        lower: i64,
        upper: i64,
        store: usize,
        ctx: &mut Context<'_>,
    ) -> Result<Vec<i64>, EngineError> {
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                let mut found = BTreeSet::new();
                ctx.store(store)?
                    .range(Bound::Unbounded, Bound::Unbounded, &mut |key, _| {
                        if let Some(start) = key.first_chunk::<8>() {
                            found.insert(from_ordered_i64(*start));
                        }
                        Ok(ControlFlow::Continue(()))
                    })?;
                self.open.insert(found)
            }
        };
        let mut rest = open.split_off(&lower);
        let later = rest.split_off(&upper.saturating_add(1));
        // What lies below the lower bound was released or lost before.
        *open = later;
        Ok(rest.into_iter().collect())
    }

    fn emit(
        &mut self,
        mut closed: Vec<Closed>,
        size: i64,
        batch: &Batch,
        spec: &AggregateSpec,
    ) -> Result<Batch, EngineError> {
        if closed.is_empty() {
            return Ok(Batch::default());
        }
        let mut reader = KeyReader::new(&spec.group_types)?;
        for window in &closed {
            reader.read(&window.key)?;
        }
        let mut group: Vec<ArrayRef> = reader.finish()?;
        let order = self.order(&closed, &group)?;
        group = take_columns(&group, &order.iter().map(|index| Some(*index)).collect())?;
        let mut sorted: Vec<Option<Closed>> = closed.drain(..).map(Some).collect();
        let closed: Vec<Closed> = order
            .iter()
            .filter_map(|index| sorted.get_mut(*index as usize).and_then(Option::take))
            .collect();

        let (results, ts) = self
            .layout
            .results(closed.iter().map(|window| &window.value[..]))?;
        let mut columns = group;
        columns.extend(window_columns(
            closed
                .iter()
                .map(|window| (window.start, window.start.saturating_add(size))),
        ));
        columns.extend(results);
        Ok(Batch {
            old: spec
                .want_old
                .then(|| OldRows::none(columns.clone(), closed.len())),
            columns,
            seq: closed
                .iter()
                .map(|window| batch.seq[window.row as usize])
                .collect(),
            ts,
            absent: None,
            null_key: None,
            headers: batch.headers.as_ref().map(|headers| {
                closed
                    .iter()
                    .map(|window| headers[window.row as usize].clone())
                    .collect()
            }),
        })
    }

    /// Indices in the order of releases: by row, by start, by serialised key.
    fn order(&mut self, closed: &[Closed], group: &[ArrayRef]) -> Result<Vec<u32>, EngineError> {
        let mut keys = EncodedColumn::default();
        if !group.is_empty() {
            self.encoder
                .encode(group, None, &mut keys)
                .map_err(|error| EngineError::Internal(error.to_string()))?;
        }
        let mut order: Vec<u32> = (0..closed.len() as u32).collect();
        order.sort_by(|a, b| {
            let (a, b) = (*a as usize, *b as usize);
            let key = |index: usize| {
                if keys.is_empty() {
                    None
                } else {
                    keys.get(index)
                }
            };
            (closed[a].row, closed[a].start, key(a)).cmp(&(closed[b].row, closed[b].start, key(b)))
        });
        Ok(order)
    }
}
