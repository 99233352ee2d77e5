//! What goes wrong in a simulated deployment, and what that does to a server.

use crate::judging::fleet::{Fleet, Noise};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// Nothing: whoever accuses this release is wrong.
    None,
    /// The new release has so many times the errors.
    Errors(f64),
    /// Responses of the new release take so many times as long.
    Latency(f64),
    /// The first server on the new release has so many times the errors; the release is fine.
    BadHost(f64),
    /// For this long after its start, responses of a server take up to `latency` times as long and `errors` times as
    /// many of them fail: caches are cold.
    ColdStart {
        /// Seconds until it is warm.
        seconds: f64,
        /// At the start.
        latency: f64,
        /// At the start.
        errors: f64,
    },
    /// All servers have so many times the errors for two minutes in the middle.
    Shared(f64),
    /// Every server's rates have moved since history was written, by this standard deviation of the logarithm.
    Drift(f64),
    /// Errors come in bursts of so many, unlike in history.
    Bursts(f64),
    /// So many times as many ticks with garbage collection as in history.
    Garbage(f64),
    /// This share of requests of the new release fails.
    Failing(f64),
    /// The new release ends and is started again, over and over; nothing is answered.
    Crash,
    /// The new release accepts requests and answers none.
    Hang,
}

/// What is unusual on a server.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    /// What its errors are multiplied with.
    pub errors: f64,
    /// What its responses' times are multiplied with.
    pub latency: f64,
    /// What its number of requests is multiplied with.
    pub load: f64,
    /// The share of requests that fails besides.
    pub failing: f64,
}

impl Default for Effect {
    fn default() -> Self {
        Self { errors: 1.0, latency: 1.0, load: 1.0, failing: 0.0 }
    }
}

impl Fault {
    /// What is unusual on a server in the stretch of `tick` seconds that ends at `at`, when the trouble begins at `onset`;
    /// a stretch in which it begins has a part of it. Canaries are the first servers.
    pub fn effect(self, fleet: Fleet, server: usize, onset: f64, tick: f64, at: f64) -> Effect {
        let canary = server < fleet.canaries;
        let usual = Effect::default();
        let part = ((at - onset) / tick).clamp(0.0, 1.0);
        if part == 0.0 {
            return usual;
        }
        let partly = |times: f64| 1.0 + part * (times - 1.0);
        match self {
            Self::Errors(times) if canary => Effect { errors: partly(times), ..usual },
            Self::BadHost(times) if server == 0 => Effect { errors: partly(times), ..usual },
            Self::Latency(times) if canary => Effect { latency: times.powf(part), ..usual },
            Self::ColdStart { seconds, latency, errors } if canary && at < seconds => {
                let left = 1.0 - at / seconds;
                Effect { latency: latency.powf(left), errors: errors.powf(left), ..usual }
            }
            Self::Shared(times) if at <= onset + 120.0 => Effect { errors: partly(times), ..usual },
            Self::Failing(share) if canary => Effect { failing: share * part, ..usual },
            Self::Crash | Self::Hang if canary => Effect { load: 1.0 - part, ..usual },
            _ => usual,
        }
    }

    /// The noise of the deployment where it is not that of history.
    pub fn noise(self, history: Noise) -> Noise {
        match self {
            Self::Bursts(burst) => Noise { burst, ..history },
            Self::Garbage(times) => Noise { garbage_share: history.garbage_share * times, ..history },
            _ => history,
        }
    }
}
