//! The configs of a topic.

use super::Overrides;

/// Type of a config, as DescribeConfigs numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConfigKind {
    Boolean = 1,
    Text = 2,
    Int = 3,
    Long = 5,
    Double = 6,
    List = 7,
}

/// What values a config takes beyond its type.
#[derive(Clone, Copy, Debug)]
enum Accepts {
    Any,
    AtLeast(i64),
    Ratio,
    OneOf(&'static [&'static str]),
    SomeOf(&'static [&'static str]),
}

/// A known topic config.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TopicConfig {
    pub(crate) name: &'static str,
    pub(crate) default: &'static str,
    pub(crate) kind: ConfigKind,
    accepts: Accepts,
    /// Name of the broker config that gives the default.
    pub(crate) synonym: &'static str,
}

/// Why a config is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("Unknown topic config name: {0}")]
    Unknown(String),
    #[error("{0} is no config of the embedded broker that can be set")]
    UnknownToBroker(String),
    #[error("Invalid value {value} for configuration {name}: {reason}")]
    Invalid {
        name: String,
        value: String,
        reason: String,
    },
    #[error("Config value append is not allowed for config key: {0}")]
    NotAList(String),
}

const MAX: &str = "9223372036854775807";
const WEEK: &str = "604800000";

macro_rules! configs {
    ($($name:literal $kind:ident $default:tt $accepts:expr, $synonym:literal;)*) => {
        /// Every topic config that exists, by name.
        pub(crate) const TOPIC_CONFIGS: &[TopicConfig] = &[$(TopicConfig {
            name: $name, default: $default, kind: ConfigKind::$kind, accepts: $accepts, synonym: $synonym,
        }),*];
    };
}

use Accepts::{Any, AtLeast, OneOf, Ratio, SomeOf};
configs! {
    "cleanup.policy" List "delete" SomeOf(&["compact", "delete"]), "log.cleanup.policy";
    "compression.type" Text "producer" OneOf(&["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"]), "compression.type";
    "delete.retention.ms" Long "86400000" AtLeast(0), "log.cleaner.delete.retention.ms";
    "file.delete.delay.ms" Long "60000" AtLeast(0), "log.segment.delete.delay.ms";
    "flush.messages" Long MAX AtLeast(1), "log.flush.interval.messages";
    "flush.ms" Long MAX AtLeast(0), "log.flush.interval.ms";
    "index.interval.bytes" Int "4096" AtLeast(0), "log.index.interval.bytes";
    "max.compaction.lag.ms" Long MAX AtLeast(1), "log.cleaner.max.compaction.lag.ms";
    "max.message.bytes" Int "1048588" AtLeast(0), "message.max.bytes";
    "message.timestamp.after.max.ms" Long "3600000" AtLeast(0), "log.message.timestamp.after.max.ms";
    "message.timestamp.before.max.ms" Long MAX AtLeast(0), "log.message.timestamp.before.max.ms";
    "message.timestamp.type" Text "CreateTime" OneOf(&["CreateTime", "LogAppendTime"]), "log.message.timestamp.type";
    "min.cleanable.dirty.ratio" Double "0.5" Ratio, "log.cleaner.min.cleanable.ratio";
    "min.compaction.lag.ms" Long "0" AtLeast(0), "log.cleaner.min.compaction.lag.ms";
    "min.insync.replicas" Int "1" AtLeast(1), "min.insync.replicas";
    "preallocate" Boolean "false" Any, "log.preallocate";
    "retention.bytes" Long "-1" AtLeast(-1), "log.retention.bytes";
    "retention.ms" Long WEEK AtLeast(-1), "log.retention.ms";
    "segment.bytes" Int "1073741824" AtLeast(1 << 20), "log.segment.bytes";
    "segment.index.bytes" Int "10485760" AtLeast(4), "log.index.size.max.bytes";
    "segment.jitter.ms" Long "0" AtLeast(0), "log.roll.jitter.ms";
    "segment.ms" Long WEEK AtLeast(1), "log.roll.ms";
    "unclean.leader.election.enable" Boolean "false" Any, "unclean.leader.election.enable";
}

/// The config called `name`.
pub(crate) fn find(name: &str) -> Option<&'static TopicConfig> {
    TOPIC_CONFIGS.iter().find(|c| c.name == name)
}

impl TopicConfig {
    /// Checks a value for this config.
    pub(crate) fn check(&self, value: &str) -> Result<(), ConfigError> {
        self.problem(value).map_or(Ok(()), |reason| {
            Err(ConfigError::Invalid {
                name: self.name.to_owned(),
                value: value.to_owned(),
                reason,
            })
        })
    }

    fn problem(&self, value: &str) -> Option<String> {
        let number = match self.kind {
            ConfigKind::Boolean if !matches!(value, "true" | "false") => {
                return Some("Expected value to be either true or false".to_owned());
            }
            ConfigKind::Int => match value.parse::<i32>() {
                Ok(n) => i64::from(n),
                Err(_) => return Some("Not a number of type INT".to_owned()),
            },
            ConfigKind::Long => match value.parse::<i64>() {
                Ok(n) => n,
                Err(_) => return Some("Not a number of type LONG".to_owned()),
            },
            _ => 0,
        };
        match self.accepts {
            Any => None,
            AtLeast(least) => (number < least).then(|| format!("Value must be at least {least}")),
            Ratio => {
                let fits = value
                    .parse::<f64>()
                    .is_ok_and(|ratio| (0.0..=1.0).contains(&ratio));
                (!fits).then(|| "Value must be between 0 and 1".to_owned())
            }
            OneOf(names) => (!names.contains(&value))
                .then(|| format!("String must be one of: {}", names.join(", "))),
            SomeOf(names) => {
                let fits = list(value).all(|item| names.contains(&item));
                (!fits).then(|| format!("String must be one of: {}", names.join(", ")))
            }
        }
    }
}

fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim)
}

/// `current` with the items of `value` added (`append`) or taken away.
pub(crate) fn apply_to_list(current: &str, value: &str, append: bool) -> String {
    let changed: Vec<&str> = list(value).collect();
    let mut items: Vec<&str> = list(current)
        .filter(|item| !item.is_empty() && (append || !changed.contains(item)))
        .collect();
    if append {
        for item in changed {
            if !items.contains(&item) {
                items.push(item);
            }
        }
    }
    items.join(",")
}

/// The settings of a topic as the log uses them; times in ms, sizes in bytes.
#[derive(Clone, Debug)]
pub(crate) struct TopicSettings {
    pub(crate) compact: bool,
    pub(crate) delete: bool,
    pub(crate) log_append_time: bool,
    pub(crate) max_message_bytes: usize,
    pub(crate) index_interval: u64,
    pub(crate) segment_bytes: u64,
    pub(crate) segment_ms: i64,
    /// Negative: no limit.
    pub(crate) retention_ms: i64,
    /// Negative: no limit.
    pub(crate) retention_bytes: i64,
    pub(crate) delete_retention_ms: i64,
    pub(crate) min_cleanable_ratio: f64,
    pub(crate) min_compaction_lag_ms: i64,
    pub(crate) max_compaction_lag_ms: i64,
    pub(crate) timestamp_after_max_ms: i64,
    pub(crate) timestamp_before_max_ms: i64,
}

impl TopicSettings {
    /// Checks that every override exists and has a possible value.
    pub(crate) fn check(overrides: &Overrides) -> Result<(), ConfigError> {
        for (name, value) in overrides {
            find(name)
                .ok_or_else(|| ConfigError::Unknown(name.clone()))?
                .check(value)?;
        }
        Ok(())
    }

    /// Settings under these overrides, which were checked; anything else falls back to the default.
    pub(crate) fn resolve(overrides: &Overrides) -> Self {
        let text = |name: &str| {
            let default = find(name).map_or("", |c| c.default);
            overrides.get(name).map_or(default, String::as_str)
        };
        let number = |name: &str| text(name).parse::<i64>().unwrap_or(i64::MAX);
        let size = |name: &str| u64::try_from(number(name)).unwrap_or(0);
        let policies: Vec<&str> = list(text("cleanup.policy")).collect();
        Self {
            compact: policies.contains(&"compact"),
            delete: policies.contains(&"delete"),
            log_append_time: text("message.timestamp.type") == "LogAppendTime",
            max_message_bytes: usize::try_from(number("max.message.bytes")).unwrap_or(usize::MAX),
            index_interval: size("index.interval.bytes"),
            segment_bytes: size("segment.bytes"),
            segment_ms: number("segment.ms"),
            retention_ms: number("retention.ms"),
            retention_bytes: number("retention.bytes"),
            delete_retention_ms: number("delete.retention.ms"),
            min_cleanable_ratio: text("min.cleanable.dirty.ratio").parse().unwrap_or(0.5),
            min_compaction_lag_ms: number("min.compaction.lag.ms"),
            max_compaction_lag_ms: number("max.compaction.lag.ms"),
            timestamp_after_max_ms: number("message.timestamp.after.max.ms"),
            timestamp_before_max_ms: number("message.timestamp.before.max.ms"),
        }
    }
}
