//! Queries of several tasks: what goes through internal topics comes to the same result, whatever
//! the steps, and after a restart.
//!
//! ```text
//!  rows ─► every task that reads their topic ─► internal records ─► … until all are quiet
//! ```
//!
//! Behind GROUP BY the rows come in one order, so that all of them are compared. A foreign-key
//! join answers as its tasks meet; there the tables that the rows end in are compared.

use std::collections::BTreeMap;

use proptest::prelude::*;
use weir_parser::Variables;
use weir_parser::ast::Statement;
use weir_planner::ddl::{MemoryCatalog, Outcome, create_source};
use weir_planner::{QueryContext, plan_query};
use weir_state::{Budget, Database, KvStore, TaskId, TaskState};
use weir_types::records::EncodedBatch;

use super::invariance::row;
use super::*;
use crate::{SubTopology, TopicName};

/// Over the topics `S` and `R` of [`row`]: streams, and tables `TS` and `TR`.
const SOURCES: &str = "
    CREATE STREAM S (K STRING KEY, V INT, B BOOLEAN)
        WITH (KAFKA_TOPIC='S', VALUE_FORMAT='JSON', PARTITIONS=1);
    CREATE STREAM R (K STRING KEY, V INT, B BOOLEAN)
        WITH (KAFKA_TOPIC='R', VALUE_FORMAT='JSON', PARTITIONS=1);
    CREATE TABLE TS (K STRING PRIMARY KEY, V INT, B BOOLEAN)
        WITH (KAFKA_TOPIC='S', VALUE_FORMAT='JSON', PARTITIONS=1);
    CREATE TABLE TR (K STRING PRIMARY KEY, V INT, B BOOLEAN)
        WITH (KAFKA_TOPIC='R', VALUE_FORMAT='JSON', PARTITIONS=1);";

/// Queries whose rows come in one order.
const ORDERED: &[&str] = &[
    "SELECT V, K, B FROM S PARTITION BY V",
    "SELECT K, EXPLODE(GENERATE_SERIES(0, V)) AS E, EXPLODE(ARRAY[B, B]) AS F FROM S",
    "SELECT V, COUNT(*), SUM(V) FROM S GROUP BY V",
    "SELECT B, COUNT(V) FROM S WHERE V > 0 GROUP BY B HAVING COUNT(V) > 1",
    "SELECT B, COUNT(*), SUM(V) FROM TS GROUP BY B",
    "SELECT V, WINDOWSTART, COUNT(*) FROM S
        WINDOW HOPPING (SIZE 10 MILLISECONDS, ADVANCE BY 4 MILLISECONDS, GRACE PERIOD 7 MILLISECONDS)
        GROUP BY V",
    "SELECT V, WINDOWEND, COUNT(*) FROM S
        WINDOW SESSION (5 MILLISECONDS, GRACE PERIOD 10 MILLISECONDS) GROUP BY V",
    "SELECT B, WINDOWSTART, COUNT(*) FROM S
        WINDOW TUMBLING (SIZE 10 MILLISECONDS, GRACE PERIOD 3 MILLISECONDS) GROUP BY B EMIT FINAL",
];

/// The key of a right row that a left row asks for; null for some.
const FOREIGN: &str = "CASE WHEN TS.V > 4 THEN 'a' WHEN TS.V > 0 THEN 'b' END";

/// Foreign-key joins, with the number of key cells that lead their rows.
fn foreign_key_joins() -> Vec<(String, usize)> {
    let from = |kind: &str| format!("FROM TS {kind} JOIN TR ON {FOREIGN} = TR.K");
    vec![
        (format!("SELECT TS.K, TS.V, TR.V, TR.B {}", from("")), 1),
        (format!("SELECT TS.K, TS.V, TR.V, TR.B {}", from("LEFT")), 1),
        (format!("SELECT TS.K, TR.V {} WHERE TR.V > 2", from("")), 1),
        (
            format!(
                "SELECT TR.V, COUNT(*), SUM(TS.V) {} GROUP BY TR.V HAVING COUNT(*) > 0",
                from("")
            ),
            1,
        ),
    ]
}

fn plan(select: &str) -> QueryPlan {
    let parse = |sql: &str| weir_parser::parse_all(sql, &Variables::new()).unwrap();
    let mut catalog = MemoryCatalog::new();
    for parsed in parse(SOURCES) {
        let Statement::CreateSource(create) = parsed.statement else {
            panic!("not a source")
        };
        let Outcome::Do(plan) = create_source(&create, &catalog).unwrap() else {
            panic!("nothing to do")
        };
        if let Some(topic) = &plan.create_topic {
            catalog.create_topic(topic);
        }
        catalog.put_source(plan.source);
    }
    let emit = if select.contains("EMIT") {
        ""
    } else {
        " EMIT CHANGES"
    };
    let statement = parse(&format!("{select}{emit};")).remove(0).statement;
    let Statement::Query(query) = statement else {
        panic!("not a query")
    };
    plan_query(&query, &catalog, QueryContext::Push).unwrap()
}

/// The tasks of a query, one of each part, and what they have handed out.
struct Tasks {
    parts: Vec<Arc<dyn SubTopology>>,
    tasks: Vec<Box<dyn Task>>,
    limits: StepLimits,
    lines: Vec<String>,
}

impl Tasks {
    fn new(
        plan: &QueryPlan,
        max_rows: usize,
        cache_bytes: usize,
        mut stores: impl FnMut(usize, &dyn SubTopology) -> Vec<Box<dyn KvStore>>,
    ) -> Self {
        let parts = compile(plan).unwrap().parts;
        let task = |(index, part): (usize, &Arc<dyn SubTopology>)| {
            let options = TaskOptions {
                cache_bytes,
                never_wait: true,
                ..TaskOptions::default()
            };
            part.new_task(0, stores(index, part.as_ref()), &options)
                .unwrap()
        };
        Self {
            tasks: parts.iter().enumerate().map(task).collect(),
            parts,
            limits: StepLimits {
                max_rows,
                now_ms: 0,
            },
            lines: Vec::new(),
        }
    }

    fn offer(&mut self, topic: &TopicName, batch: &FetchedBatch) {
        for (part, task) in self.parts.iter().zip(&mut self.tasks) {
            for (input, spec) in part.inputs().iter().enumerate() {
                if spec.topic == *topic {
                    task.offer(input, batch.clone());
                }
            }
        }
    }

    /// Feeds rows, goes on until nothing is left to do, and ends the epoch.
    fn feed(&mut self, rows: &[Row]) {
        for (index, name) in ["S", "R"].into_iter().enumerate() {
            let own: Vec<&Row> = rows.iter().filter(|row| row.0 == index).collect();
            self.offer(&TopicName::User(name.into()), &fetched(&own));
        }
        loop {
            let stepped = self.pass(|task, limits, out| task.step(limits, out).unwrap() > 0);
            if !stepped
                && !self.pass(|task, limits, out| {
                    task.flush(limits.now_ms, out).unwrap();
                    false
                })
            {
                return;
            }
        }
    }

    /// Lets every task do `work` and hands on what comes out; whether anything was done.
    fn pass(&mut self, work: impl Fn(&mut dyn Task, StepLimits, &mut Emitted) -> bool) -> bool {
        let mut busy = false;
        let mut internal = Vec::new();
        for (part, task) in self.parts.iter().zip(&mut self.tasks) {
            let mut out = Emitted::default();
            busy |= work(task.as_mut(), self.limits, &mut out);
            self.lines.extend(lines(&out));
            for (output, batch) in out.records {
                internal.push((part.outputs()[output].topic.clone(), batch));
            }
        }
        for (topic, batch) in internal {
            busy = true;
            self.offer(&topic, &as_fetched(&batch));
        }
        busy
    }
}

/// Records as the next task reads them.
fn as_fetched(batch: &EncodedBatch) -> FetchedBatch {
    let record = |row| {
        (
            batch.keys.get(row),
            batch.values.get(row),
            batch.timestamps[row],
        )
    };
    fetched_records((0..batch.timestamps.len()).map(record))
}

fn memory(_: usize, part: &dyn SubTopology) -> Vec<Box<dyn KvStore>> {
    let store = |spec: &crate::StoreSpec| Box::new(MemoryStore::new(&spec.name)) as _;
    part.stores().iter().map(store).collect()
}

fn run_all(plan: &QueryPlan, rows: &[Row], max_rows: usize, cache_bytes: usize) -> Vec<String> {
    let mut tasks = Tasks::new(plan, max_rows, cache_bytes, memory);
    tasks.feed(rows);
    tasks.lines
}

/// The last line of each key that is no tombstone.
fn table(lines: &[String], key_cells: usize) -> BTreeMap<Vec<&str>, &str> {
    let mut table = BTreeMap::new();
    for line in lines {
        let key = line.split(',').take(key_cells).collect();
        if line.ends_with(",true") {
            table.remove(&key);
        } else {
            table.insert(key, line.as_str());
        }
    }
    table
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn steps_of_any_size_give_the_same_rows(rows in prop::collection::vec(row(), 0..60)) {
        for select in ORDERED {
            let plan = plan(select);
            let one = run_all(&plan, &rows, 1, 0);
            for step in [7, usize::MAX] {
                prop_assert_eq!(&run_all(&plan, &rows, step, 0), &one, "{} by {}", select, step);
            }
        }
    }

    #[test]
    fn foreign_key_joins_end_in_the_same_table(rows in prop::collection::vec(row(), 0..60)) {
        for (select, cells) in foreign_key_joins() {
            let plan = plan(&select);
            let one = run_all(&plan, &rows, 1, 0);
            for (step, cache) in [(7, 0), (usize::MAX, 0), (3, 1 << 20)] {
                let other = run_all(&plan, &rows, step, cache);
                let (other, one) = (table(&other, cells), table(&one, cells));
                prop_assert_eq!(other, one, "{} by {}, cache {}", &select, step, cache);
            }
        }
    }
}

/// Aggregates of [`ORDERED`] with the number of key cells that lead their rows. Not that of a
/// table: a group whose rows come and go between two flushes never appears.
const CACHED: [(usize, usize); 3] = [(2, 1), (3, 1), (5, 2)];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_record_cache_ends_with_the_same_table(
        rows in prop::collection::vec(row(), 1..60),
        epochs in 1..6usize,
        step in 1..9usize,
    ) {
        for (index, cells) in CACHED {
            let plan = plan(ORDERED[index]);
            let mut tasks = Tasks::new(&plan, step, 1 << 20, memory);
            for rows in rows.chunks(rows.len().div_ceil(epochs)) {
                tasks.feed(rows);
            }
            let all = run_all(&plan, &rows, 1, 0);
            let (cached, all) = (table(&tasks.lines, cells), table(&all, cells));
            prop_assert_eq!(cached, all, "{}", ORDERED[index]);
        }
    }
}

/// Runs parts of the rows; with `reopened` each part has tasks of its own over what was committed.
fn over_database(plan: &QueryPlan, parts: &[Vec<Row>], reopened: bool) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(folder.path(), Budget::default()).unwrap();
    let open = || {
        let mut states: Vec<TaskState> = Vec::new();
        let tasks = Tasks::new(plan, 5, 0, |index, part| {
            let names: Vec<&str> = part.stores().iter().map(|s| s.name.as_str()).collect();
            let id = TaskId {
                query: "Q".into(),
                part: index as u32,
                partition: 0,
            };
            let state = database.task(&id, &names).unwrap();
            let stores = state.stores();
            states.push(state);
            stores
        });
        (states, tasks)
    };
    let (mut states, mut tasks) = open();
    for rows in parts {
        if reopened {
            let metadata: Vec<_> = tasks.tasks.iter().map(|task| task.metadata()).collect();
            let lines = std::mem::take(&mut tasks.lines);
            (states, tasks) = open();
            tasks.lines = lines;
            for (task, metadata) in tasks.tasks.iter_mut().zip(&metadata) {
                task.restore_metadata(metadata);
            }
        }
        tasks.feed(rows);
        let committed: Vec<_> = states.iter().map(|s| (s, Default::default())).collect();
        database.commit(&committed).unwrap();
    }
    tasks.lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn tasks_go_on_from_their_stores(
        rows in prop::collection::vec(row(), 1..60),
        cuts in 2..5usize,
    ) {
        let parts: Vec<Vec<Row>> = rows
            .chunks(rows.len().div_ceil(cuts))
            .map(<[Row]>::to_vec)
            .collect();
        let ordered = ORDERED.iter().map(|select| (*select).to_owned());
        let joins = foreign_key_joins().into_iter().map(|(select, _)| select);
        for select in ordered.chain(joins) {
            let plan = plan(&select);
            let whole = over_database(&plan, &parts, false);
            prop_assert_eq!(whole, over_database(&plan, &parts, true), "{}", select);
        }
    }
}

/// Keeps the properties above from being empty.
#[test]
fn every_query_emits_rows() {
    let rows: Vec<Row> = (0..80)
        .map(|i: i64| {
            let key = ["a", "b", "c"][(i % 3) as usize].to_owned();
            let value = format!("{{\"V\":{},\"B\":{}}}", i % 8, i % 3 == 0);
            ((i / 2 % 2) as usize, Some(key), Some(value), i * 3 % 90)
        })
        .collect();
    let joins = foreign_key_joins().into_iter().map(|(select, _)| select);
    for select in ORDERED.iter().map(|s| (*s).to_owned()).chain(joins) {
        assert!(run_all(&plan(&select), &rows, 7, 0).len() > 2, "{select}");
    }
}
