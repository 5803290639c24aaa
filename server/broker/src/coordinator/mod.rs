//! The coordinator: all that is journaled, behind one lock. Group and transaction requests are decided by the pure state
//! machines; here their entries are written, then applied, then markers and replies go out.
//!
//! ```text
//! request ─► decide (groups, transactions: pure) ─► journal ─► apply ─► partitions (markers) / waiting members
//!                                   timer ─► expire ─┘
//! ```
//! Lock order: coordinator, then the topic table, then a partition. Produce and fetch never take the coordinator's lock.
//! Invariant: state in memory is always what a replay of the journal gives (group members excepted: they join again).

mod group;
mod offsets;
mod topic;
mod transaction;

pub(crate) use offsets::OffsetQuery;

use crate::clock::now_ms;
use crate::config::{BrokerSettings, Overrides};
use crate::groups::{Group, GroupError, Token};
use crate::journal::{Entry, Journal};
use crate::storage::FsyncPolicy;
use crate::topics::Topics;
use crate::transactions::{TransactionError, Transactions};
use group::Waiter;
use offsets::GroupOffsets;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use uuid::Uuid;

/// A prepared transaction whose markers could not all be written is tried again after this time.
const RETRY_MS: u64 = 500;
/// Transactional ids not used for this long are forgotten (`transactional.id.expiration.ms`).
const TRANSACTIONAL_ID_EXPIRATION_MS: i64 = 7 * 24 * 3600 * 1000;

/// Why the coordinator refuses a request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CoordinatorError {
    #[error(transparent)]
    Group(#[from] GroupError),
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    #[error("the broker could not store the change: {0}")]
    Storage(#[from] io::Error),
    #[error("Topic '{0}' already exists.")]
    TopicExists(String),
    #[error("the topic or partition does not exist")]
    UnknownTopic,
    #[error("Topic currently has {0} partitions, which is not fewer than the number asked for")]
    NotMorePartitions(i32),
    #[error("the group has members")]
    GroupNotEmpty,
    #[error("the group does not exist")]
    UnknownGroup,
    #[error("a member of the group is subscribed to the topic")]
    Subscribed,
}

type Result<T> = std::result::Result<T, CoordinatorError>;

/// See the module's documentation.
pub(crate) struct Coordinator {
    topics: Arc<Topics>,
    settings: BrokerSettings,
    started: Instant,
    state: Mutex<State>,
    /// Woken when a deadline arises that lies before the one that the timer waits for.
    timer: Notify,
    /// Woken when the journal has something to bring to disk.
    pub(crate) journal_dirty: Notify,
}

struct State {
    journal: Journal,
    transactions: Transactions,
    groups: HashMap<String, Group>,
    offsets: BTreeMap<String, GroupOffsets>,
    waiting: HashMap<Token, Waiter>,
    next_token: Token,
    /// Monotonic ms for which the timer is set.
    armed: u64,
}

impl Coordinator {
    /// Replays the journal in `data` (nothing to replay in memory mode), opens the topics and completes what a crash
    /// interrupted.
    pub(crate) fn open(
        data: Option<&Path>,
        fsync: FsyncPolicy,
        topics: Arc<Topics>,
        settings: BrokerSettings,
    ) -> io::Result<Self> {
        let (journal, entries) = match data {
            Some(dir) => Journal::open(dir, fsync)?,
            None => (Journal::in_memory(), Vec::new()),
        };
        let mut state = State {
            journal,
            transactions: Transactions::default(),
            groups: HashMap::new(),
            offsets: BTreeMap::new(),
            waiting: HashMap::new(),
            next_token: 0,
            armed: u64::MAX,
        };
        let mut found: BTreeMap<&str, (Uuid, i32, &Overrides)> = BTreeMap::new();
        for entry in &entries {
            match entry {
                Entry::Topic {
                    name,
                    id,
                    partitions,
                    overrides,
                } => {
                    found.insert(name, (*id, *partitions, overrides));
                }
                Entry::TopicDeleted { name } => {
                    found.remove(name.as_str());
                }
                _ => {}
            }
            state.apply(entry);
        }
        state.transactions.replayed();
        for (name, (id, partitions, overrides)) in found {
            topics.insert(topics.open(name, id, partitions, overrides.clone())?);
        }
        topics.tidy()?;
        let coordinator = Self {
            topics,
            settings,
            started: Instant::now(),
            state: Mutex::new(state),
            timer: Notify::new(),
            journal_dirty: Notify::new(),
        };
        coordinator.resume_transactions();
        Ok(coordinator)
    }

    /// Milliseconds since the coordinator began; never goes back.
    fn monotonic(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Writes entries and applies them.
    fn record(&self, state: &mut State, entries: &[Entry]) -> io::Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        if state.journal.wants_rewrite() {
            let snapshot = self.snapshot(state);
            if let Err(e) = state.journal.rewrite(&snapshot) {
                tracing::warn!(error = %e, "the journal could not be rewritten; it keeps growing");
            }
        }
        state.journal.append(entries)?;
        for entry in entries {
            state.apply(entry);
        }
        self.journal_dirty.notify_one();
        Ok(())
    }

    fn snapshot(&self, state: &State) -> Vec<Entry> {
        let topics = self.topics.all();
        let mut out: Vec<Entry> = topics
            .iter()
            .map(|topic| Entry::Topic {
                name: topic.name.clone(),
                id: topic.id,
                partitions: topic.partition_count(),
                overrides: topic.overrides(),
            })
            .collect();
        out.extend(state.offsets.iter().map(|(group, offsets)| Entry::Offsets {
            group: group.clone(),
            offsets: offsets.entries(),
        }));
        out.extend(state.transactions.snapshot());
        out
    }

    /// Waits until a deadline has come or may have changed.
    pub(crate) async fn wait_for_deadline(&self) {
        let armed = self.state.lock().armed;
        let now = self.monotonic();
        let wait = Duration::from_millis(armed.saturating_sub(now));
        if armed == u64::MAX {
            self.timer.notified().await;
        } else {
            // Either way the caller looks again.
            let _ = tokio::time::timeout(wait, self.timer.notified()).await;
        }
    }

    /// Ends what has taken too long, and sets the timer for the next deadline.
    pub(crate) fn expire(&self) {
        let now = self.monotonic();
        let mut state = self.state.lock();
        if state.armed > now {
            return;
        }
        self.expire_groups(&mut state, now);
        self.expire_transactions(&mut state);
        let wall = now_ms();
        let groups = state.groups.values().filter_map(Group::next_deadline).min();
        let transactions = state.transactions.next_timeout().map(|at| {
            now.saturating_add(u64::try_from(at.saturating_sub(wall)).unwrap_or(0).max(1))
        });
        let retry = (!state.transactions.prepared().is_empty()).then_some(now + RETRY_MS);
        state.armed = [groups, transactions, retry]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(u64::MAX);
    }

    /// Sets the timer, when `deadline` (monotonic ms) comes before the one it is set for.
    fn arm(&self, state: &mut State, deadline: u64) {
        if deadline < state.armed {
            state.armed = deadline;
            self.timer.notify_one();
        }
    }

    /// Removes expired offsets and long unused transactional ids. For the slow maintenance.
    pub(crate) fn tidy(&self) -> io::Result<()> {
        let now = now_ms();
        let mut state = self.state.lock();
        let mut entries = state.expired_offsets(now, self.settings.offsets_retention_ms);
        let unused = now.saturating_sub(TRANSACTIONAL_ID_EXPIRATION_MS);
        entries.extend(state.transactions.unused_since(unused));
        self.record(&mut state, &entries)
    }

    /// Brings the journal to disk.
    pub(crate) fn flush_journal(&self) -> io::Result<()> {
        let file = self.state.lock().journal.take_dirty();
        match file {
            Some(file) => file.sync_data(),
            None => Ok(()),
        }
    }
}

impl State {
    /// Applies an entry that is in the journal. Topics are applied by their own room.
    fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Offsets { group, offsets } => self.merge_offsets(group, offsets),
            Entry::OffsetsRemoved { group, partitions } => {
                if let Some(offsets) = self.offsets.get_mut(group) {
                    offsets.remove(partitions);
                }
                self.forget_if_idle(group);
            }
            Entry::GroupDeleted { group } => {
                self.offsets.remove(group);
                self.groups.remove(group);
            }
            Entry::TopicDeleted { name } => {
                for offsets in self.offsets.values_mut() {
                    offsets.remove_topic(name);
                }
                self.offsets.retain(|_, offsets| !offsets.is_empty());
            }
            _ => {}
        }
        for (group, offsets) in self.transactions.apply(entry) {
            self.merge_offsets(&group, &offsets);
        }
    }
}
