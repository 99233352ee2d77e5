//! When a server is spared because of what its requests came to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Pool, Server};
use crate::config::Ejection;

/// What is remembered of one server.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// Connections in a row that failed.
    connect_failures: u32,
    /// When the window of errors began, and what had been counted then: requests and errors.
    window: Option<(Instant, u64, u64)>,
    /// Times in a row that it was spared.
    times: u32,
    /// Until when it is spared.
    until: Option<Instant>,
}

impl Record {
    /// A connection failed. `true`: spare the server.
    pub(super) fn connect_failed(&mut self, rule: &Ejection) -> bool {
        self.connect_failures = self.connect_failures.saturating_add(1);
        rule.connect_failures > 0 && self.connect_failures >= rule.connect_failures
    }

    /// A connection succeeded.
    pub(super) fn connected(&mut self) {
        self.connect_failures = 0;
    }

    /// A request failed; `requests` and `errors` were counted in all until now. `true`: spare the server.
    pub(super) fn failed(&mut self, rule: &Ejection, now: Instant, requests: u64, errors: u64) -> bool {
        if rule.errors_percent == 0 {
            return false;
        }
        let (_, requests_before, errors_before) = match self.window {
            Some(window) if now.saturating_duration_since(window.0) <= rule.window => window,
            // The request that begins a window belongs to it.
            _ => *self.window.insert((now, requests.saturating_sub(1), errors.saturating_sub(1))),
        };
        let (requests, errors) =
            (requests.saturating_sub(requests_before), errors.saturating_sub(errors_before));
        requests >= rule.requests && errors * 100 >= requests * u64::from(rule.errors_percent)
    }

    /// Spares the server, and says for how long.
    pub(super) fn spare(&mut self, rule: &Ejection, now: Instant) -> Duration {
        /// A server that comes back and fails again is spared ever longer, up to so many times the first span.
        const MOST_TIMES: u32 = 10;
        // One that was well for as long as it had been spared begins anew.
        let relapse = self.until.is_some_and(|until| now < until + rule.time * self.times.max(1));
        self.times = if relapse { (self.times + 1).min(MOST_TIMES) } else { 1 };
        let span = rule.time * self.times;
        self.until = Some(now + span);
        self.window = None;
        // A single failure after the return is enough to be spared again.
        self.connect_failures = rule.connect_failures.saturating_sub(1);
        span
    }
}

impl Pool {
    /// A connection to a server could not be opened.
    pub(crate) fn connect_failed(self: &Arc<Self>, server: &Arc<Server>, worker: usize) {
        if server.connect_failed(worker, &self.config.ejection) {
            self.spare(server, "connections to it fail");
        }
    }

    /// A server has answered with 5xx, or not at all.
    pub(crate) fn failed(self: &Arc<Self>, server: &Arc<Server>) {
        if self.config.ejection.errors_percent > 0 && server.failed(&self.config.ejection) {
            self.spare(server, "too many of its responses are errors");
        }
    }

    /// Spares a server for a while, unless half of the servers are spared already.
    fn spare(self: &Arc<Self>, server: &Arc<Server>, why: &str) {
        let spared = self.servers.iter().filter(|server| server.is_spared()).count();
        if (spared + 1) * 2 > self.servers.len() {
            return;
        }
        if let Some(span) = server.spare(&self.config.ejection, why) {
            let (pool, server) = (Arc::clone(self), Arc::clone(server));
            tokio::spawn(async move {
                tokio::time::sleep(span).await;
                server.restore();
                pool.wake();
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn failures_in_a_row_count_and_a_success_between_forgets_them() {
        let (rule, mut record) = (Ejection::default(), Record::default());
        assert!(!record.connect_failed(&rule) && !record.connect_failed(&rule));
        record.connected();
        assert!(!record.connect_failed(&rule) && !record.connect_failed(&rule));
        assert!(record.connect_failed(&rule));
    }

    #[test]
    fn errors_count_within_their_window_and_above_the_least_number_of_requests() {
        let rule = Ejection { errors_percent: 50, ..Ejection::default() };
        let (mut record, now) = (Record::default(), Instant::now());
        assert!(!record.failed(&rule, now, 101, 1));
        assert!(!record.failed(&rule, now + SECOND, 119, 15), "19 requests say nothing");
        assert!(record.failed(&rule, now + SECOND, 120, 16));
        assert!(!record.failed(&rule, now + 30 * SECOND, 200, 90), "a new window");
    }

    #[test]
    fn who_fails_again_after_the_return_is_spared_longer_and_who_stays_well_begins_anew() {
        let (rule, mut record) = (Ejection::default(), Record::default());
        let now = Instant::now();
        assert_eq!(record.spare(&rule, now), 10 * SECOND);
        assert_eq!(record.spare(&rule, now + 11 * SECOND), 20 * SECOND);
        assert_eq!(record.spare(&rule, now + 300 * SECOND), 10 * SECOND);
    }
}
