//! Produce.

use super::text;
use crate::broker::Broker;
use crate::clock::now_ms;
use crate::error_code::ResponseCode;
use crate::storage::{AppendError, Appended, validate};
use crate::topics::Topic;
use bytes::Bytes;
use kafka_protocol::messages::produce_request::PartitionProduceData;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};
use std::sync::Arc;

impl Broker {
    /// Appends the batches of each partition. With one replica `acks=1` and `acks=all` are the same.
    pub(crate) fn produce(&self, request: ProduceRequest, version: i16) -> ProduceResponse {
        let acks_known = matches!(request.acks, -1..=1);
        let responses = request.topic_data.into_iter().map(|data| {
            let topic = self.topics.get(&data.name);
            let partitions = data.partition_data.into_iter().map(|partition| {
                if acks_known {
                    produce_one(topic.as_ref(), partition, version)
                } else {
                    refused(partition.index, ResponseCode::InvalidRequiredAcks)
                }
            });
            TopicProduceResponse::default()
                .with_partition_responses(partitions.collect())
                .with_name(data.name)
        });
        ProduceResponse::default().with_responses(responses.collect())
    }
}

fn refused(index: i32, code: ResponseCode) -> PartitionProduceResponse {
    PartitionProduceResponse::default()
        .with_index(index)
        .with_error_code(code.code())
        .with_base_offset(-1)
}

fn produce_one(
    topic: Option<&Arc<Topic>>,
    data: PartitionProduceData,
    version: i16,
) -> PartitionProduceResponse {
    let found = topic.and_then(|topic| Some((topic, topic.partition(data.index)?)));
    let Some((topic, partition)) = found else {
        return refused(data.index, ResponseCode::UnknownTopicOrPartition);
    };
    let settings = topic.settings();
    let now = now_ms();
    let records: Bytes = data.records.unwrap_or_default();
    let appended: Result<Appended, AppendError> = validate(&records, &settings, now)
        .and_then(|incoming| partition.append(&incoming, &settings, now));
    match appended {
        Ok(appended) => {
            let response = PartitionProduceResponse::default()
                .with_index(data.index)
                .with_base_offset(appended.base_offset)
                .with_log_append_time_ms(appended.append_time);
            if version >= 5 {
                response.with_log_start_offset(partition.bounds().start)
            } else {
                response
            }
        }
        Err(error) => {
            if let AppendError::Storage(e) = &error {
                tracing::error!(topic = topic.name, partition = data.index, error = %e, "the log could not be written");
            }
            let response = refused(data.index, (&error).into());
            if version >= 8 {
                response.with_error_message(Some(text(error.to_string())))
            } else {
                response
            }
        }
    }
}
