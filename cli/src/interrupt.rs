//! Ctrl-C: it ends what runs, not the session.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// A bell that requests under way listen to. Clones ring and hear the same bell.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    bell: Notify,
    listening: AtomicUsize,
}

impl Interrupt {
    /// Ends the requests under way; whether there were any.
    pub fn ring(&self) -> bool {
        let heard = self.inner.listening.load(Ordering::SeqCst) > 0;
        self.inner.bell.notify_waiters();
        heard
    }

    /// Waits until the bell rings. Rings before this call are not heard.
    pub(crate) async fn rung(&self) {
        let heard = self.inner.bell.notified();
        let _listener = Listener::new(&self.inner.listening);
        heard.await;
    }
}

struct Listener<'a>(&'a AtomicUsize);

impl<'a> Listener<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Listener<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
