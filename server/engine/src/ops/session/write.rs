//! Sessions on their way from memory to the store.
//!
//! ```text
//!  flush ─► write: all that changed; the store is then what is emitted
//!  readers wait ─► give: what changed since the last time; what is emitted at the flush stays as
//!                  it is, measured from the flush before
//! ```

use weir_state::codec::{ColumnView, write_row};
use weir_types::records::EncodedColumn;

use super::cache::{NONE, SessionCache};
use super::keys::{index_key, index_prefix, segment_prefix, session_key};
use super::{Found, SessionAggregate};
use crate::EngineError;
use crate::ops::Context;

impl SessionAggregate {
    /// The stored values of slots.
    pub(super) fn state(
        &self,
        cache: &SessionCache,
        slots: &[u32],
    ) -> Result<EncodedColumn, EngineError> {
        let columns = self.layout.save(&cache.slots.states, slots);
        let views = ColumnView::all(&columns)?;
        let mut values = EncodedColumn::default();
        for row in 0..slots.len() {
            write_row(&views, row, &mut values.data);
            values.end_row();
        }
        Ok(values)
    }

    /// Writes a session (its states, without the timestamp) or removes it.
    pub(super) fn put(
        &self,
        group: &[u8],
        session: &Found,
        states: Option<&[u8]>,
        ctx: &mut Context<'_>,
    ) -> Result<(), EngineError> {
        let (start, end) = (session.start, session.end);
        let store = ctx.store(self.spec.store)?;
        let mut key = Vec::with_capacity(group.len() + 32);
        session_key(self.segment, group, start, end, &mut key);
        let value = states.map(|states| [states, &end.to_le_bytes()].concat());
        store.put(&key, value.as_deref(), end)?;
        if self.order.is_some() {
            index_key(group, start, end, &mut key);
            store.put(&key, states.map(|_| &[][..]), end)?;
        }
        Ok(())
    }

    /// Removes from the store the sessions that are gone, and writes these.
    fn put_all(
        &mut self,
        cache: &SessionCache,
        sessions: &[u32],
        ctx: &mut Context<'_>,
    ) -> Result<(), EngineError> {
        for (group, start, end) in std::mem::take(&mut self.gone) {
            self.put(cache.key(group), &Found::new(start, end, NONE), None, ctx)?;
        }
        let slots: Vec<u32> = sessions.iter().map(|live| cache.get(*live).slot).collect();
        let values = self.state(cache, &slots)?;
        for (row, session) in sessions.iter().enumerate() {
            let live = cache.get(*session);
            let found = Found::new(live.start, live.end, live.slot);
            self.put(cache.key(live.group), &found, values.get(row), ctx)?;
        }
        Ok(())
    }

    /// Brings the store up to memory.
    pub(super) fn write(
        &mut self,
        cache: &mut SessionCache,
        ctx: &mut Context<'_>,
    ) -> Result<(), EngineError> {
        let mut dirty = std::mem::take(&mut self.dirty);
        dirty.retain(|session| std::mem::take(&mut cache.get_mut(*session).dirty));
        self.put_all(cache, &dirty, ctx)?;
        for session in dirty {
            cache.slots.release(cache.get(session).old);
            let live = cache.get_mut(session);
            (live.stored, live.published, live.old) = (true, false, NONE);
        }
        for slot in self.retired.drain(..) {
            cache.slots.release(slot);
        }
        self.expire(ctx)
    }

    /// Brings the store up to memory without a word to what emits later.
    pub(super) fn give(
        &mut self,
        cache: &mut SessionCache,
        ctx: &mut Context<'_>,
    ) -> Result<(), EngineError> {
        let changed = |session: &&u32| {
            let live = cache.get(**session);
            live.dirty && live.order > self.published
        };
        let sessions: Vec<u32> = self.dirty.iter().filter(changed).copied().collect();
        self.put_all(cache, &sessions, ctx)?;
        for session in sessions {
            cache.get_mut(session).published = true;
        }
        self.published = self.changes;
        Ok(())
    }

    /// Drops what nothing can see any more.
    pub(super) fn expire(&mut self, ctx: &mut Context<'_>) -> Result<(), EngineError> {
        let live = self.live_segment();
        if live <= self.expired_to {
            return Ok(());
        }
        self.expired_to = live;
        let store = ctx.store(self.spec.store)?;
        store.expire_range(&segment_prefix(i64::MIN), &segment_prefix(live))?;
        if self.order.is_some() {
            let end = live.saturating_mul(self.segment);
            store.expire_range(&index_prefix(i64::MIN), &index_prefix(end))?;
        }
        Ok(())
    }

    /// Gives memory back if it is too much. Everything must be written.
    pub(super) fn trim(&mut self, cache: &mut SessionCache, ctx: &Context<'_>) {
        let budget = &ctx.options.memory;
        if self.share.set(cache.bytes(), budget) {
            cache.halve(&self.layout);
            self.share.set(cache.bytes(), budget);
        }
    }
}
