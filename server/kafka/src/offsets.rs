//! Offsets: where topics begin and end, and what groups have committed.

use std::ffi::c_void;
use std::time::{Duration, Instant};

use rdkafka::bindings::*;

use crate::admin::Admin;
use crate::error::{ErrorKind, Result};
use crate::raw::{Client, PartitionList, Queue, check, entries, millis, take_error};

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
}

impl TopicPartition {
    /// Partition `partition` of `topic`.
    pub fn new(topic: impl Into<String>, partition: i32) -> Self {
        Self {
            topic: topic.into(),
            partition,
        }
    }
}

/// An offset that a group has committed, or is to commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOffset {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// The next record to read.
    pub offset: i64,
    /// Text kept with it, at most 4096 bytes; empty: none.
    pub metadata: String,
}

/// Which offset of a partition is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetAt {
    /// Of the first record kept.
    Beginning,
    /// One after the last record that committed readers see.
    CommittedEnd,
    /// One after the last record, open transactions included.
    End,
    /// Of the first record with this timestamp (ms) or a later one; the end if there is none.
    Time(i64),
}

/// How long librdkafka 2.12 keeps the answer that a topic does not exist, and a little more.
const NEGATIVE_CACHE: Duration = Duration::from_millis(120);

/// Between two looks at a partition that has no leader just now.
const ELECTION: Duration = Duration::from_millis(20);

impl PartitionList {
    /// Partitions, each with an offset.
    fn of<'a>(
        partitions: impl ExactSizeIterator<Item = (&'a TopicPartition, i64)>,
    ) -> Result<Self> {
        let mut list = Self::new(partitions.len());
        for (p, offset) in partitions {
            list.add(&p.topic, p.partition, offset, "")?;
        }
        Ok(list)
    }
}

impl Admin {
    /// An offset of each partition, in order. One request per broker; asked again while a
    /// partition changes its leader.
    pub fn offsets(&self, partitions: &[TopicPartition], at: OffsetAt) -> Result<Vec<i64>> {
        let until = Instant::now() + self.wait();
        let mut refused = false;
        loop {
            match self.ask_offsets(partitions, at) {
                Err(error) if error.kind == ErrorKind::Retriable && Instant::now() < until => {
                    std::thread::sleep(ELECTION);
                }
                // librdkafka remembers for this long that a topic was missing when it was asked
                // for: it may have been made since.
                Err(error)
                    if !refused
                        && !matches!(error.kind, ErrorKind::TimedOut | ErrorKind::Retriable) =>
                {
                    refused = true;
                    std::thread::sleep(NEGATIVE_CACHE);
                }
                answer => return answer,
            }
        }
    }

    fn ask_offsets(&self, partitions: &[TopicPartition], at: OffsetAt) -> Result<Vec<i64>> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let (spec, level) = match at {
            OffsetAt::Beginning => (-2, 0),
            OffsetAt::CommittedEnd => (-1, 1),
            OffsetAt::End => (-1, 0),
            OffsetAt::Time(ms) => (ms.max(0), 1),
        };
        let list = PartitionList::of(partitions.iter().map(|p| (p, spec)))?;
        let operation = || "list offsets".to_owned();
        // SAFETY: the list is copied by the call; results are read while the event lives
        let found: Vec<(String, i32, i64)> = unsafe {
            let queue = Queue::new(self.client());
            let options = self.options(rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS);
            let level = if level == 1 {
                rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED
            } else {
                rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED
            };
            let set = take_error(
                rd_kafka_AdminOptions_set_isolation_level(options, level),
                operation,
            );
            rd_kafka_ListOffsets(self.client().native(), list.0, options, queue.0);
            rd_kafka_AdminOptions_destroy(options);
            set?;
            let event = self.answer(&queue, operation)?;
            let result = rd_kafka_event_ListOffsets_result(event.0);
            let mut count = 0;
            let infos = rd_kafka_ListOffsets_result_infos(result, &mut count);
            let mut found = Vec::with_capacity(count);
            for info in crate::raw::array(infos, count) {
                let p = &*rd_kafka_ListOffsetsResultInfo_topic_partition(*info);
                let topic = crate::raw::text(p.topic);
                check(p.err, || {
                    format!("list offsets of {topic} partition {}", p.partition)
                })?;
                found.push((topic, p.partition, p.offset));
            }
            found
        };
        let mut offsets = Vec::with_capacity(partitions.len());
        let mut missing = Vec::new();
        for (i, p) in partitions.iter().enumerate() {
            let offset = found
                .iter()
                .find(|(topic, partition, _)| *topic == p.topic && *partition == p.partition)
                .map_or(-1, |(_, _, offset)| *offset);
            if offset < 0 && matches!(at, OffsetAt::Time(_)) {
                missing.push(i);
            }
            offsets.push(offset);
        }
        if !missing.is_empty() {
            // Nothing is that late: the end.
            let late: Vec<_> = missing
                .iter()
                .filter_map(|i| partitions.get(*i).cloned())
                .collect();
            let ends = self.ask_offsets(&late, OffsetAt::CommittedEnd)?;
            for (i, end) in missing.into_iter().zip(ends) {
                if let Some(offset) = offsets.get_mut(i) {
                    *offset = end;
                }
            }
        }
        Ok(offsets)
    }

    /// What a group has committed for these partitions; those without are left out. Waits while a
    /// transaction holds offsets that are not decided yet. Goes through a client of its own for
    /// the time of the call, which is safe while brokers come and go.
    pub fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<Vec<GroupOffset>> {
        let operation = || format!("offsets of group {group}");
        let config = self
            .config()
            .clone()
            .with("group.id", group)
            .with("isolation.level", "read_committed")
            .with("enable.auto.commit", "false");
        let client =
            Client::new(rd_kafka_type_t::RD_KAFKA_CONSUMER, &config, |_| {})?.without_close();
        let none = i64::from(RD_KAFKA_OFFSET_INVALID);
        let list = PartitionList::of(partitions.iter().map(|p| (p, none)))?;
        let mut offsets = Vec::with_capacity(partitions.len());
        // SAFETY: client and list live through the call, which fills the list
        unsafe {
            let code = rd_kafka_committed(client.native(), list.0, millis(self.wait()));
            check(code, operation)?;
            for p in entries(list.0) {
                let topic = crate::raw::text(p.topic);
                check(p.err, || {
                    format!("{} for {topic}/{}", operation(), p.partition)
                })?;
                if p.offset >= 0 {
                    let metadata = metadata_of(p.metadata, p.metadata_size);
                    offsets.push(GroupOffset {
                        topic,
                        partition: p.partition,
                        offset: p.offset,
                        metadata,
                    });
                }
            }
        }
        Ok(offsets)
    }

    /// Deletes the records before these offsets.
    pub fn delete_records(&self, before: &[(TopicPartition, i64)]) -> Result<()> {
        let list = PartitionList::of(before.iter().map(|(p, offset)| (p, *offset)))?;
        let operation = || "delete records".to_owned();
        // SAFETY: as above
        unsafe {
            let mut request = rd_kafka_DeleteRecords_new(list.0);
            let event = self.ask(
                rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETERECORDS,
                |rk, options, queue| {
                    rd_kafka_DeleteRecords(rk, &mut request, 1, options, queue);
                    rd_kafka_DeleteRecords_destroy(request);
                },
                operation,
            )?;
            let result = rd_kafka_event_DeleteRecords_result(event.0);
            for p in entries(rd_kafka_DeleteRecords_result_offsets(result)) {
                check(p.err, operation)?;
            }
            Ok(())
        }
    }
}

/// # Safety
/// `at` is null or points to `len` live bytes.
unsafe fn metadata_of(at: *const c_void, len: usize) -> String {
    if at.is_null() {
        return String::new();
    }
    // SAFETY: promised by the caller
    let bytes = unsafe { std::slice::from_raw_parts(at.cast::<u8>(), len) };
    String::from_utf8_lossy(bytes).into_owned()
}
