//! Names of what the runtime keeps in Kafka (spec/semantics.md §2.4), and which slot a task is of.

use weir_engine::TopicName;

/// `_confluent-ksql-<service id>query_<query id>`: group and prefix of internal topics.
pub fn application_id(service_id: &str, persistent_prefix: &str, query_id: &str) -> String {
    format!("_confluent-ksql-{service_id}{persistent_prefix}{query_id}")
}

/// The topic whose partitions are the slots, and the group that divides them.
pub fn slots_topic(service_id: &str) -> String {
    format!("_confluent-ksql-{service_id}_slots")
}

/// Full name of a topic of a query.
pub fn topic_name(application_id: &str, topic: &TopicName) -> String {
    match topic {
        TopicName::User(name) => name.clone(),
        TopicName::Internal(suffix) => format!("{application_id}-{suffix}"),
    }
}

/// The changelog of a store.
pub fn changelog_topic(application_id: &str, store: &str) -> String {
    format!("{application_id}-{store}-changelog")
}

/// The slot of the task that reads `partition` of `topic` as its left-most source. Neighbouring
/// partitions are in neighbouring slots, so that they spread evenly over servers and workers.
pub fn slot_of(topic: &str, partition: u32, slots: u32) -> u32 {
    let hash = weir_types::partition::murmur2(topic.as_bytes());
    (hash % slots.max(1)).wrapping_add(partition) % slots.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_ksqldb() {
        let id = application_id("default_", "query_", "CTAS_X_0");
        assert_eq!(id, "_confluent-ksql-default_query_CTAS_X_0");
        assert_eq!(
            changelog_topic(&id, "Aggregate-Aggregate-Materialize"),
            "_confluent-ksql-default_query_CTAS_X_0-Aggregate-Aggregate-Materialize-changelog"
        );
        let internal = TopicName::Internal("Aggregate-GroupBy-repartition".into());
        assert_eq!(
            topic_name(&id, &internal),
            "_confluent-ksql-default_query_CTAS_X_0-Aggregate-GroupBy-repartition"
        );
        assert_eq!(topic_name(&id, &TopicName::User("t".into())), "t");
    }

    #[test]
    fn partitions_of_a_topic_spread_over_slots() {
        let slots: std::collections::BTreeSet<_> =
            (0..8).map(|p| slot_of("orders", p, 32)).collect();
        assert_eq!(slots.len(), 8);
        assert!(slots.iter().all(|slot| *slot < 32));
        assert_eq!(slot_of("orders", 3, 32), slot_of("orders", 3, 32));
    }
}
