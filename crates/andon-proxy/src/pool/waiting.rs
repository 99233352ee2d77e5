//! Requests that wait because no server is available.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::Notify;

/// Those who wait, counted.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    count: AtomicUsize,
    changed: Notify,
}

/// Counts one that waits for as long as it lives.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Waiting {
    pub(super) fn count(&self) -> usize {
        self.count.load(Relaxed)
    }

    /// All look again whether a server is available.
    pub(super) fn wake(&self) {
        if self.count() > 0 {
            self.changed.notify_waiters();
        }
    }

    /// Waits for [`Waiting::wake`], at most for `span`. `false` at once when `most` wait already.
    pub(super) async fn wait(&self, most: usize, span: Duration) -> bool {
        /// A wake-up that came between the look and the wait is made up for after so long.
        const LOOK_AGAIN: Duration = Duration::from_millis(50);
        if self.count.fetch_add(1, Relaxed) >= most {
            self.count.fetch_sub(1, Relaxed);
            return false;
        }
        let _place = Place(&self.count);
        // A timeout is as good as a wake-up: the caller looks again, and knows its own deadline.
        let _ = tokio::time::timeout(span.min(LOOK_AGAIN), self.changed.notified()).await;
        true
    }
}
