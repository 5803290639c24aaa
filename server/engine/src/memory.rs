//! Memory that operators take for what their stores hold too, counted over all tasks that share a
//! [`MemoryBudget`].
//!
//! ```text
//!  operator ─ Share::set(bytes) ─► over? ─► it forgets what it need not keep ─► Share::set
//! ```
//!
//! Invariant: what is counted can be forgotten at any time; forgetting costs reads, never results.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A number of bytes that many tasks share. Clones share it too.
#[derive(Debug, Clone)]
pub struct MemoryBudget {
    limit: usize,
    used: Arc<AtomicUsize>,
}

impl MemoryBudget {
    /// So many bytes for all who get a clone.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            used: Arc::default(),
        }
    }

    /// Bytes taken at present.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

impl Default for MemoryBudget {
    /// 32 MiB.
    fn default() -> Self {
        Self::new(32 << 20)
    }
}

/// What one operator takes of a budget.
#[derive(Default)]
pub(crate) struct Share {
    budget: Option<MemoryBudget>,
    held: usize,
}

impl Share {
    /// Says how much is held now. True: too much, and the holder is to forget about half of it.
    pub(crate) fn set(&mut self, bytes: usize, budget: &MemoryBudget) -> bool {
        let budget = self.budget.get_or_insert_with(|| budget.clone());
        if bytes >= self.held {
            budget.used.fetch_add(bytes - self.held, Ordering::Relaxed);
        } else {
            budget.used.fetch_sub(self.held - bytes, Ordering::Relaxed);
        }
        self.held = bytes;
        // One alone may not take all, nor be left with nothing since others hold it all.
        let (most, least) = (budget.limit / 4, budget.limit / 64);
        bytes > most || (bytes > least && budget.used() > budget.limit)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Some(budget) = &self.budget {
            budget.used.fetch_sub(self.held, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MemoryBudget, Share};

    #[test]
    fn shares_add_up_and_are_given_back() {
        let budget = MemoryBudget::new(640);
        let (mut a, mut b) = (Share::default(), Share::default());
        assert!(!a.set(160, &budget));
        assert!(a.set(161, &budget));
        assert!(!b.set(100, &budget));
        assert_eq!(budget.used(), 261);
        let others: Vec<Share> = (0..4)
            .map(|_| {
                let mut share = Share::default();
                share.set(100, &budget);
                share
            })
            .collect();
        assert!(b.set(101, &budget));
        assert!(!b.set(10, &budget));
        drop(others);
        drop(a);
        assert_eq!(budget.used(), 10);
    }
}
