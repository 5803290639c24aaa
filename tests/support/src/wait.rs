//! Waiting on conditions: the one place of the tests that sleeps.

use std::time::{Duration, Instant};

/// Between two looks at a condition.
const STEP: Duration = Duration::from_millis(20);

/// Asks again and again until there is an answer.
///
/// # Panics
///
/// When there is none before `limit` has passed, with `what` was waited for.
pub fn wait_for<T>(what: &str, limit: Duration, mut answer: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = answer() {
            return found;
        }
        assert!(Instant::now() < end, "waited {limit:?} in vain for: {what}");
        std::thread::sleep(STEP);
    }
}

/// Waits until `condition` holds.
///
/// # Panics
///
/// When it does not before `limit` has passed.
pub fn wait_until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    wait_for(what, limit, || condition().then_some(()));
}

/// Gives `condition` the time to become true; whether it has is for the test to judge.
pub fn settle(limit: Duration, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !condition() && Instant::now() < end {
        std::thread::sleep(STEP);
    }
}

/// Lets time pass between two acts of a test that are to come at a given (random) distance. Never
/// to wait for something: that is [`wait_until`].
pub fn pause(length: Duration) {
    std::thread::sleep(length);
}
