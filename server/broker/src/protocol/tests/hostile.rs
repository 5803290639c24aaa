//! Bytes that no client should send.

use super::*;
use crate::protocol::{Memory, frame as framing, guard, produce_walk};
use crate::records::testing::one;
use kafka_protocol::messages::produce_request::TopicProduceData;
use proptest::prelude::*;
use std::io;

fn raw(key: i16, version: i16, body: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(key);
    out.put_i16(version);
    out.put_i32(1);
    out.put_slice(body);
    out.freeze()
}

#[tokio::test]
async fn what_is_not_served_closes_the_connection() {
    let broker = broker(None);
    for (key, version) in [
        (9999, 0),
        (-1, 0),
        (0, 99),
        (1, 3),
        (0, -1),
        (68, 0),
        (3, 13),
    ] {
        let answered = answer(&broker, raw(key, version, &[0; 40]), &peer()).await;
        assert!(answered.is_err(), "{key} v{version}");
    }
}

async fn framed(mut bytes: &[u8], limit: usize) -> io::Result<Option<Bytes>> {
    let read = framing::read(&mut bytes, limit, &Memory::new(1 << 30)).await?;
    Ok(read.map(|frame| frame.bytes))
}

#[tokio::test]
async fn frames_outside_the_limits_are_refused_before_they_are_read() {
    for length in [i32::MIN, -1, 0, 7, 1001, i32::MAX] {
        let bytes = length.to_be_bytes();
        let error = framed(&bytes, 1000).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{length}");
    }
    let whole = [&9i32.to_be_bytes()[..], &[7; 9]].concat();
    let read = framed(&whole, 1000).await.unwrap();
    assert_eq!(read.unwrap(), [7; 9].as_slice());
    assert_eq!(framed(&whole[..0], 1000).await.unwrap(), None);
    for cut in 5..whole.len() {
        let error = framed(&whole[..cut], 1000).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{cut}");
    }
    let large = [&3_000_000i32.to_be_bytes()[..], &vec![1; 3_000_000]].concat();
    let read = framed(&large, 4_000_000).await.unwrap();
    assert_eq!(read.unwrap().len(), 3_000_000);
}

/// Array lengths for which the decoder alone would reserve gigabytes.
#[test]
fn array_lengths_that_lie_are_refused() {
    for length in [1000, 1 << 20, i32::MAX] {
        let mut classic = BytesMut::new();
        classic.put_i32(length);
        let classic = classic.freeze();
        assert!(
            !guard::is_honest::<DescribeGroupsRequest>(&classic, 0),
            "{length}"
        );
        assert!(
            !guard::is_honest::<MetadataRequest>(&classic, 1),
            "{length}"
        );
    }
    for varint in [
        &[0xff, 0xff, 0xff, 0xff, 0x0f][..],
        &[0x80, 0x80, 0x40],
        &[0xff, 0x7f],
    ] {
        let compact = Bytes::copy_from_slice(varint);
        assert!(!guard::is_honest::<DescribeGroupsRequest>(&compact, 5));
        let nested = [b"\x02", varint].concat();
        assert!(!guard::is_honest::<DeleteTopicsRequest>(&nested.into(), 6));
    }
}

#[test]
fn honest_produce_requests_pass_whatever_their_numbers() {
    let records = one("k", &"v".repeat(100_000), 0);
    let request = produce("t", i32::MAX, records).with_timeout_ms(i32::MAX);
    for version in 3..=10 {
        let mut body = BytesMut::new();
        request.encode(&mut body, version).unwrap();
        assert!(produce_walk::is_honest(&body, version), "v{version}");
        for cut in 0..60 {
            assert!(!produce_walk::is_honest(&body[..cut], version));
        }
    }
}

/// Small on the wire, large once decoded: two bytes an element.
#[test]
fn more_elements_than_a_request_can_need_are_refused() {
    let mut classic = BytesMut::new();
    classic.put_i32(600_000);
    classic.put_bytes(0, 1_200_000);
    let classic = classic.freeze();
    assert!(!guard::is_honest::<MetadataRequest>(&classic, 1));
    assert!(guard::is_honest::<MetadataRequest>(
        &Bytes::from_static(&[0, 0, 0, 1, 0, 0]),
        1
    ));
    for version in [3, 9] {
        let topics = (0..200_000).map(|_| TopicProduceData::default()).collect();
        let mut body = BytesMut::new();
        ProduceRequest::default()
            .with_topic_data(topics)
            .encode(&mut body, version)
            .unwrap();
        assert!(!produce_walk::is_honest(&body, version), "v{version}");
    }
}

/// A valid request of each API, to be damaged.
fn valid(which: usize) -> (i16, i16, Bytes) {
    let batch = one("k", "v", 0);
    let encode = |key: ApiKey, version: i16, frame: Bytes| (key as i16, version, frame);
    match which % 6 {
        0 => encode(ApiKey::Produce, 9, frame(&produce("t", 0, batch), 9)),
        1 => encode(ApiKey::Produce, 3, frame(&produce("t", 0, batch), 3)),
        2 => encode(ApiKey::CreateTopics, 2, frame(&create("new", 1), 2)),
        3 => encode(ApiKey::CreateTopics, 7, frame(&create("new", 1), 7)),
        4 => encode(
            ApiKey::Metadata,
            12,
            frame(&MetadataRequest::default().with_topics(None), 12),
        ),
        _ => encode(
            ApiKey::ApiVersions,
            3,
            frame(&ApiVersionsRequest::default(), 3),
        ),
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.unwrap().block_on(future)
}

/// Requests whose answer may be long in coming by their own wish.
const MAY_WAIT: [i16; 3] = [
    ApiKey::Fetch as i16,
    ApiKey::JoinGroup as i16,
    ApiKey::SyncGroup as i16,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_bodies_get_an_answer_or_an_error(
        which in 0..APIS.len(), version in 0i16..14, body in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let key = APIS[which].key as i16;
        prop_assume!(!MAY_WAIT.contains(&key));
        let broker = broker(None);
        // A flat header: no client id, and no tagged fields where the version has them.
        let request = raw(key, version, &[&[0xff, 0xff, 0][..], &body].concat());
        let _ = block_on(answer(&broker, request, &peer()));
    }

    #[test]
    fn damaged_requests_get_an_answer_or_an_error(
        which in 0usize..6, damage in prop::collection::vec((8usize..200, any::<u8>()), 1..4), cut in 0usize..20,
    ) {
        let (key, _, whole) = valid(which);
        let mut bytes = whole.to_vec();
        for (at, value) in damage {
            let at = 8 + at % (bytes.len() - 8);
            bytes[at] = value;
        }
        bytes.truncate(bytes.len().saturating_sub(cut).max(8));
        prop_assume!(!MAY_WAIT.contains(&key));
        let broker = broker(None);
        block_on(ask(&broker, &create("t", 1), 7));
        let _ = block_on(answer(&broker, bytes.into(), &peer()));
    }
}
