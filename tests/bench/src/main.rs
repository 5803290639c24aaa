//! Benchmarks: queries of Weir and a program that only moves the bytes, on one Apache Kafka.
//!
//! ```text
//!   bench all        gen ─► null ─► weir q0 … q6     one cluster, one table of figures
//!   bench weir q2    gen ─► weir q2
//!   bench null       gen ─► null
//! ```
//!
//! The figure is CPU-seconds of the engine's process per million input records, over the whole run
//! (start included) and over its second half: elapsed time depends on what else the machine does.
//! Exactly-once, results committed every 2 s, 4 partitions, 2 worker threads. Each output is
//! checked against what the input implies.

mod measure;
mod null;
mod queries;
mod weir;
mod workload;

use std::io::Write;
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand};
use weir_test_support::{ApacheKafka, Topics};

use crate::measure::Cost;
use crate::queries::Query;
use crate::workload::Topic;

const PARTITIONS: i32 = 4;

#[derive(Parser)]
#[command(name = "bench", about = "Weir, and the ceiling, on Apache Kafka")]
struct Arguments {
    /// Records of each stream.
    #[arg(long, default_value_t = 2_000_000, global = true)]
    records: u64,
    /// A cluster whose topics `bench gen` has filled; without it, one is started and filled.
    #[arg(long, global = true)]
    bootstrap: Option<String>,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// The ceiling and every query.
    All,
    /// Only fill the topics of a cluster (--bootstrap).
    Gen,
    /// One query of Weir.
    Weir {
        /// Which.
        query: Query,
    },
    /// The ceiling: bytes moved, nothing done.
    Null,
}

fn say(text: &str) {
    // Whoever closed the stream does not want to read it.
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn fill(topics: &Topics, records: u64) {
    for topic in [Topic::Users, Topic::Orders, Topic::Clicks] {
        topics.create(topic.name(), PARTITIONS);
        topics.produce(topic.name(), topic.records(records));
    }
}

fn line(name: &str, cost: Cost) {
    let warm = cost
        .warm
        .map_or_else(|| "-".to_owned(), |w| format!("{w:.2}"));
    say(&format!(
        "| {name:<8} | {:>7.2} | {warm:>7} | {:>8} | {:>7.1} |",
        cost.whole, cost.peak_mib, cost.seconds
    ));
}

fn header(records: u64) {
    say(&format!(
        "CPU-seconds per million records, {records} records\n\n\
         | what     |   whole |    warm | peak MiB | seconds |\n\
         |----------|---------|---------|----------|---------|"
    ));
}

fn weir(query: Query, bootstrap: &str, records: u64) -> Result<(), String> {
    let topics = Topics::new(bootstrap);
    line(query.name(), weir::run(query, &topics, bootstrap, records));
    query.check(&topics, records)
}

/// The null in a process of its own, so that only its own CPU time is counted.
fn null_apart(bootstrap: &str) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let output = Command::new(program)
        .args(["null", "--bootstrap", bootstrap])
        .output()
        .map_err(|e| e.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    say(String::from_utf8_lossy(&output.stdout).trim_end());
    Ok(())
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let records = arguments.records;
    let mut kafka = None;
    let bootstrap = match &arguments.bootstrap {
        Some(servers) => servers.clone(),
        None => {
            let started = kafka.insert(ApacheKafka::start());
            fill(&Topics::new(&started.bootstrap()), records);
            started.bootstrap()
        }
    };
    match arguments.what {
        What::Gen => {
            if kafka.is_some() {
                return Err("gen fills the topics of a cluster: --bootstrap HOST:PORT".to_owned());
            }
            fill(&Topics::new(&bootstrap), records);
        }
        What::Null if kafka.is_none() => {
            let topics = Topics::new(&bootstrap);
            let cost = null::run(&topics, &bootstrap, Topic::Orders.name());
            line("null", cost.map_err(|e| e.to_string())?);
        }
        What::Null => {
            header(records);
            null_apart(&bootstrap)?;
        }
        What::Weir { query } => {
            header(records);
            weir(query, &bootstrap, records)?;
        }
        What::All => {
            header(records);
            null_apart(&bootstrap)?;
            for query in Query::ALL {
                weir(query, &bootstrap, records)?;
            }
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "bench: {error}");
            ExitCode::FAILURE
        }
    }
}
