//! GROUP BY without windows or with time windows, of streams and of tables.
//!
//! ```text
//!  rows ─► group columns ─► accepted rows (no null group) ─► (row, window) pairs not late
//!       ─► slots ─► runs in which no slot repeats ─► undo, add ─► old and new results
//! ```
//!
//! - Cache off: one output for each pair, in order. Cache on: a group is emitted once at the
//!   flush (spec/semantics.md §9.3).
//! - EMIT FINAL: see [`super::window_close`].
//!
//! Invariant: lateness is the running maximum over the rows that reach this operator, each row's
//! own timestamp included (§5.1).

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use weir_planner::stream::{WindowShapeMs, WindowSpec};
use weir_state::codec::ColumnView;
use weir_state::codec::key::{KeyReader, from_ordered_i64, ordered_i64};

use super::group_by::{AggregateSpec, accept, window_columns};
use super::groups::{Groups, StateLayout};
use super::held::{Held, append};
use super::window_close::WindowClose;
use super::{Context, Operator, only, save_numbers, saved_numbers};
use crate::EngineError;
use crate::batch::{Batch, Keys, OldRows, concat_columns, take_columns};

/// One application to one group.
#[derive(Clone, Copy)]
struct Action {
    row: u32,
    window: i64,
    undo: bool,
    add: bool,
}

/// See the module.
pub(crate) struct Aggregate {
    spec: Arc<AggregateSpec>,
    groups: Groups,
    stream_time: i64,
    /// Greatest window start that was updated.
    store_time: i64,
    expired_to: i64,
    close: Option<WindowClose>,
    held: Held,
    runs: Vec<u32>,
    run: u32,
}

/// What [`Aggregate`] emits, before group columns are put in front.
#[derive(Default)]
struct Emission {
    new: Vec<ArrayRef>,
    old: Vec<ArrayRef>,
    old_present: Vec<bool>,
    exists: Vec<bool>,
    ts: Vec<i64>,
}

/// The actions of one batch.
struct Work {
    actions: Vec<Action>,
    keys: Keys,
    /// For each row that reached the operator and advanced stream time: row, close time, and the
    /// least visible window start.
    closings: Vec<(u32, i64, i64)>,
}

impl Aggregate {
    pub(crate) fn new(spec: Arc<AggregateSpec>, close: Option<WindowClose>) -> Self {
        let layout = StateLayout::new(spec.functions.clone());
        let groups = Groups::new(layout, spec.store, spec.window.is_some());
        Self {
            spec,
            groups,
            stream_time: -1,
            store_time: -1,
            expired_to: 0,
            close,
            held: Held::default(),
            runs: Vec::new(),
            run: 0,
        }
    }

    /// The applications of stream rows: one for each window that is not late.
    fn stream_actions(
        &mut self,
        batch: &Batch,
        group: &[ArrayRef],
        accepted: &[bool],
        ctx: &mut Context<'_>,
    ) -> Result<Work, EngineError> {
        let views = ColumnView::all(group)?;
        let mut work = Work {
            actions: Vec::new(),
            keys: Keys::default(),
            closings: Vec::new(),
        };
        for row in (0..batch.len()).filter(|row| accepted[*row]) {
            let action = |window| Action {
                row: row as u32,
                window,
                undo: false,
                add: true,
            };
            let Some(window) = &self.spec.window else {
                work.keys.push(&[], &views, row);
                work.actions.push(action(0));
                continue;
            };
            let WindowShapeMs::Time { size, advance } = window.shape else {
                continue;
            };
            let ts = batch.ts[row];
            let advanced = ts > self.stream_time;
            self.stream_time = self.stream_time.max(ts);
            let close = self.stream_time.saturating_sub(window.grace_ms);
            let mut start = (ts - size + advance).max(0) / advance * advance;
            let mut late = true;
            while start <= ts {
                if start.saturating_add(size) > close {
                    late = false;
                    self.store_time = self.store_time.max(start);
                    work.keys.push(&ordered_i64(start), &views, row);
                    work.actions.push(action(start));
                }
                let Some(next) = start.checked_add(advance) else {
                    break;
                };
                start = next;
            }
            ctx.out.counters.dropped += u64::from(late);
            if self.close.is_some() && (advanced || ctx.options.emit_interval_ms > 0) {
                let visible = self.store_time.saturating_sub(window.retention_ms);
                work.closings.push((row as u32, close, visible));
            }
        }
        Ok(work)
    }

    /// Applies a run of actions with distinct slots.
    fn apply(
        &mut self,
        run: &[(usize, u32)],
        actions: &[Action],
        args: &[Vec<ArrayRef>],
        old_args: &[Vec<ArrayRef>],
        ts: &[i64],
    ) {
        let pick = |wanted: &dyn Fn(&Action, u32) -> bool| -> (Vec<u32>, Vec<u32>) {
            run.iter()
                .filter(|(action, slot)| wanted(&actions[*action], *slot))
                .map(|(action, slot)| (*slot, actions[*action].row))
                .unzip()
        };
        if !old_args.is_empty() || self.spec.input_is_table {
            let exists = &self.groups.exists;
            let (slots, rows) = pick(&|action, slot| action.undo && exists[slot as usize]);
            if !slots.is_empty() {
                for (state, args) in self.groups.states.iter_mut().zip(old_args) {
                    state.undo(&slots, &rows, args);
                }
            }
        }
        let (slots, rows) = pick(&|action, _| action.add);
        if !slots.is_empty() {
            for (state, args) in self.groups.states.iter_mut().zip(args) {
                state.update(&slots, &rows, args);
            }
        }
        for (action, slot) in run {
            let (action, slot) = (&actions[*action], *slot as usize);
            if action.add {
                self.groups.exists[slot] = true;
            }
            self.groups.ts[slot] = self.groups.ts[slot].max(ts[action.row as usize]);
        }
    }

    /// Fails if an aggregate met what stops the query.
    fn check(&self) -> Result<(), EngineError> {
        match self.groups.states.iter().find_map(|state| state.failure()) {
            Some(message) => Err(EngineError::Record(message)),
            None => Ok(()),
        }
    }

    /// Applies everything, emitting each update.
    fn emit_all(
        &mut self,
        slots: &[u32],
        work: &Work,
        args: &[Vec<ArrayRef>],
        old_args: &[Vec<ArrayRef>],
        ts: &[i64],
    ) -> Result<Emission, EngineError> {
        let mut emission = Emission::default();
        let mut run: Vec<(usize, u32)> = Vec::with_capacity(slots.len());
        self.runs.resize(self.groups.ts.len(), 0);
        let mut next = 0;
        while next < slots.len() {
            run.clear();
            self.run += 1;
            while let Some(slot) = slots.get(next) {
                if self.runs[*slot as usize] == self.run {
                    break;
                }
                self.runs[*slot as usize] = self.run;
                run.push((next, *slot));
                next += 1;
            }
            let run_slots: Vec<u32> = run.iter().map(|(_, slot)| *slot).collect();
            if self.spec.want_old {
                let old = self.groups.results(&run_slots);
                append(&mut emission.old, old)?;
                emission.old_present.extend(
                    run_slots.iter().map(|slot| {
                        !self.spec.input_is_table || self.groups.exists[*slot as usize]
                    }),
                );
            }
            self.apply(&run, &work.actions, args, old_args, ts);
            append(&mut emission.new, self.groups.results(&run_slots))?;
            for (_, slot) in &run {
                self.groups.touch(*slot);
                emission.exists.push(self.groups.exists[*slot as usize]);
                emission.ts.push(self.groups.ts[*slot as usize]);
            }
        }
        Ok(emission)
    }

    /// Applies everything without emitting; remembers the old results of groups that were clean.
    fn absorb(
        &mut self,
        slots: &[u32],
        work: &Work,
        args: &[Vec<ArrayRef>],
        old_args: &[Vec<ArrayRef>],
        batch: &Batch,
        hold: bool,
    ) -> Result<(), EngineError> {
        if hold {
            let mut clean = Vec::new();
            for (action, slot) in work.actions.iter().zip(slots) {
                let existed = self.groups.exists[*slot as usize];
                let headers = batch.header(action.row as usize);
                if self.held.note(*slot, headers, existed) {
                    clean.push(*slot);
                }
            }
            if self.spec.want_old && !clean.is_empty() {
                self.held.remember(self.groups.results(&clean))?;
            }
        }
        slots.iter().for_each(|slot| self.groups.touch(*slot));
        if self.spec.input_is_table {
            self.runs.resize(self.groups.ts.len(), 0);
            let mut next = 0;
            while next < slots.len() {
                let mut run = Vec::new();
                self.run += 1;
                while let Some(slot) = slots.get(next) {
                    if self.runs[*slot as usize] == self.run {
                        break;
                    }
                    self.runs[*slot as usize] = self.run;
                    run.push((next, *slot));
                    next += 1;
                }
                self.apply(&run, &work.actions, args, old_args, &batch.ts);
            }
        } else {
            let all: Vec<(usize, u32)> = slots.iter().copied().enumerate().collect();
            self.apply(&all, &work.actions, args, old_args, &batch.ts);
        }
        Ok(())
    }

    /// The bounds of windows as columns.
    fn window_columns(&self, starts: &[i64]) -> Vec<ArrayRef> {
        let Some(WindowSpec {
            shape: WindowShapeMs::Time { size, .. },
            ..
        }) = self.spec.window
        else {
            return Vec::new();
        };
        window_columns(
            starts
                .iter()
                .map(|start| (*start, start.saturating_add(size))),
        )
    }

    /// Drops what the store need not keep any more.
    fn expire(&mut self, ctx: &mut Context<'_>) -> Result<(), EngineError> {
        let Some(window) = &self.spec.window else {
            return Ok(());
        };
        let visible = self.store_time.saturating_sub(window.retention_ms);
        if visible > self.expired_to {
            let end = ordered_i64(visible);
            ctx.store(self.spec.store)?.expire_range(&[], &end)?;
            self.expired_to = visible;
        }
        Ok(())
    }
}

impl Operator for Aggregate {
    fn process(&mut self, inputs: Vec<Batch>, ctx: &mut Context<'_>) -> Result<Batch, EngineError> {
        let batch = only(inputs);
        let rows = batch.len();
        let present = batch.present();
        let (group, accepted) = accept(
            &self.spec.group,
            &batch.columns,
            present.as_deref(),
            rows,
            Some(&mut ctx.out.log),
        )?;
        let args = self
            .spec
            .args(&batch.columns, &accepted, Some(&mut ctx.out.log))?;

        let mut group_columns = group.clone();
        let mut old_args = Vec::new();
        let mut from_old: Vec<bool> = Vec::new();
        let work = if self.spec.input_is_table {
            let none = OldRows::none(batch.columns.clone(), rows);
            let old = batch.old.as_ref().unwrap_or(&none);
            let (old_group, old_accepted) = accept(
                &self.spec.group,
                &old.columns,
                Some(&old.present),
                rows,
                None,
            )?;
            old_args = self.spec.args(&old.columns, &old_accepted, None)?;
            let views = ColumnView::all(&group)?;
            let old_views = ColumnView::all(&old_group)?;
            let new_keys = Keys::of(&group, rows)?;
            let old_keys = Keys::of(&old_group, rows)?;
            let mut work = Work {
                actions: Vec::new(),
                keys: Keys::default(),
                closings: Vec::new(),
            };
            for row in 0..rows {
                let (add, undo) = (accepted[row], old_accepted[row]);
                let same = add && undo && new_keys.get(row) == old_keys.get(row);
                let action = |undo, add| Action {
                    row: row as u32,
                    window: 0,
                    undo,
                    add,
                };
                if undo && !same {
                    work.keys.push(&[], &old_views, row);
                    work.actions.push(action(true, false));
                    from_old.push(true);
                }
                if add {
                    work.keys.push(&[], &views, row);
                    work.actions.push(action(same, true));
                    from_old.push(false);
                }
            }
            group_columns = concat_columns(&group, &old_group)?;
            work
        } else {
            self.stream_actions(&batch, &group, &accepted, ctx)?
        };
        let slots = self.groups.slots(&work.keys, ctx)?;

        if self.close.is_some() {
            self.absorb(&slots, &work, &args, &old_args, &batch, false)?;
            self.check()?;
            self.groups.write(ctx)?;
            let Some(close) = &mut self.close else {
                return Ok(Batch::default());
            };
            work.actions
                .iter()
                .for_each(|action| close.opened(action.window));
            let out = close.release(&work.closings, &batch, &self.spec, ctx)?;
            self.expire(ctx)?;
            return Ok(out);
        }
        if !ctx.cache_off() {
            self.absorb(&slots, &work, &args, &old_args, &batch, true)?;
            self.check()?;
            return Ok(Batch::default());
        }

        let emission = self.emit_all(&slots, &work, &args, &old_args, &batch.ts)?;
        self.check()?;
        self.groups.write(ctx)?;
        self.groups.trim(&ctx.options.memory)?;
        let action_rows: Vec<u32> = work.actions.iter().map(|action| action.row).collect();
        let group_rows: UInt32Array = action_rows
            .iter()
            .enumerate()
            .map(|(action, row)| {
                let old = from_old.get(action).copied().unwrap_or(false);
                if old { row + rows as u32 } else { *row }
            })
            .collect();
        let starts: Vec<i64> = work.actions.iter().map(|action| action.window).collect();
        let mut columns = take_columns(&group_columns, &group_rows)?;
        columns.extend(self.window_columns(&starts));
        let old = self.spec.want_old.then(|| OldRows {
            columns: columns.iter().chain(&emission.old).cloned().collect(),
            ts: vec![-1; emission.old_present.len()],
            present: emission.old_present,
        });
        columns.extend(emission.new);
        let absent: Vec<bool> = emission.exists.iter().map(|exists| !exists).collect();
        Ok(Batch {
            columns,
            seq: action_rows
                .iter()
                .map(|row| batch.seq[*row as usize])
                .collect(),
            ts: emission.ts,
            absent: absent.contains(&true).then_some(absent),
            null_key: None,
            headers: batch.headers.as_ref().map(|headers| {
                action_rows
                    .iter()
                    .map(|row| headers[*row as usize].clone())
                    .collect()
            }),
            old,
        })
    }

    fn flush(&mut self, ctx: &mut Context<'_>) -> Result<Batch, EngineError> {
        let changes = self.held.take();
        let slots: Vec<u32> = changes.rows.iter().map(|row| row.slot).collect();
        let mut batch = Batch::default();
        if !slots.is_empty() {
            let windowed = self.spec.window.is_some();
            let mut reader = KeyReader::new(&self.spec.group_types)?;
            let mut starts = Vec::new();
            for slot in &slots {
                let mut key = self.groups.key(*slot);
                if windowed && let Some((start, rest)) = key.split_first_chunk::<8>() {
                    starts.push(from_ordered_i64(*start));
                    key = rest;
                }
                reader.read(key)?;
                batch.ts.push(self.groups.ts[*slot as usize]);
                batch.seq.push(ctx.take_seq());
            }
            batch.columns = reader.finish()?;
            batch.columns.extend(self.window_columns(&starts));
            if self.spec.want_old {
                let present: Vec<bool> = changes.rows.iter().map(|row| row.old.is_some()).collect();
                let mut columns = batch.columns.clone();
                columns.extend(match changes.old()? {
                    Some(old) => old,
                    None => self.groups.results(&slots),
                });
                batch.old = Some(OldRows {
                    columns,
                    ts: vec![-1; present.len()],
                    present,
                });
            }
            batch.columns.extend(self.groups.results(&slots));
            let absent: Vec<bool> = slots
                .iter()
                .map(|slot| !self.groups.exists[*slot as usize])
                .collect();
            batch.absent = absent.contains(&true).then_some(absent);
            if changes.rows.iter().any(|row| row.headers.is_some()) {
                batch.headers = Some(changes.rows.into_iter().map(|row| row.headers).collect());
            }
        }
        self.groups.write(ctx)?;
        self.expire(ctx)?;
        self.groups.trim(&ctx.options.memory)?;
        Ok(batch)
    }

    fn publish(&mut self, ctx: &mut Context<'_>) -> Result<(), EngineError> {
        self.groups.write(ctx)
    }

    fn held_bytes(&self) -> usize {
        self.groups.bytes_of(self.held.len())
    }

    fn stores_changed(&mut self) {
        self.groups.forget();
        if let Some(close) = &mut self.close {
            close.forget();
        }
    }

    fn save(&self) -> String {
        if self.spec.window.is_none() {
            return String::new();
        }
        let close = self.close.as_ref().and_then(WindowClose::last_close);
        save_numbers(&[Some(self.stream_time), Some(self.store_time), close])
    }

    fn restore(&mut self, saved: &str) {
        let mut numbers = saved_numbers(saved);
        let mut next = || numbers.next().flatten();
        self.stream_time = next().unwrap_or(-1);
        self.store_time = next().unwrap_or(-1);
        if let Some(close) = &mut self.close {
            close.set_last_close(next());
        }
    }
}
