//! How an evaluation stands, as callers are told.

use andon_core::analysis::{HoldReason, MetricStanding, Policy, Spec, Standing, Status, Suspect, Verdict};
use andon_core::time::Time;
use serde::{Deserialize, Serialize};

use super::EvaluationId;

/// Where an evaluation is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Life {
    /// It looks, or is told.
    Running,
    /// There is a verdict.
    Judged,
    /// Its caller stopped it before there was one.
    Terminated,
    /// Its caller told nothing for too long, or its recording could not go on.
    Abandoned,
}

/// What a deployer should do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Advice {
    /// Nothing is known yet.
    Wait,
    /// Take the release further.
    GoOn,
    /// Stay, until a person has looked.
    Hold,
    /// Put the old release back.
    RollBack,
}

/// Counts of one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// What happened.
    pub events: u64,
    /// How often it could have.
    pub of: u64,
}

/// One metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricView {
    /// Its name.
    pub name: String,
    /// Those on the new release.
    pub canary: Counted,
    /// Those on the old one.
    pub control: Counted,
    /// New as a multiple of old.
    pub ratio: Option<f64>,
    /// The bounds of the ratio, valid at every moment.
    pub low: Option<f64>,
    /// See `low`.
    pub high: Option<f64>,
    /// Whether a failed evaluation names it.
    pub blamed: bool,
}

/// How an evaluation stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// Which.
    pub id: EvaluationId,
    /// Where it is in its life.
    pub life: Life,
    /// `pending`, `warmup`, `observing` or `hold`.
    pub status: String,
    /// Why it holds.
    pub hold: Option<HoldReason>,
    /// The verdict, once there is one.
    pub verdict: Option<Verdict>,
    /// What the caller should do now, by the verdict and the request's rules.
    pub advice: Advice,
    /// What is seen, for people.
    pub sentence: String,
    /// When it was asked for.
    pub accepted: Time,
    /// The last entry, by the clock of whoever told it; `None` before the first.
    pub at: Option<Time>,
    /// How many entries it has heard.
    pub entries: u64,
    /// Whether at least one metric was seen often enough for a pass to mean something.
    pub sampled: bool,
    /// Every metric, in the request's order.
    pub metrics: Vec<MetricView>,
    /// Members that behave unlike the others on their release.
    pub suspects: Vec<Suspect>,
}

impl View {
    /// What is told of `standing`.
    pub(super) fn of(id: &EvaluationId, accepted: Time, spec: &Spec, standing: Standing, life: Life) -> Self {
        let status = status_word(&standing.status).to_owned();
        let hold = match standing.status {
            Status::Hold { reason } => Some(reason),
            Status::Pending | Status::Warmup { .. } | Status::Observing => None,
        };
        let advice = advice(life, standing.verdict, spec, standing.sampled);
        Self {
            id: id.clone(),
            life,
            status,
            hold,
            verdict: standing.verdict,
            advice,
            sentence: standing.sentence,
            accepted,
            at: (standing.entries > 0).then_some(standing.at),
            entries: standing.entries,
            sampled: standing.sampled,
            metrics: standing.metrics.into_iter().map(MetricView::from).collect(),
            suspects: standing.suspects,
        }
    }

    /// One word for programs: the verdict, or `running`, `terminated`, `abandoned`.
    pub fn result(&self) -> &'static str {
        match (self.life, self.verdict) {
            (Life::Running, _) => "running",
            (Life::Terminated, _) => "terminated",
            (Life::Abandoned, _) => "abandoned",
            (Life::Judged, verdict) => verdict_word(verdict.unwrap_or(Verdict::None)),
        }
    }
}

impl From<MetricStanding> for MetricView {
    fn from(standing: MetricStanding) -> Self {
        let counted = |(events, of)| Counted { events, of };
        Self {
            name: standing.name.to_string(),
            canary: counted(standing.canary),
            control: counted(standing.control),
            ratio: standing.ratio,
            low: standing.low,
            high: standing.high,
            blamed: standing.blamed,
        }
    }
}

/// `pending`, `warmup`, `observing` or `hold`.
pub fn status_word(status: &Status) -> &'static str {
    match status {
        Status::Pending => "pending",
        Status::Warmup { .. } => "warmup",
        Status::Observing => "observing",
        Status::Hold { .. } => "hold",
    }
}

/// `pass`, `fail`, `inconclusive` or `none`.
pub fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Inconclusive => "inconclusive",
        Verdict::None => "none",
    }
}

/// What does not know never goes on by itself unless the request said so, and something was seen.
fn advice(life: Life, verdict: Option<Verdict>, spec: &Spec, sampled: bool) -> Advice {
    let by = |policy| match policy {
        Policy::Proceed if sampled => Advice::GoOn,
        Policy::Proceed | Policy::Hold => Advice::Hold,
        Policy::RollBack => Advice::RollBack,
    };
    match (life, verdict) {
        (Life::Running, _) => Advice::Wait,
        (Life::Terminated | Life::Abandoned, _) => Advice::Hold,
        (Life::Judged, Some(Verdict::Pass)) => Advice::GoOn,
        (Life::Judged, Some(Verdict::Fail)) => Advice::RollBack,
        (Life::Judged, Some(Verdict::Inconclusive)) => by(spec.inconclusive),
        (Life::Judged, Some(Verdict::None) | None) => by(spec.no_data),
    }
}
