//! Running queries: the runtime behind the catalog's words.
//!
//! ```text
//!  PersistentQuery ──compile──► Topology ──► Runtime (workers)
//!                         └───► MaterializedView ──► pull queries
//!  rows of INSERT ──encode──► Producer
//!  LogEntry ──► processing log topic
//! ```

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch};
use parking_lot::{Mutex, RwLock};
use weir_engine::{Access, EngineError, MaterializedInfo, TaskOptions, Topology};
use weir_formats::{Side, encoder};
use weir_kafka::{Admin, ClientConfig, Producer, Role, TopicHandle};
use weir_planner::catalog::SourceInfo;
use weir_protocol::QueryError;
use weir_runtime::{Guarantee, OffsetReset, QueryOptions, QuerySpec, Runtime, RuntimeConfig};
use weir_state::KvStore;
use weir_types::ColumnRole;
use weir_types::records::{EncodedBatch, EncodedColumn};

use crate::config::{Overrides, ServerConfig, check_value};
use crate::inserter::PreparedRow;
use crate::metastore::{PersistentKind, PersistentQuery};
use crate::processing_log::ProcessingLog;
use crate::weir::KAFKA_WAIT;

/// What is kept of a running query beside the runtime.
struct Running {
    topology: String,
    materialized: Option<MaterializedInfo>,
    group: String,
}

/// Running queries.
pub struct Fleet {
    runtime: Runtime,
    running: RwLock<HashMap<String, Running>>,
    producer: Producer,
    handles: Mutex<HashMap<String, TopicHandle>>,
    config: ServerConfig,
    /// Writes what tasks report; ends with the fleet.
    _log: ProcessingLog,
}

impl Fleet {
    /// Starts the workers.
    pub fn start(config: &ServerConfig, admin: Arc<Admin>) -> Result<Self, String> {
        let log = ProcessingLog::start(config, &admin)?;
        let bootstrap = config.given_value("bootstrap.servers").unwrap_or_default();
        let state_dir = config
            .given_value("ksql.streams.state.dir")
            .map_or_else(|| PathBuf::from("/tmp/weir-state"), PathBuf::from);
        let mut runtime = RuntimeConfig::new(bootstrap, state_dir);
        runtime.properties = config
            .given()
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect();
        runtime.service_id = config.service_id();
        if let Some(prefix) = config.value("ksql.persistent.prefix") {
            runtime.persistent_prefix = prefix;
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        runtime.threads = config
            .number("ksql.streams.num.stream.threads")
            .and_then(|n| usize::try_from(n).ok())
            .filter(|n| *n > 0)
            .unwrap_or(cores.min(4));
        if let Some(given) = config.given_value("ksql.streams.processing.guarantee") {
            check_value("processing.guarantee", given).map_err(|e| e.to_string())?;
            runtime.guarantee = Guarantee::parse(given).unwrap_or(runtime.guarantee);
        }
        runtime.commit_interval = millis(config, "ksql.streams.commit.interval.ms", 100);
        runtime.retry_initial = millis(config, "ksql.query.retry.backoff.initial.ms", 15_000);
        runtime.retry_max = millis(config, "ksql.query.retry.backoff.max.ms", 900_000);
        runtime.replicas = config
            .given_value("ksql.streams.replication.factor")
            .and_then(|v| v.parse().ok());
        runtime.log = log.sender();
        let runtime = Runtime::start(runtime).map_err(|e| e.to_string())?;
        let producers = ClientConfig::from_properties(config.given(), Role::Producer);
        let producer = Producer::new(&producers).map_err(|e| e.to_string())?;
        Ok(Self {
            runtime,
            running: RwLock::new(HashMap::new()),
            producer,
            handles: Mutex::new(HashMap::new()),
            config: config.clone(),
            _log: log,
        })
    }

    /// The runtime, for push queries.
    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Compiles and starts a query.
    pub fn start_query(&self, query: &PersistentQuery) -> Result<(), String> {
        let topology = weir_engine::compile(&query.plan).map_err(|e| e.to_string())?;
        let options = self.options_of(query);
        let running = Running {
            topology: topology.description.clone(),
            materialized: topology.materialized.clone(),
            group: self.group_id(&query.id),
        };
        self.running.write().insert(query.id.clone(), running);
        let spec = QuerySpec {
            id: query.id.clone(),
            topology,
            options,
        };
        self.runtime.start_query(spec);
        Ok(())
    }

    fn options_of(&self, query: &PersistentQuery) -> QueryOptions {
        let mut options = self.options(&query.overrides);
        options.paused = query.paused;
        // A SOURCE TABLE is read from its beginning, whatever was set.
        if query.kind == PersistentKind::SourceTable {
            options.reset = Some(OffsetReset::Earliest);
        }
        options
    }

    /// Waits until a query that was started knows where it begins, so that a client may write its
    /// input as soon as it has the answer. One that begins at the beginning misses nothing anyway.
    pub fn settle(&self, query: &PersistentQuery) {
        if self.options_of(query).reset != Some(OffsetReset::Earliest) {
            self.runtime.settle(&query.id);
        }
    }

    /// What a query is run with: the server's settings, then what was set for it.
    pub(crate) fn options(&self, overrides: &Overrides) -> QueryOptions {
        let value = |name: &str| {
            overrides
                .0
                .get(name)
                .cloned()
                .or_else(|| self.config.value(&format!("ksql.streams.{name}")))
                .or_else(|| self.config.value(name))
        };
        let flag = |name: &str| value(name).is_some_and(|v| v.eq_ignore_ascii_case("true"));
        let number = |name: &str| value(name).and_then(|v| v.trim().parse::<i64>().ok());
        let mut options = QueryOptions::default();
        let cache = number("cache.max.bytes.buffering")
            .or_else(|| number("statestore.cache.max.bytes"))
            .unwrap_or(10_000_000);
        options.task = TaskOptions {
            cache_bytes: usize::try_from(cache).unwrap_or(0),
            emit_interval_ms: 1000,
            fail_on_bad_timestamp: flag("ksql.timestamp.throw.on.invalid"),
            fail_on_bad_record: flag("ksql.fail.on.deserialization.error"),
            never_wait: number("max.task.idle.ms").is_some_and(|ms| ms < 0),
            ..TaskOptions::default()
        };
        options.reset = value("auto.offset.reset")
            .or_else(|| value("consumer.auto.offset.reset"))
            .and_then(|v| match v.to_ascii_lowercase().as_str() {
                "earliest" => Some(OffsetReset::Earliest),
                "latest" => Some(OffsetReset::Latest),
                _ => None,
            });
        let guarantee = overrides.0.get("processing.guarantee");
        options.guarantee = guarantee.and_then(|v| Guarantee::parse(v));
        options.commit_interval = overrides
            .0
            .get("commit.interval.ms")
            .and_then(|v| v.trim().parse().ok())
            .map(Duration::from_millis);
        if let Some(buffered) = number("buffered.records.per.partition") {
            options.buffered_records = usize::try_from(buffered).unwrap_or(1000).max(1);
        }
        options
    }

    /// Stops a query and deletes what it kept.
    pub fn drop_query(&self, id: &str) {
        self.running.write().remove(id);
        self.runtime.drop_query(id);
    }

    /// Pauses a query.
    pub fn pause(&self, id: &str) {
        self.runtime.pause(id);
    }

    /// Lets a paused query go on.
    pub fn resume(&self, id: &str) {
        self.runtime.resume(id);
    }

    /// Stops all queries; what they kept stays.
    pub fn stop(&self) {
        self.runtime.shutdown();
    }

    /// `RUNNING`, `PAUSED`, `ERROR`.
    pub fn state(&self, id: &str) -> String {
        match self.runtime.status(id) {
            Some(status) if status.paused => "PAUSED".to_owned(),
            Some(_) => "RUNNING".to_owned(),
            None => "ERROR".to_owned(),
        }
    }

    /// The last errors of a query.
    pub fn errors(&self, id: &str) -> Vec<QueryError> {
        let Some(status) = self.runtime.status(id) else {
            return Vec::new();
        };
        status
            .errors
            .into_iter()
            .map(|error| QueryError {
                timestamp: error.timestamp,
                error_message: error.message,
                kind: error.class.name().to_owned(),
            })
            .collect()
    }

    /// Text of a query's operators.
    pub fn topology(&self, id: &str) -> Option<String> {
        self.running.read().get(id).map(|r| r.topology.clone())
    }

    /// Consumer group of a query.
    pub fn group_id(&self, id: &str) -> String {
        let prefix = self
            .config
            .value("ksql.persistent.prefix")
            .unwrap_or_else(|| "query_".to_owned());
        weir_runtime::names::application_id(&self.config.service_id(), &prefix, id)
    }

    /// Where the result of a query is kept; `None`: it is not running or keeps none.
    pub fn materialized(&self, id: &str) -> Option<MaterializedInfo> {
        self.running
            .read()
            .get(id)
            .and_then(|r| r.materialized.clone())
    }

    /// Reads a query's result: of one partition, or of all that this server holds.
    pub fn read_state(
        &self,
        id: &str,
        info: &MaterializedInfo,
        partition: Option<u32>,
        access: &Access,
    ) -> Result<Vec<RecordBatch>, String> {
        let partitions = match partition {
            Some(partition) => vec![partition],
            None => self.runtime.store_partitions(id, info.part),
        };
        let mut batches = Vec::with_capacity(partitions.len());
        for partition in partitions {
            let batch =
                self.read_store(id, info, partition, |store| info.view.read(store, access))?;
            if batch.num_rows() > 0 {
                batches.push(batch);
            }
        }
        Ok(batches)
    }

    /// Reads the store of a query's result in one partition.
    pub fn read_store<T>(
        &self,
        id: &str,
        info: &MaterializedInfo,
        partition: u32,
        read: impl FnOnce(&dyn KvStore) -> Result<T, EngineError>,
    ) -> Result<T, String> {
        self.runtime
            .read_store(id, info.part, partition, &info.store, read)
            .map_err(|e| e.to_string())?
            .map_err(|e| e.to_string())
    }

    /// Group of a running query.
    pub fn running_group(&self, id: &str) -> Option<String> {
        self.running.read().get(id).map(|r| r.group.clone())
    }

    /// Writes one row and waits until it is there.
    pub fn insert(&self, row: &PreparedRow) -> Result<(), String> {
        let batch = encode(row)?;
        let topic = &row.source.topic;
        let handle = self.handle(topic)?;
        let sent = self
            .producer
            .send(&handle, &batch, KAFKA_WAIT)
            .and_then(|()| self.producer.flush(KAFKA_WAIT));
        sent.map_err(|error| {
            // The topic may have been deleted and made anew: ask for it again next time.
            self.handles.lock().remove(topic);
            error.to_string()
        })
    }

    fn handle(&self, topic: &str) -> Result<TopicHandle, String> {
        if let Some(handle) = self.handles.lock().get(topic) {
            return Ok(handle.clone());
        }
        let handle = self
            .producer
            .topic(topic, KAFKA_WAIT)
            .map_err(|e| e.to_string())?;
        self.handles.lock().insert(topic.to_owned(), handle.clone());
        Ok(handle)
    }

    /// Forgets a topic that was deleted.
    pub fn forget_topic(&self, topic: &str) {
        self.handles.lock().remove(topic);
    }
}

fn millis(config: &ServerConfig, name: &str, default: u64) -> Duration {
    let value = config.number(name).and_then(|n| u64::try_from(n).ok());
    Duration::from_millis(value.unwrap_or(default))
}

/// The record of an inserted row.
fn encode(row: &PreparedRow) -> Result<EncodedBatch, String> {
    let columns = |role: ColumnRole| {
        row.source
            .schema
            .columns()
            .iter()
            .filter(|c| c.role == role)
            .map(|c| (c.name.clone(), c.sql_type.clone()))
            .collect::<Vec<_>>()
    };
    let side = |side: Side, role, values: &[datafusion::scalar::ScalarValue]| {
        let format = match side {
            Side::Key => &row.source.key_format,
            Side::Value => &row.source.value_format,
        };
        let columns = columns(role);
        let mut out = EncodedColumn::default();
        if columns.is_empty() {
            out.push_null();
            return Ok(out);
        }
        let arrays = values
            .iter()
            .map(|v| v.to_array())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| e.to_string())?;
        let mut encoder = encoder(format, side, &columns).map_err(|e| e.to_string())?;
        let failed = encoder
            .encode(&arrays, None, &mut out)
            .map_err(|e| e.to_string())?;
        match failed.into_iter().next() {
            Some((_, error)) => Err(error.to_string()),
            None => Ok(out),
        }
    };
    Ok(EncodedBatch {
        keys: side(Side::Key, ColumnRole::Key, &row.key)?,
        values: side(Side::Value, ColumnRole::Value, &row.value)?,
        timestamps: vec![row.timestamp],
        ..EncodedBatch::default()
    })
}

/// The partition that a key of the source goes to.
pub(crate) fn partition_of(
    source: &SourceInfo,
    key: &[ArrayRef],
    partitions: u32,
) -> Result<u32, String> {
    let columns: Vec<_> = source
        .schema
        .keys()
        .map(|c| (c.name.clone(), c.sql_type.clone()))
        .collect();
    let mut encoder =
        encoder(&source.key_format, Side::Key, &columns).map_err(|e| e.to_string())?;
    let mut out = EncodedColumn::default();
    encoder
        .encode(key, None, &mut out)
        .map_err(|e| e.to_string())?;
    Ok(weir_types::partition::partition_of(
        out.get(0).unwrap_or_default(),
        partitions,
    ))
}

/// Compiles a plan of which only one topology is needed.
pub(crate) fn compile(plan: &weir_planner::stream::QueryPlan) -> Result<Topology, String> {
    weir_engine::compile(plan).map_err(|e| e.to_string())
}
