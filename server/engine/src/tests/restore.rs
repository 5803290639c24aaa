//! What the changelogs bring back is what the stores held, and a task goes on from it.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use weir_state::store::Visitor;
use weir_state::{Budget, Database, KvStore, MemoryStore, Positions, Result, TaskId};

use super::invariance::{plans, row};
use super::*;

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;
type Range = (Vec<u8>, Vec<u8>);

/// A store that tells which ranges were dropped without the changelog's knowledge.
struct Watched {
    store: MemoryStore,
    expired: Arc<Mutex<Vec<Range>>>,
}

impl KvStore for Watched {
    fn name(&self) -> &str {
        self.store.name()
    }

    fn get_many(&self, keys: &[&[u8]], out: &mut Vec<Option<Vec<u8>>>) -> Result<()> {
        self.store.get_many(keys, out)
    }

    fn put(&mut self, key: &[u8], value: Option<&[u8]>, timestamp: i64) -> Result<()> {
        self.store.put(key, value, timestamp)
    }

    fn range(&self, from: Bound<&[u8]>, to: Bound<&[u8]>, visit: &mut Visitor<'_>) -> Result<()> {
        self.store.range(from, to, visit)
    }

    fn upper_bound(&self) -> Result<Option<Vec<u8>>> {
        self.store.upper_bound()
    }

    fn expire_range(&mut self, from: &[u8], to: &[u8]) -> Result<()> {
        let range = (from.to_vec(), to.to_vec());
        self.expired.lock().unwrap().push(range);
        self.store.expire_range(from, to)
    }

    fn drain_changelog(&mut self, emit: &mut dyn FnMut(&[u8], Option<&[u8]>, i64)) -> Result<()> {
        self.store.drain_changelog(emit)
    }

    fn restore(&mut self, key: &[u8], value: Option<&[u8]>, timestamp: i64) -> Result<()> {
        self.store.restore(key, value, timestamp)
    }

    fn uncommitted_bytes(&self) -> usize {
        self.store.uncommitted_bytes()
    }
}

fn entries(store: &dyn KvStore) -> Entries {
    let mut entries = Entries::new();
    store
        .range(Bound::Unbounded, Bound::Unbounded, &mut |key, value| {
            entries.insert(key.to_vec(), value.to_vec());
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    entries
}

fn options(cache_bytes: usize) -> TaskOptions {
    TaskOptions {
        cache_bytes,
        never_wait: true,
        ..TaskOptions::default()
    }
}

/// Offers all rows to the inputs of a task.
fn offer(task: &mut dyn Task, topics: &[String], rows: &[Row]) {
    for (input, topic) in topics.iter().enumerate() {
        let index = usize::from(topic == "R");
        let own: Vec<&Row> = rows.iter().filter(|row| row.0 == index).collect();
        task.offer(input, fetched(&own));
    }
}

const LIMITS: StepLimits = StepLimits {
    max_rows: 5,
    now_ms: 0,
};

/// Runs rows through a task with a flush after every second step; gives what the stores hold, and
/// what replaying the changelogs gives.
fn live_and_restored(
    plan: &LogicalPlan,
    rows: &[Row],
    cache_bytes: usize,
) -> Vec<(Entries, Entries)> {
    let topology = compile(&query(plan.clone())).unwrap();
    let part = &topology.parts[0];
    let expired: Vec<Arc<Mutex<Vec<Range>>>> =
        part.stores().iter().map(|_| Arc::default()).collect();
    let stores = part.stores().iter().zip(&expired).map(|(spec, expired)| {
        Box::new(Watched {
            store: MemoryStore::new(&spec.name),
            expired: Arc::clone(expired),
        }) as Box<dyn KvStore>
    });
    let mut task = part
        .new_task(0, stores.collect(), &options(cache_bytes))
        .unwrap();
    let topics: Vec<String> = part.inputs().iter().map(topic_name).collect();
    offer(task.as_mut(), &topics, rows);
    let mut restored: Vec<MemoryStore> = part
        .stores()
        .iter()
        .map(|spec| MemoryStore::new(&spec.name))
        .collect();
    let mut out = Emitted::default();
    loop {
        let taken = task.step(LIMITS, &mut out).unwrap() + task.step(LIMITS, &mut out).unwrap();
        task.flush(0, &mut out).unwrap();
        for (store, batch) in out.changelog.drain(..) {
            for row in 0..batch.timestamps.len() {
                let key = batch.keys.get(row).unwrap();
                let value = batch.values.get(row);
                restored[store]
                    .restore(key, value, batch.timestamps[row])
                    .unwrap();
            }
        }
        for (store, expired) in restored.iter_mut().zip(&expired) {
            for (from, to) in expired.lock().unwrap().drain(..) {
                store.expire_range(&from, &to).unwrap();
            }
        }
        if taken == 0 {
            break;
        }
    }
    task.stores()
        .iter()
        .zip(&restored)
        .map(|(live, restored)| (entries(live.as_ref()), entries(restored)))
        .collect()
}

fn topic_name(input: &crate::InputSpec) -> String {
    match &input.topic {
        crate::TopicName::User(name) | crate::TopicName::Internal(name) => name.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn changelogs_hold_what_the_stores_hold(
        rows in prop::collection::vec(row(), 0..60),
        cache_bytes in prop_oneof![Just(0usize), Just(1 << 20)],
    ) {
        for (name, plan) in plans() {
            for (live, restored) in live_and_restored(&plan, &rows, cache_bytes) {
                prop_assert_eq!(live, restored, "{}", name);
            }
        }
    }
}

/// Runs rows through tasks on a database, which is committed after each part of the rows; with
/// `reopened` every part has a task of its own.
fn over_database(
    database: &Database,
    plan: &LogicalPlan,
    parts: &[Vec<Row>],
    reopened: bool,
) -> Vec<String> {
    let topology = compile(&query(plan.clone())).unwrap();
    let part = &topology.parts[0];
    let names: Vec<&str> = part.stores().iter().map(|s| s.name.as_str()).collect();
    let topics: Vec<String> = part.inputs().iter().map(topic_name).collect();
    // Every run has a state of its own: the queries of a database count up.
    let id = TaskId {
        query: format!("Q{}", database.queries().len()),
        part: 0,
        partition: 0,
    };
    let open = || {
        let state = database.task(&id, &names).unwrap();
        let task = part.new_task(0, state.stores(), &options(0)).unwrap();
        (state, task)
    };
    let (mut state, mut task) = open();
    let mut out = Emitted::default();
    for rows in parts {
        if reopened {
            let metadata = task.metadata();
            (state, task) = open();
            task.restore_metadata(&metadata);
        }
        offer(task.as_mut(), &topics, rows);
        while task.step(LIMITS, &mut out).unwrap() > 0 {}
        task.flush(0, &mut out).unwrap();
        database.commit(&[(&state, Positions::new())]).unwrap();
    }
    lines(&out)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn a_task_goes_on_from_its_stores(
        rows in prop::collection::vec(row(), 1..60),
        cuts in 1..6usize,
    ) {
        let parts: Vec<Vec<Row>> = rows
            .chunks(rows.len().div_ceil(cuts))
            .map(<[Row]>::to_vec)
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path(), Budget::default()).unwrap();
        for (name, plan) in plans() {
            let whole = over_database(&database, &plan, &parts, false);
            let cut = over_database(&database, &plan, &parts, true);
            prop_assert_eq!(whole, cut, "{}", name);
        }
    }
}
