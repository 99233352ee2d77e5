//! A deadline that is set often and seldom reached.
//!
//! Each request moves several deadlines, and moving a timer costs. So the timer stays where it is: it fires once per
//! step at most, looks whether the deadline has come, and otherwise sleeps on.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

/// A deadline.
#[derive(Debug)]
pub(crate) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    due: Option<Instant>,
    step: Duration,
}

impl Alarm {
    /// One that is not set. `step` is the shortest span that will be asked of it.
    pub(crate) fn new(step: Duration) -> Self {
        Self { sleep: None, due: None, step }
    }

    /// Sets it to `span` from now, in place of what it was set to.
    pub(crate) fn set(&mut self, span: Duration) {
        self.due = Some(Instant::now() + span.max(self.step));
    }

    /// Sets it unless it is set.
    pub(crate) fn ensure(&mut self, span: Duration) {
        if self.due.is_none() {
            self.set(span);
        }
    }

    /// It is not set any more.
    pub(crate) fn clear(&mut self) {
        self.due = None;
    }

    /// Ready when its time has come; never when it is not set.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.due else { return Poll::Pending };
        // Never later than `due`: any deadline is a step away at least when it is set.
        let next = |now: Instant| due.min(now + self.step).into();
        let sleep =
            self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(next(Instant::now()))));
        while sleep.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if now >= due {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(next(now));
        }
        Poll::Pending
    }
}
