//! Pull queries against the state of running queries.

use std::time::Duration;

use serde_json::json;
use weir_test_support::{WeirServer, wait_until};

#[test]
fn keys_are_found_where_the_sink_has_other_partitions_than_the_state() {
    let server = WeirServer::start(&[]);
    let http = server.http();
    http.ksql(
        "CREATE STREAM s (id VARCHAR KEY, v INT) \
         WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=4);\
         CREATE TABLE counts WITH (PARTITIONS=3) AS \
         SELECT id, COUNT(*) AS n FROM s GROUP BY id;",
    );
    let ids = 0..12;
    for id in ids.clone() {
        http.ksql(&format!("INSERT INTO s (id, v) VALUES ('id{id}', 1);"));
    }
    for id in ids {
        let one = format!("SELECT * FROM counts WHERE id = 'id{id}';");
        let row = [vec![json!(format!("id{id}")), json!(1)]];
        wait_until("the row of a key", Duration::from_secs(20), || {
            http.try_query(&one).is_ok_and(|rows| rows == row)
        });
    }
}

#[test]
fn a_lookup_that_was_asked_before_reads_the_table_of_now() {
    let server = WeirServer::start(&[]);
    let http = server.http();
    http.ksql(
        "CREATE STREAM s (id VARCHAR KEY, v INT) \
         WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=2);\
         CREATE TABLE t AS SELECT id, COUNT(*) AS n FROM s GROUP BY id;\
         INSERT INTO s (id, v) VALUES ('a', 7); INSERT INTO s (id, v) VALUES ('it''s', 8);",
    );
    let row_of = |key: &str| format!("SELECT * FROM t WHERE id = '{key}';");
    let soon = |key: &str, expected: Vec<serde_json::Value>| {
        wait_until("the row of a key", Duration::from_secs(20), || {
            http.try_query(&row_of(key))
                .is_ok_and(|rows| rows == [expected.clone()])
        });
    };
    soon("a", vec![json!("a"), json!(1)]);
    soon("it''s", vec![json!("it's"), json!(1)]);
    // Planned once, asked with other keys: one that is there, one that is not.
    assert_eq!(http.query(&row_of("a")), [vec![json!("a"), json!(1)]]);
    assert_eq!(
        http.query(&row_of("b")),
        Vec::<Vec<serde_json::Value>>::new()
    );
    http.ksql("INSERT INTO s (id, v) VALUES ('a', 1);");
    soon("a", vec![json!("a"), json!(2)]);
    http.ksql("DROP TABLE t; CREATE TABLE t AS SELECT id, SUM(v) AS total, COUNT(*) AS n FROM s GROUP BY id;");
    soon("a", vec![json!("a"), json!(8), json!(2)]);
}

/// A request that sets nothing is answered before it is routed; one with a property is routed.
#[test]
fn the_short_way_of_a_lookup_answers_as_the_routes_do() {
    let server = WeirServer::start(&[]);
    let http = server.http();
    http.ksql(
        "CREATE STREAM s (id INT KEY, v DOUBLE, w STRING) \
         WITH (KAFKA_TOPIC='s', FORMAT='JSON', PARTITIONS=2);\
         CREATE TABLE plain AS SELECT id, COUNT(*) AS n, SUM(v) AS total, MAX(w) AS last \
         FROM s GROUP BY id;\
         CREATE TABLE computed AS SELECT id, AVG(v) AS mean, COLLECT_LIST(w) AS words \
         FROM s GROUP BY id;\
         CREATE TABLE windows AS SELECT id, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 1 HOUR) \
         GROUP BY id;\
         INSERT INTO s (id, v, w) VALUES (7, 2.5, 'a\"b'); INSERT INTO s (id, v) VALUES (8, 1e9);",
    );
    let masked = |text: &str| {
        let mut text = text.to_owned();
        let id = text.find("\"query_").map(|at| at + 1);
        let end = id.and_then(|at| Some(at + text.get(at..)?.find('"')?));
        if let Some((at, end)) = id.zip(end) {
            text.replace_range(at..end, "ID");
        }
        text
    };
    let types = [
        "*/*",
        "application/json",
        "application/vnd.ksql.v1+json",
        "application/vnd.ksqlapi.delimited.v1",
        "application/vnd.ksql.v1+protobuf",
    ];
    for (select, table) in [
        ("*", "plain"),
        ("n, last, ROWTIME", "plain"),
        ("*", "computed"),
        ("*", "windows"),
    ] {
        let sql = |id: i32| format!("SELECT {select} FROM {table} WHERE id = {id};");
        wait_until("the rows", Duration::from_secs(20), || {
            let found = |id| http.try_query(&sql(id)).is_ok_and(|rows| rows.len() == 1);
            found(7) && found(8)
        });
        for (path, statement, properties) in [
            ("/query-stream", "sql", "properties"),
            ("/query", "ksql", "streamsProperties"),
        ] {
            for (accept, id) in types.iter().flat_map(|t| [7, 8, 9].map(|id| (t, id))) {
                let short = json!({statement: sql(id)});
                let mut routed = short.clone();
                routed[properties] = json!({"auto.offset.reset": "earliest"});
                let [short, routed] = [short, routed].map(|body| {
                    let answer = http.post_accepting(path, accept, &body).unwrap();
                    assert_eq!(answer.status, 200, "{body}: {}", answer.body);
                    masked(&answer.body)
                });
                assert_eq!(short, routed, "{path} {accept} {}", sql(id));
                assert!(short.contains("ID"), "{short}");
            }
        }
    }
}

#[test]
fn rows_are_seen_long_before_they_are_committed() {
    let server = WeirServer::start(&[("ksql.streams.commit.interval.ms", "60000")]);
    let http = server.http();
    http.ksql(
        "CREATE STREAM s (id VARCHAR KEY, v INT) \
         WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);\
         CREATE TABLE counts AS SELECT id, COUNT(*) AS n FROM s GROUP BY id;\
         CREATE TABLE visits AS SELECT id, COUNT(*) AS n FROM s WINDOW SESSION (1 HOUR) \
         GROUP BY id;",
    );
    for n in 1..4 {
        http.ksql("INSERT INTO s (id, v) VALUES ('a', 1);");
        for table in ["counts", "visits"] {
            let query = format!("SELECT n FROM {table} WHERE id = 'a';");
            wait_until("the row of now", Duration::from_secs(20), || {
                http.try_query(&query)
                    .is_ok_and(|rows| rows == [vec![json!(n)]])
            });
        }
    }
}

#[test]
fn a_query_waits_for_the_command_that_it_names() {
    let server = WeirServer::start(&[("ksql.server.command.response.timeout.ms", "300")]);
    let http = server.http();
    let answer = http.ksql(
        "CREATE STREAM s (id VARCHAR KEY, v INT) \
         WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);",
    );
    let done = answer[0]["commandSequenceNumber"].as_i64().unwrap();
    for (sequence, status) in [(done, 200), (-1, 200), (done + 1000, 503)] {
        let body = json!({"ksql": "SELECT * FROM s;", "commandSequenceNumber": sequence});
        let response = http.post("/query", &body).unwrap();
        assert_eq!(response.status, status, "{sequence}");
    }
}
