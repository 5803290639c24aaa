//! Consumer groups: list, describe, delete.

use rdkafka::bindings::*;

use crate::admin::Admin;
use crate::error::{ErrorKind, KafkaError, Result, kind_of};
use crate::offsets::{TopicPartition, take_group_error};
use crate::raw::{array, cstring, entries, text};

/// A member of a consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMemberInfo {
    /// Its client id.
    pub client_id: String,
    /// Its member id.
    pub member_id: String,
    /// Where it connects from.
    pub host: String,
    /// What it reads.
    pub assignment: Vec<TopicPartition>,
}

/// A consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its id.
    pub id: String,
    /// Its state, as Kafka names it (`Stable`, `Empty`).
    pub state: String,
    /// Its members.
    pub members: Vec<GroupMemberInfo>,
}

impl Admin {
    /// Ids of all groups, sorted.
    pub fn groups(&self) -> Result<Vec<String>> {
        // SAFETY: results are read while the event lives
        unsafe {
            let event = self.ask(
                rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS,
                |rk, options, queue| rd_kafka_ListConsumerGroups(rk, options, queue),
                || "list consumer groups".to_owned(),
            )?;
            let result = rd_kafka_event_ListConsumerGroups_result(event.0);
            let mut count = 0;
            let groups = rd_kafka_ListConsumerGroups_result_valid(result, &mut count);
            let mut ids: Vec<_> = array(groups, count)
                .iter()
                .map(|group| text(rd_kafka_ConsumerGroupListing_group_id(*group)))
                .collect();
            ids.sort();
            Ok(ids)
        }
    }

    /// One group. A group that nobody knows has the state `Dead`.
    pub fn describe_group(&self, id: &str) -> Result<GroupDescription> {
        let operation = || format!("describe group {id}");
        let name = cstring(id)?;
        self.check_alive(operation)?;
        // SAFETY: results are read while the event lives
        unsafe {
            let mut names = [name.as_ptr()];
            let event = self.ask(
                rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS,
                |rk, options, queue| {
                    rd_kafka_DescribeConsumerGroups(rk, names.as_mut_ptr(), 1, options, queue);
                },
                operation,
            )?;
            let result = rd_kafka_event_DescribeConsumerGroups_result(event.0);
            let mut count = 0;
            let groups = rd_kafka_DescribeConsumerGroups_result_groups(result, &mut count);
            let Some(&group) = array(groups, count).first() else {
                return Err(KafkaError::new(
                    ErrorKind::NotFound,
                    operation(),
                    "no such group",
                ));
            };
            let error = rd_kafka_ConsumerGroupDescription_error(group);
            if !error.is_null() {
                let code = rd_kafka_error_code(error);
                let message = text(rd_kafka_error_string(error));
                return Err(KafkaError::new(kind_of(code), operation(), message));
            }
            let state = rd_kafka_ConsumerGroupDescription_state(group);
            let members = (0..rd_kafka_ConsumerGroupDescription_member_count(group))
                .map(|i| {
                    let member = rd_kafka_ConsumerGroupDescription_member(group, i);
                    let assignment = rd_kafka_MemberDescription_assignment(member);
                    let assignment = if assignment.is_null() {
                        &[]
                    } else {
                        entries(rd_kafka_MemberAssignment_partitions(assignment))
                    };
                    GroupMemberInfo {
                        client_id: text(rd_kafka_MemberDescription_client_id(member)),
                        member_id: text(rd_kafka_MemberDescription_consumer_id(member)),
                        host: text(rd_kafka_MemberDescription_host(member)),
                        assignment: assignment
                            .iter()
                            .map(|p| TopicPartition::new(text(p.topic), p.partition))
                            .collect(),
                    }
                })
                .collect();
            let state = text(rd_kafka_consumer_group_state_name(state));
            Ok(GroupDescription {
                id: id.to_owned(),
                state,
                members,
            })
        }
    }

    /// Deletes a group and its offsets. A group that does not exist is
    /// [`ErrorKind::NotFound`].
    pub fn delete_group(&self, id: &str) -> Result<()> {
        let operation = || format!("delete group {id}");
        let name = cstring(id)?;
        self.check_alive(operation)?;
        // SAFETY: the request is copied by the call; results are read while the event lives
        unsafe {
            let mut request = rd_kafka_DeleteGroup_new(name.as_ptr());
            let event = self.ask(
                rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETEGROUPS,
                |rk, options, queue| {
                    rd_kafka_DeleteGroups(rk, &mut request, 1, options, queue);
                    rd_kafka_DeleteGroup_destroy(request);
                },
                operation,
            )?;
            let result = rd_kafka_event_DeleteGroups_result(event.0);
            let mut count = 0;
            for group in array(
                rd_kafka_DeleteGroups_result_groups(result, &mut count),
                count,
            ) {
                take_group_error(*group, operation)?;
            }
            Ok(())
        }
    }
}
