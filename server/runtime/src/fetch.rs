//! Who reads which partition from where: one fetch for many readers.
//!
//! ```text
//!   lane 0   orders/3 at 900  ◄─ reader a (900), reader b (900)
//!   lane 1   orders/3 at 120  ◄─ reader c (120): lags, so it has a fetch of its own until it
//!                                has caught up with lane 0
//! ```
//!
//! A lane is a consumer, which can read a partition at one place only. Pure decisions: the caller
//! carries the [`Action`]s out and reports what came.
//!
//! Invariant: a reader is handed every record from its position on, once and in order; records
//! below its position are skipped.

use std::collections::{BTreeMap, HashMap};

/// A reader: a task (or a push query's) and the index of its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReaderId {
    /// Key of the task.
    pub task: u64,
    /// Index of the input.
    pub input: usize,
}

/// A topic partition, numbered by the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartitionKey(pub u32);

/// One fetch: a partition on a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FetchKey {
    /// Index of the consumer.
    pub lane: usize,
    /// Partition.
    pub partition: PartitionKey,
}

/// What the caller has to do at a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Read from an offset.
    Start(FetchKey, i64),
    /// Read no more.
    Stop(FetchKey),
    /// Keep what comes back.
    Hold(FetchKey),
    /// Let it flow again.
    Release(FetchKey),
}

#[derive(Debug)]
struct Fetch {
    /// Next record to come.
    position: i64,
    at_end: bool,
    held: bool,
    readers: Vec<ReaderId>,
}

#[derive(Debug)]
struct Reader {
    partition: PartitionKey,
    position: i64,
    fetch: Option<usize>,
    full: bool,
}

/// To whom a batch goes: the reader, and how many records at the front it has had already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// Who.
    pub reader: ReaderId,
    /// Offset below which records are to be left out.
    pub from: i64,
}

/// See the module.
#[derive(Debug)]
pub struct FetchTable {
    max_lanes: usize,
    fetches: BTreeMap<FetchKey, Fetch>,
    readers: HashMap<ReaderId, Reader>,
    dirty: bool,
}

impl FetchTable {
    /// No reader yet; at most so many consumers.
    pub fn new(max_lanes: usize) -> Self {
        Self {
            max_lanes: max_lanes.max(1),
            fetches: BTreeMap::new(),
            readers: HashMap::new(),
            dirty: false,
        }
    }

    /// A reader that starts at an offset.
    pub fn add(&mut self, id: ReaderId, partition: PartitionKey, position: i64) {
        self.remove(id);
        self.readers.insert(
            id,
            Reader {
                partition,
                position,
                fetch: None,
                full: false,
            },
        );
        self.dirty = true;
    }

    /// A reader that is gone.
    pub fn remove(&mut self, id: ReaderId) {
        self.detach(id);
        if self.readers.remove(&id).is_some() {
            self.dirty = true;
        }
    }

    /// Moves a reader to another offset.
    pub fn reset(&mut self, id: ReaderId, position: i64) {
        self.detach(id);
        if let Some(reader) = self.readers.get_mut(&id) {
            reader.position = position;
            self.dirty = true;
        }
    }

    /// Whether a reader can take more.
    pub fn set_full(&mut self, id: ReaderId, full: bool) {
        if let Some(reader) = self.readers.get_mut(&id)
            && reader.full != full
        {
            reader.full = full;
            self.dirty = true;
        }
    }

    /// Next record that a reader gets.
    pub fn position(&self, id: ReaderId) -> Option<i64> {
        self.readers.get(&id).map(|reader| reader.position)
    }

    /// Whether a reader has been given everything that is in its partition.
    pub fn is_caught_up(&self, id: ReaderId) -> bool {
        self.readers.get(&id).is_some_and(|reader| {
            reader.fetch.is_some_and(|lane| {
                let key = FetchKey {
                    lane,
                    partition: reader.partition,
                };
                self.fetches
                    .get(&key)
                    .is_some_and(|fetch| fetch.at_end && fetch.position <= reader.position)
            })
        })
    }

    /// Records `first..next` came. Who gets them is added to `to`.
    pub fn arrived(&mut self, key: FetchKey, next: i64, to: &mut Vec<Delivery>) {
        let Some(fetch) = self.fetches.get_mut(&key) else {
            return;
        };
        fetch.position = next;
        fetch.at_end = false;
        let full = |readers: &HashMap<ReaderId, Reader>, id: &ReaderId| {
            readers.get(id).is_none_or(|reader| reader.full)
        };
        let all_full = fetch.readers.iter().all(|id| full(&self.readers, id));
        // A full reader among others is left behind; where all are full, what was already on its
        // way is handed out all the same, before the fetch is held.
        let attached = fetch.readers.clone();
        for id in attached {
            if !all_full && full(&self.readers, &id) {
                self.detach(id);
                self.dirty = true;
                continue;
            }
            if let Some(reader) = self.readers.get_mut(&id)
                && reader.position < next
            {
                to.push(Delivery {
                    reader: id,
                    from: reader.position,
                });
                reader.position = next;
            }
        }
    }

    /// A fetch has reached the end of its partition. Readers there are added to `to`.
    pub fn ended(&mut self, key: FetchKey, offset: i64, to: &mut Vec<ReaderId>) {
        let Some(fetch) = self.fetches.get_mut(&key) else {
            return;
        };
        fetch.position = offset.max(fetch.position);
        fetch.at_end = true;
        for id in &fetch.readers {
            if let Some(reader) = self.readers.get_mut(id) {
                reader.position = reader.position.max(fetch.position);
                to.push(*id);
            }
        }
    }

    /// The readers of a fetch.
    pub fn readers_of(&self, key: FetchKey) -> Vec<ReaderId> {
        self.fetches
            .get(&key)
            .map(|fetch| fetch.readers.clone())
            .unwrap_or_default()
    }

    /// Forgets a fetch that failed; its readers look for another.
    pub fn lost(&mut self, key: FetchKey) {
        for id in self.readers_of(key) {
            self.detach(id);
        }
        self.fetches.remove(&key);
        self.dirty = true;
    }

    /// What is to be done at the consumers. Readers that could be attached to a fetch which is at
    /// its end already are caught up without another event: ask [`is_caught_up`].
    ///
    /// [`is_caught_up`]: Self::is_caught_up
    pub fn plan(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        if !std::mem::take(&mut self.dirty) {
            return actions;
        }
        let mut waiting: Vec<_> = self
            .readers
            .iter()
            .filter(|(_, reader)| reader.fetch.is_none() && !reader.full)
            .map(|(id, reader)| (reader.partition, reader.position, *id))
            .collect();
        waiting.sort_unstable();
        for (partition, position, id) in waiting {
            let lane = self.lane_for(partition, position, &mut actions);
            if let Some(fetch) = self.fetches.get_mut(&FetchKey { lane, partition }) {
                fetch.readers.push(id);
            }
            if let Some(reader) = self.readers.get_mut(&id) {
                reader.fetch = Some(lane);
            }
        }
        self.merge();
        let (fetches, readers) = (&mut self.fetches, &self.readers);
        fetches.retain(|key, fetch| {
            if fetch.readers.is_empty() {
                actions.push(Action::Stop(*key));
                return false;
            }
            let full = fetch
                .readers
                .iter()
                .all(|id| readers.get(id).is_some_and(|reader| reader.full));
            if full != fetch.held {
                fetch.held = full;
                actions.push(if full {
                    Action::Hold(*key)
                } else {
                    Action::Release(*key)
                });
            }
            true
        });
        actions
    }

    /// The lane on which a reader at `position` is served, started if need be.
    fn lane_for(
        &mut self,
        partition: PartitionKey,
        position: i64,
        actions: &mut Vec<Action>,
    ) -> usize {
        let lanes = 0..self.max_lanes;
        let of = |lane| FetchKey { lane, partition };
        let fitting = lanes
            .clone()
            .filter_map(|lane| Some((self.fetches.get(&of(lane))?.position, lane)))
            .filter(|(at, _)| *at <= position)
            .max();
        if let Some((_, lane)) = fitting {
            return lane;
        }
        let free = lanes
            .clone()
            .find(|lane| !self.fetches.contains_key(&of(*lane)));
        let lane = free.unwrap_or_else(|| {
            // All lanes are ahead: the one that is least so goes back, and its readers skip.
            let last = lanes
                .filter_map(|lane| Some((self.fetches.get(&of(lane))?.position, lane)))
                .min()
                .map_or(0, |(_, lane)| lane);
            actions.push(Action::Stop(of(last)));
            last
        });
        actions.push(Action::Start(of(lane), position));
        let readers = self
            .fetches
            .remove(&of(lane))
            .map(|old| old.readers)
            .unwrap_or_default();
        self.fetches.insert(
            of(lane),
            Fetch {
                position,
                at_end: false,
                held: false,
                readers,
            },
        );
        lane
    }

    /// Where a fetch has caught up with another of its partition, the one behind serves both.
    fn merge(&mut self) {
        let keys: Vec<_> = self.fetches.keys().copied().collect();
        for key in keys.iter().filter(|key| key.lane > 0) {
            let main = FetchKey {
                lane: 0,
                partition: key.partition,
            };
            let caught_up = match (self.fetches.get(key), self.fetches.get(&main)) {
                (Some(lag), Some(main)) => lag.position >= main.position,
                _ => false,
            };
            if !caught_up {
                continue;
            }
            let moved = self
                .fetches
                .get_mut(key)
                .map(|f| std::mem::take(&mut f.readers))
                .unwrap_or_default();
            for id in &moved {
                if let Some(reader) = self.readers.get_mut(id) {
                    reader.fetch = Some(0);
                }
            }
            if let Some(fetch) = self.fetches.get_mut(&main) {
                fetch.readers.extend(moved);
            }
        }
    }

    fn detach(&mut self, id: ReaderId) {
        let Some(reader) = self.readers.get_mut(&id) else {
            return;
        };
        let Some(lane) = reader.fetch.take() else {
            return;
        };
        let key = FetchKey {
            lane,
            partition: reader.partition,
        };
        if let Some(fetch) = self.fetches.get_mut(&key) {
            fetch.readers.retain(|other| *other != id);
        }
        self.dirty = true;
    }

    /// Lets the next [`plan`](Self::plan) look for fetches that have caught up.
    pub fn reconsider(&mut self) {
        self.dirty |= self.fetches.keys().any(|key| key.lane > 0);
    }
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
