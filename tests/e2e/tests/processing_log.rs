//! Records that cannot be read are dropped and told about; the query goes on.

use std::time::Duration;

use serde_json::json;
use weir_test_support::{Topics, WeirServer, wait_until};

#[test]
fn an_unreadable_record_is_logged_and_passed_over() {
    let server = WeirServer::start(&[]);
    let http = server.http();
    let topics = Topics::new(server.bootstrap());
    http.ksql(
        "CREATE STREAM readings (id VARCHAR KEY, v INT) \
         WITH (KAFKA_TOPIC='readings', VALUE_FORMAT='JSON', PARTITIONS=1);\
         CREATE TABLE sums AS SELECT id, SUM(v) AS total FROM readings GROUP BY id;",
    );
    let values = [
        "{\"v\": 1}",
        "{\"v\": \"no number\"}",
        "not json",
        "{\"v\": 2}",
    ];
    let records = values.map(|v| ("a".to_owned(), v.to_owned(), 1_700_000_000_000));
    assert_eq!(topics.produce("readings", records), 4);
    wait_until(
        "the sum of what can be read",
        Duration::from_secs(20),
        || http.query("SELECT * FROM sums;") == [vec![json!("a"), json!(3)]],
    );
    let entries = || -> Vec<String> {
        topics
            .read_committed("default_ksql_processing_log")
            .iter()
            .map(|r| r.value_text())
            .filter(|text| text.contains("CTAS_SUMS"))
            .collect()
    };
    wait_until("both records in the log", Duration::from_secs(20), || {
        entries().len() == 2
    });
    for entry in entries() {
        let entry: serde_json::Value = serde_json::from_str(&entry).unwrap();
        assert_eq!(entry["level"], "ERROR", "{entry}");
        let message = &entry["message"];
        assert_eq!(message["type"], 0, "{entry}");
        let error = &message["deserializationError"];
        assert_eq!(error["target"], "value", "{entry}");
        assert_eq!(error["topic"], "readings", "{entry}");
        assert!(error["errorMessage"].is_string(), "{entry}");
    }
    let queries = http.ksql("SHOW QUERIES;");
    let query = &queries[0]["queries"][0];
    assert_eq!(query["state"], "RUNNING", "{queries}");
}
