//! What a client asks first: versions, brokers, topics, coordinators.

use super::{LEADER_EPOCH, text};
use crate::broker::{Broker, NODE_ID};
use crate::config::Overrides;
use crate::error_code::ResponseCode;
use crate::protocol::APIS;
use crate::topics::Topic;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::*;
use std::sync::Arc;
use uuid::Uuid;

impl Broker {
    /// Which requests are served. Carries no tagged field: librdkafka before 2.2 does not understand them here.
    pub(crate) fn api_versions(&self, code: ResponseCode) -> ApiVersionsResponse {
        let keys = APIS.iter().map(|api| {
            ApiVersion::default()
                .with_api_key(api.key as i16)
                .with_min_version(api.min)
                .with_max_version(api.max)
        });
        ApiVersionsResponse::default()
            .with_error_code(code.code())
            .with_api_keys(keys.collect())
    }

    pub(crate) fn metadata(&self, request: MetadataRequest, version: i16) -> MetadataResponse {
        let all = match &request.topics {
            None => true,
            Some(topics) => version == 0 && topics.is_empty(),
        };
        let topics = if all {
            self.topics.all().iter().map(described).collect()
        } else {
            let asked = request.topics.unwrap_or_default();
            let create = self.settings.auto_create_topics
                && (version < 4 || request.allow_auto_topic_creation);
            asked
                .into_iter()
                .map(|topic| match topic.name {
                    Some(name) => self.metadata_by_name(name, create),
                    None => self.metadata_by_id(topic.topic_id),
                })
                .collect()
        };
        MetadataResponse::default()
            .with_brokers(vec![
                MetadataResponseBroker::default()
                    .with_node_id(NODE_ID)
                    .with_host(self.host())
                    .with_port(self.port()),
            ])
            .with_cluster_id(Some(text(self.cluster_id.clone())))
            .with_controller_id(NODE_ID)
            .with_topics(topics)
    }

    fn metadata_by_name(&self, name: TopicName, create: bool) -> MetadataResponseTopic {
        let refused = |code: ResponseCode| {
            MetadataResponseTopic::default()
                .with_name(Some(name.clone()))
                .with_error_code(code.code())
        };
        if !is_valid_topic_name(&name) {
            return refused(ResponseCode::InvalidTopic);
        }
        if let Some(topic) = self.topics.get(&name) {
            return described(&topic);
        }
        if !create {
            return refused(ResponseCode::UnknownTopicOrPartition);
        }
        let partitions = self.settings.default_partitions;
        let created = self
            .coordinator
            .create_topic(&name, partitions, Overrides::new());
        // Another request may have created it just now.
        match created.ok().or_else(|| self.topics.get(&name)) {
            Some(topic) => described(&topic),
            None => refused(ResponseCode::StorageError),
        }
    }

    fn metadata_by_id(&self, id: Uuid) -> MetadataResponseTopic {
        match self.topics.by_id(id) {
            Some(topic) => described(&topic),
            None => MetadataResponseTopic::default()
                .with_name(None)
                .with_topic_id(id)
                .with_error_code(ResponseCode::UnknownTopicId.code()),
        }
    }

    pub(crate) fn describe_cluster(&self) -> DescribeClusterResponse {
        DescribeClusterResponse::default()
            .with_cluster_id(text(self.cluster_id.clone()))
            .with_controller_id(NODE_ID)
            .with_brokers(vec![
                DescribeClusterBroker::default()
                    .with_broker_id(NODE_ID)
                    .with_host(self.host())
                    .with_port(self.port()),
            ])
    }

    pub(crate) fn find_coordinator(
        &self,
        request: FindCoordinatorRequest,
        version: i16,
    ) -> FindCoordinatorResponse {
        // Groups and transactional ids.
        let known = (0..=1).contains(&request.key_type);
        if version < 4 {
            return if known {
                FindCoordinatorResponse::default()
                    .with_node_id(NODE_ID)
                    .with_host(self.host())
                    .with_port(self.port())
            } else {
                FindCoordinatorResponse::default()
                    .with_node_id(BrokerId(-1))
                    .with_port(-1)
                    .with_error_code(ResponseCode::InvalidRequest.code())
            };
        }
        let found = request.coordinator_keys.into_iter().map(|key| {
            let coordinator = Coordinator::default().with_key(key);
            if known {
                coordinator
                    .with_node_id(NODE_ID)
                    .with_host(self.host())
                    .with_port(self.port())
            } else {
                coordinator
                    .with_node_id(BrokerId(-1))
                    .with_port(-1)
                    .with_error_code(ResponseCode::InvalidRequest.code())
            }
        });
        FindCoordinatorResponse::default().with_coordinators(found.collect())
    }
}

fn described(topic: &Arc<Topic>) -> MetadataResponseTopic {
    let partitions = (0..topic.partition_count()).map(|index| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(NODE_ID)
            .with_leader_epoch(LEADER_EPOCH)
            .with_replica_nodes(vec![NODE_ID])
            .with_isr_nodes(vec![NODE_ID])
    });
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(text(topic.name.clone()))))
        .with_topic_id(topic.id)
        .with_partitions(partitions.collect())
}

/// Kafka's rule: up to 249 letters, digits, dots, underscores and hyphens, and neither `.` nor `..`.
pub(super) fn is_valid_topic_name(name: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=249).contains(&name.len()) && name != "." && name != ".." && name.bytes().all(legal)
}
