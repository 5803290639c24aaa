//! What a store has written and not committed, and what it has read or committed lately.
//!
//! ```text
//!   read:    dirty ──miss──► expired? ──no──► cache (young, old) ──miss──► database
//!   commit:  dirty ──► write batch, then into the cache
//! ```

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hashbrown::HashMap;
use parking_lot::RwLock;
use rocksdb::{BoundColumnFamily, WriteBatch};

use super::Inner;

type Bytes = Box<[u8]>;
type Map<V> = HashMap<Bytes, V, ahash::RandomState>;

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
        let before = overlay.cache.bytes();
        let dirty = std::mem::take(&mut overlay.dirty);
        overlay.reset();
        for (key, change) in dirty {
            overlay.cache.insert(key, change.value);
        }
        self.settle(&mut overlay, before);
    }

    /// Remembers what was read from the database.
    pub(super) fn remember(&self, found: impl Iterator<Item = (Bytes, Option<Bytes>)>) {
        let mut overlay = self.overlay.write();
        let before = overlay.cache.bytes();
        for (key, value) in found {
            overlay.cache.insert(key, value);
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

/// The last write to a key since the commit.
pub(super) struct Change {
    pub(super) value: Option<Bytes>,
    pub(super) timestamp: i64,
    /// Order of writes; 0: written by a restore, not for the changelog.
    order: u64,
}

/// See the module.
#[derive(Default)]
pub(super) struct Overlay {
    dirty: Map<Change>,
    /// Keys of `dirty` in order, kept once somebody asked for a range.
    index: Option<BTreeSet<Bytes>>,
    /// Ranges removed since the commit, before the writes in `dirty`.
    expired: Vec<(Bytes, Bytes)>,
    cache: ReadCache,
    bytes: usize,
    order: u64,
    /// Writes up to this order went to the changelog.
    drained: u64,
}

/// What the overlay knows of a key.
pub(super) enum Found<'a> {
    /// Its value, or that it has none.
    Known(Option<&'a [u8]>),
    /// Nothing: ask the database.
    Unknown,
}

impl Overlay {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn get(&self, key: &[u8]) -> Found<'_> {
        if let Some(change) = self.dirty.get(key) {
            return Found::Known(change.value.as_deref());
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
        let size = value.map_or(0, <[u8]>::len);
        match self.dirty.get_mut(key) {
            Some(change) => {
                let old = change.value.as_ref().map_or(0, |v| v.len());
                self.bytes = self.bytes + size - old;
                match (&mut change.value, value) {
                    (Some(held), Some(new)) if held.len() == new.len() => {
                        held.copy_from_slice(new);
                    }
                    (held, new) => *held = new.map(Into::into),
                }
                change.timestamp = timestamp;
                change.order = order;
            }
            None => {
                self.bytes += key.len() + size + OVERHEAD;
                if let Some(index) = &mut self.index {
                    index.insert(key.into());
                }
                let change = Change {
                    value: value.map(Into::into),
                    timestamp,
                    order,
                };
                self.dirty.insert(key.into(), change);
            }
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
                .keys()
                .filter(|key| from <= key.as_ref() && key.as_ref() < to)
                .cloned()
                .collect(),
        };
        for key in gone {
            if let Some(change) = self.dirty.remove(&key) {
                let size = change.value.as_ref().map_or(0, |v| v.len());
                self.bytes -= key.len() + size + OVERHEAD;
            }
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
        changes.sort_unstable_by_key(|(_, change)| change.order);
        for (key, change) in changes {
            emit(key, change.value.as_deref(), change.timestamp);
        }
        self.drained = self.order;
    }

    /// Keeps the keys in order from now on.
    pub(super) fn build_index(&mut self) {
        if self.index.is_none() {
            self.index = Some(self.dirty.keys().cloned().collect());
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
        fn parts<'a>((key, change): (&'a Bytes, &'a Change)) -> (&'a [u8], Option<&'a [u8]>) {
            (key.as_ref(), change.value.as_deref())
        }
        if is_empty(from, to) {
            return Box::new(std::iter::empty());
        }
        match &self.index {
            Some(index) => Box::new(
                index
                    .range::<[u8], _>((from, to))
                    .filter_map(|key| self.dirty.get_key_value(key))
                    .map(parts),
            ),
            None => {
                let mut found: Vec<_> = self
                    .dirty
                    .iter()
                    .map(parts)
                    .filter(|(key, _)| within(key, from, to))
                    .collect();
                found.sort_unstable_by_key(|(key, _)| *key);
                Box::new(found.into_iter())
            }
        }
    }

    /// Puts everything dirty into a batch: removed ranges first, then writes.
    pub(super) fn write_to(
        &self,
        batch: &mut WriteBatch,
        family: &Arc<BoundColumnFamily<'_>>,
        prefix: u8,
    ) {
        let mut key = vec![prefix];
        let mut end = vec![prefix];
        for (from, to) in &self.expired {
            key.truncate(1);
            key.extend_from_slice(from);
            end.truncate(1);
            end.extend_from_slice(to);
            batch.delete_range_cf(family, &key, &end);
        }
        for (name, change) in &self.dirty {
            key.truncate(1);
            key.extend_from_slice(name);
            match &change.value {
                Some(value) => batch.put_cf(family, &key, value),
                None => batch.delete_cf(family, &key),
            }
        }
    }

    /// Forgets everything uncommitted. The cache is of committed values and stays.
    pub(super) fn discard(&mut self) {
        self.dirty.clear();
        self.expired.clear();
        self.index = None;
        self.bytes = 0;
        self.drained = self.order;
    }

    fn reset(&mut self) {
        for (from, to) in std::mem::take(&mut self.expired) {
            self.cache.remove_range(&from, &to);
        }
        if let Some(index) = &mut self.index {
            index.clear();
        }
        self.bytes = 0;
        self.drained = self.order;
    }
}

/// Bookkeeping of one entry, bytes, roughly.
const OVERHEAD: usize = 64;

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

/// Committed values in two generations: what is found in the old one is young again, and ageing
/// drops the old one whole.
#[derive(Default)]
struct ReadCache {
    young: Map<Option<Bytes>>,
    old: Map<Option<Bytes>>,
    young_bytes: usize,
    old_bytes: usize,
}

impl ReadCache {
    fn bytes(&self) -> usize {
        self.young_bytes + self.old_bytes
    }

    fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        self.young
            .get(key)
            .or_else(|| self.old.get(key))
            .map(Option::as_deref)
    }

    fn insert(&mut self, key: Bytes, value: Option<Bytes>) {
        self.remove(key.borrow());
        self.young_bytes += size_of_entry(&key, value.as_deref());
        self.young.insert(key, value);
    }

    fn remove(&mut self, key: &[u8]) {
        if let Some((key, value)) = self.young.remove_entry(key) {
            self.young_bytes -= size_of_entry(&key, value.as_deref());
        }
        if let Some((key, value)) = self.old.remove_entry(key) {
            self.old_bytes -= size_of_entry(&key, value.as_deref());
        }
    }

    fn remove_range(&mut self, from: &[u8], to: &[u8]) {
        let keeps = |key: &[u8]| !(from <= key && key < to);
        self.young.retain(|key, _| keeps(key));
        self.old.retain(|key, _| keeps(key));
        let size = |map: &Map<Option<Bytes>>| {
            map.iter()
                .map(|(key, value)| size_of_entry(key, value.as_deref()))
                .sum()
        };
        self.young_bytes = size(&self.young);
        self.old_bytes = size(&self.old);
    }

    fn age(&mut self) {
        self.old = std::mem::take(&mut self.young);
        self.old_bytes = std::mem::take(&mut self.young_bytes);
    }
}

fn size_of_entry(key: &[u8], value: Option<&[u8]>) -> usize {
    key.len() + value.map_or(0, <[u8]>::len) + OVERHEAD
}
