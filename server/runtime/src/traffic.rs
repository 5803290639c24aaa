//! How much a query reads from and writes to each topic: what DESCRIBE EXTENDED shows.
//!
//! ```text
//!   worker: batch handed to a task ──read──► Traffic of the query ◄──wrote── batch produced
//!                                                │ of_topic
//!                                                ▼
//!                      sums over all queries of the server (Runtime::traffic)
//! ```
//!
//! Rates are those of the reference: records of the last 100 seconds, divided by 100 seconds
//! however short a time was measured. Batches are counted, not records, so the cost per record is
//! the sum of its lengths.

use std::collections::HashMap;

use parking_lot::Mutex;
use weir_types::records::FetchedBatch;

/// Seconds over which a rate is taken.
const WINDOW_SECONDS: usize = 100;

/// Records in one direction on one topic.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Flow {
    /// Records since the query started.
    pub messages: u64,
    /// Bytes of their keys and values; not counted for what is written.
    pub bytes: u64,
    /// Records in a second.
    pub per_second: f64,
    /// When the last one came, ms since the epoch; 0: none yet.
    pub last_ms: i64,
}

impl Flow {
    /// Adds what another query did on the same topic.
    pub fn add(&mut self, other: &Flow) {
        self.messages += other.messages;
        self.bytes += other.bytes;
        self.per_second += other.per_second;
        self.last_ms = self.last_ms.max(other.last_ms);
    }
}

/// What went through a topic: read, and of that undecodable, and written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TopicTraffic {
    /// Records read.
    pub read: Flow,
    /// Records that could not be decoded.
    pub failed: Flow,
    /// Records written.
    pub written: Flow,
}

/// A running count with the records of each of the last seconds.
#[derive(Default)]
struct Meter {
    messages: u64,
    bytes: u64,
    last_ms: i64,
    /// Records of a second, at its number modulo the length. Empty until something came.
    seconds: Vec<(i64, u64)>,
}

impl Meter {
    fn count(&mut self, messages: u64, bytes: u64, now_ms: i64) {
        self.messages += messages;
        self.bytes += bytes;
        self.last_ms = now_ms;
        self.seconds.resize(WINDOW_SECONDS, (i64::MIN, 0));
        let second = now_ms.div_euclid(1000);
        let at = second.rem_euclid(WINDOW_SECONDS as i64) as usize;
        if let Some(slot) = self.seconds.get_mut(at) {
            if slot.0 != second {
                *slot = (second, 0);
            }
            slot.1 += messages;
        }
    }

    fn flow(&self, now_ms: i64) -> Flow {
        let oldest = now_ms.div_euclid(1000) - WINDOW_SECONDS as i64;
        let recent: u64 = self
            .seconds
            .iter()
            .filter_map(|(second, count)| (*second > oldest).then_some(*count))
            .sum();
        Flow {
            messages: self.messages,
            bytes: self.bytes,
            per_second: recent as f64 / WINDOW_SECONDS as f64,
            last_ms: self.last_ms,
        }
    }
}

#[derive(Default)]
struct Meters {
    read: Meter,
    failed: Meter,
    written: Meter,
}

/// The counts of one query.
#[derive(Default)]
pub(crate) struct Traffic(Mutex<HashMap<String, Meters>>);

impl Traffic {
    /// Records of a topic were handed to the query.
    pub(crate) fn read(&self, topic: &str, batch: &FetchedBatch, now_ms: i64) {
        let bytes: usize = batch
            .records
            .iter()
            .flat_map(|record| [&record.key, &record.value])
            .flatten()
            .map(|range| range.len())
            .sum();
        let messages = batch.records.len() as u64;
        self.with(topic, |m| m.read.count(messages, bytes as u64, now_ms));
    }

    /// A record of a topic could not be decoded.
    pub(crate) fn failed(&self, topic: &str, now_ms: i64) {
        self.with(topic, |m| m.failed.count(1, 0, now_ms));
    }

    /// The query wrote to a topic.
    pub(crate) fn wrote(&self, topic: &str, messages: usize, now_ms: i64) {
        self.with(topic, |m| m.written.count(messages as u64, 0, now_ms));
    }

    fn with(&self, topic: &str, change: impl FnOnce(&mut Meters)) {
        let mut topics = self.0.lock();
        match topics.get_mut(topic) {
            Some(meters) => change(meters),
            None => change(topics.entry(topic.to_owned()).or_default()),
        }
    }

    /// What went through a topic.
    pub(crate) fn of_topic(&self, topic: &str, now_ms: i64) -> TopicTraffic {
        let topics = self.0.lock();
        topics
            .get(topic)
            .map(|meters| TopicTraffic {
                read: meters.read.flow(now_ms),
                failed: meters.failed.flow(now_ms),
                written: meters.written.flow(now_ms),
            })
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use weir_types::records::RecordMeta;

    use super::*;

    fn batch(lengths: &[(Option<u32>, Option<u32>)]) -> FetchedBatch {
        let record = |(key, value): &(Option<u32>, Option<u32>)| RecordMeta {
            offset: 0,
            timestamp: 0,
            key: key.map(|n| 0..n),
            value: value.map(|n| 0..n),
            headers: 0..0,
        };
        FetchedBatch {
            arena: Arc::new(vec![0; 100]),
            records: lengths.iter().map(record).collect(),
            headers: Vec::new(),
        }
    }

    #[test]
    fn bytes_are_those_of_keys_and_values() {
        let traffic = Traffic::default();
        traffic.read("t", &batch(&[(Some(4), Some(91)), (Some(4), None)]), 1000);
        traffic.read("t", &batch(&[(None, Some(2))]), 2500);
        let seen = traffic.of_topic("t", 3000);
        let expected = Flow {
            messages: 3,
            bytes: 101,
            per_second: 0.03,
            last_ms: 2500,
        };
        assert_eq!(seen.read, expected);
        assert_eq!(seen.written, Flow::default());
        assert_eq!(traffic.of_topic("other", 3000), TopicTraffic::default());
    }

    #[test]
    fn a_rate_forgets_what_is_older_than_its_window() {
        let traffic = Traffic::default();
        for (second, messages) in [(0, 50), (10, 100), (10, 100), (99, 10)] {
            traffic.wrote("t", messages, second * 1000);
        }
        for (now, per_second) in [(99, 2.6), (100, 2.1), (110, 0.1), (199, 0.0)] {
            let seen = traffic.of_topic("t", now * 1000).written;
            assert_eq!((seen.messages, seen.per_second), (260, per_second), "{now}");
        }
    }

    #[test]
    fn flows_of_several_queries_add_up() {
        let mut sum = Flow::default();
        for (messages, last_ms) in [(3, 20), (4, 10)] {
            sum.add(&Flow {
                messages,
                bytes: 10,
                per_second: 0.5,
                last_ms,
            });
        }
        assert_eq!((sum.messages, sum.bytes, sum.last_ms), (7, 20, 20));
        assert_eq!(sum.per_second, 1.0);
    }
}
