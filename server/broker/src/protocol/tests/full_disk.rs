//! No room: what is refused, what stays, and that all goes on when there is room again.
//!
//! A process cannot fill a disk on its own, but it can forbid itself files beyond a size, which makes writes fail in the
//! middle just so. The limit holds for the whole process, so the test runs itself once more and alone.

use super::*;
use crate::broker::lock;
use crate::clock::now_ms;
use crate::coordinator::OffsetQuery;
use crate::groups::MemberRef;
use crate::journal::{CommittedOffset, OffsetEntry};
use crate::records::testing::one;
use crate::{BrokerError, error_code::ResponseCode};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const ALONE: &str = "WEIR_TEST_FULL_DISK";
const NAME: &str = "protocol::tests::full_disk::a_full_disk_refuses_and_loses_nothing";

/// Files may grow up to so many bytes from now on.
fn limit_files(bytes: u64) {
    // SAFETY: plain calls with a valid pointer; the limit is this process's own.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit);
        limit.rlim_cur = bytes.min(limit.rlim_max);
        libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit);
    }
}

async fn put(broker: &Broker, size: usize) -> (i16, i64) {
    let batch = one("k", &"x".repeat(size), now_ms());
    let response = ask(broker, &produce("t", 0, batch), 9).await;
    let partition = &response.responses[0].partition_responses[0];
    (partition.error_code, partition.base_offset)
}

async fn fetched(broker: &Broker) -> i64 {
    let wanted = FetchPartition::default().with_partition_max_bytes(i32::MAX);
    let asked = FetchTopic::default()
        .with_topic(topic("t"))
        .with_partitions(vec![wanted]);
    let request = FetchRequest::default()
        .with_max_bytes(i32::MAX)
        .with_topics(vec![asked]);
    let response = ask(broker, &request, 12).await;
    let mut records = response.responses[0].partitions[0].records.clone().unwrap();
    let mut next = 0;
    while !records.is_empty() {
        let header = crate::records::BatchHeader::parse_whole(&records).unwrap();
        assert_eq!(header.base_offset, next);
        next = header.next_offset();
        records.advance(header.size);
    }
    next
}

fn commit(broker: &Broker, offset: i64) -> bool {
    let nobody = MemberRef {
        id: "",
        instance: None,
    };
    let committed = CommittedOffset {
        offset,
        leader_epoch: -1,
        metadata: Some("m".repeat(3000)),
        at: now_ms(),
    };
    let entry = OffsetEntry {
        topic: "t".to_owned(),
        partition: 0,
        committed,
    };
    let done = broker
        .coordinator
        .commit_offsets("g", nobody, -1, vec![entry]);
    if let Err(error) = &done {
        assert_eq!(
            ResponseCode::from(error),
            ResponseCode::CoordinatorNotAvailable
        );
    }
    done.is_ok()
}

fn committed(broker: &Broker) -> i64 {
    match broker.coordinator.offset("g", "t", 0, false) {
        OffsetQuery::Committed(found) => found.offset,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_full_disk_refuses_and_loses_nothing() {
    if std::env::var_os(ALONE).is_none() {
        let program = std::env::current_exe().unwrap();
        let alone = Command::new(program)
            .args(["--exact", NAME, "--nocapture"])
            .env(ALONE, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&alone.stdout);
        assert!(
            alone.status.success() && said.contains("1 passed"),
            "{said}"
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut broker = broker(Some(folder.path()));
    ask(&broker, &create("t", 1), 7).await;
    limit_files(100_000);
    let (mut records, mut offset) = (0, 0);
    // Records of several sizes, so that a write ends at any place of a batch.
    while let (0, base) = put(&broker, 7000 + 100 * records).await {
        assert_eq!(base, records as i64);
        records += 1;
    }
    assert!(records > 5);
    assert_eq!(put(&broker, 20_000).await, (56, -1), "KAFKA_STORAGE_ERROR");
    assert_eq!(
        fetched(&broker).await,
        records as i64,
        "nothing half is seen"
    );
    while commit(&broker, offset + 1) {
        offset += 1;
    }
    assert!(offset > 10);
    assert_eq!(
        committed(&broker),
        offset,
        "the refused one did not take effect"
    );
    let mut topics = 0;
    while ask(&broker, &create(&format!("u{topics}"), 1), 7)
        .await
        .topics[0]
        .error_code
        == 0
    {
        topics += 1;
    }
    assert_eq!(broker.topics.all().len(), 1 + topics);

    // The disk is as full when the broker is killed and started again.
    drop(broker);
    broker = super::broker(Some(folder.path()));
    assert_eq!(fetched(&broker).await, records as i64);
    assert_eq!(committed(&broker), offset);
    assert_eq!(put(&broker, 20_000).await, (56, -1));

    limit_files(u64::MAX);
    assert_eq!(put(&broker, 20_000).await, (0, records as i64));
    assert!(commit(&broker, 4711));
    let created = ask(&broker, &create(&format!("u{topics}"), 1), 7).await;
    assert_eq!(created.topics[0].error_code, 0);
    drop(broker);
    broker = super::broker(Some(folder.path()));
    assert_eq!(fetched(&broker).await, records as i64 + 1);
    assert_eq!(
        (committed(&broker), broker.topics.all().len()),
        (4711, 2 + topics)
    );
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let below = file.join("data");
    let read_only = folder.path().join("read-only");
    std::fs::create_dir(&read_only).unwrap();
    std::fs::set_permissions(&read_only, std::fs::Permissions::from_mode(0o555)).unwrap();
    let taken = folder.path().join("journal-is-a-folder");
    std::fs::create_dir_all(taken.join("journal.log")).unwrap();
    let mut unusable = vec![file, below, taken];
    // Root may write everywhere but where the system itself forbids it.
    // SAFETY: a plain call without arguments.
    unusable.push(match unsafe { libc::geteuid() } {
        0 => "/proc/self".into(),
        _ => read_only,
    });
    for path in unusable {
        let config = BrokerConfig {
            data: Some(path.clone()),
            ..BrokerConfig::default()
        };
        let address = config.listen;
        let Err(error) = Broker::open(config, address) else {
            panic!("{}", path.display())
        };
        let said = error.to_string();
        let named = said.contains(&format!(
            "the data folder {} cannot be used",
            path.display()
        ));
        assert!(named && matches!(error, BrokerError::Data { .. }), "{said}");
    }
}

#[test]
fn a_folder_in_use_is_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let held = lock(folder.path()).unwrap();
    let error = lock(folder.path()).unwrap_err();
    assert!(error.to_string().contains("in use by another broker"));
    drop(held);
    assert!(lock(folder.path()).is_ok());
}
