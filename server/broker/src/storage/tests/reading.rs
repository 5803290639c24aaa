//! Appending, fetching, looking up.

use super::*;
use crate::storage::producers::Refusal;

#[test]
fn batches_come_back_byte_for_byte_but_for_offset_and_epoch() {
    for fixture in [Fixture::on_disk(&[]), Fixture::in_memory(&[])] {
        fixture.put(&[("first", Some("1"))]);
        let sent = TestBatch::at(NOW)
            .record(Some("k"), Some("v"), 1)
            .record(None, None, 2)
            .codec(4)
            .build();
        assert_eq!(fixture.append(&sent), 1);
        let got = fixture
            .partition
            .fetch(1, 1 << 20, Isolation::Uncommitted, true)
            .unwrap()
            .records;
        assert_eq!(got.len(), sent.len());
        assert_eq!(got[..8], 1i64.to_be_bytes());
        assert_eq!(got[8..12], sent[8..12]);
        assert_eq!(got[12..16], 0i32.to_be_bytes());
        assert_eq!(got[16..], sent[16..]);
    }
}

#[test]
fn a_fetch_gives_whole_batches_within_its_limit_and_at_least_one() {
    let fixture = Fixture::on_disk(&[]);
    let size = filler("a", 1000).len();
    for key in ["a", "b", "c"] {
        fixture.append(&filler(key, 1000));
    }
    let fetched = |offset, max, least| {
        let slice = fixture
            .partition
            .fetch(offset, max, Isolation::Uncommitted, least);
        slice.unwrap().records.len() / size
    };
    for (offset, max, least, batches) in [
        (0, 1 << 20, false, 3),
        (0, 2 * size + 10, false, 2),
        (0, 10, true, 1),
        (0, 10, false, 0),
        (2, 1 << 20, true, 1),
        (3, 1 << 20, true, 0),
    ] {
        assert_eq!(
            fetched(offset, max, least),
            batches,
            "{offset} {max} {least}"
        );
    }
    for outside in [-1, 4] {
        assert!(matches!(
            fixture
                .partition
                .fetch(outside, 1, Isolation::Uncommitted, true),
            Err(ReadError::OutOfRange)
        ));
    }
}

#[test]
fn every_offset_is_found_across_segments_and_after_a_restart() {
    let mut fixture = Fixture::on_disk(&[("segment.bytes", "1048576")]);
    for n in 0..60 {
        fixture.append(&filler(&format!("k{n}"), 50_000));
    }
    assert!(fixture.log_files().len() > 2);
    for _ in 0..2 {
        for offset in [0, 1, 19, 20, 21, 40, 59] {
            let found = fixture.read(offset, Isolation::Uncommitted);
            assert_eq!(found.first().map(|r| r.0), Some(offset));
            assert_eq!(found.len(), 60 - offset as usize);
        }
        fixture.partition.flush(true, NOW).unwrap();
        fixture.reopen();
    }
}

#[test]
fn times_are_found_inside_batches_and_out_of_order() {
    for fixture in [Fixture::on_disk(&[]), Fixture::in_memory(&[])] {
        for (codec, times) in [(0, [5, 3]), (4, [9, 1]), (0, [7, 20])] {
            let batch = times.iter().fold(TestBatch::at(NOW), |b, delta| {
                b.record(Some("k"), Some("v"), *delta)
            });
            fixture.append(&batch.codec(codec).build());
        }
        let find = |target| {
            let found = fixture.partition.find_time(target).unwrap();
            found.map(|(offset, time)| (offset, time - NOW))
        };
        for (wanted, expected) in [
            (0, Some((0, 5))),
            (6, Some((2, 9))),
            (10, Some((5, 20))),
            (21, None),
        ] {
            assert_eq!(
                find(TimeTarget::AtLeast(NOW + wanted)),
                expected,
                "{wanted}"
            );
        }
        assert_eq!(find(TimeTarget::Largest), Some((5, 20)));
        fixture.partition.delete_records(1, NOW).unwrap();
        assert_eq!(
            find(TimeTarget::AtLeast(NOW)),
            Some((1, 3)),
            "below the start"
        );
    }
}

#[test]
fn bad_batches_are_refused_with_their_reason() {
    let fixture = Fixture::on_disk(&[
        ("max.message.bytes", "5000"),
        ("message.timestamp.before.max.ms", "1000"),
    ]);
    let good = one("k", "v", NOW);
    let mut flipped = good.to_vec();
    flipped[70] ^= 1;
    let mut old_format = good.to_vec();
    old_format[16] = 1;
    let twice = [good.clone(), good.clone()].concat();
    let marker = crate::records::control_marker(1, 0, true, NOW);
    let cut = good.slice(..good.len() - 1);
    let hour = 3_600_000;
    let cases: [(&str, Bytes); 9] = [
        ("Batch(Checksum)", flipped.into()),
        ("Batch(Magic(1))", old_format.into()),
        ("Batch(Truncated)", cut),
        ("Batch(Truncated)", Bytes::new()),
        ("Invalid(", twice.into()),
        ("Invalid(", marker),
        ("TooLarge", filler("k", 6000)),
        ("after.max", one("k", "v", NOW + hour + 1)),
        ("before.max", one("k", "v", NOW - 1001)),
    ];
    for (expected, batch) in cases {
        let error = fixture.try_append(&batch).unwrap_err();
        assert!(
            format!("{error:?}").contains(expected),
            "{error:?} is not {expected}"
        );
    }
    assert_eq!(fixture.partition.bounds().end, 0);
    fixture.append(&one("k", "v", NOW + hour));
}

#[test]
fn a_compacted_topic_takes_no_record_without_a_key() {
    let fixture = Fixture::on_disk(&[("cleanup.policy", "compact")]);
    for codec in [0, 1] {
        let batch = TestBatch::at(NOW).record(None, Some("v"), 0).codec(codec);
        assert!(matches!(
            fixture.try_append(&batch.build()),
            Err(AppendError::Invalid(_))
        ));
    }
}

#[test]
fn log_append_time_is_the_brokers_and_keeps_a_good_checksum() {
    let fixture = Fixture::on_disk(&[("message.timestamp.type", "LogAppendTime")]);
    fixture.append(&one("k", "v", 5));
    let found = fixture.partition.find_time(TimeTarget::AtLeast(6)).unwrap();
    assert_eq!(found, Some((0, NOW)));
    assert_eq!(fixture.keys(), ["k"]);
}

#[test]
fn sequences_catch_repeats_gaps_and_zombies() {
    let mut fixture = Fixture::on_disk(&[]);
    let batch = |epoch, sequence| {
        TestBatch::at(NOW)
            .record(Some("k"), Some("v"), 0)
            .producer(7, epoch, sequence)
            .build()
    };
    for (epoch, sequence, expected) in [
        (0, 0, Ok(0)),
        (0, 1, Ok(1)),
        (0, 0, Ok(0)),
        (0, 3, Err(Refusal::OutOfOrderSequence)),
        (0, 2, Ok(2)),
        (1, 5, Err(Refusal::OutOfOrderSequence)),
        (1, 0, Ok(3)),
        (0, 3, Err(Refusal::InvalidEpoch)),
    ] {
        let got = match fixture.try_append(&batch(epoch, sequence)) {
            Ok(offset) => Ok(offset),
            Err(AppendError::Producer(refusal)) => Err(refusal),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(got, expected, "epoch {epoch} sequence {sequence}");
    }
    fixture.reopen();
    assert_eq!(fixture.append(&batch(1, 0)), 3, "a repeat after a crash");
    // After a start, producers have been silent since that moment of the real clock.
    let now = crate::clock::now_ms();
    fixture.partition.flush(true, now).unwrap();
    fixture.reopen();
    assert_eq!(
        fixture.append(&batch(1, 0)),
        3,
        "a repeat after a checkpoint"
    );
    assert_eq!(fixture.append(&batch(1, 1)), 4);
}

#[test]
fn transactions_hide_and_reveal() {
    let fixture = Fixture::on_disk(&[]);
    let partition = &fixture.partition;
    let committed = || {
        let read = fixture.read(0, Isolation::Committed);
        read.into_iter().map(|r| r.1).collect::<Vec<_>>()
    };
    assert!(matches!(
        fixture.try_append(&transactional(1, 0, 0, "early")),
        Err(AppendError::Producer(Refusal::InvalidTransactionState))
    ));
    partition.enlist(1, 0);
    partition.enlist(2, 0);
    fixture.append(&transactional(1, 0, 0, "a0"));
    fixture.append(&transactional(2, 0, 0, "b0"));
    fixture.put(&[("plain", Some("v"))]);
    assert_eq!(partition.bounds().stable, 0);
    assert_eq!(committed(), [""; 0]);
    partition.end_transaction(2, 0, true, NOW).unwrap();
    assert_eq!(partition.bounds().stable, 0, "the older one is still open");
    partition.end_transaction(1, 0, false, NOW).unwrap();
    assert_eq!(committed(), ["b0", "plain"]);
    assert_eq!(fixture.keys(), ["a0", "b0", "plain"]);
    let end = partition.bounds().end;
    partition.end_transaction(1, 0, false, NOW).unwrap();
    assert_eq!(partition.bounds().end, end, "a marker is written once");
    assert!(matches!(
        fixture.try_append(&transactional(1, 0, 1, "late")),
        Err(AppendError::Producer(Refusal::InvalidTransactionState))
    ));
    partition.enlist(1, 1);
    assert!(matches!(
        fixture.try_append(&transactional(1, 0, 1, "zombie")),
        Err(AppendError::Producer(Refusal::InvalidEpoch))
    ));
    fixture.append(&transactional(1, 1, 0, "a1"));
    partition.end_transaction(1, 1, true, NOW).unwrap();
    assert_eq!(committed(), ["b0", "plain", "a1"]);
}

#[test]
fn the_memory_cap_is_a_full_disk_and_is_given_back() {
    let fixture = Fixture::in_memory(&[("retention.ms", "10")]);
    let batch = one("k", &"x".repeat(300_000), NOW - 1000);
    for _ in 0..3 {
        fixture.append(&batch);
    }
    assert!(matches!(
        fixture.try_append(&batch),
        Err(AppendError::Storage(_))
    ));
    assert_eq!(fixture.partition.bounds().end, 3);
    assert!(fixture.partition.retain(&fixture.settings, NOW).unwrap());
    assert_eq!(fixture.append(&batch), 3);
}

#[test]
fn open_files_stay_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let pool = crate::storage::files::FilePool::new(4);
    let slots: Vec<_> = (0..20)
        .map(|n| pool.slot(folder.path().join(n.to_string())))
        .collect();
    for slot in &slots {
        slot.create().unwrap();
    }
    for slot in &slots {
        assert_eq!(slot.get().unwrap().metadata().unwrap().len(), 0);
    }
    let open = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|e| std::fs::read_link(e.unwrap().path()).ok())
        .filter(|target| target.starts_with(folder.path()))
        .count();
    assert!(open <= 4, "{open} files are open");
    let gone = pool.slot(folder.path().join("absent"));
    assert!(gone.get().is_err(), "reading does not create");
}
