//! The customers of the shop: constant load through the balancer, and what came of it.
//!
//! Whatever is told is what was counted. What is deployed meanwhile, this file does not know.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use andon_core::release::ReleaseId;
use andon_core::time::Time;
use andon_load::{Heard, Load, Mix, Tally};
use andon_server::clock;

use crate::failure::Failure;
use crate::paint::Paint;

/// Quick requests a second, a few of them uploads.
const QUICK: u32 = 250;
/// Requests a second that take their time on purpose.
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
    /// What had ended, and failed, when the present lap began.
    lap_began: Cell<(u64, u64)>,
}

/// What came of the requests of one act. A request belongs to the act in which it ends.
#[derive(Debug)]
pub(super) struct Visits {
    /// Of the quick requests.
    pub(super) p99: Option<Duration>,
    /// Of all requests. Moments are counted from [`began`](Self::moment).
    pub(super) tally: Tally,
    /// When the customers came.
    began: Time,
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
            lap_began: Cell::default(),
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

    /// Waits until a good second's worth of requests has ended and none of them failed: the weather has changed everywhere.
    pub(super) async fn calm(&self) {
        let mut before = self.so_far();
        loop {
            let (requests, failed) = self.so_far();
            if failed > before.1 {
                before = (requests, failed);
            }
            if requests >= before.0 + u64::from(QUICK + SLOW) {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Requests that have ended, and those of them that failed.
    fn so_far(&self) -> (u64, u64) {
        let (quick, slow) = (self.quick.so_far(), self.slow.so_far());
        (quick.requests + slow.requests, quick.failed + slow.failed)
    }

    /// What has ended since the last lap, or since they came.
    pub(super) fn lap(&self) -> Visits {
        let mut tally = self.quick.lap();
        let p99 = tally.p99();
        tally.merge(&self.slow.lap());
        let age = i64::try_from(self.quick.age().as_millis()).unwrap_or(i64::MAX);
        let began = Time(clock::now().0.saturating_sub(age));
        self.lap_began.set(self.so_far());
        tally.failures.sort_by_key(|failure| failure.at);
        Visits { p99, tally, began }
    }

    /// No more of them come. Blocks until those who are there have left.
    pub(super) fn leave(&mut self) {
        self.quick.finish();
        self.slow.finish();
    }

    /// How they fare in this lap, for the picture of a deployment.
    pub(super) fn now(&self, paint: Paint) -> String {
        let (requests, failed) = self.so_far();
        let pace = self.pace(Instant::now(), requests);
        let pace = pace.map(|pace| format!(", {pace:.0}/s")).unwrap_or_default();
        let before = self.lap_began.get();
        let (requests, failed) = (requests.saturating_sub(before.0), failed.saturating_sub(before.1));
        let told = format!("{failed} of {requests} requests failed");
        let told = if failed > 0 { paint.bad(&told) } else { told };
        format!("customers  {told}{pace}")
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
    /// Requests that instances of a release have answered: well, and with an error.
    pub(super) fn answered_by(&self, release: &ReleaseId) -> (u64, u64) {
        let good = self.tally.servers.iter().filter(|(server, _)| is_of(server, release));
        let bad = self.heard(release).map(|heard| heard.failed);
        (good.map(|(_, count)| count).sum(), bad.sum())
    }

    /// What was heard of the instances of a release.
    pub(super) fn heard(&self, release: &ReleaseId) -> impl Iterator<Item = &Heard> {
        let heard = self.tally.heard.iter().filter(|(server, _)| is_of(server, release));
        heard.map(|(_, heard)| heard)
    }

    /// The moment so long after the customers came.
    pub(super) fn moment(&self, since: Duration) -> Time {
        self.began + since
    }

    /// For programs, with one decimal.
    pub(super) fn p99_ms(&self) -> Option<f64> {
        self.p99.map(|time| (time.as_secs_f64() * 1e4).round() / 10.0)
    }
}

/// Answers name the port and the release.
fn is_of(server: &str, release: &ReleaseId) -> bool {
    server.split_once(' ').is_some_and(|(_, own)| own == release.as_str())
}
