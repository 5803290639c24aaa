//! Tailing whole topics outside of any worker: the command log, PRINT, scans of a stream.

use std::time::Duration;

use crate::config::ClientConfig;
use crate::consumer::{Consumer, FetchId, Polled, Waker};
use crate::error::Result;

/// Reads partitions of one topic from given offsets. Its own client, dropped with it.
pub struct LogReader {
    consumer: Consumer,
    partitions: Vec<(FetchId, i32)>,
}

impl LogReader {
    /// Reads these partitions of `topic`, each from its offset (−2: the beginning, −1: the end).
    pub fn open(config: &ClientConfig, topic: &str, from: &[(i32, i64)]) -> Result<Self> {
        let mut consumer = Consumer::new(config)?;
        let mut partitions = Vec::with_capacity(from.len());
        for (partition, offset) in from {
            partitions.push((consumer.start(topic, *partition, *offset)?, *partition));
        }
        Ok(Self {
            consumer,
            partitions,
        })
    }

    /// Up to about `max` records, waiting up to `wait` for the first. `out` is cleared first.
    pub fn poll(&mut self, max: usize, wait: Duration, out: &mut Polled) {
        out.clear();
        self.consumer.poll(max, wait, out);
    }

    /// The partition that an id in [`Polled`] stands for.
    pub fn partition(&self, id: FetchId) -> Option<i32> {
        self.partitions
            .iter()
            .find(|(known, _)| *known == id)
            .map(|(_, partition)| *partition)
    }

    /// Makes a waiting poll return at once.
    pub fn waker(&self) -> Waker {
        self.consumer.waker()
    }
}
