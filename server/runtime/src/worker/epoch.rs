//! The end of an epoch, good or bad: the commit protocol (DESIGN §3).
//!
//! ```text
//!   flush tasks ─► produce ─► offsets of every query's group, and of our slot under the
//!   generation we hold ─► commit ─► one RocksDB batch
//!       │ a query fails                 │ aborted            │ nobody knows
//!       └─► abort, all roll back,       └─► all roll back    └─► all closed, prepared anew
//!           the query waits
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_engine::EngineError;
use weir_kafka::{
    ErrorKind, GroupMetadata, GroupOffset, GroupOffsets, KafkaError, OffsetAt, TopicPartition,
};
use weir_state::{Positions, StateError};

use super::{Current, Report, Worker};
use crate::failure::{QueryError, now_ms};
use crate::fetch::ReaderId;
use crate::layout::InternalKind;
use crate::positions::Committed;

/// What happens between two commits.
pub(super) struct Epoch {
    begun: Instant,
    /// Bytes written to internal topics for other tasks, which see them after the commit.
    handed_over: usize,
}

impl Epoch {
    pub(super) fn now() -> Self {
        Self {
            begun: Instant::now(),
            handed_over: 0,
        }
    }
}

/// Bytes for other tasks at which an epoch ends early: a task that waits for them would have
/// nothing to do meanwhile, and all of it at once later.
const HAND_OVER: usize = 3 << 20;

/// Why an epoch cannot be finished.
pub(super) enum Failure {
    /// One query's fault.
    Query(QueryError),
    /// Kafka's.
    Kafka(KafkaError),
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::Query(QueryError::of_engine(&error))
    }
}

/// How often the ends of changelogs are looked up while they grow. Between two lookups RocksDB
/// holds the older position, and a restart replays a little more than it must.
const LOOK_UP: Duration = Duration::from_secs(10);

/// `repartition.purge.interval.ms`.
const PURGE: Duration = Duration::from_secs(30);

/// The pause after an epoch that was given up, lest a cluster in trouble is asked again at once.
const REST: Duration = Duration::from_millis(100);

impl Worker {
    pub(super) fn begin_epoch(&mut self) {
        self.epoch.get_or_insert_with(Epoch::now);
    }

    pub(super) fn epoch_due_at(&self) -> Option<Instant> {
        let begun = self.epoch.as_ref()?.begun;
        let shortest = self
            .tasks
            .values()
            .filter(|task| task.dirty)
            .filter_map(|task| task.query.spec.options.commit_interval)
            .min();
        Some(begun + shortest.unwrap_or(self.shared.config.commit_interval))
    }

    pub(super) fn is_epoch_due(&self) -> bool {
        self.epoch_due_at().is_some_and(|due| due <= Instant::now()) || self.is_overfull()
    }

    fn is_overfull(&self) -> bool {
        self.epoch.as_ref().is_some_and(|epoch| {
            if epoch.handed_over > HAND_OVER {
                return true;
            }
            let states = self.tasks.values().filter(|task| task.dirty);
            let held: usize = states
                .filter_map(|task| task.state.as_ref())
                .map(|s| s.uncommitted_bytes())
                .sum();
            let config = &self.shared.config;
            held > config.uncommitted_bytes / config.threads.max(1)
        })
    }

    /// Writes what a task gave into the transaction.
    pub(super) fn write_emitted(&mut self, key: u64) -> Result<(), Failure> {
        let Some(task) = self.tasks.get_mut(&key) else {
            return Ok(());
        };
        let query = task.query.clone();
        let part = task.part as usize;
        let counters = std::mem::take(&mut self.emitted.counters);
        query.state.count(&counters);
        self.log(&query);
        self.emitted.rows.clear();
        let outputs = query
            .outputs
            .get(part)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let changelogs = query
            .changelogs
            .get(part)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let records = std::mem::take(&mut self.emitted.records);
        let specs = query.spec.topology.parts.get(part).map(|p| p.outputs());
        let handed_over: usize = records
            .iter()
            .filter(|(output, _)| {
                let spec = specs.and_then(|specs| specs.get(*output));
                spec.is_some_and(|spec| spec.internal_frames)
            })
            .map(|(_, batch)| batch.values.data.len())
            .sum();
        if let Some(epoch) = &mut self.epoch {
            epoch.handed_over += handed_over;
        }
        let result = records
            .iter()
            .try_for_each(|(output, batch)| match outputs.get(*output) {
                Some(topic) => {
                    let traffic = &query.state.traffic;
                    traffic.wrote(topic, batch.values.len(), now_ms());
                    self.output.produce(topic, batch)
                }
                None => Ok(()),
            });
        self.emitted.records = records;
        self.emitted.records.clear();
        result.map_err(of_produce)?;
        let Some(task) = self.tasks.get_mut(&key) else {
            return Ok(());
        };
        for (store, mut batch) in self.emitted.changelog.drain(..) {
            if let Some(topic) = changelogs.get(store) {
                batch.partitions = vec![task.partition as i32; batch.values.len()];
                task.changelog_moved = true;
                self.output.produce(topic, &batch).map_err(of_produce)?;
            }
        }
        Ok(())
    }

    /// Commits what happened since the last time, if anything did.
    pub(super) fn end_epoch(&mut self) {
        if self.epoch.is_none() {
            return;
        }
        let dirty: Vec<u64> = self
            .tasks
            .iter()
            .filter(|(_, task)| task.dirty)
            .map(|(key, _)| *key)
            .collect();
        if !dirty.is_empty() {
            for key in &dirty {
                if let Err(failure) = self.flush(*key) {
                    return self.fail(*key, failure);
                }
            }
            if let Err(error) = self.commit(&dirty) {
                return self.abort(error);
            }
        }
        self.epoch = None;
        if self.positions_looked_up.elapsed() > LOOK_UP {
            self.look_up_positions();
        }
        if self.purged.elapsed() > PURGE {
            self.purge();
        }
    }

    /// Deletes what was read of repartition topics: nobody else reads them.
    fn purge(&mut self) {
        self.purged = Instant::now();
        let mut before = Vec::new();
        for task in self.tasks.values().filter(|task| !task.dirty) {
            let internal = &task.query.layout.internal;
            for (topic, at) in task.topics.iter().zip(&task.committed) {
                let Some(topic) = topic else { continue };
                let is_repartition = internal
                    .iter()
                    .any(|t| t.kind == InternalKind::Repartition && t.name == *topic);
                if is_repartition && *at > 0 {
                    before.push((
                        TopicPartition::new(topic.as_str(), task.partition as i32),
                        *at,
                    ));
                }
            }
        }
        if !before.is_empty()
            && let Err(error) = self.shared.admin.delete_records(&before)
        {
            tracing::debug!("{error}");
        }
    }

    fn flush(&mut self, key: u64) -> Result<(), Failure> {
        self.current = Some(Current::Task(key));
        if let Some(task) = self.tasks.get_mut(&key) {
            task.task.flush(now_ms(), &mut self.emitted)?;
        }
        self.write_emitted(key)
    }

    fn commit(&mut self, dirty: &[u64]) -> Result<(), KafkaError> {
        let (offsets, positions) = self.offsets(dirty);
        self.output.commit(offsets)?;
        let mut states = Vec::new();
        for (key, (inputs, metadata)) in positions {
            let Some(task) = self.tasks.get_mut(&key) else {
                continue;
            };
            task.committed = inputs;
            task.metadata = Some(metadata);
            task.dirty = false;
            task.unpublished = None;
            if let Some(state) = &task.state {
                states.push((state.clone(), Positions::new()));
            }
        }
        let states: Vec<_> = states
            .iter()
            .map(|(s, p)| (s.as_ref(), p.clone()))
            .collect();
        if let Err(error) = self.shared.database.commit(&states) {
            // The changelogs have it all: the tasks are restored from them.
            return Err(of_state(&error));
        }
        Ok(())
    }

    /// The offsets of all groups that had progress, and the new positions of the dirty tasks.
    #[allow(clippy::type_complexity)]
    fn offsets(&self, dirty: &[u64]) -> (Vec<GroupOffsets>, Vec<(u64, (Vec<i64>, String))>) {
        let mut positions = Vec::new();
        let mut moved: BTreeSet<(&str, &str, u32)> = BTreeSet::new();
        for key in dirty {
            let Some(task) = self.tasks.get(key) else {
                continue;
            };
            let at: Vec<i64> = (0..task.topics.len())
                .map(|input| {
                    task.position(input, self.table.position(ReaderId { task: *key, input }))
                })
                .collect();
            for topic in task.topics.iter().flatten() {
                moved.insert((&task.query.spec.id, topic, task.partition));
            }
            positions.push((*key, (at, task.task.metadata())));
        }
        // A group has one offset for a partition, whatever number of inputs reads it.
        let mut groups: BTreeMap<&str, (Arc<GroupMetadata>, BTreeMap<(&str, u32), Committed>)> =
            BTreeMap::new();
        for (key, task) in &self.tasks {
            let id = task.query.spec.id.as_str();
            let new = positions
                .iter()
                .find(|(of, _)| of == key)
                .map(|(_, new)| new);
            for (input, topic) in task.topics.iter().enumerate() {
                let Some(topic) = topic else { continue };
                if !moved.contains(&(id, topic.as_str(), task.partition)) {
                    continue;
                }
                let (_, partitions) = groups
                    .entry(id)
                    .or_insert_with(|| (task.query.group.clone(), BTreeMap::new()));
                let committed = partitions.entry((topic, task.partition)).or_default();
                let at = new
                    .map_or(&task.committed, |(at, _)| at)
                    .get(input)
                    .copied();
                committed
                    .inputs
                    .insert((task.part, input as u32), at.unwrap_or(0));
                let kept = new.map(|(_, metadata)| metadata).or(task.metadata.as_ref());
                if let Some(kept) = kept {
                    committed.tasks.insert(task.part, kept.clone());
                }
            }
        }
        let mut all: Vec<GroupOffsets> = groups
            .into_values()
            .map(|(group, partitions)| GroupOffsets {
                group,
                offsets: partitions
                    .iter()
                    .filter_map(|((topic, partition), committed)| {
                        Some(GroupOffset {
                            topic: (*topic).to_owned(),
                            partition: *partition as i32,
                            offset: committed.offset()?,
                            metadata: committed.encode(),
                        })
                    })
                    .collect(),
            })
            .collect();
        let slot = dirty
            .iter()
            .find_map(|key| self.tasks.get(key))
            .map(|task| task.slot);
        if let (Some(membership), Some(slot)) = (&self.membership, slot) {
            all.push(GroupOffsets {
                group: membership.group.clone(),
                offsets: vec![GroupOffset {
                    topic: membership.topic.to_string(),
                    partition: slot as i32,
                    offset: 0,
                    metadata: String::new(),
                }],
            });
        }
        (all, positions)
    }

    /// Records in RocksDB how far its data reaches in the changelogs, where those have grown.
    pub(super) fn look_up_positions(&mut self) {
        self.positions_looked_up = Instant::now();
        let mut asked: Vec<TopicPartition> = Vec::new();
        let mut of: Vec<(u64, String)> = Vec::new();
        for (key, task) in self
            .tasks
            .iter()
            .filter(|(_, t)| t.changelog_moved && !t.dirty)
        {
            let Some(part) = task.query.spec.topology.parts.get(task.part as usize) else {
                continue;
            };
            let topics = task.query.changelogs.get(task.part as usize);
            for (store, topic) in part.stores().iter().zip(topics.into_iter().flatten()) {
                asked.push(TopicPartition::new(topic.as_str(), task.partition as i32));
                of.push((*key, store.name.clone()));
            }
        }
        if asked.is_empty() {
            return;
        }
        let ends = match self.shared.admin.offsets(&asked, OffsetAt::CommittedEnd) {
            Ok(ends) => ends,
            Err(error) => return tracing::warn!("{error}"),
        };
        let mut positions: BTreeMap<u64, Positions> = BTreeMap::new();
        for ((key, store), end) in of.into_iter().zip(ends) {
            positions.entry(key).or_default().insert(store, end);
        }
        let mut states = Vec::new();
        for (key, positions) in positions {
            if let Some(task) = self.tasks.get_mut(&key)
                && let Some(state) = &task.state
            {
                task.changelog_moved = false;
                states.push((state.clone(), positions));
            }
        }
        let states: Vec<_> = states
            .iter()
            .map(|(s, p)| (s.as_ref(), p.clone()))
            .collect();
        if let Err(error) = self.shared.database.commit(&states) {
            tracing::warn!("{error}");
        }
    }

    /// Something failed while `key` was worked on.
    pub(super) fn fail(&mut self, key: u64, failure: Failure) {
        match failure {
            Failure::Query(error) => self.fail_query_of(key, error),
            Failure::Kafka(error) => self.abort(error),
        }
    }

    /// Closes the failed query's tasks here; all others go back to the last commit.
    pub(super) fn fail_query_of(&mut self, key: u64, error: QueryError) {
        let Some(query) = self.tasks.get(&key).map(|task| task.query.spec.id.clone()) else {
            return;
        };
        tracing::warn!("query {query} failed: {}", error.message);
        self.clear_emitted();
        self.epoch = None;
        self.close_tasks(|task| task.query.spec.id == query);
        if self.output.abort() {
            self.roll_back();
        } else {
            self.reset();
        }
        self.report(Report::Failed { query, error });
    }

    /// The transaction cannot be committed.
    fn abort(&mut self, error: KafkaError) {
        tracing::warn!("epoch given up: {error}");
        self.rest_until = Some(Instant::now() + REST);
        self.clear_emitted();
        self.epoch = None;
        let stale = matches!(error.kind, ErrorKind::StaleMember | ErrorKind::Other);
        if self.output.abort() && !stale {
            self.roll_back();
        } else {
            self.reset();
        }
    }

    /// Nobody knows what went wrong: everything is prepared anew.
    pub(super) fn give_up_epoch(&mut self) {
        self.clear_emitted();
        self.output.abort();
        self.reset();
    }

    fn clear_emitted(&mut self) {
        self.emitted = weir_engine::Emitted::default();
    }

    /// All tasks that were touched go back to the last commit.
    fn roll_back(&mut self) {
        let keys: Vec<u64> = self.tasks.keys().copied().collect();
        for key in keys {
            let Some(task) = self.tasks.get_mut(&key) else {
                continue;
            };
            if !task.dirty || task.restoring > 0 {
                continue;
            }
            if let Err(error) = task.roll_back() {
                let error = QueryError::of_engine(&error);
                let query = task.query.spec.id.clone();
                self.close_tasks(|task| task.query.spec.id == query);
                self.report(Report::Failed { query, error });
                continue;
            }
            let places: Vec<_> = task.committed.iter().copied().enumerate().collect();
            let fresh = task.metadata.is_none();
            for (input, at) in places {
                self.table.reset(ReaderId { task: key, input }, at);
            }
            if fresh {
                // Where it starts is still to be committed.
                if let Some(task) = self.tasks.get_mut(&key) {
                    task.dirty = true;
                }
                self.begin_epoch();
            }
        }
    }

    /// Closes everything: the supervisor prepares it anew from what Kafka has.
    fn reset(&mut self) {
        self.close_tasks(|_| true);
        self.epoch = None;
        self.report(Report::Reset { worker: self.index });
    }
}

/// Whose fault it is that records could not be written.
fn of_produce(error: KafkaError) -> Failure {
    match error.kind {
        ErrorKind::NotFound
        | ErrorKind::Unauthorized
        | ErrorKind::TooLarge
        | ErrorKind::Invalid => Failure::Query(QueryError::of_kafka(&error)),
        _ => Failure::Kafka(error),
    }
}

fn of_state(error: &StateError) -> KafkaError {
    KafkaError::new(ErrorKind::Other, "state database", error.to_string())
}
