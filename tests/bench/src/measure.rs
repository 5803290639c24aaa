//! What a run has cost: CPU time of one process over the records that it has committed.
//!
//! ```text
//!   CPU                          ● end
//!    │                    ●┄┄┄┄┄┄┆      a point at every commit that is seen
//!    │             ╳╌╌╌╌╌╌┆             ╳ the middle, on the line between two points
//!    │      ●┄┄┄┄┄┄┆
//!    ● start
//!    └─────────────┴──────────── records
//! ```
//!
//! Invariant: points never go back, neither in records nor in CPU time.

use std::time::Instant;

use weir_test_support::Usage;

/// What a run has cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cost {
    /// CPU-seconds per million records, start of the process included.
    pub(crate) whole: f64,
    /// The same of the second half of the records.
    pub(crate) warm: f64,
    /// Highest resident memory, MiB.
    pub(crate) peak_mib: u64,
    /// Elapsed time, seconds.
    pub(crate) seconds: f64,
}

/// Follows a run from its progress.
pub(crate) struct Meter {
    started: Instant,
    records: u64,
    /// Records that are committed, and CPU-seconds used until then.
    points: Vec<(u64, f64)>,
}

impl Meter {
    /// Of a run over so many records that starts now.
    pub(crate) fn start(records: u64) -> Self {
        Self {
            started: Instant::now(),
            records,
            points: Vec::new(),
        }
    }

    /// Notes that `done` records are committed; 0 for what the start has cost.
    pub(crate) fn progress(&mut self, done: u64, usage: Usage) {
        if self.points.last().is_none_or(|(before, _)| *before < done) {
            self.points.push((done, usage.cpu_seconds));
        }
    }

    /// Share of the records that is committed, percent.
    pub(crate) fn percent(&self) -> u64 {
        let done = self.points.last().map_or(0, |(done, _)| *done);
        done * 100 / self.records.max(1)
    }

    /// Seconds since the start.
    pub(crate) fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// CPU-seconds that were used when `records` were committed.
    fn cpu_at(&self, records: f64, end: f64) -> f64 {
        let mut before = (0.0, 0.0);
        let last = (self.records as f64, end);
        let points = self.points.iter().map(|(done, cpu)| (*done as f64, *cpu));
        for point in points.chain([last]) {
            if point.0 >= records && point.0 > before.0 {
                let share = (records - before.0) / (point.0 - before.0);
                return before.1 + (point.1 - before.1) * share;
            }
            before = point;
        }
        end
    }

    /// The cost, once all records are dealt with.
    pub(crate) fn end(&self, usage: Usage) -> Cost {
        let half = self.records as f64 / 2.0;
        let millions = (self.records.max(1)) as f64 / 1e6;
        let warm = usage.cpu_seconds - self.cpu_at(half, usage.cpu_seconds);
        Cost {
            whole: usage.cpu_seconds / millions,
            warm: warm / (millions / 2.0),
            peak_mib: usage.peak_mib,
            seconds: self.seconds(),
        }
    }
}

/// Processes that want to run, mean of the last minute: how busy the machine is.
pub(crate) fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ')
        .next()
        .and_then(|n| n.parse().ok())
        .unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(cpu_seconds: f64) -> Usage {
        Usage {
            cpu_seconds,
            ..Usage::default()
        }
    }

    #[test]
    fn the_middle_lies_between_two_commits() {
        // (points, end) of a run of 2 million records, warm CPU-seconds per million
        for (points, end, warm) in [
            // A commit in the very middle.
            (vec![(1_000_000, 3.0)], 5.0, 2.0),
            // Half way between 0.5 and 1.5 million.
            (vec![(0, 1.0), (500_000, 2.0), (1_500_000, 4.0)], 5.0, 2.0),
            // One commit late in the run: the start does not count.
            (vec![(0, 1.0), (2_000_000, 5.0)], 5.0, 2.0),
            // None was seen.
            (vec![], 6.0, 3.0),
        ] {
            let mut meter = Meter::start(2_000_000);
            for (done, cpu) in &points {
                meter.progress(*done, at(*cpu));
            }
            let cost = meter.end(at(end));
            assert_eq!((cost.whole, cost.warm), (end / 2.0, warm), "{points:?}");
        }
    }

    #[test]
    fn the_first_look_at_a_commit_counts() {
        let mut meter = Meter::start(100);
        meter.progress(50, at(1.0));
        meter.progress(50, at(1.5));
        assert_eq!(meter.percent(), 50);
        assert_eq!(meter.end(at(2.0)).warm, 1.0 * 1e6 / 50.0);
    }
}
