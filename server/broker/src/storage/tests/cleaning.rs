//! Retention and compaction.

use super::*;
use crate::storage::compact_map::OffsetMap;

const COMPACT: &[(&str, &str)] = &[
    ("cleanup.policy", "compact"),
    ("segment.ms", "1000"),
    ("min.cleanable.dirty.ratio", "0.01"),
    ("delete.retention.ms", "5000"),
];

fn compact(fixture: &Fixture, now: i64) {
    fixture.partition.compact(&fixture.settings, now).unwrap();
}

#[test]
fn the_newest_record_of_each_key_stays_at_its_offset() {
    for mut fixture in [Fixture::on_disk(COMPACT), Fixture::in_memory(COMPACT)] {
        for round in 0..5 {
            let value = round.to_string();
            fixture.put(&[
                ("a", Some(&value)),
                ("b", Some(&value)),
                ("c", Some(&value)),
            ]);
        }
        fixture.put(&[("b", Some("last"))]);
        compact(&fixture, NOW + 2000);
        let expected = [(12, "a", true), (14, "c", true), (15, "b", true)]
            .map(|(offset, key, value)| (offset, key.to_owned(), value));
        assert_eq!(fixture.read(0, Isolation::Uncommitted), expected);
        if fixture.folder.is_some() {
            fixture.reopen();
            assert_eq!(fixture.read(0, Isolation::Uncommitted), expected);
        }
        assert_eq!(fixture.put(&[("d", Some("v"))]), 16);
    }
}

#[test]
fn tombstones_and_markers_go_after_their_retention() {
    let mut fixture = Fixture::on_disk(COMPACT);
    fixture.put(&[("a", Some("v")), ("b", Some("v"))]);
    fixture.put(&[("a", None)]);
    compact(&fixture, NOW + 2000);
    let seen = |fixture: &Fixture| {
        let read = fixture.read(0, Isolation::Uncommitted);
        read.into_iter().map(|r| (r.1, r.2)).collect::<Vec<_>>()
    };
    let tombstone = [("b".to_owned(), true), ("a".to_owned(), false)];
    assert_eq!(seen(&fixture), tombstone);
    // Something new must arrive for another round.
    fixture.put(&[("c", Some("v"))]);
    compact(&fixture, NOW + 4000);
    assert_eq!(seen(&fixture)[..2], tombstone, "its time is not over");
    fixture.reopen();
    fixture.put(&[("c", Some("w"))]);
    compact(&fixture, NOW + 9000);
    let left: Vec<String> = seen(&fixture).into_iter().map(|r| r.0).collect();
    assert_eq!(left, ["b", "c"]);
}

#[test]
fn aborted_records_neither_stay_nor_count() {
    let fixture = Fixture::on_disk(COMPACT);
    let partition = &fixture.partition;
    fixture.put(&[("a", Some("good"))]);
    partition.enlist(1, 0);
    fixture.append(&transactional(1, 0, 0, "a"));
    partition.end_transaction(1, 0, false, NOW).unwrap();
    compact(&fixture, NOW + 2000);
    assert_eq!(
        fixture.read(0, Isolation::Uncommitted),
        [(0, "a".to_owned(), true)]
    );
}

#[test]
fn an_open_transaction_holds_compaction_and_retention_back() {
    let fixture = Fixture::on_disk(&[
        ("cleanup.policy", "compact,delete"),
        ("segment.ms", "1000"),
        ("retention.ms", "10"),
        ("min.cleanable.dirty.ratio", "0.01"),
    ]);
    fixture.partition.enlist(1, 0);
    fixture.append(&transactional(1, 0, 0, "a"));
    fixture.put(&[("a", Some("1")), ("a", Some("2"))]);
    compact(&fixture, NOW + 2000);
    assert!(
        !fixture
            .partition
            .retain(&fixture.settings, NOW + 2000)
            .unwrap()
    );
    assert_eq!(fixture.keys(), ["a", "a", "a"]);
}

#[test]
fn compaction_in_rounds_gives_the_same_as_in_one() {
    let fixture = Fixture::on_disk(&[
        ("cleanup.policy", "compact"),
        ("segment.bytes", "1048576"),
        ("segment.ms", "1000"),
        ("min.cleanable.dirty.ratio", "0.01"),
    ]);
    for round in 0..3 {
        for n in 0..30 {
            let value = format!("{round}{}", "x".repeat(40_000));
            fixture.put(&[(&format!("k{n:02}"), Some(&value))]);
        }
    }
    compact(&fixture, NOW + 2000);
    let offsets: Vec<i64> = fixture
        .read(0, Isolation::Uncommitted)
        .into_iter()
        .map(|r| r.0)
        .collect();
    assert_eq!(offsets, (60..90).collect::<Vec<_>>());
    let names = fixture.log_files();
    let paths = names.iter().map(|name| fixture.dir().join(name));
    let bytes: u64 = paths.map(|p| std::fs::metadata(p).unwrap().len()).sum();
    assert!(bytes < 31 * 40_100, "{bytes} bytes in {names:?}");
}

#[test]
fn the_offset_map_says_when_it_is_full_and_forgets_nothing() {
    let mut map = OffsetMap::with_limit(3000);
    for offset in 0..10_000i64 {
        map.insert(format!("key {}", offset % 4000).as_bytes(), offset);
        assert_eq!(map.is_full(), offset >= 2999, "{offset}");
    }
    for key in 0..4000i64 {
        let newest = if key < 2000 { key + 8000 } else { key + 4000 };
        assert_eq!(map.get(format!("key {key}").as_bytes()), Some(newest));
    }
    assert_eq!(map.get(b"other"), None);
}

#[test]
fn retention_goes_by_the_records_time_and_takes_the_active_segment() {
    let mut fixture = Fixture::on_disk(&[("retention.ms", "1000")]);
    fixture.put(&[("a", Some("v"))]);
    assert!(
        !fixture
            .partition
            .retain(&fixture.settings, NOW + 1000)
            .unwrap()
    );
    assert!(
        fixture
            .partition
            .retain(&fixture.settings, NOW + 1001)
            .unwrap()
    );
    let bounds = fixture.partition.bounds();
    assert_eq!((bounds.start, bounds.end), (1, 1));
    fixture.reopen();
    assert_eq!(fixture.partition.bounds().start, 1, "also after a restart");
    assert_eq!(fixture.put(&[("b", Some("v"))]), 1);
}

#[test]
fn retention_by_size_keeps_at_least_that_much() {
    let fixture = Fixture::on_disk(&[("segment.bytes", "1048576"), ("retention.bytes", "1000000")]);
    for n in 0..50 {
        fixture.append(&filler(&format!("k{n:02}"), 100_000));
    }
    assert!(fixture.partition.retain(&fixture.settings, NOW).unwrap());
    let kept = fixture.keys();
    assert!((10..21).contains(&kept.len()), "{kept:?}");
    assert_eq!(kept.last().map(String::as_str), Some("k49"));
    assert!(fixture.log_files().len() <= 2);
}
