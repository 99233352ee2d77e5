//! What a release is judged by.

use serde::{Deserialize, Serialize};

use crate::name::MetricName;

/// How a metric is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Events out of opportunities: errors of requests, slow responses of responses, orders of requests.
    Rate,
    /// A level: memory, processor time, a mean time.
    Level,
}

/// Which change of a metric is harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Worse {
    /// More of it: errors.
    Higher,
    /// Less of it: orders.
    Lower,
    /// Either.
    Either,
}

/// What a metric means to the rules that are not statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Failed requests out of all requests: the hard guards look at it.
    Errors,
    /// Responses slower than a quantile that was frozen when the deployment began.
    Slow,
    /// Anything else, business numbers among it.
    Other,
    /// A hint of the process or its host. It may hold a release; that it is not heard of holds nothing, because many
    /// machines cannot tell.
    Vital,
}

/// One number that a release is judged by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Its name; unique in an analysis.
    pub name: MetricName,
    /// How it is measured.
    pub measure: Measure,
    /// Which change is harm.
    pub worse: Worse,
    /// What it means to the hard guards.
    pub role: Role,
    /// Its share of the accusations, in any unit: only the proportion to the other weights counts. Positive.
    pub weight: f64,
    /// A release passes only when harm to every critical metric was excluded.
    pub critical: bool,
    /// The smallest ratio of new to old (or of old to new, where less is worse) that is ever called worse; at least 1.
    pub margin: f64,
    /// The ratio that a pass must exclude; greater than `margin`.
    pub harm: f64,
    /// Events for each opportunity below which the ratio does not matter, where more is worse; 0 for none.
    #[serde(default)]
    pub negligible: f64,
}

impl Metric {
    /// What its opportunities are called, with a blank before it.
    pub(crate) fn unit(&self) -> &'static str {
        match self.role {
            Role::Errors => " requests",
            Role::Slow => " responses",
            Role::Other | Role::Vital => "",
        }
    }
}
