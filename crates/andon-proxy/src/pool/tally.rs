//! Counting without contention: each worker has counters of its own, and whoever asks adds them up.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use andon_core::balance::{Counters, Histogram};

/// The upper bounds of a [`Histogram`]'s buckets in whole microseconds, all but the last one.
static BOUNDS_US: LazyLock<Vec<u64>> = LazyLock::new(|| {
    #[expect(clippy::cast_possible_truncation, reason = "the bounds end at about two minutes")]
    let whole = |bound: f64| bound.max(0.0) as u64;
    (0..u8::MAX).map(Histogram::bound_us).take_while(|bound| bound.is_finite()).map(whole).collect()
});

/// What was counted for one server, by all workers.
#[derive(Debug)]
pub(super) struct Tally {
    shards: Box<[Shard]>,
}

/// What one worker counted. Its own cache lines: no other worker writes to them.
#[derive(Debug)]
#[repr(align(128))]
struct Shard {
    requests: AtomicU64,
    responses: [AtomicU64; 6],
    retries: AtomicU64,
    connect_failures: AtomicU64,
    response_failures: AtomicU64,
    bytes: AtomicU64,
    sum_us: AtomicU64,
    buckets: Box<[AtomicU64]>,
}

impl Shard {
    fn new() -> Self {
        Self {
            requests: AtomicU64::default(),
            responses: Default::default(),
            retries: AtomicU64::default(),
            connect_failures: AtomicU64::default(),
            response_failures: AtomicU64::default(),
            bytes: AtomicU64::default(),
            sum_us: AtomicU64::default(),
            buckets: (0..=BOUNDS_US.len()).map(|_| AtomicU64::default()).collect(),
        }
    }
}

impl Tally {
    pub(super) fn new(workers: usize) -> Self {
        Self { shards: (0..workers.max(1)).map(|_| Shard::new()).collect() }
    }

    fn shard(&self, worker: usize) -> &Shard {
        &self.shards[worker % self.shards.len()]
    }

    /// A request that was sent to the server has ended. `status` is 0 where there was no response.
    pub(super) fn request(&self, worker: usize, status: u16, took: Option<Duration>, bytes: u64) {
        let shard = self.shard(worker);
        shard.requests.fetch_add(1, Relaxed);
        let class = usize::from(status / 100);
        shard.responses[if class < 6 { class } else { 0 }].fetch_add(1, Relaxed);
        shard.bytes.fetch_add(bytes, Relaxed);
        if let Some(took) = took {
            let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            shard.buckets[BOUNDS_US.partition_point(|bound| *bound < us)].fetch_add(1, Relaxed);
            shard.sum_us.fetch_add(us, Relaxed);
        }
    }

    pub(super) fn retry(&self, worker: usize) {
        self.shard(worker).retries.fetch_add(1, Relaxed);
    }

    pub(super) fn connect_failure(&self, worker: usize) {
        self.shard(worker).connect_failures.fetch_add(1, Relaxed);
    }

    pub(super) fn response_failure(&self, worker: usize) {
        self.shard(worker).response_failures.fetch_add(1, Relaxed);
    }

    /// Requests, and those among them that were answered with 5xx or not to the end.
    pub(super) fn errors(&self) -> (u64, u64) {
        self.shards.iter().fold((0, 0), |(requests, errors), shard| {
            let failed = shard.responses[5].load(Relaxed) + shard.response_failures.load(Relaxed);
            (requests + shard.requests.load(Relaxed), errors + failed)
        })
    }

    /// The sum over all workers.
    pub(super) fn counters(&self) -> Counters {
        let mut sum = Counters { latency: Some(Histogram::default()), ..Counters::default() };
        for shard in &self.shards {
            let mut buckets = std::collections::BTreeMap::new();
            for (number, count) in (0_u8..).zip(&shard.buckets) {
                let count = count.load(Relaxed);
                if count > 0 {
                    buckets.insert(number, count);
                }
            }
            sum.merge(&Counters {
                requests: shard.requests.load(Relaxed),
                responses: std::array::from_fn(|class| shard.responses[class].load(Relaxed)),
                retries: shard.retries.load(Relaxed),
                connect_failures: shard.connect_failures.load(Relaxed),
                response_failures: shard.response_failures.load(Relaxed),
                bytes: shard.bytes.load(Relaxed),
                latency: Some(Histogram { buckets, sum_us: shard.sum_us.load(Relaxed) }),
                mean_latency_us: None,
            });
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_falls_into_the_bucket_that_the_core_names() {
        for us in [0, 1, 125, 126, 148, 149, 1_000, 123_456, 60_000_000, 119_000_000, 150_000_000, 1 << 50] {
            let tally = Tally::new(2);
            tally.request(1, 200, Some(Duration::from_micros(us)), 7);
            let counted = tally.counters();
            let mut wanted = Histogram::default();
            wanted.add(us);
            assert_eq!(counted.latency, Some(wanted), "{us} us");
            assert_eq!((counted.requests, counted.responses[2], counted.bytes), (1, 1, 7));
        }
    }
}
