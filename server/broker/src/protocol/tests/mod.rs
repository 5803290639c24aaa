#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod full_disk;
mod hostile;
mod responses;
mod restart;
mod versions;
mod versions_coordinator;

use super::api::APIS;
use super::dispatch::{Peer, answer};
use crate::BrokerConfig;
use crate::broker::Broker;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable, Request, StrBytes};
use std::path::Path;

/// A broker without sockets, tasks or clock ticks.
fn broker(data: Option<&Path>) -> Broker {
    let config = BrokerConfig {
        data: data.map(Path::to_path_buf),
        ..BrokerConfig::default()
    };
    let address = config.listen;
    Broker::open(config, address).unwrap()
}

fn peer() -> Peer {
    Peer {
        host: "/127.0.0.1".to_owned(),
    }
}

fn s(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn topic(name: &str) -> TopicName {
    TopicName(s(name))
}

/// A request's frame without its length.
fn frame<R: Request>(request: &R, version: i16) -> Bytes {
    let mut out = BytesMut::new();
    let key = ApiKey::try_from(R::KEY).unwrap();
    RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(77)
        .with_client_id(Some(s("test")))
        .encode(&mut out, key.request_header_version(version))
        .unwrap();
    request
        .encode(&mut out, version)
        .unwrap_or_else(|e| panic!("{key:?} v{version}: {e}"));
    out.freeze()
}

/// Sends a request and decodes the whole response.
async fn ask<R: Request>(broker: &Broker, request: &R, version: i16) -> R::Response {
    let key = ApiKey::try_from(R::KEY).unwrap();
    let what = format!("{key:?} v{version}");
    let response = answer(broker, frame(request, version), &peer()).await;
    let mut response = response
        .unwrap_or_else(|e| panic!("{what}: {e}"))
        .unwrap_or_else(|| panic!("{what}: no response"));
    let mut bytes = response.copy_to_bytes(response.remaining());
    assert_eq!(bytes.get_i32() as usize, bytes.len(), "{what}: length");
    let header = ResponseHeader::decode(&mut bytes, key.response_header_version(version)).unwrap();
    assert_eq!(header.correlation_id, 77, "{what}");
    let decoded =
        R::Response::decode(&mut bytes, version).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert!(bytes.is_empty(), "{what}: {} bytes too many", bytes.len());
    decoded
}

fn create(name: &str, partitions: i32) -> CreateTopicsRequest {
    use kafka_protocol::messages::create_topics_request::CreatableTopic;
    CreateTopicsRequest::default().with_topics(vec![
        CreatableTopic::default()
            .with_name(topic(name))
            .with_num_partitions(partitions)
            .with_replication_factor(1),
    ])
}

fn produce(name: &str, partition: i32, records: Bytes) -> ProduceRequest {
    use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
    ProduceRequest::default()
        .with_acks(-1)
        .with_timeout_ms(1000)
        .with_topic_data(vec![
            TopicProduceData::default()
                .with_name(topic(name))
                .with_partition_data(vec![
                    PartitionProduceData::default()
                        .with_index(partition)
                        .with_records(Some(records)),
                ]),
        ])
}
