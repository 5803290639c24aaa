#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cleaning;
mod fuzz;
mod healing;
mod messages;
mod reading;

use super::*;
use crate::config::{Overrides, TopicSettings};
use crate::records::testing::{TestBatch, one};
use crate::records::{BatchHeader, body_of, records};
use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The tests' clock, ms.
const NOW: i64 = 1_800_000_000_000;

/// A partition in a folder of its own, or in memory.
struct Fixture {
    folder: Option<tempfile::TempDir>,
    env: Arc<StorageEnv>,
    partition: Arc<Partition>,
    settings: TopicSettings,
}

fn environment() -> Arc<StorageEnv> {
    StorageEnv::new(FsyncPolicy::Background(Duration::from_secs(1)), 1 << 20)
}

fn settings(overrides: &[(&str, &str)]) -> TopicSettings {
    let overrides: Overrides = overrides
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    TopicSettings::check(&overrides).unwrap();
    TopicSettings::resolve(&overrides)
}

impl Fixture {
    fn on_disk(overrides: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let env = environment();
        let partition = Partition::open(Some(folder.path().join("0")), &env).unwrap();
        Self {
            folder: Some(folder),
            env,
            partition,
            settings: settings(overrides),
        }
    }

    fn in_memory(overrides: &[(&str, &str)]) -> Self {
        let env = environment();
        Self {
            folder: None,
            partition: Partition::open(None, &env).unwrap(),
            env,
            settings: settings(overrides),
        }
    }

    fn dir(&self) -> PathBuf {
        self.folder.as_ref().unwrap().path().join("0")
    }

    /// As after kill -9: what was written is there, nothing was closed in order.
    fn reopen(&mut self) {
        self.env = environment();
        self.partition = Partition::open(Some(self.dir()), &self.env).unwrap();
    }

    fn try_append(&self, batch: &Bytes) -> Result<i64, AppendError> {
        let incoming = validate(batch, &self.settings, NOW)?;
        let appended = self.partition.append(&incoming, &self.settings, NOW)?;
        Ok(appended.base_offset)
    }

    fn append(&self, batch: &Bytes) -> i64 {
        self.try_append(batch).unwrap()
    }

    /// Appends a batch with one record for each of these key and value pairs.
    fn put(&self, pairs: &[(&str, Option<&str>)]) -> i64 {
        let batch = pairs
            .iter()
            .fold(TestBatch::at(NOW), |batch, (key, value)| {
                batch.record(Some(key), *value, 0)
            });
        self.append(&batch.build())
    }

    /// Every record from `offset` on: offset, key, value is not null.
    fn read(&self, offset: i64, isolation: Isolation) -> Vec<(i64, String, bool)> {
        let (mut at, mut out) = (offset, Vec::new());
        loop {
            let slice = self.partition.fetch(at, 1 << 20, isolation, true).unwrap();
            if slice.records.is_empty() {
                return out;
            }
            let mut rest = slice.records.clone();
            while !rest.is_empty() {
                let header = BatchHeader::parse_whole(&rest).unwrap();
                let batch = rest.split_to(header.size);
                at = header.next_offset();
                let void = slice.aborted.iter().any(|a| {
                    a.producer_id == header.producer_id
                        && (a.first_offset..=a.last_offset).contains(&header.base_offset)
                });
                if header.is_control() || void {
                    continue;
                }
                let body = body_of(&header, &batch).unwrap();
                for record in records(&header, &body) {
                    let record = record.unwrap();
                    let key = String::from_utf8_lossy(record.key.unwrap_or_default());
                    if record.offset >= offset {
                        out.push((record.offset, key.into_owned(), record.has_value));
                    }
                }
            }
        }
    }

    fn keys(&self) -> Vec<String> {
        let start = self.partition.bounds().start;
        let read = self.read(start, Isolation::Uncommitted);
        read.into_iter().map(|(_, key, _)| key).collect()
    }

    fn log_files(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.dir())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".log"))
            .collect();
        names.sort();
        names
    }
}

/// A batch of about `size` bytes under this key.
fn filler(key: &str, size: usize) -> Bytes {
    one(key, &"x".repeat(size), NOW)
}

fn transactional(producer: i64, epoch: i16, sequence: i32, key: &str) -> Bytes {
    TestBatch::at(NOW)
        .record(Some(key), Some("v"), 0)
        .producer(producer, epoch, sequence)
        .transactional()
        .build()
}

fn last_log(dir: &Path) -> PathBuf {
    let mut logs: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "log"))
        .collect();
    logs.sort();
    logs.pop().unwrap()
}
