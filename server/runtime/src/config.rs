//! What a server and a query are run with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crossbeam_channel::Sender;
use weir_engine::{LogEntry, TaskOptions, Topology};

/// `processing.guarantee`: what a crash may do to results (spec/semantics.md §10.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guarantee {
    /// Nothing: records, offsets and state become visible together.
    ExactlyOnce,
    /// Records of the last epoch may be there twice, and count twice in aggregates. They are seen
    /// as soon as they are written.
    AtLeastOnce,
}

impl Guarantee {
    /// By the property's value: `exactly_once_v2`, `at_least_once`.
    pub fn parse(value: &str) -> Option<Self> {
        match value {
            "exactly_once_v2" => Some(Self::ExactlyOnce),
            "at_least_once" => Some(Self::AtLeastOnce),
            _ => None,
        }
    }
}

/// What the whole runtime is run with.
#[derive(Debug, Clone)]
pub struct RuntimeConfig {
    /// The server's properties; Kafka clients take theirs out of them
    /// ([`weir_kafka::ClientConfig::from_properties`]).
    pub properties: BTreeMap<String, String>,
    /// `ksql.service.id`.
    pub service_id: String,
    /// `ksql.persistent.prefix`.
    pub persistent_prefix: String,
    /// Folder of the state database and of this server's identity.
    pub state_dir: PathBuf,
    /// `num.stream.threads`: workers of each guarantee that is used.
    pub threads: usize,
    /// `processing.guarantee` of queries that do not say.
    pub guarantee: Guarantee,
    /// `commit.interval.ms`.
    pub commit_interval: Duration,
    /// Uncommitted state of all workers, bytes: a worker whose share is full ends its epoch early.
    pub uncommitted_bytes: usize,
    /// Partitions of the slots topic when it is made.
    pub slots: u32,
    /// Replicas of internal topics; `None`: the broker's default.
    pub replicas: Option<u16>,
    /// Longest wait for a transactional call before the producer is given up.
    pub transaction_deadline: Duration,
    /// `ksql.query.retry.backoff.initial.ms`.
    pub retry_initial: Duration,
    /// `ksql.query.retry.backoff.max.ms`.
    pub retry_max: Duration,
    /// Memory of the state database.
    pub memory: weir_state::Budget,
    /// Memory of the operators of all queries, besides their record caches.
    pub operator_memory: weir_engine::MemoryBudget,
    /// Where processing-log entries go, with the query's id. What does not fit is dropped.
    pub log: Option<Sender<(String, LogEntry)>>,
}

impl RuntimeConfig {
    /// Defaults for a server of this cluster and folder.
    pub fn new(bootstrap_servers: &str, state_dir: impl Into<PathBuf>) -> Self {
        let servers = ("bootstrap.servers".to_owned(), bootstrap_servers.to_owned());
        Self {
            properties: BTreeMap::from([servers]),
            service_id: "default_".to_owned(),
            persistent_prefix: "query_".to_owned(),
            state_dir: state_dir.into(),
            threads: 4,
            guarantee: Guarantee::ExactlyOnce,
            commit_interval: Duration::from_millis(100),
            uncommitted_bytes: 32 << 20,
            slots: 32,
            replicas: None,
            transaction_deadline: Duration::from_secs(10),
            retry_initial: Duration::from_secs(15),
            retry_max: Duration::from_secs(900),
            memory: weir_state::Budget::default(),
            operator_memory: weir_engine::MemoryBudget::default(),
            log: None,
        }
    }
}

/// Where a query starts that has no committed offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetReset {
    /// At the first record kept.
    Earliest,
    /// After the last record.
    Latest,
}

/// What one query is run with.
#[derive(Debug, Clone)]
pub struct QueryOptions {
    /// What its tasks are made with. `cache_bytes` is for the whole query, `output_partitions` is
    /// filled in.
    pub task: TaskOptions,
    /// `auto.offset.reset`; `None`: latest for streams, earliest for tables.
    pub reset: Option<OffsetReset>,
    /// `commit.interval.ms`, if the query has its own.
    pub commit_interval: Option<Duration>,
    /// `processing.guarantee`, if the query has its own.
    pub guarantee: Option<Guarantee>,
    /// `buffered.records.per.partition`.
    pub buffered_records: usize,
    /// Starts paused.
    pub paused: bool,
}

impl Default for QueryOptions {
    fn default() -> Self {
        Self {
            task: TaskOptions {
                cache_bytes: 10_000_000,
                ..TaskOptions::default()
            },
            reset: None,
            commit_interval: None,
            guarantee: None,
            buffered_records: 1000,
            paused: false,
        }
    }
}

/// A persistent query to be run.
#[derive(Clone)]
pub struct QuerySpec {
    /// Query id; the consumer group and internal topics are named after it.
    pub id: String,
    /// What it does.
    pub topology: Topology,
    /// How.
    pub options: QueryOptions,
}
