#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::ops::Bound;

use proptest::prelude::*;

use super::*;

fn id(partition: u32) -> TaskId {
    TaskId {
        query: "CTAS_A/B_1".into(),
        part: 0,
        partition,
    }
}

fn all(store: &dyn KvStore) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut last: Option<Vec<u8>> = None;
    store
        .range(Bound::Unbounded, Bound::Unbounded, &mut |key, value| {
            assert!(last.as_deref() < Some(key), "keys ascend");
            last = Some(key.to_vec());
            found.insert(key.to_vec(), value.to_vec());
            Ok(std::ops::ControlFlow::Continue(()))
        })
        .unwrap();
    found
}

fn positions(entries: &[(&str, i64)]) -> Positions {
    entries
        .iter()
        .map(|(name, offset)| ((*name).to_owned(), *offset))
        .collect()
}

#[test]
fn commits_data_with_positions_and_finds_both_again() {
    let folder = tempfile::tempdir().unwrap();
    {
        let database = Database::open(folder.path(), Budget::default()).unwrap();
        let task = database.task(&id(1), &["a", "b"]).unwrap();
        let mut stores = task.stores();
        stores[0].put(b"k", Some(b"1"), 5).unwrap();
        stores[1].put(b"k", Some(b"2"), 5).unwrap();
        database
            .commit(&[(&task, positions(&[("log/a", 3)]))])
            .unwrap();
        database
            .commit(&[(&task, positions(&[("log/b", 4)]))])
            .unwrap();
        stores[0].put(b"k", Some(b"lost"), 6).unwrap();
        database.flush().unwrap();
    }
    let database = Database::open(folder.path(), Budget::default()).unwrap();
    // Another order of stores: they are found by name.
    let task = database.task(&id(1), &["b", "a", "c"]).unwrap();
    assert_eq!(
        task.positions().unwrap(),
        positions(&[("log/a", 3), ("log/b", 4)])
    );
    let stores = task.stores();
    assert_eq!(stores[0].get(b"k").unwrap().as_deref(), Some(&b"2"[..]));
    assert_eq!(stores[1].get(b"k").unwrap().as_deref(), Some(&b"1"[..]));
    assert_eq!(stores[2].get(b"k").unwrap(), None);
    assert_eq!(database.queries(), ["CTAS_A/B_1"]);
    database.drop_query("CTAS_A/B_1").unwrap();
    assert!(database.queries().is_empty());
    let task = database.task(&id(1), &["a"]).unwrap();
    assert!(task.positions().unwrap().is_empty());
    assert!(all(task.stores()[0].as_ref()).is_empty());
}

#[test]
fn without_a_flush_neither_data_nor_positions_survive() {
    let folder = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let database = Database::open(folder.path(), Budget::default()).unwrap();
    let task = database.task(&id(0), &["a"]).unwrap();
    let mut stores = task.stores();
    stores[0].put(b"k", Some(b"1"), 5).unwrap();
    database
        .commit(&[(&task, positions(&[("log/a", 1)]))])
        .unwrap();
    database.flush().unwrap();
    stores[0].put(b"k", Some(b"2"), 5).unwrap();
    database
        .commit(&[(&task, positions(&[("log/a", 2)]))])
        .unwrap();
    // What a killed process leaves: the files as they are now.
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap() != "LOCK" {
            std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    let database = Database::open(copy.path(), Budget::default()).unwrap();
    let task = database.task(&id(0), &["a"]).unwrap();
    assert_eq!(task.positions().unwrap(), positions(&[("log/a", 1)]));
    assert_eq!(
        task.stores()[0].get(b"k").unwrap().as_deref(),
        Some(&b"1"[..])
    );
}

#[test]
fn a_second_server_is_told_who_is_in_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Database::open(folder.path(), Budget::default()).unwrap();
    let error = Database::open(folder.path(), Budget::default())
        .err()
        .expect("locked");
    assert!(
        error.to_string().contains("in use by another server"),
        "{error}"
    );
}

#[test]
fn readers_see_uncommitted_writes_and_write_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(folder.path(), Budget::default()).unwrap();
    let task = database.task(&id(0), &["a"]).unwrap();
    let mut stores = task.stores();
    let mut reader = task.reader("a").unwrap();
    stores[0].put(b"k", Some(b"1"), 5).unwrap();
    assert_eq!(reader.get(b"k").unwrap().as_deref(), Some(&b"1"[..]));
    assert_eq!(all(&reader).len(), 1);
    assert!(reader.put(b"k", None, 0).is_err());
    task.discard();
    assert_eq!(reader.get(b"k").unwrap(), None);
    assert!(task.reader("b").is_none());
}

#[test]
fn positions_are_golden_bytes() {
    let bytes = encode_positions(&positions(&[("a", 1), ("bc", -2)]));
    assert_eq!(
        bytes,
        *b"\x01\x01\0a\x01\0\0\0\0\0\0\0\x02\0bc\xfe\xff\xff\xff\xff\xff\xff\xff"
    );
    assert_eq!(
        decode_positions("f", &bytes).unwrap(),
        positions(&[("a", 1), ("bc", -2)])
    );
    for cut in 0..bytes.len() {
        let cut_short = decode_positions("f", &bytes[..cut]);
        assert!(cut_short.is_err() || cut_short.unwrap().len() < 2);
    }
}

#[derive(Debug, Clone)]
enum Action {
    Put(u8, Option<u8>),
    Restore(u8, Option<u8>),
    Expire(u8, u8),
    Get(u8),
    Range(u8, u8),
    Drain,
    Commit,
    Discard,
}

fn action() -> impl Strategy<Value = Action> {
    let key = 0u8..12;
    prop_oneof![
        4 => (key.clone(), any::<Option<u8>>()).prop_map(|(k, v)| Action::Put(k, v)),
        1 => (key.clone(), any::<Option<u8>>()).prop_map(|(k, v)| Action::Restore(k, v)),
        1 => (key.clone(), key.clone()).prop_map(|(a, b)| Action::Expire(a, b)),
        2 => key.clone().prop_map(Action::Get),
        1 => (key.clone(), key).prop_map(|(a, b)| Action::Range(a, b)),
        1 => Just(Action::Drain),
        1 => Just(Action::Commit),
        1 => Just(Action::Discard),
    ]
}

/// A store as a map, a copy of it at the last commit, and what the changelog is due.
#[derive(Default, Clone)]
struct Model {
    now: BTreeMap<Vec<u8>, Vec<u8>>,
    committed: BTreeMap<Vec<u8>, Vec<u8>>,
    log: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn behaves_like_a_map_with_commits(
        actions in prop::collection::vec(action(), 1..60),
        read_cache in prop_oneof![Just(0usize), Just(200), Just(1 << 20)],
    ) {
        let folder = tempfile::tempdir().unwrap();
        let budget = Budget { read_cache, ..Budget::default() };
        let database = Database::open(folder.path(), budget).unwrap();
        // Neighbours on both sides: their keys must never show.
        let task = database.task(&id(0), &["before", "a", "z"]).unwrap();
        let mut stores = task.stores();
        stores[0].put(b"\x05", Some(b"x"), 0).unwrap();
        stores[2].put(b"\x05", Some(b"x"), 0).unwrap();
        database.commit(&[(&task, Positions::new())]).unwrap();
        let mut store = stores.remove(1);
        let mut model = Model::default();
        for action in actions {
            match action {
                Action::Put(k, v) | Action::Restore(k, v) => {
                    let (key, value) = (vec![k], v.map(|v| vec![v; usize::from(v % 3)]));
                    match &value {
                        Some(value) => model.now.insert(key.clone(), value.clone()),
                        None => model.now.remove(&key),
                    };
                    model.log.retain(|(held, _)| *held != key);
                    if matches!(action, Action::Put(..)) {
                        store.put(&key, value.as_deref(), 0).unwrap();
                        model.log.push((key, value));
                    } else {
                        store.restore(&key, value.as_deref(), 0).unwrap();
                    }
                }
                Action::Expire(a, b) => {
                    let gone = |key: &[u8]| a <= key[0] && key[0] < b;
                    model.now.retain(|key, _| !gone(key));
                    model.log.retain(|(key, _)| !gone(key));
                    store.expire_range(&[a], &[b]).unwrap();
                }
                Action::Get(k) => {
                    prop_assert_eq!(store.get(&[k]).unwrap(), model.now.get(&vec![k]).cloned());
                }
                Action::Range(a, b) => {
                    let mut found = Vec::new();
                    store.range(Bound::Excluded(&[a]), Bound::Included(&[b]), &mut |k, v| {
                        found.push((k.to_vec(), v.to_vec()));
                        Ok(std::ops::ControlFlow::Continue(()))
                    }).unwrap();
                    let expected: Vec<_> = model.now.iter()
                        .filter(|(k, _)| a < k[0] && k[0] <= b)
                        .map(|(k, v)| (k.clone(), v.clone())).collect();
                    prop_assert_eq!(&found, &expected);
                    let reader = task.reader("a").unwrap().in_parts_of(1 + usize::from(a % 3));
                    found.clear();
                    reader.range(Bound::Excluded(&[a]), Bound::Included(&[b]), &mut |k, v| {
                        found.push((k.to_vec(), v.to_vec()));
                        Ok(std::ops::ControlFlow::Continue(()))
                    }).unwrap();
                    prop_assert_eq!(found, expected);
                }
                Action::Drain => {
                    let mut log = Vec::new();
                    store.drain_changelog(&mut |key, value, _| {
                        log.push((key.to_vec(), value.map(<[u8]>::to_vec)));
                    }).unwrap();
                    prop_assert_eq!(log, std::mem::take(&mut model.log));
                }
                Action::Commit => {
                    database.commit(&[(&task, Positions::new())]).unwrap();
                    prop_assert_eq!(store.uncommitted_bytes(), 0);
                    model.committed = model.now.clone();
                    model.log.clear();
                }
                Action::Discard => {
                    task.discard();
                    model.now = model.committed.clone();
                    model.log.clear();
                }
            }
        }
        prop_assert_eq!(all(store.as_ref()), model.now);
    }
}
