//! A bounded set of open files, however many segments exist.

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

/// Keeps at most `capacity` files open; the next one closes the one that was not used for longest (second chance).
#[derive(Debug)]
pub(crate) struct FilePool {
    open: Mutex<VecDeque<Weak<FileSlot>>>,
    capacity: usize,
}

impl FilePool {
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            open: Mutex::new(VecDeque::new()),
            capacity,
        })
    }

    /// A slot for the file at `path`, which is opened when it is first used.
    pub(crate) fn slot(self: &Arc<Self>, path: PathBuf) -> Arc<FileSlot> {
        Arc::new(FileSlot {
            pool: self.clone(),
            path,
            file: Mutex::new(None),
            used: AtomicBool::new(false),
        })
    }

    fn admit(&self, slot: &Arc<FileSlot>) {
        let mut victims = Vec::new();
        {
            let mut open = self.open.lock();
            open.push_back(Arc::downgrade(slot));
            let mut chances = open.len();
            while open.len() > self.capacity {
                let Some(weak) = open.pop_front() else { break };
                let Some(old) = weak.upgrade() else { continue };
                if chances > 0 && old.used.swap(false, Ordering::Relaxed) {
                    chances -= 1;
                    open.push_back(weak);
                } else {
                    victims.push(old);
                }
            }
        }
        for victim in victims {
            *victim.file.lock() = None;
        }
    }
}

/// One file that may or may not be open just now. Readers that hold its `Arc<File>` keep it open until they are done.
#[derive(Debug)]
pub(crate) struct FileSlot {
    pool: Arc<FilePool>,
    path: PathBuf,
    file: Mutex<Option<Arc<File>>>,
    used: AtomicBool,
}

impl FileSlot {
    /// The open file; opens it when needed. It must exist: only [`Self::create`] makes it, so that late work on a deleted
    /// segment does not bring its file back.
    pub(crate) fn get(self: &Arc<Self>) -> io::Result<Arc<File>> {
        self.open(false)
    }

    /// The open file, created when it does not exist.
    pub(crate) fn create(self: &Arc<Self>) -> io::Result<Arc<File>> {
        self.open(true)
    }

    fn open(self: &Arc<Self>, create: bool) -> io::Result<Arc<File>> {
        self.used.store(true, Ordering::Relaxed);
        let mut slot = self.file.lock();
        if let Some(file) = &*slot {
            return Ok(file.clone());
        }
        let file = Arc::new(
            OpenOptions::new()
                .read(true)
                .write(true)
                .create(create)
                .truncate(false)
                .open(&self.path)?,
        );
        *slot = Some(file.clone());
        drop(slot);
        self.pool.admit(self);
        Ok(file)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
