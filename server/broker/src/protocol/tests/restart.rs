//! What a start makes of transactions, groups and topics that a kill left behind.

use super::*;
use crate::clock::now_ms;
use crate::coordinator::OffsetQuery;
use crate::groups::MemberRef;
use crate::journal::{CommittedOffset, Entry, Journal, OffsetEntry};
use crate::records::testing::TestBatch;
use crate::storage::FsyncPolicy;
use crate::transactions::Caller;

const NOBODY: MemberRef<'_> = MemberRef {
    id: "",
    instance: None,
};

fn offsets(offset: i64) -> Vec<OffsetEntry> {
    vec![OffsetEntry {
        topic: "t".to_owned(),
        partition: 0,
        committed: CommittedOffset {
            offset,
            leader_epoch: -1,
            metadata: None,
            at: now_ms(),
        },
    }]
}

/// One record and one pending offset in an open transaction of `id`.
async fn begin(broker: &Broker, id: &str) -> Caller {
    let coordinator = &broker.coordinator;
    let caller = coordinator.init_transactional(id, 60_000, None).unwrap();
    coordinator
        .enlist(id, caller, vec![("t".to_owned(), 0)])
        .unwrap();
    coordinator.add_group(id, caller, "g").unwrap();
    coordinator
        .add_offsets(id, caller, "g", NOBODY, -1, offsets(7))
        .unwrap();
    let batch = TestBatch::at(now_ms())
        .record(Some("k"), Some("v"), 0)
        .producer(caller.producer_id, caller.epoch, 0)
        .transactional()
        .build();
    let written = ask(broker, &produce("t", 0, batch), 9).await;
    assert_eq!(written.responses[0].partition_responses[0].error_code, 0);
    caller
}

fn committed(broker: &Broker) -> Option<i64> {
    match broker.coordinator.offset("g", "t", 0, true) {
        OffsetQuery::Committed(found) => Some(found.offset),
        OffsetQuery::None => None,
        OffsetQuery::Unstable => Some(-88),
    }
}

fn bounds(broker: &Broker) -> (i64, i64) {
    let bounds = broker.topics.partition("t", 0).unwrap().bounds();
    (bounds.stable, bounds.end)
}

#[tokio::test]
async fn an_open_transaction_goes_on_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let caller = {
        let broker = broker(Some(dir.path()));
        ask(&broker, &create("t", 1), 7).await;
        begin(&broker, "x").await
    };
    let broker = broker(Some(dir.path()));
    assert_eq!((bounds(&broker), committed(&broker)), ((0, 1), Some(-88)));
    let more = TestBatch::at(now_ms())
        .record(Some("k"), Some("w"), 0)
        .producer(caller.producer_id, caller.epoch, 1)
        .transactional()
        .build();
    let written = ask(&broker, &produce("t", 0, more), 9).await;
    assert_eq!(written.responses[0].partition_responses[0].error_code, 0);
    broker
        .coordinator
        .end_transaction("x", caller, true)
        .unwrap();
    assert_eq!((bounds(&broker), committed(&broker)), ((3, 3), Some(7)));
}

#[tokio::test]
async fn a_decided_transaction_is_completed_after_a_kill() {
    for commit in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        {
            let broker = broker(Some(dir.path()));
            ask(&broker, &create("t", 1), 7).await;
            begin(&broker, "x").await;
        }
        // As if killed between the decision and the markers.
        let fsync = FsyncPolicy::EveryWrite;
        let (mut journal, _) = Journal::open(dir.path(), fsync).unwrap();
        let decided = Entry::Prepared {
            id: "x".to_owned(),
            commit,
            epoch: 0,
        };
        journal.append(&[decided]).unwrap();
        drop(journal);
        for _ in 0..2 {
            let broker = broker(Some(dir.path()));
            assert_eq!(
                bounds(&broker),
                (2, 2),
                "one marker, also after a second start"
            );
            assert_eq!(committed(&broker), commit.then_some(7));
        }
    }
}

#[tokio::test]
async fn a_new_holder_aborts_what_a_killed_one_left_open() {
    let dir = tempfile::tempdir().unwrap();
    let old = {
        let broker = broker(Some(dir.path()));
        ask(&broker, &create("t", 1), 7).await;
        begin(&broker, "x").await
    };
    let broker = broker(Some(dir.path()));
    let new = broker
        .coordinator
        .init_transactional("x", 60_000, None)
        .unwrap();
    assert!(new.producer_id == old.producer_id && new.epoch > old.epoch);
    assert_eq!((bounds(&broker), committed(&broker)), ((2, 2), None));
    assert!(broker.coordinator.end_transaction("x", old, true).is_err());
}

#[tokio::test]
async fn topics_configs_and_offsets_survive_and_deleted_ones_do_not() {
    use kafka_protocol::messages::create_topics_request::CreatableTopicConfig;
    let dir = tempfile::tempdir().unwrap();
    let first = {
        let broker = broker(Some(dir.path()));
        let mut request = create("t", 3);
        request.topics[0].configs = vec![
            CreatableTopicConfig::default()
                .with_name(s("retention.ms"))
                .with_value(Some(s("-1"))),
        ];
        ask(&broker, &request, 7).await;
        ask(&broker, &create("gone", 1), 7).await;
        let coordinator = &broker.coordinator;
        coordinator
            .commit_offsets("g", NOBODY, -1, offsets(9))
            .unwrap();
        coordinator.add_partitions("t", 5, false).unwrap();
        coordinator.delete_topic("gone").unwrap();
        broker.topics.get("t").unwrap().id
    };
    let broker = broker(Some(dir.path()));
    let found = broker.topics.get("t").unwrap();
    assert_eq!((found.id, found.partition_count()), (first, 5));
    assert_eq!(found.overrides()["retention.ms"], "-1");
    assert_eq!(committed(&broker), Some(9));
    assert!(broker.topics.get("gone").is_none());
    let folders = std::fs::read_dir(dir.path().join("topics"))
        .unwrap()
        .count();
    assert_eq!(
        folders, 1,
        "the deleted topic's folder is swept at the start"
    );
    broker.coordinator.delete_topic("t").unwrap();
    assert_eq!(committed(&broker), None, "offsets go with their topic");
}

#[tokio::test]
async fn one_process_per_data_folder() {
    let dir = tempfile::tempdir().unwrap();
    let _first = broker(Some(dir.path()));
    let config = BrokerConfig {
        data: Some(dir.path().to_path_buf()),
        ..BrokerConfig::default()
    };
    let address = config.listen;
    assert!(matches!(
        Broker::open(config, address),
        Err(crate::BrokerError::InUse(_))
    ));
}

#[tokio::test]
async fn a_running_broker_answers_and_stops() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let any: std::net::SocketAddr = "0.0.0.0:0".parse().unwrap();
    let config = BrokerConfig {
        listen: any,
        ..BrokerConfig::default()
    };
    assert!(matches!(
        crate::Broker::start(config).await,
        Err(crate::BrokerError::NotLoopback(_))
    ));
    let config = BrokerConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        ..BrokerConfig::default()
    };
    let running = crate::Broker::start(config).await.unwrap();
    let mut socket = tokio::net::TcpStream::connect(running.address)
        .await
        .unwrap();
    let request = frame(&ApiVersionsRequest::default(), 0);
    socket.write_i32(request.len() as i32).await.unwrap();
    socket.write_all(&request).await.unwrap();
    let length = socket.read_i32().await.unwrap();
    assert!(length > 100);
    running.stop().await;
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest.len(), length as usize, "the connection is closed");
}
