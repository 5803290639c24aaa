//! The server behind the HTTP API.
//!
//! ```text
//!  /ksql ─► parse ─► plan all in a sandbox ─► run one after the other
//!                                               ├─ commands: topics, command log, metastore, queries
//!                                               └─ listings, inserts, settings
//!  /query ─► parse ─► pull: state │ push: a task of the runtime │ PRINT: a reader of its own
//! ```
//!
//! Invariant: a request is refused as a whole before anything of it happens; commands are applied
//! in the order of the log, one at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use parking_lot::{Mutex, RwLock};
use serde_json::Value;
use tokio::sync::watch;
use weir_kafka::{Admin, ClientConfig, Role};
use weir_protocol::{ApiError, CommandStatus, Entity, KsqlRequest};
use weir_types::ErrorCode;

use crate::api::{Answer, QueryRequest, ServerInfo};
use crate::command_log::{CommandLog, LoggedCommand};
use crate::config::{self, Overrides, ServerConfig};
use crate::fleet::Fleet;
use crate::inserter::Inserter;
use crate::metastore::{Metastore, Topics};
use crate::push::PushRegistry;
use crate::query::Lookup;
use crate::request::Session;
use crate::topics::ClusterTopics;
use crate::{processing_log, query, request};

/// The version that clients compare; they refuse a server below 0.10 (spec/api.md §2).
pub const VERSION: &str = "0.29.0";
/// Release of the reference that is reproduced, as `/v1/metadata` shows it.
pub const RELEASE: &str = "8.3.1";

/// How long one call to Kafka may take.
pub(crate) const KAFKA_WAIT: Duration = Duration::from_secs(10);

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Kafka cannot be reached or refuses.
    #[error(
        "Kafka at {bootstrap} does not answer ({source}). Check bootstrap.servers, and that the \
         addresses that the brokers advertise can be reached from this machine."
    )]
    Kafka {
        /// `bootstrap.servers`
        bootstrap: String,
        /// What the client said.
        source: weir_kafka::KafkaError,
    },
    /// The command topic cannot be used.
    #[error(transparent)]
    Log(#[from] crate::command_log::LogError),
    /// The runtime does not start.
    #[error("{0}")]
    Runtime(String),
}

/// Why a query is refused, and whether its statement had been prepared by then (the endpoints
/// answer the two differently, spec/api.md §1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryFailure {
    /// The refusal.
    pub error: ApiError,
    /// It came after the statement was parsed and its sources were found.
    pub prepared: bool,
}

/// What `/healthcheck` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// The metastore can be read.
    pub metastore: bool,
    /// Kafka answers.
    pub kafka: bool,
    /// Commands are applied.
    pub command_runner: bool,
}

/// The server.
pub struct Weir {
    pub(crate) config: ServerConfig,
    pub(crate) admin: Arc<Admin>,
    pub(crate) topics: ClusterTopics,
    pub(crate) fleet: Fleet,
    pub(crate) push: Arc<PushRegistry>,
    pub(crate) store: RwLock<Arc<Metastore>>,
    /// Pull queries that were planned before, by shape.
    pub(crate) lookups: query::Lookups,
    /// Held while commands are planned and appended.
    pub(crate) commands: Mutex<Commands>,
    statuses: RwLock<IndexMap<String, CommandStatus>>,
    /// Offset of the last command applied; -1: none.
    applied: watch::Sender<i64>,
    cluster_id: String,
    host: String,
    /// When Kafka was asked last whether it is well, and whether it answered.
    kafka_answered: Mutex<Option<(Instant, bool)>>,
    /// A command of the log could not be applied.
    degraded: std::sync::atomic::AtomicBool,
    shut_down: std::sync::atomic::AtomicBool,
}

/// The writing side of the command log.
pub(crate) struct Commands {
    pub(crate) log: CommandLog,
    /// Distinguishes this server's commands in the log.
    pub(crate) origin: String,
    pub(crate) count: u64,
}

impl Weir {
    /// Connects to Kafka, reads the command log and starts its queries. Blocks.
    ///
    /// `host` is what clients see as this server, `host:port`.
    pub fn start(config: ServerConfig, host: String) -> Result<Arc<Self>, StartError> {
        let bootstrap = config
            .given_value("bootstrap.servers")
            .unwrap_or_default()
            .to_owned();
        let kafka = |source| StartError::Kafka {
            bootstrap: bootstrap.clone(),
            source,
        };
        let admins = ClientConfig::from_properties(config.given(), Role::Admin);
        let admin = Arc::new(Admin::new(&admins, KAFKA_WAIT).map_err(kafka)?);
        // The first answer of the cluster, so that a wrong address is told at once.
        admin.topics().map_err(kafka)?;
        let cluster_id = admin.cluster_id().unwrap_or_default();
        let service_id = config.service_id();
        let consumers = ClientConfig::from_properties(config.given(), Role::Consumer);
        let producers = ClientConfig::from_properties(config.given(), Role::Producer);
        let replicas = config.number("ksql.internal.topic.replicas").unwrap_or(1);
        let mut log = CommandLog::open(
            admin.clone(),
            &consumers,
            producers,
            &service_id,
            u16::try_from(replicas).unwrap_or(1),
        )?;
        let history = log.catch_up()?;
        let fleet = Fleet::start(&config, admin.clone()).map_err(StartError::Runtime)?;
        let weir = Arc::new(Self {
            topics: ClusterTopics::new(admin.clone()),
            admin,
            fleet,
            push: Arc::new(PushRegistry::new(&config)),
            store: RwLock::new(Arc::new(Metastore::default())),
            lookups: query::Lookups::default(),
            commands: Mutex::new(Commands {
                log,
                origin: uuid::Uuid::new_v4().to_string(),
                count: 0,
            }),
            statuses: RwLock::new(IndexMap::new()),
            applied: watch::Sender::new(-1),
            cluster_id,
            host,
            kafka_answered: Mutex::new(None),
            degraded: false.into(),
            shut_down: false.into(),
            config,
        });
        weir.replay(history);
        weir.make_processing_log_stream();
        Ok(weir)
    }

    /// Applies what the log holds, then starts the queries that are left.
    fn replay(&self, history: Vec<LoggedCommand>) {
        let commands = history.len();
        for logged in history {
            self.apply_foreign(logged, false);
        }
        let store = self.store.read().clone();
        for query in store.queries() {
            if let Err(error) = self.fleet.start_query(query) {
                tracing::error!(query = query.id, %error, "query does not start");
            }
        }
        if commands > 0 {
            let queries = store.queries().count();
            tracing::info!(commands, queries, "command log replayed");
        }
    }

    /// Makes the stream over the processing log, where the configuration asks for it.
    fn make_processing_log_stream(&self) {
        let name = processing_log::stream_name(&self.config);
        let wanted = self
            .config
            .flag("ksql.logging.processing.stream.auto.create");
        if !wanted || self.metastore().source(&name).is_some() {
            return;
        }
        let request = KsqlRequest {
            ksql: processing_log::create_stream_sql(&self.config),
            ..KsqlRequest::default()
        };
        if let Err(error) = request::execute(self, &request) {
            tracing::warn!(error = error.message, "no stream over the processing log");
        }
    }

    /// Applies a command that this call did not plan: of the past, or of another server.
    pub(crate) fn apply_foreign(&self, logged: LoggedCommand, run: bool) {
        let (id, command) = match logged.command {
            Ok(found) => found,
            Err(reason) => {
                tracing::error!(offset = logged.offset, reason, "command cannot be applied");
                self.degraded
                    .store(true, std::sync::atomic::Ordering::Relaxed);
                self.applied.send_replace(logged.offset);
                return;
            }
        };
        let status = match request::replan(self, &command) {
            Ok(planned) => {
                let message = planned.effect.message();
                let query_id = planned.effect.started().map(|q| q.id.clone());
                if let Err(error) = self.change(&planned.effect, run) {
                    tracing::error!(command = %id, error, "query does not start");
                }
                CommandStatus {
                    status: "SUCCESS".to_owned(),
                    message,
                    query_id,
                }
            }
            Err(error) => {
                tracing::error!(command = %id, error = error.message, "command fails on replay");
                CommandStatus {
                    status: "ERROR".to_owned(),
                    message: error.message,
                    query_id: None,
                }
            }
        };
        self.finished(&id.to_string(), status, logged.offset);
    }

    /// Notes how a command ended.
    pub(crate) fn finished(&self, id: &str, status: CommandStatus, offset: i64) {
        self.statuses.write().insert(id.to_owned(), status);
        self.applied.send_replace(offset);
    }

    /// Offset of the last command applied.
    pub(crate) fn last_command(&self) -> i64 {
        *self.applied.borrow()
    }

    /// The metastore as it is now.
    pub fn metastore(&self) -> Arc<Metastore> {
        self.store.read().clone()
    }

    /// `POST /ksql`
    pub async fn execute(self: &Arc<Self>, request: KsqlRequest) -> Result<Vec<Entity>, ApiError> {
        self.wait_for(request.command_sequence_number).await?;
        let weir = self.clone();
        blocking(move || request::execute(&weir, &request)).await?
    }

    /// `POST /query`, `/query-stream`, `/ws/query`
    pub async fn query(self: &Arc<Self>, request: QueryRequest) -> Result<Answer, QueryFailure> {
        if let Err(error) = self.wait_for(request.command_sequence_number).await {
            return Err(QueryFailure {
                error,
                prepared: false,
            });
        }
        if let Some(rows) = query::look_up(self, &request, false) {
            return Ok(Answer::Rows(rows));
        }
        let weir = self.clone();
        let start = move || match query::look_up(&weir, &request, true) {
            Some(rows) => Ok(Answer::Rows(rows)),
            None => query::start(&weir, request),
        };
        match blocking(start).await {
            Ok(answer) => answer,
            Err(error) => Err(QueryFailure {
                error,
                prepared: true,
            }),
        }
    }

    /// The rows of a pull query by key, if one of its kind was planned a moment ago and it sets
    /// nothing but the key: the short way of [`query`](Self::query). `None`: take the long way.
    pub fn look_up(&self, sql: &str) -> Option<Lookup> {
        query::find(self, sql)
    }

    /// `POST /close-query`: whether there was such a query.
    pub fn close_query(&self, id: &str) -> bool {
        self.push.close(id)
    }

    /// First line of `/inserts-stream`.
    pub fn insert_target(self: &Arc<Self>, target: &str) -> Result<Inserter, ApiError> {
        Inserter::open(self.clone(), target)
    }

    /// Waits until the command of that offset was applied.
    async fn wait_for(&self, sequence: Option<i64>) -> Result<(), ApiError> {
        let Some(wanted) = sequence.filter(|n| *n >= 0) else {
            return Ok(());
        };
        let timeout = self
            .config
            .number("ksql.server.command.response.timeout.ms")
            .unwrap_or(5000);
        let timeout = Duration::from_millis(u64::try_from(timeout).unwrap_or(5000));
        let mut applied = self.applied.subscribe();
        let waited = tokio::time::timeout(timeout, applied.wait_for(|offset| *offset >= wanted));
        match waited.await {
            Ok(_) => Ok(()),
            Err(_) => Err(ApiError::generic(
                ErrorCode::CommandQueueTimeout,
                format!(
                    "Timed out while waiting for a previous command to execute. command sequence \
                     number: {wanted}"
                ),
            )),
        }
    }

    /// `GET /info`
    pub fn info(&self) -> ServerInfo {
        ServerInfo {
            version: VERSION.to_owned(),
            kafka_cluster_id: self.cluster_id.clone(),
            service_id: self.config.service_id(),
            status: if self.is_degraded() {
                "DEGRADED"
            } else {
                "RUNNING"
            },
        }
    }

    fn is_degraded(&self) -> bool {
        self.degraded.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// A property as it was given to the server.
    pub fn property(&self, name: &str) -> Option<String> {
        self.config.given_value(name).map(str::to_owned)
    }

    /// This server as clients see it.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// `GET /healthcheck`: as it was found within `ksql.healthcheck.interval.ms`.
    pub async fn health(self: &Arc<Self>) -> Health {
        let interval = self.config.given_value("ksql.healthcheck.interval.ms");
        let interval = interval.and_then(|v| v.trim().parse().ok()).unwrap_or(5000);
        let last = *self.kafka_answered.lock();
        let kafka = match last {
            Some((at, answered)) if at.elapsed() < Duration::from_millis(interval) => answered,
            _ => {
                let weir = self.clone();
                let topic = format!("_confluent-ksql-{}_command_topic", self.config.service_id());
                let asked = blocking(move || weir.admin.describe_topic(&topic).is_ok()).await;
                let answered = asked.unwrap_or(false);
                *self.kafka_answered.lock() = Some((Instant::now(), answered));
                answered
            }
        };
        Health {
            metastore: true,
            kafka,
            command_runner: !self.is_degraded(),
        }
    }

    /// `GET /status`
    pub fn command_statuses(&self) -> Vec<(String, String)> {
        self.statuses
            .read()
            .iter()
            .map(|(id, s)| (id.clone(), s.status.clone()))
            .collect()
    }

    /// `GET /status/{type}/{entity}/{action}`
    pub fn command_status(
        &self,
        kind: &str,
        entity: &str,
        action: &str,
    ) -> Result<CommandStatus, ApiError> {
        let kinds = [
            "topic",
            "stream",
            "table",
            "type",
            "cluster",
            "pause",
            "resume",
            "terminate",
        ];
        let actions = ["create", "drop", "execute", "terminate", "alter"];
        if !kinds.contains(&kind.to_ascii_lowercase().as_str()) {
            return Err(ApiError::generic(
                ErrorCode::ServerError,
                format!("No command type {kind}"),
            ));
        }
        if !actions.contains(&action.to_ascii_lowercase().as_str()) {
            return Err(ApiError::generic(
                ErrorCode::ServerError,
                format!("No command action {action}"),
            ));
        }
        let id = format!("{kind}/{entity}/{action}");
        self.statuses
            .read()
            .get(&id)
            .cloned()
            .ok_or_else(|| ApiError::generic(ErrorCode::NotFound, "Command not found"))
    }

    /// `GET /is_valid_property/{name}`: refused if no client may set it.
    pub fn is_valid_property(&self, name: &str) -> Result<(), ApiError> {
        if config::is_denied(name) {
            Err(config::denied(name))
        } else {
            Ok(())
        }
    }

    /// What answers instead of the endpoints while the server cannot serve.
    pub fn not_ready(&self) -> Option<ApiError> {
        self.shut_down
            .load(std::sync::atomic::Ordering::Relaxed)
            .then(|| {
                ApiError::generic(
                    ErrorCode::ShutDown,
                    "The server has been terminated. No new requests are accepted.",
                )
            })
    }

    /// `POST /ksql/terminate`: ends all queries, deletes the wanted sink topics and what is
    /// internal; the server answers 50304 from then on.
    pub async fn terminate_cluster(self: &Arc<Self>, body: &[u8]) -> Result<Vec<Entity>, ApiError> {
        let given = serde_json::Deserializer::from_slice(body)
            .into_iter::<Value>()
            .next();
        let list = match given {
            None | Some(Ok(Value::Null)) => Vec::new(),
            Some(Ok(Value::Object(map))) => match map.get("deleteTopicList") {
                Some(Value::Array(items)) => items
                    .iter()
                    .filter_map(|v| v.as_str().map(str::to_owned))
                    .collect(),
                _ => Vec::new(),
            },
            Some(_) => {
                return Err(ApiError::generic(
                    ErrorCode::BadRequest,
                    "Invalid JSON in request: expected an object",
                ));
            }
        };
        let weir = self.clone();
        let entities = blocking(move || request::terminate_cluster(&weir, &list)).await??;
        self.shut_down
            .store(true, std::sync::atomic::Ordering::Relaxed);
        Ok(entities)
    }

    /// Stops queries and workers; state and offsets stay.
    pub fn stop(&self) {
        self.push.close_all();
        self.fleet.stop();
    }

    /// A session for one request.
    pub(crate) fn session(
        &self,
        properties: &IndexMap<String, Value>,
        variables: &IndexMap<String, Value>,
    ) -> Result<Session, ApiError> {
        let overrides: Overrides = config::request_overrides(properties)?;
        Ok(Session::new(self, overrides, variables))
    }

    /// Topics as the planner sees them.
    pub(crate) fn cluster_topics(&self) -> &dyn Topics {
        &self.topics
    }
}

/// Runs what blocks on a thread for such work.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "a request broke");
        ApiError::generic(
            ErrorCode::ServerError,
            "The request broke the server's thread",
        )
    })
}
