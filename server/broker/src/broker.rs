//! The broker's parts put together, and what runs beside the connections.
//!
//! ```text
//! accept ─► connection tasks ─► handlers ─► topics / coordinator
//! timer (group and transaction deadlines) ┐
//! flusher (after the first write)         ├─ sleep until there is work; none of them polls
//! cleaner (retention, compaction)         ┘  (the cleaner looks at the topics every few seconds)
//! ```

use crate::clock::now_ms;
use crate::config::BrokerSettings;
use crate::coordinator::Coordinator;
use crate::protocol::{self, Memory};
use crate::storage::{FsyncPolicy, StorageEnv};
use crate::topics::Topics;
use crate::{BrokerConfig, BrokerError};
use kafka_protocol::messages::BrokerId;
use kafka_protocol::protocol::StrBytes;
use std::fs::{File, OpenOptions, TryLockError};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The one node of the cluster.
pub(crate) const NODE_ID: BrokerId = BrokerId(1);
/// Records in responses that are read but not taken by their consumers, at most.
const RESPONSE_BYTES: usize = 256 << 20;
/// How long the flusher rests after a flush that failed, as on a full disk.
const FLUSH_RETRY: Duration = Duration::from_secs(1);
/// Expired offsets and transactional ids are looked for once in so many rounds of the cleaner.
const TIDY_ROUNDS: u32 = 120;

/// A running broker's parts, shared by its tasks.
pub(crate) struct Broker {
    pub(crate) topics: Arc<Topics>,
    pub(crate) coordinator: Coordinator,
    pub(crate) settings: BrokerSettings,
    pub(crate) cluster_id: String,
    pub(crate) stopped: CancellationToken,
    /// Of requests that are read or handled.
    pub(crate) request_memory: Memory,
    /// Of records on their way to consumers.
    pub(crate) response_memory: Memory,
    env: Arc<StorageEnv>,
    address: SocketAddr,
    /// Holds the lock on the data directory.
    _lock: Option<File>,
}

impl Broker {
    pub(crate) fn host(&self) -> StrBytes {
        StrBytes::from_string(self.address.ip().to_string())
    }
    pub(crate) fn port(&self) -> i32 {
        i32::from(self.address.port())
    }

    /// Opens the data directory, listens, and starts the tasks. Returns the broker, its address and its tasks.
    pub(crate) async fn start(
        config: BrokerConfig,
    ) -> Result<(Arc<Self>, SocketAddr, TaskTracker), BrokerError> {
        let listen = config.listen;
        let listener = TcpListener::bind(listen)
            .await
            .map_err(|error| BrokerError::Listen { listen, error })?;
        let address = listener
            .local_addr()
            .map_err(|error| BrokerError::Listen { listen, error })?;
        let opened = tokio::task::spawn_blocking(move || Self::open(config, address));
        let broker = Arc::new(opened.await.map_err(|e| BrokerError::Data {
            path: PathBuf::new(),
            error: io::Error::other(e),
        })??);
        let tasks = TaskTracker::new();
        tasks.spawn(broker.clone().accept(listener, tasks.clone()));
        tasks.spawn(broker.clone().watch_deadlines());
        tasks.spawn(broker.clone().flush_partitions());
        tasks.spawn(broker.clone().flush_journal());
        tasks.spawn(broker.clone().clean());
        Ok((broker, address, tasks))
    }

    pub(crate) fn open(config: BrokerConfig, address: SocketAddr) -> Result<Self, BrokerError> {
        let mut settings = BrokerSettings {
            auto_create_topics: config.auto_create_topics,
            default_partitions: config.default_partitions,
            ..BrokerSettings::default()
        };
        for (name, value) in &config.configs {
            settings
                .set(name, value)
                .map_err(|e| BrokerError::Config(e.to_string()))?;
        }
        let lock = match &config.data {
            Some(dir) => Some(lock(dir)?),
            None => None,
        };
        let env = StorageEnv::new(config.fsync, config.memory_cap);
        let topics = Arc::new(Topics::new(config.data.as_deref(), env.clone()));
        let data = config.data.as_deref();
        let coordinator = Coordinator::open(data, config.fsync, topics.clone(), settings.clone())
            .map_err(|error| BrokerError::Data {
            path: config.data.clone().unwrap_or_default(),
            error,
        })?;
        Ok(Self {
            topics,
            coordinator,
            request_memory: Memory::new(settings.queued_request_bytes),
            response_memory: Memory::new(RESPONSE_BYTES),
            settings,
            cluster_id: config.cluster_id,
            stopped: CancellationToken::new(),
            env,
            address,
            _lock: lock,
        })
    }

    async fn accept(self: Arc<Self>, listener: TcpListener, tasks: TaskTracker) {
        let stopped = self.stopped.clone();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stopped.cancelled() => return,
            };
            match accepted {
                Ok((socket, _)) => {
                    tasks.spawn(protocol::serve(self.clone(), socket));
                }
                Err(e) => {
                    // Out of file descriptors, mostly: connections that close will free some.
                    tracing::warn!(error = %e, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn watch_deadlines(self: Arc<Self>) {
        let stopped = self.stopped.clone();
        while until(&stopped, self.coordinator.wait_for_deadline()).await {
            let broker = self.clone();
            blocking(move || broker.coordinator.expire()).await;
        }
    }

    async fn flush_partitions(self: Arc<Self>) {
        let delay = match self.env.fsync {
            FsyncPolicy::Background(delay) => delay,
            // Every write is on disk already; only checkpoints remain to be written.
            FsyncPolicy::EveryWrite => FLUSH_RETRY,
        };
        let stopped = self.stopped.clone();
        let work = async |broker: &Arc<Self>| {
            broker.env.flush_needed.notified().await;
            tokio::time::sleep(delay).await;
        };
        while until(&stopped, work(&self)).await {
            let broker = self.clone();
            let failed = blocking(move || broker.flush_dirty()).await;
            if failed == Some(true) && !until(&stopped, tokio::time::sleep(FLUSH_RETRY)).await {
                return;
            }
        }
    }

    /// Flushes the partitions that were written. Returns whether one failed.
    fn flush_dirty(&self) -> bool {
        let mut failed = false;
        for partition in self.env.take_dirty() {
            if let Err(e) = partition.flush(false, now_ms()) {
                tracing::error!(error = %e, "a partition could not be brought to disk");
                failed = true;
                self.env.mark_dirty(Arc::downgrade(&partition));
            }
        }
        failed
    }

    async fn flush_journal(self: Arc<Self>) {
        let FsyncPolicy::Background(delay) = self.env.fsync else {
            return;
        };
        let stopped = self.stopped.clone();
        let work = async |broker: &Arc<Self>| {
            broker.coordinator.journal_dirty.notified().await;
            tokio::time::sleep(delay).await;
        };
        while until(&stopped, work(&self)).await {
            let broker = self.clone();
            blocking(move || {
                if let Err(e) = broker.coordinator.flush_journal() {
                    tracing::error!(error = %e, "the journal could not be brought to disk");
                }
            })
            .await;
        }
    }

    async fn clean(self: Arc<Self>) {
        let stopped = self.stopped.clone();
        let pause = self
            .settings
            .retention_check_ms
            .min(self.settings.cleaner_backoff_ms);
        let mut round = 0u32;
        let between = Duration::from_millis(self.settings.retention_check_ms);
        let mut retained = Instant::now();
        while until(&stopped, tokio::time::sleep(Duration::from_millis(pause))).await {
            round = round.wrapping_add(1);
            let broker = self.clone();
            let retain = retained.elapsed() >= between;
            if retain {
                retained = Instant::now();
            }
            blocking(move || broker.clean_once(round.is_multiple_of(TIDY_ROUNDS), retain)).await;
        }
    }

    fn clean_once(&self, tidy: bool, retain: bool) {
        self.topics.sweep();
        for topic in self.topics.all() {
            let settings = topic.settings();
            for (index, partition) in topic.partitions().iter().enumerate() {
                let now = now_ms();
                let retained = match retain {
                    true => partition.retain(&settings, now).map(drop),
                    false => Ok(()),
                };
                let cleaned = retained.and_then(|()| partition.compact(&settings, now));
                if let Err(e) = cleaned {
                    // A deleted topic's files vanish under the cleaner; that is no news.
                    if self.topics.by_id(topic.id).is_some() {
                        tracing::warn!(topic = topic.name, partition = index, error = %e, "cleaning failed");
                    }
                }
                if self.stopped.is_cancelled() {
                    return;
                }
            }
        }
        if tidy && let Err(e) = self.coordinator.tidy() {
            tracing::warn!(error = %e, "expired offsets could not be removed");
        }
    }

    /// Brings everything to disk, so that the next start reads next to nothing.
    pub(crate) fn shut_down(&self) {
        self.topics.sweep();
        for topic in self.topics.all() {
            for partition in topic.partitions() {
                if let Err(e) = partition.flush_at_stop(now_ms()) {
                    tracing::error!(topic = topic.name, error = %e, "a partition could not be brought to disk");
                }
            }
        }
        if let Err(e) = self.coordinator.flush_journal() {
            tracing::error!(error = %e, "the journal could not be brought to disk");
        }
    }
}

/// Waits for `work`; false when the broker stops first.
async fn until(stopped: &CancellationToken, work: impl Future<Output = ()>) -> bool {
    tokio::select! {
        () = work => true,
        () = stopped.cancelled() => false,
    }
}

/// Runs file work outside of the async threads; `None` when it panicked, which its task has reported.
async fn blocking<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> Option<R> {
    tokio::task::spawn_blocking(work).await.ok()
}

/// Creates the data directory and locks it: one process per directory.
pub(crate) fn lock(dir: &Path) -> Result<File, BrokerError> {
    let failed = |error| BrokerError::Data {
        path: dir.to_path_buf(),
        error,
    };
    std::fs::create_dir_all(dir).map_err(failed)?;
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(dir.join("lock"))
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(BrokerError::InUse(dir.to_path_buf())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}
