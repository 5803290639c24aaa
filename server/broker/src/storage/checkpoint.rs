//! The checkpoint of a partition: what a start may trust without reading the log.

use super::producers::ProducerTable;
use crate::journal::frame;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

const NAME: &str = "checkpoint";

/// State of a log at `recovered_to`; every batch below that offset is on disk.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    /// First offset that may be read (it moves inside a segment by DeleteRecords).
    pub(crate) log_start: i64,
    pub(crate) recovered_to: i64,
    /// Offset up to which compaction has been.
    pub(crate) compacted_to: i64,
    /// The active segment at that moment.
    pub(crate) active: ActiveSegment,
    pub(crate) producers: ProducerTable,
}

/// What the active segment's unfinished index does not say.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ActiveSegment {
    pub(crate) base: i64,
    pub(crate) size: u64,
    pub(crate) next: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) started: Option<i64>,
    pub(crate) index_entries: usize,
    pub(crate) index_crc: u32,
    pub(crate) aborted: Vec<super::AbortedTransaction>,
}

impl Checkpoint {
    /// Replaces the checkpoint in `dir`. It is not waited for until it is on disk: one that a power cut damages fails its
    /// checksum, and the start reads the log instead.
    pub(crate) fn write(&self, dir: &Path) -> io::Result<()> {
        let mut bytes = Vec::new();
        frame::encode(&serde_json::to_vec(self)?, &mut bytes);
        let temporary = dir.join("checkpoint.tmp");
        let mut file = File::create(&temporary)?;
        file.write_all(&bytes)?;
        std::fs::rename(&temporary, dir.join(NAME))
    }

    /// Reads it; `Ok(None)` when there is none, `Err` with the reason when it cannot be used.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>, String> {
        let bytes = match std::fs::read(dir.join(NAME)) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e.to_string()),
        };
        let (payload, _) = frame::decode(&bytes).ok_or("its checksum is wrong")?;
        let mut checkpoint: Self = serde_json::from_slice(payload).map_err(|e| e.to_string())?;
        checkpoint.producers.index_open();
        Ok(Some(checkpoint))
    }
}
