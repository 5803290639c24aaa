//! What values a property takes (Kafka documentation, "Valid Values"; spec/api.md §3.1, §9).
//!
//! Only what Kafka itself checks when a property is set is checked here; whether a value makes
//! sense for the query shows later.

use super::ConfigError;
use super::properties;

/// What a property takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// 32 bits, at least this.
    Int(i32),
    /// 64 bits, at least this.
    Long(i64),
    /// `true` or `false`.
    Boolean,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Anything.
    Text,
}

const ANY_INT: Kind = Kind::Int(i32::MIN);
const ANY_LONG: Kind = Kind::Long(i64::MIN);

/// The kind of a property of Kafka's, without prefix; `None`: it takes any text.
fn kind_of_kafka(name: &str) -> Option<Kind> {
    Some(match name {
        "auto.offset.reset" => Kind::OneOf(&["earliest", "latest"]),
        "processing.guarantee" => Kind::OneOf(&["at_least_once", "exactly_once_v2"]),
        "isolation.level" => Kind::OneOf(&["read_committed", "read_uncommitted"]),
        "metrics.recording.level" => Kind::OneOf(&["INFO", "DEBUG", "TRACE"]),
        "acks" => Kind::OneOf(&["all", "-1", "0", "1"]),
        "compression.type" => Kind::OneOf(&["none", "gzip", "snappy", "lz4", "zstd"]),
        "client.dns.lookup" => Kind::OneOf(&[
            "use_all_dns_ips",
            "resolve_canonical_bootstrap_servers_only",
        ]),

        "allow.auto.create.topics"
        | "auto.include.jmx.reporter"
        | "check.crcs"
        | "enable.auto.commit"
        | "enable.idempotence"
        | "enable.metrics.push"
        | "exclude.internal.topics"
        | "partitioner.adaptive.partitioning.enable"
        | "partitioner.ignore.keys" => Kind::Boolean,

        "buffered.records.per.partition"
        | "heartbeat.interval.ms"
        | "num.standby.replicas"
        | "num.stream.threads"
        | "rack.aware.assignment.non_overlap_cost"
        | "rack.aware.assignment.traffic_cost"
        | "replication.factor"
        | "session.timeout.ms"
        | "transaction.timeout.ms" => ANY_INT,
        "receive.buffer.bytes" | "send.buffer.bytes" => Kind::Int(-1),
        "auto.commit.interval.ms"
        | "batch.size"
        | "default.api.timeout.ms"
        | "delivery.timeout.ms"
        | "fetch.max.bytes"
        | "fetch.max.wait.ms"
        | "fetch.min.bytes"
        | "max.partition.fetch.bytes"
        | "max.request.size"
        | "request.timeout.ms"
        | "retries" => Kind::Int(0),
        "max.in.flight.requests.per.connection"
        | "max.poll.interval.ms"
        | "max.poll.records"
        | "max.warmup.replicas"
        | "metrics.num.samples" => Kind::Int(1),

        "connections.max.idle.ms"
        | "log.summary.interval.ms"
        | "max.task.idle.ms"
        | "poll.ms"
        | "socket.connection.setup.timeout.max.ms"
        | "socket.connection.setup.timeout.ms"
        | "state.cleanup.delay.ms"
        | "window.size.ms"
        | "windowstore.changelog.additional.retention.ms" => ANY_LONG,
        "acceptable.recovery.lag"
        | "buffer.memory"
        | "cache.max.bytes.buffering"
        | "commit.interval.ms"
        | "linger.ms"
        | "max.block.ms"
        | "metadata.max.age.ms"
        | "metrics.sample.window.ms"
        | "partitioner.availability.timeout.ms"
        | "reconnect.backoff.max.ms"
        | "reconnect.backoff.ms"
        | "repartition.purge.interval.ms"
        | "retry.backoff.max.ms"
        | "retry.backoff.ms"
        | "statestore.cache.max.bytes"
        | "task.timeout.ms" => Kind::Long(0),
        "metadata.max.idle.ms" => Kind::Long(5000),
        "probing.rebalance.interval.ms" => Kind::Long(60_000),
        _ => return None,
    })
}

/// The kind of a property by its default, where the table of Kafka's does not tell.
fn kind_of(name: &str) -> Kind {
    let bare = ["consumer.", "producer."]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name);
    if let Some(kind) = kind_of_kafka(bare) {
        return kind;
    }
    let property =
        properties::find(name).or_else(|| properties::find(&format!("ksql.streams.{name}")));
    match property.and_then(|p| p.default) {
        Some("true" | "false") => Kind::Boolean,
        Some(number) if number.parse::<i32>().is_ok() && !name.ends_with(".ms") => ANY_INT,
        Some(number) if number.parse::<i64>().is_ok() => ANY_LONG,
        _ => Kind::Text,
    }
}

/// Checks the value of the property of that canonical name.
///
/// # Errors
///
/// [`ConfigError::BadValue`].
pub fn check_value(name: &str, value: &str) -> Result<(), ConfigError> {
    let trimmed = value.trim();
    let least = |least: String| format!("Value must be at least {least}");
    let reason = match kind_of(name) {
        Kind::Text => None,
        Kind::Boolean => {
            let is_flag = ["true", "false"]
                .iter()
                .any(|word| trimmed.eq_ignore_ascii_case(word));
            (!is_flag).then(|| "Expected value to be either true or false".to_owned())
        }
        Kind::OneOf(words) => {
            let is_known = words.contains(&trimmed);
            (!is_known).then(|| format!("String must be one of: {}", words.join(", ")))
        }
        Kind::Int(low) => match trimmed.parse::<i32>() {
            Err(_) => Some("Not a number of type INT".to_owned()),
            Ok(number) => (number < low).then(|| least(low.to_string())),
        },
        Kind::Long(low) => match trimmed.parse::<i64>() {
            Err(_) => Some("Not a number of type LONG".to_owned()),
            Ok(number) => (number < low).then(|| least(low.to_string())),
        },
    };
    match reason {
        None => Ok(()),
        Some(reason) => Err(ConfigError::BadValue {
            name: name.to_owned(),
            value: value.to_owned(),
            reason,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked_by_kind() {
        // Name, value, what is said of it.
        for (name, value, reason) in [
            ("commit.interval.ms", "100", None),
            ("commit.interval.ms", " 100 ", None),
            ("commit.interval.ms", "-5", Some("Value must be at least 0")),
            (
                "commit.interval.ms",
                "1.5",
                Some("Not a number of type LONG"),
            ),
            ("num.stream.threads", "x", Some("Not a number of type INT")),
            (
                "num.stream.threads",
                "3000000000",
                Some("Not a number of type INT"),
            ),
            (
                "consumer.max.poll.records",
                "0",
                Some("Value must be at least 1"),
            ),
            ("producer.linger.ms", "3000000000", None),
            ("enable.auto.commit", "TRUE", None),
            (
                "enable.auto.commit",
                "yes",
                Some("Expected value to be either true or false"),
            ),
            (
                "consumer.isolation.level",
                "none",
                Some("String must be one of: read_committed, read_uncommitted"),
            ),
            (
                "auto.offset.reset",
                "EARLIEST",
                Some("String must be one of: earliest, latest"),
            ),
            ("client.id", "anything", None),
            (
                "ksql.query.pull.max.allowed.offset.lag",
                "9223372036854775807",
                None,
            ),
            (
                "ksql.timestamp.throw.on.invalid",
                "1",
                Some("Expected value to be either true or false"),
            ),
            ("ksql.query.retry.backoff.max.ms", "3000000000", None),
        ] {
            let said = match check_value(name, value) {
                Err(ConfigError::BadValue { reason, .. }) => Some(reason),
                _ => None,
            };
            assert_eq!(said.as_deref(), reason, "{name}={value}");
        }
    }
}
