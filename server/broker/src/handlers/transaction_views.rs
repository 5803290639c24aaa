//! What `kafka-transactions` looks at: transactional ids and the producers of partitions. Nothing is changed here.

use super::text;
use crate::broker::Broker;
use crate::clock::now_ms;
use crate::error_code::ResponseCode;
use crate::transactions::{Phase, Transaction};
use kafka_protocol::messages::describe_producers_response::{
    PartitionResponse, ProducerState, TopicResponse,
};
use kafka_protocol::messages::describe_transactions_response::{
    TopicData, TransactionState as DescribedTransaction,
};
use kafka_protocol::messages::list_transactions_response::TransactionState as ListedTransaction;
use kafka_protocol::messages::*;
use std::collections::BTreeMap;

/// States of a transactional id as Kafka names them; those that never occur here can be asked for as well.
const STATES: [&str; 8] = [
    "Empty",
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
    "PrepareEpochFence",
    "Dead",
];

fn state_of(phase: Phase) -> &'static str {
    match phase {
        Phase::Empty => "Empty",
        Phase::Ongoing => "Ongoing",
        Phase::Prepared { commit: true } => "PrepareCommit",
        Phase::Prepared { commit: false } => "PrepareAbort",
        Phase::Complete { committed: true } => "CompleteCommit",
        Phase::Complete { committed: false } => "CompleteAbort",
    }
}

/// When the transaction under way began, ms since the epoch.
fn begun(t: &Transaction) -> Option<i64> {
    matches!(t.phase, Phase::Ongoing | Phase::Prepared { .. }).then_some(t.since)
}

impl Broker {
    /// Filters are joined by "and"; an empty one lets all pass. Names of states that do not exist are named in the answer.
    pub(crate) fn list_transactions(
        &self,
        request: ListTransactionsRequest,
    ) -> ListTransactionsResponse {
        let now = now_ms();
        let (states, unknown): (Vec<_>, Vec<_>) = request
            .state_filters
            .into_iter()
            .partition(|name| STATES.contains(&&**name));
        let any_state = states.is_empty() && unknown.is_empty();
        let ids = request.producer_id_filters;
        let listed = self.coordinator.transactions(|(id, t)| {
            let state = state_of(t.phase);
            let running = begun(t).map_or(-1, |since| now.saturating_sub(since));
            let wanted = (any_state || states.iter().any(|name| &**name == state))
                && (ids.is_empty() || ids.iter().any(|id| id.0 == t.producer_id))
                && (request.duration_filter < 0 || running > request.duration_filter);
            wanted.then(|| {
                ListedTransaction::default()
                    .with_transactional_id(TransactionalId(text(id.clone())))
                    .with_producer_id(ProducerId(t.producer_id))
                    .with_transaction_state(text(state))
            })
        });
        ListTransactionsResponse::default()
            .with_unknown_state_filters(unknown)
            .with_transaction_states(listed)
    }

    pub(crate) fn describe_transactions(
        &self,
        request: DescribeTransactionsRequest,
    ) -> DescribeTransactionsResponse {
        let described = request.transactional_ids.into_iter().map(|id| {
            let found = self.coordinator.transaction(&id);
            let described = DescribedTransaction::default().with_transactional_id(id);
            let Some(t) = found else {
                return described
                    .with_error_code(ResponseCode::TransactionalIdNotFound.code())
                    .with_transaction_start_time_ms(-1);
            };
            let mut topics: BTreeMap<&String, Vec<i32>> = BTreeMap::new();
            for (topic, partition) in &t.partitions {
                topics.entry(topic).or_default().push(*partition);
            }
            let topics = topics.into_iter().map(|(topic, partitions)| {
                TopicData::default()
                    .with_topic(TopicName(text(topic.clone())))
                    .with_partitions(partitions)
            });
            described
                .with_transaction_state(text(state_of(t.phase)))
                .with_transaction_timeout_ms(t.timeout_ms)
                .with_transaction_start_time_ms(begun(&t).unwrap_or(-1))
                .with_producer_id(ProducerId(t.producer_id))
                .with_producer_epoch(t.epoch)
                .with_topics(topics.collect())
        });
        DescribeTransactionsResponse::default().with_transaction_states(described.collect())
    }

    pub(crate) fn describe_producers(
        &self,
        request: DescribeProducersRequest,
    ) -> DescribeProducersResponse {
        let topics = request.topics.into_iter().map(|asked| {
            let topic = self.topics.get(&asked.name);
            let partitions = asked.partition_indexes.iter().map(|index| {
                let response = PartitionResponse::default().with_partition_index(*index);
                match topic.as_ref().and_then(|t| t.partition(*index)) {
                    None => response
                        .with_error_code(ResponseCode::UnknownTopicOrPartition.code())
                        .with_error_message(Some(text("The partition does not exist."))),
                    Some(partition) => {
                        let producers = partition.producers().into_iter().map(|producer| {
                            ProducerState::default()
                                .with_producer_id(ProducerId(producer.id))
                                .with_producer_epoch(i32::from(producer.epoch))
                                .with_last_sequence(producer.last_sequence)
                                .with_last_timestamp(producer.last_time)
                                .with_coordinator_epoch(0)
                                .with_current_txn_start_offset(producer.open_since.unwrap_or(-1))
                        });
                        response.with_active_producers(producers.collect())
                    }
                }
            });
            TopicResponse::default()
                .with_partitions(partitions.collect())
                .with_name(asked.name)
        });
        DescribeProducersResponse::default().with_topics(topics.collect())
    }
}
