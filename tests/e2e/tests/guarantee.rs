//! `processing.guarantee`, by server and by session.

use std::time::Duration;

use weir_test_support::{Topics, WeirServer, wait_until};

const RECORDS: u64 = 10;
const LIMIT: Duration = Duration::from_secs(30);
const NAME: &str = "processing.guarantee";

/// Whether what a query wrote ends with the marker of a transaction, which takes an offset.
fn writes_transactions(server: &WeirServer, session: Option<&str>, sink: &str) -> bool {
    let topics = Topics::new(server.bootstrap());
    let set: Vec<_> = session.map(|value| (NAME, value)).into_iter().collect();
    let sql = format!("CREATE TABLE {sink} AS SELECT id, COUNT(*) AS n FROM s GROUP BY id;");
    server.http().ksql_with(&sql, &set);
    wait_until("what the query writes", LIMIT, || {
        topics.read_committed(sink).len() as u64 == RECORDS
    });
    let end: i64 = topics.end_offsets(sink).iter().sum();
    assert!(end >= RECORDS as i64, "{end}");
    end > RECORDS as i64
}

#[test]
fn transactions_are_used_as_the_server_or_the_session_says() {
    let (once, least) = ("exactly_once_v2", "at_least_once");
    for server_says in [None, Some(least)] {
        let properties: Vec<_> = server_says.map(|v| (NAME, v)).into_iter().collect();
        let server = WeirServer::start(&properties);
        let topics = Topics::new(server.bootstrap());
        server.http().ksql(
            "CREATE STREAM s (id VARCHAR KEY, v INT) \
             WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=2);",
        );
        let records = (0..RECORDS).map(|n| (format!("k{n}"), "{\"V\":1}".to_owned(), 1));
        topics.produce("s", records);
        for (sink, session) in [("A", None), ("B", Some(once)), ("C", Some(least))] {
            let expected = session.or(server_says).unwrap_or(once) == once;
            let found = writes_transactions(&server, session, sink);
            assert_eq!(
                found, expected,
                "server {server_says:?}, session {session:?}"
            );
        }
    }
}
