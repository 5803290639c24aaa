//! The cluster's topics as the planner sees them.

use std::sync::Arc;

use weir_kafka::Admin;
use weir_planner::catalog::TopicInfo;

use crate::metastore::Topics;

/// Asks the cluster each time: topics change behind our back.
pub struct ClusterTopics {
    admin: Arc<Admin>,
}

impl ClusterTopics {
    /// Topics of the cluster that `admin` knows.
    pub fn new(admin: Arc<Admin>) -> Self {
        Self { admin }
    }
}

impl Topics for ClusterTopics {
    fn describe(&self, name: &str) -> Result<Option<TopicInfo>, String> {
        let Some(topic) = self.admin.describe_topic(name).map_err(|e| e.to_string())? else {
            return Ok(None);
        };
        let retention_ms = self
            .admin
            .topic_config(name)
            .ok()
            .and_then(|config| config.get("retention.ms").and_then(|v| v.parse().ok()));
        Ok(Some(TopicInfo {
            partitions: u32::try_from(topic.partitions.len()).unwrap_or(0),
            replicas: u16::try_from(topic.replication_factor()).unwrap_or(0),
            retention_ms,
        }))
    }
}
