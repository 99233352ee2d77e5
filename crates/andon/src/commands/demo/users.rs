//! The customers of the shop: constant load through the balancer, and what came of it.
//!
//! Whatever is told is what was counted. What is deployed meanwhile, this file does not know.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use andon_core::release::ReleaseId;
use andon_load::{Load, Mix, Tally};

use crate::failure::Failure;
use crate::paint::Paint;

/// Quick requests a second, a few of them uploads.
const QUICK: u32 = 150;
/// Requests a second that take their time on purpose: about one of twenty.
const SLOW: u32 = 8;
/// The time that those take.
const SLOW_FOR: Duration = Duration::from_secs(1);
/// Of a hundred requests, those on a connection of their own.
const FRESH: u8 = 30;
const PAUSE: Duration = Duration::from_millis(50);
/// The span over which the requests of a second are averaged.
const SPAN: Duration = Duration::from_secs(2);
/// What a span must at least be to say anything.
const LEAST: Duration = Duration::from_millis(300);

/// Customers, from their arrival until they leave. Dropped, they leave at once.
///
/// Slow requests are a load of their own: they last as long as they were told to, which says nothing about the
/// balancer, and would be all that a percentile shows.
pub(super) struct Users {
    quick: Load,
    slow: Load,
    /// How many requests had ended at moments of the recent past.
    recent: RefCell<VecDeque<(Instant, u64)>>,
}

/// What came of the requests of one act. A request belongs to the act in which it ends.
#[derive(Debug)]
pub(super) struct Visits {
    /// Of the quick requests.
    pub(super) p99: Option<Duration>,
    /// Of all requests.
    pub(super) tally: Tally,
}

impl Users {
    /// They come, and go on coming at the same pace whatever happens.
    pub(super) fn arrive(balancer: SocketAddr) -> Result<Self, Failure> {
        let mix = |rate, slow, uploads| Mix {
            rate,
            slow,
            slow_for: SLOW_FOR,
            uploads,
            upload_bytes: 1 << 10..=64 << 10,
            fresh: FRESH,
            ..Mix::default()
        };
        let start = |mix| {
            Load::start(balancer, mix)
                .map_err(|error| Failure::broken(format!("there can be no customers: {error}")))
        };
        Ok(Self {
            quick: start(mix(QUICK, 0, 3))?,
            slow: start(mix(SLOW, 100, 0))?,
            recent: RefCell::default(),
        })
    }

    /// What they do, in a sentence.
    pub(super) fn description() -> String {
        format!(
            "{} requests a second, {FRESH} of 100 on a fresh connection, {SLOW} that take {} s",
            QUICK + SLOW,
            SLOW_FOR.as_secs_f64()
        )
    }

    /// Waits until all of them are there: until the first slow request has ended, well or not.
    pub(super) async fn settle(&self) {
        while self.slow.so_far().requests == 0 {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What has ended since the last lap, or since they came.
    pub(super) fn lap(&self) -> Visits {
        let mut tally = self.quick.lap();
        let p99 = tally.p99();
        tally.merge(&self.slow.lap());
        tally.failures.sort_by_key(|failure| failure.at);
        Visits { p99, tally }
    }

    /// No more of them come. Blocks until those who are there have left.
    pub(super) fn leave(&mut self) {
        self.quick.finish();
        self.slow.finish();
    }

    /// How they fare at this moment, for the picture of a deployment.
    pub(super) fn now(&self, paint: Paint) -> String {
        let mut total = self.quick.so_far();
        total.merge(&self.slow.so_far());
        let pace = self.pace(Instant::now(), total.requests);
        let pace = pace.map(|pace| format!(", {pace:.0}/s")).unwrap_or_default();
        let failed = format!("{} of {} requests failed", total.failed, total.requests);
        let failed = if total.failed > 0 { paint.bad(&failed) } else { failed };
        format!("customers  {failed}{pace}")
    }

    /// Requests a second, of late.
    fn pace(&self, now: Instant, requests: u64) -> Option<f64> {
        let mut recent = self.recent.borrow_mut();
        recent.push_back((now, requests));
        // The last one before the span is its beginning.
        while recent.get(1).is_some_and(|(at, _)| now - *at >= SPAN) {
            recent.pop_front();
        }
        let (at, before) = *recent.front()?;
        let span = now - at;
        (span >= LEAST).then(|| requests.saturating_sub(before) as f64 / span.as_secs_f64())
    }
}

impl Visits {
    /// Requests that an instance of a release has answered.
    pub(super) fn answered_by(&self, release: &ReleaseId) -> u64 {
        let by = self
            .tally
            .servers
            .iter()
            .filter(|(server, _)| server.split_once(' ').is_some_and(|(_, own)| own == release.as_str()));
        by.map(|(_, count)| count).sum()
    }

    /// For programs, with one decimal.
    pub(super) fn p99_ms(&self) -> Option<f64> {
        self.p99.map(|time| (time.as_secs_f64() * 1e4).round() / 10.0)
    }
}
