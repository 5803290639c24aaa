//! The client's side of a push query.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::RecordBatch;
use tokio::sync::mpsc;

use crate::worker::{Command, PushShared, WorkerHandle};

/// What a push query gives.
#[derive(Debug)]
pub enum PushEvent {
    /// Rows: the columns of the plan's output and one more, whether the row is a tombstone.
    Rows(RecordBatch),
    /// LIMIT was reached; nothing follows.
    LimitReached,
    /// The query failed; nothing follows.
    Failed(String),
}

/// Batches of rows that are held for a client.
pub(crate) const CHANNEL: usize = 4;

/// A running push query; dropping it ends the query.
pub struct PushHandle {
    pub(crate) id: u64,
    pub(crate) rows: mpsc::Receiver<PushEvent>,
    pub(crate) shared: Arc<PushShared>,
    pub(crate) worker: WorkerHandle,
}

impl PushHandle {
    /// The next event; `None` once the query is over. A client that does not ask holds its query
    /// back.
    pub async fn next(&mut self) -> Option<PushEvent> {
        let event = self.rows.recv().await;
        self.unblock();
        event
    }

    /// As [`next`](Self::next), on a thread that may block.
    pub fn next_blocking(&mut self) -> Option<PushEvent> {
        let event = self.rows.blocking_recv();
        self.unblock();
        event
    }

    fn unblock(&self) {
        if self.shared.blocked.swap(false, Ordering::AcqRel) {
            self.shared.waker.wake();
        }
    }
}

impl Drop for PushHandle {
    fn drop(&mut self) {
        self.worker.tell(Command::CancelPush(self.id));
    }
}
