//! Reading and writing against librdkafka's own mock cluster: no broker needed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{Duration, Instant};

use rdkafka::bindings::{
    rd_kafka_handle_mock_cluster, rd_kafka_mock_broker_set_down, rd_kafka_mock_broker_set_up,
    rd_kafka_mock_cluster_bootstraps,
};
use weir_types::partition::partition_of;
use weir_types::records::EncodedBatch;

use crate::*;

const WAIT: Duration = Duration::from_secs(10);

/// A producer that brings its cluster along, and how others reach it.
fn cluster() -> (Producer, ClientConfig) {
    let config = ClientConfig::default().with("test.mock.num.brokers", "1");
    let producer = Producer::new(&config).unwrap();
    // SAFETY: the client has a mock cluster; the text lives as long as that
    let servers = unsafe {
        let mock = rd_kafka_handle_mock_cluster(producer.client().native());
        raw::text(rd_kafka_mock_cluster_bootstraps(mock))
    };
    (producer, ClientConfig::bootstrap(&servers))
}

type Row<'a> = (Option<&'a [u8]>, Option<&'a [u8]>, i64);

fn batch(rows: &[Row<'_>]) -> EncodedBatch {
    let mut batch = EncodedBatch::default();
    for (key, value, timestamp) in rows {
        batch.keys.push(*key);
        batch.values.push(*value);
        batch.timestamps.push(*timestamp);
    }
    batch
}

/// Polls until `done`.
fn poll_until(consumer: &mut Consumer, done: impl Fn(&Polled) -> bool) -> Polled {
    let mut polled = Polled::default();
    let begin = Instant::now();
    while !done(&polled) {
        assert!(begin.elapsed() < WAIT, "nothing came");
        consumer.poll(1000, Duration::from_millis(100), &mut polled);
    }
    polled
}

#[test]
fn records_arrive_as_they_were_sent() {
    let (producer, config) = cluster();
    let topic = producer.topic("t", WAIT).unwrap();
    let mut sent = batch(&[
        (Some(b"k"), Some(b"v"), 1_700_000_000_000),
        (Some(b""), Some(b""), 5),
        (None, None, 0),
    ]);
    sent.partitions = vec![1, 1, 1];
    sent.headers = vec![
        vec![
            ("h".into(), Some(b"x".to_vec())),
            ("h".into(), None),
            ("e".into(), Some(vec![])),
        ],
        vec![],
        vec![],
    ];
    producer.send(&topic, &sent, WAIT).unwrap();
    producer.flush(WAIT).unwrap();

    let mut consumer = Consumer::new(&config).unwrap();
    let id = consumer.start("t", 1, 0).unwrap();
    let polled = poll_until(&mut consumer, |p| !p.ends.is_empty());
    assert_eq!(polled.ends, [(id, 3)]);
    assert_eq!(polled.records, 3);
    let fetched = &polled.fetched[0];
    assert_eq!(fetched.id, id);
    let batch = &fetched.batch;
    assert_eq!(
        (batch.key(0), batch.value(0)),
        (Some(&b"k"[..]), Some(&b"v"[..]))
    );
    assert_eq!(
        (batch.key(1), batch.value(1)),
        (Some(&b""[..]), Some(&b""[..]))
    );
    assert_eq!((batch.key(2), batch.value(2)), (None, None));
    let timestamps: Vec<_> = batch
        .records
        .iter()
        .map(|r| (r.offset, r.timestamp))
        .collect();
    assert_eq!(timestamps, [(0, 1_700_000_000_000), (1, 5), (2, 0)]);
    let headers: Vec<_> = batch
        .headers
        .iter()
        .map(|(name, value)| (batch.slice(name), value.as_ref().map(|v| batch.slice(v))))
        .collect();
    assert_eq!(
        headers,
        [
            (&b"h"[..], Some(&b"x"[..])),
            (&b"h"[..], None),
            (&b"e"[..], Some(&b""[..]))
        ]
    );
    assert_eq!(batch.records[0].headers, 0..3);
    assert_eq!(batch.records[1].headers, 3..3);
}

#[test]
fn keys_choose_the_partition_as_java_does() {
    let (producer, config) = cluster();
    let topic = producer.topic("t", WAIT).unwrap();
    let keys: Vec<String> = (0..50).map(|i| format!("key {i}")).collect();
    let rows: Vec<_> = keys.iter().map(|k| (Some(k.as_bytes()), None, 1)).collect();
    producer.send(&topic, &batch(&rows), WAIT).unwrap();
    producer.flush(WAIT).unwrap();
    let mut consumer = Consumer::new(&config).unwrap();
    for partition in 0..topic.partitions() {
        let id = consumer.start("t", partition as i32, 0).unwrap();
        let polled = poll_until(&mut consumer, |p| !p.ends.is_empty());
        for fetched in &polled.fetched {
            for i in 0..fetched.batch.records.len() {
                let key = fetched.batch.key(i).unwrap();
                assert_eq!(partition_of(key, topic.partitions()), partition);
            }
        }
        consumer.stop(id);
    }
}

#[test]
fn a_held_partition_keeps_what_comes_and_a_wake_ends_the_wait() {
    let (producer, config) = cluster();
    let topic = producer.topic("t", WAIT).unwrap();
    let mut consumer = Consumer::new(&config).unwrap();
    let id = consumer.start("t", 0, 0).unwrap();
    poll_until(&mut consumer, |p| !p.ends.is_empty());
    consumer.hold(id);
    let mut rows = batch(&[(Some(b"k"), Some(b"v"), 1)]);
    rows.partitions = vec![0];
    producer.send(&topic, &rows, WAIT).unwrap();
    producer.flush(WAIT).unwrap();

    // A woken poll comes back at once, with nothing.
    consumer.waker().wake();
    let begin = Instant::now();
    let mut polled = Polled::default();
    consumer.poll(10, WAIT, &mut polled);
    assert!(begin.elapsed() < WAIT / 2);
    assert_eq!(polled.records, 0);

    consumer.release(id);
    let polled = poll_until(&mut consumer, |p| p.records > 0);
    assert_eq!(polled.fetched[0].batch.records[0].offset, 0);
}

#[test]
fn a_partition_is_read_once_and_can_be_read_again_from_elsewhere() {
    let (producer, config) = cluster();
    let topic = producer.topic("t", WAIT).unwrap();
    let mut rows = batch(&[(None, Some(b"a"), 1), (None, Some(b"b"), 1)]);
    rows.partitions = vec![0, 0];
    producer.send(&topic, &rows, WAIT).unwrap();
    producer.flush(WAIT).unwrap();
    let mut consumer = Consumer::new(&config).unwrap();
    let first = consumer.start("t", 0, 0).unwrap();
    assert!(consumer.start("t", 0, 1).is_err());
    poll_until(&mut consumer, |p| p.records == 2);
    let second = consumer.seek(first, 1).unwrap();
    assert_ne!(first, second);
    let polled = poll_until(&mut consumer, |p| p.records > 0);
    assert_eq!(polled.fetched[0].id, second);
    assert_eq!(polled.fetched[0].batch.value(0), Some(&b"b"[..]));
}

#[test]
fn a_producer_without_a_cluster_gives_up_in_time() {
    let config = ClientConfig::bootstrap("127.0.0.1:1");
    let begin = Instant::now();
    let result = TransactionalProducer::open(&config, "t", Duration::from_millis(300));
    assert_eq!(result.err().map(|e| e.kind), Some(ErrorKind::TimedOut));
    assert!(begin.elapsed() < WAIT);
}

#[test]
fn a_coordinator_that_comes_late_does_no_harm() {
    let (producer, config) = cluster();
    // The broker is known, and then it is gone.
    let patience = Duration::from_millis(300);
    let admin = Admin::new(&config, patience).unwrap();
    admin.topics().unwrap();
    let set = |up: bool| {
        // SAFETY: the producer has a mock cluster as long as it lives; its brokers start at 1
        unsafe {
            let mock = rd_kafka_handle_mock_cluster(producer.client().native());
            match up {
                true => rd_kafka_mock_broker_set_up(mock, 1),
                false => rd_kafka_mock_broker_set_down(mock, 1),
            }
        };
    };
    set(false);
    let begin = Instant::now();
    let late = admin.delete_group("g").unwrap_err();
    assert_eq!(late.kind, ErrorKind::TimedOut, "{late}");
    assert!(begin.elapsed() < WAIT, "{:?}", begin.elapsed());
    set(true);
    // With the broker back, what was asked for in vain must not be taken up: librdkafka would end
    // the process.
    while let Err(error) = admin.topics() {
        assert!(begin.elapsed() < WAIT, "{error}");
    }
    let other = Admin::new(&config, WAIT).unwrap();
    assert_eq!(other.topics().unwrap(), admin.topics().unwrap());
}
