//! Sessions in memory, by group, with their states.
//!
//! ```text
//!  group key ─hash─► group ─► its sessions, the last one first ─► slot of the states
//! ```
//!
//! Invariant: of all sessions that end at [`SessionCache::complete_from`] or later, none is
//! missing; those that end before it are in the store alone. A slot is free, or one session, one
//! old version or one row to be emitted has it.

use std::collections::BTreeSet;

use hashbrown::HashTable;
use weir_functions::aggregate::GroupStates;

use crate::EngineError;
use crate::batch::Keys;
use crate::ops::groups::StateLayout;

/// No session, no slot.
pub(crate) const NONE: u32 = u32::MAX;

/// States by slot.
pub(crate) struct Slots {
    pub(crate) states: Vec<Box<dyn GroupStates>>,
    free: Vec<u32>,
    len: usize,
}

impl Slots {
    pub(crate) fn new(layout: &StateLayout) -> Self {
        Self {
            states: layout.states(),
            free: Vec::new(),
            len: 0,
        }
    }

    /// A slot with the initial state.
    pub(crate) fn fresh(&mut self) -> u32 {
        if let Some(slot) = self.free.pop() {
            let states = self.states.iter_mut();
            states.for_each(|state| state.reset(slot as usize));
            return slot;
        }
        self.len += 1;
        let len = self.len;
        self.states.iter_mut().for_each(|state| state.resize(len));
        (len - 1) as u32
    }

    /// A slot with a stored state.
    pub(crate) fn load(&mut self, layout: &StateLayout, value: &[u8]) -> Result<u32, EngineError> {
        let slot = self.fresh();
        let mut reader = layout.reader()?;
        reader.push(value)?;
        let (columns, _) = reader.finish()?;
        layout.load(&mut self.states, &[slot], &columns);
        Ok(slot)
    }

    /// Folds the state of one slot into another.
    pub(crate) fn merge(&mut self, into: u32, from: u32) {
        let states = self.states.iter_mut();
        states.for_each(|state| state.merge(into as usize, from as usize));
    }

    /// Gives a slot back.
    pub(crate) fn release(&mut self, slot: u32) {
        if slot != NONE {
            self.free.push(slot);
        }
    }

    fn bytes(&self) -> usize {
        let states: usize = self.states.iter().map(|state| state.memory()).sum();
        states + self.free.capacity() * size_of::<u32>()
    }
}

/// A session in memory.
#[derive(Clone, Copy)]
pub(crate) struct Live {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) slot: u32,
    /// Slot of the state that was written last, if it is wanted and another one now; or [`NONE`].
    pub(crate) old: u32,
    pub(crate) group: u32,
    next: u32,
    /// Whether the store had it at the last flush (an older state if it is dirty).
    pub(crate) stored: bool,
    /// Whether the store was given it since the last flush.
    pub(crate) published: bool,
    pub(crate) dirty: bool,
    /// Order of its last change.
    pub(crate) order: u64,
}

/// See the module.
pub(crate) struct SessionCache {
    pub(crate) slots: Slots,
    index: HashTable<u32>,
    hasher: ahash::RandomState,
    keys: Keys,
    /// First session of each group.
    heads: Vec<u32>,
    lives: Vec<Live>,
    free: u32,
    /// Ends, starts and sessions, for EMIT FINAL.
    by_end: Option<BTreeSet<(i64, i64, u32)>>,
    /// See the module.
    pub(crate) complete_from: i64,
}

impl SessionCache {
    /// Empty; `by_end`: keeps sessions in the order of their ends.
    pub(crate) fn new(layout: &StateLayout, by_end: bool, complete_from: i64) -> Self {
        Self {
            slots: Slots::new(layout),
            index: HashTable::new(),
            hasher: ahash::RandomState::with_seeds(1, 2, 3, 4),
            keys: Keys::default(),
            heads: Vec::new(),
            lives: Vec::new(),
            free: NONE,
            by_end: by_end.then(BTreeSet::new),
            complete_from,
        }
    }

    /// The number of a group; a new one if need be.
    pub(crate) fn group(&mut self, key: &[u8]) -> u32 {
        let hash = self.hasher.hash_one(key);
        let held = &self.keys;
        let found = self
            .index
            .find(hash, |group| held.get(*group as usize) == key);
        if let Some(group) = found {
            return *group;
        }
        let group = self.heads.len() as u32;
        self.keys.push_bytes(key);
        self.heads.push(NONE);
        let (held, hasher) = (&self.keys, &self.hasher);
        self.index.insert_unique(hash, group, |group| {
            hasher.hash_one(held.get(*group as usize))
        });
        group
    }

    /// The key bytes of a group.
    pub(crate) fn key(&self, group: u32) -> &[u8] {
        self.keys.get(group as usize)
    }

    /// Appends the sessions of a group that end at `from` or later and start at `latest` or
    /// before.
    pub(crate) fn find(&self, group: u32, from: i64, latest: i64, found: &mut Vec<u32>) {
        let mut next = self.heads[group as usize];
        while let Some(live) = self.lives.get(next as usize).filter(|l| l.end >= from) {
            if live.start <= latest {
                found.push(next);
            }
            next = live.next;
        }
    }

    /// The session of a group with exactly these bounds.
    pub(crate) fn with_bounds(&self, group: u32, start: i64, end: i64) -> Option<u32> {
        let mut next = self.heads[group as usize];
        while let Some(live) = self.lives.get(next as usize).filter(|l| l.end >= end) {
            if (live.start, live.end) == (start, end) {
                return Some(next);
            }
            next = live.next;
        }
        None
    }

    pub(crate) fn get(&self, session: u32) -> &Live {
        &self.lives[session as usize]
    }

    /// Changes a session, but not its bounds or group.
    pub(crate) fn get_mut(&mut self, session: u32) -> &mut Live {
        &mut self.lives[session as usize]
    }

    /// Adds a session that is not stored and not dirty.
    pub(crate) fn insert(&mut self, group: u32, start: i64, end: i64, slot: u32) -> u32 {
        // The last session comes first.
        let (mut before, mut next) = (NONE, self.heads[group as usize]);
        while let Some(later) = self.lives.get(next as usize).filter(|l| l.end > end) {
            (before, next) = (next, later.next);
        }
        let live = Live {
            start,
            end,
            slot,
            old: NONE,
            group,
            next,
            stored: false,
            published: false,
            dirty: false,
            order: 0,
        };
        let session = match self.lives.get(self.free as usize) {
            Some(freed) => {
                let session = self.free;
                self.free = freed.next;
                self.lives[session as usize] = live;
                session
            }
            None => {
                self.lives.push(live);
                (self.lives.len() - 1) as u32
            }
        };
        match self.lives.get_mut(before as usize) {
            Some(later) => later.next = session,
            None => self.heads[group as usize] = session,
        }
        if let Some(by_end) = &mut self.by_end {
            by_end.insert((end, start, session));
        }
        session
    }

    /// Takes a session out; its slots are the caller's.
    pub(crate) fn remove(&mut self, session: u32) -> Live {
        let live = self.lives[session as usize];
        let mut at = self.heads[live.group as usize];
        if at == session {
            self.heads[live.group as usize] = live.next;
        } else {
            while let Some(other) = self.lives.get_mut(at as usize) {
                if other.next == session {
                    other.next = live.next;
                    break;
                }
                at = other.next;
            }
        }
        if let Some(by_end) = &mut self.by_end {
            by_end.remove(&(live.end, live.start, session));
        }
        let freed = &mut self.lives[session as usize];
        (freed.next, freed.dirty, freed.group) = (self.free, false, NONE);
        self.free = session;
        live
    }

    /// Moves the bounds of a session.
    pub(crate) fn extend(&mut self, session: u32, start: i64, end: i64) {
        let live = &mut self.lives[session as usize];
        if let Some(by_end) = &mut self.by_end {
            by_end.remove(&(live.end, live.start, session));
            by_end.insert((end, start, session));
        }
        (live.start, live.end) = (start, end);
    }

    /// Sessions that end in `from..to`, by end and start; only with `by_end`.
    pub(crate) fn ended(&self, from: i64, to: i64) -> impl Iterator<Item = &Live> {
        let range = (from, i64::MIN, 0)..(to.max(from), i64::MIN, 0);
        let sessions = self
            .by_end
            .iter()
            .flat_map(move |all| all.range(range.clone()));
        sessions.map(|(_, _, session)| &self.lives[*session as usize])
    }

    /// Forgets sessions that ended before about the middle of those held. All must be clean.
    pub(crate) fn halve(&mut self, layout: &StateLayout) {
        let live = |live: &&Live| live.group != NONE;
        let mut ends: Vec<i64> = self
            .lives
            .iter()
            .filter(live)
            .map(|live| live.end)
            .collect();
        let middle = ends.len() / 2;
        let cut = match ends.get(middle) {
            Some(_) => *ends.select_nth_unstable(middle).1,
            None => return,
        };
        // Many may end at the same time as the one in the middle.
        let cut = cut.saturating_add(1).max(self.complete_from);
        let kept: Vec<Live> = self
            .lives
            .iter()
            .filter(live)
            .filter(|live| live.end >= cut)
            .copied()
            .collect();
        let slots: Vec<u32> = kept.iter().map(|live| live.slot).collect();
        let columns = layout.save(&self.slots.states, &slots);
        let mut next = Self::new(layout, self.by_end.is_some(), cut);
        let mut places = Vec::with_capacity(kept.len());
        for live in &kept {
            let group = next.group(self.key(live.group));
            let slot = next.slots.fresh();
            places.push(slot);
            let session = next.insert(group, live.start, live.end, slot);
            next.get_mut(session).stored = live.stored;
        }
        if !places.is_empty() {
            layout.load(&mut next.slots.states, &places, &columns);
        }
        *self = next;
    }

    /// Bytes taken, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.slots.bytes()
            + self.keys.bytes()
            + self.heads.capacity() * 3 * size_of::<u32>()
            + self.lives.capacity() * size_of::<Live>()
            + self.by_end.as_ref().map_or(0, |all| all.len() * 40)
    }
}
