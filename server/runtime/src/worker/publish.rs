//! Showing pull queries what the record cache holds back until the commit.
//!
//! ```text
//!   step ─► rows taken ── 20 ms, or 20 times what the last one took ──► publish to the stores
//!             └─ commit before that: the flush has done it
//! ```
//!
//! Invariant: a row is seen in its table that soon after it was processed, whatever the commit
//! interval, for a twentieth of the worker's time at most.

use std::time::{Duration, Instant};

use super::task::RunningTask;
use super::{Current, Worker};

/// Shortest time between the first change and its publication.
const SOON: Duration = Duration::from_millis(20);

/// What may pass as a multiple of what publishing takes.
const SHARE: u32 = 20;

impl RunningTask {
    /// Rows were taken.
    pub(super) fn changed(&mut self) {
        if self.queryable && self.unpublished.is_none() {
            self.unpublished = Some(Instant::now());
        }
    }

    fn publish_at(&self) -> Option<Instant> {
        Some(self.unpublished? + SOON.max(self.publishing * SHARE))
    }
}

impl Worker {
    /// When the next task is to be published.
    pub(super) fn publish_at(&self) -> Option<Instant> {
        let tasks = self.tasks.values();
        tasks.filter_map(RunningTask::publish_at).min()
    }

    /// Publishes the tasks that are due.
    pub(super) fn publish(&mut self) {
        let now = Instant::now();
        let is_due = |task: &RunningTask| task.publish_at().is_some_and(|due| due <= now);
        let due = self.tasks.iter().filter(|(_, task)| is_due(task));
        let keys: Vec<u64> = due.map(|(key, _)| *key).collect();
        for key in keys {
            self.current = Some(Current::Task(key));
            let Some(task) = self.tasks.get_mut(&key) else {
                continue;
            };
            let begun = Instant::now();
            let result = task.task.publish();
            task.unpublished = None;
            task.publishing = begun.elapsed();
            if let Err(error) = result {
                return self.fail(key, error.into());
            }
        }
    }
}
