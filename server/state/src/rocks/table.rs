//! Entries by key, in one arena: no allocation per entry.
//!
//! ```text
//!  index (hash of key) ─► entry { place in the arena, timestamp, order } ─► key · value
//! ```
//!
//! Invariant: a key has one live entry at most; a value that is replaced by a longer one leaves
//! its bytes behind until the table is cleared, and they count in [`Table::bytes`].

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;

/// Where a key and what it was last set to are.
struct Entry {
    key_at: usize,
    value_at: usize,
    key_len: u32,
    value_len: u32,
    timestamp: i64,
    order: u64,
}

/// What an entry tells besides its key.
pub(super) struct Change<'a> {
    /// `None`: the key was removed.
    pub(super) value: Option<&'a [u8]>,
    pub(super) timestamp: i64,
    /// What the writer gave.
    pub(super) order: u64,
}

/// Marks an entry whose key was removed.
const REMOVED: u32 = u32::MAX;
/// Marks an entry that was taken out of the table.
const DEAD: u32 = u32::MAX - 1;

/// See the module.
#[derive(Default)]
pub(super) struct Table {
    data: Vec<u8>,
    entries: Vec<Entry>,
    index: HashTable<u32>,
    hasher: ahash::RandomState,
}

impl Table {
    /// Bytes taken, bookkeeping included.
    pub(super) fn bytes(&self) -> usize {
        self.data.len() + self.entries.len() * (size_of::<Entry>() + INDEX_BYTES)
    }

    /// Sets a key (`None`: it is known to be gone). Whether it was not in the table.
    pub(super) fn set(
        &mut self,
        key: &[u8],
        value: Option<&[u8]>,
        timestamp: i64,
        order: u64,
    ) -> bool {
        let value_len = value.map_or(REMOVED, |value| value.len() as u32);
        let hash = self.hasher.hash_one(key);
        let (data, entries, hasher) = (&mut self.data, &mut self.entries, &self.hasher);
        let slot = self.index.entry(
            hash,
            |i| key_of(data, &entries[*i as usize]) == key,
            |i| hasher.hash_one(key_of(data, &entries[*i as usize])),
        );
        match slot {
            Slot::Occupied(slot) => {
                let entry = &mut entries[*slot.get() as usize];
                if let Some(value) = value {
                    let fits = entry.value_len != REMOVED && entry.value_len >= value_len;
                    if !fits {
                        entry.value_at = data.len();
                        data.extend_from_slice(value);
                    } else if let Some(place) = data.get_mut(entry.value_at..) {
                        place[..value.len()].copy_from_slice(value);
                    }
                }
                entry.value_len = value_len;
                entry.timestamp = timestamp;
                entry.order = order;
                false
            }
            Slot::Vacant(slot) => {
                slot.insert(entries.len() as u32);
                let key_at = data.len();
                data.extend_from_slice(key);
                let value_at = data.len();
                data.extend_from_slice(value.unwrap_or_default());
                entries.push(Entry {
                    key_at,
                    value_at,
                    key_len: key.len() as u32,
                    value_len,
                    timestamp,
                    order,
                });
                true
            }
        }
    }

    /// What a key was last set to; `None`: the table does not know it.
    pub(super) fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        let hash = self.hasher.hash_one(key);
        let found = self
            .index
            .find(hash, |i| self.key(&self.entries[*i as usize]) == key)?;
        Some(self.value(&self.entries[*found as usize]))
    }

    /// Takes a key out of the table.
    pub(super) fn forget(&mut self, key: &[u8]) {
        let hash = self.hasher.hash_one(key);
        let (data, entries) = (&self.data, &self.entries);
        let found = self
            .index
            .find_entry(hash, |i| key_of(data, &entries[*i as usize]) == key);
        if let Ok(found) = found {
            let (index, _) = found.remove();
            self.entries[index as usize].value_len = DEAD;
        }
    }

    /// All entries, in the order in which their keys came.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], Change<'_>)> {
        let live = self.entries.iter().filter(|entry| entry.value_len != DEAD);
        live.map(|entry| {
            let change = Change {
                value: self.value(entry),
                timestamp: entry.timestamp,
                order: entry.order,
            };
            (self.key(entry), change)
        })
    }

    /// Keys and values in order of keys.
    pub(super) fn sorted(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let live = || {
            let entries = self.entries.iter().enumerate();
            entries.filter(|(_, entry)| entry.value_len != DEAD)
        };
        // Most comparisons are of the bytes behind what all keys begin with, next to each other.
        let first = live().next().map_or(&[][..], |(_, entry)| self.key(entry));
        let shared = live().fold(first.len(), |shared, (_, entry)| {
            let both = first[..shared].iter().zip(self.key(entry));
            both.take_while(|(a, b)| a == b).count()
        });
        let mut order: Vec<([u64; 2], u32)> = live()
            .map(|(i, entry)| (head(&self.key(entry)[shared..]), i as u32))
            .collect();
        order.sort_unstable_by(|(a, i), (b, j)| {
            let key = |i: &u32| self.key(&self.entries[*i as usize]);
            a.cmp(b).then_with(|| key(i).cmp(key(j)))
        });
        order.into_iter().map(|(_, i)| {
            let entry = &self.entries[i as usize];
            (self.key(entry), self.value(entry))
        })
    }

    /// Forgets everything; memory is kept only if it is little.
    pub(super) fn clear(&mut self) {
        if self.data.capacity() > KEPT_BYTES {
            *self = Self::default();
        } else {
            self.data.clear();
            self.entries.clear();
            self.index.clear();
        }
    }

    fn key(&self, entry: &Entry) -> &[u8] {
        key_of(&self.data, entry)
    }

    fn value(&self, entry: &Entry) -> Option<&[u8]> {
        let end = entry.value_at + entry.value_len as usize;
        (entry.value_len < DEAD).then(|| &self.data[entry.value_at..end])
    }
}

/// Bytes of an entry in the hash index, about.
const INDEX_BYTES: usize = 8;

/// Memory that a cleared table may keep, bytes.
const KEPT_BYTES: usize = 1 << 20;

/// The first 16 bytes as numbers of the same order; what is missing counts as zero.
fn head(key: &[u8]) -> [u64; 2] {
    let mut bytes = [0; 16];
    let len = key.len().min(16);
    bytes[..len].copy_from_slice(&key[..len]);
    let both = u128::from_be_bytes(bytes);
    [(both >> 64) as u64, both as u64]
}

fn key_of<'a>(data: &'a [u8], entry: &Entry) -> &'a [u8] {
    &data[entry.key_at..entry.key_at + entry.key_len as usize]
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn values_are_replaced_in_place_where_they_fit() {
        let mut table = Table::default();
        assert!(table.set(b"k", Some(b"long"), 1, 1));
        assert!(table.set(b"j", None, 2, 2));
        let bytes = table.bytes();
        assert!(!table.set(b"k", Some(b"ab"), 3, 3));
        assert_eq!(table.bytes(), bytes);
        assert_eq!(table.get(b"k"), Some(Some(&b"ab"[..])));
        assert!(!table.set(b"k", Some(b"longer"), 4, 4));
        assert_eq!(table.get(b"k"), Some(Some(&b"longer"[..])));
        assert!(!table.set(b"k", None, 5, 5));
        assert!(!table.set(b"k", Some(b"again"), 6, 6));
        assert_eq!(table.get(b"k"), Some(Some(&b"again"[..])));
        assert_eq!(table.get(b"j"), Some(None));
        assert_eq!(table.get(b"i"), None);
        let keys: Vec<_> = table.sorted().map(|(key, _)| key).collect();
        assert_eq!(keys, [b"j", b"k"]);
        table.forget(b"k");
        assert_eq!(table.get(b"k"), None);
        assert!(table.set(b"k", Some(b"new"), 7, 7));
        let orders: Vec<_> = table.iter().map(|(_, change)| change.order).collect();
        assert_eq!(orders, [2, 7]);
    }

    #[test]
    fn keys_are_sorted_as_bytes() {
        let mut all: Vec<Vec<u8>> = vec![b"shared".to_vec()];
        for tail in [&b""[..], b"\0", b"\0\0", b"a", b"\xff", b"0123456789abcdef"] {
            all.push([b"shared prefix ", tail].concat());
            all.push([b"shared prefix ", tail, b"0123456789abcdef1"].concat());
            all.push([b"shared prefix ", tail, b"0123456789abcdef0"].concat());
        }
        for shared in [0, 1] {
            let mut table = Table::default();
            let mut expected = all[shared..].to_vec();
            expected.iter().for_each(|key| {
                table.set(key, Some(key), 0, 0);
            });
            table.set(b"other", None, 0, 0);
            table.forget(b"other");
            expected.sort();
            let sorted: Vec<_> = table.sorted().map(|(key, _)| key.to_vec()).collect();
            assert_eq!(sorted, expected);
        }
        assert_eq!(Table::default().sorted().count(), 0);
    }
}
