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
