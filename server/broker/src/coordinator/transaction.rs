//! Transactions: the entries of the state machine go into the journal, its markers into the partitions.

use super::{Coordinator, CoordinatorError, RETRY_MS, Result, State};
use crate::clock::now_ms;
use crate::groups::MemberRef;
use crate::journal::{Entry, OffsetEntry};
use crate::transactions::{Caller, Phase, Transaction, TransactionError};
use std::io;

impl Coordinator {
    /// A producer id for an idempotent producer without transactions.
    pub(crate) fn init_idempotent(&self) -> Result<Caller> {
        let mut state = self.state.lock();
        let (producer_id, reserve) = state.transactions.fresh_producer_id();
        self.record(&mut state, reserve.as_slice())?;
        state.transactions.take_producer_id(producer_id);
        Ok(Caller {
            producer_id,
            epoch: 0,
        })
    }

    /// Producer id and epoch for a transactional id. What an earlier holder left open is aborted.
    pub(crate) fn init_transactional(
        &self,
        id: &str,
        timeout_ms: i32,
        claimed: Option<Caller>,
    ) -> Result<Caller> {
        let mut state = self.state.lock();
        let max = self.settings.max_transaction_timeout_ms;
        if timeout_ms <= 0 || timeout_ms > max {
            return Err(TransactionError::InvalidTimeout.into());
        }
        if let Some(claimed) = claimed {
            state.transactions.check_claim(id, claimed)?;
        }
        if let Some(abort) = state.transactions.abort_before_init(id) {
            self.record(&mut state, &[abort])?;
        }
        self.complete(&mut state, id)?;
        let entries = state
            .transactions
            .init(id, timeout_ms, max, None, now_ms())?;
        self.record(&mut state, &entries)?;
        let t = state
            .transactions
            .get(id)
            .ok_or(TransactionError::UnknownMapping)?;
        Ok(Caller {
            producer_id: t.producer_id,
            epoch: t.epoch,
        })
    }

    /// Adds partitions, which exist, to a transaction.
    pub(crate) fn enlist(
        &self,
        id: &str,
        caller: Caller,
        partitions: Vec<(String, i32)>,
    ) -> Result<()> {
        let mut state = self.state.lock();
        let entry = state
            .transactions
            .enlist(id, caller, partitions.clone(), now_ms())?;
        self.record(&mut state, entry.as_slice())?;
        for (topic, index) in &partitions {
            if let Some(partition) = self.topics.partition(topic, *index) {
                partition.enlist(caller.producer_id, caller.epoch);
            }
        }
        self.arm_timeout(&mut state, id);
        Ok(())
    }

    /// Announces that a transaction will commit offsets of `group`.
    pub(crate) fn add_group(&self, id: &str, caller: Caller, group: &str) -> Result<()> {
        let mut state = self.state.lock();
        let entry = state.transactions.add_group(id, caller, group, now_ms())?;
        self.record(&mut state, entry.as_slice())?;
        self.arm_timeout(&mut state, id);
        Ok(())
    }

    /// Adds offsets to a transaction, on behalf of a member of the group when one is named.
    pub(crate) fn add_offsets(
        &self,
        id: &str,
        caller: Caller,
        group: &str,
        member: MemberRef<'_>,
        generation: i32,
        offsets: Vec<OffsetEntry>,
    ) -> Result<()> {
        let mut state = self.state.lock();
        match state.groups.get(group) {
            Some(found) => found.check_transactional_commit(member, generation)?,
            None if member.id.is_empty() && generation < 0 => {}
            None => return Err(crate::groups::GroupError::UnknownMember.into()),
        }
        let entry = state
            .transactions
            .add_offsets(id, caller, group, offsets, now_ms())?;
        Ok(self.record(&mut state, &[entry])?)
    }

    /// Commits or aborts a transaction. When it returns, its markers are written.
    pub(crate) fn end_transaction(&self, id: &str, caller: Caller, commit: bool) -> Result<()> {
        let mut state = self.state.lock();
        let prepare = match state.transactions.end(id, caller, commit) {
            // The last try could not write all markers; this one may.
            Err(TransactionError::Concurrent) => return self.complete(&mut state, id),
            other => other?,
        };
        let Some(prepare) = prepare else {
            return Ok(());
        };
        self.record(&mut state, &[prepare])?;
        self.complete(&mut state, id)
    }

    /// Writes the markers of a prepared transaction, then notes that it is complete. Safe to repeat.
    fn complete(&self, state: &mut State, id: &str) -> Result<()> {
        let Some(t) = state.transactions.get(id) else {
            return Ok(());
        };
        let Phase::Prepared { commit } = t.phase else {
            return Ok(());
        };
        let now = now_ms();
        let written = t.partitions.iter().try_for_each(|(topic, index)| {
            match self.topics.partition(topic, *index) {
                Some(partition) => partition.end_transaction(t.producer_id, t.epoch, commit, now),
                // The topic was deleted meanwhile, and its records with it.
                None => Ok(()),
            }
        });
        let completed = written.and_then(|()| {
            let entry = Entry::Completed {
                id: id.to_owned(),
                at: now,
            };
            self.record(state, &[entry])
        });
        completed.map_err(|e: io::Error| {
            tracing::warn!(transactional_id = id, error = %e, "a transaction could not be completed yet; trying again");
            let retry = self.monotonic() + RETRY_MS;
            self.arm(state, retry);
            CoordinatorError::Storage(e)
        })
    }

    /// A transactional id as it stands, `None` when it is unknown.
    pub(crate) fn transaction(&self, id: &str) -> Option<Transaction> {
        self.state.lock().transactions.get(id).cloned()
    }

    /// The transactional ids for which `wanted` holds, with what `wanted` makes of them.
    pub(crate) fn transactions<R>(
        &self,
        wanted: impl FnMut((&String, &Transaction)) -> Option<R>,
    ) -> Vec<R> {
        self.state
            .lock()
            .transactions
            .iter()
            .filter_map(wanted)
            .collect()
    }

    fn arm_timeout(&self, state: &mut State, id: &str) {
        if let Some(t) = state.transactions.get(id) {
            let left = t.since.saturating_add(i64::from(t.timeout_ms)) - now_ms();
            let deadline = self.monotonic() + u64::try_from(left).unwrap_or(0);
            self.arm(state, deadline);
        }
    }

    pub(super) fn expire_transactions(&self, state: &mut State) {
        for abort in state.transactions.timed_out(now_ms()) {
            tracing::info!(?abort, "a transaction timed out and is aborted");
            if let Err(e) = self.record(state, &[abort]) {
                tracing::warn!(error = %e, "the abort could not be stored");
            }
        }
        for id in state.transactions.prepared() {
            // A failure was logged, and the timer tries again.
            let _ = self.complete(state, &id);
        }
    }

    /// After a start: open transactions go on, decided ones are completed, and the timer watches the former.
    pub(super) fn resume_transactions(&self) {
        let mut state = self.state.lock();
        for (_, t) in state.transactions.iter() {
            if t.phase == Phase::Ongoing {
                for (topic, index) in &t.partitions {
                    if let Some(partition) = self.topics.partition(topic, *index) {
                        partition.enlist(t.producer_id, t.epoch);
                    }
                }
            }
        }
        self.expire_transactions(&mut state);
        state.armed = 0;
    }
}
