//! What a rollout on this traffic can see, said before it starts.
//!
//! Estimates, not promises: the bets of the judge are played with the counts that are to be expected, tick by tick, until
//! they would decide. With many old instances this comes to
//! `φ ln(K |S| / (α w_r)) / (λ n_c ρ ((r/ρ) ln(r/ρ) − r/ρ + 1))` seconds for `n_c` requests in a second on new instances and
//! `λ` events for each request: Wald's expected sample number (1945) of two Poisson streams.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Baseline, Measure, MetricBaseline, Spec};
use crate::name::MetricName;
use rehearsal::Rehearsal;

mod rehearsal;
mod sentence;

/// The ratios that people are told about.
pub const RATIOS: [f64; 6] = [1.5, 2.0, 3.0, 5.0, 10.0, 50.0];

/// A stage that cannot see this ratio of a critical metric within its window is called out.
const OUGHT_TO_SEE: f64 = 5.0;

/// How many instances are compared in one stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageSize {
    /// Those on the new release.
    pub canaries: u32,
    /// Those on the old one.
    pub controls: u32,
}

/// The traffic of a service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// Requests in a second on each instance.
    pub per_instance: f64,
    /// The stages of the rollout, in their order.
    pub stages: Vec<StageSize>,
}

/// When one ratio is seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// How many times as much (as little, where less is worse) there is on the new release.
    pub ratio: f64,
    /// After so long of comparing; `None` when the window of the stage ends before.
    #[serde(with = "crate::time::optional_millis")]
    pub after: Option<Duration>,
}

/// What a stage can see of one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricOutlook {
    /// Which.
    pub name: MetricName,
    /// Whether less of it is worse.
    pub lower: bool,
    /// Whether a pass needs it.
    pub critical: bool,
    /// One for each of [`RATIOS`]; empty when history does not know the metric.
    pub detections: Vec<Detection>,
    /// When a harmless release is known to be harmless in this metric; `None` when not within the window.
    #[serde(with = "crate::time::optional_millis")]
    pub cleared: Option<Duration>,
    /// The smallest of [`RATIOS`] that can be excluded within the window.
    pub excludes: Option<f64>,
}

/// What one stage can see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageOutlook {
    /// How many are compared.
    pub size: StageSize,
    /// Every counted metric, in the order of the spec.
    pub metrics: Vec<MetricOutlook>,
}

/// What a rollout can see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outlook {
    /// Requests in a second on each instance.
    pub per_instance: f64,
    /// How long a new instance is not compared.
    #[serde(with = "crate::time::millis")]
    pub warmup: Duration,
    /// The longest time of a stage.
    #[serde(with = "crate::time::millis")]
    pub window: Duration,
    /// The shortest time of comparing before a pass.
    #[serde(with = "crate::time::millis")]
    pub observe: Duration,
    /// One for each stage.
    pub stages: Vec<StageOutlook>,
}

impl StageOutlook {
    /// Whether no ratio of any metric would be seen: only the hard guards watch this stage.
    pub fn is_blind(&self) -> bool {
        !self.metrics.iter().flat_map(|metric| &metric.detections).any(|detection| detection.after.is_some())
    }

    /// The critical metrics of which not even a fivefold harm would be seen.
    pub fn unseen(&self) -> impl Iterator<Item = &MetricOutlook> {
        self.metrics.iter().filter(|metric| {
            metric.critical
                && metric.detections.iter().any(|seen| seen.ratio == OUGHT_TO_SEE && seen.after.is_none())
        })
    }

    /// When a harmless release passes, warm-up not counted; `None` when it would end inconclusive.
    pub fn passes_after(&self) -> Option<Duration> {
        let critical: Vec<_> = self.metrics.iter().filter(|metric| metric.critical).collect();
        let all: Option<Vec<Duration>> = critical.iter().map(|metric| metric.cleared).collect();
        all?.into_iter().max()
    }
}

/// What a rollout by these rules can see of this traffic.
pub fn outlook(spec: &Spec, baseline: &Baseline, traffic: &Traffic) -> Outlook {
    let unknown = MetricBaseline::default();
    let counted = || {
        spec.metrics.iter().enumerate().filter(|(_, metric)| metric.measure == Measure::Rate).map(
            |(at, metric)| {
                let known = baseline.metrics.get(at).unwrap_or(&unknown);
                (metric, known)
            },
        )
    };
    let stages = traffic.stages.iter().map(|size| StageOutlook {
        size: *size,
        metrics: counted()
            .map(|(metric, known)| Rehearsal::new(spec, metric, known, traffic.per_instance, *size).outlook())
            .collect(),
    });
    Outlook {
        per_instance: traffic.per_instance,
        warmup: spec.warmup,
        window: spec.window,
        observe: spec.observe,
        stages: stages.collect(),
    }
}

#[cfg(test)]
mod tests;
