//! What balancers count, and how to go on counting when they begin anew.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What one balancer has counted for one server since it began to count.
///
/// Every number only grows, until the source begins anew at nought: after a restart, a reload or a cleared counter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Requests that were sent to the server and ended.
    pub requests: u64,
    /// Responses by the first digit of their status; index 0 holds all that have none.
    pub responses: [u64; 6],
    /// Requests that were sent to this server once more.
    pub retries: u64,
    /// Connections that could not be opened.
    pub connect_failures: u64,
    /// Responses that were cut short or made no sense.
    pub response_failures: u64,
    /// Bytes that the server sent.
    pub bytes: u64,
    /// How long the responses took; `None` where the source has no single times.
    pub latency: Option<Histogram>,
    /// The mean time of the last responses in microseconds, where the source has only that.
    pub mean_latency_us: Option<u64>,
}

/// Times of responses, in buckets whose bounds grow by a quarter of a power of two, from 125 µs to about 2 min.
///
/// The error of a quantile is that of its bucket: less than 19 %.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Histogram {
    /// Responses by the number of their bucket; empty ones are absent.
    pub buckets: BTreeMap<u8, u64>,
    /// The sum of all times in microseconds.
    pub sum_us: u64,
}

/// Buckets of a [`Histogram`]; the last one holds all that took longer.
const BUCKETS: u8 = 82;

/// The first bucket's upper bound, in microseconds.
const SMALLEST_US: f64 = 125.0;

impl Histogram {
    /// The upper bound of a bucket in microseconds, itself included.
    pub fn bound_us(bucket: u8) -> f64 {
        if bucket + 1 >= BUCKETS { f64::INFINITY } else { SMALLEST_US * (f64::from(bucket) / 4.0).exp2() }
    }

    /// The bucket of a time.
    pub fn bucket_of(us: u64) -> u8 {
        (0..BUCKETS - 1).find(|bucket| us as f64 <= Self::bound_us(*bucket)).unwrap_or(BUCKETS - 1)
    }

    /// Adds one response that took `us` microseconds.
    pub fn add(&mut self, us: u64) {
        *self.buckets.entry(Self::bucket_of(us)).or_default() += 1;
        self.sum_us = self.sum_us.saturating_add(us);
    }

    /// Adds all responses of another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.buckets {
            let own = self.buckets.entry((*bucket).min(BUCKETS - 1)).or_default();
            *own = own.saturating_add(*count);
        }
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
    }

    /// How many responses there are.
    pub fn count(&self) -> u64 {
        self.buckets.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The time in microseconds that a share of the responses (0 to 1) did not exceed: the upper bound of its bucket,
    /// or twice the last finite bound. `None` without responses.
    pub fn quantile_us(&self, share: f64) -> Option<f64> {
        let bound = Self::bound_us(self.quantile_bucket(share)?);
        Some(if bound.is_finite() { bound } else { 2.0 * Self::bound_us(BUCKETS - 2) })
    }

    /// The bucket of the time that a share (0 to 1) of the responses did not exceed; `None` without responses.
    pub fn quantile_bucket(&self, share: f64) -> Option<u8> {
        let wanted = (share.clamp(0.0, 1.0) * self.count() as f64).ceil().max(1.0);
        let mut seen = 0.0;
        let reached = self.buckets.iter().find(|(_, count)| {
            seen += **count as f64;
            seen >= wanted
        });
        reached.map(|(bucket, _)| *bucket)
    }

    /// What was added since `earlier`; `None` when a number has shrunk.
    fn since(&self, earlier: &Self) -> Option<Self> {
        let mut grown = Self { buckets: BTreeMap::new(), sum_us: self.sum_us.checked_sub(earlier.sum_us)? };
        if earlier.buckets.keys().any(|bucket| !self.buckets.contains_key(bucket)) {
            return None;
        }
        for (bucket, count) in &self.buckets {
            let more = count.checked_sub(earlier.buckets.get(bucket).copied().unwrap_or(0))?;
            if more > 0 {
                grown.buckets.insert(*bucket, more);
            }
        }
        Some(grown)
    }
}

impl Counters {
    /// Adds all that another one has counted.
    pub fn merge(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        for (own, more) in self.responses.iter_mut().zip(other.responses) {
            *own = own.saturating_add(more);
        }
        self.retries = self.retries.saturating_add(other.retries);
        self.connect_failures = self.connect_failures.saturating_add(other.connect_failures);
        self.response_failures = self.response_failures.saturating_add(other.response_failures);
        self.bytes = self.bytes.saturating_add(other.bytes);
        if let Some(latency) = &other.latency {
            self.latency.get_or_insert_default().merge(latency);
        }
        self.mean_latency_us = other.mean_latency_us.or(self.mean_latency_us);
    }

    /// Requests that the server failed: it answered with 500 to 599, could not be reached, or broke off. A request whose
    /// connection failed may have been answered with an error by the balancer itself: such a pair counts once. What a
    /// client gave up is not the server's failure.
    pub fn failed(&self) -> u64 {
        self.responses[5].max(self.connect_failures.saturating_add(self.response_failures))
    }

    /// Requests that were tried, of which [`Counters::failed`] are a part: some balancers count a request only when it
    /// was answered.
    pub fn tried(&self) -> u64 {
        self.requests.max(self.failed())
    }

    /// What was counted since `earlier`; `None` when any number has shrunk: the source has begun anew.
    pub fn since(&self, earlier: &Self) -> Option<Self> {
        let mut responses = [0; 6];
        for (index, grown) in responses.iter_mut().enumerate() {
            *grown = self.responses[index].checked_sub(earlier.responses[index])?;
        }
        Some(Self {
            requests: self.requests.checked_sub(earlier.requests)?,
            responses,
            retries: self.retries.checked_sub(earlier.retries)?,
            connect_failures: self.connect_failures.checked_sub(earlier.connect_failures)?,
            response_failures: self.response_failures.checked_sub(earlier.response_failures)?,
            bytes: self.bytes.checked_sub(earlier.bytes)?,
            latency: match (&self.latency, &earlier.latency) {
                (Some(now), Some(before)) => Some(now.since(before)?),
                (Some(now), None) if earlier.requests == 0 => Some(now.clone()),
                // Times that were left out before cannot be told from new ones: they are lost.
                (Some(_), None) | (None, _) => None,
            },
            mean_latency_us: self.mean_latency_us,
        })
    }
}

/// Turns what a source says from time to time into totals that never shrink.
///
/// The first reading only sets the mark: what was counted before is nobody's business here. A source that begins
/// anew has counted all that it says since then; what it counted between the last reading and its end is lost.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    last: Option<Counters>,
    total: Counters,
}

impl Meter {
    /// Takes a reading in, and says what has been added by it.
    pub fn read(&mut self, reading: Counters) -> Counters {
        let added = match &self.last {
            None => Counters { mean_latency_us: reading.mean_latency_us, ..Counters::default() },
            Some(last) => reading.since(last).unwrap_or_else(|| reading.clone()),
        };
        self.last = Some(reading);
        self.total.merge(&added);
        added
    }

    /// All that was added since the first reading.
    pub fn total(&self) -> &Counters {
        &self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(requests: u64, times: &[u64]) -> Counters {
        let mut latency = Histogram::default();
        times.iter().for_each(|us| latency.add(*us));
        Counters {
            requests,
            responses: [0, 0, requests, 0, 0, 0],
            latency: Some(latency),
            ..Counters::default()
        }
    }

    #[test]
    fn a_quantile_is_never_below_the_truth_and_less_than_a_bucket_above() {
        let mut times = Histogram::default();
        (1..=1000).for_each(|ms| times.add(ms * 1000));
        for (share, truth) in [(0.5, 500_000.0), (0.99, 990_000.0), (1.0, 1_000_000.0)] {
            let found = times.quantile_us(share).unwrap();
            assert!(found >= truth && found < truth * 1.19, "{share}: {found}");
        }
        assert_eq!(Histogram::default().quantile_us(0.5), None);
        assert_eq!(Histogram::bucket_of(u64::MAX), BUCKETS - 1);
        assert!(times.buckets.keys().all(|bucket| *bucket < BUCKETS - 1));
    }

    #[test]
    fn a_meter_goes_on_where_its_source_begins_anew() {
        let mut meter = Meter::default();
        assert_eq!(meter.read(reading(1000, &[500; 10])).requests, 0);
        assert_eq!(meter.read(reading(1010, &[500; 12])).requests, 10);
        // A reload: the source has counted three since.
        assert_eq!(meter.read(reading(3, &[700; 1])).requests, 3);
        assert_eq!(meter.read(reading(5, &[700; 2])).requests, 2);
        let total = meter.total();
        assert_eq!((total.requests, total.responses[2]), (15, 15));
        assert_eq!(total.latency.as_ref().unwrap().count(), 4);
    }

    #[test]
    fn one_number_that_shrinks_is_a_new_beginning_of_all() {
        let mut meter = Meter::default();
        meter.read(reading(10, &[500; 10]));
        // More requests than before, but fewer of the quick ones: another life.
        let added = meter.read(reading(20, &[9_000; 20]));
        assert_eq!((added.requests, added.latency.unwrap().count()), (20, 20));
    }
}
