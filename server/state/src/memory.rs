//! A store in memory: for tests, for the conformance runner and for push queries, whose state
//! nobody restores.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use crate::store::{KvStore, Result, Visitor};

/// What one key was last set to since the changelog was drained.
struct Change {
    value: Option<Vec<u8>>,
    timestamp: i64,
    order: u64,
}

/// An ordered map behind [`KvStore`]; nothing outlives it.
#[derive(Default)]
pub struct MemoryStore {
    name: String,
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
    changes: BTreeMap<Vec<u8>, Change>,
    changed_bytes: usize,
    writes: u64,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Entries held.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no entry is held.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl KvStore for MemoryStore {
    fn name(&self) -> &str {
        &self.name
    }

    fn get_many(&self, keys: &[&[u8]], out: &mut Vec<Option<Vec<u8>>>) -> Result<()> {
        out.extend(keys.iter().map(|key| self.entries.get(*key).cloned()));
        Ok(())
    }

    fn put(&mut self, key: &[u8], value: Option<&[u8]>, timestamp: i64) -> Result<()> {
        match value {
            Some(value) => match self.entries.get_mut(key) {
                Some(entry) => {
                    entry.clear();
                    entry.extend_from_slice(value);
                }
                None => {
                    self.entries.insert(key.to_vec(), value.to_vec());
                }
            },
            None => {
                self.entries.remove(key);
            }
        }
        self.writes += 1;
        let change = Change {
            value: value.map(<[u8]>::to_vec),
            timestamp,
            order: self.writes,
        };
        self.changed_bytes += value.map_or(0, <[u8]>::len);
        match self.changes.get_mut(key) {
            Some(held) => {
                self.changed_bytes -= held.value.as_ref().map_or(0, Vec::len);
                *held = change;
            }
            None => {
                self.changed_bytes += key.len();
                self.changes.insert(key.to_vec(), change);
            }
        }
        Ok(())
    }

    fn range(&self, from: Bound<&[u8]>, to: Bound<&[u8]>, visit: &mut Visitor<'_>) -> Result<()> {
        let (low, high) = match (from, to) {
            (Bound::Included(l) | Bound::Excluded(l), Bound::Included(h) | Bound::Excluded(h)) => {
                (l, h)
            }
            _ => (&[][..], &[][..]),
        };
        // `BTreeMap::range` panics where the bounds cross or exclude the only key between them.
        let bounded = !matches!(from, Bound::Unbounded) && !matches!(to, Bound::Unbounded);
        if bounded
            && (low > high
                || (low == high && !matches!((from, to), (Bound::Included(_), Bound::Included(_)))))
        {
            return Ok(());
        }
        for (key, value) in self.entries.range::<[u8], _>((from, to)) {
            if let ControlFlow::Break(()) = visit(key, value)? {
                break;
            }
        }
        Ok(())
    }

    fn upper_bound(&self) -> Result<Option<Vec<u8>>> {
        Ok(self.entries.last_key_value().map(|(key, _)| key.clone()))
    }

    fn expire_range(&mut self, from: &[u8], to: &[u8]) -> Result<()> {
        if from >= to {
            return Ok(());
        }
        let bounds = (Bound::Included(from), Bound::Excluded(to));
        let keys: Vec<Vec<u8>> = self
            .entries
            .range::<[u8], _>(bounds)
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            self.entries.remove(&key);
            if let Some(change) = self.changes.remove(&key) {
                self.changed_bytes -= key.len() + change.value.map_or(0, |value| value.len());
            }
        }
        Ok(())
    }

    fn drain_changelog(&mut self, emit: &mut dyn FnMut(&[u8], Option<&[u8]>, i64)) -> Result<()> {
        let mut changes: Vec<_> = std::mem::take(&mut self.changes).into_iter().collect();
        self.changed_bytes = 0;
        changes.sort_by_key(|(_, change)| change.order);
        for (key, change) in &changes {
            emit(key, change.value.as_deref(), change.timestamp);
        }
        Ok(())
    }

    fn restore(&mut self, key: &[u8], value: Option<&[u8]>, _timestamp: i64) -> Result<()> {
        match value {
            Some(value) => {
                self.entries.insert(key.to_vec(), value.to_vec());
            }
            None => {
                self.entries.remove(key);
            }
        }
        Ok(())
    }

    fn uncommitted_bytes(&self) -> usize {
        self.changed_bytes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn keys(store: &MemoryStore, from: Bound<&[u8]>, to: Bound<&[u8]>) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        store
            .range(from, to, &mut |key, _| {
                found.push(key.to_vec());
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
        found
    }

    #[test]
    fn ranges_are_ordered_and_crossed_bounds_are_empty() {
        let mut store = MemoryStore::new("s");
        for key in [b"b", b"a", b"c"] {
            store.put(key, Some(b"v"), 0).unwrap();
        }
        assert_eq!(
            keys(&store, Bound::Included(b"a"), Bound::Excluded(b"c")),
            [b"a", b"b"]
        );
        assert_eq!(
            keys(&store, Bound::Excluded(b"a"), Bound::Unbounded),
            [b"b", b"c"]
        );
        assert!(keys(&store, Bound::Included(b"c"), Bound::Included(b"a")).is_empty());
        assert!(keys(&store, Bound::Excluded(b"a"), Bound::Excluded(b"a")).is_empty());
    }

    #[test]
    fn changelog_holds_last_values_in_order_of_last_write() {
        let mut store = MemoryStore::new("s");
        store.put(b"a", Some(b"1"), 1).unwrap();
        store.put(b"b", Some(b"2"), 2).unwrap();
        store.put(b"a", None, 3).unwrap();
        store.put(b"w", Some(b"gone"), 4).unwrap();
        store.expire_range(b"w", b"x").unwrap();
        let mut log = Vec::new();
        store
            .drain_changelog(&mut |k, v, t| log.push((k.to_vec(), v.map(<[u8]>::to_vec), t)))
            .unwrap();
        assert_eq!(
            log,
            [
                (b"b".to_vec(), Some(b"2".to_vec()), 2),
                (b"a".to_vec(), None, 3)
            ]
        );
        assert_eq!(store.uncommitted_bytes(), 0);
        assert_eq!(store.get(b"a").unwrap(), None);
    }
}
