//! The topics and their partitions, by name and by id. Reads take a short shared lock; what changes the set is journaled by
//! the coordinator first.

use crate::config::{Overrides, TopicSettings};
use crate::storage::{Partition, StorageEnv};
use parking_lot::{Mutex, RwLock};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;

/// Folder of all partitions inside the data directory.
const LOGS_DIR: &str = "topics";
/// Suffix of a topic's folder whose removal has begun.
const DELETED: &str = ".deleted";

/// A topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) id: Uuid,
    partitions: RwLock<Vec<Arc<Partition>>>,
    configs: RwLock<Configs>,
}

#[derive(Debug)]
struct Configs {
    overrides: Overrides,
    settings: Arc<TopicSettings>,
}

impl Topic {
    pub(crate) fn partition(&self, index: i32) -> Option<Arc<Partition>> {
        let index = usize::try_from(index).ok()?;
        self.partitions.read().get(index).cloned()
    }
    pub(crate) fn partition_count(&self) -> i32 {
        self.partitions.read().len() as i32
    }
    pub(crate) fn partitions(&self) -> Vec<Arc<Partition>> {
        self.partitions.read().clone()
    }
    pub(crate) fn settings(&self) -> Arc<TopicSettings> {
        self.configs.read().settings.clone()
    }
    pub(crate) fn overrides(&self) -> Overrides {
        self.configs.read().overrides.clone()
    }
    pub(crate) fn set_overrides(&self, overrides: Overrides) {
        let settings = Arc::new(TopicSettings::resolve(&overrides));
        *self.configs.write() = Configs {
            overrides,
            settings,
        };
    }
}

/// All topics.
#[derive(Debug)]
pub(crate) struct Topics {
    /// `None` in memory mode.
    dir: Option<PathBuf>,
    env: Arc<StorageEnv>,
    table: RwLock<Table>,
    /// Folders of deleted topics.
    doomed: Mutex<Vec<PathBuf>>,
}

#[derive(Debug, Default)]
struct Table {
    by_name: BTreeMap<String, Arc<Topic>>,
    by_id: HashMap<Uuid, Arc<Topic>>,
}

impl Topics {
    /// An empty set whose logs live below `data`.
    pub(crate) fn new(data: Option<&Path>, env: Arc<StorageEnv>) -> Self {
        Self {
            dir: data.map(|d| d.join(LOGS_DIR)),
            env,
            table: RwLock::default(),
            doomed: Mutex::default(),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Topic>> {
        self.table.read().by_name.get(name).cloned()
    }
    pub(crate) fn by_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        self.table.read().by_id.get(&id).cloned()
    }
    pub(crate) fn partition(&self, name: &str, index: i32) -> Option<Arc<Partition>> {
        self.get(name)?.partition(index)
    }
    /// All topics in the order of their names.
    pub(crate) fn all(&self) -> Vec<Arc<Topic>> {
        self.table.read().by_name.values().cloned().collect()
    }

    fn topic_dir(&self, name: &str, id: Uuid) -> Option<PathBuf> {
        let dir = self.dir.as_ref()?;
        Some(dir.join(format!("{name}-{}", id.simple())))
    }

    fn open_partition(&self, name: &str, id: Uuid, index: i32) -> io::Result<Arc<Partition>> {
        let dir = self
            .topic_dir(name, id)
            .map(|dir| dir.join(index.to_string()));
        let at = dir.clone();
        Partition::open(dir, &self.env).map_err(|e| match at {
            Some(at) => io::Error::new(e.kind(), format!("{}: {e}", at.display())),
            None => e,
        })
    }

    /// Opens the partitions of a topic without showing it yet.
    pub(crate) fn open(
        &self,
        name: &str,
        id: Uuid,
        partitions: i32,
        overrides: Overrides,
    ) -> io::Result<Arc<Topic>> {
        let opened: io::Result<Vec<_>> = (0..partitions)
            .map(|index| self.open_partition(name, id, index))
            .collect();
        let settings = Arc::new(TopicSettings::resolve(&overrides));
        Ok(Arc::new(Topic {
            name: name.to_owned(),
            id,
            partitions: RwLock::new(opened?),
            configs: RwLock::new(Configs {
                overrides,
                settings,
            }),
        }))
    }

    /// Shows an opened topic.
    pub(crate) fn insert(&self, topic: Arc<Topic>) {
        let mut table = self.table.write();
        table.by_id.insert(topic.id, topic.clone());
        table.by_name.insert(topic.name.clone(), topic);
    }

    /// Adds partitions up to `count`.
    pub(crate) fn grow(&self, topic: &Topic, count: i32) -> io::Result<()> {
        let mut partitions = topic.partitions.write();
        for index in partitions.len() as i32..count {
            partitions.push(self.open_partition(&topic.name, topic.id, index)?);
        }
        Ok(())
    }

    /// Hides a topic, wakes those who wait for its records and removes its files.
    pub(crate) fn remove(&self, topic: &Topic) {
        {
            let mut table = self.table.write();
            table.by_name.remove(&topic.name);
            table.by_id.remove(&topic.id);
        }
        for partition in topic.partitions() {
            partition.wake();
        }
        self.remove_files(&topic.name, topic.id);
    }

    /// Gives the folder of a topic up, also of one that never came to be shown. A rename is quick enough to be waited for;
    /// [`Self::sweep`] removes the files, as a start does after a crash in between.
    pub(crate) fn remove_files(&self, name: &str, id: Uuid) {
        let Some(dir) = self.topic_dir(name, id) else {
            return;
        };
        let doomed = PathBuf::from(format!("{}{DELETED}", dir.display()));
        match std::fs::rename(&dir, &doomed) {
            Ok(()) => self.doomed.lock().push(doomed),
            Err(e) => {
                tracing::warn!(folder = %dir.display(), error = %e, "the folder of a deleted topic could not be removed");
            }
        }
    }

    /// Removes the files of deleted topics.
    pub(crate) fn sweep(&self) {
        let doomed = std::mem::take(&mut *self.doomed.lock());
        for dir in doomed {
            if let Err(e) = std::fs::remove_dir_all(&dir) {
                tracing::warn!(folder = %dir.display(), error = %e, "the folder of a deleted topic could not be removed");
            }
        }
    }

    /// Finishes interrupted removals and names folders that belong to no topic.
    pub(crate) fn tidy(&self) -> io::Result<()> {
        let Some(dir) = &self.dir else { return Ok(()) };
        std::fs::create_dir_all(dir)?;
        let known: Vec<PathBuf> = self
            .all()
            .iter()
            .filter_map(|t| self.topic_dir(&t.name, t.id))
            .collect();
        for entry in std::fs::read_dir(dir)? {
            let path = entry?.path();
            if path.to_string_lossy().ends_with(DELETED) {
                std::fs::remove_dir_all(&path)?;
            } else if !known.contains(&path) {
                tracing::warn!(folder = %path.display(), "no topic of the journal owns this folder; left alone");
            }
        }
        Ok(())
    }
}
