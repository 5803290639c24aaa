//! The configs of the broker itself, read-only over the protocol.

use super::topic::{ConfigKind, TOPIC_CONFIGS};

/// Settings of the broker that clients can see.
#[derive(Clone, Debug)]
pub(crate) struct BrokerSettings {
    pub(crate) auto_create_topics: bool,
    pub(crate) default_partitions: i32,
    /// How long the first member of an empty group waits for others, in ms.
    pub(crate) initial_rebalance_delay_ms: u64,
    /// Between two looks at retention, in ms.
    pub(crate) retention_check_ms: u64,
    /// Between two looks at what can be compacted, in ms.
    pub(crate) cleaner_backoff_ms: u64,
    /// How long committed offsets outlive the group's last member, in ms.
    pub(crate) offsets_retention_ms: i64,
    /// Longest transaction timeout that a producer may ask for, in ms.
    pub(crate) max_transaction_timeout_ms: i32,
    /// Longest request in bytes.
    pub(crate) max_request_bytes: usize,
}

impl Default for BrokerSettings {
    fn default() -> Self {
        Self {
            auto_create_topics: true,
            default_partitions: 1,
            initial_rebalance_delay_ms: 100,
            retention_check_ms: 300_000,
            cleaner_backoff_ms: 5_000,
            offsets_retention_ms: 7 * 24 * 3600 * 1000,
            max_transaction_timeout_ms: 900_000,
            max_request_bytes: 100 << 20,
        }
    }
}

/// Name, value and type of each broker config.
pub(crate) fn broker_configs(
    settings: &BrokerSettings,
    node_id: i32,
) -> Vec<(&'static str, String, ConfigKind)> {
    use ConfigKind::{Boolean, Int, Long};
    let minutes = settings.offsets_retention_ms / 60_000;
    let mut out = vec![
        (
            "auto.create.topics.enable",
            settings.auto_create_topics.to_string(),
            Boolean,
        ),
        ("broker.id", node_id.to_string(), Int),
        ("default.replication.factor", "1".to_owned(), Int),
        ("delete.topic.enable", "true".to_owned(), Boolean),
        (
            "group.initial.rebalance.delay.ms",
            settings.initial_rebalance_delay_ms.to_string(),
            Int,
        ),
        (
            "log.cleaner.backoff.ms",
            settings.cleaner_backoff_ms.to_string(),
            Long,
        ),
        (
            "log.retention.check.interval.ms",
            settings.retention_check_ms.to_string(),
            Long,
        ),
        (
            "num.partitions",
            settings.default_partitions.to_string(),
            Int,
        ),
        ("offsets.retention.minutes", minutes.to_string(), Int),
        ("offsets.topic.replication.factor", "1".to_owned(), Int),
        (
            "socket.request.max.bytes",
            settings.max_request_bytes.to_string(),
            Int,
        ),
        (
            "transaction.max.timeout.ms",
            settings.max_transaction_timeout_ms.to_string(),
            Int,
        ),
        (
            "transaction.state.log.replication.factor",
            "1".to_owned(),
            Int,
        ),
    ];
    // Defaults of topic configs under their broker names.
    for config in TOPIC_CONFIGS {
        if !out.iter().any(|(name, ..)| *name == config.synonym) {
            out.push((config.synonym, config.default.to_owned(), config.kind));
        }
    }
    out.sort_by_key(|(name, ..)| *name);
    out
}
