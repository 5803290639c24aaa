//! Every API at every advertised version, with content in every list, and what the answers say.

use super::*;
use crate::clock::now_ms;
use crate::records::testing::one;

/// Asks at every advertised version and hands each answer to `check`.
pub(super) async fn all<R: Request>(
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

pub(super) async fn prepared() -> Broker {
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
    let mut bytes = bytes.copy_to_bytes(bytes.remaining());
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
    assert!(response.is_none());
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
