//! How an analysis stands: what people and deployments are told of it.

use serde::{Deserialize, Serialize};

use crate::name::{MemberName, MetricName};
use crate::time::Time;

/// Where an analysis is in its present stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// No tick has come.
    Pending,
    /// All canaries are still too young to be compared.
    Warmup {
        /// The moment at which the first of them no longer is.
        until: Time,
    },
    /// New is compared with old.
    Observing,
    /// Nothing passes until this is over.
    Hold {
        /// Why.
        reason: HoldReason,
    },
}

/// Why an analysis holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    /// One member of the canary, not the release, seems to be the trouble.
    Suspect,
    /// The control group itself is unlike what history expects.
    Environment,
    /// The canary gets less than half of the traffic that it should.
    NoTraffic,
    /// A metric is not heard of.
    NoData,
    /// The control group is broken or empty: there is nothing to compare with.
    NoControl,
    /// A level that is not critical is surely worse: a person should look at it.
    Level,
}

/// The end of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Harm to every critical metric was excluded.
    Pass,
    /// The release hurts.
    Fail,
    /// The window is over and neither is known.
    Inconclusive,
    /// The window is over and nothing was seen.
    None,
}

/// A member that behaves unlike the others on its release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Suspect {
    /// Which.
    pub member: MemberName,
    /// What was seen: one sentence.
    pub why: String,
}

/// How one metric stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricStanding {
    /// Which.
    pub name: MetricName,
    /// Events and opportunities of the canary that were compared.
    pub canary: (u64, u64),
    /// The same of the control group.
    pub control: (u64, u64),
    /// New as a multiple of old; `None` when it cannot be said.
    pub ratio: Option<f64>,
    /// The bounds of the ratio at the level of the analysis, valid at every moment; `None` where there is none.
    pub low: Option<f64>,
    /// See `low`.
    pub high: Option<f64>,
    /// The natural logarithm of the evidence that it is worse.
    pub ln_worse: f64,
    /// The natural logarithm of the evidence that harm is excluded.
    pub ln_harmless: f64,
    /// Whether it is among those that a failed analysis names.
    pub blamed: bool,
}

/// The natural logarithm of the evidence from which on a release that is not proven to hurt leans to it: twenty to one.
pub(crate) const LEANING: f64 = 3.0;

/// How an analysis stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// The last entry.
    pub at: Time,
    /// Entries so far.
    pub entries: u64,
    /// Where it is in its stage.
    pub status: Status,
    /// The verdict on the present stage, when there is one. [`Verdict::Fail`] is never taken back; the others are for
    /// one stage.
    pub verdict: Option<Verdict>,
    /// Members that should be pulled.
    pub suspects: Vec<Suspect>,
    /// Every metric, in the order of the spec.
    pub metrics: Vec<MetricStanding>,
    /// The natural logarithm of the evidence of all metrics together.
    pub ln_evidence: f64,
    /// Whether at least one metric of counts has been seen often enough for a pass to mean something.
    pub sampled: bool,
    /// What is seen, in one sentence that a person understands.
    pub sentence: String,
}

impl Standing {
    /// Whether so much speaks against the release that it should not go on by itself, although nothing is proven.
    pub fn leans_to_harm(&self) -> bool {
        self.ln_evidence >= LEANING
    }
}
