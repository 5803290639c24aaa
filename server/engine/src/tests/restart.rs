//! A task that is started again from its changelogs, positions and metadata goes on as if it had
//! never ended: nothing that an operator holds in memory alone may matter.

use proptest::prelude::*;

use super::invariance::{plans, row};
use super::*;

/// A record of a changelog: store, key, value, timestamp.
type Change = (usize, Vec<u8>, Option<Vec<u8>>, i64);

const LIMITS: StepLimits = StepLimits {
    max_rows: 3,
    now_ms: 0,
};

fn options() -> TaskOptions {
    TaskOptions {
        never_wait: true,
        ..TaskOptions::default()
    }
}

/// The rows handed out with a commit after every `steps` steps, and with a new task after each
/// commit if `restarts`.
fn run_committing(plan: &LogicalPlan, rows: &[Row], steps: usize, restarts: bool) -> Vec<String> {
    let (mut running, topics) = task(plan, &options());
    let mut committed = vec![0; topics.len()];
    let feed = |task: &mut dyn Task, committed: &[i64]| {
        for (input, topic) in topics.iter().enumerate() {
            let index = usize::from(topic == "R");
            let own: Vec<&Row> = rows.iter().filter(|row| row.0 == index).collect();
            let mut batch = fetched(&own);
            batch.records.retain(|r| r.offset >= committed[input]);
            task.offer(input, batch);
        }
    };
    feed(running.as_mut(), &committed);
    let mut out = Emitted::default();
    let mut changelog: Vec<Change> = Vec::new();
    loop {
        let at_end = (0..steps).any(|_| running.step(LIMITS, &mut out).unwrap() == 0);
        running.flush(0, &mut out).unwrap();
        for (store, batch) in out.changelog.drain(..) {
            for (row, timestamp) in batch.timestamps.iter().enumerate() {
                let key = batch.keys.get(row).unwrap().to_vec();
                let value = batch.values.get(row).map(<[u8]>::to_vec);
                changelog.push((store, key, value, *timestamp));
            }
        }
        if at_end {
            return lines(&out);
        }
        if !restarts {
            continue;
        }
        for (at, position) in committed.iter_mut().zip(running.positions()) {
            *at = position.unwrap_or(*at);
        }
        let metadata = running.metadata();
        running = task(plan, &options()).0;
        running.restore_metadata(&metadata);
        for (store, key, value, timestamp) in &changelog {
            let store = &mut running.stores()[*store];
            store.restore(key, value.as_deref(), *timestamp).unwrap();
        }
        running.stores_changed();
        feed(running.as_mut(), &committed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_task_started_again_after_any_commit_gives_the_same_rows(
        rows in prop::collection::vec(row(), 0..60),
        steps in 1..9usize,
    ) {
        for (name, plan) in plans() {
            let never = run_committing(&plan, &rows, steps, false);
            let again = run_committing(&plan, &rows, steps, true);
            prop_assert_eq!(again, never, "{}", name);
        }
    }
}
