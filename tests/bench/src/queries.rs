//! The queries, and what their outputs must hold.

use std::collections::HashMap;

use serde_json::Value;
use weir_test_support::Topics;

use crate::workload::Topic;

const SOURCES: &str = "\
CREATE STREAM orders (user_id VARCHAR KEY, order_id BIGINT, item_id VARCHAR, quantity INT,
  price DOUBLE, status VARCHAR, currency VARCHAR, address VARCHAR, ts BIGINT)
  WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON');
CREATE STREAM clicks (user_id VARCHAR KEY, click_id BIGINT, item_id VARCHAR, page VARCHAR,
  referrer VARCHAR, agent VARCHAR, dwell_ms INT, ts BIGINT)
  WITH (KAFKA_TOPIC='clicks', VALUE_FORMAT='JSON');
CREATE TABLE users (user_id VARCHAR PRIMARY KEY, name VARCHAR, city VARCHAR, tier VARCHAR,
  since BIGINT) WITH (KAFKA_TOPIC='users', VALUE_FORMAT='JSON');";

/// A measured query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Query {
    /// Pass-through.
    Q0,
    /// Filter and project.
    Q1,
    /// Count and sum by key.
    Q2,
    /// One-minute windows by another column.
    Q3,
    /// Stream-table join.
    Q4,
    /// Count by another column.
    Q6,
}

impl Query {
    /// All of them.
    pub(crate) const ALL: [Self; 6] = [Self::Q0, Self::Q1, Self::Q2, Self::Q3, Self::Q4, Self::Q6];

    /// Name; in capitals that of its sink and the sink's topic.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Q0 => "q0",
            Self::Q1 => "q1",
            Self::Q2 => "q2",
            Self::Q3 => "q3",
            Self::Q4 => "q4",
            Self::Q6 => "q6",
        }
    }

    /// The stream whose records are counted.
    pub(crate) fn input(self) -> Topic {
        if self == Self::Q3 {
            Topic::Clicks
        } else {
            Topic::Orders
        }
    }

    /// Statements that start it on fresh metadata.
    pub(crate) fn sql(self) -> String {
        let query = match self {
            Self::Q0 => "CREATE STREAM q0 AS SELECT * FROM orders;",
            Self::Q1 => {
                "CREATE STREAM q1 AS SELECT user_id, order_id, price * quantity AS total, \
                 UCASE(item_id) AS item, CONCAT(status, '-', currency) AS state \
                 FROM orders WHERE quantity > 2 AND status <> 'CANCELLED';"
            }
            Self::Q2 => {
                "CREATE TABLE q2 AS SELECT user_id, COUNT(*) AS n, SUM(price) AS total \
                 FROM orders GROUP BY user_id;"
            }
            Self::Q3 => {
                "CREATE TABLE q3 AS SELECT item_id, COUNT(*) AS n, SUM(dwell_ms) AS dwell \
                 FROM clicks WINDOW TUMBLING (SIZE 1 MINUTE) GROUP BY item_id;"
            }
            Self::Q4 => {
                "CREATE STREAM q4 AS SELECT o.user_id AS user_id, order_id, item_id, quantity, \
                 price, status, name, city FROM orders o LEFT JOIN users u \
                 ON o.user_id = u.user_id;"
            }
            Self::Q6 => {
                "CREATE TABLE q6 AS SELECT item_id, COUNT(*) AS n FROM orders GROUP BY item_id;"
            }
        };
        format!("{SOURCES}\n{query}")
    }

    /// What is wrong with the committed output, if anything: streams have a row for each record
    /// that passes, the last counts of a table's keys add up to the records.
    pub(crate) fn check(self, topics: &Topics, records: u64) -> Result<(), String> {
        let topic = self.name().to_ascii_uppercase();
        let expected = match self {
            Self::Q1 => Topic::Orders.records(records).filter(passes).count() as u64,
            _ => records,
        };
        let (mut rows, mut last) = (0_u64, HashMap::new());
        topics.each_committed(&topic, |record| {
            rows += 1;
            if matches!(self, Self::Q2 | Self::Q3 | Self::Q6) {
                let value: Option<Value> = serde_json::from_str(&record.value_text()).ok();
                let count = value.and_then(|v| v["N"].as_u64()).unwrap_or(0);
                last.insert(record.key, count);
            }
        });
        let found = match self {
            Self::Q0 | Self::Q1 | Self::Q4 => rows,
            Self::Q2 | Self::Q3 | Self::Q6 => last.values().sum(),
        };
        if found == expected {
            Ok(())
        } else {
            Err(format!(
                "{topic} accounts for {found} records instead of {expected}"
            ))
        }
    }
}

/// The filter of q1, on the record's text.
fn passes(record: &(String, String, i64)) -> bool {
    let value: Value = serde_json::from_str(&record.1).unwrap_or_default();
    value["quantity"].as_i64() > Some(2) && value["status"] != "CANCELLED"
}
