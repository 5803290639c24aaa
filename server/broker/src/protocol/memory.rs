//! A limit on the memory that all requests, or all responses, in flight hold together.
//!
//! ```text
//! length of a frame ─► lease (waits while there is no room) ─► bytes are read ─► handled ─► given back
//! ```
//! Whoever holds a lease makes progress or loses the connection: frames must arrive and responses be taken within a time,
//! so waiting for room ends.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Leases are counted in units of this many bytes.
const UNIT: usize = 1 << 10;
/// Below this size nothing is counted: the number of connections bounds it.
pub(crate) const FREE: usize = 64 << 10;
/// What a lease is reduced to rather than to wait, as long as that much is there.
const LEAST: usize = 1 << 20;

/// Room for so many bytes.
#[derive(Debug)]
pub(crate) struct Memory {
    room: Arc<Semaphore>,
    total: usize,
}

/// Bytes taken from a [`Memory`], given back when dropped.
#[derive(Debug, Default)]
pub(crate) struct Lease {
    permit: Option<OwnedSemaphorePermit>,
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

impl Memory {
    pub(crate) fn new(total: usize) -> Self {
        let total = total.clamp(LEAST, Semaphore::MAX_PERMITS.min(u32::MAX as usize) / 2);
        Self {
            room: Arc::new(Semaphore::new(units(total) as usize)),
            total,
        }
    }

    /// Waits for room for `bytes`, first come first served; more than there is in all counts as all.
    pub(crate) async fn lease(&self, bytes: usize) -> Lease {
        if bytes <= FREE {
            return Lease::default();
        }
        let wanted = units(bytes.min(self.total));
        // The semaphore is never closed.
        let permit = self.room.clone().acquire_many_owned(wanted).await;
        Lease {
            permit: permit.ok(),
        }
    }

    /// Room for `bytes`, or for less when there is not that much now. Returns how many may be used.
    pub(crate) async fn lease_up_to(&self, bytes: usize) -> (Lease, usize) {
        let mut wanted = bytes.min(self.total);
        while wanted > LEAST {
            if let Ok(permit) = self.room.clone().try_acquire_many_owned(units(wanted)) {
                let permit = Some(permit);
                return (Lease { permit }, wanted);
            }
            wanted /= 2;
        }
        (self.lease(wanted).await, wanted)
    }
}

impl Lease {
    /// Gives back what is beyond `bytes`.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        if let Some(permit) = &mut self.permit {
            let beyond = permit.num_permits().saturating_sub(units(bytes) as usize);
            drop(permit.split(beyond));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use futures::FutureExt;

    const MIB: usize = 1 << 20;

    #[test]
    fn room_is_given_in_turn_and_given_back() {
        let memory = Memory::new(4 * MIB);
        let first = memory.lease(3 * MIB).now_or_never().unwrap();
        let small = memory.lease(FREE).now_or_never();
        assert!(small.is_some(), "small ones never wait");
        let mut second = Box::pin(memory.lease(2 * MIB));
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        let second = second.now_or_never().unwrap();
        assert!(memory.lease(3 * MIB).now_or_never().is_none());
        drop(second);
        // What can never fit takes all of it, and goes through.
        let all = memory.lease(100 * MIB).now_or_never().unwrap();
        assert!(memory.lease(2 * MIB).now_or_never().is_none());
        drop(all);
    }

    #[test]
    fn a_lease_that_may_be_smaller_is_and_gives_back_what_it_does_not_use() {
        let memory = Memory::new(8 * MIB);
        let (mut first, got) = memory.lease_up_to(6 * MIB).now_or_never().unwrap();
        assert_eq!(got, 6 * MIB);
        let (second, got) = memory.lease_up_to(6 * MIB).now_or_never().unwrap();
        assert_eq!(got, 3 * MIB / 2);
        first.shrink(MIB);
        let (third, got) = memory.lease_up_to(5 * MIB).now_or_never().unwrap();
        assert_eq!(got, 5 * MIB);
        assert!(memory.lease_up_to(MIB).now_or_never().is_none());
        drop((first, second, third));
        assert!(memory.lease(8 * MIB).now_or_never().is_some());
    }
}
