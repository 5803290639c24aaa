//! Groups, their offsets and transactions at every advertised version.

use super::versions::{all, prepared};
use super::*;
use crate::clock::now_ms;
use crate::records::testing::TestBatch;

#[tokio::test]
async fn groups() {
    use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
    use kafka_protocol::messages::leave_group_request::MemberIdentity;
    use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
    let broker = broker(None);
    // Without the tasks of a running broker nobody watches the deadlines.
    let joining = async |version: i16| {
        let mut request = JoinGroupRequest::default()
            .with_group_id(GroupId(s(&format!("g{version}"))))
            .with_session_timeout_ms(6000)
            .with_protocol_type(s("consumer"))
            .with_protocols(vec![
                JoinGroupRequestProtocol::default()
                    .with_name(s("range"))
                    .with_metadata(Bytes::from_static(b"m")),
            ]);
        if version >= 1 {
            request.rebalance_timeout_ms = 6000;
        }
        if version >= 4 {
            let first = ask(&broker, &request, version).await;
            assert_eq!(first.error_code, 79);
            request.member_id = first.member_id;
        }
        tokio::select! {
            joined = ask(&broker, &request, version) => joined,
            () = async {
                loop {
                    broker.coordinator.wait_for_deadline().await;
                    broker.coordinator.expire();
                }
            } => unreachable!("the loop has no end"),
        }
    };
    let mut members = Vec::new();
    for version in 0..=8 {
        let joined = joining(version).await;
        assert_eq!(
            (joined.error_code, joined.generation_id),
            (0, 1),
            "v{version}"
        );
        assert_eq!(joined.leader, joined.member_id);
        assert_eq!(joined.members.len(), 1);
        assert_eq!(joined.protocol_type.is_some(), version >= 7);
        members.push(joined.member_id);
    }
    let group = |v: i16| GroupId(s(&format!("g{v}")));
    let id = |v: i16| members[v as usize].clone();
    all(
        &broker,
        |v| {
            let request = SyncGroupRequest::default()
                .with_group_id(group(v))
                .with_generation_id(1)
                .with_member_id(id(v))
                .with_assignments(vec![
                    SyncGroupRequestAssignment::default()
                        .with_member_id(id(v))
                        .with_assignment(Bytes::from_static(b"mine")),
                ]);
            if v >= 5 {
                request
                    .with_protocol_type(Some(s("consumer")))
                    .with_protocol_name(Some(s("range")))
            } else {
                request
            }
        },
        |v, r| assert_eq!((r.error_code, &r.assignment[..]), (0, &b"mine"[..]), "v{v}"),
    )
    .await;
    all(
        &broker,
        |v| {
            HeartbeatRequest::default()
                .with_group_id(group(v))
                .with_generation_id(1)
                .with_member_id(id(v))
        },
        |_, r| assert_eq!(r.error_code, 0),
    )
    .await;
    all(
        &broker,
        |v| DescribeGroupsRequest::default().with_groups(vec![group(v), GroupId(s("nope"))]),
        |v, r| {
            let states: Vec<&str> = r.groups.iter().map(|g| &*g.group_state).collect();
            assert_eq!(states, ["Stable", "Dead"], "v{v}");
            assert_eq!(r.groups[0].members.len(), 1);
        },
    )
    .await;
    all(
        &broker,
        |v| {
            let states = if v >= 4 { vec![s("stable")] } else { vec![] };
            ListGroupsRequest::default().with_states_filter(states)
        },
        |v, r| assert_eq!(r.groups.len(), if v >= 4 { 6 } else { 9 }, "v{v}"),
    )
    .await;
    all(
        &broker,
        |v| {
            let request = LeaveGroupRequest::default().with_group_id(group(v));
            if v < 3 {
                request.with_member_id(id(v))
            } else {
                let member = |id| MemberIdentity::default().with_member_id(id);
                request.with_members(vec![member(id(v)), member(s("nobody"))])
            }
        },
        |v, r| {
            assert_eq!(r.error_code, 0, "v{v}");
            if v >= 3 {
                let codes: Vec<i16> = r.members.iter().map(|m| m.error_code).collect();
                assert_eq!(codes, [0, 25]);
            }
        },
    )
    .await;
}

#[tokio::test]
async fn group_offsets() {
    use kafka_protocol::messages::offset_commit_request::{
        OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    };
    use kafka_protocol::messages::offset_delete_request::{
        OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
    };
    use kafka_protocol::messages::offset_fetch_request::{
        OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    };
    let broker = prepared().await;
    let group = || GroupId(s("g"));
    all(
        &broker,
        |v| {
            let partition = |index, metadata: &str| {
                OffsetCommitRequestPartition::default()
                    .with_partition_index(index)
                    .with_committed_offset(i64::from(v))
                    .with_committed_metadata(Some(s(metadata)))
            };
            OffsetCommitRequest::default()
                .with_group_id(group())
                .with_generation_id_or_member_epoch(-1)
                .with_topics(vec![
                    OffsetCommitRequestTopic::default()
                        .with_name(topic("t"))
                        .with_partitions(vec![
                            partition(0, "note"),
                            partition(1, &"x".repeat(5000)),
                            partition(9, ""),
                        ]),
                ])
        },
        |v, r| {
            let codes: Vec<i16> = r.topics[0]
                .partitions
                .iter()
                .map(|p| p.error_code)
                .collect();
            assert_eq!(codes, [0, 12, 3], "v{v}");
        },
    )
    .await;
    for everything in [false, true] {
        all(
            &broker,
            |v| {
                let request = OffsetFetchRequest::default();
                if v < 8 {
                    let asked = OffsetFetchRequestTopic::default()
                        .with_name(topic("t"))
                        .with_partition_indexes(vec![0, 1]);
                    let all = everything && v >= 2;
                    return request
                        .with_group_id(group())
                        .with_topics((!all).then(|| vec![asked]));
                }
                let asked = OffsetFetchRequestTopics::default()
                    .with_name(topic("t"))
                    .with_partition_indexes(vec![0, 1]);
                request.with_groups(vec![
                    OffsetFetchRequestGroup::default()
                        .with_group_id(group())
                        .with_topics((!everything).then(|| vec![asked])),
                ])
            },
            |v, r| {
                let offsets: Vec<i64> = if v < 8 {
                    let partitions = r.topics[0].partitions.iter();
                    partitions.map(|p| p.committed_offset).collect()
                } else {
                    let partitions = r.groups[0].topics[0].partitions.iter();
                    partitions.map(|p| p.committed_offset).collect()
                };
                let all = everything && v >= 2;
                assert_eq!(offsets, if all { vec![8] } else { vec![8, -1] }, "v{v}");
            },
        )
        .await;
    }
    all(
        &broker,
        |_| {
            OffsetDeleteRequest::default()
                .with_group_id(group())
                .with_topics(vec![
                    OffsetDeleteRequestTopic::default()
                        .with_name(topic("t"))
                        .with_partitions(vec![
                            OffsetDeleteRequestPartition::default().with_partition_index(1),
                        ]),
                ])
        },
        |_, r| assert_eq!((r.error_code, r.topics[0].partitions[0].error_code), (0, 0)),
    )
    .await;
    all(
        &broker,
        |v| {
            DeleteGroupsRequest::default()
                .with_groups_names(vec![group(), GroupId(s(&v.to_string()))])
        },
        |v, r| {
            let codes: Vec<i16> = r.results.iter().map(|g| g.error_code).collect();
            assert_eq!(codes, if v == 0 { [0, 69] } else { [69, 69] });
        },
    )
    .await;
}

#[tokio::test]
async fn transactions() {
    use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
    use kafka_protocol::messages::txn_offset_commit_request::{
        TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
    };
    let broker = prepared().await;
    let x = || TransactionalId(s("x"));
    all(
        &broker,
        |_| {
            InitProducerIdRequest::default()
                .with_transactional_id(Some(x()))
                .with_transaction_timeout_ms(60_000)
        },
        |v, r| assert_eq!((r.error_code, r.producer_epoch), (0, v), "v{v}"),
    )
    .await;
    all(
        &broker,
        |_| {
            InitProducerIdRequest::default()
                .with_transactional_id(Some(x()))
                .with_transaction_timeout_ms(i32::MAX)
        },
        |_, r| assert_eq!((r.error_code, r.producer_id.0), (50, -1)),
    )
    .await;
    let (pid, epoch) = (ProducerId(0), 4);
    for (epoch, fenced) in [(epoch, false), (epoch - 1, true)] {
        let code = |v: i16| match (fenced, v >= 2) {
            (false, _) => 0,
            (true, true) => 90,
            (true, false) => 47,
        };
        all(
            &broker,
            |_| {
                AddPartitionsToTxnRequest::default()
                    .with_v3_and_below_transactional_id(x())
                    .with_v3_and_below_producer_id(pid)
                    .with_v3_and_below_producer_epoch(epoch)
                    .with_v3_and_below_topics(vec![
                        AddPartitionsToTxnTopic::default()
                            .with_name(topic("t"))
                            .with_partitions(vec![0]),
                    ])
            },
            |v, r| {
                let result = &r.results_by_topic_v3_and_below[0].results_by_partition[0];
                assert_eq!(result.partition_error_code, code(v), "v{v}");
            },
        )
        .await;
        all(
            &broker,
            |_| {
                AddOffsetsToTxnRequest::default()
                    .with_transactional_id(x())
                    .with_producer_id(pid)
                    .with_producer_epoch(epoch)
                    .with_group_id(GroupId(s("g")))
            },
            |v, r| assert_eq!(r.error_code, code(v), "v{v}"),
        )
        .await;
        all(
            &broker,
            |_| {
                TxnOffsetCommitRequest::default()
                    .with_transactional_id(x())
                    .with_producer_id(pid)
                    .with_producer_epoch(epoch)
                    .with_group_id(GroupId(s("g")))
                    .with_topics(vec![
                        TxnOffsetCommitRequestTopic::default()
                            .with_name(topic("t"))
                            .with_partitions(vec![
                                TxnOffsetCommitRequestPartition::default().with_committed_offset(2),
                            ]),
                    ])
            },
            |v, r| {
                let expected = if fenced { 47 } else { 0 };
                assert_eq!(r.topics[0].partitions[0].error_code, expected, "v{v}");
            },
        )
        .await;
    }
    views_of_an_open_transaction(&broker).await;
    let batch = TestBatch::at(now_ms())
        .record(Some("k"), Some("in"), 0)
        .producer(0, 4, 0)
        .transactional()
        .build();
    let written = ask(&broker, &produce("t", 0, batch), 9).await;
    assert_eq!(written.responses[0].partition_responses[0].error_code, 0);
    assert_eq!(broker.topics.partition("t", 0).unwrap().bounds().stable, 3);
    all(
        &broker,
        |_| {
            EndTxnRequest::default()
                .with_transactional_id(x())
                .with_producer_id(pid)
                .with_producer_epoch(epoch)
                .with_committed(true)
        },
        |v, r| assert_eq!(r.error_code, 0, "v{v}: the same outcome again is no error"),
    )
    .await;
    let bounds = broker.topics.partition("t", 0).unwrap().bounds();
    assert_eq!((bounds.stable, bounds.end), (5, 5));
}

/// Before anything is written in it.
async fn views_of_an_open_transaction(broker: &Broker) {
    let x = || TransactionalId(s("x"));
    let filters = [
        (vec![], vec![], 1),
        (vec![s("Ongoing")], vec![ProducerId(0)], 1),
        (vec![s("Empty"), s("Nonsense")], vec![], 0),
        (vec![s("Nonsense")], vec![], 0),
        (vec![], vec![ProducerId(7)], 0),
    ];
    for (states, producers, count) in filters {
        let unknown = usize::from(states.contains(&s("Nonsense")));
        all(
            broker,
            |_| {
                ListTransactionsRequest::default()
                    .with_state_filters(states.clone())
                    .with_producer_id_filters(producers.clone())
            },
            |v, r| {
                assert_eq!(r.transaction_states.len(), count, "v{v} {states:?}");
                assert_eq!(r.unknown_state_filters.len(), unknown);
            },
        )
        .await;
    }
    let long = ListTransactionsRequest::default().with_duration_filter(3_600_000);
    assert_eq!(ask(broker, &long, 1).await.transaction_states, []);
    all(
        broker,
        |_| {
            DescribeTransactionsRequest::default()
                .with_transactional_ids(vec![x(), TransactionalId(s("nobody"))])
        },
        |_, r| {
            let [open, unknown] = &r.transaction_states[..] else {
                panic!("{r:?}")
            };
            assert_eq!((open.error_code, unknown.error_code), (0, 105));
            assert_eq!(&*open.transaction_state, "Ongoing");
            assert_eq!(
                (open.producer_epoch, open.transaction_timeout_ms),
                (4, 60_000)
            );
            assert!(open.transaction_start_time_ms > 0);
            assert_eq!(open.topics[0].partitions, [0]);
        },
    )
    .await;
}

#[tokio::test]
async fn producers_of_a_partition() {
    use kafka_protocol::messages::describe_producers_request::TopicRequest;
    let broker = prepared().await;
    let batch = TestBatch::at(now_ms())
        .record(Some("k"), Some("v"), 0)
        .producer(41, 3, 0);
    ask(&broker, &produce("t", 0, batch.build()), 9).await;
    all(
        &broker,
        |_| {
            let asked = TopicRequest::default()
                .with_name(topic("t"))
                .with_partition_indexes(vec![0, 1, 9]);
            DescribeProducersRequest::default().with_topics(vec![asked])
        },
        |_, r| {
            let partitions = &r.topics[0].partitions;
            let codes: Vec<i16> = partitions.iter().map(|p| p.error_code).collect();
            assert_eq!(codes, [0, 0, 3]);
            let [found] = &partitions[0].active_producers[..] else {
                panic!("{partitions:?}")
            };
            assert_eq!((found.producer_id.0, found.producer_epoch), (41, 3));
            assert_eq!(
                (found.last_sequence, found.current_txn_start_offset),
                (0, -1)
            );
            assert!(partitions[1].active_producers.is_empty());
        },
    )
    .await;
}
