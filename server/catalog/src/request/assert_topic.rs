//! ASSERT TOPIC (spec/sql.md §2.12).

use std::time::{Duration, Instant};

use weir_parser::ast::{Literal, Properties};
use weir_protocol::{ApiError, AssertTopic, Entity};
use weir_types::ErrorCode;

use crate::weir::Weir;

/// ASSERT TOPIC knows two properties, both integers.
pub(super) fn check(with: &Properties) -> Result<(), ApiError> {
    for property in &with.0 {
        if !["PARTITIONS", "REPLICAS"].contains(&property.name.as_str()) {
            return Err(ApiError::generic(
                ErrorCode::AssertionFailed,
                format!(
                    "Cannot assert unknown topic property: {}. Only PARTITIONS and REPLICAS can \
                     be asserted.",
                    property.name
                ),
            ));
        }
        if !matches!(property.value, Literal::Integer(_) | Literal::Bigint(_)) {
            return Err(ApiError::generic(
                ErrorCode::AssertionFailed,
                format!(
                    "Cannot assert {}: its value must be an integer.",
                    property.name
                ),
            ));
        }
    }
    Ok(())
}

/// Looks every 100 ms until the assertion holds or its time is up (spec/sql.md §2.12).
pub(super) fn run(
    weir: &Weir,
    text: &str,
    not_exists: bool,
    topic: &str,
    with: &Properties,
    timeout: Option<i64>,
) -> Result<Entity, ApiError> {
    let timeout = timeout
        .or_else(|| weir.config.number("ksql.assert.topic.default.timeout.ms"))
        .unwrap_or(1000);
    let deadline = Instant::now() + Duration::from_millis(u64::try_from(timeout).unwrap_or(0));
    let wanted = |name: &str| match with.get(name) {
        Some(Literal::Integer(n)) => Some(i64::from(*n)),
        Some(Literal::Bigint(n)) => Some(*n),
        _ => None,
    };
    loop {
        let found = weir.cluster_topics().describe(topic).map_err(|e| {
            ApiError::generic(
                ErrorCode::AssertionFailed,
                format!("Cannot look at topics: {e}"),
            )
        })?;
        let failure = match (&found, not_exists) {
            (None, true) => None,
            (Some(_), true) => Some(format!("Topic {topic} exists.")),
            (None, false) => Some(format!("Topic {topic} does not exist.")),
            (Some(info), false) => {
                let shape = [
                    ("PARTITIONS", i64::from(info.partitions)),
                    ("REPLICAS", i64::from(info.replicas)),
                ];
                let differences: Vec<String> = shape
                    .into_iter()
                    .filter_map(|(name, actual)| {
                        let wanted = wanted(name).filter(|w| *w != actual)?;
                        Some(format!("For config {name}, expected {wanted} got {actual}"))
                    })
                    .collect();
                (!differences.is_empty()).then(|| {
                    let all = differences.join("; ");
                    format!("Mismatched configuration for topic {topic}: {all}")
                })
            }
        };
        match failure {
            None => {
                let body = AssertTopic {
                    topic_name: topic.to_owned(),
                    exists: !not_exists,
                };
                return Ok(Entity::assert_topic(text, &body));
            }
            Some(message) if Instant::now() >= deadline => {
                return Err(ApiError::generic(ErrorCode::AssertionFailed, message));
            }
            Some(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}
