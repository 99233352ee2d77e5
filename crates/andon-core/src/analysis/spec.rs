//! The rules of one analysis, pinned before its first tick.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Metric;

/// What happens when an analysis ends without knowing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Go on, if no hard guard speaks against it.
    Proceed,
    /// Wait for a person.
    Hold,
    /// Put the release back.
    RollBack,
}

/// The rules of one analysis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// What is compared. Readings come in this order.
    pub metrics: Vec<Metric>,
    /// The nominal probability that a harmless release is accused, over the whole deployment; in (0, 1).
    pub alpha: f64,
    /// The probability that a harmful release passes; in (0, 1).
    pub beta: f64,
    /// The time between two ticks.
    #[serde(with = "crate::time::millis")]
    pub tick: Duration,
    /// How long an instance that was just changed is not compared yet. The hard guards are on.
    #[serde(with = "crate::time::millis")]
    pub warmup: Duration,
    /// The shortest time of comparing before a pass, in every stage.
    #[serde(with = "crate::time::millis")]
    pub observe: Duration,
    /// The longest time of a stage without a verdict.
    #[serde(with = "crate::time::millis")]
    pub window: Duration,
    /// How often the window is extended before `inconclusive` counts.
    pub extensions: u32,
    /// What follows an inconclusive analysis. Of critical metrics that could not be seen, [`Policy::Hold`] at least.
    pub inconclusive: Policy,
    /// What follows an analysis without data.
    pub no_data: Policy,
    /// How many times as much evidence condemns a release that only one member runs; at least 1. With one member, a
    /// bad host can't be told from a bad release.
    #[serde(default = "one")]
    pub single_host_factor: f64,
    /// The nominal probability that a release is accused for what a single one of its members does; in (0, 1). Of
    /// several members, the evidence must reach `1/host_alpha` without any one of them as well.
    #[serde(default = "host_alpha")]
    pub host_alpha: f64,
    /// What new exceptions stake, as a part of what an average metric does; at least 0.
    #[serde(default = "part")]
    pub exceptions: f64,
    /// Whether a control group that becomes unlike history within 3 min of the begin of a stage, while anything else
    /// speaks against the release as well, fails it: it may hurt both through what they share.
    #[serde(default)]
    pub suspicion: bool,
}

fn host_alpha() -> f64 {
    0.1
}

fn one() -> f64 {
    1.0
}

fn part() -> f64 {
    0.3
}

impl Spec {
    /// The defaults around `metrics`: at most about one false rollback in 1,000 deployments.
    pub fn new(metrics: Vec<Metric>) -> Self {
        Self {
            metrics,
            alpha: 0.005,
            beta: 0.05,
            tick: Duration::from_secs(1),
            warmup: Duration::from_secs(60),
            observe: Duration::from_secs(120),
            window: Duration::from_secs(15 * 60),
            extensions: 0,
            inconclusive: Policy::Proceed,
            no_data: Policy::Hold,
            single_host_factor: one(),
            host_alpha: host_alpha(),
            exceptions: part(),
            suspicion: false,
        }
    }
}
