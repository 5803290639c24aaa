//! A query as it runs: what its tasks share, and what is known of it from outside.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};
use weir_engine::{Counters, TaskOptions};
use weir_kafka::{GroupMetadata, TopicPartition};
use weir_state::TaskState;

use crate::config::QuerySpec;
use crate::failure::{Failures, QueryError, now_ms};
use crate::latch::Latch;
use crate::layout::Layout;
use crate::names::{changelog_topic, topic_name};
use crate::traffic::Traffic;

/// A task: sub-topology and partition.
pub(crate) type PartPartition = (u32, u32);

/// What is known of a query, updated while it runs.
#[derive(Default)]
pub struct QueryState {
    paused: AtomicBool,
    tasks: AtomicUsize,
    restoring: AtomicUsize,
    consumed: AtomicU64,
    produced: AtomicU64,
    dropped: AtomicU64,
    last_message_ms: AtomicI64,
    /// Opened when it is known where the query begins, or that it does not.
    pub(crate) begins: Latch,
    /// Tasks given to workers that have not had their state complete yet.
    awaited: AtomicUsize,
    /// Opened when no task is awaited any more, or none will come.
    pub(crate) ready: Latch,
    pub(crate) traffic: Traffic,
    pub(crate) failures: Mutex<Failures>,
    stores: RwLock<HashMap<PartPartition, Arc<TaskState>>>,
    /// Tasks of each part over all servers, once the query is laid out.
    layout: RwLock<Vec<u32>>,
    reads: RwLock<Arc<[TopicPartition]>>,
}

/// What a query is doing on this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryStatus {
    /// Whether it is paused.
    pub paused: bool,
    /// Tasks on this server.
    pub tasks: usize,
    /// Tasks that are still reading their changelogs.
    pub restoring: usize,
    /// Records read since the server started.
    pub consumed: u64,
    /// Records written.
    pub produced: u64,
    /// Records dropped.
    pub dropped: u64,
    /// When the last record was read, ms since the epoch; 0: none yet.
    pub last_message_ms: i64,
    /// The last errors, oldest first.
    pub errors: Vec<QueryError>,
}

impl QueryState {
    pub(crate) fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Release);
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }

    pub(crate) fn count(&self, counters: &Counters) {
        if counters.consumed > 0 {
            self.last_message_ms.store(now_ms(), Ordering::Relaxed);
        }
        self.consumed
            .fetch_add(counters.consumed, Ordering::Relaxed);
        self.produced
            .fetch_add(counters.produced, Ordering::Relaxed);
        self.dropped.fetch_add(counters.dropped, Ordering::Relaxed);
    }

    /// So many tasks were given to workers.
    pub(crate) fn tasks_given(&self, count: usize) {
        self.awaited.store(count, Ordering::Release);
        if count == 0 {
            self.ready.open();
        }
    }

    pub(crate) fn task_opened(&self, task: PartPartition, state: Option<&Arc<TaskState>>) {
        self.tasks.fetch_add(1, Ordering::AcqRel);
        self.restoring.fetch_add(1, Ordering::AcqRel);
        if let Some(state) = state {
            self.stores.write().insert(task, state.clone());
        }
    }

    pub(crate) fn task_restored(&self) {
        self.restoring.fetch_sub(1, Ordering::AcqRel);
        let one_less = |awaited: usize| awaited.checked_sub(1);
        let relaxed = Ordering::Relaxed;
        if self
            .awaited
            .fetch_update(Ordering::AcqRel, relaxed, one_less)
            == Ok(1)
        {
            self.ready.open();
        }
    }

    pub(crate) fn task_closed(&self, task: PartPartition, was_restoring: bool) {
        self.tasks.fetch_sub(1, Ordering::AcqRel);
        if was_restoring {
            self.restoring.fetch_sub(1, Ordering::AcqRel);
        }
        self.stores.write().remove(&task);
    }

    pub(crate) fn partitions(&self, part: usize) -> Option<u32> {
        self.layout.read().get(part).copied()
    }

    pub(crate) fn store(&self, task: PartPartition) -> Option<Arc<TaskState>> {
        self.stores.read().get(&task).cloned()
    }

    pub(crate) fn store_partitions(&self, part: u32) -> Vec<u32> {
        let mut partitions: Vec<_> = self
            .stores
            .read()
            .keys()
            .filter_map(|(of, partition)| (*of == part).then_some(*partition))
            .collect();
        partitions.sort_unstable();
        partitions
    }

    /// Partitions that the query reads, internal topics included; none before it was prepared.
    pub fn reads(&self) -> Arc<[TopicPartition]> {
        self.reads.read().clone()
    }

    pub(crate) fn restoring(&self) -> usize {
        self.restoring.load(Ordering::Acquire)
    }

    /// What the query is doing.
    pub fn status(&self) -> QueryStatus {
        QueryStatus {
            paused: self.is_paused(),
            tasks: self.tasks.load(Ordering::Acquire),
            restoring: self.restoring(),
            consumed: self.consumed.load(Ordering::Relaxed),
            produced: self.produced.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            last_message_ms: self.last_message_ms.load(Ordering::Relaxed),
            errors: self.failures.lock().recent(now_ms()),
        }
    }
}

/// What all tasks of a query share.
pub(crate) struct QueryContext {
    pub(crate) spec: QuerySpec,
    pub(crate) layout: Layout,
    pub(crate) group: Arc<GroupMetadata>,
    pub(crate) state: Arc<QueryState>,
    /// Full names of what each part writes to.
    pub(crate) outputs: Vec<Vec<String>>,
    /// Full names of each part's changelogs.
    pub(crate) changelogs: Vec<Vec<String>>,
}

impl QueryContext {
    pub(crate) fn new(
        spec: QuerySpec,
        application_id: &str,
        layout: Layout,
        group: Arc<GroupMetadata>,
        state: Arc<QueryState>,
    ) -> Self {
        state.layout.write().clone_from(&layout.tasks);
        let parts = &spec.topology.parts;
        let outputs = parts
            .iter()
            .map(|part| {
                part.outputs()
                    .iter()
                    .map(|o| topic_name(application_id, &o.topic))
                    .collect()
            })
            .collect();
        let changelogs = parts
            .iter()
            .map(|part| {
                part.stores()
                    .iter()
                    .map(|s| changelog_topic(application_id, &s.name))
                    .collect()
            })
            .collect();
        let inputs = parts.iter().flat_map(|part| part.inputs());
        let read: BTreeSet<String> = inputs
            .map(|input| topic_name(application_id, &input.topic))
            .collect();
        let partitions = |topic: String| {
            (0..layout.partitions_of(&topic)).map(move |p| TopicPartition::new(&topic, p as i32))
        };
        *state.reads.write() = read.into_iter().flat_map(partitions).collect();
        Self {
            spec,
            layout,
            group,
            state,
            outputs,
            changelogs,
        }
    }

    /// What the tasks of a part are made with.
    pub(crate) fn task_options(&self, part: usize) -> TaskOptions {
        let all: u32 = self.layout.tasks.iter().sum();
        let mut options = self.spec.options.task.clone();
        options.cache_bytes /= all.max(1) as usize;
        options.output_partitions = self
            .outputs
            .get(part)
            .map(|topics| {
                topics
                    .iter()
                    .map(|t| self.layout.partitions_of(t))
                    .collect()
            })
            .unwrap_or_default();
        options
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_query_is_ready_when_the_last_of_its_tasks_has_its_state() {
        let state = QueryState::default();
        let is_ready = || state.ready.wait(Duration::ZERO);
        state.tasks_given(2);
        for partition in 0..2 {
            assert!(!is_ready());
            state.task_opened((0, partition), None);
            assert!(!is_ready());
            state.task_restored();
        }
        assert!(is_ready());
        // Restoring again later, after a rebalance, is told by the stores themselves.
        state.tasks_given(1);
        assert!(is_ready());
    }

    #[test]
    fn a_query_without_tasks_here_is_ready() {
        let state = QueryState::default();
        assert!(!state.ready.wait(Duration::ZERO));
        state.tasks_given(0);
        assert!(state.ready.wait(Duration::ZERO));
    }
}
