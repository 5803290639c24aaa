//! Every stateful operator at once: one server runs a query of each kind and is killed while their
//! input comes in; what all of them wrote and keep equals what a server that was never killed
//! makes of the same topics. Then the disk is lost, and still nothing differs.
//!
//! ```text
//!   writer ──► events, clicks, people, places, orders
//!                 ├──► server under test:  start … SIGKILL … start …  ──► t_*
//!                 └──► reference, started when all input is there     ──► r_*
//! ```
//!
//! The queries are such that their results follow from the input alone, whatever topic is read
//! first: joins of streams have room for records that come late, windows are of records in one
//! partition and are kept until they are emitted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use weir_test_support::{ApacheKafka, Http, Record, Topics, WeirServer, pause, settle, wait_until};

use super::{Ends, LIMIT, Moments, PARTITIONS};

/// How what a query writes is compared.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sink {
    /// The last record of each key.
    Table,
    /// As a table; the time of a row is that of whichever side came last.
    Untimed,
    /// All records, in whatever order.
    Stream,
    /// As a stream, once all windows are closed.
    AtClose,
    /// As a stream, but records may be there more than once.
    AtLeastOnce,
}

impl Sink {
    fn is_table(self) -> bool {
        matches!(self, Self::Table | Self::Untimed)
    }
}

/// Topics that are read, with the columns of their values.
const SOURCES: &str = "
    CREATE STREAM events (k VARCHAR KEY, id BIGINT, v BIGINT, g VARCHAR)
        WITH (KAFKA_TOPIC='events', VALUE_FORMAT='JSON');
    CREATE STREAM clicks (k VARCHAR KEY, id BIGINT)
        WITH (KAFKA_TOPIC='clicks', VALUE_FORMAT='JSON');
    CREATE TABLE people (k VARCHAR PRIMARY KEY, name VARCHAR)
        WITH (KAFKA_TOPIC='people', VALUE_FORMAT='JSON');
    CREATE TABLE places (k VARCHAR PRIMARY KEY, city VARCHAR)
        WITH (KAFKA_TOPIC='places', VALUE_FORMAT='JSON');
    CREATE TABLE orders (id VARCHAR PRIMARY KEY, person VARCHAR, qty BIGINT)
        WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON');";

/// Names of the source topics.
const TOPICS: [&str; 5] = ["events", "clicks", "people", "places", "orders"];

/// Name of each sink, how it is compared, and the SELECT that fills it.
const QUERIES: &[(&str, Sink, &str)] = &[
    (
        "tumbled",
        Sink::Table,
        "SELECT k, COUNT(*) AS n, SUM(v) AS total FROM events
         WINDOW TUMBLING (SIZE 2 SECONDS, GRACE PERIOD 30 SECONDS) GROUP BY k",
    ),
    (
        "hopped",
        Sink::Table,
        "SELECT k, COUNT(*) AS n, MAX(v) AS most FROM events
         WINDOW HOPPING (SIZE 6 SECONDS, ADVANCE BY 2 SECONDS, GRACE PERIOD 30 SECONDS) GROUP BY k",
    ),
    (
        "sessions",
        Sink::Table,
        "SELECT k, COUNT(*) AS n, SUM(v) AS total FROM events
         WINDOW SESSION (700 MILLISECONDS, GRACE PERIOD 30 SECONDS) GROUP BY k",
    ),
    (
        "finals",
        Sink::AtClose,
        "SELECT k, COUNT(*) AS n, SUM(v) AS total FROM events
         WINDOW TUMBLING (SIZE 2 SECONDS, RETENTION 1 DAY, GRACE PERIOD 1 SECOND)
         GROUP BY k EMIT FINAL",
    ),
    (
        "lists",
        Sink::Table,
        "SELECT k, TOPK(v, 3) AS top, COLLECT_LIST(v) AS every FROM events
         WINDOW TUMBLING (SIZE 5 SECONDS, GRACE PERIOD 30 SECONDS) GROUP BY k",
    ),
    (
        "by_group",
        Sink::Table,
        "SELECT g, COUNT(*) AS n, SUM(v) AS total FROM events GROUP BY g",
    ),
    (
        "partitioned",
        Sink::Stream,
        "SELECT g, id, v FROM events PARTITION BY g",
    ),
    (
        "streams_joined",
        Sink::Stream,
        "SELECT e.k AS k, e.id AS event, c.id AS click FROM events e
         JOIN clicks c WITHIN 500 MILLISECONDS GRACE PERIOD 10 HOURS ON e.k = c.k",
    ),
    (
        "streams_left_joined",
        Sink::AtClose,
        "SELECT e.k AS k, e.id AS event, c.id AS click FROM events e
         LEFT JOIN clicks c WITHIN (100 MILLISECONDS, 10 MINUTES) GRACE PERIOD 10 HOURS
         ON e.k = c.k",
    ),
    (
        "tables_joined",
        Sink::Table,
        "SELECT p.k AS k, p.name AS name, q.city AS city FROM people p JOIN places q ON p.k = q.k",
    ),
    (
        "tables_outer_joined",
        Sink::Untimed,
        "SELECT ROWKEY AS k, p.name AS name, q.city AS city
         FROM people p FULL OUTER JOIN places q ON p.k = q.k",
    ),
    (
        "foreign_key_joined",
        Sink::Untimed,
        "SELECT o.id AS id, o.qty AS qty, p.name AS name
         FROM orders o LEFT JOIN people p ON o.person = p.k",
    ),
    (
        "at_least_once",
        Sink::AtLeastOnce,
        "SELECT k, id, v + 1 AS v FROM events",
    ),
];

/// What several INSERT INTO write, and what reads that.
const MERGED: &str = "
    CREATE STREAM merged (src VARCHAR KEY, id BIGINT)
        WITH (KAFKA_TOPIC='{}merged', VALUE_FORMAT='JSON', PARTITIONS=3);
    INSERT INTO merged SELECT 'event' AS src, id FROM events PARTITION BY 'event';
    INSERT INTO merged SELECT 'click' AS src, id FROM clicks PARTITION BY 'click';
    CREATE TABLE merged_counts WITH (KAFKA_TOPIC='{}merged_counts') AS
        SELECT src, COUNT(*) AS n, SUM(id) AS total FROM merged GROUP BY src;";

fn sinks() -> impl Iterator<Item = (&'static str, Sink)> {
    let one_writer = QUERIES.iter().map(|(name, sink, _)| (*name, *sink));
    let merged = [("merged", Sink::Stream), ("merged_counts", Sink::Table)];
    one_writer.chain(merged)
}

fn create_all(http: Http, prefix: &str) {
    http.ksql(SOURCES);
    for (name, sink, select) in QUERIES {
        // What comes out of windows that closed is a table too.
        let is_table = sink.is_table() || select.contains("EMIT FINAL");
        let kind = if is_table { "TABLE" } else { "STREAM" };
        let sql = format!("CREATE {kind} {name} WITH (KAFKA_TOPIC='{prefix}{name}') AS {select};");
        match sink {
            Sink::AtLeastOnce => http.ksql_with(&sql, &[("processing.guarantee", "at_least_once")]),
            _ => http.ksql(&sql),
        };
    }
    http.ksql(&MERGED.replace("{}", prefix));
}

/// Events of a round.
const EVENTS: u64 = 100;

const HOUR_MS: i64 = 60 * 60 * 1000;

/// Where event time begins: on the hour, far enough back for all windows to be closed by a record
/// that is not of the future, and not so far that brokers delete changelogs of windows for their
/// age.
fn begin() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    (now.as_millis() as i64 / HOUR_MS - 12) * HOUR_MS
}

/// One round of input, with records out of order, late ones and tombstones.
fn write_round(topics: &Topics, begin: i64, round: u64) {
    let at = |n: u64| begin + (n * 10) as i64;
    let events = (round * EVENTS..(round + 1) * EVENTS).map(|id| {
        let late = if id % 97 == 0 { 60_000 } else { 0 };
        let early = if id % 7 == 0 { 350 } else { 0 };
        let (v, g) = (id * 31 % 1000, id % 17);
        let value = format!("{{\"ID\":{id},\"V\":{v},\"G\":\"g{g}\"}}");
        (format!("k{}", id * 7 % 50), value, at(id) - late - early)
    });
    topics.produce("events", events);
    // Few keys, so that most events are without a click.
    let clicks = (round * 20..(round + 1) * 20).map(|id| {
        let value = format!("{{\"ID\":{id}}}");
        (format!("k{}", id % 5 * 10), value, at(id * 5))
    });
    topics.produce("clicks", clicks);
    // Neighbouring ids are of different keys, and every key is deleted at times.
    let row = |id: u64, value: String| (!(id * 13 % 97).is_multiple_of(9)).then_some(value);
    let ids = || round * 20..(round + 1) * 20;
    let people = ids().map(|id| {
        let name = row(id, format!("{{\"NAME\":\"n{id}\"}}"));
        (format!("p{}", id * 3 % 40), name, at(id * 5))
    });
    topics.produce("people", people);
    let places = ids().map(|id| {
        let city = row(id + 1, format!("{{\"CITY\":\"c{id}\"}}"));
        (format!("p{}", id * 7 % 40), city, at(id * 5))
    });
    topics.produce("places", places);
    let orders = ids().map(|id| {
        let person = id * 17 % 45;
        let order = format!("{{\"PERSON\":\"p{person}\",\"QTY\":{id}}}");
        (format!("o{}", id % 60), row(id + 2, order), at(id * 5))
    });
    topics.produce("orders", orders);
}

/// Records so late that every window is closed, in all partitions.
fn write_end(topics: &Topics, begin: i64) {
    for topic in ["events", "clicks"] {
        let end = (0..30).map(|n| {
            let value = "{\"ID\":-1,\"V\":0,\"G\":\"end\"}".to_owned();
            (format!("end{n}"), value, begin + 11 * HOUR_MS)
        });
        topics.produce(topic, end);
    }
}

/// Whether all queries of a service have committed everything that is in the source topics.
fn is_consumed(http: Http, topics: &Topics, service: &str) -> bool {
    let queries = http.ksql("SHOW QUERIES;")[0]["queries"].take();
    queries.as_array().unwrap().iter().all(|query| {
        let id = query["id"].as_str().unwrap();
        let sql = query["queryString"].as_str().unwrap().to_ascii_lowercase();
        let group = format!("_confluent-ksql-{service}query_{id}");
        let read = TOPICS.iter().filter(|t| {
            let words = [
                format!("from {t} "),
                format!("from {t}\n"),
                format!("join {t} "),
            ];
            words.iter().any(|w| sql.contains(w.as_str()))
        });
        read.into_iter().all(|topic| {
            let committed = topics.committed(&group, topic, PARTITIONS as usize);
            committed == topics.end_offsets(topic)
        })
    })
}

/// What a sink holds, in the form in which it is compared.
fn contents(topics: &Topics, topic: &str, sink: Sink) -> Vec<(Vec<u8>, String, i64)> {
    let records = topics.read_committed(topic);
    let row = |r: Record| {
        let value = r.value_text();
        let timestamp = if sink == Sink::Untimed {
            0
        } else {
            r.timestamp
        };
        (r.key.unwrap_or_default(), value, timestamp)
    };
    if sink.is_table() {
        let mut last = BTreeMap::new();
        for record in records {
            last.insert(record.key.clone(), record);
        }
        let live = last.into_values().filter(|r| r.value.is_some());
        return live.map(row).collect();
    }
    let mut rows: Vec<_> = records.into_iter().map(row).collect();
    rows.sort();
    if sink == Sink::AtLeastOnce {
        rows.dedup();
    }
    rows
}

/// Rows of a table as a pull query gives them.
fn state(http: Http, table: &str) -> Vec<String> {
    let rows = http.try_query(&format!("SELECT * FROM {table};"));
    let mut rows: Vec<String> = rows
        .unwrap_or_default()
        .into_iter()
        .map(|row| Value::Array(row).to_string())
        .collect();
    rows.sort();
    rows
}

fn first_difference<T: PartialEq + std::fmt::Debug>(found: &[T], expected: &[T]) -> String {
    let missing = expected.iter().find(|row| !found.contains(row));
    let extra = found.iter().find(|row| !expected.contains(row));
    let (found, expected) = (found.len(), expected.len());
    format!("{found} rows for {expected}; missing: {missing:?}; not expected: {extra:?}")
}

/// Waits until what is found is what is expected, both of which may still come to their end;
/// otherwise says what differs.
fn differs<T: PartialEq + std::fmt::Debug>(
    name: &str,
    mut expect: impl FnMut() -> Vec<T>,
    mut find: impl FnMut() -> Vec<T>,
) -> Option<String> {
    let (mut expected, mut found) = (Vec::new(), Vec::new());
    settle(LIMIT, || {
        (expected, found) = (expect(), find());
        found == expected && !found.is_empty()
    });
    let same = found == expected && !found.is_empty();
    (!same).then(|| format!("{name}: {}", first_difference(&found, &expected)))
}

fn nothing(wrong: &[String], server: &WeirServer, when: &str) {
    let queries = server.http().ksql("SHOW QUERIES;");
    let (wrong, log) = (wrong.join("\n"), server.log());
    assert!(wrong.is_empty(), "{when}:\n{wrong}\n{queries}\n{log}");
}

/// Compares what the server under test has written with what the reference has.
fn compare_topics(server: &WeirServer, topics: &Topics, when: &str, which: fn(Sink) -> bool) {
    let of = |prefix: &str, name, sink| contents(topics, &format!("{prefix}{name}"), sink);
    let wrong: Vec<String> = sinks()
        .filter(|(_, sink)| which(*sink))
        .filter_map(|(name, sink)| differs(name, || of("r_", name, sink), || of("t_", name, sink)))
        .collect();
    nothing(&wrong, server, when);
}

/// Compares all tables, as pull queries give them.
fn compare_state(server: &WeirServer, reference: &WeirServer, when: &str) {
    let tables = sinks().filter(|(_, sink)| sink.is_table());
    let wrong: Vec<String> = tables
        .filter_map(|(name, _)| {
            let of = |server: &WeirServer| state(server.http(), name);
            differs(name, || of(reference), || of(server))
        })
        .collect();
    nothing(&wrong, server, when);
}

/// Group of the query that fills a sink.
fn group_of(http: Http, sink: &str) -> String {
    let queries = http.ksql("SHOW QUERIES;")[0]["queries"].take();
    let queries = queries.as_array().unwrap();
    let query = queries.iter().find(|q| q["sinks"][0] == sink).unwrap();
    format!(
        "_confluent-ksql-default_query_{}",
        query["id"].as_str().unwrap()
    )
}

fn kill_and_compare(mut server: WeirServer, kills: usize) {
    let topics = Topics::new(server.bootstrap());
    for topic in TOPICS {
        topics.create(topic, PARTITIONS);
    }
    let (begin, rounds) = (begin(), AtomicU64::new(0));
    let write = || write_round(&topics, begin, rounds.fetch_add(1, Ordering::Relaxed));
    write();
    create_all(server.http(), "t_");
    let group = group_of(server.http(), "TUMBLED");
    let progress = || topics.committed(&group, "events", PARTITIONS as usize);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _ends = Ends(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                write();
            }
        });
        let mut moments = Moments(0xfa11);
        for kill in 0..kills {
            // Every other kill hits queries that are at work, not only such as are starting.
            if kill % 2 == 0 {
                let before = progress();
                settle(LIMIT, || progress() != before);
            }
            pause(moments.next(20, 900));
            server.kill9();
            server.restart();
        }
    });

    let properties = [
        ("bootstrap.servers", server.bootstrap()),
        ("ksql.service.id", "reference_"),
        ("ksql.internal.topic.replicas", "1"),
    ];
    let reference = WeirServer::start(&properties);
    create_all(reference.http(), "r_");
    let consumed = |server: &WeirServer, service| {
        wait_until("all input to be read", 2 * LIMIT, || {
            is_consumed(server.http(), &topics, service)
        });
    };
    consumed(&server, "default_");
    consumed(&reference, "reference_");

    let open = |sink| sink != Sink::AtClose;
    compare_topics(&server, &topics, "after the kills", open);
    server.stop();
    server.lose_state();
    server.restart();
    compare_state(&server, &reference, "after the disk was lost");

    write();
    consumed(&server, "default_");
    consumed(&reference, "reference_");
    // Closed windows are looked for once a second: what closes them has to come again until every
    // event has come out of the left join.
    let events = rounds.load(Ordering::Relaxed) * EVENTS;
    wait_until("all windows to be closed", 2 * LIMIT, || {
        write_end(&topics, begin);
        consumed(&server, "default_");
        consumed(&reference, "reference_");
        ["t_", "r_"].iter().all(|prefix| {
            let rows = topics.read_committed(&format!("{prefix}streams_left_joined"));
            let values = rows
                .iter()
                .map(|r| serde_json::from_str::<Value>(&r.value_text()));
            let ids = values.map(|v| v.unwrap()["EVENT"].as_i64().unwrap());
            ids.filter(|id| *id >= 0).collect::<BTreeSet<_>>().len() as u64 == events
        })
    });
    compare_topics(&server, &topics, "in the end", |_| true);
    compare_state(&server, &reference, "in the end");
}

#[test]
fn every_operator_on_apache_kafka() {
    let kafka = ApacheKafka::start();
    let bootstrap = kafka.bootstrap();
    let properties = [
        ("bootstrap.servers", bootstrap.as_str()),
        ("ksql.internal.topic.replicas", "1"),
    ];
    kill_and_compare(WeirServer::start(&properties), 10);
}

#[test]
fn every_operator_on_the_embedded_broker() {
    kill_and_compare(WeirServer::start(&[]), 4);
}
