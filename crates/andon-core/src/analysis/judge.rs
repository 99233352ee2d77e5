//! The judge: folds entries into an analysis, and says how it stands.
//!
//! It hears; what follows from what it has heard is decided in `decision`, and told in `report`.

use serde::{Deserialize, Serialize};

use super::clock::Clock;
use super::contrast::{Contrast, Gathered};
use super::environment::Outlook;
use super::exceptions::Exceptions;
use super::gauge::Gauge;
use super::guards::{Guards, Moment};
use super::roster::{Number, Present, Roster};
use super::traffic::Traffic;
use super::{
    Arm, Baseline, Entry, Measure, MetricBaseline, Role, Spec, Standing, Status, Suspect, Tick, Verdict,
};

mod decision;
mod report;

/// One analysis under way: all of its state, which may be stored and read back at any entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judge {
    spec: Spec,
    baseline: Baseline,
    /// The share of each metric in the accusation, and that of new exceptions; together 1.
    shares: Vec<f64>,
    exceptions_share: f64,
    entries: u64,
    clock: Clock,
    roster: Roster,
    /// One for each metric; those of levels are never fed.
    contrasts: Vec<Contrast>,
    outlooks: Vec<Outlook>,
    gauges: Vec<Gauge>,
    guards: Guards,
    exceptions: Exceptions,
    traffic: Traffic,
    heard: Vec<Heard>,
    stage: Stage,
    suspects: Vec<Suspect>,
    /// When the control group began to be unlike history; on the judge's clock.
    unlike_since: Option<u64>,
    status: Status,
    /// What holds the analysis or is waited for, in words.
    remark: Option<String>,
    failure: Option<Failure>,
}

/// When a metric was last heard of, on the judge's clock.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Heard {
    canary: Option<u64>,
    control: Option<u64>,
}

/// What is known of the present stage.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Stage {
    /// Milliseconds in which new and old were compared, and nothing held.
    observed: u64,
    /// Since when there is a canary to compare, on the judge's clock.
    comparing_since: Option<u64>,
    /// Whether this stage has no control group.
    alone: bool,
    /// How many members of the control group serve.
    controls: usize,
    /// How many canaries serve, suspects not counted.
    canaries: usize,
    /// Whether it has passed.
    passed: Option<String>,
}

/// The end of an analysis by harm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Failure {
    sentence: String,
    blamed: Vec<usize>,
}

impl Judge {
    /// An analysis that has heard nothing.
    pub fn new(spec: Spec, mut baseline: Baseline) -> Self {
        baseline.metrics.resize(spec.metrics.len(), MetricBaseline::default());
        let weights: Vec<f64> = spec
            .metrics
            .iter()
            .map(|metric| match metric.measure {
                Measure::Rate if metric.weight.is_finite() && metric.weight > 0.0 => metric.weight.min(1e6),
                Measure::Rate => 1e-6,
                Measure::Level => 0.0,
            })
            .collect();
        let counts = weights.iter().filter(|weight| **weight > 0.0).count().max(1) as f64;
        let all: f64 = weights.iter().sum();
        // What new exceptions stake, as a part of what an average metric does.
        let exceptions = if spec.exceptions.is_finite() { spec.exceptions.clamp(0.0, 100.0) } else { 0.0 };
        let exceptions = if all > 0.0 { exceptions * all / counts } else { 1.0 };
        let whole = all + exceptions;
        let of = |index: usize| (&spec.metrics[index], &baseline.metrics[index]);
        let each = 0..spec.metrics.len();
        Self {
            shares: weights.iter().map(|weight| weight / whole).collect(),
            exceptions_share: exceptions / whole,
            entries: 0,
            clock: Clock::default(),
            roster: Roster::default(),
            contrasts: each.clone().map(|index| Contrast::new(of(index).0, of(index).1)).collect(),
            outlooks: each
                .clone()
                .map(|index| {
                    let contrast = Contrast::new(of(index).0, of(index).1);
                    Outlook::new(contrast.judged(of(index).0.worse))
                })
                .collect(),
            gauges: each.map(|_| Gauge::default()).collect(),
            guards: Guards::default(),
            exceptions: Exceptions::default(),
            traffic: Traffic::default(),
            heard: vec![Heard::default(); spec.metrics.len()],
            stage: Stage::default(),
            suspects: Vec::new(),
            unlike_since: None,
            status: Status::Pending,
            remark: None,
            failure: None,
            spec,
            baseline,
        }
    }

    /// The rules.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// What history says.
    pub fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// Hears one entry. A tick that is not newer than the newest is not heard; when ten in a row are older, but in
    /// order, the clock was set back, and they are heard again.
    pub fn apply(&mut self, entry: &Entry) {
        self.entries = self.entries.saturating_add(1);
        match entry {
            Entry::Stage { .. } => {
                self.clock.begin_stage();
                self.stage = Stage::default();
            }
            Entry::Tick(tick) => {
                if let Some(step) = self.clock.tick(tick.at, tick.over, self.spec.tick) {
                    self.hear(tick, step);
                }
            }
        }
    }

    fn hear(&mut self, tick: &Tick, step: u64) {
        let now = self.clock.elapsed();
        let mut roster = std::mem::take(&mut self.roster);
        let present = roster.attend(tick, self.spec.warmup.as_millis(), now);
        self.roster = roster;
        self.suspects.retain(|suspect| {
            let names = self.roster.members().iter();
            names.filter(|member| member.name == suspect.member).any(|member| member.suspected.is_some())
        });
        let count = |arm: Arm, compared: bool| {
            let of = |m: &&Present<'_>| m.seen.arm == arm && !m.suspected && (!compared || m.compared);
            present.iter().filter(of).count()
        };
        self.stage.canaries = count(Arm::Canary, false);
        self.stage.controls = count(Arm::Control, false);
        self.stage.alone = self.stage.controls == 0 && self.knows_a_forecast();
        if count(Arm::Canary, true) > 0 {
            self.stage.comparing_since.get_or_insert(now);
            self.clock.begin_comparing();
        }
        let moment = Moment { now, step, errors: self.index_of(Role::Errors) };
        let gross = self.guards.hear(&present, moment);
        self.compare(&present, step);
        let traffic = &self.baseline.traffic;
        let usual = |number: Number| {
            let name = self.roster.member(number).map(|member| &member.name);
            let share = name.and_then(|name| traffic.get(name)).copied().unwrap_or(1.0);
            if share.is_finite() && share > 0.0 { share } else { 1.0 }
        };
        let requests = self.requests_index();
        self.traffic.hear(&present, requests, step, usual);
        self.decide(tick, &present, gross, step);
    }

    /// Takes in what the members say of every metric.
    fn compare(&mut self, present: &[Present<'_>], step: u64) {
        let (beat, now) = (self.clock.beat(), self.clock.elapsed());
        let minute = now / 60_000;
        let requests = self.requests_index();
        let mut exposure = None;
        let names = |number: Number| self.roster.member(number).map(|member| member.name.clone());
        for (index, metric) in self.spec.metrics.iter().enumerate() {
            let baseline = &self.baseline.metrics[index];
            if metric.measure == Measure::Level {
                let usual = |number: Number| {
                    let factor = baseline.factors.get(&names(number)?)?;
                    Some(baseline.rate? * factor).filter(|level| level.is_finite())
                };
                if self.gauges[index].hear(index, present, step, usual) {
                    self.heard[index] = Heard { canary: Some(now), control: Some(now) };
                }
                continue;
            }
            let contrast = &mut self.contrasts[index];
            let gathered = contrast.gather(index, present, names, baseline);
            note_heard(&mut self.heard[index], &gathered, present, now);
            if requests == Some(index) {
                exposure = Some((gathered.canary_part().exposure, gathered.control.exposure));
            }
            contrast.hear(metric, baseline, beat, &gathered);
            let complement = contrast.is_complement();
            if self.stage.alone {
                self.outlooks[index].hear_alone(metric, baseline, beat, minute, &gathered, complement);
            } else {
                self.outlooks[index].hear_control(baseline, beat, minute, &gathered, complement);
            }
        }
        let heads = |arm: Arm| present.iter().filter(|m| m.compared && m.seen.arm == arm).count() as f64;
        let exposure = exposure.unwrap_or((heads(Arm::Canary), heads(Arm::Control)));
        self.exceptions.hear(present, beat, exposure);
    }

    fn index_of(&self, role: Role) -> Option<usize> {
        let rate = |metric: &super::Metric| metric.role == role && metric.measure == Measure::Rate;
        self.spec.metrics.iter().position(rate)
    }

    /// The metric whose opportunities are requests.
    fn requests_index(&self) -> Option<usize> {
        self.index_of(Role::Errors).or_else(|| self.index_of(Role::Slow))
    }

    /// Whether the release could be judged without a control group.
    fn knows_a_forecast(&self) -> bool {
        let rates = self.spec.metrics.iter().enumerate();
        rates.filter(|(_, metric)| metric.measure == Measure::Rate).any(|(index, _)| {
            let complement = self.contrasts[index].is_complement();
            self.outlooks[index].rate(&self.baseline.metrics[index], complement).is_some()
        })
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        Standing {
            at: self.clock.at().unwrap_or_default(),
            entries: self.entries,
            status: self.status.clone(),
            verdict: self.verdict(),
            suspects: self.suspects.clone(),
            metrics: self.metric_standings(),
            ln_evidence: self.ln_evidence(None),
            sampled: self.is_sampled(),
            sentence: self.sentence(),
        }
    }

    /// The verdict on the present stage, when there is one; see [`Standing::verdict`].
    pub fn verdict(&self) -> Option<Verdict> {
        if self.failure.is_some() {
            return Some(Verdict::Fail);
        }
        if self.stage.passed.is_some() {
            return Some(Verdict::Pass);
        }
        let window = self.spec.window.as_millis() * (u128::from(self.spec.extensions) + 1);
        (u128::from(self.clock.in_stage()) >= window && self.clock.at().is_some()).then(|| self.ending())
    }
}

/// A metric was heard of by an arm when at least half of those who are compared say it.
fn note_heard(heard: &mut Heard, gathered: &Gathered, present: &[Present<'_>], now: u64) {
    let compared = |arm: Arm| present.iter().filter(|m| m.compared && m.seen.arm == arm).count();
    if !gathered.canary.is_empty() && 2 * gathered.canary.len() >= compared(Arm::Canary) {
        heard.canary = Some(now);
    }
    if gathered.controls > 0 && 2 * gathered.controls >= compared(Arm::Control) {
        heard.control = Some(now);
    }
}
