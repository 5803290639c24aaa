//! Offsets of the log: by time, by epoch, and deleting what lies below one.

use super::{LEADER_EPOCH, check_epoch};
use crate::broker::Broker;
use crate::clock::now_ms;
use crate::error_code::ResponseCode;
use crate::storage::{Partition, TimeTarget};
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::*;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;

impl Broker {
    pub(crate) fn list_offsets(
        &self,
        request: ListOffsetsRequest,
        version: i16,
    ) -> ListOffsetsResponse {
        let committed = request.isolation_level == 1;
        let topics = request.topics.into_iter().map(|asked| {
            let topic = self.topics.get(&asked.name);
            let partitions = asked.partitions.iter().map(|wanted| {
                let found = topic
                    .as_ref()
                    .and_then(|t| t.partition(wanted.partition_index))
                    .ok_or(ResponseCode::UnknownTopicOrPartition);
                let offset = found.and_then(|partition| {
                    check_epoch(wanted.current_leader_epoch)?;
                    find_offset(&partition, wanted.timestamp, committed)
                });
                let response = ListOffsetsPartitionResponse::default()
                    .with_partition_index(wanted.partition_index);
                match offset {
                    Err(code) => response.with_error_code(code.code()),
                    Ok(None) => response,
                    Ok(Some((offset, timestamp))) => {
                        let response = response.with_offset(offset).with_timestamp(timestamp);
                        if version >= 4 {
                            response.with_leader_epoch(LEADER_EPOCH)
                        } else {
                            response
                        }
                    }
                }
            });
            ListOffsetsTopicResponse::default()
                .with_partitions(partitions.collect())
                .with_name(asked.name)
        });
        ListOffsetsResponse::default().with_topics(topics.collect())
    }

    pub(crate) fn offset_for_leader_epoch(
        &self,
        request: OffsetForLeaderEpochRequest,
    ) -> OffsetForLeaderEpochResponse {
        let topics = request.topics.into_iter().map(|asked| {
            let topic = self.topics.get(&asked.topic);
            let partitions = asked.partitions.iter().map(|wanted| {
                let found = topic.as_ref().and_then(|t| t.partition(wanted.partition));
                let response = EpochEndOffset::default().with_partition(wanted.partition);
                let checked = check_epoch(wanted.current_leader_epoch);
                match (found, checked) {
                    (None, _) => {
                        response.with_error_code(ResponseCode::UnknownTopicOrPartition.code())
                    }
                    (_, Err(code)) => response.with_error_code(code.code()),
                    (Some(partition), Ok(())) if wanted.leader_epoch == LEADER_EPOCH => response
                        .with_leader_epoch(LEADER_EPOCH)
                        .with_end_offset(partition.bounds().end),
                    // There never was such an epoch.
                    (Some(_), Ok(())) => response,
                }
            });
            OffsetForLeaderTopicResult::default()
                .with_partitions(partitions.collect())
                .with_topic(asked.topic)
        });
        OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
    }

    pub(crate) fn delete_records(&self, request: DeleteRecordsRequest) -> DeleteRecordsResponse {
        let topics = request.topics.into_iter().map(|asked| {
            let topic = self.topics.get(&asked.name);
            let partitions = asked.partitions.iter().map(|wanted| {
                let deleted = topic
                    .as_ref()
                    .and_then(|t| t.partition(wanted.partition_index))
                    .ok_or(ResponseCode::UnknownTopicOrPartition)
                    .and_then(|partition| {
                        let deleted = partition.delete_records(wanted.offset, now_ms());
                        deleted.map_err(|e| (&e).into())
                    });
                let response = DeleteRecordsPartitionResult::default()
                    .with_partition_index(wanted.partition_index);
                match deleted {
                    Ok(start) => response.with_low_watermark(start),
                    Err(code) => response.with_low_watermark(-1).with_error_code(code.code()),
                }
            });
            DeleteRecordsTopicResult::default()
                .with_partitions(partitions.collect())
                .with_name(asked.name)
        });
        DeleteRecordsResponse::default().with_topics(topics.collect())
    }
}

/// Offset and timestamp for a ListOffsets timestamp; readers of committed records do not see beyond the last stable offset.
fn find_offset(
    partition: &Partition,
    timestamp: i64,
    committed: bool,
) -> Result<Option<(i64, i64)>, ResponseCode> {
    let bounds = partition.bounds();
    let end = if committed { bounds.stable } else { bounds.end };
    let target = match timestamp {
        LATEST => return Ok(Some((end, -1))),
        EARLIEST => return Ok(Some((bounds.start, -1))),
        MAX_TIMESTAMP => TimeTarget::Largest,
        timestamp if timestamp >= 0 => TimeTarget::AtLeast(timestamp),
        _ => return Err(ResponseCode::UnsupportedVersion),
    };
    let found = partition.find_time(target).map_err(|e| {
        tracing::error!(error = %e, "the log could not be searched");
        ResponseCode::StorageError
    })?;
    Ok(found.filter(|(offset, _)| *offset < end))
}
