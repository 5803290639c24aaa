//! Key to newest offset, for compaction: 24 bytes a key however long the keys are, and never more than a fixed number of them.

use ahash::RandomState;

/// Slots at most: 4 Mi × 24 bytes = 96 MiB. The map counts as full before it would grow beyond, so that the batch which
/// fills it still fits.
const MAX_SLOTS: usize = 1 << 22;
const FIRST_SLOTS: usize = 1 << 10;

#[derive(Clone, Copy)]
struct Slot {
    hash: [u64; 2],
    /// -1: free.
    offset: i64,
}

const FREE: Slot = Slot {
    hash: [0; 2],
    offset: -1,
};

/// Open addressing on 128-bit hashes under random seeds: that two keys of one log share a hash is beyond expectation
/// (10^9 keys: 10^-21), so keys are not stored.
pub(crate) struct OffsetMap {
    seeds: [RandomState; 2],
    slots: Vec<Slot>,
    used: usize,
    max_used: usize,
}

impl OffsetMap {
    pub(crate) fn new() -> Self {
        Self::with_limit(MAX_SLOTS / 8 * 5)
    }

    /// A map that says it is full at `max_used` keys.
    pub(crate) fn with_limit(max_used: usize) -> Self {
        Self {
            seeds: [RandomState::new(), RandomState::new()],
            slots: vec![FREE; FIRST_SLOTS],
            used: 0,
            max_used,
        }
    }

    /// Whether the caller should stop adding keys. More still fit: a batch is always added whole.
    pub(crate) fn is_full(&self) -> bool {
        self.used >= self.max_used
    }

    /// Notes that `key` was last seen at `offset`; offsets only grow.
    pub(crate) fn insert(&mut self, key: &[u8], offset: i64) {
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        let hash = self.hash(key);
        if self.place(Slot { hash, offset }) {
            self.used += 1;
        }
    }

    /// Offset at which `key` was last seen.
    pub(crate) fn get(&self, key: &[u8]) -> Option<i64> {
        let hash = self.hash(key);
        let at = self.find(hash)?;
        self.slots
            .get(at)
            .filter(|slot| slot.offset >= 0)
            .map(|slot| slot.offset)
    }

    fn hash(&self, key: &[u8]) -> [u64; 2] {
        let [a, b] = &self.seeds;
        [a.hash_one(key), b.hash_one(key)]
    }

    /// The slot that holds `hash`, or the free one where it belongs.
    fn find(&self, hash: [u64; 2]) -> Option<usize> {
        let mask = self.slots.len() - 1;
        let start = hash.first().copied().unwrap_or(0) as usize & mask;
        (0..self.slots.len())
            .map(|step| (start + step) & mask)
            .find(|at| {
                self.slots
                    .get(*at)
                    .is_some_and(|slot| slot.offset < 0 || slot.hash == hash)
            })
    }

    fn place(&mut self, new: Slot) -> bool {
        let Some(slot) = self.find(new.hash).and_then(|at| self.slots.get_mut(at)) else {
            return false;
        };
        let fresh = slot.offset < 0;
        *slot = new;
        fresh
    }

    fn grow(&mut self) {
        let double = self.slots.len() * 2;
        let old = std::mem::replace(&mut self.slots, vec![FREE; double]);
        for slot in old.into_iter().filter(|slot| slot.offset >= 0) {
            self.place(slot);
        }
    }
}
