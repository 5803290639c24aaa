//! `POST /ksql/terminate` (spec/api.md §3.4).

use weir_protocol::{ApiError, CommandStatus, CommandStatusEntity, Entity};
use weir_types::ErrorCode;

use crate::metastore::Metastore;
use crate::weir::Weir;

/// Ends all queries, deletes the wanted sink topics and what is internal.
pub(crate) fn terminate_cluster(weir: &Weir, delete: &[String]) -> Result<Vec<Entity>, ApiError> {
    let mut patterns = Vec::new();
    for pattern in delete {
        let compiled = regex::Regex::new(&format!("^(?:{pattern})$")).map_err(|_| {
            ApiError::generic(ErrorCode::BadRequest, format!("Invalid pattern: {pattern}"))
        })?;
        patterns.push(compiled);
    }
    let store = weir.metastore();
    let sinks: Vec<String> = store
        .sources()
        .filter(|s| s.created_as && patterns.iter().any(|p| p.is_match(&s.topic)))
        .map(|s| s.topic.clone())
        .collect();
    weir.push.close_all();
    for query in store.queries() {
        weir.fleet.drop_query(&query.id);
    }
    let commands = weir.commands.lock();
    for topic in sinks
        .iter()
        .map(String::as_str)
        .chain([commands.log.topic()])
    {
        if let Err(error) = weir.admin.delete_topic(topic) {
            tracing::warn!(topic, %error, "topic not deleted");
        }
    }
    *weir.store.write() = std::sync::Arc::new(Metastore::default());
    let status = CommandStatus {
        status: "QUEUED".to_owned(),
        message: "Statement written to command topic".to_owned(),
        query_id: None,
    };
    Ok(vec![Entity::command(
        "TERMINATE CLUSTER;",
        &CommandStatusEntity {
            command_id: "cluster/TerminateCluster/terminate".to_owned(),
            command_status: status,
            command_sequence_number: weir.last_command() + 1,
        },
    )])
}
