//! A server that was taken for dead comes back: what it then tries to commit is refused.
//!
//! ```text
//!   two servers, slots divided ─► one is frozen ─► the other has all slots ─► the first goes on:
//!   its epoch is refused, it joins again, slots are divided anew
//! ```

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use weir_test_support::{ApacheKafka, Topics, WeirServer, settle, wait_until};

use super::{BURST, Ends, LIMIT, PARTITIONS, counts_of_input, events, last_values};

/// How often a server is frozen until an epoch of it is refused.
const ROUNDS: usize = 6;
/// Several commit intervals: an epoch that was open is refused by then.
const COMMITTED: Duration = Duration::from_secs(5);
const SLOTS: &str = "_confluent-ksql-default__slots";

#[test]
fn a_server_that_lost_its_slots_commits_nothing() {
    let kafka = ApacheKafka::start();
    let bootstrap = kafka.bootstrap();
    let properties = [
        ("bootstrap.servers", bootstrap.as_str()),
        ("ksql.internal.topic.replicas", "1"),
        // Under load an epoch is open nearly always, in the moment of the freeze too.
        ("ksql.streams.commit.interval.ms", "1000"),
    ];
    let topics = Topics::new(&bootstrap);
    topics.create("events", PARTITIONS);
    let first = WeirServer::start(&properties);
    first.http().ksql(
        "CREATE STREAM events (k VARCHAR KEY, id BIGINT, v BIGINT) \
         WITH (KAFKA_TOPIC='events', VALUE_FORMAT='JSON');\
         CREATE TABLE counts AS SELECT k, COUNT(*) AS n, SUM(v) AS total \
         FROM events GROUP BY k;\
         CREATE STREAM passed AS SELECT k, id FROM events;",
    );
    let second = WeirServer::start(&properties);
    let members = |count| {
        let what = format!("the slots to be divided among {count}");
        wait_until(&what, LIMIT, || {
            topics.group(SLOTS) == Some(("Stable".into(), count))
        });
    };
    members(2);

    let (written, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let _ends = Ends(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let id = written.load(Ordering::Relaxed);
                written.fetch_add(
                    topics.produce("events", events(id, BURST)),
                    Ordering::Relaxed,
                );
            }
        });
        // All partitions are written to: both servers are at work.
        wait_until("both servers to write", LIMIT, || {
            let ends = topics.end_offsets("PASSED");
            ends.iter().all(|end| *end > 0)
        });
        // Not every freeze meets an open epoch: on a busy machine events come with pauses.
        let refused = (0..ROUNDS).any(|_| {
            first.freeze();
            members(1);
            let before = topics.read_committed("PASSED").len();
            wait_until("the second server to go on with all", LIMIT, || {
                topics.read_committed("PASSED").len() > before + 2 * BURST as usize
            });
            first.thaw();
            members(2);
            let refused = || first.log().contains("epoch given up");
            settle(COMMITTED, refused);
            refused()
        });
        assert!(refused, "no epoch was refused: {}", first.log());
    });

    let written = written.into_inner();
    let (expected, _) = counts_of_input(&topics, written);
    wait_until("the counts of all events", LIMIT, || {
        last_values(&topics, "COUNTS") == expected
    });
    let mut passed: Vec<i64> = Vec::new();
    wait_until("all events to have passed", LIMIT, || {
        let records = topics.read_committed("PASSED").into_iter();
        let values = records.map(|r| serde_json::from_str::<Value>(&r.value_text()).unwrap());
        passed = values.map(|v| v["ID"].as_i64().unwrap()).collect();
        passed.len() as u64 >= written
    });
    passed.sort_unstable();
    let once: Vec<i64> = (0..written as i64).collect();
    assert!(passed == once, "{} rows of {written} events", passed.len());
    drop(second);
}
