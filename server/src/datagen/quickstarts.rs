//! The kinds of records.

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};

/// A kind of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quickstart {
    /// Orders of items.
    Orders,
    /// People.
    Users,
    /// Page views.
    Pageviews,
    /// Requests to a web server.
    Clickstream,
    /// Ratings of flights.
    Ratings,
}

/// Fields of one record, in order.
pub(crate) struct Row(Map<String, Value>);

impl Quickstart {
    /// The kind of that name.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        Ok(match name {
            "orders" => Self::Orders,
            "users" => Self::Users,
            "pageviews" => Self::Pageviews,
            "clickstream" => Self::Clickstream,
            "ratings" => Self::Ratings,
            other => {
                return Err(format!(
                    "unknown quickstart '{other}'; there are orders, users, pageviews, \
                     clickstream and ratings"
                ));
            }
        })
    }

    /// The field that is the key unless another is asked for.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Orders => "orderid",
            Self::Users => "userid",
            Self::Pageviews => "viewtime",
            Self::Clickstream => "ip",
            Self::Ratings => "rating_id",
        }
    }

    /// Record number `n`.
    pub(crate) fn row(self, n: u64, now_ms: i64, random: &mut StdRng) -> Row {
        let fields = match self {
            Self::Orders => json!({
                "ordertime": random.random_range(1_487_715_775_521i64..=1_519_273_364_600),
                "orderid": n,
                "itemid": format!("Item_{}", random.random_range(0..1000)),
                "orderunits": f64::from(random.random_range(1..=100)) / 10.0,
                "address": {
                    "city": format!("City_{}", random.random_range(0..100)),
                    "state": format!("State_{}", random.random_range(0..100)),
                    "zipcode": random.random_range(10_000..=99_999),
                },
            }),
            Self::Users => json!({
                "registertime": random.random_range(1_487_715_775_521i64..=1_519_273_364_600),
                "userid": format!("User_{}", random.random_range(1..=9)),
                "regionid": format!("Region_{}", random.random_range(1..=9)),
                "gender": pick(&["MALE", "FEMALE", "OTHER"], random),
            }),
            Self::Pageviews => json!({
                "viewtime": n * 10 + 1,
                "userid": format!("User_{}", random.random_range(1..=9)),
                "pageid": format!("Page_{}", random.random_range(10..=99)),
            }),
            Self::Clickstream => {
                let pages = [
                    "/index.html",
                    "/images/logo.png",
                    "/site/login.html",
                    "/about",
                ];
                let status = ["200", "200", "200", "302", "404", "405", "406", "407"];
                let address = [
                    "111.152.45.45",
                    "111.203.236.146",
                    "122.145.8.244",
                    "222.245.174.248",
                ];
                json!({
                    "ip": pick(&address, random),
                    "userid": random.random_range(1..=40),
                    "remote_user": "-",
                    "time": now_ms.to_string(),
                    "_time": now_ms,
                    "request": format!("GET {} HTTP/1.1", pick(&pages, random)),
                    "status": pick(&status, random),
                    "bytes": random.random_range(200..=20_000).to_string(),
                    "referrer": "-",
                    "agent": "Mozilla/5.0 (compatible)",
                })
            }
            Self::Ratings => json!({
                "rating_id": n + 1,
                "user_id": random.random_range(-1..=20),
                "stars": random.random_range(1..=5),
                "route_id": random.random_range(1..=9_999),
                "rating_time": now_ms,
                "channel": pick(&["web", "iOS", "android", "iOS-test"], random),
                "message": pick(MESSAGES, random),
            }),
        };
        match fields {
            Value::Object(map) => Row(map),
            _ => Row(Map::new()),
        }
    }
}

/// What passengers write.
const MESSAGES: &[&str] = &[
    "boarding was quick and calm",
    "the seat was broken",
    "more legroom, please",
    "friendly crew, good coffee",
];

/// One of `items`.
fn pick<'a>(items: &[&'a str], random: &mut StdRng) -> &'a str {
    items
        .get(random.random_range(0..items.len().max(1)))
        .copied()
        .unwrap_or_default()
}

/// A scalar as plain text.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Row {
    /// A field as text.
    pub(crate) fn text_of(&self, field: &str) -> Option<String> {
        self.0.get(field).map(plain)
    }

    /// A field as JSON.
    pub(crate) fn json_of(&self, field: &str) -> Option<String> {
        self.0.get(field).map(Value::to_string)
    }

    /// A field as Kafka's own serializers write it: whole numbers in 8 bytes (those that are
    /// INTEGER in the quickstart's schema in 4), text as it is.
    pub(crate) fn kafka_bytes(&self, field: &str) -> Option<Vec<u8>> {
        let value = self.0.get(field)?;
        Some(match value.as_i64() {
            Some(number) if field == "orderid" => (number as i32).to_be_bytes().to_vec(),
            Some(number) => number.to_be_bytes().to_vec(),
            None => plain(value).into_bytes(),
        })
    }

    /// The fields but the key as a JSON object.
    pub(crate) fn json(&self, key: &str) -> String {
        let rest: Map<String, Value> = self
            .0
            .iter()
            .filter(|(name, _)| *name != key)
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Value::Object(rest).to_string()
    }

    /// The fields but the key as separated values; nested ones as JSON text.
    pub(crate) fn delimited(&self, key: &str, delimiter: char) -> String {
        let cells: Vec<String> = self
            .0
            .iter()
            .filter(|(name, _)| *name != key)
            .map(|(_, value)| {
                let text = plain(value);
                if text.contains([delimiter, '"', '\n', '\r']) {
                    format!("\"{}\"", text.replace('"', "\"\""))
                } else {
                    text
                }
            })
            .collect();
        cells.join(&delimiter.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn the_same_seed_makes_the_same_records() {
        let row = |seed| {
            let mut random = StdRng::seed_from_u64(seed);
            Quickstart::Orders.row(3, 0, &mut random).json("orderid")
        };
        assert_eq!(row(1), row(1));
        assert_ne!(row(1), row(2));
    }

    #[test]
    fn the_key_is_not_in_the_value() {
        let mut random = StdRng::seed_from_u64(1);
        let row = Quickstart::Users.row(0, 0, &mut random);
        assert!(!row.json("userid").contains("userid"));
        assert_eq!(
            row.kafka_bytes("userid"),
            row.text_of("userid").map(String::into_bytes)
        );
    }
}
