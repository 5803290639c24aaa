//! Producer ids and transactions.

use crate::broker::Broker;
use crate::clock::now_ms;
use crate::coordinator::CoordinatorError;
use crate::error_code::ResponseCode;
use crate::groups::MemberRef;
use crate::journal::{CommittedOffset, OffsetEntry};
use crate::transactions::Caller;
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::*;

/// The code for a result. Clients that speak a version below `fenced_from` know a fenced producer only as one with an
/// invalid epoch.
fn code_of<T>(result: &Result<T, CoordinatorError>, version: i16, fenced_from: i16) -> i16 {
    let code = match result {
        Ok(_) => ResponseCode::None,
        Err(error) => error.into(),
    };
    if code == ResponseCode::ProducerFenced && version < fenced_from {
        ResponseCode::InvalidProducerEpoch.code()
    } else {
        code.code()
    }
}

impl Broker {
    pub(crate) fn init_producer_id(
        &self,
        request: InitProducerIdRequest,
        version: i16,
    ) -> InitProducerIdResponse {
        let claimed = (request.producer_id.0 >= 0).then_some(Caller {
            producer_id: request.producer_id.0,
            epoch: request.producer_epoch,
        });
        let given = match &request.transactional_id {
            None => self.coordinator.init_idempotent(),
            Some(id) => {
                self.coordinator
                    .init_transactional(id, request.transaction_timeout_ms, claimed)
            }
        };
        let response =
            InitProducerIdResponse::default().with_error_code(code_of(&given, version, 4));
        match given {
            Ok(caller) => response
                .with_producer_id(ProducerId(caller.producer_id))
                .with_producer_epoch(caller.epoch),
            Err(_) => response
                .with_producer_id(ProducerId(-1))
                .with_producer_epoch(-1),
        }
    }

    /// All partitions or none: when one does not exist, nothing is added.
    pub(crate) fn add_partitions(
        &self,
        request: AddPartitionsToTxnRequest,
        version: i16,
    ) -> AddPartitionsToTxnResponse {
        let caller = Caller {
            producer_id: request.v3_and_below_producer_id.0,
            epoch: request.v3_and_below_producer_epoch,
        };
        let topics = request.v3_and_below_topics;
        let partitions: Vec<(String, i32)> = topics
            .iter()
            .flat_map(|t| t.partitions.iter().map(|p| (t.name.to_string(), *p)))
            .collect();
        let exist = partitions
            .iter()
            .all(|(topic, index)| self.topics.partition(topic, *index).is_some());
        let added = if exist {
            let id = &request.v3_and_below_transactional_id;
            self.coordinator.enlist(id, caller, partitions)
        } else {
            Err(CoordinatorError::UnknownTopic)
        };
        let code = code_of(&added, version, 2);
        let results = topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|index| {
                AddPartitionsToTxnPartitionResult::default()
                    .with_partition_index(*index)
                    .with_partition_error_code(code)
            });
            AddPartitionsToTxnTopicResult::default()
                .with_results_by_partition(partitions.collect())
                .with_name(topic.name)
        });
        AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(results.collect())
    }

    pub(crate) fn add_offsets(
        &self,
        request: AddOffsetsToTxnRequest,
        version: i16,
    ) -> AddOffsetsToTxnResponse {
        let caller = Caller {
            producer_id: request.producer_id.0,
            epoch: request.producer_epoch,
        };
        let added =
            self.coordinator
                .add_group(&request.transactional_id, caller, &request.group_id);
        AddOffsetsToTxnResponse::default().with_error_code(code_of(&added, version, 2))
    }

    pub(crate) fn end_transaction(&self, request: EndTxnRequest, version: i16) -> EndTxnResponse {
        let caller = Caller {
            producer_id: request.producer_id.0,
            epoch: request.producer_epoch,
        };
        let ended =
            self.coordinator
                .end_transaction(&request.transactional_id, caller, request.committed);
        EndTxnResponse::default().with_error_code(code_of(&ended, version, 2))
    }

    pub(crate) fn txn_offset_commit(
        &self,
        request: TxnOffsetCommitRequest,
    ) -> TxnOffsetCommitResponse {
        let caller = Caller {
            producer_id: request.producer_id.0,
            epoch: request.producer_epoch,
        };
        let member = MemberRef {
            id: &request.member_id,
            instance: request.group_instance_id.as_deref(),
        };
        let at = now_ms();
        let offsets = request
            .topics
            .iter()
            .flat_map(|topic| {
                topic.partitions.iter().map(|p| OffsetEntry {
                    topic: topic.name.to_string(),
                    partition: p.partition_index,
                    committed: CommittedOffset {
                        offset: p.committed_offset,
                        leader_epoch: p.committed_leader_epoch,
                        metadata: p.committed_metadata.as_ref().map(ToString::to_string),
                        at,
                    },
                })
            })
            .collect();
        let added = self.coordinator.add_offsets(
            &request.transactional_id,
            caller,
            &request.group_id,
            member,
            request.generation_id,
            offsets,
        );
        // No version of this request knows a fenced producer by that name.
        let code = code_of(&added, 0, i16::MAX);
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|p| {
                TxnOffsetCommitResponsePartition::default()
                    .with_partition_index(p.partition_index)
                    .with_error_code(code)
            });
            TxnOffsetCommitResponseTopic::default()
                .with_partitions(partitions.collect())
                .with_name(topic.name)
        });
        TxnOffsetCommitResponse::default().with_topics(topics.collect())
    }
}
