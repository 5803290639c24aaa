//! What was measured beside what was promised: a table to read and lines of JSON to keep.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::measure::Cost;
use crate::queries::Query;
use crate::say;

/// Most memory of a query's process, MiB.
const MEMORY_BAR: u64 = 300;
/// Most CPU time of the pass-through, as a multiple of the ceiling's.
const CEILING_BAR: f64 = 2.0;

/// Runs of one thing; the figures are their means.
#[derive(Debug, Default)]
pub(crate) struct Runs(Vec<Cost>);

impl Runs {
    /// One more.
    pub(crate) fn push(&mut self, cost: Cost) {
        self.0.push(cost);
    }

    fn mean(&self, of: impl Fn(&Cost) -> f64) -> Option<f64> {
        let count = self.0.len();
        (count > 0).then(|| self.0.iter().map(of).sum::<f64>() / count as f64)
    }

    fn warm(&self) -> Option<f64> {
        self.mean(|c| c.warm)
    }

    fn whole(&self) -> Option<f64> {
        self.mean(|c| c.whole)
    }

    fn peak(&self) -> Option<u64> {
        self.0.iter().map(|c| c.peak_mib).max()
    }
}

/// Figures of one query.
#[derive(Debug)]
pub(crate) struct Figures {
    /// Which.
    pub(crate) query: &'static Query,
    /// Of Weir.
    pub(crate) weir: Runs,
    /// Of the peer; empty where it was left out.
    pub(crate) peer: Runs,
}

/// A promise and whether it was kept.
struct Verdict {
    name: String,
    value: f64,
    bar: String,
    is_met: bool,
}

/// Lines of JSON go here, if anywhere.
pub(crate) struct Journal(Option<File>);

impl Journal {
    /// Into a file, which is made anew.
    pub(crate) fn into_file(path: Option<&Path>) -> Result<Self, String> {
        let open = |path: &Path| File::create(path).map_err(|e| format!("{}: {e}", path.display()));
        Ok(Self(path.map(open).transpose()?))
    }

    /// Adds a line.
    pub(crate) fn write(&mut self, value: &Value) {
        if let Some(file) = &mut self.0 {
            // The table is the result; a full disk shows there soon enough.
            let _ = writeln!(file, "{value}");
        }
    }

    /// Adds a run.
    pub(crate) fn run(&mut self, engine: &str, query: &str, records: u64, cost: &Cost, load: f64) {
        self.write(&json!({
            "run": query, "engine": engine, "records": records, "guarantee": "exactly_once_v2",
            "whole_us": round(cost.whole), "warm_us": round(cost.warm),
            "peak_mib": cost.peak_mib, "seconds": round(cost.seconds), "load": load,
        }));
    }

    fn verdict(&mut self, verdict: &Verdict) {
        self.write(&json!({
            "figure": verdict.name, "value": round(verdict.value), "bar": verdict.bar,
            "met": verdict.is_met,
        }));
    }
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn cell(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |v| format!("{v:.2}"))
}

fn word(is_met: bool) -> &'static str {
    if is_met { "met" } else { "NOT MET" }
}

/// Prints the table of the queries; whether each promise was kept that could be looked at.
pub(crate) fn queries(all: &[Figures], null: &Runs, records: u64, journal: &mut Journal) -> bool {
    say::line(&format!(
        "\nCPU-seconds per million records of each process: warm second half (whole run); {records} \
         records a stream\n\n\
         | query   |                              |          Weir | Kafka Streams |   null | KS/Weir | bar |         | /null | MiB | KS MiB |\n\
         |---------|------------------------------|---------------|---------------|--------|---------|-----|---------|-------|-----|--------|"
    ));
    let both = |runs: &Runs| format!("{} ({})", cell(runs.warm()), cell(runs.whole()));
    let mut verdicts = Vec::new();
    for Figures { query, weir, peer } in all {
        let over = |other: &Runs| Some(other.warm()? / weir.warm()?);
        let ratio = over(peer);
        let to_null = over(null).map(|r| 1.0 / r);
        let mib = |runs: &Runs| {
            runs.peak()
                .map_or_else(|| "-".to_owned(), |p| p.to_string())
        };
        say::line(&format!(
            "| {:<7} | {:<28} | {:>13} | {:>13} | {:>6} | {:>7} | {:>3} | {:<7} | {:>5} | {:>3} | {:>6} |",
            query.name,
            query.about,
            both(weir),
            both(peer),
            cell(null.warm()),
            cell(ratio),
            query.bar,
            ratio.map_or("", |r| word(r >= query.bar)),
            cell(to_null),
            mib(weir),
            mib(peer),
        ));
        if let Some(ratio) = ratio {
            verdicts.push(Verdict {
                name: format!("{}: Kafka Streams / Weir", query.name),
                value: ratio,
                bar: format!("at least {}", query.bar),
                is_met: ratio >= query.bar,
            });
        }
        if let (Some(to_null), "q0") = (to_null, query.name) {
            verdicts.push(Verdict {
                name: "q0: Weir / null".to_owned(),
                value: to_null,
                bar: format!("at most {CEILING_BAR}"),
                is_met: to_null <= CEILING_BAR,
            });
        }
        if let Some(peak) = weir.peak() {
            verdicts.push(Verdict {
                name: format!("{}: peak MiB", query.name),
                value: peak as f64,
                bar: format!("at most {MEMORY_BAR}"),
                is_met: peak <= MEMORY_BAR,
            });
        }
    }
    conclude(&verdicts, journal)
}

/// A figure of the server.
#[derive(Debug)]
pub(crate) struct ServerFigure {
    /// What it is, with its unit.
    pub(crate) name: &'static str,
    /// What was measured.
    pub(crate) value: f64,
    /// The most that it may be.
    pub(crate) bar: f64,
}

/// Prints the figures of the server; whether each is what was promised.
pub(crate) fn server(figures: &[ServerFigure], journal: &mut Journal) -> bool {
    say::line(
        "\n| server                                              |    value | at most |         |\n\
         |-----------------------------------------------------|----------|---------|---------|",
    );
    let mut all = true;
    for figure in figures {
        let is_met = figure.value <= figure.bar;
        all &= is_met;
        say::line(&format!(
            "| {:<51} | {:>8.2} | {:>7} | {:<7} |",
            figure.name,
            figure.value,
            figure.bar,
            word(is_met)
        ));
        journal.verdict(&Verdict {
            name: figure.name.to_owned(),
            value: figure.value,
            bar: format!("at most {}", figure.bar),
            is_met,
        });
    }
    all
}

fn conclude(verdicts: &[Verdict], journal: &mut Journal) -> bool {
    let missed: Vec<&Verdict> = verdicts.iter().filter(|v| !v.is_met).collect();
    verdicts.iter().for_each(|v| journal.verdict(v));
    say::line(&format!(
        "\n{} of {} bars met",
        verdicts.len() - missed.len(),
        verdicts.len()
    ));
    for verdict in &missed {
        say::line(&format!(
            "NOT MET  {}: {:.2}, {}",
            verdict.name, verdict.value, verdict.bar
        ));
    }
    missed.is_empty()
}
