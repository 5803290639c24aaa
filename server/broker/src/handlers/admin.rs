//! Creating, growing and deleting topics.

use super::cluster::is_valid_topic_name;
use super::text;
use crate::broker::{Broker, NODE_ID};
use crate::config::{Overrides, TOPIC_CONFIGS, TopicSettings};
use crate::coordinator::CoordinatorError;
use crate::error_code::ResponseCode;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult,
};
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::*;
use std::collections::HashSet;
use uuid::Uuid;

/// Partitions of one topic at most: each is a folder.
const MAX_PARTITIONS: i32 = 10_000;

/// A refusal in the terms of the protocol.
pub(super) type Refused = (ResponseCode, String);

pub(super) fn refused(error: &CoordinatorError) -> Refused {
    (error.into(), error.to_string())
}

impl Broker {
    pub(crate) fn create_topics(&self, request: CreateTopicsRequest) -> CreateTopicsResponse {
        let mut seen = HashSet::new();
        let twice: HashSet<TopicName> = request
            .topics
            .iter()
            .filter(|t| !seen.insert(t.name.clone()))
            .map(|t| t.name.clone())
            .collect();
        let topics = request.topics.into_iter().map(|topic| {
            let created = if twice.contains(&topic.name) {
                Err((
                    ResponseCode::InvalidRequest,
                    "Create topics request contains multiple entries for the same topic."
                        .to_owned(),
                ))
            } else {
                self.create(&topic, request.validate_only)
            };
            let result = CreatableTopicResult::default();
            match created {
                Ok(created) => result
                    .with_topic_id(created.id)
                    .with_num_partitions(created.partitions)
                    .with_replication_factor(1)
                    .with_configs(Some(created_configs(&created.overrides))),
                Err((code, message)) => result
                    .with_error_code(code.code())
                    .with_error_message(Some(text(message)))
                    .with_num_partitions(-1)
                    .with_replication_factor(-1),
            }
            .with_name(topic.name)
        });
        CreateTopicsResponse::default().with_topics(topics.collect())
    }

    fn create(&self, topic: &CreatableTopic, dry: bool) -> Result<Created, Refused> {
        if !is_valid_topic_name(&topic.name) {
            return Err((
                ResponseCode::InvalidTopic,
                format!(
                    "Topic name '{}' is illegal: up to 249 letters, digits, '.', '_' and '-' are possible",
                    &*topic.name
                ),
            ));
        }
        if self.topics.get(&topic.name).is_some() {
            return Err(refused(&CoordinatorError::TopicExists(
                topic.name.to_string(),
            )));
        }
        let partitions = self.checked_partitions(topic)?;
        let mut overrides = Overrides::new();
        for config in &topic.configs {
            let Some(value) = &config.value else {
                return Err((
                    ResponseCode::InvalidConfig,
                    format!(
                        "Null value not supported for topic configs: {}",
                        &*config.name
                    ),
                ));
            };
            overrides.insert(config.name.to_string(), value.to_string());
        }
        TopicSettings::check(&overrides)
            .map_err(|e| (ResponseCode::InvalidConfig, e.to_string()))?;
        let id = if dry {
            Uuid::nil()
        } else {
            let created = self
                .coordinator
                .create_topic(&topic.name, partitions, overrides.clone());
            created.map_err(|e| refused(&e))?.id
        };
        Ok(Created {
            id,
            partitions,
            overrides,
        })
    }

    fn checked_partitions(&self, topic: &CreatableTopic) -> Result<i32, Refused> {
        if !topic.assignments.is_empty() {
            let here = topic.assignments.iter().all(|a| a.broker_ids == [NODE_ID]);
            let mut indexes: Vec<i32> = topic
                .assignments
                .iter()
                .map(|a| a.partition_index)
                .collect();
            indexes.sort_unstable();
            let count = indexes.len() as i32;
            return if here && indexes.into_iter().eq(0..count) {
                Ok(count)
            } else {
                Err((
                    ResponseCode::InvalidReplicaAssignment,
                    "Partitions must be numbered from 0 and assigned to the one broker.".to_owned(),
                ))
            };
        }
        if !matches!(topic.replication_factor, -1 | 1) {
            return Err((
                ResponseCode::InvalidReplicationFactor,
                format!(
                    "Unable to replicate the partition {} time(s): only 1 broker, the embedded one, is there.",
                    topic.replication_factor
                ),
            ));
        }
        match topic.num_partitions {
            -1 => Ok(self.settings.default_partitions),
            n if (1..=MAX_PARTITIONS).contains(&n) => Ok(n),
            _ => Err((
                ResponseCode::InvalidPartitions,
                format!(
                    "Number of partitions was set to an invalid value; 1 to {MAX_PARTITIONS} are possible."
                ),
            )),
        }
    }

    pub(crate) fn delete_topics(
        &self,
        request: DeleteTopicsRequest,
        version: i16,
    ) -> DeleteTopicsResponse {
        let asked: Vec<(Option<TopicName>, Uuid)> = if version >= 6 {
            let topics = request.topics.into_iter();
            topics.map(|t| (t.name, t.topic_id)).collect()
        } else {
            let names = request.topic_names.into_iter();
            names.map(|name| (Some(name), Uuid::nil())).collect()
        };
        let responses = asked.into_iter().map(|(name, id)| {
            let found = match &name {
                Some(name) => self.topics.get(name),
                None => self.topics.by_id(id),
            };
            let code = match &found {
                Some(topic) => match self.coordinator.delete_topic(&topic.name) {
                    Ok(()) => ResponseCode::None,
                    Err(error) => (&error).into(),
                },
                None if name.is_none() => ResponseCode::UnknownTopicId,
                None => ResponseCode::UnknownTopicOrPartition,
            };
            let name = name.or_else(|| Some(TopicName(text(found.as_ref()?.name.clone()))));
            DeletableTopicResult::default()
                .with_topic_id(found.map_or(id, |topic| topic.id))
                .with_name(name)
                .with_error_code(code.code())
        });
        DeleteTopicsResponse::default().with_responses(responses.collect())
    }

    pub(crate) fn create_partitions(
        &self,
        request: CreatePartitionsRequest,
    ) -> CreatePartitionsResponse {
        let results = request.topics.into_iter().map(|topic| {
            let grown = self.add_partitions_to(&topic, request.validate_only);
            let result = CreatePartitionsTopicResult::default().with_name(topic.name);
            match grown {
                Ok(()) => result,
                Err((code, message)) => result
                    .with_error_code(code.code())
                    .with_error_message(Some(text(message))),
            }
        });
        CreatePartitionsResponse::default().with_results(results.collect())
    }

    fn add_partitions_to(&self, topic: &CreatePartitionsTopic, dry: bool) -> Result<(), Refused> {
        if topic.count > MAX_PARTITIONS {
            return Err((
                ResponseCode::InvalidPartitions,
                format!("A topic has at most {MAX_PARTITIONS} partitions."),
            ));
        }
        let assigned = topic.assignments.iter().flatten();
        for assignment in assigned {
            if assignment.broker_ids != [NODE_ID] {
                return Err((
                    ResponseCode::InvalidReplicaAssignment,
                    "Partitions can only be assigned to the one broker.".to_owned(),
                ));
            }
        }
        let grown = self
            .coordinator
            .add_partitions(&topic.name, topic.count, dry);
        grown.map_err(|e| refused(&e))
    }
}

struct Created {
    id: Uuid,
    partitions: i32,
    overrides: Overrides,
}

fn created_configs(overrides: &Overrides) -> Vec<CreatableTopicConfigs> {
    let configs = TOPIC_CONFIGS.iter().map(|config| {
        let own = overrides.get(config.name);
        CreatableTopicConfigs::default()
            .with_name(text(config.name))
            .with_value(Some(text(own.map_or(config.default, String::as_str))))
            .with_config_source(super::configs::source(own.is_some()))
    });
    configs.collect()
}
