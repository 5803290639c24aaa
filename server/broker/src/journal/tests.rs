#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use proptest::prelude::*;
use std::time::Duration;

const FSYNC: FsyncPolicy = FsyncPolicy::Background(Duration::from_secs(1));

fn deleted(name: &str) -> Entry {
    Entry::GroupDeleted {
        group: name.to_owned(),
    }
}

fn written(dir: &Path, names: &[&str]) {
    let (mut journal, _) = Journal::open(dir, FSYNC).unwrap();
    for name in names {
        journal.append(&[deleted(name)]).unwrap();
    }
}

fn names(dir: &Path) -> Vec<String> {
    let (_, entries) = Journal::open(dir, FSYNC).unwrap();
    let name = |entry| match entry {
        Entry::GroupDeleted { group } => group,
        other => panic!("{other:?}"),
    };
    entries.into_iter().map(name).collect()
}

#[test]
fn every_kind_of_entry_survives() {
    let committed = CommittedOffset {
        offset: i64::MAX,
        leader_epoch: -1,
        metadata: Some("é".to_owned()),
        at: 1,
    };
    let offsets = vec![OffsetEntry {
        topic: "t".to_owned(),
        partition: 3,
        committed,
    }];
    let text = str::to_owned;
    let entries = vec![
        Entry::Topic {
            name: text("t"),
            id: uuid::Uuid::from_u128(7),
            partitions: 3,
            overrides: [(text("retention.ms"), text("-1"))].into(),
        },
        Entry::TopicDeleted { name: text("t") },
        Entry::Offsets {
            group: text("g"),
            offsets: offsets.clone(),
        },
        Entry::OffsetsRemoved {
            group: text("g"),
            partitions: vec![(text("t"), 1)],
        },
        deleted("g"),
        Entry::ProducerIds { next: 1000 },
        Entry::Initialized {
            id: text("x"),
            producer_id: 9,
            epoch: 2,
            timeout_ms: 60_000,
            at: 5,
        },
        Entry::Enlisted {
            id: text("x"),
            partitions: vec![(text("t"), 0)],
            at: 6,
        },
        Entry::PendingOffsets {
            id: text("x"),
            group: text("g"),
            offsets,
            at: 6,
        },
        Entry::Prepared {
            id: text("x"),
            commit: true,
            epoch: 2,
        },
        Entry::Completed {
            id: text("x"),
            at: 7,
        },
        Entry::Forgotten { id: text("x") },
    ];
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, none) = Journal::open(dir.path(), FSYNC).unwrap();
    assert_eq!(none, []);
    journal.append(&entries).unwrap();
    assert_eq!(Journal::open(dir.path(), FSYNC).unwrap().1, entries);
}

#[test]
fn a_torn_or_damaged_tail_is_cut_and_writing_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(NAME);
    written(dir.path(), &["a", "b"]);
    let two = std::fs::read(&path).unwrap();
    written(dir.path(), &["c"]);
    let three = std::fs::read(&path).unwrap();
    let mut flipped = three.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    let mut cases = vec![flipped, [two.clone(), vec![0; 50]].concat()];
    cases.extend((two.len() + 1..three.len()).map(|end| three[..end].to_vec()));
    for bytes in cases {
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(names(dir.path()), ["a", "b"]);
        assert_eq!(std::fs::read(&path).unwrap(), two, "the tail is gone");
        written(dir.path(), &["d"]);
        assert_eq!(names(dir.path()), ["a", "b", "d"]);
    }
}

#[test]
fn an_entry_of_a_newer_version_is_an_error_and_not_cut() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = Vec::new();
    frame::encode(br#"{"Invented":{}}"#, &mut bytes);
    std::fs::write(dir.path().join(NAME), &bytes).unwrap();
    let error = Journal::open(dir.path(), FSYNC).unwrap_err();
    assert!(error.to_string().contains("newer version"), "{error}");
    assert_eq!(std::fs::read(dir.path().join(NAME)).unwrap(), bytes);
}

#[test]
fn a_rewrite_leaves_the_state_and_takes_further_entries() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(dir.path(), FSYNC).unwrap();
    let long = "x".repeat(1 << 20);
    for _ in 0..3 {
        journal.append(&[deleted(&long)]).unwrap();
    }
    assert!(!journal.wants_rewrite());
    journal.append(&[deleted(&long)]).unwrap();
    assert!(journal.wants_rewrite());
    journal.rewrite(&[deleted("state")]).unwrap();
    assert!(!journal.wants_rewrite());
    journal.append(&[deleted("after")]).unwrap();
    assert_eq!(names(dir.path()), ["state", "after"]);
    assert!(std::fs::metadata(dir.path().join(NAME)).unwrap().len() < 200);
}

#[test]
fn a_full_disk_gives_an_error_and_changes_nothing() {
    // Every write to /dev/full fails with ENOSPC.
    let mut journal = Journal {
        file: Some((
            PathBuf::from("/dev/full"),
            OpenOptions::new().write(true).open("/dev/full").unwrap(),
        )),
        ..Journal::in_memory()
    };
    let error = journal.append(&[deleted("a")]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(journal.size, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_are_a_frame_or_none(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Some((payload, length)) = frame::decode(&bytes) {
            prop_assert_eq!(payload.len() + 8, length);
            prop_assert!(length <= bytes.len());
        }
    }
}
