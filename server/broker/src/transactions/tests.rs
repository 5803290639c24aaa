#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::journal::CommittedOffset;

const MAX: i32 = 900_000;

fn caller(producer_id: i64, epoch: i16) -> Caller {
    Caller { producer_id, epoch }
}

/// Applies what was decided; returns the offsets made visible.
fn apply(
    t: &mut Transactions,
    entries: impl IntoIterator<Item = Entry>,
) -> BTreeMap<String, Vec<OffsetEntry>> {
    let mut visible = BTreeMap::new();
    for entry in entries {
        visible.extend(t.apply(&entry));
    }
    visible
}

fn init(t: &mut Transactions, id: &str, now: i64) -> Caller {
    let entries = t.init(id, 1000, MAX, None, now).unwrap();
    apply(t, entries);
    let found = t.get(id).unwrap();
    caller(found.producer_id, found.epoch)
}

fn completed(id: &str) -> Entry {
    Entry::Completed {
        id: id.to_owned(),
        at: 0,
    }
}

fn offset(partition: i32, offset: i64) -> OffsetEntry {
    OffsetEntry {
        topic: "t".to_owned(),
        partition,
        committed: CommittedOffset {
            offset,
            leader_epoch: -1,
            metadata: None,
            at: 0,
        },
    }
}

#[test]
fn a_committed_transaction_makes_its_offsets_visible_once() {
    let mut t = Transactions::default();
    let me = init(&mut t, "x", 0);
    assert_eq!(me, caller(0, 0));
    let begun = t.enlist("x", me, vec![("t".to_owned(), 0)], 5).unwrap();
    apply(&mut t, begun);
    assert_eq!(
        t.enlist("x", me, vec![("t".to_owned(), 0)], 6).unwrap(),
        None
    );
    assert_eq!(
        t.add_offsets("x", me, "g", vec![offset(0, 1)], 6),
        Err(TransactionError::InvalidState),
        "the group was not added"
    );
    let added = t.add_group("x", me, "g", 6).unwrap();
    apply(&mut t, added);
    for value in [7, 8] {
        let entry = t
            .add_offsets("x", me, "g", vec![offset(0, value)], 6)
            .unwrap();
        apply(&mut t, [entry]);
    }
    assert!(t.has_pending("g", "t", 0));
    assert!(!t.has_pending("g", "t", 1) && !t.has_pending("other", "t", 0));
    let prepared = t.end("x", me, true).unwrap().unwrap();
    apply(&mut t, [prepared]);
    assert_eq!(t.prepared(), ["x"]);
    assert_eq!(t.end("x", me, false), Err(TransactionError::InvalidState));
    let visible = apply(&mut t, [completed("x")]);
    assert_eq!(visible["g"], [offset(0, 8)]);
    assert!(!t.has_pending("g", "t", 0));
    assert_eq!(
        t.end("x", me, true),
        Ok(None),
        "asked again after a lost answer"
    );
    assert_eq!(t.end("x", me, false), Err(TransactionError::InvalidState));
}

#[test]
fn an_aborted_transaction_makes_nothing_visible() {
    let mut t = Transactions::default();
    let me = init(&mut t, "x", 0);
    let added = t.add_group("x", me, "g", 0).unwrap();
    apply(&mut t, added);
    let entry = t.add_offsets("x", me, "g", vec![offset(0, 7)], 0).unwrap();
    apply(&mut t, [entry]);
    let prepared = t.end("x", me, false).unwrap().unwrap();
    assert!(apply(&mut t, [prepared, completed("x")]).is_empty());
}

#[test]
fn a_second_holder_aborts_and_fences_the_first() {
    let mut t = Transactions::default();
    let first = init(&mut t, "x", 0);
    let begun = t.enlist("x", first, vec![("t".to_owned(), 0)], 0).unwrap();
    apply(&mut t, begun);
    assert_eq!(
        t.init("x", 1000, MAX, None, 1),
        Err(TransactionError::Concurrent),
        "the open one must be aborted first"
    );
    let abort = t.abort_before_init("x").unwrap();
    assert_eq!(
        abort,
        Entry::Prepared {
            id: "x".to_owned(),
            commit: false,
            epoch: 1
        }
    );
    apply(&mut t, [abort, completed("x")]);
    let second = init(&mut t, "x", 2);
    assert_eq!(second, caller(first.producer_id, 2));
    for refused in [
        t.enlist("x", first, vec![], 3).map(|_| ()),
        t.add_group("x", first, "g", 3).map(|_| ()),
        t.end("x", first, true).map(|_| ()),
        t.check_claim("x", first),
    ] {
        assert_eq!(refused, Err(TransactionError::Fenced));
    }
    assert_eq!(
        t.end("x", caller(99, 2), true),
        Err(TransactionError::UnknownMapping)
    );
    assert_eq!(
        t.end("x", second, true),
        Err(TransactionError::InvalidState)
    );
}

#[test]
fn timeouts_are_bounded_and_abort_with_a_higher_epoch() {
    let mut t = Transactions::default();
    for bad in [0, -1, MAX + 1] {
        assert_eq!(
            t.init("x", bad, MAX, None, 0),
            Err(TransactionError::InvalidTimeout)
        );
    }
    let me = init(&mut t, "x", 0);
    assert_eq!(t.next_timeout(), None);
    let begun = t.enlist("x", me, vec![], 100).unwrap();
    apply(&mut t, begun);
    assert_eq!(t.next_timeout(), Some(1100));
    assert!(t.timed_out(1099).is_empty());
    let aborts = t.timed_out(1100);
    assert_eq!(aborts.len(), 1);
    apply(&mut t, aborts);
    assert_eq!(t.end("x", me, true), Err(TransactionError::Fenced));
}

#[test]
fn an_exhausted_epoch_takes_a_new_producer_id() {
    let mut t = Transactions::default();
    apply(
        &mut t,
        [Entry::Initialized {
            id: "x".to_owned(),
            producer_id: 5,
            epoch: i16::MAX - 1,
            timeout_ms: 1000,
            at: 0,
        }],
    );
    assert_eq!(init(&mut t, "x", 0), caller(6, 0));
}

#[test]
fn producer_ids_are_never_given_out_twice_across_a_restart() {
    let mut t = Transactions::default();
    let (id, reserve) = t.fresh_producer_id();
    let journal = vec![reserve.unwrap()];
    apply(&mut t, journal.clone());
    t.take_producer_id(id);
    let (second, reserve) = t.fresh_producer_id();
    assert_eq!((id, second, reserve), (0, 1, None));
    let mut restarted = Transactions::default();
    apply(&mut restarted, journal);
    restarted.replayed();
    assert!(restarted.fresh_producer_id().0 > second);
}

#[test]
fn a_snapshot_replays_to_the_same_state() {
    let mut t = Transactions::default();
    for (id, step) in [("empty", 0), ("open", 1), ("prepared", 2), ("done", 3)] {
        let me = init(&mut t, id, 1);
        if step >= 1 {
            let begun = t.enlist(id, me, vec![("t".to_owned(), 3)], 2).unwrap();
            apply(&mut t, begun);
            let added = t.add_group(id, me, "g", 2).unwrap();
            apply(&mut t, added);
            let entry = t.add_offsets(id, me, "g", vec![offset(1, 4)], 2).unwrap();
            apply(&mut t, [entry]);
        }
        if step >= 2 {
            let prepared = t.end(id, me, true).unwrap();
            apply(&mut t, prepared);
        }
        if step >= 3 {
            apply(&mut t, [completed(id)]);
        }
    }
    let mut copy = Transactions::default();
    let visible = apply(&mut copy, t.snapshot());
    assert!(
        visible.is_empty(),
        "offsets of the completed one are in the groups' snapshot"
    );
    for (id, original) in t.iter() {
        let copied = copy.get(id).unwrap();
        assert_eq!(format!("{copied:?}"), format!("{original:?}"), "{id}");
    }
}

#[test]
fn a_deleted_topic_takes_its_pending_offsets_along() {
    let mut t = Transactions::default();
    let me = init(&mut t, "x", 0);
    let added = t.add_group("x", me, "g", 0).unwrap();
    apply(&mut t, added);
    let entry = t.add_offsets("x", me, "g", vec![offset(0, 7)], 0).unwrap();
    let deleted = Entry::TopicDeleted {
        name: "t".to_owned(),
    };
    apply(&mut t, [entry, deleted]);
    let prepared = t.end("x", me, true).unwrap().unwrap();
    let visible = apply(&mut t, [prepared, completed("x")]);
    assert!(visible["g"].is_empty());
}
