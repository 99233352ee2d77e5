//! What went through instances in a stretch of time: counts, rates and times.

use std::time::Duration;

use super::Added;
use crate::balance::Counters;

/// What went through one instance or several in a stretch of time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Flow {
    /// All that was counted.
    pub counters: Counters,
    /// The longest time that any of them was counted for.
    pub over: Duration,
    /// The same for each second.
    pub rates: Rates,
    /// The sum of mean times in microseconds, each as often as it had requests, of sources without single times.
    weighed_us: f64,
    weight: f64,
}

/// How much of what is counted there was in each second.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rates {
    /// Requests.
    pub requests: f64,
    /// Responses by the first digit of their status; index 0 holds all that have none.
    pub responses: [f64; 6],
    /// Requests that were sent once more.
    pub retries: f64,
    /// Connections that could not be opened.
    pub connect_failures: f64,
    /// Responses that were cut short or made no sense.
    pub response_failures: f64,
    /// Bytes that were sent.
    pub bytes: f64,
}

impl Flow {
    pub(super) fn of(added: Added) -> Self {
        let Added { counters, over } = added;
        // Without any time between two readings there is no rate: the clock was set back.
        let per_second = |count: u64| if over.is_zero() { 0.0 } else { count as f64 / over.as_secs_f64() };
        let rates = Rates {
            requests: per_second(counters.requests),
            responses: counters.responses.map(per_second),
            retries: per_second(counters.retries),
            connect_failures: per_second(counters.connect_failures),
            response_failures: per_second(counters.response_failures),
            bytes: per_second(counters.bytes),
        };
        let (mut weighed_us, mut weight) = (0.0, 0.0);
        if let (Some(mean), None) = (counters.mean_latency_us, &counters.latency) {
            weight = counters.requests as f64;
            weighed_us = mean as f64 * weight;
        }
        Self { counters, over, rates, weighed_us, weight }
    }

    /// Adds what went through other instances, or through other balancers, at the same time.
    pub fn merge(&mut self, other: &Self) {
        self.counters.merge(&other.counters);
        self.over = self.over.max(other.over);
        self.rates.add(&other.rates);
        self.weighed_us += other.weighed_us;
        self.weight += other.weight;
    }

    /// The time in microseconds that a share (0 to 1) of the responses did not exceed. `None` without single times.
    pub fn quantile_us(&self, share: f64) -> Option<f64> {
        self.counters.latency.as_ref()?.quantile_us(share)
    }

    /// The mean time of the responses in microseconds. `None` where nothing is known of times.
    pub fn mean_us(&self) -> Option<f64> {
        let (sum, count) = match &self.counters.latency {
            Some(latency) => (latency.sum_us as f64, latency.count() as f64),
            None => (0.0, 0.0),
        };
        let weight = self.weight + count;
        (weight > 0.0).then(|| (self.weighed_us + sum) / weight)
    }
}

impl Rates {
    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.responses.iter_mut().zip(other.responses).for_each(|(own, more)| *own += more);
        self.retries += other.retries;
        self.connect_failures += other.connect_failures;
        self.response_failures += other.response_failures;
        self.bytes += other.bytes;
    }
}
