//! What a server knows after it was killed and started again.

use std::time::Duration;

use serde_json::{Value, json};
use weir_test_support::{ApacheKafka, Http, Topics, WeirServer, wait_until};

fn queries(http: Http) -> Value {
    let mut queries = http.ksql("SHOW QUERIES;")[0]["queries"].take();
    // Whether a query has got under way again is another matter.
    for query in queries.as_array_mut().unwrap() {
        let query = query.as_object_mut().unwrap();
        query.remove("state");
        query.remove("statusCount");
    }
    queries
}

#[test]
fn a_server_that_is_stopped_leaves_its_slots_to_others_at_once() {
    let kafka = ApacheKafka::start();
    let bootstrap = kafka.bootstrap();
    let properties = [
        ("bootstrap.servers", bootstrap.as_str()),
        ("ksql.internal.topic.replicas", "1"),
    ];
    let topics = Topics::new(&bootstrap);
    let mut server = WeirServer::start(&properties);
    let slots = "_confluent-ksql-default__slots";
    let members = || topics.group(slots).map(|(_, members)| members);
    wait_until("the slots to be taken", Duration::from_secs(30), || {
        members() == Some(1)
    });
    server.stop();
    // The session of a member that just ends goes on for 10 s.
    assert_eq!(members().unwrap_or(0), 0);
    server.restart();
    wait_until(
        "the slots to be taken again",
        Duration::from_secs(30),
        || members() == Some(1),
    );
}

#[test]
fn a_killed_server_comes_back_with_its_queries_ids_and_state() {
    let mut server = WeirServer::start(&[]);
    let http = server.http();
    http.ksql(
        "CREATE STREAM s (id VARCHAR KEY, v INT) \
         WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=2);\
         CREATE TABLE counts AS SELECT id, COUNT(*) AS n, SUM(v) AS total FROM s GROUP BY id;\
         CREATE STREAM doubled AS SELECT id, v * 2 AS v FROM s;",
    );
    http.ksql("INSERT INTO s (id, v) VALUES ('a', 1); INSERT INTO s (id, v) VALUES ('a', 2);");
    let one = "SELECT * FROM counts WHERE id = 'a';";
    let is = |n: i32, total: i32| {
        let expected = [vec![json!("a"), json!(n), json!(total)]];
        move || http.try_query(one).is_ok_and(|rows| rows == expected)
    };
    wait_until("the count before", Duration::from_secs(20), is(2, 3));
    let before = queries(http);
    assert_eq!(before.as_array().unwrap().len(), 2, "{before}");

    server.kill9();
    server.restart();

    assert_eq!(queries(http), before);
    wait_until("the state to be there", Duration::from_secs(20), is(2, 3));
    http.ksql("INSERT INTO s (id, v) VALUES ('a', 4);");
    wait_until("counting to go on", Duration::from_secs(20), is(3, 7));
    // Ids are given on: the next statement's comes after all of before.
    let created = http.ksql("CREATE STREAM tripled AS SELECT id, v * 3 AS v FROM s;");
    let number = |id: &Value| -> i64 {
        let id = id.as_str().unwrap();
        id.rsplit_once('_').unwrap().1.parse().unwrap()
    };
    let new = number(&created[0]["commandStatus"]["queryId"]);
    for query in before.as_array().unwrap() {
        assert!(number(&query["id"]) < new, "{query} and {created}");
    }
}
