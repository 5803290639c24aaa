//! RocksDB: one database per server, one column family per task.
//!
//! ```text
//!   Database ──task(id)──► TaskState ──stores──► RocksStore (KvStore)   the task's own
//!      │                       └──reader──► RocksStore (reads only)     pull queries, any thread
//!      └── commit([task, positions]) = small write batches { every overlay }, then { positions }
//! ```
//!
//! The write-ahead log is off: what is lost with the process is replayed from changelog topics,
//! from the position that lies next to the data. All families flush together (`atomic_flush`), so
//! after a crash the data found reach at least to the positions found; replaying a part twice gives
//! the same state.
//!
//! Invariant: a position enters the database after all data that it corresponds to, and readers see
//! a commit whole, since the overlay stays until its last batch is written.

mod overlay;
mod store;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use parking_lot::Mutex;
use rocksdb::{
    BlockBasedOptions, BoundColumnFamily, Cache, ColumnFamilyDescriptor, DB, DBCompressionType,
    FlushOptions, LogLevel, Options, WriteBatch, WriteBufferManager, WriteOptions,
};

use crate::store::{KvStore, Result, StateError};
use overlay::Shared;
pub use store::RocksStore;

/// Names of positions and the offsets: which changelog record, which source record the data of a
/// task corresponds to. What the names mean is the caller's business.
pub type Positions = BTreeMap<String, i64>;

/// A task: one sub-topology of one query on one partition.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId {
    /// Query id.
    pub query: String,
    /// Index of the sub-topology.
    pub part: u32,
    /// Partition.
    pub partition: u32,
}

impl TaskId {
    fn family(&self) -> String {
        format!("{}/{}/{}", self.query, self.part, self.partition)
    }
}

/// How much memory the database may take.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Blocks read from files, bytes.
    pub block_cache: usize,
    /// Committed data not yet in files, bytes.
    pub write_buffers: usize,
    /// Committed values kept for reading again, all stores together, bytes.
    pub read_cache: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            block_cache: 16 << 20,
            write_buffers: 32 << 20,
            read_cache: 32 << 20,
        }
    }
}

/// The database of a server. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    db: DB,
    family_options: Options,
    /// Names of all column families; the client does not tell.
    families: Mutex<BTreeSet<String>>,
    folder: String,
    /// Bytes in the read caches of all stores.
    cached: AtomicUsize,
    read_cache: usize,
}

/// Bytes of one write: a batch is a copy of what it writes.
const BATCH_BYTES: usize = 1 << 20;

/// Keys of a task's own entries in its family. Stores have prefixes below 255.
const POSITIONS: &[u8] = b"\xffpositions";
const STORES: &[u8] = b"\xffstores";

impl Database {
    /// Opens the database in `folder`, or makes it. Fails in plain words when another process has
    /// it open.
    pub fn open(folder: &Path, budget: Budget) -> Result<Self> {
        let name = folder.display().to_string();
        let fail = |message: String| StateError::Storage {
            store: name.clone(),
            message,
        };
        std::fs::create_dir_all(folder)
            .map_err(|e| fail(format!("the folder cannot be made: {e}")))?;
        let family_options = family_options(budget);
        let options = database_options(budget);
        let exists = folder.join("CURRENT").exists();
        let mut families = if exists {
            DB::list_cf(&options, folder).map_err(|e| fail(e.to_string()))?
        } else {
            Vec::new()
        };
        if !families.iter().any(|family| family == "default") {
            families.push("default".to_owned());
        }
        let descriptors = families
            .iter()
            .cloned()
            .map(|family| ColumnFamilyDescriptor::new(family, family_options.clone()));
        let db = DB::open_cf_descriptors(&options, folder, descriptors).map_err(|e| {
            let message = e.to_string();
            if message.contains("lock") {
                fail("is in use by another server; stop it or choose another data folder".into())
            } else {
                fail(message)
            }
        })?;
        let inner = Inner {
            db,
            family_options,
            families: Mutex::new(families.into_iter().collect()),
            folder: name,
            cached: AtomicUsize::new(0),
            read_cache: budget.read_cache,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The state of a task, with stores of these names; what was committed under a name is found
    /// again.
    pub fn task(&self, id: &TaskId, stores: &[&str]) -> Result<TaskState> {
        let family = id.family();
        let inner = &self.inner;
        if inner.db.cf_handle(&family).is_none() {
            inner
                .db
                .create_cf(&family, &inner.family_options)
                .map_err(|e| inner.error(&family, &e))?;
            inner.families.lock().insert(family.clone());
        }
        let mut names = inner.store_names(&family)?;
        let known = names.len();
        for store in stores {
            if !names.iter().any(|name| name == store) {
                names.push((*store).to_owned());
            }
        }
        if names.len() > usize::from(u8::MAX) {
            return Err(StateError::Storage {
                store: family,
                message: "a task has at most 255 stores".to_owned(),
            });
        }
        if names.len() != known {
            inner
                .db
                .put_cf_opt(
                    &inner.family(&family)?,
                    STORES,
                    names.join(
                        "
",
                    ),
                    &unlogged(),
                )
                .map_err(|e| inner.error(&family, &e))?;
        }
        let stores = stores
            .iter()
            .filter_map(|store| {
                let prefix = names.iter().position(|name| name == store)?;
                Some(Arc::new(Shared::new(
                    inner.clone(),
                    family.clone(),
                    (*store).to_owned(),
                    prefix as u8,
                )))
            })
            .collect();
        Ok(TaskState {
            database: self.clone(),
            family,
            stores,
        })
    }

    /// Writes what the tasks hold uncommitted, and then the positions that it corresponds to.
    /// Positions not named keep their value. After an error part of it may be written, and the
    /// positions are those of before.
    pub fn commit(&self, tasks: &[(&TaskState, Positions)]) -> Result<()> {
        let inner = &self.inner;
        let write = |batch: WriteBatch| {
            inner
                .db
                .write_opt(batch, &unlogged())
                .map_err(|e| inner.error("commit", &e))
        };
        let mut batch = WriteBatch::default();
        for (task, _) in tasks {
            let family = inner.family(&task.family)?;
            for store in &task.stores {
                let overlay = store.overlay.read();
                overlay.write_to(&mut batch, &family, store.prefix, &mut |batch| {
                    if batch.size_in_bytes() < BATCH_BYTES {
                        return Ok(());
                    }
                    write(std::mem::take(batch))
                })?;
            }
        }
        for (task, positions) in tasks {
            if !positions.is_empty() {
                let family = inner.family(&task.family)?;
                let mut all = task.positions()?;
                all.extend(
                    positions
                        .iter()
                        .map(|(name, offset)| (name.clone(), *offset)),
                );
                batch.put_cf(&family, POSITIONS, encode_positions(&all));
            }
        }
        write(batch)?;
        for (task, _) in tasks {
            for store in &task.stores {
                store.committed();
            }
        }
        Ok(())
    }

    /// Puts everything committed on disk, so that a later start has little to replay.
    pub fn flush(&self) -> Result<()> {
        let inner = &self.inner;
        let names = inner.families.lock().clone();
        let handles: Vec<_> = names
            .iter()
            .filter_map(|name| inner.db.cf_handle(name))
            .collect();
        let handles: Vec<&Arc<BoundColumnFamily<'_>>> = handles.iter().collect();
        inner
            .db
            .flush_cfs_opt(&handles, &FlushOptions::default())
            .map_err(|e| inner.error("flush", &e))
    }

    /// Ids of the queries that have state here.
    pub fn queries(&self) -> Vec<String> {
        let mut queries: Vec<_> = self
            .inner
            .families
            .lock()
            .iter()
            .filter_map(|name| name.rsplitn(3, '/').nth(2).map(str::to_owned))
            .collect();
        queries.sort();
        queries.dedup();
        queries
    }

    /// Removes the state of a whole query.
    pub fn drop_query(&self, query: &str) -> Result<()> {
        let families = self.inner.families.lock().clone();
        for family in families {
            if family.rsplitn(3, '/').nth(2) == Some(query) {
                self.drop_family(&family)?;
            }
        }
        Ok(())
    }

    /// Removes the state of one task: it will be restored from nothing.
    pub fn drop_task(&self, id: &TaskId) -> Result<()> {
        self.drop_family(&id.family())
    }

    fn drop_family(&self, family: &str) -> Result<()> {
        let inner = &self.inner;
        if inner.db.cf_handle(family).is_some() {
            inner
                .db
                .drop_cf(family)
                .map_err(|e| inner.error(family, &e))?;
            inner.families.lock().remove(family);
        }
        Ok(())
    }
}

impl Inner {
    fn error(&self, what: &str, error: &rocksdb::Error) -> StateError {
        StateError::Storage {
            store: what.to_owned(),
            message: format!("{error} (in {})", self.folder),
        }
    }

    fn family(&self, name: &str) -> Result<Arc<BoundColumnFamily<'_>>> {
        self.db.cf_handle(name).ok_or_else(|| StateError::Storage {
            store: name.to_owned(),
            message: "its data was dropped".to_owned(),
        })
    }

    fn store_names(&self, family: &str) -> Result<Vec<String>> {
        let value = self
            .db
            .get_cf(&self.family(family)?, STORES)
            .map_err(|e| self.error(family, &e))?;
        Ok(value
            .filter(|bytes| !bytes.is_empty())
            .map(|bytes| {
                String::from_utf8_lossy(&bytes)
                    .lines()
                    .map(str::to_owned)
                    .collect()
            })
            .unwrap_or_default())
    }
}

/// What a task keeps, and what it has written since the last commit.
pub struct TaskState {
    database: Database,
    family: String,
    stores: Vec<Arc<Shared>>,
}

impl TaskState {
    /// The stores, in the order in which they were asked for. Only one set may be written to at a
    /// time.
    pub fn stores(&self) -> Vec<Box<dyn KvStore>> {
        self.stores
            .iter()
            .map(|store| Box::new(RocksStore::owner(store.clone())) as Box<dyn KvStore>)
            .collect()
    }

    /// A view of one store for reading from any thread, uncommitted writes included.
    pub fn reader(&self, store: &str) -> Option<RocksStore> {
        self.stores
            .iter()
            .find(|shared| shared.name == store)
            .map(|shared| RocksStore::reader(shared.clone()))
    }

    /// Forgets everything uncommitted.
    pub fn discard(&self) {
        for store in &self.stores {
            store.overlay.write().discard();
        }
    }

    /// Bytes not committed yet.
    pub fn uncommitted_bytes(&self) -> usize {
        self.stores
            .iter()
            .map(|store| store.overlay.read().bytes())
            .sum()
    }

    /// The positions that the committed data corresponds to.
    pub fn positions(&self) -> Result<Positions> {
        let inner = &self.database.inner;
        let value = inner
            .db
            .get_cf(&inner.family(&self.family)?, POSITIONS)
            .map_err(|e| inner.error(&self.family, &e))?;
        value.map_or_else(
            || Ok(Positions::new()),
            |bytes| decode_positions(&self.family, &bytes),
        )
    }
}

fn unlogged() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.disable_wal(true);
    options
}

fn database_options(budget: Budget) -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_atomic_flush(true);
    options.set_write_buffer_manager(&WriteBufferManager::new_write_buffer_manager(
        budget.write_buffers,
        false,
    ));
    options.set_max_background_jobs(2);
    options.set_max_open_files(512);
    options.set_keep_log_file_num(2);
    options.set_max_log_file_size(1 << 20);
    options.set_log_level(LogLevel::Warn);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options
}

/// Levels of files in a family.
const LEVELS: usize = 7;

fn family_options(budget: Budget) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(&Cache::new_lru_cache(budget.block_cache));
    table.set_block_size(8 << 10);
    table.set_bloom_filter(10.0, false);
    table.set_format_version(5);
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    // What has just been written is soon merged, expired or written again: compressing it, and
    // merging it after every fourth file as is the default, took a quarter of the CPU of windows.
    let mut compression = [DBCompressionType::Lz4; LEVELS];
    compression[0] = DBCompressionType::None;
    options.set_num_levels(LEVELS as i32);
    options.set_compression_per_level(&compression);
    options.set_level_zero_file_num_compaction_trigger(8);
    options.set_write_buffer_size(budget.write_buffers / 2);
    // A family that is hardly written to must not take a large first block.
    options.set_arena_block_size(64 << 10);
    options
}

const POSITIONS_VERSION: u8 = 1;

/// Version, then `length of the name (u16) · name · offset (i64)` of each, little-endian.
fn encode_positions(positions: &Positions) -> Vec<u8> {
    let mut bytes = vec![POSITIONS_VERSION];
    for (name, offset) in positions {
        let name = name.as_bytes();
        bytes.extend_from_slice(&(name.len() as u16).to_le_bytes());
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(&offset.to_le_bytes());
    }
    bytes
}

fn decode_positions(family: &str, bytes: &[u8]) -> Result<Positions> {
    let corrupt = || StateError::Corrupt {
        store: family.to_owned(),
        message: "its positions were not written by this version".to_owned(),
    };
    let mut positions = Positions::new();
    let mut rest = match bytes.split_first() {
        Some((&POSITIONS_VERSION, rest)) => rest,
        _ => return Err(corrupt()),
    };
    while let Some((length, tail)) = rest.split_first_chunk::<2>() {
        let (name, tail) = tail
            .split_at_checked(usize::from(u16::from_le_bytes(*length)))
            .ok_or_else(corrupt)?;
        let (offset, tail) = tail.split_first_chunk::<8>().ok_or_else(corrupt)?;
        let name = String::from_utf8(name.to_vec()).map_err(|_| corrupt())?;
        positions.insert(name, i64::from_le_bytes(*offset));
        rest = tail;
    }
    if rest.is_empty() {
        Ok(positions)
    } else {
        Err(corrupt())
    }
}

#[cfg(test)]
mod tests;
