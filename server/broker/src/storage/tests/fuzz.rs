//! Damaged files: whatever a disk gives back, a start heals or refuses, and what it then serves is sound.

use super::*;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::sync::LazyLock;

/// A partition's folder with all that a log can hold: sealed segments and an active one, their indexes, a checkpoint, every
/// codec, transactions that were committed, aborted and left open.
static FILES: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let fixture = Fixture::on_disk(&[("segment.bytes", "1048576"), ("index.interval.bytes", "0")]);
    let partition = &fixture.partition;
    for codec in 0..=4 {
        let batch = TestBatch::at(NOW)
            .record(Some("a"), Some("1"), 0)
            .record(None, Some("2"), 5)
            .codec(codec);
        fixture.append(&batch.build());
    }
    for (producer, commit) in [(1, true), (2, false)] {
        partition.enlist(producer, 0);
        fixture.append(&transactional(producer, 0, 0, "t"));
        partition.end_transaction(producer, 0, commit, NOW).unwrap();
    }
    // A segment that is over age is sealed, however small it is.
    let aged = settings(&[("cleanup.policy", "compact"), ("segment.ms", "1")]);
    partition.compact(&aged, NOW + 1000).unwrap();
    fixture.put(&[("b", Some("v")), ("c", None)]);
    partition.flush(true, NOW).unwrap();
    partition.enlist(3, 0);
    fixture.append(&transactional(3, 0, 0, "open"));
    fixture.put(&[("d", Some("v"))]);
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(fixture.dir())
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read(&path).unwrap())
        })
        .collect();
    files.sort();
    let kinds = |end: &str| files.iter().filter(|(name, _)| name.ends_with(end)).count();
    assert!(kinds(".log") >= 2 && kinds(".index") >= 2 && kinds("checkpoint") == 1);
    files
});

#[derive(Clone, Debug)]
enum Damage {
    Set(usize, u8),
    Cut(usize),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
    Gone,
}

fn damage() -> impl Strategy<Value = (usize, Damage)> {
    let at = 0usize..4096;
    let kind = prop_oneof![
        6 => (at.clone(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        2 => at.clone().prop_map(Damage::Cut),
        1 => (at.clone(), prop::collection::vec(any::<u8>(), 1..40)).prop_map(|(at, b)| Damage::Insert(at, b)),
        1 => (at, 1usize..80).prop_map(|(at, count)| Damage::Remove(at, count)),
        1 => Just(Damage::Gone),
    ];
    (0usize..16, kind)
}

fn apply(damage: &Damage, bytes: &mut Vec<u8>) {
    let length = bytes.len().max(1);
    match damage {
        Damage::Set(at, byte) => {
            if let Some(slot) = bytes.get_mut(at % length) {
                *slot = *byte;
            }
        }
        Damage::Cut(at) => bytes.truncate(at % length),
        Damage::Insert(at, new) => {
            let at = (at % length).min(bytes.len());
            bytes.splice(at..at, new.iter().copied());
        }
        Damage::Remove(at, count) => {
            let at = (at % length).min(bytes.len());
            let end = (at + count).min(bytes.len());
            bytes.drain(at..end);
        }
        Damage::Gone => {}
    }
}

proptest! {
    // The seed is stored here, so that every run is the same; another one is another search.
    #![proptest_config(ProptestConfig { cases: 400, rng_seed: RngSeed::Fixed(4), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_folders_open_and_go_on(damages in prop::collection::vec(damage(), 1..4)) {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("0");
        std::fs::create_dir(&dir).unwrap();
        let mut files = FILES.clone();
        for (which, damage) in &damages {
            let which = which % files.len();
            if matches!(damage, Damage::Gone) {
                files.remove(which);
            } else {
                apply(damage, &mut files[which].1);
            }
        }
        for (name, bytes) in &files {
            std::fs::write(dir.join(name), bytes).unwrap();
        }
        let mut fixture = Fixture { folder: Some(folder), ..Fixture::in_memory(&[]) };
        fixture.reopen();
        let bounds = fixture.partition.bounds();
        prop_assert!(bounds.start <= bounds.stable && bounds.stable <= bounds.end, "{bounds:?}");
        // Reading may meet damage that a start does not look for, and says so; it never goes wrong otherwise.
        let mut at = bounds.start;
        while let Ok(slice) = fixture.partition.fetch(at, 1 << 20, Isolation::Committed, true) {
            let Ok(header) = BatchHeader::parse(&slice.records) else { break };
            prop_assert!(header.next_offset() > at, "a fetch goes on");
            at = header.next_offset();
        }
        for target in [TimeTarget::AtLeast(0), TimeTarget::AtLeast(NOW + 3), TimeTarget::Largest] {
            let _ = fixture.partition.find_time(target);
        }
        let compacted = settings(&[("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0")]);
        let _ = fixture.partition.compact(&compacted, NOW);
        // Writing goes on, and what is written then survives.
        let end = fixture.partition.bounds().end;
        let batch = one("after", "v", NOW);
        prop_assert_eq!(fixture.append(&batch), end);
        fixture.reopen();
        let slice = fixture.partition.fetch(end, 1 << 20, Isolation::Uncommitted, true).unwrap();
        let header = BatchHeader::parse_whole(&slice.records).unwrap();
        prop_assert_eq!((header.base_offset, header.size), (end, batch.len()));
    }

    /// Checksums are made to fit, so that what lies behind them is reached.
    #[test]
    fn hostile_batches_are_taken_or_refused(
        codec in 0i16..8, damages in prop::collection::vec((0usize..200, any::<u8>()), 0..4), cut in 0usize..8,
        compact in any::<bool>(),
    ) {
        let batch = TestBatch::at(NOW).record(Some("a"), Some("1"), 0).record(Some("b"), None, 5).codec(codec.min(4));
        let mut bytes = batch.build().to_vec();
        let length = bytes.len();
        for (at, value) in damages {
            bytes[16 + at % (length - 16)] = value;
        }
        bytes.truncate(length - cut);
        let size = (bytes.len() - 12) as u32;
        bytes[8..12].copy_from_slice(&size.to_be_bytes());
        let crc = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        let policy = if compact { "compact" } else { "delete" };
        let fixture = Fixture::in_memory(&[("cleanup.policy", policy), ("message.timestamp.after.max.ms", "9223372036854775807")]);
        if fixture.try_append(&Bytes::from(bytes)).is_ok() {
            let read = fixture.partition.fetch(0, 1 << 20, Isolation::Uncommitted, true).unwrap();
            let header = BatchHeader::parse_whole(&read.records).unwrap();
            let body = body_of(&header, &read.records).unwrap();
            let whole = records(&header, &body).filter(|record| record.is_ok()).count();
            prop_assert_eq!(whole, header.record_count as usize, "what is taken can be read");
        }
    }
}
