//! Reading changelogs into stores before tasks run.
//!
//! ```text
//!   plan { topic, from, to } ─► records ─► KvStore::restore ─► RocksDB { data, position }
//!                                                └─ at `to`: the task runs
//! ```

use std::collections::HashMap;
use std::time::Duration;

use weir_kafka::{
    Admin, Consumer, ErrorKind, FetchId, OffsetAt, Polled, Result, Role, TopicPartition,
};
use weir_state::Positions;

use super::{POLL_RECORDS, RestorePlan, Worker};
use crate::failure::QueryError;

struct Restoring {
    task: u64,
    store: usize,
    name: String,
    place: TopicPartition,
    position: i64,
    to: i64,
}

/// The consumer that reads changelogs; there only while there is something to restore.
pub(super) struct Restorer {
    consumer: Consumer,
    stores: HashMap<FetchId, Restoring>,
    polled: Polled,
}

impl Restorer {
    /// Reads a changelog from its first record on.
    fn begin_anew(&mut self, id: FetchId, admin: &Admin) -> Result<()> {
        let Some(mut at) = self.stores.remove(&id) else {
            return Ok(());
        };
        self.consumer.stop(id);
        let begin = admin.offsets(std::slice::from_ref(&at.place), OffsetAt::Beginning)?;
        at.position = begin.first().copied().unwrap_or(0);
        let (topic, partition) = (&at.place.topic, at.place.partition);
        let id = self.consumer.start(topic, partition, at.position)?;
        self.stores.insert(id, at);
        Ok(())
    }
}

/// Restored bytes that are held before they are written.
const WRITE_AT: usize = 16 << 20;

impl Worker {
    pub(super) fn start_restore(&mut self, task: u64, plan: &RestorePlan) -> Result<()> {
        if self.restorer.is_none() {
            let consumer = Consumer::new(&self.shared.client(Role::Consumer))?;
            self.restorer = Some(Restorer {
                consumer,
                stores: HashMap::new(),
                polled: Polled::default(),
            });
        }
        if let Some(restorer) = &mut self.restorer {
            let id = restorer
                .consumer
                .start(&plan.topic, plan.partition, plan.from)?;
            let name = plan.name.clone();
            let place = TopicPartition::new(plan.topic.as_str(), plan.partition);
            let (store, to, position) = (plan.store, plan.to, plan.from);
            restorer.stores.insert(
                id,
                Restoring {
                    task,
                    store,
                    name,
                    place,
                    position,
                    to,
                },
            );
        }
        Ok(())
    }

    pub(super) fn stop_restore(&mut self, task: u64) {
        let Some(restorer) = &mut self.restorer else {
            return;
        };
        let Restorer {
            consumer, stores, ..
        } = restorer;
        stores.retain(|id, restoring| {
            let keep = restoring.task != task;
            if !keep {
                consumer.stop(*id);
            }
            keep
        });
        if stores.is_empty() {
            self.restorer = None;
        }
    }

    /// Applies what came of the changelogs.
    pub(super) fn restore(&mut self) {
        let Some(mut restorer) = self.restorer.take() else {
            return;
        };
        let mut polled = std::mem::take(&mut restorer.polled);
        polled.clear();
        restorer
            .consumer
            .poll(POLL_RECORDS, Duration::ZERO, &mut polled);
        let mut failed: Vec<(u64, QueryError)> = Vec::new();
        for fetched in &polled.fetched {
            let Some(at) = restorer.stores.get_mut(&fetched.id) else {
                continue;
            };
            let Some(task) = self.tasks.get_mut(&at.task) else {
                continue;
            };
            let Some(store) = task.task.stores().get_mut(at.store) else {
                continue;
            };
            for (i, record) in fetched.batch.records.iter().enumerate() {
                let Some(key) = fetched.batch.key(i) else {
                    continue;
                };
                if let Err(error) = store.restore(key, fetched.batch.value(i), record.timestamp) {
                    failed.push((at.task, QueryError::of_engine(&error.into())));
                    break;
                }
            }
            if let Some(last) = fetched.batch.records.last() {
                at.position = last.offset + 1;
            }
        }
        for (id, offset) in &polled.ends {
            if let Some(at) = restorer.stores.get_mut(id) {
                at.position = at.position.max(*offset);
            }
        }
        for (id, error) in &polled.errors {
            let Some(task) = restorer.stores.get(id).map(|at| at.task) else {
                continue;
            };
            let failure = match error.kind {
                // Its oldest records went by retention since it was looked at.
                ErrorKind::OffsetOutOfRange => restorer.begin_anew(*id, &self.shared.admin).err(),
                ErrorKind::NotFound | ErrorKind::Unauthorized => Some(error.clone()),
                _ => None,
            };
            failed.extend(failure.map(|error| (task, QueryError::of_kafka(&error))));
        }
        restorer.polled = polled;
        self.restorer = Some(restorer);
        for (task, error) in failed {
            self.fail_query_of(task, error);
        }
        self.write_restored();
    }

    /// Writes restored data with its positions where a store is complete or much is held.
    fn write_restored(&mut self) {
        let Some(restorer) = &mut self.restorer else {
            return;
        };
        let done: Vec<FetchId> = restorer
            .stores
            .iter()
            .filter(|(_, at)| at.position >= at.to)
            .map(|(id, _)| *id)
            .collect();
        let held: Vec<u64> = restorer
            .stores
            .values()
            .filter(|at| {
                at.position >= at.to
                    || self
                        .tasks
                        .get(&at.task)
                        .and_then(|task| task.state.as_ref())
                        .is_some_and(|state| state.uncommitted_bytes() > WRITE_AT)
            })
            .map(|at| at.task)
            .collect();
        for task in held {
            let positions: Positions = restorer
                .stores
                .values()
                .filter(|at| at.task == task)
                .map(|at| (at.name.clone(), at.position))
                .collect();
            let state = self.tasks.get(&task).and_then(|task| task.state.clone());
            if let Some(state) = state
                && let Err(error) = self.shared.database.commit(&[(state.as_ref(), positions)])
            {
                let error = QueryError::of_engine(&error.into());
                return self.fail_query_of(task, error);
            }
        }
        let mut complete = Vec::new();
        for id in done {
            restorer.consumer.stop(id);
            if let Some(at) = restorer.stores.remove(&id)
                && let Some(task) = self.tasks.get_mut(&at.task)
            {
                task.restoring = task.restoring.saturating_sub(1);
                if task.restoring == 0 {
                    task.task.stores_changed();
                    complete.push(at.task);
                }
            }
        }
        if restorer.stores.is_empty() {
            self.restorer = None;
        }
        for task in complete {
            self.task_restored(task);
        }
    }
}
