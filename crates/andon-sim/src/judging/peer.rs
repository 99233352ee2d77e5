//! The rules of other tools, on the same streams: only what decides, as they publish it.

pub mod rank_test;
pub mod threshold;

use crate::generator::float;
use crate::judging::fleet::{Counts, METRICS};

/// One minute of one group of servers.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Minute {
    /// Requests.
    pub requests: u64,
    /// Events of each metric.
    pub events: [u64; METRICS],
}

impl Minute {
    /// Adds what one server did in one tick.
    pub fn add(&mut self, counts: Counts) {
        self.requests += counts.requests;
        for (sum, events) in self.events.iter_mut().zip(counts.events) {
            *sum += events;
        }
    }

    /// Events for each request; `None` without requests.
    pub fn rate(&self, metric: usize) -> Option<f64> {
        (self.requests > 0).then(|| float(self.events[metric]) / float(self.requests))
    }
}

/// What the peers have said so far of one deployment.
#[derive(Debug, Clone, Default)]
pub struct Peers {
    control: Vec<Minute>,
    canary: Vec<Minute>,
    /// The minute in which the rank test accused the release.
    pub rank_test: Option<usize>,
    flagger: threshold::Threshold,
    argo: threshold::Threshold,
}

impl Peers {
    /// Peers that have heard nothing.
    pub fn new() -> Self {
        Self { flagger: threshold::flagger(), argo: threshold::argo(), ..Self::default() }
    }

    /// Hears one more minute.
    pub fn hear(&mut self, control: Minute, canary: Minute) {
        self.control.push(control);
        self.canary.push(canary);
        let minute = self.control.len();
        self.flagger.check(minute, canary.rate(0));
        self.argo.check(minute, canary.rate(0));
        let rates = |minutes: &[Minute], metric| -> Vec<f64> {
            minutes.iter().filter_map(|minute| minute.rate(metric)).collect()
        };
        let high = |metric| rank_test::is_high(&rates(&self.control, metric), &rates(&self.canary, metric));
        if self.rank_test.is_none() && (0..METRICS).any(high) {
            self.rank_test = Some(minute);
        }
    }

    /// The minute in which Flagger's rule would have rolled back.
    pub fn flagger(&self) -> Option<usize> {
        self.flagger.since
    }

    /// The minute in which Argo's rule would have rolled back.
    pub fn argo(&self) -> Option<usize> {
        self.argo.since
    }
}
