//! Runtime statistics of a source, as DESCRIBE gives them (spec/api.md §3.3, §8.4): what the
//! queries of this server read from its topic and wrote to it. Nothing happened: nothing is said.

use serde_json::{Value, json};
use weir_runtime::{Flow, TopicTraffic};
use weir_types::java;

/// A figure: its name and value.
type Figure = (&'static str, f64);

/// Statistics of a topic: of records, and of those that could not be decoded.
pub(super) struct Statistics {
    records: Vec<(Figure, i64)>,
    errors: Vec<(Figure, i64)>,
}

impl Statistics {
    pub(super) fn new(traffic: &TopicTraffic) -> Self {
        let TopicTraffic {
            read,
            failed,
            written,
        } = traffic;
        let mut records = figures(
            read,
            &[
                ("consumer-messages-per-sec", read.per_second),
                ("consumer-total-messages", read.messages as f64),
                ("consumer-total-bytes", read.bytes as f64),
            ],
        );
        records.extend(figures(
            written,
            &[
                ("messages-per-sec", written.per_second),
                ("total-messages", written.messages as f64),
            ],
        ));
        let errors = figures(
            failed,
            &[
                ("consumer-failed-messages", failed.messages as f64),
                ("consumer-failed-messages-per-sec", failed.per_second),
            ],
        );
        Self { records, errors }
    }

    /// `clusterStatistics`, as far as this server knows.
    pub(super) fn records_of(&self, host: &str) -> Vec<Value> {
        entries(&self.records, host)
    }

    /// `clusterErrorStats`, as far as this server knows.
    pub(super) fn errors_of(&self, host: &str) -> Vec<Value> {
        entries(&self.errors, host)
    }

    /// `statistics`: the same as one line.
    pub(super) fn record_line(&self) -> String {
        line(&self.records)
    }

    /// `errorStats`: the same as one line.
    pub(super) fn error_line(&self) -> String {
        line(&self.errors)
    }
}

fn figures(flow: &Flow, figures: &[Figure]) -> Vec<(Figure, i64)> {
    if flow.messages == 0 {
        return Vec::new();
    }
    figures
        .iter()
        .map(|figure| (*figure, flow.last_ms))
        .collect()
}

fn entries(figures: &[(Figure, i64)], host: &str) -> Vec<Value> {
    figures
        .iter()
        .map(|((name, value), last)| {
            json!({ "name": name, "host": host, "value": value, "timestamp": last })
        })
        .collect()
}

fn line(figures: &[(Figure, i64)]) -> String {
    let Some(last) = figures.iter().map(|(_, last)| *last).max() else {
        return String::new();
    };
    let mut line = String::new();
    for ((name, value), _) in figures {
        line.push_str(&format!("{name}:{value:>10.0} "));
    }
    line.push_str("    last-message: ");
    java::write_timestamp(last, &mut line);
    line.push('Z');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(messages: u64, bytes: u64) -> Flow {
        Flow {
            messages,
            bytes,
            per_second: messages as f64 / 100.0,
            last_ms: 1_600_000_000_123,
        }
    }

    #[test]
    fn a_quiet_topic_has_none() {
        let none = Statistics::new(&TopicTraffic::default());
        assert!(none.records_of("h:1").is_empty() && none.errors_of("h:1").is_empty());
        assert_eq!((none.record_line(), none.error_line()), Default::default());
    }

    #[test]
    fn each_direction_has_figures_of_its_own() {
        let mut traffic = TopicTraffic {
            read: flow(6, 348),
            ..TopicTraffic::default()
        };
        let names = |of: &Statistics| -> Vec<String> {
            let entries = of.records_of("h:1").into_iter().chain(of.errors_of("h:1"));
            entries
                .map(|e| format!("{}={}", e["name"].as_str().unwrap_or_default(), e["value"]))
                .collect()
        };
        let read = [
            "consumer-messages-per-sec=0.06",
            "consumer-total-messages=6.0",
            "consumer-total-bytes=348.0",
        ];
        let statistics = Statistics::new(&traffic);
        assert_eq!(names(&statistics), read);
        assert_eq!(
            statistics.record_line(),
            "consumer-messages-per-sec:         0 consumer-total-messages:         6 \
             consumer-total-bytes:       348     last-message: 2020-09-13T12:26:40.123Z"
        );
        assert_eq!(
            statistics.records_of("h:1")[0],
            json!({"name": "consumer-messages-per-sec", "host": "h:1", "value": 0.06,
                   "timestamp": 1_600_000_000_123_i64})
        );
        traffic.written = flow(3, 0);
        traffic.failed = flow(1, 0);
        let mut all = read.to_vec();
        all.extend([
            "messages-per-sec=0.03",
            "total-messages=3.0",
            "consumer-failed-messages=1.0",
            "consumer-failed-messages-per-sec=0.01",
        ]);
        assert_eq!(names(&Statistics::new(&traffic)), all);
    }
}
