//! What a start finds after crashes and damage, and makes of it.

use super::*;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::FileExt;

fn corrupt(path: &Path, at: u64) {
    let file = OpenOptions::new()
        .write(true)
        .read(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0xff], at).unwrap();
}

fn three_keys() -> Fixture {
    let fixture = Fixture::on_disk(&[]);
    for key in ["a", "b", "c"] {
        fixture.put(&[(key, Some("v"))]);
    }
    fixture
}

#[test]
fn everything_written_is_there_after_a_kill() {
    let mut fixture = three_keys();
    fixture.reopen();
    assert_eq!(fixture.keys(), ["a", "b", "c"]);
    assert_eq!(fixture.put(&[("d", Some("v"))]), 3);
}

#[test]
fn a_torn_tail_is_cut_at_every_length() {
    let whole = one("c", "v", NOW).len() as u64;
    for torn in [1, 11, 12, 60, 61, 62, whole - 1] {
        let mut fixture = three_keys();
        let log = last_log(&fixture.dir());
        let length = std::fs::metadata(&log).unwrap().len();
        let file = OpenOptions::new().write(true).open(&log).unwrap();
        file.set_len(length - whole + torn).unwrap();
        fixture.reopen();
        assert_eq!(fixture.keys(), ["a", "b"], "torn at {torn}");
        assert_eq!(std::fs::metadata(&log).unwrap().len(), length - whole);
        assert_eq!(fixture.put(&[("again", Some("v"))]), 2);
        fixture.reopen();
        assert_eq!(fixture.keys(), ["a", "b", "again"]);
    }
}

#[test]
fn garbage_after_the_last_batch_is_cut() {
    for garbage in [&b"\0\0\0\0\0\0\0\0"[..], &[0xff; 100], &[0; 4096]] {
        let mut fixture = three_keys();
        let log = last_log(&fixture.dir());
        let mut file = OpenOptions::new().append(true).open(&log).unwrap();
        file.write_all(garbage).unwrap();
        fixture.reopen();
        assert_eq!(fixture.keys(), ["a", "b", "c"]);
    }
}

#[test]
fn a_batch_damaged_before_the_checkpoint_is_not_looked_at_and_one_after_it_is_cut() {
    let mut fixture = three_keys();
    fixture.partition.flush(true, NOW).unwrap();
    fixture.put(&[("d", Some("v"))]);
    let log = last_log(&fixture.dir());
    let length = std::fs::metadata(&log).unwrap().len();
    corrupt(&log, length - 3);
    fixture.reopen();
    assert_eq!(fixture.keys(), ["a", "b", "c"]);
    let log = last_log(&fixture.dir());
    corrupt(&log, 70);
    fixture.reopen();
    assert_eq!(fixture.partition.bounds().end, 3, "trusted without reading");
}

/// Something that happens to a partition's folder while nobody looks.
type Damage = fn(&Path);

/// Twenty batches in several segments, with a checkpoint, a transaction that was aborted and one that is open.
fn rich() -> Fixture {
    let fixture = Fixture::on_disk(&[("segment.bytes", "1048576")]);
    let partition = &fixture.partition;
    partition.enlist(1, 0);
    fixture.append(&transactional(1, 0, 0, "void"));
    partition.end_transaction(1, 0, false, NOW).unwrap();
    for n in 0..10 {
        fixture.append(&filler(&format!("k{n}"), 200_000));
    }
    partition.flush(true, NOW).unwrap();
    for n in 10..20 {
        fixture.append(&filler(&format!("k{n}"), 200_000));
    }
    partition.enlist(2, 0);
    fixture.append(&transactional(2, 0, 0, "open"));
    fixture
}

fn check_rich(fixture: &Fixture, what: &str) {
    let expected: Vec<String> = (0..20).map(|n| format!("k{n}")).collect();
    let read = fixture.read(0, Isolation::Committed);
    let keys: Vec<String> = read.into_iter().map(|r| r.1).collect();
    assert_eq!(keys, expected, "{what}");
    let bounds = fixture.partition.bounds();
    assert_eq!((bounds.stable, bounds.end), (22, 23), "{what}");
    let last = fixture.partition.find_time(TimeTarget::Largest).unwrap();
    assert_eq!(last.map(|(_, time)| time), Some(NOW), "{what}");
}

#[test]
fn lost_or_damaged_helpers_are_made_anew_from_the_log() {
    let damages: [(&str, Damage); 5] = [
        ("nothing", |_| {}),
        ("no checkpoint", |dir| {
            std::fs::remove_file(dir.join("checkpoint")).unwrap();
        }),
        ("damaged checkpoint", |dir| {
            corrupt(&dir.join("checkpoint"), 30)
        }),
        ("no index", |dir| {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|e| e == "index") {
                    std::fs::remove_file(path).unwrap();
                }
            }
        }),
        ("damaged index", |dir| {
            let path = dir.join("00000000000000000000.index");
            let length = std::fs::metadata(&path).unwrap().len();
            corrupt(&path, length - 30);
        }),
    ];
    for (what, damage) in damages {
        let mut fixture = rich();
        damage(&fixture.dir());
        fixture.reopen();
        check_rich(&fixture, what);
        fixture.reopen();
        check_rich(&fixture, &format!("{what}, started twice"));
        fixture.partition.end_transaction(2, 0, true, NOW).unwrap();
        assert_eq!(fixture.partition.bounds().stable, 24, "{what}");
    }
}

#[test]
fn a_damaged_index_body_only_makes_lookups_slow() {
    let mut fixture = rich();
    corrupt(&fixture.dir().join("00000000000000000000.index"), 0);
    fixture.reopen();
    assert_eq!(fixture.read(3, Isolation::Uncommitted)[0].0, 3);
}

#[test]
fn a_segment_torn_in_the_middle_takes_those_behind_it_along() {
    let mut fixture = Fixture::on_disk(&[("segment.bytes", "1048576")]);
    for n in 0..12 {
        fixture.append(&filler(&format!("k{n}"), 200_000));
    }
    assert_eq!(fixture.log_files().len(), 3);
    let first = fixture.dir().join(&fixture.log_files()[0]);
    corrupt(&first, 500_000);
    fixture.reopen();
    assert_eq!(fixture.keys(), ["k0", "k1"]);
    assert_eq!(fixture.log_files().len(), 1);
}

#[test]
fn leftovers_of_interrupted_work_are_removed() {
    let mut fixture = three_keys();
    let dir = fixture.dir();
    std::fs::write(dir.join("checkpoint.tmp"), b"half").unwrap();
    std::fs::create_dir(dir.join("compacting")).unwrap();
    std::fs::write(dir.join("compacting/00000000000000000000.log"), b"half").unwrap();
    std::fs::write(dir.join("notes.log"), b"not a segment").unwrap();
    fixture.reopen();
    assert_eq!(fixture.keys(), ["a", "b", "c"]);
    assert!(!dir.join("checkpoint.tmp").exists() && !dir.join("compacting").exists());
    assert!(dir.join("notes.log").exists(), "what is not ours stays");
}

#[test]
fn the_log_start_survives() {
    let mut fixture = three_keys();
    assert_eq!(fixture.partition.delete_records(2, NOW).unwrap(), 2);
    fixture.reopen();
    assert_eq!(fixture.keys(), ["c"]);
    fixture.partition.delete_records(-1, NOW).unwrap();
    fixture.reopen();
    let bounds = fixture.partition.bounds();
    assert_eq!((bounds.start, bounds.end), (3, 3));
    assert_eq!(fixture.put(&[("d", Some("v"))]), 3);
    assert!(matches!(
        fixture.partition.delete_records(9, NOW),
        Err(ReadError::OutOfRange)
    ));
}

#[test]
fn a_folder_that_cannot_be_written_gives_an_error_and_takes_no_offset() {
    let fixture = Fixture::on_disk(&[]);
    // The segment's file is created with the first batch: a folder in its place makes that fail, also for root.
    let path = fixture.dir().join("00000000000000000000.log");
    std::fs::create_dir(&path).unwrap();
    assert!(matches!(
        fixture.try_append(&one("k", "v", NOW)),
        Err(AppendError::Storage(_))
    ));
    std::fs::remove_dir(&path).unwrap();
    assert_eq!(fixture.put(&[("k", Some("v"))]), 0);
    assert_eq!(fixture.keys(), ["k"]);
}
