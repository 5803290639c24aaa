//! The records: orders and clicks keyed by user, the users, and the items. The same numbers give
//! the same bytes at the same offsets.
//!
//! Users and items are drawn with weight rank^-0.8, so that some are hot; one record every 10 ms
//! of event time.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Event time of the first record (2023-11-14T22:13:20Z).
const BASE_TS: i64 = 1_700_000_000_000;
/// Event time between two records of a stream, milliseconds.
const STEP_MS: i64 = 10;
const USERS: usize = 100_000;
const ITEMS: usize = 10_000;

const STATUS: [&str; 5] = ["CREATED", "PAID", "SHIPPED", "DELIVERED", "CANCELLED"];
const CURRENCY: [&str; 4] = ["EUR", "USD", "GBP", "SEK"];
const CITY: [&str; 6] = ["Visby", "Lisbon", "Gdansk", "Bergen", "Porto", "Tallinn"];
const CATEGORY: [&str; 4] = ["books", "garden", "kitchen", "toys"];
const REFERRER: [&str; 4] = ["search", "newsletter", "partner/compare", "direct"];

/// A topic of the workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topic {
    /// A stream, 175 bytes a record.
    Orders,
    /// A stream, 165 bytes a record.
    Clicks,
    /// A table, one record for each user.
    Users,
    /// A table, one record for each item.
    Items,
}

impl Topic {
    /// Its name in Kafka.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Clicks => "clicks",
            Self::Users => "users",
            Self::Items => "items",
        }
    }

    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Users, Self::Items, Self::Orders, Self::Clicks];

    /// Key, value and timestamp of its records; `records` of the streams.
    pub(crate) fn records(self, records: u64) -> Box<dyn Iterator<Item = (String, String, i64)>> {
        let mut random = StdRng::seed_from_u64(self as u64 + 1);
        let at = |n: u64| BASE_TS + n as i64 * STEP_MS;
        if self == Self::Users {
            return Box::new((0..USERS).map(move |user| {
                let city = pick(&mut random, &CITY);
                let value = format!(
                    "{{\"name\":\"Customer {user}\",\"city\":\"{city}\",\"tier\":\"gold\",\
                     \"since\":{}}}",
                    random.random_range(1_500_000_000_000_i64..BASE_TS)
                );
                (format!("user_{user:06}"), value, BASE_TS - 1)
            }));
        }
        if self == Self::Items {
            return Box::new((0..ITEMS).map(move |item| {
                let category = pick(&mut random, &CATEGORY);
                let value = format!(
                    "{{\"title\":\"Item {item}\",\"category\":\"{category}\",\"stock\":{}}}",
                    random.random_range(0..1000)
                );
                (format!("item_{item:05}"), value, BASE_TS - 1)
            }));
        }
        let (users, items) = (Ranks::new(USERS), Ranks::new(ITEMS));
        Box::new((0..records).map(move |n| {
            let user = users.draw(&mut random);
            let item = items.draw(&mut random);
            let value = if self == Self::Orders {
                let cents = random.random_range(99..50_000);
                format!(
                    "{{\"order_id\":{n},\"item_id\":\"item_{item:05}\",\"quantity\":{},\
                     \"price\":{}.{:02},\"status\":\"{}\",\"currency\":\"{}\",\
                     \"address\":\"{} Station Street, {}\",\"ts\":{}}}",
                    random.random_range(1..=10),
                    cents / 100,
                    cents % 100,
                    pick(&mut random, &STATUS),
                    pick(&mut random, &CURRENCY),
                    random.random_range(1..300),
                    pick(&mut random, &CITY),
                    at(n)
                )
            } else {
                format!(
                    "{{\"click_id\":{n},\"item_id\":\"item_{item:05}\",\
                     \"page\":\"/shop/items/{item:05}/details\",\"referrer\":\"{}\",\
                     \"agent\":\"Firefox/126\",\"dwell_ms\":{},\"ts\":{}}}",
                    pick(&mut random, &REFERRER),
                    random.random_range(50..20_000),
                    at(n)
                )
            };
            (format!("user_{user:06}"), value, at(n))
        }))
    }
}

fn pick(random: &mut StdRng, of: &[&'static str]) -> &'static str {
    of.get(random.random_range(0..of.len()))
        .copied()
        .unwrap_or_default()
}

/// Draws of ids where the id of rank r has weight r^-0.8.
struct Ranks {
    /// Share of the ranks up to each.
    cumulative: Vec<f64>,
}

impl Ranks {
    fn new(count: usize) -> Self {
        let mut sum = 0.0;
        let sums = (1..=count).map(|rank| {
            sum += (rank as f64).powf(-0.8);
            sum
        });
        let mut cumulative: Vec<f64> = sums.collect();
        cumulative.iter_mut().for_each(|share| *share /= sum);
        Self { cumulative }
    }

    fn draw(&self, random: &mut StdRng) -> usize {
        let share: f64 = random.random();
        let rank = self.cumulative.partition_point(|upto| *upto < share);
        // Hot ids are not neighbours: the stride shares no factor with the powers of ten.
        rank * 61_803 % self.cumulative.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_numbers_give_the_same_records() {
        for topic in Topic::ALL {
            let some = || topic.records(100).take(100).collect::<Vec<_>>();
            assert_eq!(some(), some());
            for (_, value, _) in some() {
                assert!(
                    serde_json::from_str::<serde_json::Value>(&value).is_ok(),
                    "{value}"
                );
            }
        }
    }

    #[test]
    fn some_users_are_hot_and_all_can_be_drawn() {
        let ranks = Ranks::new(ITEMS);
        let mut random = StdRng::seed_from_u64(1);
        let mut counts = vec![0_u32; ITEMS];
        (0..1_000_000).for_each(|_| counts[ranks.draw(&mut random)] += 1);
        assert!(counts.iter().max() > Some(&20_000));
        assert!(counts.iter().filter(|n| **n == 0).count() < ITEMS / 100);
    }
}
