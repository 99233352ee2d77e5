//! The policy by which a release spreads. The plan turns its shares into absolute numbers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::quantity::Share;

/// What happens to a deployment that finds another one at work in its scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// Wait; of several that wait, the newest stays.
    Queue,
    /// Refuse the new one.
    Reject,
    /// Abort the running one at its safe point, then go forward from there.
    Supersede,
}

/// How a release spreads, in shares. See [`Rollout::default`] for the defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// Sizes of the waves, each as a share of all hosts; the last takes all that remain.
    pub waves: Vec<Share>,
    /// Hosts that may be changed at once within a wave (at least 1, rounded down).
    pub max_parallel: Share,
    /// Hosts that must serve at every instant (rounded up). `None` is 75 %, but never so many that no host
    /// could be changed.
    pub min_available: Option<Share>,
    /// Failed hosts that are borne over the whole run (at least 1 for a share). In the first wave none is.
    pub max_failed: Share,
    /// Unreachable hosts that are borne over the whole run (at least 1 for a share).
    pub max_unreachable: Share,
    /// So many hosts failing at the same step are a bad release, not bad hosts.
    pub correlated_failures: u32,
    /// Site by site: a whole site is taken out, changed, tested and put back before the next.
    #[serde(default)]
    pub by_site: bool,
    /// How long the sessions of a host that is taken out may take to end; then they are cut, and counted.
    #[serde(default = "default_drain_timeout", with = "crate::time::millis")]
    pub drain_timeout: Duration,
    /// The time in which a host that comes back gets its full share of traffic, in growing steps; none for at once.
    #[serde(default, with = "crate::time::millis")]
    pub slow_start: Duration,
    /// How long a changed host may take to become healthy.
    #[serde(with = "crate::time::millis")]
    pub healthy_deadline: Duration,
    /// How long a changed host must stay healthy before it counts.
    #[serde(with = "crate::time::millis")]
    pub min_healthy_time: Duration,
    /// The longest time without any host succeeding; then the deployment is put back.
    #[serde(with = "crate::time::millis")]
    pub progress_deadline: Duration,
    /// The longest time for one step on one host.
    #[serde(with = "crate::time::millis")]
    pub step_timeout: Duration,
    /// How long a lost host is called again before it counts as unreachable.
    #[serde(with = "crate::time::millis")]
    pub reconnect_window: Duration,
    /// How long all hosts are watched after the last wave.
    #[serde(with = "crate::time::millis")]
    pub bake: Duration,
    /// Put everything back when the release fails.
    pub auto_rollback: bool,
    /// What a second deployment in the same scope does.
    pub on_conflict: OnConflict,
    /// Good releases that a host keeps beside the current one.
    pub keep_releases: u32,
}

impl Default for Rollout {
    fn default() -> Self {
        Self {
            waves: vec![Share::Hosts(1), Share::Percent(10), Share::Percent(25), Share::Percent(100)],
            max_parallel: Share::Percent(10),
            min_available: None,
            max_failed: Share::Percent(5),
            max_unreachable: Share::Percent(5),
            correlated_failures: 2,
            by_site: false,
            drain_timeout: default_drain_timeout(),
            slow_start: Duration::ZERO,
            healthy_deadline: Duration::from_secs(300),
            min_healthy_time: Duration::from_secs(10),
            progress_deadline: Duration::from_secs(600),
            step_timeout: Duration::from_secs(600),
            reconnect_window: Duration::from_secs(150),
            bake: Duration::from_secs(300),
            auto_rollback: true,
            on_conflict: OnConflict::Queue,
            keep_releases: 5,
        }
    }
}

fn default_drain_timeout() -> Duration {
    Duration::from_secs(30)
}
