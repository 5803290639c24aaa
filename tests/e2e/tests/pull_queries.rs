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
