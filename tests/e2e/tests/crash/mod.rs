//! Exactly once, whatever is killed: the server is ended by SIGKILL at random moments while
//! records come in, and what its queries have written in the end is what the input implies.
//!
//! ```text
//!   writer ──► events ──► counts   (table: count and sum by key)
//!                 └─────► joined   (stream-table join with people)
//!   killer: start … SIGKILL … start … SIGKILL …
//! ```

mod fencing;
mod matrix;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use weir_test_support::{ApacheKafka, Topics, WeirServer, pause, settle, wait_until};

const KILLS: usize = 20;
const KEYS: u64 = 50;
const PARTITIONS: i32 = 3;
/// Records that are written at once.
const BURST: u64 = 500;
const BASE_TS: i64 = 1_700_000_000_000;
/// How long the queries may take to come to rest after the last start.
const LIMIT: Duration = Duration::from_secs(60);

/// xorshift: random moments that are the same in each run.
struct Moments(u64);

impl Moments {
    fn next(&mut self, from_ms: u64, to_ms: u64) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Duration::from_millis(from_ms + self.0 % (to_ms - from_ms))
    }
}

/// Ends whoever writes until told to, also where the test fails before.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn exactly_once_on_the_embedded_broker() {
    kill_and_compare(WeirServer::start(&[]));
}

#[test]
fn exactly_once_on_apache_kafka() {
    let kafka = ApacheKafka::start();
    let bootstrap = kafka.bootstrap();
    let properties = [
        ("bootstrap.servers", bootstrap.as_str()),
        ("ksql.internal.topic.replicas", "1"),
    ];
    kill_and_compare(WeirServer::start(&properties));
}

/// `count` events with ids from `first`.
fn events(first: u64, count: u64) -> impl Iterator<Item = (String, String, i64)> {
    (first..first + count).map(|id| {
        let (key, value) = (id * 7 % KEYS, id % 13);
        (
            format!("k{key}"),
            format!("{{\"ID\":{id},\"V\":{value}}}"),
            BASE_TS + id as i64,
        )
    })
}

fn kill_and_compare(mut server: WeirServer) {
    let topics = Topics::new(server.bootstrap());
    topics.create("people", PARTITIONS);
    topics.create("events", PARTITIONS);
    let people = (0..KEYS).map(|k| {
        (
            format!("k{k}"),
            format!("{{\"NAME\":\"n{k}\"}}"),
            BASE_TS - 1,
        )
    });
    topics.produce("people", people);
    server.http().ksql(
        "CREATE TABLE people (k VARCHAR PRIMARY KEY, name VARCHAR) \
         WITH (KAFKA_TOPIC='people', VALUE_FORMAT='JSON');\
         CREATE STREAM events (k VARCHAR KEY, id BIGINT, v BIGINT) \
         WITH (KAFKA_TOPIC='events', VALUE_FORMAT='JSON');\
         CREATE TABLE counts AS SELECT k, COUNT(*) AS n, SUM(v) AS total \
         FROM events GROUP BY k;\
         CREATE STREAM joined AS SELECT e.k AS k, e.id AS id, p.name AS name \
         FROM events e JOIN people p ON e.k = p.k;",
    );

    let written = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _ends = Ends(&stop);
        scope.spawn(|| {
            // The embedded broker goes down with the server: the producer tries until it is back.
            while !stop.load(Ordering::Relaxed) {
                let first = written.load(Ordering::Relaxed);
                let count = topics.produce("events", events(first, BURST));
                written.fetch_add(count, Ordering::Relaxed);
            }
        });
        let mut moments = Moments(0x5eed);
        for _ in 0..KILLS {
            pause(moments.next(20, 900));
            server.kill9();
            server.restart();
        }
    });
    compare(&server, &topics, written.into_inner());
}

/// The newest value of each key.
fn last_values(topics: &Topics, topic: &str) -> HashMap<String, Value> {
    let records = topics.read_committed(topic).into_iter();
    records
        .map(|r| (r.key_text(), serde_json::from_str(&r.value_text()).unwrap()))
        .collect()
}

/// The counts that the input implies, and ids and keys of all events. An acknowledged record is
/// there, once.
fn counts_of_input(topics: &Topics, written: u64) -> (HashMap<String, Value>, Vec<(i64, String)>) {
    let mut expected: HashMap<String, (i64, i64)> = HashMap::new();
    let mut ids: Vec<(i64, String)> = Vec::new();
    for record in topics.read_committed("events") {
        let value: Value = serde_json::from_str(&record.value_text()).unwrap();
        let entry = expected.entry(record.key_text()).or_default();
        entry.0 += 1;
        entry.1 += value["V"].as_i64().unwrap();
        ids.push((value["ID"].as_i64().unwrap(), record.key_text()));
    }
    ids.sort();
    let once: Vec<i64> = (0..written as i64).collect();
    let found: Vec<i64> = ids.iter().map(|(id, _)| *id).collect();
    assert!(
        found == once,
        "{} of {written} records are there",
        found.len()
    );

    let counts = expected
        .into_iter()
        .map(|(k, (n, total))| (k, json!({"N": n, "TOTAL": total})))
        .collect();
    (counts, ids)
}

fn compare(server: &WeirServer, topics: &Topics, written: u64) {
    let (expected, ids) = counts_of_input(topics, written);
    wait_until(
        "the table's topic to hold what the input implies",
        LIMIT,
        || last_values(topics, "COUNTS") == expected,
    );
    let rows = server.http().query("SELECT * FROM counts;");
    let state: HashMap<String, Value> = rows
        .into_iter()
        .map(|row| {
            (
                row[0].as_str().unwrap().to_owned(),
                json!({"N": row[1], "TOTAL": row[2]}),
            )
        })
        .collect();
    assert_eq!(state, expected, "the table itself");

    // A query that failed or lost rows does not get there: what there is then tells more.
    settle(LIMIT, || topics.read_committed("JOINED").len() >= ids.len());
    let mut joined: Vec<(i64, String)> = Vec::new();
    for record in topics.read_committed("JOINED") {
        let value: Value = serde_json::from_str(&record.value_text()).unwrap();
        let name = record.key_text().replace('k', "n");
        assert_eq!(value["NAME"], json!(name), "{value}");
        joined.push((value["ID"].as_i64().unwrap(), record.key_text()));
    }
    joined.sort();
    assert!(
        joined == ids,
        "{} joined rows of {} events, the first that differs: {:?}\n{}\n{}",
        joined.len(),
        ids.len(),
        joined.iter().zip(&ids).find(|(a, b)| a != b),
        server.http().ksql("SHOW QUERIES;"),
        server.log()
    );
}
