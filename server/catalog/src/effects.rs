//! Carrying out what a command changed: the metastore first, then queries and topics.

use std::sync::Arc;

use serde_json::{Value, json};
use weir_kafka::{NewTopic, OffsetAt, TopicPartition};
use weir_planner::ddl::TopicSpec;
use weir_protocol::QueryError;

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
                Some(query) => self.fleet.start_query(query),
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
            Effect::PutType(..) | Effect::RemoveType(_) => Ok(()),
        }
    }

    /// Makes a topic; one that is there already will do.
    pub(crate) fn create_topic(&self, spec: &TopicSpec) -> Result<(), String> {
        let made = self.admin.create_topic(NewTopic {
            name: spec.name.clone(),
            partitions: spec.partitions,
            replicas: spec.replicas,
            configs: spec.configs.clone(),
        });
        match made {
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

    fn offset_summary(&self, id: &str, topic: &str) -> Option<Value> {
        let group = self.fleet.running_group(id)?;
        let committed = self.admin.group_offsets(&group).ok()?;
        let described = self.admin.describe_topic(topic).ok()??;
        let partitions: Vec<TopicPartition> = described
            .partitions
            .iter()
            .map(|p| TopicPartition::new(topic, p.id))
            .collect();
        let starts = self.admin.offsets(&partitions, OffsetAt::Beginning).ok()?;
        let ends = self.admin.offsets(&partitions, OffsetAt::End).ok()?;
        let offsets: Vec<Value> = partitions
            .iter()
            .zip(starts.iter().zip(&ends))
            .map(|(partition, (start, end))| {
                let consumer = committed
                    .iter()
                    .find(|c| c.topic == partition.topic && c.partition == partition.partition)
                    .map_or(0, |c| c.offset);
                json!({
                    "partition": partition.partition,
                    "logStartOffset": start,
                    "logEndOffset": end,
                    "consumerOffset": consumer,
                })
            })
            .collect();
        Some(json!({
            "groupId": group,
            "topicSummaries": [{ "kafkaTopic": topic, "offsets": offsets }],
        }))
    }
}
