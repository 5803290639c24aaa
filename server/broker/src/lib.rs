//! The embedded broker: a durable single-node Kafka behind the Kafka protocol.
//!
//! ```text
//!             protocol (frames, decoding) ─► handlers ─┬─► storage: partitions, segments, compaction
//!                                                      └─► coordinator ─► groups, transactions (pure)
//!                                                                     └─► journal
//! ```
//!
//! For a first hour without Kafka, for tests without Java, and for small single-node use: replication factor 1, loopback,
//! no TLS, no authentication, one process per data directory. `docs/broker.md` says what it promises.
//!
//! Each room owns one thing: `records` the bytes of a batch, `storage` the logs, `journal` everything else that must
//! survive, `groups` and `transactions` the rules (without I/O or clock), `coordinator` their application, `protocol` the
//! wire, `handlers` the requests, `config` names and defaults.
//!
//! Invariant: what was acknowledged survives the death of the process; with [`FsyncPolicy::EveryWrite`] also that of power.

mod broker;
mod clock;
mod config;
mod coordinator;
mod error_code;
mod groups;
mod handlers;
mod journal;
mod protocol;
mod records;
mod storage;
mod topics;
mod transactions;

pub use storage::FsyncPolicy;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// How a broker is to run.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// Folder for everything that must survive, created when absent; `None` keeps all in memory.
    pub data: Option<PathBuf>,
    /// Where to listen; only loopback addresses are accepted, port 0 takes a free one.
    pub listen: SocketAddr,
    /// What clients see as the cluster's id.
    pub cluster_id: String,
    /// Whether naming an unknown topic creates it (`auto.create.topics.enable`).
    pub auto_create_topics: bool,
    /// Partitions of a topic for which none are given (`num.partitions`).
    pub default_partitions: i32,
    /// When writes reach the disk.
    pub fsync: FsyncPolicy,
    /// Further configs of the broker with Kafka's names, such as `log.retention.check.interval.ms`.
    pub configs: Vec<(String, String)>,
    /// Bytes of records that may be held without a data folder; beyond it producers get KAFKA_STORAGE_ERROR.
    pub memory_cap: u64,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            data: None,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9092)),
            cluster_id: "weir-embedded".to_owned(),
            auto_create_topics: true,
            default_partitions: 1,
            fsync: FsyncPolicy::Background(Duration::from_secs(1)),
            configs: Vec::new(),
            memory_cap: 1 << 30,
        }
    }
}

/// Why a broker does not start.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The address cannot be listened on.
    #[error(
        "the embedded broker cannot listen on {listen}: {error}; is another one running there?"
    )]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// The embedded broker has no authentication, so it stays on this machine.
    #[error(
        "the embedded broker has no authentication and listens on loopback only, not on {0}; use 127.0.0.1"
    )]
    NotLoopback(SocketAddr),
    /// A config does not exist or has an impossible value.
    #[error("the embedded broker does not start: {0}")]
    Config(String),
    /// Another process uses the data folder.
    #[error("the data folder {} is in use by another broker", .0.display())]
    InUse(PathBuf),
    /// The data folder cannot be read or written.
    #[error("the data folder {} cannot be used: {error}", path.display())]
    Data {
        /// The folder.
        path: PathBuf,
        /// What went wrong, with the file where it is one.
        error: std::io::Error,
    },
}

/// The embedded broker; see [`Broker::start`].
#[derive(Debug)]
pub struct Broker;

impl Broker {
    /// Starts a broker on the current tokio runtime. When this returns, it answers.
    pub async fn start(config: BrokerConfig) -> Result<RunningBroker, BrokerError> {
        if !config.listen.ip().is_loopback() {
            return Err(BrokerError::NotLoopback(config.listen));
        }
        let (broker, address, tasks) = broker::Broker::start(config).await?;
        Ok(RunningBroker {
            address,
            broker,
            tasks,
        })
    }
}

/// A broker that answers on [`Self::address`] until it is stopped or dropped.
pub struct RunningBroker {
    /// The address, with the port that was taken.
    pub address: SocketAddr,
    broker: Arc<broker::Broker>,
    tasks: TaskTracker,
}

impl RunningBroker {
    /// The address as `bootstrap.servers` wants it.
    pub fn bootstrap_servers(&self) -> String {
        self.address.to_string()
    }

    /// Closes all connections, brings everything to disk and returns when the data folder is free again.
    pub async fn stop(self) {
        self.broker.stopped.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        let broker = self.broker.clone();
        // A panic in there was reported by its own message; the data is what a crash would leave.
        let _ = tokio::task::spawn_blocking(move || broker.shut_down()).await;
    }
}

impl Drop for RunningBroker {
    fn drop(&mut self) {
        self.broker.stopped.cancel();
    }
}

impl std::fmt::Debug for RunningBroker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunningBroker")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
