//! Many push queries on one server, and clients that go away.

use std::time::Duration;

use serde_json::json;
use weir_test_support::{Http, Lines, WeirServer, wait_until};

const CLIENTS: usize = 500;

fn push_queries(http: Http) -> usize {
    let answer = http.ksql("SHOW QUERIES;");
    let queries = answer[0]["queries"].as_array().unwrap();
    queries.iter().filter(|q| q["queryType"] == "PUSH").count()
}

#[test]
fn five_hundred_clients_are_served_and_those_that_leave_are_let_go() {
    let server = WeirServer::start(&[("ksql.max.push.queries", "600")]);
    let http = server.http();
    http.ksql(
        "CREATE STREAM ticks (id VARCHAR KEY, v INT) \
         WITH (KAFKA_TOPIC='ticks', VALUE_FORMAT='JSON', PARTITIONS=1);",
    );
    http.ksql("INSERT INTO ticks (id, v) VALUES ('a', 1);");
    let mut clients: Vec<Lines> = (0..CLIENTS)
        .map(|n| {
            http.push("SELECT id, v FROM ticks EMIT CHANGES;")
                .unwrap_or_else(|e| panic!("client {n}: {e}"))
        })
        .collect();
    for (n, client) in clients.iter_mut().enumerate() {
        let header = client.next_line().unwrap();
        assert_eq!(header["columnNames"], json!(["ID", "V"]), "client {n}");
    }
    http.ksql("INSERT INTO ticks (id, v) VALUES ('a', 2);");
    for (n, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.next_line(), Some(json!(["a", 1])), "client {n}");
        assert_eq!(client.next_line(), Some(json!(["a", 2])), "client {n}");
    }
    assert_eq!(push_queries(http), CLIENTS);

    clients.truncate(1);
    wait_until(
        "queries of clients that left to end",
        Duration::from_secs(30),
        || push_queries(http) == 1,
    );
    http.ksql("INSERT INTO ticks (id, v) VALUES ('a', 3);");
    assert_eq!(clients[0].next_line(), Some(json!(["a", 3])));
}
