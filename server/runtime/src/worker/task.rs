//! A task of a persistent query on a worker.

use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_engine::{EngineError, Task};
use weir_state::TaskState;

use crate::query::QueryContext;

/// Where an input of a task starts.
#[derive(Debug, Clone)]
pub(crate) struct SeedInput {
    pub(crate) topic: String,
    pub(crate) offset: i64,
}

/// A changelog to be read before a task runs.
#[derive(Debug, Clone)]
pub(crate) struct RestorePlan {
    /// Index of the store.
    pub(crate) store: usize,
    /// Its name, under which its position is kept.
    pub(crate) name: String,
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

/// Everything a worker needs to open a task.
pub(crate) struct TaskSeed {
    pub(crate) query: Arc<QueryContext>,
    pub(crate) part: u32,
    pub(crate) partition: u32,
    pub(crate) slot: u32,
    /// `None`: the topic has no such partition.
    pub(crate) inputs: Vec<Option<SeedInput>>,
    pub(crate) metadata: Option<String>,
    /// Where it starts is not committed yet.
    pub(crate) fresh: bool,
    pub(crate) state: Option<Arc<TaskState>>,
    pub(crate) restore: Vec<RestorePlan>,
}

/// A task, with what it goes back to when an epoch fails.
pub(crate) struct RunningTask {
    pub(crate) query: Arc<QueryContext>,
    pub(crate) part: u32,
    pub(crate) partition: u32,
    pub(crate) slot: u32,
    pub(crate) topics: Vec<Option<String>>,
    pub(crate) task: Box<dyn Task>,
    pub(crate) state: Option<Arc<TaskState>>,
    /// Next record of each input as of the last commit.
    pub(crate) committed: Vec<i64>,
    pub(crate) metadata: Option<String>,
    /// Something happened since the last commit.
    pub(crate) dirty: bool,
    /// Whether pull queries read one of its stores.
    pub(crate) queryable: bool,
    /// When the first rows were taken that readers of the stores may not see yet.
    pub(crate) unpublished: Option<Instant>,
    /// What it took to show them the last time.
    pub(crate) publishing: Duration,
    /// The last step found nothing to do, and nothing came since.
    pub(crate) idle: bool,
    /// Changelogs still being read.
    pub(crate) restoring: usize,
    /// Its changelogs were written since their ends were last looked up.
    pub(crate) changelog_moved: bool,
}

impl RunningTask {
    pub(crate) fn open(seed: &TaskSeed) -> Result<Self, EngineError> {
        let task = make(&seed.query, seed.part, seed.partition, seed.state.as_ref())?;
        let mut running = Self {
            query: seed.query.clone(),
            part: seed.part,
            partition: seed.partition,
            slot: seed.slot,
            topics: seed
                .inputs
                .iter()
                .map(|i| i.as_ref().map(|i| i.topic.clone()))
                .collect(),
            task,
            state: seed.state.clone(),
            committed: seed
                .inputs
                .iter()
                .map(|i| i.as_ref().map_or(0, |i| i.offset))
                .collect(),
            metadata: seed.metadata.clone(),
            dirty: seed.fresh,
            queryable: is_queryable(&seed.query, seed.part),
            unpublished: None,
            publishing: Duration::ZERO,
            idle: false,
            restoring: seed.restore.len(),
            changelog_moved: false,
        };
        running.prime();
        Ok(running)
    }

    /// Goes back to the last commit: nothing of the epoch is left.
    pub(crate) fn roll_back(&mut self) -> Result<(), EngineError> {
        if let Some(state) = &self.state {
            state.discard();
        }
        self.task = make(&self.query, self.part, self.partition, self.state.as_ref())?;
        self.dirty = false;
        self.unpublished = None;
        self.idle = false;
        self.prime();
        Ok(())
    }

    fn prime(&mut self) {
        if let Some(metadata) = &self.metadata {
            self.task.restore_metadata(metadata);
        }
        for (input, topic) in self.topics.iter().enumerate() {
            // A partition that does not exist brings nothing to wait for.
            self.task.set_caught_up(input, topic.is_none());
        }
    }

    /// Next record of an input: where the task is, or, if it holds nothing of it, where reading
    /// is (past transaction markers, which are no records).
    pub(crate) fn position(&self, input: usize, reading: Option<i64>) -> i64 {
        let committed = self.committed.get(input).copied().unwrap_or(0);
        let at = self
            .task
            .positions()
            .get(input)
            .copied()
            .flatten()
            .unwrap_or(committed);
        match reading {
            Some(reading) if self.task.queued(input) == 0 => at.max(reading),
            _ => at,
        }
    }

    pub(crate) fn is_runnable(&self) -> bool {
        !self.idle && self.restoring == 0 && !self.query.state.is_paused()
    }
}

fn is_queryable(query: &QueryContext, part: u32) -> bool {
    let part = query.spec.topology.parts.get(part as usize);
    part.is_some_and(|part| part.stores().iter().any(|store| store.queryable))
}

fn make(
    query: &QueryContext,
    part: u32,
    partition: u32,
    state: Option<&Arc<TaskState>>,
) -> Result<Box<dyn Task>, EngineError> {
    let index = part as usize;
    let Some(topology) = query.spec.topology.parts.get(index) else {
        return Err(EngineError::Plan(format!("the query has no part {part}")));
    };
    let stores = state.map(|state| state.stores()).unwrap_or_default();
    topology.new_task(partition, stores, &query.task_options(index))
}
