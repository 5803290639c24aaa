//! The inputs of a task: queues of fetched records, decoded in chunks, merged by timestamp.
//!
//! ```text
//!  FetchedBatch… ─► RecordReader (source records or frames) ─► Chunk ─► slices of one step
//!                       └─ bad records are skipped and logged here
//! ```
//!
//! Invariant: rows of one input leave in the order of their offsets, whatever their timestamps,
//! and a row is counted as taken only when a step took it.

use std::collections::VecDeque;

use weir_types::records::FetchedBatch;

use crate::batch::Batch;
use crate::{Counters, EngineError, LogEntry, TaskOptions};

/// Rows that are decoded at a time.
const CHUNK_ROWS: usize = 8192;

/// Where a row came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Offset of its record.
    pub(crate) offset: i64,
    /// Its index in the record (frames hold many rows).
    pub(crate) index: u32,
}

/// Decoded rows. The batch has no `seq` yet.
#[derive(Default)]
pub(crate) struct Chunk {
    pub(crate) batch: Batch,
    pub(crate) places: Vec<Place>,
}

/// What a reader reports to while it reads.
pub(crate) struct ReadContext<'a> {
    pub(crate) options: &'a TaskOptions,
    pub(crate) log: &'a mut Vec<LogEntry>,
    pub(crate) counters: &'a mut Counters,
}

/// Decodes the records of one input.
pub(crate) trait RecordReader: Send {
    /// Takes record `index` of `fetched`; its first `skip` rows were taken before a restart.
    fn push(
        &mut self,
        fetched: &FetchedBatch,
        index: usize,
        skip: u32,
        ctx: &mut ReadContext<'_>,
    ) -> Result<(), EngineError>;

    /// Rows taken since the last [`finish`](Self::finish).
    fn rows(&self) -> usize;

    /// The rows taken.
    fn finish(&mut self, ctx: &mut ReadContext<'_>) -> Result<Chunk, EngineError>;
}

/// The queue of one input.
pub(crate) struct InputQueue {
    reader: Box<dyn RecordReader>,
    pending: VecDeque<FetchedBatch>,
    pending_records: usize,
    chunk: Chunk,
    cursor: usize,
    /// Offset after all records decoded so far.
    decoded_to: Option<i64>,
    /// Position of the next row to take.
    position: Option<Place>,
    /// Rows of the first record to skip, after a restart.
    skip: u32,
    pub(crate) caught_up: bool,
}

impl InputQueue {
    pub(crate) fn new(reader: Box<dyn RecordReader>) -> Self {
        Self {
            reader,
            pending: VecDeque::new(),
            pending_records: 0,
            chunk: Chunk::default(),
            cursor: 0,
            decoded_to: None,
            position: None,
            skip: 0,
            caught_up: false,
        }
    }

    pub(crate) fn offer(&mut self, fetched: FetchedBatch) {
        self.pending_records += fetched.records.len();
        if !fetched.records.is_empty() {
            self.pending.push_back(fetched);
        }
    }

    pub(crate) fn queued(&self) -> usize {
        self.pending_records + self.chunk.places.len() - self.cursor
    }

    /// Decodes until a row is at the head or nothing is pending.
    pub(crate) fn fill(&mut self, ctx: &mut ReadContext<'_>) -> Result<(), EngineError> {
        while self.cursor == self.chunk.places.len() && !self.pending.is_empty() {
            while let Some(fetched) = self.pending.front() {
                for (index, record) in fetched.records.iter().enumerate() {
                    let skip = std::mem::take(&mut self.skip);
                    self.reader.push(fetched, index, skip, ctx)?;
                    self.decoded_to = Some(record.offset + 1);
                }
                self.pending_records -= fetched.records.len();
                self.pending.pop_front();
                if self.reader.rows() >= CHUNK_ROWS {
                    break;
                }
            }
            self.chunk = self.reader.finish(ctx)?;
            self.cursor = 0;
            if self.chunk.places.is_empty() {
                self.position = self.decoded_to.map(|offset| Place { offset, index: 0 });
            }
        }
        Ok(())
    }

    /// Timestamp of the row that is `ahead` rows behind the head, within the decoded chunk.
    pub(crate) fn timestamp(&self, ahead: usize) -> Option<i64> {
        self.chunk.batch.ts.get(self.cursor + ahead).copied()
    }

    /// Takes so many rows off the head and gives them the `seq`s.
    pub(crate) fn take(&mut self, seq: Vec<u64>) -> Batch {
        let rows = seq.len();
        let from = self.cursor;
        self.cursor += rows;
        let batch = &self.chunk.batch;
        let slice_columns = |columns: &[arrow::array::ArrayRef]| {
            columns
                .iter()
                .map(|column| column.slice(from, rows))
                .collect::<Vec<_>>()
        };
        let taken = Batch {
            columns: slice_columns(&batch.columns),
            seq,
            ts: batch.ts[from..from + rows].to_vec(),
            null_key: batch
                .null_key
                .as_ref()
                .map(|null| null[from..from + rows].to_vec()),
            absent: batch
                .absent
                .as_ref()
                .map(|absent| absent[from..from + rows].to_vec()),
            headers: batch
                .headers
                .as_ref()
                .map(|headers| headers[from..from + rows].to_vec()),
            old: batch.old.as_ref().map(|old| crate::batch::OldRows {
                columns: slice_columns(&old.columns),
                present: old.present[from..from + rows].to_vec(),
                ts: old.ts[from..from + rows].to_vec(),
            }),
        };
        self.position = match self.chunk.places.get(self.cursor) {
            Some(place) => Some(*place),
            None => self.decoded_to.map(|offset| Place { offset, index: 0 }),
        };
        taken
    }

    /// The next row to take, once one was taken.
    pub(crate) fn position(&self) -> Option<Place> {
        self.position
    }

    /// Skips so many rows of the first record.
    pub(crate) fn set_skip(&mut self, rows: u32) {
        self.skip = rows;
    }
}

/// Chooses the rows of a step: least head timestamp first, ties by input order. Gives the `seq`s
/// for each input.
///
/// The step ends where a queue runs out of decoded rows, since its next timestamp is not known
/// yet.
pub(crate) fn interleave(
    queues: &[InputQueue],
    max_rows: usize,
    next_seq: &mut u64,
) -> Vec<Vec<u64>> {
    let mut chosen: Vec<Vec<u64>> = vec![Vec::new(); queues.len()];
    let live: Vec<usize> = (0..queues.len())
        .filter(|input| queues[*input].timestamp(0).is_some())
        .collect();
    if let [only] = live[..] {
        let queue = &queues[only];
        let rows = (queue.chunk.places.len() - queue.cursor).min(max_rows);
        chosen[only] = (*next_seq..*next_seq + rows as u64).collect();
        *next_seq += rows as u64;
        return chosen;
    }
    for _ in 0..max_rows {
        let mut least: Option<(i64, usize)> = None;
        for input in &live {
            let Some(ts) = queues[*input].timestamp(chosen[*input].len()) else {
                return chosen;
            };
            if least.is_none_or(|(lowest, _)| ts < lowest) {
                least = Some((ts, *input));
            }
        }
        let Some((_, input)) = least else { break };
        chosen[input].push(*next_seq);
        *next_seq += 1;
    }
    chosen
}
