//! The transaction coordinator's state machine. Pure: it decides and applies entries, the caller writes them and the markers.
//!
//! ```text
//!            init                enlist, offsets            end / timeout             markers written
//! (unknown) ─────► Empty ──────────────► Ongoing ──────────► Prepared(commit?) ──────────► Complete ──► Ongoing …
//!                    ▲                      │ init of the same id: aborted with a higher epoch first
//!                    └──────────────────────┘
//! ```
//! Invariants: the epoch of an id never goes back, and only its holder may act; an outcome that is prepared never changes.

use crate::journal::{Entry, OffsetEntry};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Producer ids are taken from the journal this many at a time.
const ID_BLOCK: i64 = 1000;

/// Why a producer's request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TransactionError {
    /// The transactional id is unknown or belongs to another producer id.
    #[error("the transactional id is not mapped to this producer id")]
    UnknownMapping,
    /// A newer producer has taken the transactional id over.
    #[error("a newer producer uses this transactional id")]
    Fenced,
    /// The request does not fit the state, as ending what never began.
    #[error("the transaction is not in a state for this")]
    InvalidState,
    /// The last transaction is still being completed; the client tries again.
    #[error("the last transaction is still being completed")]
    Concurrent,
    /// The timeout asked for is not positive or beyond the maximum.
    #[error("the transaction timeout is out of bounds")]
    InvalidTimeout,
}

/// Where a transactional id stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Empty,
    Ongoing,
    Prepared { commit: bool },
    Complete { committed: bool },
}

/// A transactional id and its current transaction.
#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    pub(crate) phase: Phase,
    pub(crate) timeout_ms: i32,
    /// When the transaction began or, outside one, when the id was last used; ms since the epoch.
    pub(crate) since: i64,
    pub(crate) partitions: BTreeSet<(String, i32)>,
    /// Pending offsets by group, each partition once.
    pub(crate) offsets: BTreeMap<String, Vec<OffsetEntry>>,
}

/// Who asks: the producer id and epoch in the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
}

/// All transactional ids.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    next_producer_id: i64,
    reserved: i64,
    by_id: HashMap<String, Transaction>,
}

impl Transactions {
    pub(crate) fn get(&self, id: &str) -> Option<&Transaction> {
        self.by_id.get(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Transaction)> {
        self.by_id.iter()
    }

    /// A producer id that was never given out, and the entry to write first when the reserved block is used up.
    pub(crate) fn fresh_producer_id(&self) -> (i64, Option<Entry>) {
        let id = self.next_producer_id;
        let entry = (id >= self.reserved).then(|| Entry::ProducerIds {
            next: id + ID_BLOCK,
        });
        (id, entry)
    }

    /// Counts an id from [`Self::fresh_producer_id`] as given out.
    pub(crate) fn take_producer_id(&mut self, id: i64) {
        self.next_producer_id = self.next_producer_id.max(id + 1);
    }

    /// Decides an InitProducerId of a transactional id. An open transaction must have been aborted before.
    /// `claimed` is what the producer believes itself to be (KIP-360), `None` for a new one.
    pub(crate) fn init(
        &self,
        id: &str,
        timeout_ms: i32,
        max_timeout_ms: i32,
        claimed: Option<Caller>,
        now: i64,
    ) -> Result<Vec<Entry>, TransactionError> {
        if timeout_ms <= 0 || timeout_ms > max_timeout_ms {
            return Err(TransactionError::InvalidTimeout);
        }
        let known = self.by_id.get(id);
        let mut entries = Vec::new();
        let (producer_id, epoch) = match known {
            Some(t) if matches!(t.phase, Phase::Ongoing | Phase::Prepared { .. }) => {
                return Err(TransactionError::Concurrent);
            }
            Some(t) if t.epoch < i16::MAX - 1 => (t.producer_id, t.epoch + 1),
            _ => {
                let (fresh, reserve) = self.fresh_producer_id();
                entries.extend(reserve);
                (fresh, 0)
            }
        };
        if let Some(claimed) = claimed {
            self.check_claim(id, claimed)?;
        }
        entries.push(Entry::Initialized {
            id: id.to_owned(),
            producer_id,
            epoch,
            timeout_ms,
            at: now,
        });
        Ok(entries)
    }

    /// Whether a producer that claims to be `claimed` may initialize `id` again.
    pub(crate) fn check_claim(&self, id: &str, claimed: Caller) -> Result<(), TransactionError> {
        match self.by_id.get(id) {
            Some(t) if t.producer_id == claimed.producer_id && t.epoch == claimed.epoch => Ok(()),
            Some(_) => Err(TransactionError::Fenced),
            None => Err(TransactionError::UnknownMapping),
        }
    }

    /// Whether an initialization of `id` must abort an open transaction first, and with which epoch.
    pub(crate) fn abort_before_init(&self, id: &str) -> Option<Entry> {
        let t = self.by_id.get(id)?;
        (t.phase == Phase::Ongoing).then(|| prepare_abort(id, t))
    }

    fn held(&self, id: &str, caller: Caller) -> Result<&Transaction, TransactionError> {
        let t = self.by_id.get(id).ok_or(TransactionError::UnknownMapping)?;
        if t.producer_id != caller.producer_id {
            return Err(TransactionError::UnknownMapping);
        }
        if t.epoch != caller.epoch {
            return Err(TransactionError::Fenced);
        }
        Ok(t)
    }

    fn writable(&self, id: &str, caller: Caller) -> Result<&Transaction, TransactionError> {
        let t = self.held(id, caller)?;
        match t.phase {
            Phase::Prepared { .. } => Err(TransactionError::Concurrent),
            _ => Ok(t),
        }
    }

    /// Decides an AddPartitionsToTxn; the entry is `None` when all of them are in it already.
    pub(crate) fn enlist(
        &self,
        id: &str,
        caller: Caller,
        partitions: Vec<(String, i32)>,
        now: i64,
    ) -> Result<Option<Entry>, TransactionError> {
        let t = self.writable(id, caller)?;
        let known =
            t.phase == Phase::Ongoing && partitions.iter().all(|p| t.partitions.contains(p));
        Ok((!known).then(|| Entry::Enlisted {
            id: id.to_owned(),
            partitions,
            at: now,
        }))
    }

    /// Decides an AddOffsetsToTxn: the transaction begins, if it had not, and may then commit offsets of `group`.
    pub(crate) fn add_group(
        &self,
        id: &str,
        caller: Caller,
        group: &str,
        now: i64,
    ) -> Result<Option<Entry>, TransactionError> {
        let t = self.writable(id, caller)?;
        let known = t.phase == Phase::Ongoing && t.offsets.contains_key(group);
        Ok((!known).then(|| Entry::PendingOffsets {
            id: id.to_owned(),
            group: group.to_owned(),
            offsets: Vec::new(),
            at: now,
        }))
    }

    /// Decides a TxnOffsetCommit.
    pub(crate) fn add_offsets(
        &self,
        id: &str,
        caller: Caller,
        group: &str,
        offsets: Vec<OffsetEntry>,
        now: i64,
    ) -> Result<Entry, TransactionError> {
        let t = self.writable(id, caller)?;
        if t.phase != Phase::Ongoing || !t.offsets.contains_key(group) {
            return Err(TransactionError::InvalidState);
        }
        Ok(Entry::PendingOffsets {
            id: id.to_owned(),
            group: group.to_owned(),
            offsets,
            at: now,
        })
    }

    /// Decides an EndTxn; `None` when the same outcome was reached before, as after a lost answer.
    pub(crate) fn end(
        &self,
        id: &str,
        caller: Caller,
        commit: bool,
    ) -> Result<Option<Entry>, TransactionError> {
        let t = self.held(id, caller)?;
        match t.phase {
            Phase::Ongoing => Ok(Some(Entry::Prepared {
                id: id.to_owned(),
                commit,
                epoch: t.epoch,
            })),
            Phase::Complete { committed } if committed == commit => Ok(None),
            Phase::Prepared { commit: decided } if decided == commit => {
                Err(TransactionError::Concurrent)
            }
            _ => Err(TransactionError::InvalidState),
        }
    }

    /// Aborts of the transactions that have outlived their timeout. Their producers are fenced by the higher epoch.
    pub(crate) fn timed_out(&self, now: i64) -> Vec<Entry> {
        self.by_id
            .iter()
            .filter(|(_, t)| t.phase == Phase::Ongoing && now >= deadline(t))
            .map(|(id, t)| prepare_abort(id, t))
            .collect()
    }

    /// When the next open transaction times out.
    pub(crate) fn next_timeout(&self) -> Option<i64> {
        let open = self.by_id.values().filter(|t| t.phase == Phase::Ongoing);
        open.map(deadline).min()
    }

    /// Ids of transactions whose outcome is decided but not everywhere written.
    pub(crate) fn prepared(&self) -> Vec<String> {
        self.by_id
            .iter()
            .filter(|(_, t)| matches!(t.phase, Phase::Prepared { .. }))
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// Entries that forget the ids not used since `before`.
    pub(crate) fn unused_since(&self, before: i64) -> Vec<Entry> {
        self.by_id
            .iter()
            .filter(|(_, t)| {
                matches!(t.phase, Phase::Empty | Phase::Complete { .. }) && t.since < before
            })
            .map(|(id, _)| Entry::Forgotten { id: id.clone() })
            .collect()
    }

    /// Whether an open transaction holds an offset of this partition back.
    pub(crate) fn has_pending(&self, group: &str, topic: &str, partition: i32) -> bool {
        self.by_id.values().any(|t| {
            matches!(t.phase, Phase::Ongoing | Phase::Prepared { .. })
                && t.offsets.get(group).is_some_and(|offsets| {
                    offsets
                        .iter()
                        .any(|o| o.partition == partition && o.topic == topic)
                })
        })
    }

    /// Applies an entry that is in the journal; others than those of transactions change nothing here.
    /// Returns the offsets that a completed commit makes visible, by group.
    pub(crate) fn apply(&mut self, entry: &Entry) -> BTreeMap<String, Vec<OffsetEntry>> {
        match entry {
            Entry::ProducerIds { next } => {
                self.reserved = self.reserved.max(*next);
            }
            Entry::Initialized {
                id,
                producer_id,
                epoch,
                timeout_ms,
                at,
            } => {
                self.take_producer_id(*producer_id);
                let fresh = Transaction {
                    producer_id: *producer_id,
                    epoch: *epoch,
                    phase: Phase::Empty,
                    timeout_ms: *timeout_ms,
                    since: *at,
                    partitions: BTreeSet::new(),
                    offsets: BTreeMap::new(),
                };
                self.by_id.insert(id.clone(), fresh);
            }
            Entry::Enlisted { id, partitions, at } => {
                if let Some(t) = self.begun(id, *at) {
                    t.partitions.extend(partitions.iter().cloned());
                }
            }
            Entry::PendingOffsets {
                id,
                group,
                offsets,
                at,
            } => {
                if let Some(t) = self.begun(id, *at) {
                    let pending = t.offsets.entry(group.clone()).or_default();
                    for new in offsets {
                        pending.retain(|o| (&o.topic, o.partition) != (&new.topic, new.partition));
                        pending.push(new.clone());
                    }
                }
            }
            Entry::Prepared { id, commit, epoch } => {
                if let Some(t) = self.by_id.get_mut(id) {
                    t.phase = Phase::Prepared { commit: *commit };
                    t.epoch = *epoch;
                }
            }
            Entry::Completed { id, at } => {
                if let Some(t) = self.by_id.get_mut(id) {
                    let committed = t.phase == Phase::Prepared { commit: true };
                    t.phase = Phase::Complete { committed };
                    t.since = *at;
                    t.partitions.clear();
                    let offsets = std::mem::take(&mut t.offsets);
                    if committed {
                        return offsets;
                    }
                }
            }
            Entry::Forgotten { id } => {
                self.by_id.remove(id);
            }
            Entry::TopicDeleted { name } => {
                let pending = self.by_id.values_mut().flat_map(|t| t.offsets.values_mut());
                for offsets in pending {
                    offsets.retain(|o| o.topic != *name);
                }
            }
            Entry::Topic { .. }
            | Entry::Offsets { .. }
            | Entry::OffsetsRemoved { .. }
            | Entry::GroupDeleted { .. } => {}
        }
        BTreeMap::new()
    }

    /// After the journal was replayed: ids of the reserved block may have been used.
    pub(crate) fn replayed(&mut self) {
        self.next_producer_id = self.next_producer_id.max(self.reserved);
    }

    fn begun(&mut self, id: &str, at: i64) -> Option<&mut Transaction> {
        let t = self.by_id.get_mut(id)?;
        if t.phase != Phase::Ongoing {
            t.phase = Phase::Ongoing;
            t.since = at;
            t.partitions.clear();
            t.offsets.clear();
        }
        Some(t)
    }

    /// The entries from which the present state arises.
    pub(crate) fn snapshot(&self) -> Vec<Entry> {
        let mut out = vec![Entry::ProducerIds {
            next: self.reserved,
        }];
        for (id, t) in &self.by_id {
            out.push(Entry::Initialized {
                id: id.clone(),
                producer_id: t.producer_id,
                epoch: t.epoch,
                timeout_ms: t.timeout_ms,
                at: t.since,
            });
            let open = matches!(t.phase, Phase::Ongoing | Phase::Prepared { .. });
            if open {
                out.push(Entry::Enlisted {
                    id: id.clone(),
                    partitions: t.partitions.iter().cloned().collect(),
                    at: t.since,
                });
                for (group, offsets) in &t.offsets {
                    out.push(Entry::PendingOffsets {
                        id: id.clone(),
                        group: group.clone(),
                        offsets: offsets.clone(),
                        at: t.since,
                    });
                }
            }
            let (prepared, complete) = match t.phase {
                Phase::Prepared { commit } => (Some(commit), false),
                Phase::Complete { committed } => (Some(committed), true),
                Phase::Empty | Phase::Ongoing => (None, false),
            };
            if let Some(commit) = prepared {
                out.push(Entry::Prepared {
                    id: id.clone(),
                    commit,
                    epoch: t.epoch,
                });
            }
            if complete {
                out.push(Entry::Completed {
                    id: id.clone(),
                    at: t.since,
                });
            }
        }
        out
    }
}

fn deadline(t: &Transaction) -> i64 {
    t.since.saturating_add(i64::from(t.timeout_ms))
}

fn prepare_abort(id: &str, t: &Transaction) -> Entry {
    Entry::Prepared {
        id: id.to_owned(),
        commit: false,
        epoch: t.epoch.saturating_add(1),
    }
}

#[cfg(test)]
mod tests;
