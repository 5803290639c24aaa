//! Polling the consumers and handing out what came.

use std::collections::HashMap;
use std::time::Duration;

use weir_kafka::{
    Consumer, ErrorKind, FetchId, KafkaError, OffsetAt, Polled, Role, TopicPartition,
};
use weir_types::records::FetchedBatch;

use super::{POLL_RECORDS, Worker};
use crate::failure::{QueryError, now_ms};
use crate::fetch::{Action, Delivery, FetchKey, PartitionKey, ReaderId};

/// A consumer, and which of its fetches is which.
pub(super) struct Lane {
    pub(super) consumer: Consumer,
    by_id: HashMap<FetchId, PartitionKey>,
    by_partition: HashMap<PartitionKey, FetchId>,
}

impl Lane {
    pub(super) fn new(consumer: Consumer) -> Self {
        Self {
            consumer,
            by_id: HashMap::new(),
            by_partition: HashMap::new(),
        }
    }

    fn started(&mut self, partition: PartitionKey, id: FetchId) {
        self.by_id.insert(id, partition);
        self.by_partition.insert(partition, id);
    }

    fn stop(&mut self, partition: PartitionKey) {
        if let Some(id) = self.by_partition.remove(&partition) {
            self.by_id.remove(&id);
            self.consumer.stop(id);
        }
    }
}

impl Worker {
    pub(super) fn partition_key(&mut self, topic: String, partition: i32) -> PartitionKey {
        let next = PartitionKey(self.names.len() as u32);
        let names = &mut self.names;
        *self
            .partitions
            .entry((topic, partition))
            .or_insert_with_key(|name| {
                names.push(name.clone());
                next
            })
    }

    /// Brings the consumers to what the readers need.
    pub(super) fn carry_out_plan(&mut self) {
        self.table.reconsider();
        let actions = self.table.plan();
        let planned = !actions.is_empty();
        for action in actions {
            if let Err((key, error)) = self.carry_out(action) {
                tracing::warn!("{error}");
                self.table.lost(key);
            }
        }
        if planned {
            // A lane that nobody needs is closed: its consumer has threads and buffers.
            while self.lanes.len() > 1 && self.lanes.last().is_some_and(|l| l.by_id.is_empty()) {
                self.lanes.pop();
            }
            self.tell_caught_up();
        }
    }

    fn carry_out(&mut self, action: Action) -> Result<(), (FetchKey, KafkaError)> {
        match action {
            Action::Start(key, offset) => {
                while self.lanes.len() <= key.lane {
                    let config = self.shared.client(Role::Consumer);
                    self.lanes
                        .push(Lane::new(Consumer::new(&config).map_err(|e| (key, e))?));
                }
                let Some((topic, partition)) = self.names.get(key.partition.0 as usize) else {
                    return Ok(());
                };
                if let Some(lane) = self.lanes.get_mut(key.lane) {
                    let id = lane
                        .consumer
                        .start(topic, *partition, offset)
                        .map_err(|error| (key, error))?;
                    lane.started(key.partition, id);
                }
            }
            Action::Stop(key) => {
                if let Some(lane) = self.lanes.get_mut(key.lane) {
                    lane.stop(key.partition);
                }
            }
            Action::Hold(key) | Action::Release(key) => {
                if let Some(lane) = self.lanes.get(key.lane)
                    && let Some(id) = lane.by_partition.get(&key.partition)
                {
                    if matches!(action, Action::Hold(_)) {
                        lane.consumer.hold(*id);
                    } else {
                        lane.consumer.release(*id);
                    }
                }
            }
        }
        Ok(())
    }

    /// Readers that joined a fetch at its end hear of it here.
    fn tell_caught_up(&mut self) {
        for (key, task) in &mut self.tasks {
            for input in 0..task.topics.len() {
                if self.table.is_caught_up(ReaderId { task: *key, input }) {
                    task.task.set_caught_up(input, true);
                    task.idle = false;
                }
            }
        }
        for push in self.pushes.values_mut() {
            push.tell_caught_up(&self.table);
        }
    }

    /// Takes what came, waiting for the first.
    pub(super) fn poll(&mut self, wait: Duration) {
        let mut polled = std::mem::take(&mut self.polled);
        for lane in 0..self.lanes.len() {
            polled.clear();
            let wait = if lane == 0 { wait } else { Duration::ZERO };
            if let Some(lane) = self.lanes.get_mut(lane) {
                lane.consumer.poll(POLL_RECORDS, wait, &mut polled);
            }
            self.hand_out(lane, &mut polled);
        }
        self.polled = polled;
    }

    fn key_of(&self, lane: usize, id: FetchId) -> Option<FetchKey> {
        let partition = *self.lanes.get(lane)?.by_id.get(&id)?;
        Some(FetchKey { lane, partition })
    }

    fn hand_out(&mut self, lane: usize, polled: &mut Polled) {
        let mut to: Vec<Delivery> = Vec::new();
        for fetched in polled.fetched.drain(..) {
            let Some(key) = self.key_of(lane, fetched.id) else {
                continue;
            };
            let Some(last) = fetched.batch.records.last() else {
                continue;
            };
            to.clear();
            self.table.arrived(key, last.offset + 1, &mut to);
            let mut batch = Some(fetched.batch);
            for (i, delivery) in to.iter().enumerate() {
                let part = if i + 1 == to.len() {
                    batch.take()
                } else {
                    batch.clone()
                };
                if let Some(part) = part {
                    self.offer(delivery.reader, from(part, delivery.from));
                }
            }
        }
        for (id, offset) in polled.ends.drain(..) {
            let Some(key) = self.key_of(lane, id) else {
                continue;
            };
            let mut readers = std::mem::take(&mut self.moved);
            readers.clear();
            self.table.ended(key, offset, &mut readers);
            for reader in &readers {
                self.reached_end(*reader);
            }
            self.moved = readers;
        }
        for (id, error) in polled.errors.drain(..) {
            if let Some(key) = self.key_of(lane, id) {
                self.fetch_failed(key, error);
            }
        }
    }

    fn offer(&mut self, reader: ReaderId, batch: FetchedBatch) {
        if let Some(task) = self.tasks.get_mut(&reader.task) {
            if let Some(Some(topic)) = task.topics.get(reader.input) {
                task.query.state.traffic.read(topic, &batch, now_ms());
            }
            task.task.set_caught_up(reader.input, false);
            task.task.offer(reader.input, batch);
            task.idle = false;
        } else if let Some(push) = self
            .push_of
            .get(&reader.task)
            .and_then(|id| self.pushes.get_mut(id))
        {
            push.offer(reader, batch);
        }
    }

    fn reached_end(&mut self, reader: ReaderId) {
        if let Some(task) = self.tasks.get_mut(&reader.task) {
            task.task.set_caught_up(reader.input, true);
            task.idle = false;
            // Transaction markers moved the end: committed, so that nothing seems to lag.
            let at = self.table.position(reader);
            let position = task.position(reader.input, at);
            if task
                .committed
                .get(reader.input)
                .is_some_and(|committed| *committed < position)
            {
                task.dirty = true;
                self.begin_epoch();
            }
        } else if let Some(push) = self
            .push_of
            .get(&reader.task)
            .and_then(|id| self.pushes.get_mut(id))
        {
            push.reached_end(reader);
        }
    }

    fn fetch_failed(&mut self, key: FetchKey, error: KafkaError) {
        let Some((topic, partition)) = self.names.get(key.partition.0 as usize).cloned() else {
            return;
        };
        match error.kind {
            ErrorKind::OffsetOutOfRange => {
                // What was to be read is gone (retention, or the topic was made anew).
                let place = [TopicPartition::new(topic.as_str(), partition)];
                match self.shared.admin.offsets(&place, OffsetAt::Beginning) {
                    Ok(offsets) => {
                        let start = offsets.first().copied().unwrap_or(0);
                        tracing::warn!("{error}; going on at the first record, offset {start}");
                        for reader in self.table.readers_of(key) {
                            self.table.reset(reader, start);
                        }
                    }
                    Err(error) => tracing::warn!("{error}"),
                }
            }
            ErrorKind::NotFound | ErrorKind::Unauthorized => {
                for reader in self.table.readers_of(key) {
                    let error = QueryError::of_kafka(&error);
                    if let Some(push) = self.push_of.get(&reader.task).copied() {
                        self.fail_push(push, error.message);
                    } else {
                        self.fail_query_of(reader.task, error);
                    }
                }
            }
            // The client tries again by itself.
            _ => tracing::warn!("{error}"),
        }
    }
}

/// The records of a batch from an offset on.
fn from(mut batch: FetchedBatch, offset: i64) -> FetchedBatch {
    if batch
        .records
        .first()
        .is_some_and(|record| record.offset < offset)
    {
        batch.records.retain(|record| record.offset >= offset);
    }
    batch
}
