//! Every API at every advertised version, with content in every list, and what the answers say.

use super::*;
use crate::clock::now_ms;
use crate::records::testing::{TestBatch, one};

/// Asks at every advertised version and hands each answer to `check`.
async fn all<R: Request>(
    broker: &Broker,
    request: impl Fn(i16) -> R,
    check: impl Fn(i16, &R::Response),
) {
    let api = APIS.iter().find(|api| api.key as i16 == R::KEY).unwrap();
    let versions = R::VERSIONS;
    assert!(versions.min <= api.min && versions.max >= api.max);
    for version in api.min..=api.max {
        let response = ask(broker, &request(version), version).await;
        check(version, &response);
    }
}

async fn prepared() -> Broker {
    let broker = broker(None);
    ask(&broker, &create("t", 2), 7).await;
    for value in ["a", "b", "c"] {
        let batch = one("k", value, now_ms());
        ask(&broker, &produce("t", 0, batch), 9).await;
    }
    broker
}

#[tokio::test]
async fn the_list_of_versions_is_what_is_served() {
    let broker = prepared().await;
    all(
        &broker,
        |_| ApiVersionsRequest::default(),
        |_, r| {
            assert_eq!(r.error_code, 0);
            assert_eq!(r.api_keys.len(), APIS.len());
        },
    )
    .await;
    // A version beyond what is served gets the list in v0.
    let mut too_new = BytesMut::new();
    too_new.put_i16(18);
    too_new.put_i16(99);
    too_new.put_i32(5);
    let mut bytes = answer(&broker, too_new.freeze(), &peer())
        .await
        .unwrap()
        .unwrap();
    bytes.advance(4);
    assert_eq!(bytes.get_i32(), 5);
    let listed = ApiVersionsResponse::decode(&mut bytes, 0).unwrap();
    assert_eq!((listed.error_code, listed.api_keys.len()), (35, APIS.len()));
}

#[tokio::test]
async fn cluster_and_topics() {
    use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
    use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
    use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
    let broker = prepared().await;
    let id = broker.topics.get("t").unwrap().id;
    all(
        &broker,
        |v| {
            let named = |name| MetadataRequestTopic::default().with_name(Some(topic(name)));
            let mut topics = vec![named("t"), named("bad name")];
            if v >= 12 {
                topics.push(
                    MetadataRequestTopic::default()
                        .with_name(None)
                        .with_topic_id(id),
                );
            }
            MetadataRequest::default().with_topics(Some(topics))
        },
        |v, r| {
            assert_eq!(r.brokers.len(), 1);
            assert_eq!(r.topics[0].partitions.len(), 2, "v{v}");
            assert_eq!(r.topics[1].error_code, 17);
            assert!(v < 12 || r.topics[2].topic_id == id && r.topics[2].error_code == 0);
        },
    )
    .await;
    all(
        &broker,
        |_| DescribeClusterRequest::default(),
        |_, r| {
            assert_eq!((r.brokers.len(), &*r.cluster_id), (1, "weir-embedded"));
        },
    )
    .await;
    all(
        &broker,
        |v| {
            if v < 4 {
                FindCoordinatorRequest::default().with_key(s("g"))
            } else {
                FindCoordinatorRequest::default().with_coordinator_keys(vec![s("g"), s("h")])
            }
        },
        |v, r| {
            if v < 4 {
                assert_eq!((r.error_code, r.port), (0, 9092));
            } else {
                assert_eq!(r.coordinators.len(), 2);
            }
        },
    )
    .await;
    all(
        &broker,
        |v| create(&format!("new-{v}"), 3),
        |v, r| {
            assert_eq!(r.topics[0].error_code, 0, "v{v}");
            assert!(v < 5 || r.topics[0].num_partitions == 3);
        },
    )
    .await;
    all(
        &broker,
        |_| create("t", 3),
        |v, r| {
            assert_eq!(r.topics[0].error_code, 36, "v{v}");
        },
    )
    .await;
    all(
        &broker,
        |v| {
            let grow = |name: &str, count| {
                CreatePartitionsTopic::default()
                    .with_name(topic(name))
                    .with_count(count)
                    .with_assignments(None)
            };
            CreatePartitionsRequest::default()
                .with_topics(vec![grow("t", 3 + i32::from(v)), grow("nope", 2)])
        },
        |v, r| {
            let codes: Vec<i16> = r.results.iter().map(|t| t.error_code).collect();
            assert_eq!(codes, [0, 3], "v{v}");
        },
    )
    .await;
    all(
        &broker,
        |v| {
            if v < 6 {
                let names = vec![topic(&format!("new-{}", v + 1)), topic("nope")];
                return DeleteTopicsRequest::default().with_topic_names(names);
            }
            let state = |name, topic_id| {
                DeleteTopicState::default()
                    .with_name(name)
                    .with_topic_id(topic_id)
            };
            let nil = uuid::Uuid::nil();
            DeleteTopicsRequest::default().with_topics(vec![
                state(Some(topic(&format!("new-{}", v + 1))), nil),
                state(None, uuid::Uuid::from_u128(1)),
            ])
        },
        |v, r| {
            let codes: Vec<i16> = r.responses.iter().map(|t| t.error_code).collect();
            assert_eq!(codes, [0, if v < 6 { 3 } else { 100 }], "v{v}");
        },
    )
    .await;
}

#[tokio::test]
async fn records() {
    use kafka_protocol::messages::delete_records_request::{
        DeleteRecordsPartition, DeleteRecordsTopic,
    };
    use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
    use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
    use kafka_protocol::messages::offset_for_leader_epoch_request::{
        OffsetForLeaderPartition, OffsetForLeaderTopic,
    };
    let broker = prepared().await;
    let id = broker.topics.get("t").unwrap().id;
    all(
        &broker,
        |_| produce("t", 1, one("k", "v", now_ms())),
        |v, r| {
            let partition = &r.responses[0].partition_responses[0];
            assert_eq!(partition.error_code, 0, "v{v}");
            assert_eq!(partition.base_offset, i64::from(v - 3));
        },
    )
    .await;
    all(
        &broker,
        |_| produce("t", 1, one("k", "v", now_ms() + 7_200_000)),
        |v, r| {
            let partition = &r.responses[0].partition_responses[0];
            assert_eq!((partition.error_code, partition.base_offset), (32, -1));
            assert_eq!(partition.error_message.is_some(), v >= 8);
        },
    )
    .await;
    for isolation in [0, 1] {
        all(
            &broker,
            |v| {
                let wanted = |partition| {
                    FetchPartition::default()
                        .with_partition(partition)
                        .with_partition_max_bytes(1 << 20)
                };
                let mut asked = FetchTopic::default().with_partitions(vec![wanted(0), wanted(9)]);
                if v >= 13 {
                    asked.topic_id = id;
                } else {
                    asked.topic = topic("t");
                }
                FetchRequest::default()
                    .with_max_bytes(1 << 20)
                    .with_min_bytes(1)
                    .with_isolation_level(isolation)
                    .with_topics(vec![asked])
            },
            |v, r| {
                let [good, bad] = &r.responses[0].partitions[..] else {
                    panic!("v{v}")
                };
                assert_eq!((good.error_code, bad.error_code), (0, 3), "v{v}");
                assert_eq!((good.high_watermark, good.last_stable_offset), (3, 3));
                assert!(!good.records.as_ref().unwrap().is_empty());
                assert_eq!(good.aborted_transactions.is_some(), isolation == 1);
            },
        )
        .await;
    }
    for (timestamp, expected) in [(-1, 3), (-2, 0), (-3, 0), (0, 0), (i64::MAX, -1)] {
        all(
            &broker,
            |_| {
                let wanted = |index| {
                    ListOffsetsPartition::default()
                        .with_partition_index(index)
                        .with_timestamp(timestamp)
                };
                ListOffsetsRequest::default().with_topics(vec![
                    ListOffsetsTopic::default()
                        .with_name(topic("t"))
                        .with_partitions(vec![wanted(0), wanted(9)]),
                ])
            },
            |v, r| {
                let partitions = &r.topics[0].partitions;
                assert_eq!(partitions[1].error_code, 3);
                let close = (partitions[0].offset - expected).abs();
                // The largest timestamp may be that of any of the three, written within a few ms.
                assert!(
                    close == 0 || timestamp == -3 && close < 3,
                    "v{v} {timestamp}"
                );
            },
        )
        .await;
    }
    all(
        &broker,
        |_| {
            let wanted = |partition| {
                OffsetForLeaderPartition::default()
                    .with_partition(partition)
                    .with_leader_epoch(0)
            };
            OffsetForLeaderEpochRequest::default().with_topics(vec![
                OffsetForLeaderTopic::default()
                    .with_topic(topic("t"))
                    .with_partitions(vec![wanted(0), wanted(9)]),
            ])
        },
        |_, r| {
            let partitions = &r.topics[0].partitions;
            assert_eq!((partitions[0].end_offset, partitions[1].error_code), (3, 3));
        },
    )
    .await;
    all(
        &broker,
        |v| {
            let wanted = |index, offset| {
                DeleteRecordsPartition::default()
                    .with_partition_index(index)
                    .with_offset(offset)
            };
            DeleteRecordsRequest::default().with_topics(vec![
                DeleteRecordsTopic::default()
                    .with_name(topic("t"))
                    .with_partitions(vec![wanted(0, i64::from(v)), wanted(0, 99), wanted(9, 0)]),
            ])
        },
        |v, r| {
            let partitions = &r.topics[0].partitions;
            let codes: Vec<i16> = partitions.iter().map(|p| p.error_code).collect();
            assert_eq!(codes, [0, 1, 3]);
            assert_eq!(partitions[0].low_watermark, i64::from(v));
        },
    )
    .await;
}

#[tokio::test]
async fn acks_of_zero_are_silent_and_impossible_ones_refused() {
    let broker = prepared().await;
    let quiet = produce("t", 1, one("k", "v", now_ms())).with_acks(0);
    let response = answer(&broker, frame(&quiet, 9), &peer()).await.unwrap();
    assert_eq!(response, None);
    assert_eq!(broker.topics.partition("t", 1).unwrap().bounds().end, 1);
    let odd = produce("t", 1, one("k", "v", now_ms())).with_acks(2);
    let response = ask(&broker, &odd, 9).await;
    assert_eq!(response.responses[0].partition_responses[0].error_code, 21);
}

#[tokio::test]
async fn configs() {
    use kafka_protocol::messages::alter_configs_request as legacy;
    use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
    use kafka_protocol::messages::incremental_alter_configs_request as incremental;
    let broker = prepared().await;
    all(
        &broker,
        |_| {
            let resource = |kind, name| {
                DescribeConfigsResource::default()
                    .with_resource_type(kind)
                    .with_resource_name(s(name))
                    .with_configuration_keys(None)
            };
            DescribeConfigsRequest::default()
                .with_include_synonyms(true)
                .with_resources(vec![
                    resource(2, "t"),
                    resource(4, "1"),
                    resource(2, "nope"),
                    resource(9, "x"),
                ])
        },
        |v, r| {
            let codes: Vec<i16> = r.results.iter().map(|t| t.error_code).collect();
            assert_eq!(codes, [0, 0, 3, 42], "v{v}");
            assert!(r.results[0].configs.len() > 20 && r.results[1].configs.len() > 20);
        },
    )
    .await;
    all(
        &broker,
        |_| {
            let config = legacy::AlterableConfig::default()
                .with_name(s("retention.ms"))
                .with_value(Some(s("5")));
            let bad = legacy::AlterableConfig::default()
                .with_name(s("retention.ms"))
                .with_value(Some(s("soon")));
            let resource = |config| {
                legacy::AlterConfigsResource::default()
                    .with_resource_type(2)
                    .with_resource_name(s("t"))
                    .with_configs(vec![config])
            };
            AlterConfigsRequest::default().with_resources(vec![resource(config), resource(bad)])
        },
        |v, r| {
            let codes: Vec<i16> = r.responses.iter().map(|t| t.error_code).collect();
            assert_eq!(codes, [0, 40], "v{v}");
        },
    )
    .await;
    all(
        &broker,
        |_| {
            let change = |operation, name: &str, value: &str| {
                incremental::AlterableConfig::default()
                    .with_name(s(name))
                    .with_config_operation(operation)
                    .with_value(Some(s(value)))
            };
            let resource = |configs| {
                incremental::AlterConfigsResource::default()
                    .with_resource_type(2)
                    .with_resource_name(s("t"))
                    .with_configs(configs)
            };
            IncrementalAlterConfigsRequest::default().with_resources(vec![
                resource(vec![
                    change(2, "cleanup.policy", "compact"),
                    change(1, "retention.ms", ""),
                ]),
                resource(vec![change(2, "retention.ms", "1")]),
            ])
        },
        |v, r| {
            let codes: Vec<i16> = r.responses.iter().map(|t| t.error_code).collect();
            assert_eq!(codes, [0, 40], "v{v}");
        },
    )
    .await;
    let overrides = broker.topics.get("t").unwrap().overrides();
    assert_eq!(
        overrides,
        [("cleanup.policy".to_owned(), "delete,compact".to_owned())].into()
    );
}

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
