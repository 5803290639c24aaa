//! The configs of the broker itself: set at the start, read-only over the protocol.

use super::topic::{ConfigError, ConfigKind, TOPIC_CONFIGS};
use std::str::FromStr;

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
    /// Bytes of all requests that are read or handled at the same time.
    pub(crate) queued_request_bytes: usize,
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
            queued_request_bytes: 256 << 20,
        }
    }
}

impl BrokerSettings {
    /// Sets the config that Kafka calls `name`.
    ///
    /// # Errors
    ///
    /// When there is no such config or the value does not fit it.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), ConfigError> {
        match name {
            "auto.create.topics.enable" => self.auto_create_topics = parse(name, value)?,
            "group.initial.rebalance.delay.ms" => {
                self.initial_rebalance_delay_ms = parse(name, value)?;
            }
            "log.cleaner.backoff.ms" => self.cleaner_backoff_ms = positive(name, value)?,
            "log.retention.check.interval.ms" => self.retention_check_ms = positive(name, value)?,
            "num.partitions" => self.default_partitions = positive(name, value)?,
            "offsets.retention.minutes" => {
                self.offsets_retention_ms = positive::<i64>(name, value)?.saturating_mul(60_000);
            }
            "queued.max.request.bytes" => self.queued_request_bytes = positive(name, value)?,
            "socket.request.max.bytes" => self.max_request_bytes = positive(name, value)?,
            "transaction.max.timeout.ms" => {
                self.max_transaction_timeout_ms = positive(name, value)?;
            }
            _ => return Err(ConfigError::UnknownToBroker(name.to_owned())),
        }
        Ok(())
    }
}

fn parse<T: FromStr>(name: &str, value: &str) -> Result<T, ConfigError> {
    value.parse().map_err(|_| ConfigError::Invalid {
        name: name.to_owned(),
        value: value.to_owned(),
        reason: "not a value of its type".to_owned(),
    })
}

fn positive<T: FromStr + PartialOrd + From<u8>>(name: &str, value: &str) -> Result<T, ConfigError> {
    let number: T = parse(name, value)?;
    if number >= T::from(1) {
        return Ok(number);
    }
    Err(ConfigError::Invalid {
        name: name.to_owned(),
        value: value.to_owned(),
        reason: "Value must be at least 1".to_owned(),
    })
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
            "queued.max.request.bytes",
            settings.queued_request_bytes.to_string(),
            Long,
        ),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn what_is_set_is_what_is_described() {
        let mut settings = BrokerSettings::default();
        let values = [
            ("auto.create.topics.enable", "false"),
            ("group.initial.rebalance.delay.ms", "0"),
            ("log.cleaner.backoff.ms", "11"),
            ("log.retention.check.interval.ms", "12"),
            ("num.partitions", "13"),
            ("offsets.retention.minutes", "14"),
            ("queued.max.request.bytes", "17"),
            ("socket.request.max.bytes", "15"),
            ("transaction.max.timeout.ms", "16"),
        ];
        for (name, value) in values {
            settings.set(name, value).unwrap();
            let described = broker_configs(&settings, 1);
            let found = described.iter().find(|(n, ..)| *n == name).unwrap();
            assert_eq!(found.1, value, "{name}");
        }
        for (name, value) in [
            ("num.partitions", "0"),
            ("num.partitions", "many"),
            ("log.cleaner.backoff.ms", "-1"),
            ("auto.create.topics.enable", "maybe"),
            ("broker.id", "2"),
            ("nonsense", "1"),
        ] {
            assert!(settings.set(name, value).is_err(), "{name}={value}");
        }
    }
}
