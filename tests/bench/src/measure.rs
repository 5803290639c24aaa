//! CPU time of a process over a run, whole and over its second half.

use std::time::Instant;

use weir_test_support::Usage;

/// What a run has cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// CPU-seconds per million records, process start included.
    pub(crate) whole: f64,
    /// The same of the second half of the records; `None` when commits came so seldom that what
    /// was left after the middle is less than a quarter.
    pub(crate) warm: Option<f64>,
    /// Highest resident memory, MiB.
    pub(crate) peak_mib: u64,
    /// Elapsed time, seconds.
    pub(crate) seconds: f64,
}

/// Follows a run from its progress.
pub(crate) struct Meter {
    started: Instant,
    records: u64,
    half: Option<(u64, f64)>,
}

impl Meter {
    /// Of a run over so many records that starts now.
    pub(crate) fn start(records: u64) -> Self {
        Self {
            started: Instant::now(),
            records,
            half: None,
        }
    }

    /// Notes that `done` records are dealt with.
    pub(crate) fn progress(&mut self, done: u64, usage: Usage) {
        if self.half.is_none() && done * 2 >= self.records {
            self.half = Some((done, usage.cpu_seconds));
        }
    }

    /// The cost, once all are.
    pub(crate) fn end(&self, usage: Usage) -> Cost {
        let (done, before) = self.half.unwrap_or((self.records, 0.0));
        let per_million = |cpu: f64, records: u64| cpu * 1e6 / records.max(1) as f64;
        Cost {
            whole: per_million(usage.cpu_seconds, self.records),
            warm: (done * 4 <= self.records * 3).then(|| {
                per_million(
                    usage.cpu_seconds - before,
                    self.records.saturating_sub(done),
                )
            }),
            peak_mib: usage.peak_mib,
            seconds: self.started.elapsed().as_secs_f64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_half_is_counted_from_where_it_was_seen() {
        let at = |cpu_seconds| Usage {
            cpu_seconds,
            ..Usage::default()
        };
        let mut meter = Meter::start(2_000_000);
        meter.progress(400_000, at(3.0));
        meter.progress(1_500_000, at(5.0));
        meter.progress(1_900_000, at(5.5));
        let cost = meter.end(at(6.0));
        assert_eq!((cost.whole, cost.warm), (3.0, Some(2.0)));
    }

    #[test]
    fn a_second_half_that_is_too_short_is_not_told() {
        let mut meter = Meter::start(1000);
        meter.progress(900, Usage::default());
        assert_eq!(meter.end(Usage::default()).warm, None);
    }
}
