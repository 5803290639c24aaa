//! Fetch: reads what is there, or waits until enough is.

use super::check_epoch;
use crate::broker::Broker;
use crate::error_code::ResponseCode;
use crate::protocol::Lease;
use crate::storage::{FetchSlice, Isolation, Partition};
use crate::topics::Topic;
use kafka_protocol::messages::fetch_request::FetchPartition;
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, FetchableTopicResponse, PartitionData,
};
use kafka_protocol::messages::{FetchRequest, FetchResponse, ProducerId};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// No fetch waits longer, whatever it asks for.
const MAX_WAIT_MS: i32 = 300_000;
/// No response holds more bytes of records, whatever is asked for (`fetch.max.bytes` of the broker).
const MAX_BYTES: usize = 55 << 20;
/// First fetch version that names topics by id.
const TOPIC_IDS_FROM: i16 = 13;

/// One pass over the partitions of a fetch.
struct Pass {
    responses: Vec<FetchableTopicResponse>,
    bytes: usize,
    failed: bool,
}

impl Broker {
    /// Answers as soon as `min_bytes` are there, a partition has an error, or `max_wait_ms` have passed. Sessions are not
    /// offered: the session id in the answer is always 0, so that clients name all their partitions each time.
    /// Also returns the room that the records take in memory.
    pub(crate) async fn fetch(
        &self,
        request: FetchRequest,
        version: i16,
    ) -> (FetchResponse, Lease) {
        if request.session_id != 0 {
            let refused = FetchResponse::default()
                .with_error_code(ResponseCode::FetchSessionIdNotFound.code());
            return (refused, Lease::default());
        }
        let wait = request.max_wait_ms.clamp(0, MAX_WAIT_MS) as u64;
        let deadline = Instant::now() + Duration::from_millis(wait);
        let enough = usize::try_from(request.min_bytes).unwrap_or(0);
        let topics: Vec<Option<Arc<Topic>>> = request
            .topics
            .iter()
            .map(|asked| {
                if version >= TOPIC_IDS_FROM {
                    self.topics.by_id(asked.topic_id)
                } else {
                    self.topics.get(&asked.topic)
                }
            })
            .collect();
        let most = usize::try_from(request.max_bytes)
            .unwrap_or(0)
            .min(MAX_BYTES);
        let waiter = Arc::new(Notify::new());
        loop {
            let last_look = Instant::now() >= deadline;
            if !last_look {
                // Before reading, so that a write in between is not missed.
                for (asked, topic) in request.topics.iter().zip(&topics) {
                    let Some(topic) = topic else { continue };
                    let partitions = asked.partitions.iter();
                    for partition in partitions.filter_map(|p| topic.partition(p.partition)) {
                        partition.watch(&waiter);
                    }
                }
            }
            let (mut lease, room) = self.response_memory.lease_up_to(most).await;
            let pass = read_all(&request, version, &topics, room);
            lease.shrink(pass.bytes);
            if last_look || pass.failed || pass.bytes >= enough || request.topics.is_empty() {
                let response = FetchResponse::default().with_responses(pass.responses);
                return (response, lease);
            }
            drop((pass, lease));
            // Woken or too late: either way look again.
            let _ = tokio::time::timeout_at(deadline, waiter.notified()).await;
        }
    }
}

/// Reads up to `left` bytes, or one batch when even the first is larger.
fn read_all(
    request: &FetchRequest,
    version: i16,
    topics: &[Option<Arc<Topic>>],
    mut left: usize,
) -> Pass {
    let isolation = if request.isolation_level == 1 {
        Isolation::Committed
    } else {
        Isolation::Uncommitted
    };
    let mut pass = Pass {
        responses: Vec::with_capacity(request.topics.len()),
        bytes: 0,
        failed: false,
    };
    for (asked, topic) in request.topics.iter().zip(topics) {
        let mut partitions = Vec::with_capacity(asked.partitions.len());
        for wanted in &asked.partitions {
            let found = topic.as_ref().and_then(|t| t.partition(wanted.partition));
            let missing = match topic {
                None if version >= TOPIC_IDS_FROM => ResponseCode::UnknownTopicId,
                _ => ResponseCode::UnknownTopicOrPartition,
            };
            let first = pass.bytes == 0;
            let read = found
                .ok_or(missing)
                .and_then(|partition| read_one(&partition, wanted, left, isolation, first));
            match read {
                Ok(slice) => {
                    left = left.saturating_sub(slice.records.len());
                    pass.bytes += slice.records.len();
                    partitions.push(with_records(wanted.partition, slice, isolation));
                }
                Err(code) => {
                    pass.failed = true;
                    partitions.push(
                        PartitionData::default()
                            .with_partition_index(wanted.partition)
                            .with_error_code(code.code())
                            .with_high_watermark(-1),
                    );
                }
            }
        }
        let response = FetchableTopicResponse::default().with_partitions(partitions);
        pass.responses.push(if version >= TOPIC_IDS_FROM {
            response.with_topic_id(asked.topic_id)
        } else {
            response.with_topic(asked.topic.clone())
        });
    }
    pass
}

fn read_one(
    partition: &Arc<Partition>,
    wanted: &FetchPartition,
    left: usize,
    isolation: Isolation,
    first: bool,
) -> Result<FetchSlice, ResponseCode> {
    check_epoch(wanted.current_leader_epoch)?;
    let max = usize::try_from(wanted.partition_max_bytes).unwrap_or(0);
    // The first batch of a response may exceed the limits, or a large one would never get through (KIP-74).
    partition
        .fetch(wanted.fetch_offset, max.min(left), isolation, first)
        .map_err(|e| {
            if let crate::storage::ReadError::Storage(e) = &e {
                tracing::error!(partition = wanted.partition, error = %e, "the log could not be read");
            }
            (&e).into()
        })
}

fn with_records(index: i32, slice: FetchSlice, isolation: Isolation) -> PartitionData {
    let aborted = (isolation == Isolation::Committed).then(|| {
        let aborted = slice.aborted.iter().map(|a| {
            AbortedTransaction::default()
                .with_producer_id(ProducerId(a.producer_id))
                .with_first_offset(a.first_offset)
        });
        aborted.collect()
    });
    PartitionData::default()
        .with_partition_index(index)
        .with_high_watermark(slice.high_watermark)
        .with_last_stable_offset(slice.last_stable)
        .with_log_start_offset(slice.log_start)
        .with_aborted_transactions(aborted)
        .with_records(Some(slice.records))
}
