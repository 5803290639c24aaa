//! What the runtime and the conformance runner see of the engine.
//!
//! ```text
//!   loop {                                          // one epoch
//!       task.offer(input, fetched)                  // queue fetched records
//!       task.step(limits, &mut emitted)             // one bounded batch, in timestamp order
//!   }
//!   task.flush(&mut emitted)                        // caches, EMIT FINAL, changelogs
//!   produce(emitted); commit; task.committed()
//! ```

use std::sync::Arc;

use arrow::array::RecordBatch;
use weir_state::KvStore;
use weir_types::records::{EncodedBatch, FetchedBatch};

/// Where a task's input comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TopicName {
    /// A topic of the user, by name.
    User(String),
    /// An internal topic: suffix after the application id.
    Internal(String),
}

/// One input of a sub-topology.
#[derive(Debug, Clone)]
pub struct InputSpec {
    /// Topic.
    pub topic: TopicName,
    /// Whether records are the engine's own frames (repartition topics) and not a user's.
    pub internal_frames: bool,
    /// Whether this input is a table (offsets start at earliest unless set otherwise).
    pub is_table: bool,
}

/// One store of a sub-topology.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSpec {
    /// Name; the changelog topic is `<application id>-<name>-changelog`.
    pub name: String,
    /// Window or session store: the changelog topic is `compact,delete` with this retention, ms.
    pub retention_ms: Option<i64>,
    /// Whether pull queries read this store.
    pub queryable: bool,
}

/// One topic that a sub-topology writes to.
#[derive(Debug, Clone)]
pub struct OutputSpec {
    /// Topic.
    pub topic: TopicName,
    /// Whether records are the engine's own frames.
    pub internal_frames: bool,
}

/// A part of a query between repartition topics. Cheap to clone; tasks are made from it.
pub trait SubTopology: Send + Sync {
    /// Its inputs; [`Task::offer`] takes indices into this.
    fn inputs(&self) -> &[InputSpec];

    /// Its stores, in the order in which [`new_task`](Self::new_task) takes them.
    fn stores(&self) -> &[StoreSpec];

    /// Its outputs; [`Emitted::records`] holds indices into this.
    fn outputs(&self) -> &[OutputSpec];

    /// A task over one partition of every input, with its stores (same order as
    /// [`stores`](Self::stores)).
    fn new_task(
        &self,
        partition: u32,
        stores: Vec<Box<dyn KvStore>>,
        options: &TaskOptions,
    ) -> Result<Box<dyn Task>, EngineError>;
}

/// What governs a task, from the query's configuration. The default has no cache, waits for its
/// inputs and skips what is bad.
#[derive(Debug, Clone, Default)]
pub struct TaskOptions {
    /// Bytes of record cache for this task; 0: every update is emitted.
    pub cache_bytes: usize,
    /// Partitions of each output topic (same order as outputs), for repartition frames, which
    /// are grouped by target partition.
    pub output_partitions: Vec<u32>,
    /// Wall-clock throttle of EMIT FINAL and of outer joins, ms; 0: none.
    pub emit_interval_ms: i64,
    /// `ksql.timestamp.throw.on.invalid`.
    pub fail_on_bad_timestamp: bool,
    /// `ksql.fail.on.deserialization.error`.
    pub fail_on_bad_record: bool,
    /// `max.task.idle.ms` below 0: do not wait for empty inputs.
    pub never_wait: bool,
    /// Memory for what the stores hold too; shared with other tasks.
    pub memory: crate::MemoryBudget,
}

/// Bounds of a step.
#[derive(Debug, Clone, Copy)]
pub struct StepLimits {
    /// Rows at most.
    pub max_rows: usize,
    /// Wall clock, ms since the epoch, as the caller read it (the engine has no clock).
    pub now_ms: i64,
}

/// One processing-log entry (spec/semantics.md §11.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogEntry {
    /// Type 0: a record could not be decoded.
    Deserialization {
        /// Step context of the logger (`KsqlTopic.Source`).
        context: String,
        /// Key or value.
        is_key: bool,
        /// What is wrong.
        message: String,
        /// Causes, outermost first.
        cause: Vec<String>,
        /// Topic.
        topic: String,
        /// The record's bytes.
        record: Option<Vec<u8>>,
    },
    /// Type 1: a row could not be processed.
    Processing {
        /// Step context of the logger (`Project`, `WhereFilter`).
        context: String,
        /// What is wrong.
        message: String,
        /// Causes, outermost first.
        cause: Vec<String>,
    },
    /// Type 3: a row could not be encoded.
    Serialization {
        /// Step context of the logger.
        context: String,
        /// Key or value.
        is_key: bool,
        /// What is wrong.
        message: String,
        /// Topic.
        topic: String,
    },
}

/// What a task hands out: filled by steps and flushes, emptied by the caller.
#[derive(Default)]
pub struct Emitted {
    /// Records for output topics, in order: index into the outputs, records.
    pub records: Vec<(usize, EncodedBatch)>,
    /// Changelog records: index into the stores, records (keys as in the store).
    pub changelog: Vec<(usize, EncodedBatch)>,
    /// Rows of a push query, columns as in its plan's `Output`, with one more Boolean column at
    /// the end: whether the row is a tombstone.
    pub rows: Vec<RecordBatch>,
    /// Processing log.
    pub log: Vec<LogEntry>,
    /// Rows read, dropped, written since the caller last looked (metrics).
    pub counters: Counters,
}

/// Counts for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Records taken from inputs.
    pub consumed: u64,
    /// Records dropped (undecodable, late, null key).
    pub dropped: u64,
    /// Records written to outputs.
    pub produced: u64,
}

/// A sub-topology on one partition. Single-threaded; never blocks.
pub trait Task: Send {
    /// Queues records of an input, in offset order.
    fn offer(&mut self, input: usize, records: FetchedBatch);

    /// Records queued in one input and not yet processed (the caller pauses fetching above
    /// `buffered.records.per.partition`).
    fn queued(&self, input: usize) -> usize;

    /// Tells whether an input has been read to the end of its topic: an empty input that is
    /// caught up is not waited for (spec/semantics.md §2.1).
    fn set_caught_up(&mut self, input: usize, caught_up: bool);

    /// Processes one bounded batch of what is queued, least timestamp first across the inputs.
    /// Gives the rows taken; 0 means nothing could be done.
    fn step(&mut self, limits: StepLimits, out: &mut Emitted) -> Result<usize, EngineError>;

    /// Writes to the stores what the record cache holds back from them, and emits nothing: those who
    /// read the stores see every row that was taken.
    fn publish(&mut self) -> Result<(), EngineError>;

    /// Ends the epoch: flushes caches into `out` and hands out the changelog.
    fn flush(&mut self, now_ms: i64, out: &mut Emitted) -> Result<(), EngineError>;

    /// The next offset to read of each input (what a commit stores).
    fn positions(&self) -> Vec<Option<i64>>;

    /// The greatest timestamp taken so far, and what else must survive a restart, as opaque text
    /// for the offset commit's metadata.
    fn metadata(&self) -> String;

    /// Takes back what [`metadata`](Self::metadata) gave before a restart.
    fn restore_metadata(&mut self, metadata: &str);

    /// The stores, for commit and restore by the caller.
    fn stores(&mut self) -> &mut [Box<dyn KvStore>];

    /// Called once changelog records have been applied to the stores from outside: forget what
    /// is cached.
    fn stores_changed(&mut self);
}

/// A whole query, cut into sub-topologies; upstream ones come first.
#[derive(Clone)]
pub struct Topology {
    /// The parts.
    pub parts: Vec<Arc<dyn SubTopology>>,
    /// What pull queries need of the materialised result, if there is one.
    pub materialized: Option<MaterializedInfo>,
    /// Indented text of the operators, for EXPLAIN.
    pub description: String,
}

/// Which store a pull query reads, and how.
#[derive(Debug, Clone)]
pub struct MaterializedInfo {
    /// Index of the sub-topology that owns the store.
    pub part: usize,
    /// Name of the store.
    pub store: String,
    /// Turns its entries into rows of the result.
    pub view: Arc<crate::MaterializedView>,
}

/// What stops a task (and so its query, until it is retried).
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The plan cannot be run.
    #[error("plan cannot be run: {0}")]
    Plan(String),
    /// A store failed.
    #[error(transparent)]
    State(#[from] weir_state::StateError),
    /// DataFusion or Arrow failed on a whole batch: a fault of ours.
    #[error("internal error: {0}")]
    Internal(String),
    /// A record that may not be skipped (`ksql.fail.on.…`).
    #[error("{0}")]
    Record(String),
}

impl From<arrow::error::ArrowError> for EngineError {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<datafusion::error::DataFusionError> for EngineError {
    fn from(error: datafusion::error::DataFusionError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<weir_state::codec::CodecError> for EngineError {
    fn from(error: weir_state::codec::CodecError) -> Self {
        Self::Internal(error.to_string())
    }
}
