//! What a partition knows of its producers: sequences against doubles and gaps, epochs against zombies, open transactions.
//!
//! ```text
//! coordinator: enlist ──► batches (checked here) ──► marker: close
//!                              │ first one opens the transaction
//!                              ▼
//!                     last stable offset = first offset of the oldest open transaction
//! ```
//! Invariant: a transactional batch is accepted only between `enlist` and the marker, with the enlisted epoch.

use super::log::AbortedTransaction;
use crate::records::{BatchHeader, add_sequence};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Batches per producer that are remembered to recognize a repeat; clients have at most five in flight.
const REMEMBERED: usize = 5;
/// A producer that wrote nothing for this long is forgotten (`producer.id.expiration.ms`).
const EXPIRATION_MS: i64 = 24 * 3600 * 1000;

/// Why a producer's batch is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// An earlier batch is missing.
    OutOfOrderSequence,
    /// A newer producer with the same id has taken over.
    InvalidEpoch,
    /// The partition is not part of a transaction of this producer.
    InvalidTransactionState,
}

/// What to do with an acceptable batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Append,
    /// It is already in the log, at this base offset.
    Duplicate(i64),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Written {
    first_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Producer {
    epoch: i16,
    last_time: i64,
    written: VecDeque<Written>,
    /// First offset of the open transaction.
    open_since: Option<i64>,
    /// Epoch with which the coordinator allowed transactional batches. Not stored: the coordinator enlists anew after a start.
    #[serde(skip)]
    enlisted: Option<i16>,
}

/// A producer as others see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProducerView {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
    /// Of the newest batch, -1 when none is known.
    pub(crate) last_sequence: i32,
    /// When it last wrote, ms since the epoch.
    pub(crate) last_time: i64,
    /// First offset of the open transaction.
    pub(crate) open_since: Option<i64>,
}

/// The producers of one partition.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ProducerTable {
    producers: HashMap<i64, Producer>,
    /// Open transactions by first offset.
    #[serde(skip)]
    open: BTreeMap<i64, i64>,
}

impl ProducerTable {
    /// Restores what is derived after the table was read from a checkpoint.
    pub(crate) fn index_open(&mut self) {
        self.open = self
            .producers
            .iter()
            .filter_map(|(id, p)| Some((p.open_since?, *id)))
            .collect();
    }

    /// First offset of the oldest open transaction.
    pub(crate) fn first_open(&self) -> Option<i64> {
        self.open.first_key_value().map(|(first, _)| *first)
    }

    /// The producers that have written, in no order.
    pub(crate) fn views(&self) -> impl Iterator<Item = ProducerView> + use<'_> {
        let wrote = self.producers.iter().filter(|(_, p)| p.last_time > 0);
        wrote.map(|(id, p)| ProducerView {
            id: *id,
            epoch: p.epoch,
            last_sequence: p.written.back().map_or(-1, |w| w.last_sequence),
            last_time: p.last_time,
            open_since: p.open_since,
        })
    }

    /// Whether `producer_id` has written in a transaction that has not ended.
    pub(crate) fn is_open(&self, producer_id: i64) -> bool {
        self.producers
            .get(&producer_id)
            .is_some_and(|p| p.open_since.is_some())
    }

    /// Allows transactional batches of this producer and epoch.
    pub(crate) fn enlist(&mut self, producer_id: i64, epoch: i16) {
        let p = self.producers.entry(producer_id).or_default();
        p.enlisted = Some(epoch);
    }

    /// Judges a batch of an idempotent or transactional producer.
    pub(crate) fn check(&self, batch: &BatchHeader) -> Result<Verdict, Refusal> {
        let known = self.producers.get(&batch.producer_id);
        if let Some(p) = known {
            if batch.producer_epoch < p.epoch {
                return Err(Refusal::InvalidEpoch);
            }
            if batch.producer_epoch == p.epoch {
                let last = batch.last_sequence();
                let repeat = p
                    .written
                    .iter()
                    .find(|w| w.first_sequence == batch.base_sequence && w.last_sequence == last);
                if let Some(repeat) = repeat {
                    return Ok(Verdict::Duplicate(repeat.base_offset));
                }
            }
        }
        let enlisted = known.and_then(|p| p.enlisted);
        if batch.is_transactional() {
            match enlisted {
                Some(epoch) if epoch == batch.producer_epoch => {}
                Some(epoch) if epoch > batch.producer_epoch => return Err(Refusal::InvalidEpoch),
                _ => return Err(Refusal::InvalidTransactionState),
            }
        } else if known.is_some_and(|p| p.open_since.is_some()) {
            return Err(Refusal::InvalidTransactionState);
        }
        let Some(p) = known else {
            return Ok(Verdict::Append);
        };
        let in_order = match p.written.back() {
            Some(last) if batch.producer_epoch == p.epoch => {
                batch.base_sequence == add_sequence(last.last_sequence, 1)
            }
            Some(_) => batch.base_sequence == 0,
            // Nothing is known of the sequence (a marker was the last thing seen, or it was forgotten): any may go on.
            None => true,
        };
        if in_order {
            Ok(Verdict::Append)
        } else {
            Err(Refusal::OutOfOrderSequence)
        }
    }

    /// Notes a batch that was appended at `batch.base_offset`.
    pub(crate) fn appended(&mut self, batch: &BatchHeader, now: i64) {
        let p = self.producers.entry(batch.producer_id).or_default();
        if p.epoch != batch.producer_epoch {
            p.epoch = batch.producer_epoch;
            p.written.clear();
        }
        p.last_time = now;
        p.written.push_back(Written {
            first_sequence: batch.base_sequence,
            last_sequence: batch.last_sequence(),
            base_offset: batch.base_offset,
        });
        if p.written.len() > REMEMBERED {
            p.written.pop_front();
        }
        if batch.is_transactional() && p.open_since.is_none() {
            p.open_since = Some(batch.base_offset);
            self.open.insert(batch.base_offset, batch.producer_id);
        }
    }

    /// Notes a marker at `offset`. Returns the transaction that it aborted, if it did.
    pub(crate) fn closed(
        &mut self,
        producer_id: i64,
        epoch: i16,
        commit: bool,
        offset: i64,
        now: i64,
    ) -> Option<AbortedTransaction> {
        let p = self.producers.entry(producer_id).or_default();
        p.last_time = now;
        p.enlisted = None;
        if p.epoch != epoch {
            p.epoch = epoch;
            p.written.clear();
        }
        let first_offset = p.open_since.take()?;
        self.open.remove(&first_offset);
        (!commit).then(|| AbortedTransaction {
            producer_id,
            first_offset,
            last_offset: offset,
            stable_after: self.first_open().unwrap_or(offset + 1),
        })
    }

    /// Ends an enlistment without a marker: the producer wrote nothing here. The epoch still fences older ones.
    pub(crate) fn dismiss(&mut self, producer_id: i64, epoch: i16) {
        if let Some(p) = self.producers.get_mut(&producer_id) {
            p.enlisted = None;
            if epoch > p.epoch {
                p.epoch = epoch;
                p.written.clear();
            }
        }
    }

    /// Forgets producers that have been silent for a day.
    pub(crate) fn expire(&mut self, now: i64) {
        self.producers.retain(|_, p| {
            p.open_since.is_some()
                || p.enlisted.is_some()
                || now.saturating_sub(p.last_time) < EXPIRATION_MS
        });
    }
}
