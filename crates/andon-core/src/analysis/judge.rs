//! The judge: folds entries, says how the analysis stands.

use super::{Baseline, Entry, MetricStanding, Spec, Standing, Status};
use crate::time::Time;

/// One analysis under way.
#[derive(Debug, Clone)]
pub struct Judge {
    spec: Spec,
    baseline: Baseline,
    at: Time,
    entries: u64,
}

impl Judge {
    /// An analysis that has heard nothing.
    pub fn new(spec: Spec, baseline: Baseline) -> Self {
        Self { spec, baseline, at: Time::default(), entries: 0 }
    }

    /// The rules.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// What history says.
    pub fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// Hears one entry.
    pub fn apply(&mut self, entry: &Entry) {
        self.entries += 1;
        self.at = match entry {
            Entry::Stage { at } => *at,
            Entry::Tick(tick) => tick.at,
        };
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        let metrics = self.spec.metrics.iter().map(|metric| MetricStanding {
            name: metric.name.clone(),
            canary: (0, 0),
            control: (0, 0),
            ratio: None,
            low: None,
            high: None,
            ln_worse: 0.0,
            ln_harmless: 0.0,
            blamed: false,
        });
        Standing {
            at: self.at,
            entries: self.entries,
            status: Status::Pending,
            verdict: None,
            suspects: Vec::new(),
            metrics: metrics.collect(),
            ln_evidence: 0.0,
            sampled: false,
            sentence: "nothing was seen yet".to_owned(),
        }
    }
}
