//! Describing and altering configs.

use super::admin::{Refused, refused};
use super::text;
use crate::broker::{Broker, NODE_ID};
use crate::config::{
    ConfigError, ConfigKind, Overrides, TOPIC_CONFIGS, TopicSettings, apply_to_list,
    broker_configs, find,
};
use crate::coordinator::CoordinatorError;
use crate::error_code::ResponseCode;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse as Altered;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::incremental_alter_configs_request::AlterableConfig;
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse as IncrementallyAltered;
use kafka_protocol::messages::*;

/// Resource types of the protocol.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// Sources of a config's value.
const SOURCE_TOPIC: i8 = 1;
const SOURCE_STATIC_BROKER: i8 = 4;
const SOURCE_DEFAULT: i8 = 5;
/// Operations of IncrementalAlterConfigs.
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// Where a topic config's value comes from.
pub(super) fn source(overridden: bool) -> i8 {
    if overridden {
        SOURCE_TOPIC
    } else {
        SOURCE_DEFAULT
    }
}

impl From<CoordinatorError> for Change {
    fn from(error: CoordinatorError) -> Self {
        Self(refused(&error))
    }
}
impl From<ConfigError> for Change {
    fn from(error: ConfigError) -> Self {
        Self((ResponseCode::InvalidConfig, error.to_string()))
    }
}

/// Why a change of configs was refused.
struct Change(Refused);

impl Broker {
    pub(crate) fn describe_configs(
        &self,
        request: DescribeConfigsRequest,
    ) -> DescribeConfigsResponse {
        let results = request.resources.into_iter().map(|resource| {
            let described = match resource.resource_type {
                TOPIC => self.topic_configs(&resource, request.include_synonyms),
                BROKER => self.broker_configs(&resource),
                other => Err((
                    ResponseCode::InvalidRequest,
                    format!("Resource type {other} has no configs here."),
                )),
            };
            let result = DescribeConfigsResult::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name);
            match described {
                Ok(configs) => result.with_configs(configs),
                Err((code, message)) => result
                    .with_error_code(code.code())
                    .with_error_message(Some(text(message))),
            }
        });
        DescribeConfigsResponse::default().with_results(results.collect())
    }

    fn topic_configs(
        &self,
        resource: &DescribeConfigsResource,
        synonyms: bool,
    ) -> Result<Vec<DescribeConfigsResourceResult>, Refused> {
        let topic = self
            .topics
            .get(&resource.resource_name)
            .ok_or_else(|| refused(&CoordinatorError::UnknownTopic))?;
        let overrides = topic.overrides();
        let wanted = TOPIC_CONFIGS.iter().filter(|c| is_wanted(resource, c.name));
        let configs = wanted.map(|config| {
            let own = overrides.get(config.name);
            let value = own.map_or(config.default, String::as_str);
            let mut known = Vec::new();
            if synonyms {
                let synonym = |name: &str, value: &str, source| {
                    DescribeConfigsSynonym::default()
                        .with_name(text(name))
                        .with_value(Some(text(value)))
                        .with_source(source)
                };
                known.extend(own.map(|own| synonym(config.name, own, SOURCE_TOPIC)));
                known.push(synonym(config.synonym, config.default, SOURCE_DEFAULT));
            }
            DescribeConfigsResourceResult::default()
                .with_name(text(config.name))
                .with_value(Some(text(value)))
                .with_config_source(source(own.is_some()))
                .with_config_type(config.kind as i8)
                .with_synonyms(known)
        });
        Ok(configs.collect())
    }

    fn broker_configs(
        &self,
        resource: &DescribeConfigsResource,
    ) -> Result<Vec<DescribeConfigsResourceResult>, Refused> {
        let name = &*resource.resource_name;
        if !name.is_empty() && name != NODE_ID.0.to_string() {
            return Err((
                ResponseCode::InvalidRequest,
                format!(
                    "Unexpected broker id, expected {}, but received {name}",
                    NODE_ID.0
                ),
            ));
        }
        let configs = broker_configs(&self.settings, NODE_ID.0);
        let wanted = configs.into_iter().filter(|c| is_wanted(resource, c.0));
        let configs = wanted.map(|(name, value, kind)| {
            DescribeConfigsResourceResult::default()
                .with_name(text(name))
                .with_value(Some(text(value)))
                .with_read_only(true)
                .with_config_source(SOURCE_STATIC_BROKER)
                .with_config_type(kind as i8)
        });
        Ok(configs.collect())
    }

    /// Replaces the whole set of overrides: what is not named goes back to its default.
    pub(crate) fn alter_configs(&self, request: AlterConfigsRequest) -> AlterConfigsResponse {
        let responses = request.resources.into_iter().map(|resource| {
            let kind = resource.resource_type;
            let changed = self.change(kind, &resource.resource_name, request.validate_only, |_| {
                let mut fresh = Overrides::new();
                for config in &resource.configs {
                    if let Some(value) = &config.value {
                        fresh.insert(config.name.to_string(), value.to_string());
                    }
                }
                Ok(fresh)
            });
            let response = Altered::default()
                .with_resource_type(kind)
                .with_resource_name(resource.resource_name.clone());
            match changed {
                Ok(()) => response,
                Err((code, message)) => response
                    .with_error_code(code.code())
                    .with_error_message(Some(text(message))),
            }
        });
        AlterConfigsResponse::default().with_responses(responses.collect())
    }

    pub(crate) fn incremental_alter_configs(
        &self,
        request: IncrementalAlterConfigsRequest,
    ) -> IncrementalAlterConfigsResponse {
        let responses = request.resources.into_iter().map(|resource| {
            let kind = resource.resource_type;
            let changed = self.change(
                kind,
                &resource.resource_name,
                request.validate_only,
                |mut overrides| {
                    for config in &resource.configs {
                        alter_one(&mut overrides, config)?;
                    }
                    Ok(overrides)
                },
            );
            let response = IncrementallyAltered::default()
                .with_resource_type(kind)
                .with_resource_name(resource.resource_name.clone());
            match changed {
                Ok(()) => response,
                Err((code, message)) => response
                    .with_error_code(code.code())
                    .with_error_message(Some(text(message))),
            }
        });
        IncrementalAlterConfigsResponse::default().with_responses(responses.collect())
    }

    fn change(
        &self,
        kind: i8,
        name: &str,
        dry: bool,
        change: impl FnOnce(Overrides) -> Result<Overrides, Change>,
    ) -> Result<(), Refused> {
        if kind != TOPIC {
            return Err((
                ResponseCode::InvalidRequest,
                "Only the configs of topics can be altered; those of the broker are fixed at its start."
                    .to_owned(),
            ));
        }
        let changed = self.coordinator.change_overrides(name, dry, |overrides| {
            let overrides = change(overrides)?;
            TopicSettings::check(&overrides)?;
            Ok::<_, Change>(overrides)
        });
        changed.map_err(|Change(refused)| refused)
    }
}

fn is_wanted(resource: &DescribeConfigsResource, name: &str) -> bool {
    match &resource.configuration_keys {
        Some(keys) if !keys.is_empty() => keys.iter().any(|key| &**key == name),
        _ => true,
    }
}

fn alter_one(overrides: &mut Overrides, change: &AlterableConfig) -> Result<(), Change> {
    let name = change.name.to_string();
    let value = change.value.as_deref().unwrap_or_default();
    match change.config_operation {
        SET => {
            overrides.insert(name, value.to_owned());
        }
        DELETE => {
            overrides.remove(&name);
        }
        operation @ (APPEND | SUBTRACT) => {
            let config = find(&name).ok_or_else(|| ConfigError::Unknown(name.clone()))?;
            if config.kind != ConfigKind::List {
                return Err(ConfigError::NotAList(name).into());
            }
            let current = overrides.get(&name).map_or(config.default, String::as_str);
            let changed = apply_to_list(current, value, operation == APPEND);
            overrides.insert(name, changed);
        }
        other => {
            return Err(Change((
                ResponseCode::InvalidRequest,
                format!("Unknown config operation {other}"),
            )));
        }
    }
    Ok(())
}
