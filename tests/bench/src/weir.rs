//! A query in Weir: from the server's start until its group's committed offsets are at the end of
//! what it reads.

use std::time::Duration;

use weir_test_support::{Topics, WeirServer, wait_until};

use crate::measure::{Cost, Meter};
use crate::queries::Query;

/// Longest run.
const LIMIT: Duration = Duration::from_secs(900);

/// Runs a query over `records` and says what the server has used.
pub(crate) fn run(query: Query, topics: &Topics, bootstrap: &str, records: u64) -> Cost {
    // A service of its own: nothing is left of the run before.
    let service = format!("bench_{}_{}_", query.name(), std::process::id());
    let mut meter = Meter::start(records);
    let server = WeirServer::start(&[
        ("bootstrap.servers", bootstrap),
        ("ksql.service.id", &service),
        ("ksql.internal.topic.replicas", "1"),
        ("ksql.streams.num.stream.threads", "2"),
        ("ksql.streams.commit.interval.ms", "2000"),
    ]);
    let answer = server.http().ksql(&query.sql());
    let id = answer
        .as_array()
        .and_then(|all| all.last()?["commandStatus"]["queryId"].as_str())
        .unwrap_or_default();
    let group = format!("_confluent-ksql-{service}query_{id}");
    let input = query.input().name();
    let ends = topics.end_offsets(input);
    wait_until("the input to be read", LIMIT, || {
        let committed = topics.committed(&group, input, ends.len());
        if let Some(usage) = server.usage() {
            meter.progress(committed.iter().sum::<i64>().unsigned_abs(), usage);
        }
        committed == ends
    });
    if matches!(query, Query::Q3 | Query::Q6) {
        let between = format!("{group}-Aggregate-GroupBy-repartition");
        wait_until("the repartition topic to be read", LIMIT, || {
            let ends = topics.end_offsets(&between);
            let committed = topics.committed(&group, &between, ends.len());
            // The mark of the last transaction takes an offset and is no record.
            committed.iter().zip(&ends).all(|(at, end)| end - at <= 1)
        });
    }
    meter.end(server.usage().unwrap_or_default())
}
