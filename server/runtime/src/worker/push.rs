//! Push queries: tasks without transaction, changelog or group, whose rows go to a client.
//!
//! ```text
//!   shared fetch ─► tasks of part 0 ─► (repartition: handed over in memory) ─► tasks of part 1
//!                                                                                 │ rows
//!                               bounded channel, full: the query is not stepped ◄─┘
//! ```
//!
//! All partitions of a push query are on one worker, so its repartition topics need no Kafka.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use weir_engine::{Emitted, EngineError, StepLimits, Task, TopicName, Topology};
use weir_kafka::Waker;
use weir_state::{KvStore, MemoryStore};
use weir_types::records::{EncodedBatch, FetchedBatch, RecordMeta};

use super::{Current, SeedInput, Worker};
use crate::config::QueryOptions;
use crate::failure::now_ms;
use crate::fetch::{FetchTable, ReaderId};
use crate::layout::Layout;
use crate::push::PushEvent;

/// What a push query's client and its worker share.
pub(crate) struct PushShared {
    /// The channel was full when rows were to be sent.
    pub(crate) blocked: AtomicBool,
    pub(crate) waker: Waker,
}

/// One task of a push query: part, partition, and where its inputs start (`None`: handed over in
/// memory, or no such partition).
pub(crate) type PushPlace = (u32, u32, Vec<Option<SeedInput>>);

/// Everything a worker needs to run a push query.
pub(crate) struct PushSeed {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) topology: Topology,
    pub(crate) options: QueryOptions,
    pub(crate) commit_interval: Duration,
    pub(crate) layout: Layout,
    pub(crate) tasks: Vec<PushPlace>,
    pub(crate) limit: Option<u64>,
    pub(crate) rows: mpsc::Sender<PushEvent>,
    pub(crate) shared: Arc<PushShared>,
}

struct PushTask {
    key: u64,
    part: usize,
    partition: u32,
    task: Box<dyn Task>,
    idle: bool,
    dirty: bool,
    inputs: usize,
}

/// A push query on its worker.
pub(super) struct Push {
    name: String,
    topology: Topology,
    tasks: Vec<PushTask>,
    /// Who reads a repartition topic: part and input, by the topic's suffix.
    local: HashMap<String, (usize, usize)>,
    /// Next offset of each repartition topic's partition.
    offsets: HashMap<(String, u32), i64>,
    waiting: VecDeque<RecordBatch>,
    left: Option<u64>,
    rows: mpsc::Sender<PushEvent>,
    shared: Arc<PushShared>,
    interval: Duration,
    flushed: Instant,
    full: bool,
}

/// Rows of one step: a client sees its first rows soon.
const STEP_ROWS: usize = 1024;
/// Records queued in an input at which reading for it pauses.
const QUEUED: usize = 4096;

/// What a round of steps came to.
pub(super) enum Round {
    Going,
    Ended,
    Failed(String),
}

impl Push {
    fn open(seed: PushSeed, mut new_key: impl FnMut() -> u64) -> Result<Self, EngineError> {
        let mut local = HashMap::new();
        for (index, part) in seed.topology.parts.iter().enumerate() {
            for (input, spec) in part.inputs().iter().enumerate() {
                if let TopicName::Internal(suffix) = &spec.topic {
                    local.insert(suffix.clone(), (index, input));
                }
            }
        }
        let mut tasks = Vec::with_capacity(seed.tasks.len());
        for (part, partition, inputs) in &seed.tasks {
            let Some(topology) = seed.topology.parts.get(*part as usize) else {
                continue;
            };
            let stores = topology
                .stores()
                .iter()
                .map(|store| Box::new(MemoryStore::new(&store.name)) as Box<dyn KvStore>)
                .collect();
            let mut options = seed.options.task.clone();
            options.cache_bytes /= seed.tasks.len().max(1);
            options.output_partitions = topology
                .outputs()
                .iter()
                .map(|output| match &output.topic {
                    TopicName::Internal(suffix) => local
                        .get(suffix)
                        .and_then(|(part, _)| seed.layout.tasks.get(*part))
                        .copied()
                        .unwrap_or(1),
                    TopicName::User(name) => seed.layout.partitions_of(name),
                })
                .collect();
            let mut task = topology.new_task(*partition, stores, &options)?;
            for (input, place) in inputs.iter().enumerate() {
                // What is handed over in memory is there at once.
                task.set_caught_up(input, place.is_none());
            }
            tasks.push(PushTask {
                key: new_key(),
                part: *part as usize,
                partition: *partition,
                task,
                idle: false,
                dirty: false,
                inputs: inputs.len(),
            });
        }
        Ok(Self {
            name: seed.name,
            topology: seed.topology,
            tasks,
            local,
            offsets: HashMap::new(),
            waiting: VecDeque::new(),
            left: seed.limit,
            rows: seed.rows,
            shared: seed.shared,
            interval: seed.commit_interval,
            flushed: Instant::now(),
            full: false,
        })
    }

    fn task_of(&mut self, key: u64) -> Option<&mut PushTask> {
        self.tasks.iter_mut().find(|task| task.key == key)
    }

    pub(super) fn offer(&mut self, reader: ReaderId, batch: FetchedBatch) {
        if let Some(task) = self.task_of(reader.task) {
            task.task.set_caught_up(reader.input, false);
            task.task.offer(reader.input, batch);
            task.idle = false;
        }
    }

    pub(super) fn reached_end(&mut self, reader: ReaderId) {
        if let Some(task) = self.task_of(reader.task) {
            task.task.set_caught_up(reader.input, true);
            task.idle = false;
        }
    }

    pub(super) fn tell_caught_up(&mut self, table: &FetchTable) {
        for task in &mut self.tasks {
            for input in 0..task.inputs {
                if table.is_caught_up(ReaderId {
                    task: task.key,
                    input,
                }) {
                    task.task.set_caught_up(input, true);
                    task.idle = false;
                }
            }
        }
    }

    /// Whether a round would do something now.
    pub(super) fn is_runnable(&self) -> bool {
        if self.full {
            return !self.shared.blocked.load(Ordering::Acquire);
        }
        self.tasks
            .iter()
            .any(|t| !t.idle && (0..t.inputs).any(|input| t.task.queued(input) > 0))
    }

    /// When held rows are due.
    pub(super) fn flush_at(&self) -> Option<Instant> {
        self.tasks
            .iter()
            .any(|task| task.dirty)
            .then(|| self.flushed + self.interval)
    }

    /// Steps every task once, hands out what came.
    fn round(&mut self, emitted: &mut Emitted) -> Round {
        if let Some(end) = self.send_waiting() {
            return end;
        }
        if self.full {
            return Round::Going;
        }
        let flush = self.flush_at().is_some_and(|at| at <= Instant::now());
        for index in 0..self.tasks.len() {
            let Some(task) = self.tasks.get_mut(index) else {
                break;
            };
            let now_ms = now_ms();
            if !task.idle {
                let limits = StepLimits {
                    max_rows: STEP_ROWS,
                    now_ms,
                };
                match task.task.step(limits, emitted) {
                    Ok(taken) => {
                        task.idle = taken == 0;
                        task.dirty |= taken > 0;
                    }
                    Err(error) => return Round::Failed(error.to_string()),
                }
            }
            if flush
                && task.dirty
                && let Err(error) = task.task.flush(now_ms, emitted)
            {
                return Round::Failed(error.to_string());
            }
            if flush {
                task.dirty = false;
            }
            let (part, records) = (task.part, std::mem::take(&mut emitted.records));
            for (output, batch) in &records {
                self.hand_over(part, *output, batch);
            }
            self.waiting
                .extend(emitted.rows.drain(..).filter(|rows| rows.num_rows() > 0));
            emitted.changelog.clear();
            emitted.log.clear();
            emitted.counters = weir_engine::Counters::default();
            if let Some(end) = self.send_waiting() {
                return end;
            }
            if self.full {
                break;
            }
        }
        if flush {
            self.flushed = Instant::now();
        }
        Round::Going
    }

    /// Sends rows until the channel is full. `Some`: the query is over.
    fn send_waiting(&mut self) -> Option<Round> {
        self.full = false;
        loop {
            if self.left == Some(0) {
                return Some(Round::Ended);
            }
            let mut rows = self.waiting.pop_front()?;
            if let Some(left) = self.left
                && (rows.num_rows() as u64) > left
            {
                rows = rows.slice(0, left as usize);
            }
            let count = rows.num_rows() as u64;
            // Said before the try: a client that takes rows in between wakes us.
            self.shared.blocked.store(true, Ordering::Release);
            match self.rows.try_send(PushEvent::Rows(rows)) {
                Ok(()) => {
                    self.shared.blocked.store(false, Ordering::Release);
                    self.left = self.left.map(|left| left - count);
                }
                Err(TrySendError::Full(PushEvent::Rows(rows))) => {
                    self.waiting.push_front(rows);
                    self.full = true;
                    return None;
                }
                Err(_) => return Some(Round::Ended),
            }
        }
    }

    /// Gives records of a repartition topic to the tasks that read it.
    fn hand_over(&mut self, part: usize, output: usize, batch: &EncodedBatch) {
        let topic = self
            .topology
            .parts
            .get(part)
            .and_then(|part| part.outputs().get(output));
        let Some(TopicName::Internal(suffix)) = topic.map(|output| &output.topic) else {
            return;
        };
        let Some((part, input)) = self.local.get(suffix).copied() else {
            return;
        };
        for task in self.tasks.iter_mut().filter(|task| task.part == part) {
            let next = self
                .offsets
                .entry((suffix.clone(), task.partition))
                .or_insert(0);
            let records = records_of(batch, task.partition, next);
            if !records.records.is_empty() {
                task.task.offer(input, records);
                task.idle = false;
            }
        }
    }
}

/// The records of a batch that go to one partition, as if they had been fetched.
fn records_of(batch: &EncodedBatch, partition: u32, next: &mut i64) -> FetchedBatch {
    let mut arena = Vec::new();
    let mut headers = Vec::new();
    let mut records = Vec::new();
    let put = |arena: &mut Vec<u8>, bytes: &[u8]| {
        let start = arena.len() as u32;
        arena.extend_from_slice(bytes);
        start..arena.len() as u32
    };
    for i in 0..batch.values.len() {
        let to = batch.partitions.get(i).copied().unwrap_or(0);
        if u32::try_from(to) != Ok(partition) {
            continue;
        }
        let first = headers.len() as u32;
        for (name, value) in batch.headers.get(i).into_iter().flatten() {
            let name = put(&mut arena, name.as_bytes());
            let value = value.as_ref().map(|value| put(&mut arena, value));
            headers.push((name, value));
        }
        records.push(RecordMeta {
            offset: *next,
            timestamp: batch.timestamps.get(i).copied().unwrap_or(0),
            key: batch.keys.get(i).map(|bytes| put(&mut arena, bytes)),
            value: batch.values.get(i).map(|bytes| put(&mut arena, bytes)),
            headers: first..headers.len() as u32,
        });
        *next += 1;
    }
    FetchedBatch {
        arena: Arc::new(arena),
        records,
        headers,
    }
}

impl Worker {
    pub(super) fn open_push(&mut self, seed: PushSeed) {
        let id = seed.id;
        let rows = seed.rows.clone();
        let places = seed.tasks.clone();
        let mut key = self.next_key;
        let opened = Push::open(seed, || {
            key += 1;
            key
        });
        self.next_key = key;
        let push = match opened {
            Ok(push) => push,
            Err(error) => {
                let _ = rows.try_send(PushEvent::Failed(error.to_string()));
                return;
            }
        };
        for (task, (_, partition, inputs)) in push.tasks.iter().zip(places) {
            self.push_of.insert(task.key, id);
            for (input, place) in inputs.into_iter().enumerate() {
                if let Some(place) = place {
                    let reader = ReaderId {
                        task: task.key,
                        input,
                    };
                    let partition = self.partition_key(place.topic, partition as i32);
                    self.table.add(reader, partition, place.offset);
                }
            }
        }
        self.pushes.insert(id, push);
    }

    pub(super) fn close_push(&mut self, id: u64) {
        let Some(push) = self.pushes.remove(&id) else {
            return;
        };
        tracing::debug!("push query {} ended", push.name);
        for task in &push.tasks {
            self.push_of.remove(&task.key);
            for input in 0..task.inputs {
                self.table.remove(ReaderId {
                    task: task.key,
                    input,
                });
            }
        }
    }

    pub(super) fn fail_push(&mut self, id: u64, message: String) {
        if let Some(push) = self.pushes.get(&id) {
            tracing::warn!("push query {} failed: {message}", push.name);
            // A client that does not read learns it by the end of its rows.
            let _ = push.rows.try_send(PushEvent::Failed(message));
        }
        self.close_push(id);
    }

    pub(super) fn step_pushes(&mut self) {
        let mut over = Vec::new();
        for (id, push) in &mut self.pushes {
            self.current = Some(Current::Push(*id));
            match push.round(&mut self.emitted) {
                Round::Going => {}
                Round::Ended => over.push((*id, None)),
                Round::Failed(message) => over.push((*id, Some(message))),
            }
            for task in &push.tasks {
                for input in 0..task.inputs {
                    let full = push.full || task.task.queued(input) >= QUEUED;
                    self.table.set_full(
                        ReaderId {
                            task: task.key,
                            input,
                        },
                        full,
                    );
                }
            }
        }
        for (id, failure) in over {
            match failure {
                Some(message) => self.fail_push(id, message),
                None => {
                    if let Some(push) = self.pushes.get(&id) {
                        let _ = push.rows.try_send(PushEvent::LimitReached);
                    }
                    self.close_push(id);
                }
            }
        }
    }
}
