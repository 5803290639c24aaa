//! Consumer groups and their offsets.

use super::text;
use crate::broker::Broker;
use crate::clock::now_ms;
use crate::coordinator::{CoordinatorError, OffsetQuery};
use crate::error_code::ResponseCode;
use crate::groups::{Group, GroupState, JoinRequest, Joined, MemberRef};
use crate::journal::{CommittedOffset, OffsetEntry};
use crate::protocol::Peer;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::*;
use uuid::Uuid;

/// Longest metadata with a committed offset (`offset.metadata.max.bytes`).
const MAX_METADATA: usize = 4096;
/// First JoinGroup version whose new members must join again with the id they are given.
const ID_REQUIRED_FROM: i16 = 4;

fn code_of<T>(result: &Result<T, CoordinatorError>) -> i16 {
    match result {
        Ok(_) => 0,
        Err(error) => ResponseCode::from(error).code(),
    }
}

impl Broker {
    pub(crate) async fn join_group(
        &self,
        request: JoinGroupRequest,
        version: i16,
        client_id: &str,
        peer: &Peer,
    ) -> JoinGroupResponse {
        let refused = |code: ResponseCode, member_id: &str| {
            JoinGroupResponse::default()
                .with_error_code(code.code())
                .with_member_id(text(member_id))
        };
        if request.group_id.is_empty() {
            return refused(ResponseCode::InvalidGroupId, &request.member_id);
        }
        let instance = request.group_instance_id.as_ref().map(ToString::to_string);
        let prefix = instance.as_deref().unwrap_or(client_id);
        let rebalance_timeout_ms = if version == 0 {
            request.session_timeout_ms
        } else {
            request.rebalance_timeout_ms
        };
        let join = JoinRequest {
            member_id: request.member_id.to_string(),
            fresh_id: format!("{prefix}-{}", Uuid::new_v4()),
            instance,
            client_id: client_id.to_owned(),
            client_host: peer.host.clone(),
            session_timeout_ms: request.session_timeout_ms,
            rebalance_timeout_ms,
            protocol_type: request.protocol_type.to_string(),
            protocols: request
                .protocols
                .into_iter()
                .map(|p| (p.name.to_string(), p.metadata))
                .collect(),
            id_required: version >= ID_REQUIRED_FROM,
        };
        match self.coordinator.join(&request.group_id, join).await {
            Ok(Ok(joined)) => join_response(joined, version),
            Ok(Err((error, member_id))) => refused(error.into(), &member_id),
            Err(_) => refused(ResponseCode::CoordinatorNotAvailable, &request.member_id),
        }
    }

    pub(crate) async fn sync_group(&self, request: SyncGroupRequest) -> SyncGroupResponse {
        let member = MemberRef {
            id: &request.member_id,
            instance: request.group_instance_id.as_deref(),
        };
        let assignments = request
            .assignments
            .into_iter()
            .map(|a| (a.member_id.to_string(), a.assignment))
            .collect();
        let synced = self
            .coordinator
            .sync(
                &request.group_id,
                member,
                request.generation_id,
                assignments,
            )
            .await;
        let code = |code: ResponseCode| SyncGroupResponse::default().with_error_code(code.code());
        match synced {
            Ok(Ok(assignment)) => SyncGroupResponse::default()
                .with_protocol_type(request.protocol_type)
                .with_protocol_name(request.protocol_name)
                .with_assignment(assignment),
            Ok(Err(error)) => code(error.into()),
            Err(_) => code(ResponseCode::CoordinatorNotAvailable),
        }
    }

    pub(crate) fn heartbeat(&self, request: HeartbeatRequest) -> HeartbeatResponse {
        let member = MemberRef {
            id: &request.member_id,
            instance: request.group_instance_id.as_deref(),
        };
        let alive = self
            .coordinator
            .heartbeat(&request.group_id, member, request.generation_id);
        HeartbeatResponse::default().with_error_code(code_of(&alive))
    }

    pub(crate) fn leave_group(
        &self,
        request: LeaveGroupRequest,
        version: i16,
    ) -> LeaveGroupResponse {
        if version < 3 {
            let member = MemberRef {
                id: &request.member_id,
                instance: None,
            };
            let left = self.coordinator.leave(&request.group_id, member);
            return LeaveGroupResponse::default().with_error_code(code_of(&left));
        }
        let members = request.members.into_iter().map(|leaving| {
            let member = MemberRef {
                id: &leaving.member_id,
                instance: leaving.group_instance_id.as_deref(),
            };
            let left = self.coordinator.leave(&request.group_id, member);
            MemberResponse::default()
                .with_error_code(code_of(&left))
                .with_group_instance_id(leaving.group_instance_id.clone())
                .with_member_id(leaving.member_id)
        });
        LeaveGroupResponse::default().with_members(members.collect())
    }

    pub(crate) fn describe_groups(&self, request: DescribeGroupsRequest) -> DescribeGroupsResponse {
        let groups = request.groups.into_iter().map(|id| {
            let described = DescribedGroup::default().with_group_id(id.clone());
            match self.coordinator.describe(&id) {
                Ok(group) => describe(&group, described),
                Err(_) => described.with_group_state(text("Dead")),
            }
        });
        DescribeGroupsResponse::default().with_groups(groups.collect())
    }

    pub(crate) fn list_groups(&self, request: ListGroupsRequest) -> ListGroupsResponse {
        let wanted = |state: &str| {
            let filter = &request.states_filter;
            filter.is_empty() || filter.iter().any(|f| f.eq_ignore_ascii_case(state))
        };
        let groups = self.coordinator.list().into_iter();
        let listed = groups.filter(|g| wanted(g.state)).map(|g| {
            ListedGroup::default()
                .with_group_id(GroupId(text(g.id)))
                .with_protocol_type(text(g.protocol_type))
                .with_group_state(text(g.state))
        });
        ListGroupsResponse::default().with_groups(listed.collect())
    }

    pub(crate) fn delete_groups(&self, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
        let results = request.groups_names.into_iter().map(|id| {
            let deleted = self.coordinator.delete_group(&id);
            DeletableGroupResult::default()
                .with_group_id(id)
                .with_error_code(code_of(&deleted))
        });
        DeleteGroupsResponse::default().with_results(results.collect())
    }

    pub(crate) fn offset_commit(&self, request: OffsetCommitRequest) -> OffsetCommitResponse {
        let member = MemberRef {
            id: &request.member_id,
            instance: request.group_instance_id.as_deref(),
        };
        let at = now_ms();
        let mut offsets = Vec::new();
        let mut refused = Vec::new();
        for topic in &request.topics {
            for p in &topic.partitions {
                let metadata = p.committed_metadata.as_ref().map(ToString::to_string);
                let too_long = metadata.as_ref().is_some_and(|m| m.len() > MAX_METADATA);
                let exists = self
                    .topics
                    .partition(&topic.name, p.partition_index)
                    .is_some();
                refused.push(if !exists {
                    ResponseCode::UnknownTopicOrPartition
                } else if too_long {
                    ResponseCode::OffsetMetadataTooLarge
                } else {
                    offsets.push(OffsetEntry {
                        topic: topic.name.to_string(),
                        partition: p.partition_index,
                        committed: CommittedOffset {
                            offset: p.committed_offset,
                            leader_epoch: p.committed_leader_epoch,
                            metadata,
                            at,
                        },
                    });
                    ResponseCode::None
                });
            }
        }
        let generation = request.generation_id_or_member_epoch;
        let committed = if request.group_id.is_empty() {
            ResponseCode::InvalidGroupId
        } else {
            let committed =
                self.coordinator
                    .commit_offsets(&request.group_id, member, generation, offsets);
            match &committed {
                Ok(()) => ResponseCode::None,
                Err(error) => error.into(),
            }
        };
        let mut codes = refused.into_iter();
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|p| {
                let own = codes.next().unwrap_or(ResponseCode::None);
                let code = if committed == ResponseCode::None {
                    own
                } else {
                    committed
                };
                OffsetCommitResponsePartition::default()
                    .with_partition_index(p.partition_index)
                    .with_error_code(code.code())
            });
            OffsetCommitResponseTopic::default()
                .with_partitions(partitions.collect())
                .with_name(topic.name)
        });
        OffsetCommitResponse::default().with_topics(topics.collect())
    }

    pub(crate) fn offset_fetch(
        &self,
        request: OffsetFetchRequest,
        version: i16,
    ) -> OffsetFetchResponse {
        let stable = request.require_stable;
        if version < 8 {
            let asked = request.topics.map(|topics| {
                let topics = topics.into_iter();
                topics
                    .map(|t| (t.name.to_string(), t.partition_indexes))
                    .collect()
            });
            let topics = self.group_offsets(&request.group_id, asked, stable);
            let topics = topics.into_iter().map(|(name, partitions)| {
                let partitions = partitions.into_iter().map(|found| {
                    let partition = OffsetFetchResponsePartition::default()
                        .with_partition_index(found.partition)
                        .with_committed_offset(found.offset)
                        .with_metadata(Some(text(found.metadata)))
                        .with_error_code(found.code.code());
                    if version >= 5 {
                        partition.with_committed_leader_epoch(found.leader_epoch)
                    } else {
                        partition
                    }
                });
                OffsetFetchResponseTopic::default()
                    .with_name(TopicName(text(name)))
                    .with_partitions(partitions.collect())
            });
            return OffsetFetchResponse::default().with_topics(topics.collect());
        }
        let groups = request.groups.into_iter().map(|group| {
            let asked = group.topics.map(|topics| {
                let topics = topics.into_iter();
                topics
                    .map(|t| (t.name.to_string(), t.partition_indexes))
                    .collect()
            });
            let topics = self.group_offsets(&group.group_id, asked, stable);
            let topics = topics.into_iter().map(|(name, partitions)| {
                let partitions = partitions.into_iter().map(|found| {
                    OffsetFetchResponsePartitions::default()
                        .with_partition_index(found.partition)
                        .with_committed_offset(found.offset)
                        .with_committed_leader_epoch(found.leader_epoch)
                        .with_metadata(Some(text(found.metadata)))
                        .with_error_code(found.code.code())
                });
                OffsetFetchResponseTopics::default()
                    .with_name(TopicName(text(name)))
                    .with_partitions(partitions.collect())
            });
            OffsetFetchResponseGroup::default()
                .with_topics(topics.collect())
                .with_group_id(group.group_id)
        });
        OffsetFetchResponse::default().with_groups(groups.collect())
    }

    /// Offsets of a group for the partitions asked for, or for all that it has committed.
    fn group_offsets(
        &self,
        group: &str,
        asked: Option<Vec<(String, Vec<i32>)>>,
        stable: bool,
    ) -> Vec<(String, Vec<FoundOffset>)> {
        let asked = asked.unwrap_or_else(|| self.coordinator.offset_partitions(group));
        let topics = asked.into_iter().map(|(topic, partitions)| {
            let offsets = partitions.into_iter().map(|partition| {
                let query = self.coordinator.offset(group, &topic, partition, stable);
                let none = FoundOffset {
                    partition,
                    offset: -1,
                    leader_epoch: -1,
                    metadata: String::new(),
                    code: ResponseCode::None,
                };
                match query {
                    OffsetQuery::None => none,
                    OffsetQuery::Unstable => FoundOffset {
                        code: ResponseCode::UnstableOffsetCommit,
                        ..none
                    },
                    OffsetQuery::Committed(found) => FoundOffset {
                        offset: found.offset,
                        leader_epoch: found.leader_epoch,
                        metadata: found.metadata.unwrap_or_default(),
                        ..none
                    },
                }
            });
            let offsets = offsets.collect();
            (topic, offsets)
        });
        topics.collect()
    }

    pub(crate) fn offset_delete(&self, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
        let partitions: Vec<(String, i32)> = request
            .topics
            .iter()
            .flat_map(|t| {
                let partitions = t.partitions.iter();
                partitions.map(|p| (t.name.to_string(), p.partition_index))
            })
            .collect();
        let deleted = self
            .coordinator
            .delete_offsets(&request.group_id, partitions);
        let code = match &deleted {
            Ok(()) => ResponseCode::None,
            Err(error) => error.into(),
        };
        if !matches!(
            code,
            ResponseCode::None | ResponseCode::GroupSubscribedToTopic
        ) {
            return OffsetDeleteResponse::default().with_error_code(code.code());
        }
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|p| {
                OffsetDeleteResponsePartition::default()
                    .with_partition_index(p.partition_index)
                    .with_error_code(code.code())
            });
            OffsetDeleteResponseTopic::default()
                .with_partitions(partitions.collect())
                .with_name(topic.name)
        });
        OffsetDeleteResponse::default().with_topics(topics.collect())
    }
}

struct FoundOffset {
    partition: i32,
    offset: i64,
    leader_epoch: i32,
    metadata: String,
    code: ResponseCode,
}

fn join_response(joined: Joined, version: i16) -> JoinGroupResponse {
    let members = joined.members.into_iter().map(|member| {
        JoinGroupResponseMember::default()
            .with_member_id(text(member.id))
            .with_group_instance_id(member.instance.map(text))
            .with_metadata(member.metadata)
    });
    let response = JoinGroupResponse::default()
        .with_generation_id(joined.generation)
        .with_protocol_name(Some(text(joined.protocol)))
        .with_leader(text(joined.leader))
        .with_member_id(text(joined.member_id))
        .with_members(members.collect());
    if version >= 7 {
        response.with_protocol_type(Some(text(joined.protocol_type)))
    } else {
        response
    }
}

fn describe(group: &Group, described: DescribedGroup) -> DescribedGroup {
    let stable = group.state() == GroupState::Stable;
    let members = group.members().iter().map(|(id, member)| {
        let described = DescribedGroupMember::default()
            .with_member_id(text(id.clone()))
            .with_group_instance_id(member.instance.clone().map(text))
            .with_client_id(text(member.client_id.clone()))
            .with_client_host(text(member.client_host.clone()));
        if stable {
            described
                .with_member_metadata(member.metadata(group.protocol()))
                .with_member_assignment(member.assignment.clone())
        } else {
            described
        }
    });
    described
        .with_group_state(text(group.state().name()))
        .with_protocol_type(text(group.protocol_type()))
        .with_protocol_data(text(group.protocol()))
        .with_members(members.collect())
}
