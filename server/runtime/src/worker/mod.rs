//! A worker: one thread, one transactional producer, many tasks of many queries of one guarantee.
//!
//! ```text
//!  commands ─┐
//!  consumer ─┴► poll ─► offer ─► step, produce ─► … ─► end of epoch:
//!                                                       flush ─ produce ─ offsets ─ commit
//!                                                       └─ RocksDB: data + positions
//! ```
//!
//! An epoch begins with the first thing that happens and ends by the commit interval, by the limits
//! of uncommitted state and of rows for other tasks, or when tasks are to be closed. If anything in it fails, the transaction
//! is aborted and every task goes back to the last commit.
//!
//! Invariant: RocksDB is written after the transaction was committed, never before.

mod epoch;
mod output;
mod publish;
mod push;
mod reading;
mod restore;
mod task;

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use weir_engine::{Emitted, LogEntry, StepLimits};
use weir_kafka::{Admin, ClientConfig, Consumer, GroupMetadata, Polled, Role, Waker};
use weir_state::Database;

use crate::config::{Guarantee, RuntimeConfig};
use crate::failure::{ErrorClass, QueryError, now_ms};
use crate::fetch::{FetchTable, PartitionKey, ReaderId};
use crate::query::QueryContext;
use epoch::Epoch;
pub(crate) use output::Output;
use push::Push;
pub(crate) use push::{PushPlace, PushSeed, PushShared};
use reading::Lane;
use restore::Restorer;
use task::RunningTask;
pub(crate) use task::{RestorePlan, SeedInput, TaskSeed};

/// What workers and the supervisor share.
pub(crate) struct Shared {
    pub(crate) config: RuntimeConfig,
    pub(crate) instance: String,
    pub(crate) admin: Admin,
    pub(crate) database: Database,
}

impl Shared {
    pub(crate) fn client(&self, role: Role) -> ClientConfig {
        let properties = self.config.properties.iter();
        ClientConfig::from_properties(properties.map(|(k, v)| (k.as_str(), v.as_str())), role)
    }
}

/// The membership under which this server's tasks run.
#[derive(Clone)]
pub(crate) struct Membership {
    pub(crate) group: Arc<GroupMetadata>,
    pub(crate) topic: Arc<str>,
}

/// What a worker is told. Tasks are closed with a commit; `done` is answered by dropping it.
pub(crate) enum Command {
    Open(Box<TaskSeed>),
    Close {
        query: String,
        done: Sender<()>,
    },
    CloseAll {
        done: Sender<()>,
    },
    /// The membership to work under. Answered once what an earlier run left open is aborted.
    Join {
        membership: Membership,
        done: Sender<()>,
    },
    PauseChanged,
    Push(Box<PushSeed>),
    CancelPush(u64),
    Stop {
        done: Sender<()>,
    },
}

/// What a worker tells.
pub(crate) enum Report {
    /// A query failed; its tasks on this worker are closed.
    Failed { query: String, error: QueryError },
    /// The outcome of a transaction is not known, or the membership is stale: all tasks of this
    /// worker are closed and have to be prepared anew.
    Reset { worker: usize },
}

/// How a worker is reached.
#[derive(Clone)]
pub(crate) struct WorkerHandle {
    pub(crate) commands: Sender<Command>,
    pub(crate) waker: Waker,
}

impl WorkerHandle {
    pub(crate) fn tell(&self, command: Command) {
        if self.commands.send(command).is_ok() {
            self.waker.wake();
        }
    }
}

/// Rows of one step.
const STEP_ROWS: usize = 8192;
/// Records of one poll.
const POLL_RECORDS: usize = 16384;
/// Consumers of a worker at most: one, and others for readers that lag.
const LANES: usize = 3;
/// With nothing to do, a worker looks up so seldom.
const IDLE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy)]
enum Current {
    Task(u64),
    Push(u64),
}

/// See the module.
pub(crate) struct Worker {
    index: usize,
    shared: Arc<Shared>,
    commands: Receiver<Command>,
    reports: Sender<Report>,
    lanes: Vec<Lane>,
    table: FetchTable,
    partitions: HashMap<(String, i32), PartitionKey>,
    names: Vec<(String, i32)>,
    tasks: BTreeMap<u64, RunningTask>,
    pushes: BTreeMap<u64, Push>,
    /// Which push query a reader's task key belongs to.
    push_of: HashMap<u64, u64>,
    next_key: u64,
    output: Output,
    restorer: Option<Restorer>,
    membership: Option<Membership>,
    /// The epoch under way.
    epoch: Option<Epoch>,
    /// After an epoch that was given up, nothing is stepped before this.
    rest_until: Option<Instant>,
    positions_looked_up: Instant,
    purged: Instant,
    /// What is being stepped or flushed.
    current: Option<Current>,
    emitted: Emitted,
    polled: Polled,
    moved: Vec<ReaderId>,
}

impl Worker {
    /// Starts the thread.
    pub(crate) fn spawn(
        index: usize,
        guarantee: Guarantee,
        shared: Arc<Shared>,
        reports: Sender<Report>,
    ) -> Result<WorkerHandle, crate::RuntimeError> {
        let consumer = Consumer::new(&shared.client(Role::Consumer))?;
        let waker = consumer.waker();
        let (tell, commands) = crossbeam_channel::unbounded();
        let id = format!("{}-{}-{index}", shared.config.service_id, shared.instance);
        let deadline = shared.config.transaction_deadline;
        let output = Output::new(shared.client(Role::Producer), id, deadline, guarantee);
        let mut worker = Self {
            index,
            shared,
            commands,
            reports,
            lanes: vec![Lane::new(consumer)],
            table: FetchTable::new(LANES),
            partitions: HashMap::new(),
            names: Vec::new(),
            tasks: BTreeMap::new(),
            pushes: BTreeMap::new(),
            push_of: HashMap::new(),
            next_key: 1,
            output,
            restorer: None,
            membership: None,
            epoch: None,
            rest_until: None,
            positions_looked_up: Instant::now(),
            purged: Instant::now(),
            current: None,
            emitted: Emitted::default(),
            polled: Polled::default(),
            moved: Vec::new(),
        };
        std::thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || worker.run())
            .map_err(|e| crate::RuntimeError::Start(format!("worker thread: {e}")))?;
        Ok(WorkerHandle {
            commands: tell,
            waker,
        })
    }

    fn run(&mut self) {
        loop {
            // A panic in an operator must not take all other queries with it.
            match catch_unwind(AssertUnwindSafe(|| self.turn())) {
                Ok(true) => return,
                Ok(false) => {}
                Err(panic) => self.panicked(panic.as_ref()),
            }
        }
    }

    /// One turn of the loop. Whether the worker is to end.
    fn turn(&mut self) -> bool {
        self.current = None;
        while let Ok(command) = self.commands.try_recv() {
            if self.handle(command) {
                return true;
            }
        }
        self.carry_out_plan();
        let wait = self.wait();
        self.poll(wait);
        self.restore();
        self.step_tasks();
        self.publish();
        self.step_pushes();
        if self.is_epoch_due() {
            self.end_epoch();
        }
        false
    }

    /// The query at work is taken for the one to blame.
    fn panicked(&mut self, panic: &(dyn Any + Send)) {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        let message = format!("internal error: {text}");
        tracing::error!("{message}");
        match self.current.take() {
            Some(Current::Task(key)) => {
                self.fail_query_of(key, QueryError::new(ErrorClass::Unknown, message));
            }
            Some(Current::Push(id)) => {
                self.emitted = Emitted::default();
                self.fail_push(id, message);
            }
            None => self.give_up_epoch(),
        }
    }

    /// Whether the worker is to end.
    fn handle(&mut self, command: Command) -> bool {
        match command {
            Command::Open(seed) => self.open(&seed),
            Command::Close { query, done } => {
                self.end_epoch();
                self.look_up_positions();
                self.close_tasks(|task| task.query.spec.id == query);
                drop(done);
            }
            Command::CloseAll { done } => {
                self.end_epoch();
                self.look_up_positions();
                self.close_tasks(|_| true);
                drop(done);
            }
            Command::Join { membership, done } => {
                self.membership = Some(membership);
                if let Err(error) = self.output.open() {
                    tracing::warn!("{error}");
                }
                drop(done);
            }
            Command::PauseChanged => self.pause_changed(),
            Command::Push(seed) => self.open_push(*seed),
            Command::CancelPush(id) => self.close_push(id),
            Command::Stop { done } => {
                self.end_epoch();
                self.look_up_positions();
                self.close_tasks(|_| true);
                drop(done);
                return true;
            }
        }
        false
    }

    fn open(&mut self, seed: &TaskSeed) {
        let mut task = match RunningTask::open(seed) {
            Ok(task) => task,
            Err(error) => {
                let (query, error) = (seed.query.spec.id.clone(), QueryError::of_engine(&error));
                return self.report(Report::Failed { query, error });
            }
        };
        seed.query
            .state
            .task_opened((seed.part, seed.partition), seed.state.as_ref());
        let key = self.new_key();
        for plan in &seed.restore {
            if let Err(error) = self.start_restore(key, plan) {
                self.stop_restore(key);
                task.query
                    .state
                    .task_closed((seed.part, seed.partition), true);
                let query = seed.query.spec.id.clone();
                let error = QueryError::of_kafka(&error);
                return self.report(Report::Failed { query, error });
            }
        }
        task.restoring = seed.restore.len();
        let dirty = task.dirty;
        self.tasks.insert(key, task);
        if seed.restore.is_empty() {
            self.task_restored(key);
        }
        if dirty {
            self.begin_epoch();
        }
    }

    /// A task whose stores are complete starts to read its inputs.
    fn task_restored(&mut self, key: u64) {
        let Some(task) = self.tasks.get_mut(&key) else {
            return;
        };
        task.restoring = 0;
        task.query.state.task_restored();
        let paused = task.query.state.is_paused();
        let inputs: Vec<_> = task
            .topics
            .iter()
            .zip(&task.committed)
            .enumerate()
            .filter_map(|(input, (topic, at))| {
                Some((input, topic.clone()?, task.partition as i32, *at))
            })
            .collect();
        for (input, topic, partition, at) in inputs {
            let partition = self.partition_key(topic, partition);
            let reader = ReaderId { task: key, input };
            self.table.add(reader, partition, at);
            self.table.set_full(reader, paused);
        }
    }

    fn close_tasks(&mut self, which: impl Fn(&RunningTask) -> bool) {
        let keys: Vec<u64> = self
            .tasks
            .iter()
            .filter(|(_, task)| which(task))
            .map(|(key, _)| *key)
            .collect();
        for key in keys {
            self.close_task(key);
        }
    }

    fn close_task(&mut self, key: u64) {
        let Some(task) = self.tasks.remove(&key) else {
            return;
        };
        for input in 0..task.topics.len() {
            self.table.remove(ReaderId { task: key, input });
        }
        self.stop_restore(key);
        if let Some(state) = &task.state {
            state.discard();
        }
        task.query
            .state
            .task_closed((task.part, task.partition), task.restoring > 0);
        for topic in task.query.outputs.iter().flatten() {
            self.output.forget_topic(topic);
        }
    }

    fn pause_changed(&mut self) {
        for (key, task) in &mut self.tasks {
            let paused = task.query.state.is_paused();
            task.idle = false;
            for input in 0..task.topics.len() {
                self.table.set_full(ReaderId { task: *key, input }, paused);
            }
        }
    }

    fn step_tasks(&mut self) {
        if self.rest_until.is_some_and(|until| Instant::now() < until) {
            return;
        }
        self.rest_until = None;
        let keys: Vec<u64> = self
            .tasks
            .iter()
            .filter(|(_, task)| task.is_runnable())
            .map(|(key, _)| *key)
            .collect();
        for key in keys {
            if let Err(error) = self.step_task(key) {
                // Everything is back at the last commit: what is left to do is seen anew.
                return self.fail(key, error);
            }
            if self.is_epoch_due() {
                return;
            }
        }
    }

    fn step_task(&mut self, key: u64) -> Result<(), epoch::Failure> {
        self.current = Some(Current::Task(key));
        loop {
            let Some(task) = self.tasks.get_mut(&key) else {
                return Ok(());
            };
            let limits = StepLimits {
                max_rows: STEP_ROWS,
                now_ms: now_ms(),
            };
            let taken = task.task.step(limits, &mut self.emitted)?;
            // Records that were dropped move the position without being taken.
            task.dirty |= taken > 0 || self.emitted.counters.consumed > 0;
            if task.dirty {
                self.epoch.get_or_insert_with(Epoch::now);
            }
            if taken > 0 {
                task.changed();
            }
            task.idle = taken == 0;
            self.write_emitted(key)?;
            if taken == 0 || self.is_epoch_due() {
                break;
            }
        }
        let Some(task) = self.tasks.get(&key) else {
            return Ok(());
        };
        let limit = task.query.spec.options.buffered_records.max(POLL_RECORDS);
        for input in 0..task.topics.len() {
            let full = task.task.queued(input) >= limit;
            self.table.set_full(ReaderId { task: key, input }, full);
        }
        Ok(())
    }

    /// How long polling may wait.
    fn wait(&self) -> Duration {
        let rest = self
            .rest_until
            .map(|until| until.saturating_duration_since(Instant::now()));
        let busy = rest.is_none()
            && self
                .tasks
                .values()
                .any(|task| task.is_runnable() && has_queued(task));
        if busy || self.pushes.values().any(Push::is_runnable) {
            return Duration::ZERO;
        }
        let mut wait = IDLE;
        for due in [self.epoch_due_at(), self.publish_at()]
            .into_iter()
            .flatten()
        {
            wait = wait.min(due.saturating_duration_since(Instant::now()));
        }
        for due in self.pushes.values().filter_map(Push::flush_at) {
            wait = wait.min(due.saturating_duration_since(Instant::now()));
        }
        wait = wait.min(rest.unwrap_or(IDLE));
        let elsewhere = self.restorer.is_some() || self.lanes.len() > 1;
        if elsewhere {
            wait = wait.min(Duration::from_millis(5));
        }
        wait
    }

    fn new_key(&mut self) -> u64 {
        self.next_key += 1;
        self.next_key
    }

    fn report(&self, report: Report) {
        // The supervisor is gone only when the whole runtime is.
        let _ = self.reports.send(report);
    }

    fn log(&mut self, query: &QueryContext) {
        for entry in &self.emitted.log {
            if let LogEntry::Deserialization { topic, .. } = entry {
                query.state.traffic.failed(topic, now_ms());
            }
        }
        match &self.shared.config.log {
            Some(log) => {
                for entry in self.emitted.log.drain(..) {
                    let _ = log.try_send((query.spec.id.clone(), entry));
                }
            }
            None => self.emitted.log.clear(),
        }
    }
}

fn has_queued(task: &RunningTask) -> bool {
    (0..task.topics.len()).any(|input| task.task.queued(input) > 0)
}
