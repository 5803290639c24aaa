//! The topic of a source or sink: is it there, does it fit, what would it be (spec/sql.md §3.3).

use regex::Regex;
use weir_parser::ast::SourceKind;
use weir_types::{ErrorCode, SqlError};

use super::TopicSpec;
use super::with::WithProperties;
use crate::catalog::{Catalog, TopicInfo};

/// Whether Kafka accepts this name, and the refusal if not.
pub(super) fn check_topic_name(name: &str) -> Result<(), SqlError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ['.', '_', '-'].contains(&c);
    if !name.is_empty()
        && name.len() <= 249
        && name != "."
        && name != ".."
        && name.chars().all(allowed)
    {
        return Ok(());
    }
    Err(SqlError::new(
        ErrorCode::ServerError,
        format!(
            "Failed to check if exists for topic: {name}\nCaused by: The request attempted to \
             perform an operation on an invalid topic: names hold up to 249 letters, digits, '.', \
             '_' and '-'."
        ),
    ))
}

/// Whether the topic is one of `ksql.readonly.topics`, patterns separated by commas.
pub(crate) fn is_read_only_topic(topic: &str, catalog: &dyn Catalog) -> bool {
    const DEFAULT: &str = "_confluent.*,__confluent.*,_schemas,__consumer_offsets,\
                           __transaction_state,connect-configs,connect-offsets,connect-status,\
                           connect-statuses";
    let patterns = catalog
        .config("ksql.readonly.topics")
        .unwrap_or_else(|| DEFAULT.to_owned());
    patterns
        .split(',')
        .filter_map(|pattern| Regex::new(&format!("^(?:{})$", pattern.trim())).ok())
        .any(|pattern| pattern.is_match(topic))
}

/// Days that records are kept where nothing else is said, in milliseconds.
pub(super) const DEFAULT_RETENTION_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// The topic of a new source or sink; what the clause leaves open is given by the arguments.
pub(super) fn new_topic(
    name: &str,
    with: &WithProperties,
    kind: SourceKind,
    windowed: bool,
    partitions: u32,
    replicas: Option<u16>,
) -> Result<TopicSpec, SqlError> {
    let refuse = |cause: &str| {
        Err(SqlError::new(
            ErrorCode::ServerError,
            format!("Failed to guarantee existence of topic {name}\nCaused by: {cause}"),
        ))
    };
    let partitions = match with.partitions.map(u32::try_from) {
        None => partitions,
        Some(Ok(n)) if n > 0 => n,
        Some(_) => return refuse("Number of partitions was set to an invalid non-positive value."),
    };
    let replicas = match with.replicas {
        None => replicas,
        Some(-1) => None,
        Some(n) => match u16::try_from(n) {
            Ok(n) if n > 0 => Some(n),
            _ => {
                return refuse(
                    "Replication factor must be larger than 0, or -1 to use the broker's default \
                     value.",
                );
            }
        },
    };
    let retention = with
        .retention_ms
        .unwrap_or(DEFAULT_RETENTION_MS)
        .to_string();
    let (policy, keeps_all) = match (kind, windowed) {
        (SourceKind::Stream, _) => ("delete", false),
        (SourceKind::Table, true) => ("compact,delete", false),
        (SourceKind::Table, false) => ("compact", true),
    };
    let mut configs = vec![("cleanup.policy".to_owned(), policy.to_owned())];
    if !keeps_all {
        configs.push(("retention.ms".to_owned(), retention));
    }
    Ok(TopicSpec {
        name: name.to_owned(),
        partitions,
        replicas,
        configs,
    })
}

/// Whether a topic that is there is as the clause wants it.
pub(super) fn check_topic(
    name: &str,
    actual: &TopicInfo,
    with: &WithProperties,
) -> Result<(), SqlError> {
    let partitions = with
        .partitions
        .map_or(i64::from(actual.partitions), i64::from);
    let replicas = with
        .replicas
        .filter(|r| *r != -1)
        .map_or(i64::from(actual.replicas), i64::from);
    let kept = actual.retention_ms.unwrap_or(DEFAULT_RETENTION_MS);
    let retention = with.retention_ms.unwrap_or(kept);
    if partitions == i64::from(actual.partitions)
        && replicas <= i64::from(actual.replicas)
        && retention == kept
    {
        return Ok(());
    }
    Err(SqlError::new(
        ErrorCode::ServerError,
        format!(
            "A Kafka topic with the name '{name}' already exists, with different \
             partition/replica/retention configuration than required. KSQL expects {partitions} \
             partitions (topic has {}), {replicas} replication factor (topic has {}), and \
             {retention} retention (topic has {kept}).",
            actual.partitions, actual.replicas
        ),
    ))
}
