//! What is known from history before the first tick; frozen for the analysis.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::history::SlowBound;
use crate::name::MemberName;

/// What history says of all metrics of an analysis, in the order of its metrics.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Baseline {
    /// One for each metric; one that is missing knows nothing.
    pub metrics: Vec<MetricBaseline>,
    /// The usual share of each member in the requests, in any unit: only proportions count. One that is absent gets
    /// the share 1.
    #[serde(default)]
    pub traffic: BTreeMap<MemberName, f64>,
}

/// What history says of one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricBaseline {
    /// How each member's rate compares with all members' together (`ĥ`); 1 for those that are absent.
    pub factors: BTreeMap<MemberName, f64>,
    /// How much more the counts vary than independent events would (`φ`); at least 1.
    pub dispersion: f64,
    /// The standard deviation of a member's log rate that its factor does not explain (`σ_res`).
    pub spread: f64,
    /// Events for each opportunity at this hour of the last weeks, or the mean level; `None` where nothing is known.
    pub rate: Option<f64>,
    /// The bucket of response times above which a response counts as slow, frozen; `None` for other metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_above: Option<SlowBound>,
    /// Too little history for factors: claims need a larger ratio.
    pub thin: bool,
}

impl Default for MetricBaseline {
    fn default() -> Self {
        Self {
            factors: BTreeMap::new(),
            dispersion: 1.0,
            spread: 0.03,
            rate: None,
            slow_above: None,
            thin: true,
        }
    }
}
