//! The queries: what they read, their SQL, and the bars that they are held to.
//!
//! The same queries, written for Kafka Streams, are in `peer/`.

use std::collections::HashMap;

use serde_json::Value;

use crate::digest::{Digest, Meaning};
use crate::workload::Topic;

/// A measured query.
#[derive(Debug)]
pub(crate) struct Query {
    /// Name; in capitals that of its sink and the sink's topic.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) about: &'static str,
    /// Sources whose records are the records of the figures.
    pub(crate) counted: &'static [Topic],
    /// Sources that are read as well.
    pub(crate) others: &'static [Topic],
    /// What its output is.
    pub(crate) output: Meaning,
    /// What the last rows must be by the input, where Kafka Streams does not compute it.
    pub(crate) implied: Option<fn(u64) -> Digest>,
    /// Least ratio of Kafka Streams' CPU time to Weir's, warm.
    pub(crate) bar: f64,
    sources: &'static [&'static str],
    sql: &'static str,
}

const ORDERS: &str = "CREATE STREAM orders (user_id VARCHAR KEY, order_id BIGINT, \
    item_id VARCHAR, quantity INT, price DOUBLE, status VARCHAR, currency VARCHAR, \
    address VARCHAR, ts BIGINT) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON');";
const CLICKS: &str = "CREATE STREAM clicks (user_id VARCHAR KEY, click_id BIGINT, \
    item_id VARCHAR, page VARCHAR, referrer VARCHAR, agent VARCHAR, dwell_ms INT, ts BIGINT) \
    WITH (KAFKA_TOPIC='clicks', VALUE_FORMAT='JSON');";
const USERS: &str = "CREATE TABLE users (user_id VARCHAR PRIMARY KEY, name VARCHAR, \
    city VARCHAR, tier VARCHAR, since BIGINT) WITH (KAFKA_TOPIC='users', VALUE_FORMAT='JSON');";
const ITEMS: &str = "CREATE TABLE items (item_id VARCHAR PRIMARY KEY, title VARCHAR, \
    category VARCHAR, stock INT) WITH (KAFKA_TOPIC='items', VALUE_FORMAT='JSON');";
const LAST_ORDER: &str = "CREATE TABLE last_order (user_id VARCHAR PRIMARY KEY, order_id BIGINT, \
    item_id VARCHAR, quantity INT, price DOUBLE, status VARCHAR, currency VARCHAR, \
    address VARCHAR, ts BIGINT) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON');";
const LAST_CLICK: &str = "CREATE TABLE last_click (user_id VARCHAR PRIMARY KEY, click_id BIGINT, \
    item_id VARCHAR, page VARCHAR, referrer VARCHAR, agent VARCHAR, dwell_ms INT, ts BIGINT) \
    WITH (KAFKA_TOPIC='clicks', VALUE_FORMAT='JSON');";

/// All of them.
pub(crate) const QUERIES: [Query; 12] = [
    Query {
        name: "q0",
        about: "pass-through",
        counted: &[Topic::Orders],
        others: &[],
        output: Meaning::Stream,
        implied: None,
        bar: 3.5,
        sources: &[ORDERS],
        sql: "CREATE STREAM q0 AS SELECT * FROM orders;",
    },
    Query {
        name: "q1",
        about: "filter and project",
        counted: &[Topic::Orders],
        others: &[],
        output: Meaning::Stream,
        implied: None,
        bar: 3.5,
        sources: &[ORDERS],
        sql: "CREATE STREAM q1 AS SELECT user_id, order_id, price * quantity AS total, \
              UCASE(item_id) AS item, CONCAT(status, '-', currency) AS state \
              FROM orders WHERE quantity > 2 AND status <> 'CANCELLED';",
    },
    Query {
        name: "q2",
        about: "count and sum by key",
        counted: &[Topic::Orders],
        others: &[],
        output: Meaning::Table,
        implied: None,
        bar: 5.0,
        sources: &[ORDERS],
        sql: "CREATE TABLE q2 AS SELECT user_id, COUNT(*) AS n, SUM(price) AS total \
              FROM orders GROUP BY user_id;",
    },
    Query {
        name: "q3",
        about: "tumbling by another column",
        counted: &[Topic::Clicks],
        others: &[],
        output: Meaning::Table,
        implied: None,
        bar: 7.0,
        sources: &[CLICKS],
        sql: "CREATE TABLE q3 AS SELECT item_id, COUNT(*) AS n, SUM(dwell_ms) AS dwell \
              FROM clicks WINDOW TUMBLING (SIZE 1 MINUTE) GROUP BY item_id;",
    },
    Query {
        name: "q4",
        about: "stream-table join",
        counted: &[Topic::Orders],
        others: &[Topic::Users],
        output: Meaning::Stream,
        implied: None,
        bar: 4.0,
        sources: &[ORDERS, USERS],
        sql: "CREATE STREAM q4 AS SELECT o.user_id AS user_id, order_id, item_id, quantity, \
              price, status, name, city FROM orders o LEFT JOIN users u \
              ON o.user_id = u.user_id;",
    },
    Query {
        name: "q5",
        about: "stream-stream join",
        counted: &[Topic::Orders, Topic::Clicks],
        others: &[],
        output: Meaning::Stream,
        implied: None,
        bar: 6.0,
        sources: &[ORDERS, CLICKS],
        sql: "CREATE STREAM q5 AS SELECT o.user_id AS user_id, order_id, o.item_id AS ordered, \
              price, click_id, c.item_id AS clicked, page FROM orders o JOIN clicks c \
              WITHIN 10 SECONDS GRACE PERIOD 10 SECONDS ON o.user_id = c.user_id;",
    },
    Query {
        name: "q6",
        about: "repartition and count",
        counted: &[Topic::Orders],
        others: &[],
        output: Meaning::Table,
        implied: None,
        bar: 4.0,
        sources: &[ORDERS],
        sql: "CREATE TABLE q6 AS SELECT item_id, COUNT(*) AS n FROM orders GROUP BY item_id;",
    },
    Query {
        name: "q3k",
        about: "tumbling by key, new windows",
        counted: &[Topic::Clicks],
        others: &[],
        output: Meaning::Table,
        implied: None,
        bar: 6.0,
        sources: &[CLICKS],
        sql: "CREATE TABLE q3k AS SELECT user_id, COUNT(*) AS n, SUM(dwell_ms) AS dwell \
              FROM clicks WINDOW TUMBLING (SIZE 1 MINUTE) GROUP BY user_id;",
    },
    Query {
        name: "hop",
        about: "hopping by key",
        counted: &[Topic::Clicks],
        others: &[],
        output: Meaning::Table,
        implied: None,
        bar: 5.0,
        sources: &[CLICKS],
        sql: "CREATE TABLE hop AS SELECT user_id, COUNT(*) AS n, SUM(dwell_ms) AS dwell \
              FROM clicks WINDOW HOPPING (SIZE 1 MINUTE, ADVANCE BY 30 SECONDS) \
              GROUP BY user_id;",
    },
    Query {
        name: "session",
        about: "sessions by key",
        counted: &[Topic::Clicks],
        others: &[],
        output: Meaning::Table,
        implied: None,
        bar: 5.0,
        sources: &[CLICKS],
        sql: "CREATE TABLE session AS SELECT user_id, COUNT(*) AS n, SUM(dwell_ms) AS dwell \
              FROM clicks WINDOW SESSION (1 MINUTE) GROUP BY user_id;",
    },
    Query {
        name: "tt",
        about: "table-table join",
        counted: &[Topic::Orders, Topic::Clicks],
        others: &[],
        output: Meaning::Table,
        implied: Some(last_of_both),
        bar: 4.0,
        sources: &[LAST_ORDER, LAST_CLICK],
        sql: "CREATE TABLE tt AS SELECT o.user_id AS user_id, order_id, o.item_id AS ordered, \
              price, click_id, c.item_id AS clicked FROM last_order o JOIN last_click c \
              ON o.user_id = c.user_id;",
    },
    Query {
        name: "fk",
        about: "foreign-key join",
        counted: &[Topic::Orders],
        others: &[Topic::Items],
        output: Meaning::Table,
        implied: None,
        bar: 4.0,
        sources: &[LAST_ORDER, ITEMS],
        sql: "CREATE TABLE fk AS SELECT o.user_id AS user_id, order_id, o.item_id AS item, \
              price, title, category FROM last_order o JOIN items i ON o.item_id = i.item_id;",
    },
];

/// Rows of `tt`: last order and last click of each user who has both.
///
/// When its record cache is full, Kafka Streams empties it in the middle of a join; changes that
/// are on their way into one table are then joined with rows of the other one that are out of
/// date, and no later record mends it. (With a cache that never fills it computes these rows.)
fn last_of_both(records: u64) -> Digest {
    let last = |topic: Topic| -> HashMap<String, String> {
        let each = topic.records(records);
        each.map(|(key, value, _)| (key, value)).collect()
    };
    let clicks = last(Topic::Clicks);
    let rows = last(Topic::Orders).into_iter().filter_map(|(user, order)| {
        let parse = |text| serde_json::from_str::<Value>(text).ok();
        let (order, click) = (parse(&order)?, parse(clicks.get(&user)?)?);
        let value = format!(
            "{{\"ORDER_ID\":{},\"ORDERED\":{},\"PRICE\":{:?},\"CLICK_ID\":{},\"CLICKED\":{}}}",
            order["order_id"],
            order["item_id"],
            order["price"].as_f64()?,
            click["click_id"],
            click["item_id"]
        );
        Some((user, value))
    });
    Digest::of_table(rows)
}

impl Query {
    /// The query of this name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        QUERIES.iter().find(|q| q.name == name)
    }

    /// Statements that start it on fresh metadata.
    pub(crate) fn statements(&self) -> String {
        format!("{}\n{}", self.sources.join("\n"), self.sql)
    }
}

#[cfg(test)]
mod tests {
    use super::QUERIES;

    #[test]
    fn each_query_makes_the_sink_that_its_name_says() {
        for query in &QUERIES {
            let words: Vec<&str> = query.sql.split(' ').collect();
            assert_eq!(words.get(2), Some(&query.name));
            assert_eq!(
                query.sources.len(),
                query.counted.len() + query.others.len(),
                "{}",
                query.name
            );
        }
    }
}
