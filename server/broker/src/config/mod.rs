//! Topic and broker configs: one table says which exist, their defaults, types and bounds; everything else asks it.
//!
//! ```text
//! overrides (name → text) ──check──► stored in the journal ──resolve──► TopicSettings (typed, used by the log)
//! ```

mod broker;
mod topic;

pub(crate) use broker::{BrokerSettings, broker_configs};
pub(crate) use topic::{
    ConfigError, ConfigKind, TOPIC_CONFIGS, TopicSettings, apply_to_list, find,
};

/// The overrides of a topic, by config name.
pub(crate) type Overrides = std::collections::BTreeMap<String, String>;
