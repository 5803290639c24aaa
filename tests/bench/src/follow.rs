//! When an engine has dealt with all of its input, told by the offsets that its group commits:
//! the same for every engine, and nothing of the engine takes part in it.
//!
//! ```text
//!   committed in the sources = their ends ─► committed in internal topics = their ends ─► done
//! ```
//!
//! Offsets are asked for before ends: what was committed by then has its results in the topics
//! behind, so that equality at all of them leaves nothing under way.

use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use weir_test_support::{Topics, pause};

use crate::engines::Engine;
use crate::measure::{Cost, Meter};
use crate::queries::Query;
use crate::say;

/// Longest run.
const LIMIT: Duration = Duration::from_secs(1200);
/// Between two looks.
const STEP: Duration = Duration::from_millis(25);
const WAIT: Duration = Duration::from_secs(30);

/// Asks for offsets of one group.
struct Group {
    consumer: BaseConsumer,
}

impl Group {
    fn new(bootstrap: &str, group: &str) -> Result<Self, KafkaError> {
        let consumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("fetch.queue.backoff.ms", "5")
            // Records of a transaction that is under way count as left.
            .set("isolation.level", "read_uncommitted")
            .create()?;
        Ok(Self { consumer })
    }

    /// Committed offsets, partition by partition; 0 where there is none.
    fn committed(&self, topic: &str, partitions: usize) -> Result<Vec<i64>, KafkaError> {
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition(topic, i32::try_from(partition).unwrap_or(i32::MAX));
        }
        let found = self.consumer.committed_offsets(list, WAIT)?;
        let offset =
            |e: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| match e.offset() {
                Offset::Offset(offset) => offset,
                _ => 0,
            };
        Ok(found.elements().iter().map(offset).collect())
    }

    /// Whether there are records, not only marks of transactions, behind these offsets.
    fn is_record_left(&self, topic: &str, from: &[i64], ends: &[i64]) -> Result<bool, KafkaError> {
        let mut list = TopicPartitionList::new();
        for (partition, (at, end)) in from.iter().zip(ends).enumerate() {
            if at < end {
                let partition = i32::try_from(partition).unwrap_or(i32::MAX);
                list.add_partition_offset(topic, partition, Offset::Offset(*at))?;
            }
        }
        let mut open = list.count();
        if open == 0 {
            return Ok(false);
        }
        self.consumer.assign(&list)?;
        let mut left = false;
        let limit = Instant::now() + WAIT;
        while open > 0 && !left && Instant::now() < limit {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(_)) => left = true,
                Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
                Some(Err(error)) => return Err(error),
                None => {}
            }
        }
        self.consumer.unassign()?;
        Ok(left || open > 0)
    }
}

/// Follows `engine` until it has committed everything, and says what it has used. `meter` was
/// started before the engine.
pub(crate) fn follow(
    query: &Query,
    engine: &mut dyn Engine,
    mut meter: Meter,
    topics: &Topics,
    bootstrap: &str,
) -> Result<Cost, String> {
    let text = |error: KafkaError| error.to_string();
    let group = Group::new(bootstrap, engine.group()).map_err(text)?;
    let ends = |names: &[&str]| -> Vec<(String, Vec<i64>)> {
        let all = names.iter();
        all.map(|n| ((*n).to_owned(), topics.end_offsets(n)))
            .collect()
    };
    let counted: Vec<&str> = query.counted.iter().map(|t| t.name()).collect();
    let others: Vec<&str> = query.others.iter().map(|t| t.name()).collect();
    let (counted, others) = (ends(&counted), ends(&others));
    let mut shown = 0;
    meter.progress(0, engine.usage()?);
    loop {
        let mut done = 0;
        let mut is_read = true;
        for (topic, ends) in &counted {
            let committed = group.committed(topic, ends.len()).map_err(text)?;
            done += committed.iter().sum::<i64>().unsigned_abs();
            is_read &= committed == *ends;
        }
        for (topic, ends) in &others {
            is_read &= group.committed(topic, ends.len()).map_err(text)? == *ends;
        }
        let usage = engine.usage()?;
        meter.progress(done, usage);
        if is_read && are_internal_topics_read(engine, &group, topics)? {
            return Ok(meter.end(usage));
        }
        if meter.seconds() > LIMIT.as_secs_f64() {
            return Err(format!("{} % after {LIMIT:?}", meter.percent()));
        }
        if meter.percent() / 10 > shown {
            shown = meter.percent() / 10;
            say::progress(&format!("{} %, {:.0} s", meter.percent(), meter.seconds()));
        }
        pause(STEP);
    }
}

fn are_internal_topics_read(
    engine: &dyn Engine,
    group: &Group,
    topics: &Topics,
) -> Result<bool, String> {
    let text = |error: KafkaError| error.to_string();
    let prefix = format!("{}-", engine.group());
    for topic in topics.names() {
        if !topic.starts_with(&prefix) || topic.ends_with("-changelog") {
            continue;
        }
        let partitions = topics.end_offsets(&topic).len();
        let committed = group.committed(&topic, partitions).map_err(text)?;
        let ends = topics.end_offsets(&topic);
        if group
            .is_record_left(&topic, &committed, &ends)
            .map_err(text)?
        {
            return Ok(false);
        }
    }
    Ok(true)
}
