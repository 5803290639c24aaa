//! Carrying out what a command changed: the metastore first, then queries and topics.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use weir_kafka::{NewTopic, OffsetAt, TopicPartition};
use weir_planner::ddl::TopicSpec;
use weir_protocol::QueryError;
use weir_runtime::TopicTraffic;

use crate::metastore::Metastore;
use crate::planning::{self, Effect};
use crate::runtime_view::{PushQueryInfo, RuntimeView};
use crate::weir::Weir;

impl Weir {
    /// Applies a change; with `run` also to the queries that run. The error is why a query does
    /// not start.
    pub(crate) fn change(&self, effect: &Effect, run: bool) -> Result<(), String> {
        {
            let mut store = self.store.write();
            let mut changed = Metastore::clone(&store);
            planning::apply(&mut changed, effect);
            *store = Arc::new(changed);
        }
        if !run {
            return Ok(());
        }
        match effect {
            Effect::PutSource { .. } | Effect::StartQuery { .. } => match effect.started() {
                Some(query) => {
                    self.fleet.start_query(query)?;
                    self.fleet.settle(query);
                    Ok(())
                }
                None => Ok(()),
            },
            Effect::DropSource { query, topic, .. } => {
                if let Some(query) = query {
                    self.fleet.drop_query(query);
                }
                self.fleet.forget_topic(topic);
                Ok(())
            }
            Effect::Terminate(ids) => {
                ids.iter().for_each(|id| self.fleet.drop_query(id));
                Ok(())
            }
            Effect::Pause(ids) => {
                ids.iter().for_each(|id| self.fleet.pause(id));
                Ok(())
            }
            Effect::Resume(ids) => {
                ids.iter().for_each(|id| self.fleet.resume(id));
                Ok(())
            }
            Effect::PutType(..) | Effect::RemoveType(_) | Effect::SetSystem(..) => Ok(()),
        }
    }

    /// Makes a topic; one that is there already will do. Brokers may hear of it a little later:
    /// the command can be written meanwhile.
    pub(crate) fn create_topic(&self, spec: &TopicSpec) -> Result<(), String> {
        let made = self.admin.create_topics(&[NewTopic {
            name: spec.name.clone(),
            partitions: spec.partitions,
            replicas: spec.replicas,
            configs: spec.configs.clone(),
        }]);
        match made.and_then(|results| results.into_iter().collect()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind == weir_kafka::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(format!("Failed to create topic {}: {error}", spec.name)),
        }
    }

    /// Whether a topic is hidden from SHOW TOPICS: internal ones, and `ksql.hidden.topics`.
    fn is_hidden(&self, name: &str) -> bool {
        let patterns = self.config.value("ksql.hidden.topics").unwrap_or_default();
        patterns
            .split(',')
            .map(str::trim)
            .filter(|p| !p.is_empty())
            .any(|pattern| {
                regex::Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|p| p.is_match(name))
            })
    }
}

impl RuntimeView for Weir {
    fn query_state(&self, id: &str) -> String {
        self.fleet.state(id)
    }

    fn query_errors(&self, id: &str) -> Vec<QueryError> {
        self.fleet.errors(id)
    }

    fn topology(&self, id: &str) -> Option<String> {
        self.fleet.topology(id)
    }

    fn group_id(&self, id: &str) -> String {
        self.fleet.group_id(id)
    }

    fn push_queries(&self) -> Vec<PushQueryInfo> {
        self.push.list()
    }

    fn host(&self) -> String {
        Weir::host(self).to_owned()
    }

    fn topic(&self, name: &str) -> Result<Option<(i32, i32)>, String> {
        let found = self.admin.describe_topic(name).map_err(|e| e.to_string())?;
        Ok(found.map(|topic| {
            let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
            (
                count(topic.partitions.len()),
                count(topic.replication_factor()),
            )
        }))
    }

    fn topics(&self, all: bool) -> Result<Vec<(String, Vec<i32>)>, String> {
        let mut topics: Vec<(String, Vec<i32>)> = self
            .admin
            .topics()
            .map_err(|e| e.to_string())?
            .into_iter()
            .filter(|t| all || !self.is_hidden(&t.name))
            .map(|t| {
                let replicas = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
                let info = t
                    .partitions
                    .iter()
                    .map(|p| replicas(p.replicas.len()))
                    .collect();
                (t.name, info)
            })
            .collect();
        topics.sort();
        Ok(topics)
    }

    fn consumers(&self, topic: &str) -> (i32, i32) {
        let store = self.metastore();
        let reading = store.queries().filter(|q| {
            q.plan
                .sources
                .iter()
                .any(|s| store.source(s).is_some_and(|s| s.topic == topic))
        });
        let count = i32::try_from(reading.count()).unwrap_or(i32::MAX);
        (count, count)
    }

    fn tasks(&self, id: &str, topics: &[&str]) -> Vec<Value> {
        let Some(group) = self.fleet.running_group(id) else {
            return Vec::new();
        };
        let places: Vec<TopicPartition> = topics
            .iter()
            .flat_map(|topic| {
                let count = self.topic(topic).ok().flatten().map_or(0, |(n, _)| n);
                (0..count).map(|partition| TopicPartition::new(*topic, partition))
            })
            .collect();
        let committed = self.admin.committed(&group, &places).unwrap_or_default();
        let mut tasks: BTreeMap<i32, Vec<Value>> = BTreeMap::new();
        for place in places {
            let (topic, partition) = (place.topic.clone(), place.partition);
            let known = committed
                .iter()
                .find(|c| c.topic == topic && c.partition == partition);
            // The end is told once something was read.
            let end = known.and_then(|_| {
                let ends = self.admin.offsets(&[place], OffsetAt::End).ok()?;
                ends.first().copied()
            });
            tasks.entry(partition).or_default().push(json!({
                "topicPartitionEntity": { "topic": topic, "partition": partition },
                "endOffset": end.unwrap_or(-1),
                "committedOffset": known.map_or(-1, |c| c.offset),
            }));
        }
        let task = |(partition, offsets): (i32, Vec<Value>)| {
            json!({
                "taskId": format!("0_{partition}"),
                "topicOffsets": offsets,
                "timeCurrentIdlingStarted": null,
            })
        };
        tasks.into_iter().map(task).collect()
    }

    fn traffic(&self, topic: &str) -> TopicTraffic {
        self.fleet.runtime().traffic(topic)
    }

    fn offset_summary(&self, id: &str) -> Option<Value> {
        let group = self.fleet.running_group(id)?;
        let mut committed: BTreeMap<String, Vec<(TopicPartition, i64)>> = BTreeMap::new();
        let reads = self.fleet.runtime().reads(id);
        let entries = self.admin.committed(&group, &reads).ok()?;
        // What a query has not read yet is no progress to show.
        for entry in entries.into_iter().filter(|entry| entry.offset > 0) {
            let partition = TopicPartition::new(&entry.topic, entry.partition);
            committed
                .entry(entry.topic)
                .or_default()
                .push((partition, entry.offset));
        }
        let mut topics = Vec::with_capacity(committed.len());
        for (topic, mut entries) in committed {
            entries.sort_by_key(|(partition, _)| partition.partition);
            let partitions: Vec<TopicPartition> = entries.iter().map(|(p, _)| p.clone()).collect();
            let starts = self.admin.offsets(&partitions, OffsetAt::Beginning).ok()?;
            let ends = self.admin.offsets(&partitions, OffsetAt::End).ok()?;
            let offsets: Vec<Value> = entries
                .iter()
                .zip(starts.iter().zip(&ends))
                .map(|((partition, consumer), (start, end))| {
                    json!({
                        "partition": partition.partition,
                        "logStartOffset": start,
                        "logEndOffset": end,
                        "consumerOffset": consumer,
                    })
                })
                .collect();
            topics.push(json!({ "kafkaTopic": topic, "offsets": offsets }));
        }
        Some(json!({ "groupId": group, "topicSummaries": topics }))
    }
}
