//! How a query lies on partitions: tasks of each part, partitions of its internal topics.
//!
//! ```text
//!   orders(4) ─► part 0: 4 tasks ─► …-repartition(4) ─► part 1: 4 tasks ─► …-changelog(4)
//! ```

use std::collections::BTreeMap;

use weir_engine::{TopicName, Topology};

use crate::names::{changelog_topic, topic_name};

/// What kind an internal topic is, which decides its configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InternalKind {
    /// Rows on their way between two parts.
    Repartition,
    /// State by key.
    Changelog,
    /// State by key and time; old segments go after so many ms.
    WindowChangelog(i64),
}

/// An internal topic that must exist before the query runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InternalTopic {
    /// Full name.
    pub name: String,
    /// Partitions.
    pub partitions: u32,
    /// Kind.
    pub kind: InternalKind,
}

impl InternalTopic {
    /// Its configuration (spec/semantics.md §2.4).
    pub fn configs(&self) -> Vec<(String, String)> {
        let pairs: Vec<(&str, String)> = match self.kind {
            InternalKind::Repartition => vec![
                ("cleanup.policy", "delete".into()),
                ("retention.ms", "-1".into()),
                ("segment.bytes", "52428800".into()),
            ],
            InternalKind::Changelog => vec![("cleanup.policy", "compact".into())],
            InternalKind::WindowChangelog(retention) => vec![
                ("cleanup.policy", "compact,delete".into()),
                ("retention.ms", retention.saturating_add(DAY_MS).to_string()),
            ],
        };
        pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

/// `windowstore.changelog.additional.retention.ms`.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Tasks of each part.
    pub tasks: Vec<u32>,
    /// Partitions of every topic read, by full name.
    pub partitions: BTreeMap<String, u32>,
    /// Topics to be made.
    pub internal: Vec<InternalTopic>,
    /// The topic that decides in which slot the tasks of a part are: its left-most source. Parts
    /// that read a topic in common are in one slot, since its offset is committed once.
    pub slot_topics: Vec<String>,
}

impl Layout {
    /// The layout of a query whose source topics have so many partitions. `None` for a topic that
    /// does not exist: its name is the error.
    pub fn new(
        topology: &Topology,
        application_id: &str,
        sources: &BTreeMap<String, u32>,
    ) -> Result<Self, String> {
        let mut partitions = sources.clone();
        let mut tasks = Vec::with_capacity(topology.parts.len());
        let mut internal = Vec::new();
        let mut slot_topics = Vec::with_capacity(topology.parts.len());
        let mut slot_of_topic: BTreeMap<String, String> = BTreeMap::new();
        // Upstream parts come first, so what feeds a repartition topic is known before its reader.
        let mut fed: BTreeMap<String, u32> = BTreeMap::new();
        for part in &topology.parts {
            let mut user = 0;
            let mut upstream = 0;
            for input in part.inputs() {
                let name = topic_name(application_id, &input.topic);
                match &input.topic {
                    TopicName::User(_) => {
                        let count = *sources.get(&name).ok_or(name)?;
                        user = count.max(user);
                    }
                    TopicName::Internal(_) => {
                        upstream = fed.get(&name).copied().unwrap_or(1).max(upstream);
                    }
                }
            }
            // A repartition topic is co-partitioned with what it is joined to.
            let count = if user > 0 { user } else { upstream.max(1) };
            for input in part.inputs() {
                if let TopicName::Internal(_) = input.topic {
                    let name = topic_name(application_id, &input.topic);
                    if partitions.insert(name.clone(), count).is_none() {
                        let kind = InternalKind::Repartition;
                        internal.push(InternalTopic {
                            name,
                            partitions: count,
                            kind,
                        });
                    }
                }
            }
            for output in part.outputs() {
                if let TopicName::Internal(_) = output.topic {
                    let name = topic_name(application_id, &output.topic);
                    let known = fed.entry(name).or_insert(0);
                    *known = count.max(*known);
                }
            }
            for store in part.stores() {
                internal.push(InternalTopic {
                    name: changelog_topic(application_id, &store.name),
                    partitions: count,
                    kind: match store.retention_ms {
                        Some(retention) => InternalKind::WindowChangelog(retention),
                        None => InternalKind::Changelog,
                    },
                });
            }
            tasks.push(count);
            let read: Vec<String> = part
                .inputs()
                .iter()
                .map(|input| topic_name(application_id, &input.topic))
                .collect();
            let slot = read
                .iter()
                .find_map(|topic| slot_of_topic.get(topic).cloned())
                .or_else(|| read.first().cloned())
                .unwrap_or_default();
            for topic in read {
                // A topic that was read in another slot so far joins this one.
                if let Some(other) = slot_of_topic.insert(topic, slot.clone())
                    && other != slot
                {
                    for held in slot_of_topic.values_mut().chain(slot_topics.iter_mut()) {
                        if *held == other {
                            held.clone_from(&slot);
                        }
                    }
                }
            }
            slot_topics.push(slot);
        }
        Ok(Self {
            tasks,
            partitions,
            internal,
            slot_topics,
        })
    }

    /// Partitions of a topic that the query writes to; 0 if the layout does not know it.
    pub fn partitions_of(&self, topic: &str) -> u32 {
        self.partitions.get(topic).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use std::sync::Arc;

    use weir_engine::*;
    use weir_state::KvStore;

    use super::*;

    struct Part(Vec<InputSpec>, Vec<StoreSpec>, Vec<OutputSpec>);

    impl SubTopology for Part {
        fn inputs(&self) -> &[InputSpec] {
            &self.0
        }
        fn stores(&self) -> &[StoreSpec] {
            &self.1
        }
        fn outputs(&self) -> &[OutputSpec] {
            &self.2
        }
        fn new_task(
            &self,
            _: u32,
            _: Vec<Box<dyn KvStore>>,
            _: &TaskOptions,
        ) -> Result<Box<dyn Task>, EngineError> {
            Err(EngineError::Plan("not run".into()))
        }
    }

    fn topic(name: &str) -> TopicName {
        match name.strip_prefix('-') {
            Some(suffix) => TopicName::Internal(suffix.into()),
            None => TopicName::User(name.into()),
        }
    }

    fn part(
        inputs: &[&str],
        stores: &[(&str, Option<i64>)],
        outputs: &[&str],
    ) -> Arc<dyn SubTopology> {
        let input = |name: &&str| InputSpec {
            topic: topic(name),
            internal_frames: false,
            is_table: false,
        };
        let store = |(name, retention): &(&str, Option<i64>)| StoreSpec {
            name: (*name).into(),
            retention_ms: *retention,
            queryable: false,
        };
        let output = |name: &&str| OutputSpec {
            topic: topic(name),
            internal_frames: false,
        };
        Arc::new(Part(
            inputs.iter().map(input).collect(),
            stores.iter().map(store).collect(),
            outputs.iter().map(output).collect(),
        ))
    }

    fn layout(parts: Vec<Arc<dyn SubTopology>>, sources: &[(&str, u32)]) -> Result<Layout, String> {
        let topology = Topology {
            parts,
            materialized: None,
            description: String::new(),
        };
        let sources = sources
            .iter()
            .map(|(name, n)| ((*name).to_owned(), *n))
            .collect();
        Layout::new(&topology, "app", &sources)
    }

    #[test]
    fn a_repartition_topic_takes_over_the_partitions_of_its_source() {
        let parts = vec![
            part(&["a"], &[], &["-r"]),
            part(&["-r"], &[("s", Some(1000))], &["out"]),
        ];
        let layout = layout(parts, &[("a", 6)]).unwrap();
        assert_eq!(layout.tasks, [6, 6]);
        let topics: Vec<_> = layout
            .internal
            .iter()
            .map(|t| (t.name.as_str(), t.partitions))
            .collect();
        assert_eq!(topics, [("app-r", 6), ("app-s-changelog", 6)]);
        assert_eq!(layout.internal[1].kind, InternalKind::WindowChangelog(1000));
        let retention = layout.internal[1].configs()[1].1.clone();
        assert_eq!(retention, "86401000");
    }

    #[test]
    fn a_repartition_topic_is_co_partitioned_with_what_it_is_joined_to() {
        let parts = vec![
            part(&["a"], &[], &["-r"]),
            part(&["-r", "b"], &[], &["out"]),
        ];
        let layout = layout(parts, &[("a", 6), ("b", 3)]).unwrap();
        assert_eq!(layout.tasks, [6, 3]);
        assert_eq!(layout.partitions_of("app-r"), 3);
    }

    #[test]
    fn parts_that_read_a_topic_in_common_are_in_one_slot() {
        let parts = vec![
            part(&["a"], &[], &["-r"]),
            part(&["b"], &[], &["-s"]),
            part(&["-r", "b"], &[], &["-t"]),
            part(&["-t", "a"], &[], &["out"]),
            part(&["c"], &[], &["out"]),
        ];
        let layout = layout(parts, &[("a", 1), ("b", 1), ("c", 1)]).unwrap();
        // Parts 0 and 3 read `a`, parts 1 and 2 read `b`.
        assert_eq!(layout.slot_topics, ["a", "b", "b", "a", "c"]);
    }

    #[test]
    fn a_part_that_reads_topics_of_two_slots_makes_them_one() {
        let parts = vec![
            part(&["a"], &[], &["-r"]),
            part(&["b"], &[], &["-s"]),
            part(&["a", "b"], &[], &["out"]),
        ];
        let layout = layout(parts, &[("a", 1), ("b", 1)]).unwrap();
        assert_eq!(layout.slot_topics, ["a", "a", "a"]);
    }

    #[test]
    fn a_missing_source_is_named() {
        assert_eq!(layout(vec![part(&["a"], &[], &[])], &[]).unwrap_err(), "a");
    }
}
