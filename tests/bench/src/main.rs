//! Benchmarks: queries of Weir, the same in Kafka Streams, and a program that only moves the
//! bytes, in turn on one Apache Kafka; and what a server costs that has little to do.
//!
//! ```text
//!   fill ─► (null ─► q0: Weir ─ Kafka Streams ─ same output? ─► q1 … ) × rounds ─► table, JSON
//!           `broker`: the embedded broker beside Apache Kafka          ─► table
//!           a server: start, idle, CREATE AS, idle filters, pull queries        ─► table, JSON
//! ```
//!
//! The figure is CPU-seconds of the engine's process per million input records, over the whole run
//! (start included) and over its second half: elapsed time depends on what else the machine does.
//! Exactly-once, results committed every 2 s, 4 partitions, 2 threads for each engine.
//!
//! Invariant: a figure is told only of a run whose output was compared, where there is a peer.

mod batches;
mod broker;
mod digest;
mod engines;
mod follow;
mod measure;
mod null;
mod queries;
mod report;
mod say;
mod scratch;
mod server;
mod workload;

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use serde_json::json;
use weir_test_support::{ApacheKafka, Topics};

use crate::engines::{Engine, Peer, Weir};
use crate::measure::{Cost, Meter};
use crate::queries::{QUERIES, Query};
use crate::report::{Figures, Journal, Runs};
use crate::scratch::Scratch;
use crate::server::Part;
use crate::workload::Topic;

const PARTITIONS: i32 = 4;

#[derive(Parser)]
#[command(
    name = "bench",
    about = "Weir beside Kafka Streams, on one Apache Kafka"
)]
struct Arguments {
    /// What to measure: queries (q0 … q6, q3k, hop, session, tt, fk), `null`, `queries` (all of
    /// these), `start`, `filters`, `pull`, `server` (these three), or `all`; `broker` (throughput, latency,
    /// transactions, idle, restart, compaction; alone or followed by some of these); or `fill`: start and fill a cluster, for --bootstrap, and keep
    /// it until standard input ends.
    #[arg(default_value = "all")]
    what: Vec<String>,
    /// Records of each stream.
    #[arg(long, default_value_t = 4_000_000)]
    records: u64,
    /// How often each query runs; figures are means.
    #[arg(long, default_value_t = 1)]
    rounds: u32,
    /// Leave Kafka Streams out; outputs are then not compared.
    #[arg(long)]
    without_peer: bool,
    /// A cluster that `bench fill` keeps.
    #[arg(long)]
    bootstrap: Option<String>,
    /// A property of Weir's server, beside those of the benchmark; may be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = property)]
    settings: Vec<(String, String)>,
    /// Write every run and every figure here, a JSON object a line.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Copy this topic and print the cost: the ceiling, as a process of its own.
    #[arg(long, hide = true)]
    copy: Option<String>,
}

fn property(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it has no `=`")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn fill(topics: &Topics, records: u64) {
    for topic in Topic::ALL {
        say::step(&format!("filling {}", topic.name()));
        topics.create(topic.name(), PARTITIONS);
        topics.produce(topic.name(), topic.records(records));
    }
}

/// A cluster with the workload, and what is measured on it.
struct Bench<'a> {
    bootstrap: &'a str,
    topics: Topics,
    with_peer: bool,
    settings: &'a [(String, String)],
    /// Of engines, so far.
    runs: u32,
    journal: &'a mut Journal,
}

impl Bench<'_> {
    /// Deletes everything but the workload.
    fn clear(&self) {
        let is_workload = |name: &str| Topic::ALL.iter().any(|t| t.name() == name);
        let mut names = self.topics.names();
        names.retain(|n| !is_workload(n) && !n.starts_with("__"));
        self.topics.delete(&names);
    }

    fn null(&mut self) -> Result<Cost, String> {
        say::step("null");
        self.topics.create(null::OUTPUT, PARTITIONS);
        let load = measure::load();
        let cost = null::run_apart(self.bootstrap, Topic::Orders.name())?;
        let records = self.count(Topic::Orders);
        self.journal.run("null", "null", records, &cost, load);
        self.clear();
        Ok(cost)
    }

    fn count(&self, topic: Topic) -> u64 {
        let ends = self.topics.end_offsets(topic.name());
        ends.iter().sum::<i64>().unsigned_abs()
    }

    /// One run of an engine that `start` starts; its output stays.
    fn run<E: Engine>(
        &mut self,
        name: &str,
        query: &'static Query,
        start: impl FnOnce(&Query, &str, &str) -> Result<E, String>,
    ) -> Result<(Cost, String), String> {
        say::step(&format!("{:<8} {name}", query.name));
        let records = query.counted.iter().map(|t| self.count(*t)).sum();
        let load = measure::load();
        let meter = Meter::start(records);
        self.runs += 1;
        let run = format!("{}_{}_{}", query.name, std::process::id(), self.runs);
        let mut engine = start(query, self.bootstrap, &run)?;
        let cost = follow::follow(query, &mut engine, meter, &self.topics, self.bootstrap)?;
        self.journal.run(name, query.name, records, &cost, load);
        Ok((cost, engine.output().to_owned()))
    }

    /// One round of a query in both engines.
    fn query(&mut self, figures: &mut Figures) -> Result<(), String> {
        let (query, settings) = (figures.query, self.settings);
        let (cost, output) = self.run("weir", query, |query, servers, run| {
            Weir::start(query, servers, run, settings)
        })?;
        figures.weir.push(cost);
        if self.with_peer {
            let peers = Peer::output_of(query);
            self.topics.create(&peers, PARTITIONS);
            let (cost, peers) = self.run("kafka-streams", query, Peer::start)?;
            figures.peer.push(cost);
            self.compare(query, &output, &peers)?;
        }
        self.clear();
        Ok(())
    }

    fn compare(&mut self, query: &Query, weir: &str, peer: &str) -> Result<(), String> {
        say::step(&format!("{:<8} comparing the outputs", query.name));
        let of = |topic| digest::digest(self.bootstrap, &self.topics, topic, query.output);
        let (of_weir, of_peer) = (of(weir)?, of(peer)?);
        let mut allowed = 0;
        if let Some(implied) = query.implied {
            let rows = implied(self.count(Topic::Orders));
            let wrong = of_weir.differing_keys(&rows);
            if wrong > 0 {
                return Err(format!(
                    "{}: {wrong} rows are not those of the input",
                    query.name
                ));
            }
            allowed = of_peer.differing_keys(&rows);
        } else if !of_weir.agrees_with(&of_peer, query.output) {
            let how = digest::explain(
                self.bootstrap,
                &self.topics,
                (weir, &of_weir),
                (peer, &of_peer),
            );
            return Err(format!("{}: outputs differ: {how}", query.name));
        }
        if allowed > 0 {
            say::line(&format!(
                "{}: {allowed} of {} rows of Kafka Streams are out of date (see queries.rs)",
                query.name,
                of_weir.keys()
            ));
        }
        self.journal.write(&json!({
            "output": query.name, "digest": format!("{:016x}", of_weir.sum()),
            "keys": of_weir.keys(), "weir_records": of_weir.records,
            "kafka_streams_records": of_peer.records, "out_of_date_in_kafka_streams": allowed,
        }));
        Ok(())
    }
}

/// What the words of the command line ask for.
struct Plan {
    queries: Vec<&'static Query>,
    server: Vec<Part>,
}

impl Plan {
    fn of(words: &[String]) -> Result<Self, String> {
        let mut plan = Self {
            queries: Vec::new(),
            server: Vec::new(),
        };
        let server = Part::ALL.iter().map(|(_, part)| *part);
        for word in words {
            if let Some((_, part)) = Part::ALL.iter().find(|(name, _)| name == word) {
                plan.server.push(*part);
                continue;
            }
            match word.as_str() {
                "all" => {
                    plan.queries.extend(&QUERIES);
                    plan.server.extend(server.clone());
                }
                "queries" => plan.queries.extend(&QUERIES),
                "server" => plan.server.extend(server.clone()),
                "null" => {}
                name => plan.queries.push(Query::named(name).ok_or_else(|| {
                    let names: Vec<&str> = QUERIES.iter().map(|q| q.name).collect();
                    format!(
                        "there is no {name}; there are all, queries, null, server, start, filters, pull, fill, {}",
                        names.join(", ")
                    )
                })?),
            }
        }
        Ok(plan)
    }
}

/// Measures; whether every promise was kept that was looked at.
fn measure_all(arguments: &Arguments, plan: &Plan) -> Result<bool, String> {
    let with_peer = !arguments.without_peer && !plan.queries.is_empty();
    if with_peer && !engines::peer_is_built() {
        return Err("Kafka Streams is not built: tests/setup.sh peer, or --without-peer".into());
    }
    let mut journal = Journal::into_file(arguments.json.as_deref())?;
    let load = measure::load();
    let mut kept = true;
    if plan.server.is_empty() || !plan.queries.is_empty() {
        let kafka = arguments.bootstrap.is_none().then(ApacheKafka::start);
        let bootstrap = match (&arguments.bootstrap, &kafka) {
            (Some(servers), _) => servers.clone(),
            (None, Some(kafka)) => kafka.bootstrap(),
            (None, None) => String::new(),
        };
        let topics = Topics::new(&bootstrap);
        if kafka.is_some() {
            fill(&topics, arguments.records);
        }
        let mut bench = Bench {
            bootstrap: &bootstrap,
            topics,
            with_peer,
            settings: &arguments.settings,
            runs: 0,
            journal: &mut journal,
        };
        bench.clear();
        let figures = |query| Figures {
            query,
            weir: Runs::default(),
            peer: Runs::default(),
        };
        let mut all: Vec<Figures> = plan.queries.iter().copied().map(figures).collect();
        let mut null = Runs::default();
        let mut failed = Vec::new();
        for _ in 0..arguments.rounds {
            null.push(bench.null()?);
            for figures in &mut all {
                if let Err(error) = bench.query(figures) {
                    say::line(&error);
                    failed.push(figures.query.name);
                    bench.clear();
                }
            }
        }
        kept &= report::queries(&all, &null, bench.count(Topic::Orders), bench.journal);
        if !failed.is_empty() {
            return Err(format!("failed: {}", failed.join(", ")));
        }
    }
    if !plan.server.is_empty() {
        kept &= report::server(&server::measure(&plan.server), &mut journal);
    }
    say::line(&format!(
        "\nload of the machine: {load:.1} at the start, {:.1} at the end",
        measure::load()
    ));
    Ok(kept)
}

fn run(arguments: &Arguments) -> Result<bool, String> {
    if let Some(topic) = &arguments.copy {
        let bootstrap = arguments.bootstrap.as_deref().unwrap_or_default();
        say::line(&null::run(bootstrap, topic)?.to_string());
        return Ok(true);
    }
    let _scratch = Scratch::new().map_err(|e| format!("a folder for what is made: {e}"))?;
    if arguments.what == ["fill"] {
        let kafka = ApacheKafka::start();
        fill(&Topics::new(&kafka.bootstrap()), arguments.records);
        say::line(&format!("--bootstrap {}", kafka.bootstrap()));
        let mut rest = Vec::new();
        // The end of the input, however it comes, ends the cluster.
        let _ = std::io::stdin().read_to_end(&mut rest);
        return Ok(true);
    }
    if let Some(("broker", parts)) = arguments.what.split_first().map(|(w, p)| (w.as_str(), p)) {
        return broker::run(parts);
    }
    measure_all(arguments, &Plan::of(&arguments.what)?)
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "bench: {error}");
            ExitCode::from(2)
        }
    }
}
