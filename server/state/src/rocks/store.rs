//! A store of a task on RocksDB, behind [`KvStore`].

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use rocksdb::ReadOptions;

use super::overlay::{Found, Shared};
use crate::store::{KvStore, Result, StateError, Visitor};

/// Entries that a reader visits before it lets the task write: some milliseconds.
const PART: usize = 4096;

/// One store. The task's own handle writes; others read the same, uncommitted writes included.
pub struct RocksStore {
    shared: Arc<Shared>,
    owner: bool,
    /// Entries that are visited before the task may write.
    part: usize,
}

impl RocksStore {
    pub(super) fn owner(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            owner: true,
            part: usize::MAX,
        }
    }

    pub(super) fn reader(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            owner: false,
            part: PART,
        }
    }

    fn read_only(&self) -> StateError {
        StateError::Storage {
            store: self.shared.name.clone(),
            message: "this handle only reads".to_owned(),
        }
    }

    fn prefixed(&self, key: &[u8]) -> Vec<u8> {
        let mut full = Vec::with_capacity(key.len() + 1);
        full.push(self.shared.prefix);
        full.extend_from_slice(key);
        full
    }

    /// Where the keys of the next store begin; 255 stores at most.
    fn end(&self) -> Vec<u8> {
        vec![self.shared.prefix + 1]
    }

    /// Reads `keys` from the database in one go; `remember`: keeps them at hand.
    fn fetch(&self, keys: &[&[u8]], missing: &[usize], out: &mut [Option<Vec<u8>>]) -> Result<()> {
        let shared = &self.shared;
        let family = shared.database.family(&shared.family)?;
        let fail = |e: rocksdb::Error| shared.database.error(&shared.name, &e);
        let full: Vec<Vec<u8>> = missing
            .iter()
            .filter_map(|i| keys.get(*i))
            .map(|key| self.prefixed(key))
            .collect();
        let values = shared
            .database
            .db
            .batched_multi_get_cf(&family, &full, false);
        for (i, value) in missing.iter().zip(values) {
            let value = value.map_err(fail)?.map(|bytes| bytes.to_vec());
            if let Some(slot) = out.get_mut(*i) {
                *slot = value;
            }
        }
        if self.owner {
            shared.remember(
                missing
                    .iter()
                    .filter_map(|i| Some((*keys.get(*i)?, out.get(*i)?.as_deref()))),
            );
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn in_parts_of(mut self, entries: usize) -> Self {
        self.part = entries;
        self
    }

    /// Visits the entries between two bounds, up to so many (removed ones count) as a part has.
    /// Gives the last key if there may be more.
    fn visit_part(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        visit: &mut Visitor<'_>,
    ) -> Result<Option<Vec<u8>>> {
        let shared = &self.shared;
        let family = shared.database.family(&shared.family)?;
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(match from {
            Bound::Included(key) => self.prefixed(key),
            Bound::Excluded(key) => successor(self.prefixed(key)),
            Bound::Unbounded => vec![shared.prefix],
        });
        options.set_iterate_upper_bound(match to {
            Bound::Included(key) => successor(self.prefixed(key)),
            Bound::Excluded(key) => self.prefixed(key),
            Bound::Unbounded => self.end(),
        });
        let overlay = shared.overlay.read();
        let mut changes = overlay.changes_between(from, to).peekable();
        let mut stored = shared.database.db.raw_iterator_cf_opt(&family, options);
        stored.seek_to_first();
        let mut left = self.part;
        loop {
            let key = stored.key().and_then(|key| key.get(1..));
            let change = changes.peek().map(|(key, _)| *key);
            left -= 1;
            let last = if left == 0 {
                key.into_iter().chain(change).min().map(<[u8]>::to_vec)
            } else {
                None
            };
            let step = match (key, change) {
                (None, None) => break,
                (Some(key), change) if change.is_none_or(|change| key < change) => {
                    let flow = if overlay.is_expired(key) {
                        ControlFlow::Continue(())
                    } else {
                        visit(key, stored.value().unwrap_or_default())?
                    };
                    stored.next();
                    flow
                }
                (key, _) => {
                    let shadows = key.is_some() && key == change;
                    let flow = match changes.next() {
                        Some((key, Some(value))) => visit(key, value)?,
                        _ => ControlFlow::Continue(()),
                    };
                    if shadows {
                        stored.next();
                    }
                    flow
                }
            };
            if step.is_break() {
                return Ok(None);
            }
            if last.is_some() {
                return Ok(last);
            }
        }
        stored
            .status()
            .map_err(|e| shared.database.error(&shared.name, &e))?;
        Ok(None)
    }
}

impl KvStore for RocksStore {
    fn name(&self) -> &str {
        &self.shared.name
    }

    fn get_many(&self, keys: &[&[u8]], out: &mut Vec<Option<Vec<u8>>>) -> Result<()> {
        let first = out.len();
        let mut missing = Vec::new();
        {
            let overlay = self.shared.overlay.read();
            for (i, key) in keys.iter().enumerate() {
                match overlay.get(key) {
                    Found::Known(value) => out.push(value.map(<[u8]>::to_vec)),
                    Found::Unknown => {
                        out.push(None);
                        missing.push(i);
                    }
                }
            }
        }
        match out.get_mut(first..) {
            Some(slots) if !missing.is_empty() => self.fetch(keys, &missing, slots),
            _ => Ok(()),
        }
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        if let Found::Known(value) = self.shared.overlay.read().get(key) {
            return Ok(value.map(<[u8]>::to_vec));
        }
        let mut found = [None];
        self.fetch(&[key], &[0], &mut found)?;
        let [value] = found;
        Ok(value)
    }

    fn put(&mut self, key: &[u8], value: Option<&[u8]>, timestamp: i64) -> Result<()> {
        if !self.owner {
            return Err(self.read_only());
        }
        self.shared.overlay.write().put(key, value, timestamp, true);
        Ok(())
    }

    fn range(&self, from: Bound<&[u8]>, to: Bound<&[u8]>, visit: &mut Visitor<'_>) -> Result<()> {
        if self.owner && !self.shared.overlay.read().has_index() {
            self.shared.overlay.write().before_range();
        }
        // In parts, since the task cannot write while another one reads.
        let mut more = self.visit_part(from, to, visit)?;
        while let Some(last) = more {
            more = self.visit_part(Bound::Excluded(&last), to, visit)?;
        }
        Ok(())
    }

    fn upper_bound(&self) -> Result<Option<Vec<u8>>> {
        let shared = &self.shared;
        let family = shared.database.family(&shared.family)?;
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(vec![shared.prefix]);
        options.set_iterate_upper_bound(self.end());
        let mut stored = shared.database.db.raw_iterator_cf_opt(&family, options);
        stored.seek_to_last();
        let last = stored
            .key()
            .and_then(|key| key.get(1..))
            .map(<[u8]>::to_vec);
        stored
            .status()
            .map_err(|e| shared.database.error(&shared.name, &e))?;
        Ok(last.max(shared.overlay.read().greatest()))
    }

    fn expire_range(&mut self, from: &[u8], to: &[u8]) -> Result<()> {
        if !self.owner {
            return Err(self.read_only());
        }
        self.shared.overlay.write().expire(from, to);
        Ok(())
    }

    fn drain_changelog(&mut self, emit: &mut dyn FnMut(&[u8], Option<&[u8]>, i64)) -> Result<()> {
        if !self.owner {
            return Err(self.read_only());
        }
        self.shared.overlay.write().drain(emit);
        Ok(())
    }

    fn restore(&mut self, key: &[u8], value: Option<&[u8]>, timestamp: i64) -> Result<()> {
        if !self.owner {
            return Err(self.read_only());
        }
        self.shared
            .overlay
            .write()
            .put(key, value, timestamp, false);
        Ok(())
    }

    fn stop_remembering(&mut self) {
        if self.owner {
            self.shared.overlay.write().stop_remembering();
        }
    }

    fn uncommitted_bytes(&self) -> usize {
        self.shared.overlay.read().bytes()
    }
}

/// The least key after `key`.
fn successor(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}
