//! What the embedded broker costs and how fast it is, beside Apache Kafka in the same run where that says something.
//!
//! ```text
//!   bench broker                    all of it
//!   bench broker throughput …       latency, transactions: on `weir broker`, then on Apache Kafka
//!   bench broker restart …          idle, compaction: on `weir broker` alone
//! ```
//!
//! Throughput is records per CPU-second of the broker's process: elapsed time depends on what else the machine does, and
//! on the client. A JVM is warm when it is measured: the same was done once before.

mod client;
mod process;
mod storage;

use std::time::Duration;

use crate::say;
use client::Cluster;
use process::{Brokered, Kafka, WeirBroker};

/// One promise: a name with its unit, what was measured on each, and the bar.
pub(crate) struct Figure {
    name: &'static str,
    weir: f64,
    kafka: Option<f64>,
    bar: Bar,
}

/// What a figure of Weir must be.
#[derive(Clone, Copy)]
enum Bar {
    AtMost(f64),
    AtLeast(f64),
    /// At least this multiple of Apache Kafka's.
    TimesKafka(f64),
}

impl Figure {
    fn is_met(&self) -> bool {
        match self.bar {
            Bar::AtMost(most) => self.weir <= most,
            Bar::AtLeast(least) => self.weir >= least,
            Bar::TimesKafka(times) => self.kafka.is_some_and(|kafka| self.weir >= kafka * times),
        }
    }
}

const PARTS: [&str; 6] = [
    "throughput",
    "latency",
    "transactions",
    "idle",
    "restart",
    "compaction",
];

/// Measures the parts that are named, or all; whether every promise was kept.
pub(crate) fn run(words: &[String]) -> Result<bool, String> {
    if let Some(unknown) = words.iter().find(|w| !PARTS.contains(&w.as_str())) {
        return Err(format!(
            "broker has no {unknown}; it has {}",
            PARTS.join(", ")
        ));
    }
    let wanted = |part: &str| words.is_empty() || words.iter().any(|w| w == part);
    let mut figures = Vec::new();
    if ["throughput", "latency", "transactions"]
        .into_iter()
        .any(wanted)
    {
        say::step("weir broker");
        let weir = Sides::of(&WeirBroker::start(&[])?, wanted)?;
        say::step("Apache Kafka");
        let kafka = Sides::of(&Kafka::start(), wanted)?;
        figures.extend(weir.beside(&kafka));
    }
    if wanted("idle") {
        say::step("idle with 1,000 partitions");
        figures.extend(storage::idle()?);
    }
    if wanted("restart") {
        say::step("start with 10 GB in 1,000 segments after SIGKILL");
        figures.extend(storage::restart()?);
    }
    if wanted("compaction") {
        say::step("compaction of 1 GB, 10 million keys");
        figures.extend(storage::compaction()?);
    }
    Ok(report(&figures))
}

/// What is measured on both brokers.
#[derive(Default)]
struct Sides {
    produced: Option<f64>,
    fetched: Option<f64>,
    latency: Option<(f64, f64)>,
    transactions: Option<f64>,
}

impl Sides {
    fn of(broker: &impl Brokered, wanted: impl Fn(&str) -> bool) -> Result<Self, String> {
        let cluster = Cluster::new(&broker.bootstrap());
        let mut sides = Self::default();
        if wanted("throughput") {
            // The first time to warm up.
            for _ in 0..2 {
                let (produced, fetched) = cluster.throughput(|| broker.usage().cpu_seconds)?;
                sides.produced = Some(produced);
                sides.fetched = Some(fetched);
            }
        }
        if wanted("latency") {
            sides.latency = Some(cluster.latency(12_000)?);
        }
        if wanted("transactions") {
            cluster.transactions(Duration::from_secs(2))?;
            sides.transactions = Some(cluster.transactions(Duration::from_secs(8))?);
        }
        Ok(sides)
    }

    fn beside(&self, kafka: &Self) -> Vec<Figure> {
        let figure = |name, of: fn(&Self) -> Option<f64>, bar| {
            let (weir, kafka) = (of(self)?, of(kafka));
            Some(Figure {
                name,
                weir,
                kafka,
                bar,
            })
        };
        let figures = [
            figure(
                "produce, 200 bytes, acks=all, records/CPU-s",
                |s| s.produced,
                Bar::TimesKafka(1.0),
            ),
            figure(
                "fetch, 200 bytes, records/CPU-s",
                |s| s.fetched,
                Bar::TimesKafka(1.0),
            ),
            figure(
                "end to end at 1,000/s, p50 ms",
                |s| s.latency.map(|l| l.0),
                Bar::AtMost(1.0),
            ),
            figure(
                "end to end at 1,000/s, p99 ms",
                |s| s.latency.map(|l| l.1),
                Bar::AtMost(10.0),
            ),
            figure(
                "transactions of 10 records/s",
                |s| s.transactions,
                Bar::AtLeast(500.0),
            ),
        ];
        figures.into_iter().flatten().collect()
    }
}

fn report(figures: &[Figure]) -> bool {
    say::line(
        "\n| broker                                              |         weir |        kafka | bar           |         |\n\
         |-----------------------------------------------------|--------------|--------------|---------------|---------|",
    );
    for figure in figures {
        let bar = match figure.bar {
            Bar::AtMost(most) => format!("at most {most}"),
            Bar::AtLeast(least) => format!("at least {least}"),
            Bar::TimesKafka(times) => format!("{times} x kafka"),
        };
        let kafka = figure
            .kafka
            .map_or_else(|| "-".to_owned(), |k| format!("{k:.2}"));
        let verdict = if figure.is_met() { "met" } else { "NOT MET" };
        say::line(&format!(
            "| {:<51} | {:>12.2} | {kafka:>12} | {bar:<13} | {verdict:<7} |",
            figure.name, figure.weir
        ));
    }
    figures.iter().all(Figure::is_met)
}
