//! What a topic holds, in sums that two engines' outputs are compared by.
//!
//! A stream is a multiset of records (key, value, timestamp); the order across partitions and
//! within one key's timestamp is the engine's. A table is the last value of each key: how many
//! records come before it depends on when the record cache is emptied, and so does their
//! timestamp; tombstones end a key.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use weir_test_support::{Topics, wait_until};

/// What the records of a topic mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Each record is a fact.
    Stream,
    /// A record replaces the one before it of its key.
    Table,
}

/// Sums over the committed records of a topic.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Digest {
    /// Records, tombstones included.
    pub(crate) records: u64,
    /// Hash of a key -> sum over its records, or its last one.
    keys: HashMap<u64, u64>,
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl Digest {
    /// Of the records that a topic should hold: key, value.
    pub(crate) fn of_table<K: AsRef<str>>(rows: impl Iterator<Item = (K, String)>) -> Self {
        let mut digest = Self::default();
        for (key, value) in rows {
            let (key, value) = (key.as_ref().as_bytes(), value.as_bytes());
            digest.add(Meaning::Table, key, Some(value), 0);
        }
        digest
    }

    fn add(&mut self, meaning: Meaning, key: &[u8], value: Option<&[u8]>, timestamp: i64) {
        self.records += 1;
        match (meaning, value) {
            (Meaning::Stream, value) => {
                let sum = self.keys.entry(hash(key)).or_default();
                *sum = sum.wrapping_add(hash((value, timestamp)));
            }
            (Meaning::Table, Some(_)) => {
                self.keys.insert(hash(key), hash(value));
            }
            (Meaning::Table, None) => {
                self.keys.remove(&hash(key));
            }
        }
    }

    /// Keys that have a value.
    pub(crate) fn keys(&self) -> usize {
        self.keys.len()
    }

    /// One number for all of it.
    pub(crate) fn sum(&self) -> u64 {
        let each = self.keys.iter();
        each.fold(0, |sum, pair| sum.wrapping_add(hash(pair)))
    }

    /// Whether both hold the same; of tables the number of records may differ.
    pub(crate) fn agrees_with(&self, other: &Self, meaning: Meaning) -> bool {
        let same_count = meaning == Meaning::Table || self.records == other.records;
        same_count && self.keys == other.keys
    }

    /// Keys that only one has, or whose values differ.
    pub(crate) fn differing_keys(&self, other: &Self) -> usize {
        let of_self = self.keys.iter();
        let differing = of_self.filter(|(key, value)| other.keys.get(key) != Some(value));
        let only_other = other.keys.keys().filter(|key| !self.keys.contains_key(key));
        differing.count() + only_other.count()
    }

    /// Hash of a key that the two do not agree on.
    fn a_difference(&self, other: &Self) -> Option<u64> {
        let all = self.keys.keys().chain(other.keys.keys());
        let differing = all.filter(|key| self.keys.get(key) != other.keys.get(key));
        differing.min().copied()
    }
}

/// Reads the committed records of a topic up to where it ends now.
fn read(
    bootstrap: &str,
    topics: &Topics,
    topic: &str,
    mut each: impl FnMut(&BorrowedMessage<'_>),
) -> Result<(), KafkaError> {
    const SILENCE: Duration = Duration::from_secs(30);
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "bench-digest")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .set("fetch.queue.backoff.ms", "5")
        .create()?;
    let mut list = TopicPartitionList::new();
    let ends = topics.end_offsets(topic);
    let mut open = ends.len();
    for (partition, end) in ends.iter().enumerate() {
        let partition = i32::try_from(partition).unwrap_or(i32::MAX);
        list.add_partition_offset(topic, partition, Offset::Beginning)?;
        // A transaction's offsets can be told before its marks are in every topic.
        wait_until("transactions to end", SILENCE, || {
            let stable = consumer.fetch_watermarks(topic, partition, SILENCE);
            stable.is_ok_and(|(_, stable)| stable == *end)
        });
    }
    consumer.assign(&list)?;
    let mut heard = Instant::now();
    while open > 0 {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                each(&message);
                heard = Instant::now();
            }
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(error)) => return Err(error),
            None if heard.elapsed() > SILENCE => {
                return Err(KafkaError::Subscription(format!("{topic} has no end")));
            }
            None => {}
        }
    }
    Ok(())
}

/// The digest of a topic.
pub(crate) fn digest(
    bootstrap: &str,
    topics: &Topics,
    topic: &str,
    meaning: Meaning,
) -> Result<Digest, String> {
    let mut digest = Digest::default();
    read(bootstrap, topics, topic, |message| {
        let timestamp = message.timestamp().to_millis().unwrap_or(-1);
        let key = message.key().unwrap_or_default();
        digest.add(meaning, key, message.payload(), timestamp);
    })
    .map_err(|e| e.to_string())?;
    Ok(digest)
}

/// How two topics differ, with the last records of one key that shows it.
pub(crate) fn explain(
    bootstrap: &str,
    topics: &Topics,
    (a, of_a): (&str, &Digest),
    (b, of_b): (&str, &Digest),
) -> String {
    let size = |d: &Digest| format!("{} records of {} keys", d.records, d.keys());
    let mut text = format!("{a} has {}, {b} {}", size(of_a), size(of_b));
    let Some(key) = of_a.a_difference(of_b) else {
        return text;
    };
    for topic in [a, b] {
        let mut rows = Vec::new();
        let found = read(bootstrap, topics, topic, |m| {
            if hash(m.key().unwrap_or_default()) == key {
                let value = m.payload().map_or("null".into(), String::from_utf8_lossy);
                let shown = m.key().unwrap_or_default().escape_ascii();
                let at = m.timestamp().to_millis().unwrap_or(-1);
                rows.push(format!("\n  {topic} {shown} @{at} {value}"));
            }
        });
        if found.is_ok() {
            let skip = rows.len().saturating_sub(12);
            text.push_str(&format!("\n  {topic}: {} records of the key", rows.len()));
            text.extend(rows.into_iter().skip(skip));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(meaning: Meaning, records: &[(&str, Option<&str>, i64)]) -> Digest {
        let mut digest = Digest::default();
        for (key, value, timestamp) in records {
            digest.add(
                meaning,
                key.as_bytes(),
                value.map(str::as_bytes),
                *timestamp,
            );
        }
        digest
    }

    #[test]
    fn a_stream_is_what_it_holds_in_any_order() {
        let a = of(Meaning::Stream, &[("k", Some("1"), 5), ("k", Some("2"), 6)]);
        let b = of(Meaning::Stream, &[("k", Some("2"), 6), ("k", Some("1"), 5)]);
        assert!(a.agrees_with(&b, Meaning::Stream));
        assert_eq!(a.sum(), b.sum());
        for other in [
            &[("k", Some("1"), 5)][..],
            &[("k", Some("1"), 5), ("k", Some("2"), 7)],
            &[("k", Some("1"), 5), ("j", Some("2"), 6)],
            &[("k", Some("1"), 5), ("k", Some("2"), 6), ("k", None, 6)],
        ] {
            let other = of(Meaning::Stream, other);
            assert!(!a.agrees_with(&other, Meaning::Stream), "{other:?}");
        }
    }

    #[test]
    fn a_table_is_the_last_value_of_each_key() {
        let a = of(Meaning::Table, &[("k", Some("2"), 6), ("gone", None, 7)]);
        let b = of(
            Meaning::Table,
            &[
                ("gone", Some("1"), 1),
                ("k", Some("1"), 5),
                ("gone", None, 2),
                ("k", Some("2"), 9),
            ],
        );
        assert!(a.agrees_with(&b, Meaning::Table));
        let c = of(Meaning::Table, &[("k", Some("1"), 6)]);
        assert!(!a.agrees_with(&c, Meaning::Table));
        assert_eq!(a.differing_keys(&c), 1);
        assert_eq!(a.a_difference(&c), Some(hash("k".as_bytes())));
    }
}
