//! Waiting on conditions: the one place of the tests that sleeps.
//!
//! ```text
//!   Looks ── how long until the next look, or that the time is over
//!     ├── look_for, wait_for, wait_until, settle     block the thread
//!     └── asynchronous tests sleep by their own clock
//! ```

use std::time::{Duration, Instant};

/// Between two looks at a condition, unless said otherwise.
const STEP: Duration = Duration::from_millis(20);

/// Looks at something that is to come, until a time is over.
#[derive(Debug, Clone, Copy)]
pub struct Looks {
    end: Instant,
    step: Duration,
}

impl Looks {
    /// Looks for so long.
    pub fn within(limit: Duration) -> Self {
        Self {
            end: Instant::now() + limit,
            step: STEP,
        }
    }

    /// With so much time between two looks.
    #[must_use]
    pub fn every(mut self, step: Duration) -> Self {
        self.step = step;
        self
    }

    /// How long to wait before the next look; `None`: the time is over.
    pub fn pause(&self) -> Option<Duration> {
        (Instant::now() < self.end).then_some(self.step)
    }
}

/// Asks again and again until there is an answer; `None`: there is none before `limit` has passed.
pub fn look_for<T>(limit: Duration, mut answer: impl FnMut() -> Option<T>) -> Option<T> {
    let looks = Looks::within(limit);
    loop {
        if let Some(found) = answer() {
            return Some(found);
        }
        std::thread::sleep(looks.pause()?);
    }
}

/// Asks again and again until there is an answer.
///
/// # Panics
///
/// When there is none before `limit` has passed, with `what` was waited for.
pub fn wait_for<T>(what: &str, limit: Duration, answer: impl FnMut() -> Option<T>) -> T {
    look_for(limit, answer).unwrap_or_else(|| panic!("waited {limit:?} in vain for: {what}"))
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
    look_for(limit, || condition().then_some(()));
}

/// Lets time pass between two acts of a test that are to come at a given (random) distance. Never
/// to wait for something: that is [`wait_until`].
pub fn pause(length: Duration) {
    std::thread::sleep(length);
}
