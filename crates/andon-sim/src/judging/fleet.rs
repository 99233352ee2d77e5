//! A fleet of servers and what their traffic looks like, tick by tick.
//!
//! Errors come in bursts, servers differ, everything wobbles together, and now and then a server stops to collect its
//! garbage. Counts are drawn for each server and tick as a whole: there is no loop over requests.

use crate::generator::{Generator, float};
use crate::judging::fault::Effect;
use crate::judging::normal;

/// How many servers, how many of them on the new release, and how busy each is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fleet {
    /// All servers.
    pub servers: usize,
    /// Those on the new release.
    pub canaries: usize,
    /// Requests in a second on each.
    pub rate: f64,
}

/// What makes traffic unlike a textbook's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// Errors for each request.
    pub base_error: f64,
    /// The standard deviation of a server's log rate, of errors and of slow responses.
    pub server_sd: f64,
    /// Errors in a burst, on average.
    pub burst: f64,
    /// The standard deviation of the log rate that all servers share, and that wanders.
    pub wobble_sd: f64,
    /// The share of ticks in which a server collects its garbage.
    pub garbage_share: f64,
    /// How much longer responses take in such a tick.
    pub garbage_factor: f64,
    /// The standard deviation of the logarithm of a response's time.
    pub latency_sd: f64,
}

impl Default for Noise {
    fn default() -> Self {
        Self {
            base_error: 0.001,
            server_sd: 0.2,
            burst: 3.0,
            wobble_sd: 0.3,
            garbage_share: 0.01,
            garbage_factor: 3.0,
            latency_sd: 0.5,
        }
    }
}

/// What one server did in one stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Requests.
    pub requests: u64,
    /// Events: errors, responses slower than the 90th and than the 99th percentile of history.
    pub events: [u64; METRICS],
}

/// How many metrics a server has.
pub const METRICS: usize = 3;

/// How long everything wobbles one way: about 100 s at ticks of 5 s.
const MEMORY_OF_WOBBLE: f64 = 100.0;

/// A fleet with its servers' peculiarities.
#[derive(Debug, Clone)]
pub struct World {
    fleet: Fleet,
    noise: Noise,
    /// Of each server: what its errors and its slow responses are multiplied with.
    factors: Vec<[f64; 2]>,
    /// The logarithms that everybody shares: of errors, of slow responses.
    wobble: [f64; 2],
    /// `z` of the historical percentiles.
    thresholds: [f64; 2],
}

impl World {
    /// A fleet whose peculiarities are drawn.
    pub fn new(fleet: Fleet, noise: Noise, chance: &mut Generator) -> Self {
        let factors = (0..fleet.servers)
            .map(|_| [chance.factor(noise.server_sd), chance.factor(noise.server_sd)])
            .collect();
        let wobble = [noise.wobble_sd * chance.normal(), noise.wobble_sd * chance.normal()];
        let thresholds = [percentile(&noise, 0.10), percentile(&noise, 0.01)];
        Self { fleet, noise, factors, wobble, thresholds }
    }

    /// The fleet.
    pub fn fleet(&self) -> Fleet {
        self.fleet
    }

    /// How its traffic is.
    pub fn noise(&self) -> &Noise {
        &self.noise
    }

    /// Changes the traffic from now on; the percentiles of history stay.
    pub fn set_noise(&mut self, noise: Noise) {
        self.noise = noise;
    }

    /// Changes every server a little for good, so that history no longer describes it.
    pub fn drift(&mut self, sd: f64, chance: &mut Generator) {
        for factor in self.factors.iter_mut().flatten() {
            *factor *= chance.factor(sd);
        }
    }

    /// One tick of so many seconds; `effect` says what is unusual on a server.
    pub fn tick(
        &mut self,
        seconds: f64,
        effect: impl Fn(usize) -> Effect,
        chance: &mut Generator,
        into: &mut Vec<Counts>,
    ) {
        let shared = self.wander(seconds, chance);
        let usual = self.slow(1.0);
        into.clear();
        for server in 0..self.fleet.servers {
            let effect = effect(server);
            let requests = chance.poisson(self.fleet.rate * effect.load * seconds);
            let garbage = chance.uniform() < self.noise.garbage_share;
            let latency = effect.latency * if garbage { self.noise.garbage_factor } else { 1.0 };
            let slow = if latency == 1.0 { usual } else { self.slow(latency) };
            let factors = self.factors[server];
            let rate = self.noise.base_error * effect.errors * factors[0] * shared[0];
            let counts = self.counts(
                requests,
                rate + effect.failing,
                slow.map(|p| p * factors[1] * shared[1]),
                chance,
            );
            into.push(counts);
        }
    }

    /// A stretch of many ticks at once, of a time in which nothing is unusual: so many ticks of garbage as fall into it,
    /// and one state of the wobble, which evens out within half an hour.
    pub fn stretch(&mut self, ticks: u64, seconds: f64, chance: &mut Generator, into: &mut Vec<Counts>) {
        let shared = self.wander(float(ticks) * seconds, chance);
        let shared = if float(ticks) * seconds >= 1_800.0 { [1.0; 2] } else { shared };
        let slow = [self.slow(1.0), self.slow(self.noise.garbage_factor)];
        into.clear();
        for factors in &self.factors {
            let garbage = chance.binomial(ticks, self.noise.garbage_share);
            let mut sum = Counts::default();
            for (ticks, slow) in [(ticks - garbage, slow[0]), (garbage, slow[1])] {
                let requests = chance.poisson(self.fleet.rate * seconds * float(ticks));
                let error_rate = self.noise.base_error * factors[0] * shared[0];
                let counts =
                    self.counts(requests, error_rate, slow.map(|p| p * factors[1] * shared[1]), chance);
                sum.requests += counts.requests;
                for (sum, one) in sum.events.iter_mut().zip(counts.events) {
                    *sum += one;
                }
            }
            into.push(sum);
        }
    }

    /// Lets the wobble wander for a while: what errors and slow responses are multiplied with after it.
    fn wander(&mut self, seconds: f64, chance: &mut Generator) -> [f64; 2] {
        let kept = (-seconds / MEMORY_OF_WOBBLE).exp();
        let fresh = self.noise.wobble_sd * (1.0 - kept * kept).sqrt();
        for wobble in &mut self.wobble {
            *wobble = kept * *wobble + fresh * chance.normal();
        }
        let half_square = self.noise.wobble_sd.powi(2) / 2.0;
        self.wobble.map(|wobble| (wobble - half_square).exp())
    }

    fn counts(&self, requests: u64, error_rate: f64, slow: [f64; 2], chance: &mut Generator) -> Counts {
        let errors = if error_rate >= 0.2 {
            chance.binomial(requests, error_rate.min(1.0))
        } else {
            let bursts = chance.poisson(float(requests) * error_rate / self.noise.burst);
            chance.bursts(bursts, self.noise.burst).min(requests)
        };
        let p90 = slow[0].min(0.98);
        let over_p90 = chance.binomial(requests, p90);
        // Whatever is slower than the 99th percentile is slower than the 90th.
        let over_p99 = chance.binomial(over_p90, (slow[1] / p90).min(1.0));
        Counts { requests, events: [errors, over_p90, over_p99] }
    }

    /// The shares of responses above the historical percentiles when all take `latency` times as long.
    fn slow(&self, latency: f64) -> [f64; 2] {
        let shift = latency.ln() / self.noise.latency_sd;
        self.thresholds.map(|threshold| normal::above(threshold - shift))
    }
}

/// The number of standard deviations above which the share `above` of all responses of history lies, garbage included.
fn percentile(noise: &Noise, above: f64) -> f64 {
    let shift = noise.garbage_factor.ln() / noise.latency_sd;
    let (mut low, mut high) = (0.0, 8.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        let share = (1.0 - noise.garbage_share) * normal::above(middle)
            + noise.garbage_share * normal::above(middle - shift);
        if share > above {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(noise: Noise, effect: Effect) -> [f64; 4] {
        let fleet = Fleet { servers: 50, canaries: 1, rate: 50.0 };
        let mut chance = Generator::new(3);
        let mut world = World::new(fleet, noise, &mut chance);
        let (mut sum, mut counts) = ([0.0; 4], Vec::new());
        for _ in 0..4_000 {
            world.tick(5.0, |_| effect, &mut chance, &mut counts);
            for counts in &counts {
                sum[0] += float(counts.requests);
                for (sum, events) in sum[1..].iter_mut().zip(counts.events) {
                    *sum += float(events);
                }
            }
        }
        sum
    }

    #[test]
    fn the_rates_are_those_of_history_when_nothing_is_unusual() {
        let [requests, errors, p90, p99] = totals(Noise::default(), Effect::default());
        assert!((requests / (50.0 * 50.0 * 5.0 * 4_000.0) - 1.0).abs() < 0.002);
        // Twenty thousand seconds hold 200 swings of the wobble, and 50 servers have their factors.
        for (events, share) in [(errors, 0.001), (p90, 0.10), (p99, 0.01)] {
            assert!((events / requests / share - 1.0).abs() < 0.12, "{} for {share}", events / requests);
        }
    }

    #[test]
    fn faults_multiply_what_they_say() {
        let quiet = Noise { server_sd: 0.0, wobble_sd: 0.0, garbage_share: 0.0, ..Noise::default() };
        let [requests, errors, p90, _] =
            totals(quiet, Effect { errors: 10.0, latency: 1.3, ..Effect::default() });
        assert!((errors / requests / 0.01 - 1.0).abs() < 0.02);
        let expected = normal::above(percentile(&quiet, 0.10) - 1.3_f64.ln() / 0.5);
        assert!((p90 / requests / expected - 1.0).abs() < 0.01);
        let [requests, errors, ..] = totals(quiet, Effect { failing: 0.5, ..Effect::default() });
        assert!((errors / requests - 0.501).abs() < 0.002);
    }

    #[test]
    fn bursts_give_the_dispersion_that_they_should() {
        let quiet = Noise { server_sd: 0.0, wobble_sd: 0.0, garbage_share: 0.0, ..Noise::default() };
        let mut chance = Generator::new(5);
        let mut world = World::new(Fleet { servers: 100, canaries: 1, rate: 50.0 }, quiet, &mut chance);
        let (mut n, mut sum, mut squares, mut counts) = (0.0, 0.0, 0.0, Vec::new());
        for _ in 0..3_000 {
            world.tick(5.0, |_| Effect::default(), &mut chance, &mut counts);
            for counts in &counts {
                let errors = float(counts.events[0]);
                n += 1.0;
                sum += errors;
                squares += errors * errors;
            }
        }
        // Geometric bursts of mean 3: (variance + mean²) / mean = 5.
        let dispersion = (squares / n - (sum / n).powi(2)) / (sum / n);
        assert!((dispersion - 5.0).abs() < 0.3, "{dispersion}");
    }

    #[test]
    fn a_long_stretch_has_the_rates_of_its_ticks() {
        let mut chance = Generator::new(6);
        let noise = Noise { server_sd: 0.0, ..Noise::default() };
        let mut world = World::new(Fleet { servers: 100, canaries: 1, rate: 50.0 }, noise, &mut chance);
        let (mut sum, mut requests, mut counts) = ([0.0; METRICS], 0.0, Vec::new());
        world.stretch(360, 5.0, &mut chance, &mut counts);
        for counts in counts {
            requests += float(counts.requests);
            sum.iter_mut().zip(counts.events).for_each(|(sum, events)| *sum += float(events));
        }
        for (events, share) in sum.into_iter().zip([0.001, 0.10, 0.01]) {
            assert!((events / requests / share - 1.0).abs() < 0.05, "{} for {share}", events / requests);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_traffic() {
        let run = || {
            let mut chance = Generator::new(11);
            let mut world =
                World::new(Fleet { servers: 5, canaries: 1, rate: 20.0 }, Noise::default(), &mut chance);
            let mut counts = Vec::new();
            for _ in 0..50 {
                world.tick(5.0, |_| Effect::default(), &mut chance, &mut counts);
            }
            counts
        };
        assert_eq!(run(), run());
    }
}
