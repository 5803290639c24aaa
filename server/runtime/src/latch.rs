//! A gate that opens once: what waits before it goes on, and nobody waits after.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

#[derive(Default)]
pub(crate) struct Latch {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Latch {
    pub(crate) fn open(&self) {
        *self.open.lock() = true;
        self.opened.notify_all();
    }

    /// Waits until it is open, but no longer than `limit`; whether it is.
    pub(crate) fn wait(&self, limit: Duration) -> bool {
        let mut open = self.open.lock();
        if !*open {
            self.opened.wait_while_for(&mut open, |open| !*open, limit);
        }
        *open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_goes_on_when_it_opens_or_at_the_limit() {
        let latch = Latch::default();
        assert!(!latch.wait(Duration::from_millis(1)));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| latch.wait(Duration::from_secs(3600)));
            latch.open();
            assert!(waiting.join().is_ok_and(|is_open| is_open));
        });
        assert!(latch.wait(Duration::from_secs(3600)));
    }
}
