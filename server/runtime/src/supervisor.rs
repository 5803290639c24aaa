//! Which tasks run here: queries, slots, placement on workers, and trying again after failures.
//!
//! ```text
//!   start / stop / drop ─┐
//!   slots given, taken ──┼─► supervisor ─► prepare ─► Open, Close ─► workers
//!   a query failed ──────┘        └─ waits, then prepares again
//! ```
//!
//! One thread, so that all of this happens in one order. A task's worker is its slot modulo the
//! number of workers, of which there is one team for each guarantee that is used; the second is
//! started when its first query is.
//!
//! Invariant: tasks are prepared only while this server holds their slots, and after everything
//! that ran under an older membership was closed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, select, unbounded};
use parking_lot::RwLock;
use weir_kafka::ErrorKind;

use crate::config::{Guarantee, QuerySpec};
use crate::failure::{ErrorClass, QueryError, after};
use crate::names::application_id;
use crate::prepare;
use crate::query::{QueryContext, QueryState};
use crate::worker::{Command, Membership, Report, Shared, TaskSeed, Worker, WorkerHandle};

/// What the supervisor is told.
pub(crate) enum Order {
    Start(Box<QuerySpec>, Arc<QueryState>),
    /// Closes the tasks; all that the query keeps stays.
    Stop {
        query: String,
        done: Sender<()>,
    },
    /// Closes the tasks and removes state, internal topics and group.
    Drop {
        query: String,
        done: Sender<()>,
    },
    PauseChanged,
    /// Slots were given to this server.
    Joined {
        membership: Membership,
        slots: Vec<u32>,
        slot_count: u32,
    },
    /// Slots are to be given back; `done` is answered once nothing runs on them.
    Revoked {
        done: Sender<()>,
    },
    /// Answers when every query that was to start before it was prepared.
    Shutdown {
        done: Sender<()>,
    },
}

/// States of all queries, seen from outside.
pub(crate) type Queries = Arc<RwLock<BTreeMap<String, Arc<QueryState>>>>;

struct Entry {
    spec: QuerySpec,
    state: Arc<QueryState>,
    /// Known once it was prepared.
    context: Option<Arc<QueryContext>>,
    /// When to prepare it; `None`: it runs.
    prepare_at: Option<Instant>,
    /// Workers that have tasks of it.
    workers: Vec<usize>,
}

/// A query that is to run here.
struct Job {
    spec: QuerySpec,
    state: Arc<QueryState>,
    owned: Vec<u32>,
    slot_count: u32,
    team: usize,
}

/// A query whose tasks can be opened.
struct Prepared {
    context: Arc<QueryContext>,
    seeds: Vec<TaskSeed>,
    team: usize,
}

impl Job {
    fn prepare(self, shared: &Shared) -> Result<Prepared, (String, QueryError)> {
        let query = self.spec.id.clone();
        let prepare = || {
            let context = Arc::new(prepare::context(shared, self.spec, self.state)?);
            let seeds = prepare::tasks(shared, &context, &self.owned, self.slot_count)?;
            Ok(Prepared {
                context,
                seeds,
                team: self.team,
            })
        };
        prepare().map_err(|error| (query, error))
    }
}

/// Queries that are prepared at once. Most of the time is spent waiting for brokers.
const PREPARED_AT_ONCE: usize = 8;

/// Does the work of all jobs on up to `threads` threads; results are handed over on this one, as
/// they come.
fn each_concurrently<J: Send, R: Send>(
    jobs: Vec<J>,
    threads: usize,
    work: impl Fn(J) -> R + Sync,
    mut done: impl FnMut(R),
) {
    if jobs.len() < 2 {
        return jobs.into_iter().map(work).for_each(done);
    }
    let threads = threads.min(jobs.len());
    let (give, take) = unbounded();
    for job in jobs {
        // The receiver is below.
        let _ = give.send(job);
    }
    drop(give);
    let (report, results) = unbounded();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (take, report, work) = (take.clone(), report.clone(), &work);
            scope.spawn(move || {
                for job in take {
                    let _ = report.send(work(job));
                }
            });
        }
        drop(report);
        for result in results {
            done(result);
        }
    });
}

struct Slots {
    owned: Vec<u32>,
    count: u32,
    membership: Membership,
}

/// See the module.
pub(crate) struct Supervisor {
    shared: Arc<Shared>,
    /// The team of the server's guarantee, then that of the other, once it is needed.
    workers: Vec<WorkerHandle>,
    /// Workers of a team.
    team: usize,
    orders: Receiver<Order>,
    reports: (Sender<Report>, Receiver<Report>),
    queries: BTreeMap<String, Entry>,
    visible: Queries,
    slots: Option<Slots>,
}

/// How long closing tasks may take, commit included.
const CLOSING: Duration = Duration::from_secs(30);

impl Supervisor {
    pub(crate) fn new(
        shared: Arc<Shared>,
        workers: Vec<WorkerHandle>,
        orders: Receiver<Order>,
        reports: (Sender<Report>, Receiver<Report>),
        visible: Queries,
    ) -> Self {
        Self {
            shared,
            team: workers.len().max(1),
            workers,
            orders,
            reports,
            queries: BTreeMap::new(),
            visible,
            slots: None,
        }
    }

    pub(crate) fn run(mut self) {
        loop {
            let wait = self.next_due().map_or(Duration::from_secs(3600), |due| {
                due.saturating_duration_since(Instant::now())
            });
            let (orders, reports) = (self.orders.clone(), self.reports.1.clone());
            select! {
                recv(orders) -> order => match order {
                    Ok(order) => if self.obey(order) { return },
                    Err(_) => return,
                },
                recv(reports) -> report => if let Ok(report) = report {
                    self.hear(report);
                },
                default(wait) => {}
            }
            self.prepare_due();
        }
    }

    fn next_due(&self) -> Option<Instant> {
        self.slots.as_ref()?;
        self.queries
            .values()
            .filter_map(|entry| entry.prepare_at)
            .min()
    }

    /// Whether the supervisor is to end.
    fn obey(&mut self, order: Order) -> bool {
        match order {
            Order::Start(spec, state) => {
                // A query that is replaced goes on from what it has committed.
                self.close(&spec.id.clone());
                let entry = Entry {
                    spec: *spec,
                    state,
                    context: None,
                    prepare_at: Some(Instant::now()),
                    workers: Vec::new(),
                };
                self.queries.insert(entry.spec.id.clone(), entry);
            }
            Order::Stop { query, done } => {
                self.close(&query);
                self.queries.remove(&query);
                drop(done);
            }
            Order::Drop { query, done } => {
                self.close(&query);
                let entry = self.queries.remove(&query);
                self.clean_up(&query, entry);
                drop(done);
            }
            // What was ordered before has been prepared when this is read.
            Order::PauseChanged => {
                for worker in &self.workers {
                    worker.tell(Command::PauseChanged);
                }
            }
            Order::Joined {
                membership,
                slots,
                slot_count,
            } => {
                // Whatever an earlier run of this server left open is aborted before anybody
                // reads what is committed.
                self.tell_all(|done| Command::Join {
                    membership: membership.clone(),
                    done,
                });
                tracing::debug!("slots {slots:?} of {slot_count} are ours");
                self.slots = Some(Slots {
                    owned: slots,
                    count: slot_count,
                    membership,
                });
                self.prepare_all();
            }
            Order::Revoked { done } => {
                self.close_all();
                self.slots = None;
                drop(done);
            }
            Order::Shutdown { done } => {
                self.tell_all(|done| Command::Stop { done });
                if let Err(error) = self.shared.database.flush() {
                    tracing::warn!("{error}");
                }
                drop(done);
                return true;
            }
        }
        false
    }

    fn hear(&mut self, report: Report) {
        match report {
            Report::Failed { query, error } => self.failed(&query, error),
            Report::Reset { worker } => {
                let affected: Vec<String> = self
                    .queries
                    .values()
                    .filter(|entry| entry.workers.contains(&worker))
                    .map(|entry| entry.spec.id.clone())
                    .collect();
                for query in affected {
                    self.close(&query);
                    if let Some(entry) = self.queries.get_mut(&query) {
                        entry.prepare_at = Some(Instant::now() + Duration::from_millis(200));
                    }
                }
            }
        }
    }

    fn failed(&mut self, query: &str, error: QueryError) {
        self.close(query);
        let (initial, max) = (
            self.shared.config.retry_initial,
            self.shared.config.retry_max,
        );
        if let Some(entry) = self.queries.get_mut(query) {
            // Nobody should wait for what may never come.
            entry.state.ready.open();
            let mut failures = entry.state.failures.lock();
            if entry.prepare_at.is_some_and(|at| at > Instant::now()) {
                // Tasks on other workers fail of the same cause: one wait for all.
                failures.note(error);
            } else {
                entry.prepare_at = Some(after(failures.add(error, initial, max)));
            }
        }
    }

    fn prepare_all(&mut self) {
        for entry in self.queries.values_mut() {
            entry.prepare_at = Some(Instant::now());
        }
    }

    fn prepare_due(&mut self) {
        if self.slots.is_none() {
            return;
        }
        let now = Instant::now();
        let due: Vec<String> = self
            .queries
            .values()
            .filter(|entry| entry.prepare_at.is_some_and(|at| at <= now))
            .map(|entry| entry.spec.id.clone())
            .collect();
        let mut jobs = Vec::with_capacity(due.len());
        for query in due {
            match self.job(&query) {
                Ok(job) => jobs.extend(job),
                Err(error) => self.cannot_start(&query, error),
            }
        }
        let shared = self.shared.clone();
        each_concurrently(
            jobs,
            PREPARED_AT_ONCE,
            |job| job.prepare(&shared),
            |prepared| match prepared {
                Ok(prepared) => self.open(prepared),
                Err((query, error)) => self.cannot_start(&query, error),
            },
        );
    }

    fn cannot_start(&mut self, query: &str, error: QueryError) {
        tracing::warn!("query {query} cannot start: {}", error.message);
        if let Some(entry) = self.queries.get(query) {
            entry.state.begins.open();
        }
        self.failed(query, error);
    }

    /// Index of the first worker of the team that gives this guarantee.
    fn team_of(&mut self, guarantee: Guarantee) -> Result<usize, QueryError> {
        if guarantee == self.shared.config.guarantee {
            return Ok(0);
        }
        while self.workers.len() < 2 * self.team {
            let (shared, reports) = (self.shared.clone(), self.reports.0.clone());
            let worker = Worker::spawn(self.workers.len(), guarantee, shared, reports)
                .map_err(|e| QueryError::new(ErrorClass::System, e.to_string()))?;
            if let Some(slots) = &self.slots {
                let (done, wait) = bounded(0);
                let membership = slots.membership.clone();
                worker.tell(Command::Join { membership, done });
                let _ = wait.recv_timeout(CLOSING);
            }
            self.workers.push(worker);
        }
        Ok(self.team)
    }

    /// What there is to prepare of a query; `None`: nothing.
    fn job(&mut self, query: &str) -> Result<Option<Job>, QueryError> {
        let guarantee = self
            .queries
            .get(query)
            .and_then(|entry| entry.spec.options.guarantee)
            .unwrap_or(self.shared.config.guarantee);
        let team = self.team_of(guarantee)?;
        let (Some(slots), Some(entry)) = (&self.slots, self.queries.get(query)) else {
            return Ok(None);
        };
        Ok(Some(Job {
            spec: entry.spec.clone(),
            state: entry.state.clone(),
            owned: slots.owned.clone(),
            slot_count: slots.count,
            team,
        }))
    }

    /// Opens the tasks of a query on its workers.
    fn open(&mut self, prepared: Prepared) {
        let Prepared {
            context,
            seeds,
            team,
        } = prepared;
        let Some(entry) = self.queries.get_mut(&context.spec.id) else {
            return;
        };
        entry.context = Some(context);
        entry.prepare_at = None;
        entry.state.tasks_given(seeds.len());
        for seed in seeds {
            let index = team + seed.slot as usize % self.team;
            if !entry.workers.contains(&index) {
                entry.workers.push(index);
            }
            if let Some(worker) = self.workers.get(index) {
                worker.tell(Command::Open(Box::new(seed)));
            }
        }
    }

    /// Closes all tasks of a query, with a commit.
    fn close(&mut self, query: &str) {
        let Some(entry) = self.queries.get_mut(query) else {
            return;
        };
        let waits: Vec<_> = std::mem::take(&mut entry.workers)
            .into_iter()
            .filter_map(|index| self.workers.get(index))
            .map(|worker| {
                let (done, wait) = bounded(0);
                worker.tell(Command::Close {
                    query: query.to_owned(),
                    done,
                });
                wait
            })
            .collect();
        for wait in waits {
            let _ = wait.recv_timeout(CLOSING);
        }
    }

    fn close_all(&mut self) {
        for entry in self.queries.values_mut() {
            entry.workers.clear();
        }
        self.tell_all(|done| Command::CloseAll { done });
    }

    /// Tells every worker, and waits until all have answered.
    fn tell_all(&self, command: impl Fn(Sender<()>) -> Command) {
        let waits: Vec<_> = self
            .workers
            .iter()
            .map(|worker| {
                let (done, wait) = bounded(0);
                worker.tell(command(done));
                wait
            })
            .collect();
        for wait in waits {
            let _ = wait.recv_timeout(CLOSING);
        }
    }

    /// Removes what a query kept: local state, internal topics, group.
    fn clean_up(&self, query: &str, entry: Option<Entry>) {
        self.visible.write().remove(query);
        if let Err(error) = self.shared.database.drop_query(query) {
            tracing::warn!("{error}");
        }
        let config = &self.shared.config;
        let id = application_id(&config.service_id, &config.persistent_prefix, query);
        let admin = &self.shared.admin;
        let topics: Vec<String> = match entry.and_then(|entry| entry.context) {
            Some(context) => context
                .layout
                .internal
                .iter()
                .map(|topic| topic.name.clone())
                .collect(),
            // It never ran here; its topics are known by their names.
            None => admin
                .topics()
                .map(|topics| {
                    let names = topics.into_iter().map(|topic| topic.name);
                    names.filter(|name| is_internal_of(name, &id)).collect()
                })
                .unwrap_or_default(),
        };
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        if !names.is_empty() {
            let results = admin
                .delete_topics(&names)
                .unwrap_or_else(|error| vec![Err(error)]);
            for error in results.into_iter().filter_map(Result::err) {
                if error.kind != ErrorKind::NotFound {
                    tracing::warn!("{error}");
                }
            }
        }
        match admin.delete_group(&id) {
            Err(error) if error.kind != ErrorKind::NotFound => tracing::warn!("{error}"),
            _ => {}
        }
    }
}

fn is_internal_of(topic: &str, application_id: &str) -> bool {
    topic.strip_prefix(application_id).is_some_and(|rest| {
        rest.starts_with('-') && (rest.ends_with("-changelog") || rest.ends_with("-repartition"))
    })
}
