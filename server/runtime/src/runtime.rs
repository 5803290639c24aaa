//! The runtime as the catalog sees it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded, unbounded};
use parking_lot::{Mutex, RwLock};
use tokio::sync::mpsc;
use weir_engine::Topology;
use weir_kafka::{Admin, GroupMember, KafkaError, NewTopic, Role, TopicPartition};
use weir_state::{Database, KvStore, StateError};

use crate::config::{QueryOptions, QuerySpec, RuntimeConfig};
use crate::failure::now_ms;
use crate::membership::follow;
use crate::names::slots_topic;
use crate::prepare;
use crate::push::{CHANNEL, PushHandle};
use crate::query::{QueryState, QueryStatus};
use crate::supervisor::{Order, Queries, Supervisor};
use crate::traffic::TopicTraffic;
use crate::worker::{Command, PushSeed, PushShared, Shared, Worker, WorkerHandle};

/// Why the runtime refuses.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// Kafka.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The state database.
    #[error(transparent)]
    State(#[from] StateError),
    /// It cannot start.
    #[error("the runtime cannot start: {0}")]
    Start(String),
    /// A query that cannot be run.
    #[error("{0}")]
    Query(String),
    /// The state asked for is not here, or not complete yet.
    #[error("{0}")]
    NotAvailable(String),
}

/// How long a call to Kafka may take outside of transactions.
const ADMIN_WAIT: Duration = Duration::from_secs(15);
/// How long stopping a query may take.
const STOPPING: Duration = Duration::from_secs(60);

/// How long a started query may take to know where it begins before its client is answered.
const SETTLING: Duration = Duration::from_secs(5);

/// How long whoever reads the state of a query waits while the query is being started.
const STARTING: Duration = Duration::from_secs(3);

/// Runs queries on Kafka. Dropping it stops everything in order.
pub struct Runtime {
    shared: Arc<Shared>,
    workers: Vec<WorkerHandle>,
    orders: Sender<Order>,
    queries: Queries,
    stopped: AtomicBool,
    /// Tells the membership to end.
    leave: Arc<AtomicBool>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    next_push: AtomicU64,
}

impl Runtime {
    /// Opens the state database, starts the workers and joins the cluster. Blocks while Kafka is
    /// asked for the slots topic; queries run once slots are ours.
    pub fn start(config: RuntimeConfig) -> Result<Self, RuntimeError> {
        let database = Database::open(&config.state_dir.join("rocksdb"), config.memory)?;
        let instance = instance_id(&config.state_dir)?;
        let (threads, guarantee) = (config.threads.max(1), config.guarantee);
        let shared = Arc::new(Shared {
            admin: admin(&config)?,
            config,
            instance,
            database,
        });
        let (orders, receive_orders) = unbounded();
        let (reports, receive_reports) = unbounded();
        let workers = (0..threads)
            .map(|index| Worker::spawn(index, guarantee, shared.clone(), reports.clone()))
            .collect::<Result<Vec<_>, _>>()?;
        let queries: Queries = Arc::new(RwLock::new(BTreeMap::new()));
        let supervisor = Supervisor::new(
            shared.clone(),
            workers.clone(),
            receive_orders,
            (reports, receive_reports),
            queries.clone(),
        );
        let leave = Arc::new(AtomicBool::new(false));
        let threads = vec![
            spawn("supervisor", move || supervisor.run())?,
            join_cluster(&shared, orders.clone(), leave.clone())?,
        ];
        Ok(Self {
            shared,
            workers,
            orders,
            queries,
            stopped: AtomicBool::new(false),
            leave,
            threads: Mutex::new(threads),
            next_push: AtomicU64::new(1),
        })
    }

    /// Runs a persistent query, from its committed offsets or, the first time, from where its
    /// options say. A query of the same id is replaced and goes on where that one was.
    pub fn start_query(&self, spec: QuerySpec) -> Arc<QueryState> {
        let state = self
            .queries
            .write()
            .entry(spec.id.clone())
            .or_default()
            .clone();
        state.set_paused(spec.options.paused);
        self.order(Order::Start(Box::new(spec), state.clone()));
        state
    }

    /// Waits until a query that was started knows where it begins: records written after this
    /// returned are seen, also by a query that starts at the latest. Kafka may be slow to say where
    /// that is; then it returns all the same.
    pub fn settle(&self, id: &str) {
        let state = self.queries.read().get(id).cloned();
        if let Some(state) = state {
            state.begins.wait(SETTLING);
        }
    }

    /// Waits until the tasks of a query that was started a moment ago have their state; whether
    /// they have. One that cannot start, or has much to restore, is not waited for long.
    pub fn await_state(&self, id: &str) -> bool {
        let state = self.queries.read().get(id).cloned();
        state.is_some_and(|state| state.ready.wait(STARTING))
    }

    /// Stops a query and keeps all it has: started again it goes on.
    pub fn stop_query(&self, id: &str) {
        self.order_and_wait(|done| Order::Stop {
            query: id.to_owned(),
            done,
        });
        self.queries.write().remove(id);
    }

    /// Stops a query and removes its state, internal topics and group.
    pub fn drop_query(&self, id: &str) {
        self.order_and_wait(|done| Order::Drop {
            query: id.to_owned(),
            done,
        });
    }

    /// Pauses a query: it keeps its tasks and processes nothing.
    pub fn pause(&self, id: &str) {
        self.set_paused(id, true);
    }

    /// Lets a paused query go on.
    pub fn resume(&self, id: &str) {
        self.set_paused(id, false);
    }

    fn set_paused(&self, id: &str, paused: bool) {
        if let Some(state) = self.queries.read().get(id) {
            state.set_paused(paused);
        }
        self.order(Order::PauseChanged);
    }

    /// What a query is doing here; `None` if there is no such query.
    pub fn status(&self, id: &str) -> Option<QueryStatus> {
        self.queries.read().get(id).map(|state| state.status())
    }

    /// Partitions that a query reads, internal topics included.
    pub fn reads(&self, id: &str) -> Arc<[TopicPartition]> {
        let queries = self.queries.read();
        queries.get(id).map(|s| s.reads()).unwrap_or_default()
    }

    /// What all queries of this server did on a topic.
    pub fn traffic(&self, topic: &str) -> TopicTraffic {
        let now = now_ms();
        let mut all = TopicTraffic::default();
        for state in self.queries.read().values() {
            let of_query = state.traffic.of_topic(topic, now);
            all.read.add(&of_query.read);
            all.failed.add(&of_query.failed);
            all.written.add(&of_query.written);
        }
        all
    }

    /// Ids of all queries.
    pub fn queries(&self) -> Vec<String> {
        self.queries.read().keys().cloned().collect()
    }

    /// Runs a push query. Blocks while Kafka is asked where it starts: records written after this
    /// returned are seen. `limit`: rows after which it ends.
    pub fn start_push(
        &self,
        name: &str,
        topology: Topology,
        mut options: QueryOptions,
        limit: Option<u64>,
    ) -> Result<PushHandle, RuntimeError> {
        let (layout, tasks) = prepare::push_places(&self.shared.admin, &topology, &options)
            .map_err(|error| RuntimeError::Query(error.message))?;
        let id = self.next_push.fetch_add(1, Ordering::Relaxed);
        let index = id as usize % self.workers.len().max(1);
        let Some(worker) = self.workers.get(index).cloned() else {
            return Err(RuntimeError::Start("there is no worker".to_owned()));
        };
        let (sender, rows) = mpsc::channel(CHANNEL);
        let shared = Arc::new(PushShared {
            blocked: AtomicBool::new(false),
            waker: worker.waker.clone(),
        });
        let commit_interval = options
            .commit_interval
            .unwrap_or(self.shared.config.commit_interval);
        options.task.memory = self.shared.config.operator_memory.clone();
        worker.tell(Command::Push(Box::new(PushSeed {
            id,
            name: name.to_owned(),
            topology,
            options,
            commit_interval,
            layout,
            tasks,
            limit,
            rows: sender,
            shared: shared.clone(),
        })));
        Ok(PushHandle {
            id,
            rows,
            shared,
            worker,
        })
    }

    /// Partitions of a part's stores that are on this server.
    pub fn store_partitions(&self, query: &str, part: usize) -> Vec<u32> {
        let queries = self.queries.read();
        queries
            .get(query)
            .map(|s| s.store_partitions(part as u32))
            .unwrap_or_default()
    }

    /// Partitions of a part's stores over all servers; `None` until the query is laid out.
    pub fn partitions(&self, query: &str, part: usize) -> Option<u32> {
        self.queries.read().get(query)?.partitions(part)
    }

    /// Reads a store of a query on the calling thread, uncommitted values included. The task goes
    /// on meanwhile, but for the moments in which a part of a scan or a value is read.
    pub fn read_store<T>(
        &self,
        query: &str,
        part: usize,
        partition: u32,
        store: &str,
        read: impl FnOnce(&dyn KvStore) -> T,
    ) -> Result<T, RuntimeError> {
        let state = self.queries.read().get(query).cloned();
        let not_here = || {
            RuntimeError::NotAvailable(format!(
                "State of query {query}, partition {partition}, is not available yet. Please try \
                 again later."
            ))
        };
        let state = state.ok_or_else(not_here)?;
        if state.restoring() > 0 {
            return Err(not_here());
        }
        let task = state.store((part as u32, partition)).ok_or_else(not_here)?;
        let store = task.reader(store).ok_or_else(not_here)?;
        Ok(read(&store))
    }

    /// The administrator that the runtime uses; calls block.
    pub fn admin(&self) -> &Admin {
        &self.shared.admin
    }

    /// Stops everything in order: commits, closes, puts the state on disk, leaves the cluster.
    pub fn shutdown(&self) {
        if self.stopped.swap(true, Ordering::AcqRel) {
            return;
        }
        self.order_and_wait(|done| Order::Shutdown { done });
        // Not before: the last commits are made as a member.
        self.leave.store(true, Ordering::Release);
        for thread in self.threads.lock().drain(..) {
            let _ = thread.join();
        }
    }

    fn order(&self, order: Order) {
        // The supervisor ends only with the runtime.
        let _ = self.orders.send(order);
    }

    fn order_and_wait(&self, order: impl FnOnce(Sender<()>) -> Order) {
        let (done, wait) = bounded(0);
        self.order(order(done));
        let _ = wait.recv_timeout(STOPPING);
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.shutdown();
    }
}

fn admin(config: &RuntimeConfig) -> Result<Admin, KafkaError> {
    let properties = config
        .properties
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()));
    let client = weir_kafka::ClientConfig::from_properties(properties, Role::Admin);
    Admin::new(&client, ADMIN_WAIT)
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, RuntimeError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|e| RuntimeError::Start(format!("thread {name}: {e}")))
}

/// Makes the slots topic if need be and follows the membership on a thread.
fn join_cluster(
    shared: &Arc<Shared>,
    orders: Sender<Order>,
    stop: Arc<AtomicBool>,
) -> Result<JoinHandle<()>, RuntimeError> {
    let name = slots_topic(&shared.config.service_id);
    let wanted = NewTopic {
        name: name.clone(),
        partitions: shared.config.slots.max(1),
        replicas: shared.config.replicas,
        configs: vec![("cleanup.policy".to_owned(), "compact".to_owned())],
    };
    // Another server may have made it, with another number of slots: that number holds for all.
    let count = match shared.admin.describe_topic(&name)? {
        Some(topic) => topic.partitions.len() as u32,
        None => {
            let partitions = wanted.partitions;
            prepare::make_topics(&shared.admin, &[wanted])?;
            shared.admin.await_topic(&name)?;
            partitions
        }
    };
    let topic: Arc<str> = name.into();
    let shared = shared.clone();
    spawn("membership", move || {
        let join = || {
            let config = shared.client(Role::Consumer);
            GroupMember::join(&config, &topic, &shared.instance, &topic)
        };
        follow(join, &topic, count, &orders, &stop);
    })
}

/// This server's identity: made once, kept beside its state. Whoever starts on the same folder is
/// the same server to the cluster.
fn instance_id(folder: &Path) -> Result<String, RuntimeError> {
    let path = folder.join("server.id");
    if let Ok(id) = std::fs::read_to_string(&path)
        && !id.trim().is_empty()
    {
        return Ok(id.trim().to_owned());
    }
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.as_nanos());
    let salt = std::hash::BuildHasher::hash_one(&ahash::RandomState::new(), now);
    let id = format!("weir-{salt:016x}");
    std::fs::write(&path, &id)
        .map_err(|e| RuntimeError::Start(format!("{}: {e}", path.display())))?;
    Ok(id)
}
