//! What a row costs each stateful operator and its store, without Kafka: CPU time, peak memory and
//! a digest of the output.
//!
//! ```text
//!  rows made here ─► tasks (4 partitions, RocksDB in a temporary folder) ─► digest
//!     └─ an epoch: steps, flush, changelogs dropped, database commit
//! ```
//!
//! `cargo run --release -p weir-engine --example operators [-- NAME… [--rows N]]`

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use weir_engine::{
    Emitted, MemoryBudget, StepLimits, Task, TaskOptions, TopicName, Topology, compile,
};
use weir_parser::Variables;
use weir_parser::ast::Statement;
use weir_planner::ddl::{self, MemoryCatalog, Outcome, create_source};
use weir_planner::{QueryContext, attach_sink, canonical_query, plan_query};
use weir_state::{Budget, Database, Positions, TaskId, TaskState};
use weir_types::records::{EncodedBatch, FetchedBatch, RecordMeta};

/// Partitions of every topic, and so tasks of every part.
const PARTITIONS: usize = 4;
/// Rows of an epoch over all partitions: what two seconds bring at the speed aimed at.
const EPOCH: usize = 400_000;
/// Rows offered at once, and rows of a step at most.
const CHUNK: usize = 8192;
/// Record cache of a query, bytes.
const CACHE: usize = 10_000_000;

const SOURCES: &str = "
    CREATE STREAM ORDERS (USER_ID STRING KEY, ORDER_ID BIGINT, ITEM_ID STRING, QUANTITY INT,
        PRICE DOUBLE, STATUS STRING, TS BIGINT)
        WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON', PARTITIONS=4);
    CREATE STREAM CLICKS (USER_ID STRING KEY, CLICK_ID BIGINT, ITEM_ID STRING, PAGE STRING,
        DWELL_MS INT, TS BIGINT)
        WITH (KAFKA_TOPIC='clicks', VALUE_FORMAT='JSON', PARTITIONS=4);
    CREATE TABLE USERS (USER_ID STRING PRIMARY KEY, NAME STRING, CITY STRING, ITEM_ID STRING)
        WITH (KAFKA_TOPIC='users', VALUE_FORMAT='JSON', PARTITIONS=4);
    CREATE TABLE CARTS (USER_ID STRING PRIMARY KEY, ITEM_ID STRING, QUANTITY INT)
        WITH (KAFKA_TOPIC='carts', VALUE_FORMAT='JSON', PARTITIONS=4);
    CREATE TABLE ITEMS (ITEM_ID STRING PRIMARY KEY, TITLE STRING, PRICE DOUBLE)
        WITH (KAFKA_TOPIC='items', VALUE_FORMAT='JSON', PARTITIONS=4);
";

/// Name, statement, topics whose rows come in turn.
const QUERIES: &[(&str, &str, &[&str])] = &[
    (
        "count",
        "CREATE TABLE O AS SELECT USER_ID, COUNT(*) AS N, SUM(PRICE) AS TOTAL FROM ORDERS
         GROUP BY USER_ID;",
        &["orders"],
    ),
    (
        "tumbling",
        "CREATE TABLE O AS SELECT ITEM_ID, COUNT(*) AS N, SUM(DWELL_MS) AS DWELL FROM CLICKS
         WINDOW TUMBLING (SIZE 1 MINUTE) GROUP BY ITEM_ID;",
        &["clicks"],
    ),
    (
        "tumbling-by-key",
        "CREATE TABLE O AS SELECT USER_ID, COUNT(*) AS N, SUM(DWELL_MS) AS DWELL FROM CLICKS
         WINDOW TUMBLING (SIZE 1 MINUTE) GROUP BY USER_ID;",
        &["clicks"],
    ),
    (
        "hopping",
        "CREATE TABLE O AS SELECT USER_ID, COUNT(*) AS N, SUM(DWELL_MS) AS DWELL FROM CLICKS
         WINDOW HOPPING (SIZE 1 MINUTE, ADVANCE BY 20 SECONDS) GROUP BY USER_ID;",
        &["clicks"],
    ),
    (
        "session",
        "CREATE TABLE O AS SELECT USER_ID, COUNT(*) AS N, SUM(DWELL_MS) AS DWELL FROM CLICKS
         WINDOW SESSION (30 SECONDS) GROUP BY USER_ID;",
        &["clicks"],
    ),
    (
        "stream-stream",
        "CREATE STREAM O AS SELECT O.USER_ID AS USER_ID, ORDER_ID, O.ITEM_ID AS ORDERED, PRICE,
         CLICK_ID, C.ITEM_ID AS CLICKED, PAGE FROM ORDERS O JOIN CLICKS C
         WITHIN 10 SECONDS GRACE PERIOD 10 SECONDS ON O.USER_ID = C.USER_ID;",
        &["orders", "clicks"],
    ),
    (
        "stream-stream-left",
        "CREATE STREAM O AS SELECT O.USER_ID AS USER_ID, ORDER_ID, O.ITEM_ID AS ORDERED, PRICE,
         CLICK_ID, C.ITEM_ID AS CLICKED, PAGE FROM ORDERS O LEFT JOIN CLICKS C
         WITHIN 10 SECONDS GRACE PERIOD 10 SECONDS ON O.USER_ID = C.USER_ID;",
        &["orders", "clicks"],
    ),
    (
        "stream-table",
        "CREATE STREAM O AS SELECT O.USER_ID AS USER_ID, ORDER_ID, O.ITEM_ID, PRICE, NAME, CITY
         FROM ORDERS O LEFT JOIN USERS U ON O.USER_ID = U.USER_ID;",
        &["orders", "users"],
    ),
    (
        "table-table",
        "CREATE TABLE O AS SELECT C.USER_ID AS USER_ID, C.ITEM_ID AS CART, QUANTITY, NAME, CITY
         FROM CARTS C JOIN USERS U ON C.USER_ID = U.USER_ID;",
        &["carts", "users"],
    ),
    (
        "foreign-key",
        "CREATE TABLE O AS SELECT C.USER_ID AS USER_ID, C.ITEM_ID AS ITEM, QUANTITY, TITLE, PRICE
         FROM CARTS C JOIN ITEMS I ON C.ITEM_ID = I.ITEM_ID;",
        &["carts", "items"],
    ),
];

fn main() {
    let mut rows = 2_000_000;
    let mut names = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--rows" => rows = args.next().unwrap().parse().unwrap(),
            _ => names.push(arg),
        }
    }
    match &names[..] {
        [name] => measure(name, rows),
        _ => {
            // A process each, so that peaks of memory are their own.
            let me = std::env::current_exe().unwrap();
            let all: Vec<&str> = QUERIES.iter().map(|(name, ..)| *name).collect();
            for name in all {
                if names.is_empty() || names.iter().any(|wanted| wanted == name) {
                    let rows = rows.to_string();
                    let mut child = std::process::Command::new(&me);
                    child.args([name, "--rows", &rows]).status().unwrap();
                }
            }
        }
    }
}

/// CPU seconds of this process so far.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / 100.0
}

/// A line of `/proc/self/status`, MiB.
fn memory(of: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(of)).unwrap();
    let digits = line.split_whitespace().nth(1).unwrap();
    digits.parse::<usize>().unwrap() / 1024
}

fn topology(sql: &str) -> Topology {
    let parse = |sql: &str| weir_parser::parse_all(sql, &Variables::new()).unwrap();
    let mut catalog = MemoryCatalog::new();
    for parsed in parse(SOURCES) {
        let Statement::CreateSource(create) = parsed.statement else {
            panic!("not a source")
        };
        let Outcome::Do(plan) = create_source(&create, &catalog).unwrap() else {
            panic!("nothing to do")
        };
        catalog.create_topic(plan.create_topic.as_ref().unwrap());
        catalog.put_source(plan.source);
    }
    let Some(Statement::CreateAs(create)) = parse(sql).pop().map(|parsed| parsed.statement) else {
        panic!("no CREATE AS")
    };
    let create = weir_parser::ast::CreateAs {
        query: canonical_query(&create.query, &catalog),
        ..create
    };
    let topic = ddl::sink_topic(&create, &catalog).unwrap();
    let context = QueryContext::CreateAs {
        kind: create.kind,
        sink: &create.name.name,
    };
    let plan = plan_query(&create.query, &catalog, context).unwrap();
    let result = ddl::QueryResult {
        schema: &plan.schema,
        kind: plan.kind,
        window: plan.window,
    };
    let Outcome::Do(sink) = ddl::sink_source(&create, &topic, result, &catalog).unwrap() else {
        panic!("nothing to do")
    };
    compile(&attach_sink(plan, &sink)).unwrap()
}

/// Rows of the topics, 100,000 users and 10,000 items, some of them hot, one row of each stream
/// every 10 ms.
struct Rows {
    random: StdRng,
    users: Ranks,
    items: Ranks,
    next: i64,
}

impl Rows {
    /// Key, value and timestamp of the next row, of this topic.
    fn next(&mut self, topic: &str, turn: usize, turns: usize) -> (String, String, i64) {
        let n = self.next;
        let ts = 1_700_000_000_000 + n * 10;
        if turn + 1 == turns {
            self.next += 1;
        }
        let user = self.users.draw(&mut self.random);
        let item = self.items.draw(&mut self.random);
        let number = self.random.random_range(1..20_000);
        let value = match topic {
            "orders" => format!(
                "{{\"ORDER_ID\":{n},\"ITEM_ID\":\"item_{item:05}\",\"QUANTITY\":3,\
                 \"PRICE\":{}.{:02},\"STATUS\":\"SHIPPED\",\"currency\":\"EUR\",\
                 \"address\":\"265 Station Street, Tallinn\",\"TS\":{ts}}}",
                number / 100,
                number % 100
            ),
            "clicks" => format!(
                "{{\"CLICK_ID\":{n},\"ITEM_ID\":\"item_{item:05}\",\
                 \"PAGE\":\"/shop/items/{item:05}/details\",\"referrer\":\"partner/compare\",\
                 \"agent\":\"Firefox/126\",\"DWELL_MS\":{number},\"TS\":{ts}}}"
            ),
            "users" => format!(
                "{{\"NAME\":\"Customer {user}\",\"CITY\":\"Lisbon\",\
                 \"ITEM_ID\":\"item_{item:05}\"}}"
            ),
            "carts" => format!("{{\"ITEM_ID\":\"item_{item:05}\",\"QUANTITY\":{number}}}"),
            "items" => format!("{{\"TITLE\":\"Item number {item}\",\"PRICE\":{number}.5}}"),
            other => panic!("no topic {other}"),
        };
        let key = match topic {
            "items" => format!("item_{item:05}"),
            _ => format!("user_{user:06}"),
        };
        (key, value, ts)
    }
}

/// Draws of ids where the id of rank r has weight r^-0.8.
struct Ranks {
    /// Sum of the weights up to each rank.
    sums: Vec<f64>,
}

impl Ranks {
    fn new(count: usize) -> Self {
        let mut sum = 0.0;
        let weights = (1..=count).map(|rank| (rank as f64).powf(-0.8));
        let sums = weights.map(|weight| {
            sum += weight;
            sum
        });
        Self {
            sums: sums.collect(),
        }
    }

    fn draw(&self, random: &mut StdRng) -> usize {
        let share = random.random::<f64>() * self.sums.last().unwrap();
        // Hot ids are not neighbours.
        self.sums.partition_point(|sum| *sum < share) * 61_803 % self.sums.len()
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = ahash::RandomState::with_seeds(7, 7, 7, 7).build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

/// Records on their way to the tasks of one input.
#[derive(Default)]
struct Pending {
    arena: Vec<u8>,
    records: Vec<RecordMeta>,
    offset: i64,
}

impl Pending {
    fn push(&mut self, key: Option<&[u8]>, value: Option<&[u8]>, timestamp: i64) {
        let mut put = |bytes: &[u8]| {
            let start = self.arena.len() as u32;
            self.arena.extend_from_slice(bytes);
            start..self.arena.len() as u32
        };
        let (key, value) = (key.map(&mut put), value.map(&mut put));
        self.records.push(RecordMeta {
            offset: self.offset,
            timestamp,
            key,
            value,
            headers: 0..0,
        });
        self.offset += 1;
    }

    fn take(&mut self) -> FetchedBatch {
        FetchedBatch {
            arena: Arc::new(std::mem::take(&mut self.arena)),
            records: std::mem::take(&mut self.records),
            headers: Vec::new(),
        }
    }
}

/// Sums of the output: of all records, and of the last one of each key.
#[derive(Default)]
struct Digest {
    records: u64,
    sum: u64,
    last: HashMap<u64, u64>,
    changelog: u64,
}

struct Running {
    task: Box<dyn Task>,
    state: TaskState,
}

struct Bench {
    topology: Topology,
    database: Database,
    /// By part, then by partition.
    tasks: Vec<Vec<Running>>,
    /// By part, then input, then partition.
    pending: Vec<Vec<Vec<Pending>>>,
    digest: Digest,
}

impl Bench {
    fn new(topology: Topology, folder: &std::path::Path) -> Self {
        let database = Database::open(folder, Budget::default()).unwrap();
        let all = topology.parts.len() * PARTITIONS;
        let memory = MemoryBudget::default();
        let mut tasks = Vec::new();
        let mut pending = Vec::new();
        for (index, part) in topology.parts.iter().enumerate() {
            let names: Vec<&str> = part.stores().iter().map(|s| s.name.as_str()).collect();
            let options = TaskOptions {
                memory: memory.clone(),
                cache_bytes: CACHE / all,
                output_partitions: vec![PARTITIONS as u32; part.outputs().len()],
                ..TaskOptions::default()
            };
            let of_part = (0..PARTITIONS as u32).map(|partition| {
                let id = TaskId {
                    query: "O".into(),
                    part: index as u32,
                    partition,
                };
                let state = database.task(&id, &names).unwrap();
                let task = part.new_task(partition, state.stores(), &options).unwrap();
                Running { task, state }
            });
            tasks.push(of_part.collect());
            let inputs = part.inputs().iter();
            pending.push(
                inputs
                    .map(|_| (0..PARTITIONS).map(|_| Pending::default()).collect())
                    .collect(),
            );
        }
        Self {
            topology,
            database,
            tasks,
            pending,
            digest: Digest::default(),
        }
    }

    /// Gives a record of a topic to all inputs that read it.
    fn feed(&mut self, topic: &TopicName, record: (Option<&[u8]>, Option<&[u8]>, i64), to: usize) {
        for (part, pending) in self.topology.parts.iter().zip(&mut self.pending) {
            for (input, pending) in part.inputs().iter().zip(pending) {
                if input.topic == *topic {
                    pending[to].push(record.0, record.1, record.2);
                }
            }
        }
    }

    /// Runs all tasks over what is pending, parts in order of the data.
    fn step(&mut self, flush: bool) {
        for part in 0..self.tasks.len() {
            for partition in 0..PARTITIONS {
                let mut out = Emitted::default();
                let running = &mut self.tasks[part][partition];
                for (input, pending) in self.pending[part].iter_mut().enumerate() {
                    running.task.offer(input, pending[partition].take());
                    running.task.set_caught_up(input, flush);
                }
                let limits = StepLimits {
                    max_rows: CHUNK,
                    now_ms: 0,
                };
                while running.task.step(limits, &mut out).unwrap() > 0 {}
                if flush {
                    running.task.flush(0, &mut out).unwrap();
                }
                self.take(part, out);
            }
        }
    }

    fn take(&mut self, part: usize, out: Emitted) {
        assert!(out.log.is_empty(), "{:?}", out.log.first());
        for (_, batch) in &out.changelog {
            self.digest.changelog += batch.timestamps.len() as u64;
        }
        for (output, batch) in out.records {
            let topic = self.topology.parts[part].outputs()[output].topic.clone();
            if matches!(topic, TopicName::User(_)) {
                self.digest(&batch);
                continue;
            }
            for row in 0..batch.timestamps.len() {
                let record = (
                    batch.keys.get(row),
                    batch.values.get(row),
                    batch.timestamps[row],
                );
                let to = batch.partitions[row] as usize;
                self.feed(&topic, record, to);
            }
        }
    }

    fn digest(&mut self, batch: &EncodedBatch) {
        for row in 0..batch.timestamps.len() {
            let key = hash(batch.keys.get(row).unwrap_or_default());
            let value = hash(batch.values.get(row).unwrap_or(b"\0"));
            let row = key ^ value.rotate_left(17) ^ hash(&batch.timestamps[row].to_le_bytes());
            self.digest.records += 1;
            self.digest.sum = self.digest.sum.wrapping_add(row);
            self.digest.last.insert(key, value);
        }
    }

    fn commit(&mut self) {
        self.step(true);
        let tasks: Vec<_> = self
            .tasks
            .iter()
            .flatten()
            .map(|running| (&running.state, Positions::new()))
            .collect();
        self.database.commit(&tasks).unwrap();
    }
}

fn measure(name: &str, rows: usize) {
    let Some((_, sql, topics)) = QUERIES.iter().find(|query| query.0 == name) else {
        panic!("no query {name}")
    };
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(topology(sql), folder.path());
    let mut source = Rows {
        random: StdRng::seed_from_u64(1),
        users: Ranks::new(100_000),
        items: Ranks::new(10_000),
        next: 0,
    };
    let topic_names: Vec<TopicName> = topics
        .iter()
        .map(|topic| TopicName::User((*topic).to_owned()))
        .collect();
    let (mut made, mut spent, mut half) = (0, 0.0, 0.0);
    while made < rows {
        for _ in 0..CHUNK {
            let turn = made % topics.len();
            let (key, value, ts) = source.next(topics[turn], turn, topics.len());
            let to = hash(key.as_bytes()) as usize % PARTITIONS;
            let record = (Some(key.as_bytes()), Some(value.as_bytes()), ts);
            bench.feed(&topic_names[turn], record, to);
            made += 1;
        }
        let before = cpu();
        if made / EPOCH != (made - CHUNK) / EPOCH {
            bench.commit();
        } else {
            bench.step(false);
        }
        spent += cpu() - before;
        if made * 2 <= rows {
            half = spent;
        }
    }
    let before = cpu();
    bench.commit();
    spent += cpu() - before;
    let digest = &bench.digest;
    let last = digest.last.iter().map(|(key, value)| key ^ value);
    println!(
        "{name:20} {:5.2} µs a row, second half {:5.2}; peak {:4} MiB, now {:4}; {} out, {:016x}, {} keys, {:016x}; {} changelog",
        spent * 1e6 / made as f64,
        (spent - half) * 2e6 / made as f64,
        memory("VmHWM") - digest.last.capacity() * 17 / (1 << 20),
        memory("VmRSS") - digest.last.capacity() * 17 / (1 << 20),
        digest.records,
        digest.sum,
        digest.last.len(),
        last.fold(0u64, u64::wrapping_add),
        digest.changelog
    );
}
