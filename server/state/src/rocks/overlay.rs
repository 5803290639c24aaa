//! What a store has written and not committed, and what it has read or committed lately.
//!
//! ```text
//!   read:    dirty ──miss──► expired? ──no──► cache (young, old) ──miss──► database
//!   commit:  dirty ──► write batch, then into the cache
//! ```

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::RwLock;
use rocksdb::{BoundColumnFamily, WriteBatch};

use super::Inner;
use super::table::Table;
use crate::store::Result;

type Bytes = Box<[u8]>;

/// One store, shared between its task and those who read it.
pub(super) struct Shared {
    pub(super) database: Arc<Inner>,
    pub(super) family: String,
    pub(super) name: String,
    /// First byte of the store's keys in the family.
    pub(super) prefix: u8,
    pub(super) overlay: RwLock<Overlay>,
}

impl Shared {
    pub(super) fn new(database: Arc<Inner>, family: String, name: String, prefix: u8) -> Self {
        Self {
            database,
            family,
            name,
            prefix,
            overlay: RwLock::default(),
        }
    }

    /// What was dirty is in the database now.
    pub(super) fn committed(&self) {
        let mut overlay = self.overlay.write();
        let overlay = &mut *overlay;
        let before = overlay.cache.bytes();
        for (from, to) in overlay.expired.drain(..) {
            overlay.cache.forget_range(&from, &to);
        }
        if overlay.remembers {
            for (key, change) in overlay.dirty.iter() {
                overlay.cache.young.set(key, change.value, 0, 0);
            }
        }
        overlay.clear();
        self.settle(overlay, before);
    }

    /// Remembers what was read from the database.
    pub(super) fn remember<'a>(&self, found: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>) {
        let mut overlay = self.overlay.write();
        if !overlay.remembers {
            return;
        }
        let before = overlay.cache.bytes();
        for (key, value) in found {
            overlay.cache.young.set(key, value, 0, 0);
        }
        self.settle(&mut overlay, before);
    }

    /// Accounts for a cache that changed; ages it when all caches together are over the budget.
    fn settle(&self, overlay: &mut Overlay, before: usize) {
        let count = |old: usize, new: usize| {
            if new >= old {
                self.database.cached.fetch_add(new - old, Ordering::Relaxed);
            } else {
                self.database.cached.fetch_sub(old - new, Ordering::Relaxed);
            }
        };
        count(before, overlay.cache.bytes());
        // A store ages its cache by itself too, at a quarter of the budget.
        let limit = self.database.read_cache;
        let held = overlay.cache.bytes();
        if self.database.cached.load(Ordering::Relaxed) > limit || held > limit / 4 {
            overlay.cache.age();
            count(held, overlay.cache.bytes());
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let held = self.overlay.get_mut().cache.bytes();
        self.database.cached.fetch_sub(held, Ordering::Relaxed);
    }
}

/// See the module.
pub(super) struct Overlay {
    /// Writes since the commit; order 0: written by a restore, not for the changelog.
    dirty: Table,
    /// Keys of `dirty` in order, kept once there were more than [`SCANS`] ranges since the commit.
    index: Option<BTreeSet<Bytes>>,
    ranges: u32,
    /// Ranges removed since the commit, before the writes in `dirty`.
    expired: Vec<(Bytes, Bytes)>,
    cache: ReadCache,
    /// Whether committed values are kept for reading again.
    pub(super) remembers: bool,
    order: u64,
    /// Writes up to this order went to the changelog.
    drained: u64,
}

impl Default for Overlay {
    fn default() -> Self {
        Self {
            dirty: Table::default(),
            index: None,
            ranges: 0,
            expired: Vec::new(),
            cache: ReadCache::default(),
            remembers: true,
            order: 0,
            drained: 0,
        }
    }
}

/// So many ranges look at every change; keeping the changes in order costs more than a few looks.
const SCANS: u32 = 16;

/// What the overlay knows of a key.
pub(super) enum Found<'a> {
    /// Its value, or that it has none.
    Known(Option<&'a [u8]>),
    /// Nothing: ask the database.
    Unknown,
}

impl Overlay {
    pub(super) fn bytes(&self) -> usize {
        self.dirty.bytes()
    }

    pub(super) fn get(&self, key: &[u8]) -> Found<'_> {
        if let Some(value) = self.dirty.get(key) {
            return Found::Known(value);
        }
        if self.is_expired(key) {
            return Found::Known(None);
        }
        match self.cache.get(key) {
            Some(value) => Found::Known(value),
            None => Found::Unknown,
        }
    }

    pub(super) fn is_expired(&self, key: &[u8]) -> bool {
        self.expired
            .iter()
            .any(|(from, to)| from.as_ref() <= key && key < to.as_ref())
    }

    /// Writes a key; `logged`: the changelog is to get it.
    pub(super) fn put(&mut self, key: &[u8], value: Option<&[u8]>, timestamp: i64, logged: bool) {
        self.order += 1;
        let order = if logged { self.order } else { 0 };
        if self.dirty.set(key, value, timestamp, order)
            && let Some(index) = &mut self.index
        {
            index.insert(key.into());
        }
    }

    /// Removes `from..to`.
    pub(super) fn expire(&mut self, from: &[u8], to: &[u8]) {
        if from >= to {
            return;
        }
        let gone: Vec<Bytes> = match &self.index {
            Some(index) => index
                .range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)))
                .cloned()
                .collect(),
            None => self
                .dirty
                .iter()
                .map(|(key, _)| key)
                .filter(|key| from <= *key && *key < to)
                .map(Into::into)
                .collect(),
        };
        for key in gone {
            self.dirty.forget(&key);
            if let Some(index) = &mut self.index {
                index.remove(&key);
            }
        }
        // Expiry moves forward: the last range usually grows.
        match self.expired.last_mut() {
            Some((first, last)) if first.as_ref() <= from && from <= last.as_ref() => {
                if last.as_ref() < to {
                    *last = to.into();
                }
            }
            Some((first, last)) if from <= first.as_ref() && last.as_ref() <= to => {
                (*first, *last) = (from.into(), to.into());
            }
            _ => self.expired.push((from.into(), to.into())),
        }
    }

    /// Visits the changes since the last call, by their last write.
    pub(super) fn drain(&mut self, emit: &mut dyn FnMut(&[u8], Option<&[u8]>, i64)) {
        let mut changes: Vec<_> = self
            .dirty
            .iter()
            .filter(|(_, change)| change.order > self.drained)
            .collect();
        // Mostly in order: only keys that were written again are not.
        changes.sort_by_key(|(_, change)| change.order);
        for (key, change) in changes {
            emit(key, change.value, change.timestamp);
        }
        self.drained = self.order;
    }

    /// The greatest key written or removed since the commit.
    pub(super) fn greatest(&self) -> Option<Vec<u8>> {
        let keys = self.dirty.iter().map(|(key, _)| key);
        keys.max().map(<[u8]>::to_vec)
    }

    /// Is told of a range before it is read: keeps the keys in order from now on if there were many.
    pub(super) fn before_range(&mut self) {
        self.ranges += 1;
        if self.ranges > SCANS && self.index.is_none() {
            self.index = Some(self.dirty.iter().map(|(key, _)| key.into()).collect());
        }
    }

    pub(super) fn has_index(&self) -> bool {
        self.index.is_some()
    }

    /// The changes between two bounds, in order of keys.
    pub(super) fn changes_between<'a>(
        &'a self,
        from: Bound<&'a [u8]>,
        to: Bound<&'a [u8]>,
    ) -> Box<dyn Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + 'a> {
        if is_empty(from, to) {
            return Box::new(std::iter::empty());
        }
        match &self.index {
            Some(index) => Box::new(
                index
                    .range::<[u8], _>((from, to))
                    .filter_map(|key| Some((key.as_ref(), self.dirty.get(key)?))),
            ),
            None => {
                let mut found: Vec<_> = self
                    .dirty
                    .iter()
                    .map(|(key, change)| (key, change.value))
                    .filter(|(key, _)| within(key, from, to))
                    .collect();
                found.sort_unstable_by_key(|(key, _)| *key);
                Box::new(found.into_iter())
            }
        }
    }

    /// Puts everything dirty into a batch: removed ranges first, then writes in order of keys,
    /// which the database's own memory takes in several times faster than out of order. `added` is
    /// called after each and may take the batch away.
    pub(super) fn write_to(
        &self,
        batch: &mut WriteBatch,
        family: &Arc<BoundColumnFamily<'_>>,
        prefix: u8,
        added: &mut dyn FnMut(&mut WriteBatch) -> Result<()>,
    ) -> Result<()> {
        let mut key = vec![prefix];
        let mut end = vec![prefix];
        for (from, to) in &self.expired {
            key.truncate(1);
            key.extend_from_slice(from);
            end.truncate(1);
            end.extend_from_slice(to);
            batch.delete_range_cf(family, &key, &end);
        }
        for (name, value) in self.dirty.sorted() {
            key.truncate(1);
            key.extend_from_slice(name);
            match value {
                Some(value) => batch.put_cf(family, &key, value),
                None => batch.delete_cf(family, &key),
            }
            added(batch)?;
        }
        Ok(())
    }

    /// Forgets everything uncommitted. The cache is of committed values and stays.
    pub(super) fn discard(&mut self) {
        self.expired.clear();
        self.clear();
    }

    fn clear(&mut self) {
        self.dirty.clear();
        (self.index, self.ranges) = (None, 0);
        self.drained = self.order;
    }

    /// Keeps no committed values from now on.
    pub(super) fn stop_remembering(&mut self) {
        self.remembers = false;
    }
}

fn within(key: &[u8], from: Bound<&[u8]>, to: Bound<&[u8]>) -> bool {
    (match from {
        Bound::Included(from) => from <= key,
        Bound::Excluded(from) => from < key,
        Bound::Unbounded => true,
    }) && (match to {
        Bound::Included(to) => key <= to,
        Bound::Excluded(to) => key < to,
        Bound::Unbounded => true,
    })
}

/// Whether no key can lie between the bounds (a `BTreeSet` would panic on some of them).
fn is_empty(from: Bound<&[u8]>, to: Bound<&[u8]>) -> bool {
    match (from, to) {
        (Bound::Included(a), Bound::Included(b)) => a > b,
        (Bound::Included(a) | Bound::Excluded(a), Bound::Included(b) | Bound::Excluded(b)) => {
            a >= b
        }
        _ => false,
    }
}

/// Committed values in two generations: what is written or read is young, and ageing drops the old
/// one whole.
#[derive(Default)]
struct ReadCache {
    young: Table,
    old: Table,
}

impl ReadCache {
    fn bytes(&self) -> usize {
        self.young.bytes() + self.old.bytes()
    }

    fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    fn forget_range(&mut self, from: &[u8], to: &[u8]) {
        for table in [&mut self.young, &mut self.old] {
            let gone: Vec<Bytes> = table
                .iter()
                .map(|(key, _)| key)
                .filter(|key| from <= *key && *key < to)
                .map(Into::into)
                .collect();
            gone.iter().for_each(|key| table.forget(key));
        }
    }

    fn age(&mut self) {
        self.old = std::mem::take(&mut self.young);
    }
}
