//! New against old on one metric of counts: all sums that its evidence needs. It decides nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bounds::Cells;
use super::evidence::{Beat, STARTS, Trial};
use super::roster::{Number, Present};
use super::sides::{Absolved, Sides, Terms};
use super::{Arm, Metric, MetricBaseline, Reading, Worse};
use crate::name::MemberName;

/// Opportunities of the control group after which it is known whether an event is the rule or the exception.
const KNOWN: u64 = 50;
/// Ticks after which it is known also where the two sides are not far apart.
const KNOWN_TICKS: u32 = 5;
/// A share of events below this, or above its complement, is clear at once.
const CLEAR: f64 = 0.1;

/// The smallest ratio that is called worse where history is too thin for host factors.
const THIN_MARGIN: f64 = 1.5;

/// Everything that was compared since some moment.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Sums {
    /// Events and opportunities of the canary.
    pub(crate) canary: (u64, u64),
    /// The same of the control group.
    pub(crate) control: (u64, u64),
    /// The exposures, corrected by host factors.
    pub(crate) exposure: (f64, f64),
}

impl Sums {
    fn since(self, earlier: Sums) -> Sums {
        let pair =
            |now: (u64, u64), then: (u64, u64)| (now.0.saturating_sub(then.0), now.1.saturating_sub(then.1));
        Sums {
            canary: pair(self.canary, earlier.canary),
            control: pair(self.control, earlier.control),
            exposure: (self.exposure.0 - earlier.exposure.0, self.exposure.1 - earlier.exposure.1),
        }
    }
}

/// What one member adds to a tick.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Events that are judged: those counted, or their complement where they are the rule.
    pub(crate) events: f64,
    /// Opportunities, corrected by the member's factor.
    pub(crate) exposure: f64,
}

/// What all compared members were seen to do in one tick.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gathered {
    /// Each canary, in the order of its number.
    pub(crate) canary: Vec<(Number, Part)>,
    /// The control group together.
    pub(crate) control: Part,
    /// How many members of it said something.
    pub(crate) controls: usize,
    /// As they were counted.
    pub(crate) counted: Sums,
}

impl Gathered {
    /// The canary together.
    pub(crate) fn canary_part(&self) -> Part {
        self.canary.iter().fold(Part::default(), |sum, (_, part)| Part {
            events: sum.events + part.events,
            exposure: sum.exposure + part.exposure,
        })
    }
}

/// New against old on one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Contrast {
    /// Whether the rarer side of the event is its complement; `None` until it is known.
    complement: Option<bool>,
    factors: Vec<f64>,
    /// Bets that it is worse; `None` until `complement` is known.
    whole: Option<Sides>,
    /// The same without each canary.
    without: BTreeMap<Number, Sides>,
    absolved: Option<Absolved>,
    cells: Cells,
    sums: Sums,
    marks: Vec<Sums>,
    /// What each canary has added.
    parts: BTreeMap<Number, Part>,
    /// Ticks in which both arms were exposed and something happened or could have.
    pub(crate) ticks: u32,
    /// Ticks of the control group before it was known which side of the event is rarer.
    first_ticks: u32,
}

impl Contrast {
    /// Nothing was compared yet.
    pub(crate) fn new(metric: &Metric, baseline: &MetricBaseline) -> Self {
        let mut contrast = Self {
            complement: None,
            factors: Vec::new(),
            whole: None,
            without: BTreeMap::new(),
            absolved: None,
            cells: Cells::default(),
            sums: Sums::default(),
            marks: Vec::new(),
            parts: BTreeMap::new(),
            ticks: 0,
            first_ticks: 0,
        };
        if let Some(rate) = baseline.rate.filter(|rate| rate.is_finite()) {
            contrast.know(metric, rate);
        }
        contrast
    }

    /// The rarer side of an event is judged: where nearly all succeed, twice the failures are more than a hundredth
    /// less success.
    fn know(&mut self, metric: &Metric, rate: f64) {
        let complement = rate > 0.5 && rate <= 1.0;
        self.complement = Some(complement);
        let worse = self.judged(metric.worse);
        self.whole = Some(Sides::new(worse));
        self.absolved = Some(Absolved::new(worse));
    }

    /// Whether it is known which side is rarer. Counts and their opportunities may come from two sources that are out of
    /// step for a moment: what is not clear at once is looked at for several ticks.
    fn may_know(&self) -> bool {
        let (events, of) = self.sums.control;
        let rate = events as f64 / of.max(1) as f64;
        of >= KNOWN && (!(CLEAR..=1.0 - CLEAR).contains(&rate) || self.first_ticks >= KNOWN_TICKS)
    }

    /// Which change of what is judged is harm.
    pub(crate) fn judged(&self, worse: Worse) -> Worse {
        match (self.is_complement(), worse) {
            (true, Worse::Higher) => Worse::Lower,
            (true, Worse::Lower) => Worse::Higher,
            (_, worse) => worse,
        }
    }

    /// Whether the complement of the event is judged.
    pub(crate) fn is_complement(&self) -> bool {
        self.complement == Some(true)
    }

    /// Sums up what the members of a tick say of the metric at `index`.
    pub(crate) fn gather(
        &mut self,
        index: usize,
        present: &[Present<'_>],
        names: impl Fn(Number) -> Option<MemberName>,
        baseline: &MetricBaseline,
    ) -> Gathered {
        let mut gathered = Gathered::default();
        for member in present.iter().filter(|member| member.compared) {
            let Some(Reading::Count { events, of }) = member.seen.readings.get(index).copied() else {
                continue;
            };
            // Events without an opportunity are a fault of the source.
            let events = if of == 0 { 0 } else { events };
            let exposure = of as f64 * self.factor(member.number, &names, baseline);
            let judged = if self.is_complement() { of.saturating_sub(events) } else { events };
            let part = Part { events: judged as f64, exposure };
            let counted = match member.seen.arm {
                Arm::Canary => {
                    gathered.canary.push((member.number, part));
                    gathered.counted.exposure.0 += exposure;
                    &mut gathered.counted.canary
                }
                Arm::Control => {
                    gathered.control.events += part.events;
                    gathered.control.exposure += exposure;
                    gathered.controls += 1;
                    gathered.counted.exposure.1 += exposure;
                    &mut gathered.counted.control
                }
            };
            counted.0 = counted.0.saturating_add(events);
            counted.1 = counted.1.saturating_add(of);
        }
        gathered.canary.sort_by_key(|(number, _)| *number);
        gathered
    }

    /// The member's factor `ĥ`: how its rate compares with all members'. 1 where history is thin or unknown.
    fn factor(
        &mut self,
        number: Number,
        names: impl Fn(Number) -> Option<MemberName>,
        baseline: &MetricBaseline,
    ) -> f64 {
        while self.factors.len() <= number {
            let known = || baseline.factors.get(&names(self.factors.len())?).copied();
            let factor = if baseline.thin { None } else { known() };
            let factor = factor.filter(|factor| factor.is_finite() && *factor > 0.0).unwrap_or(1.0);
            // Within the factors, what is judged may be the complement of what history has counted.
            let factor = match (self.is_complement(), baseline.rate) {
                (true, Some(rate)) if rate < 1.0 => ((1.0 - factor * rate) / (1.0 - rate)).max(0.05),
                _ => factor,
            };
            self.factors.push(factor.clamp(0.05, 20.0));
        }
        self.factors[number]
    }

    /// Takes in what was gathered in one tick.
    pub(crate) fn hear(
        &mut self,
        metric: &Metric,
        baseline: &MetricBaseline,
        beat: Beat,
        gathered: &Gathered,
    ) {
        let counted = &gathered.counted;
        while self.marks.len() < beat.started.min(STARTS.len()) {
            self.marks.push(self.sums);
        }
        add(&mut self.sums.canary, counted.canary);
        add(&mut self.sums.control, counted.control);
        self.sums.exposure.0 += counted.exposure.0;
        self.sums.exposure.1 += counted.exposure.1;
        if self.complement.is_none() {
            self.first_ticks = self.first_ticks.saturating_add(u32::from(counted.control.1 > 0));
            if !self.may_know() {
                return;
            }
            // What was seen until now is not judged: which side is rarer may not depend on what it then judges.
            self.know(metric, self.sums.control.0 as f64 / self.sums.control.1 as f64);
            return;
        }
        let (Some(whole), Some(absolved)) = (&mut self.whole, &mut self.absolved) else { return };
        let canary = gathered.canary_part();
        let trial = Trial {
            a: canary.exposure,
            b: gathered.control.exposure,
            x: canary.events,
            y: gathered.control.events,
        };
        if !trial.is_sound() {
            return;
        }
        self.ticks = self.ticks.saturating_add(1);
        self.cells.add(&trial);
        let active = gathered.canary.iter().filter(|(_, part)| part.exposure > 0.0).count();
        for (number, part) in gathered.canary.iter().filter(|(_, part)| part.exposure > 0.0) {
            self.without.entry(*number).or_insert_with(|| whole.clone());
            let sum = self.parts.entry(*number).or_default();
            sum.events += part.events;
            sum.exposure += part.exposure;
        }
        let all = terms(metric, baseline, active, gathered.controls);
        for (number, sides) in &mut self.without {
            match gathered.canary.binary_search_by_key(number, |(number, _)| *number) {
                Ok(found) if gathered.canary[found].1.exposure > 0.0 => {
                    let part = gathered.canary[found].1;
                    if active > 1 {
                        let rest = Trial { a: trial.a - part.exposure, x: trial.x - part.events, ..trial };
                        sides.add(beat, rest, terms(metric, baseline, active - 1, gathered.controls));
                    }
                }
                _ => sides.add(beat, trial, all),
            }
        }
        whole.add(beat, trial, all);
        absolved.add(beat, trial, metric.harm.max(metric.margin), all.dispersion);
    }

    /// Leaves a member's evidence out for good. The bets go on as if it had never been; what was counted, and the
    /// evidence that harm is excluded, begin anew.
    pub(crate) fn leave_out(&mut self, metric: &Metric, number: Number) {
        let worse = self.judged(metric.worse);
        if let (Some(without), Some(whole)) = (self.without.remove(&number), &self.whole) {
            for other in self.without.values_mut() {
                other.also_without(&without, whole);
            }
            self.whole = Some(without);
            self.absolved = Some(Absolved::new(worse));
            self.cells = Cells::default();
            self.sums = Sums::default();
            self.marks.iter_mut().for_each(|mark| *mark = Sums::default());
        }
        self.parts.remove(&number);
    }

    /// The logarithm of the evidence that it is worse.
    pub(crate) fn ln_worse(&self) -> f64 {
        self.whole.as_ref().map_or(0.0, Sides::ln_capital)
    }

    /// The same without one canary.
    pub(crate) fn ln_worse_without(&self, number: Number) -> f64 {
        self.without.get(&number).map_or_else(|| self.ln_worse(), Sides::ln_capital)
    }

    /// The logarithm of the evidence that harm is excluded.
    pub(crate) fn ln_harmless(&self) -> f64 {
        self.absolved.as_ref().map_or(0.0, Absolved::ln_capital)
    }

    /// The canaries whose evidence counts, and what each has added.
    pub(crate) fn parts(&self) -> &BTreeMap<Number, Part> {
        &self.parts
    }

    /// All that was compared.
    pub(crate) fn sums(&self) -> Sums {
        self.sums
    }

    /// What was compared since the trouble seems to have begun.
    pub(crate) fn sums_of_trouble(&self) -> Sums {
        let start = self.whole.as_ref().map_or(0, Sides::best_start);
        self.sums.since(self.marks.get(start).copied().unwrap_or_default())
    }

    /// All that was compared, by the split of the exposure.
    pub(crate) fn cells(&self) -> &Cells {
        &self.cells
    }
}

fn add(sum: &mut (u64, u64), more: (u64, u64)) {
    sum.0 = sum.0.saturating_add(more.0);
    sum.1 = sum.1.saturating_add(more.1);
}

/// The dispersion as a number that can be relied on.
pub(crate) fn dispersion(baseline: &MetricBaseline) -> f64 {
    if baseline.dispersion.is_finite() { baseline.dispersion.clamp(1.0, 1e6) } else { 1e6 }
}

/// How bets are made between so many canaries and so many controls.
///
/// The margin is `max(ρ_min, exp(2 σ_res sqrt(1/c + 1/m)))`: nothing is called worse that the lottery of hosts alone
/// can make, since the means of `c` and `m` hosts differ by two standard deviations in one of twenty draws.
pub(crate) fn terms(metric: &Metric, baseline: &MetricBaseline, canaries: usize, controls: usize) -> Terms {
    let least = if metric.margin.is_finite() { metric.margin.max(1.0) } else { 1.0 };
    let least = if baseline.thin { least.max(THIN_MARGIN) } else { least };
    let spread = if baseline.spread.is_finite() { baseline.spread.clamp(0.0, 3.0) } else { 3.0 };
    let (c, m) = (canaries.max(1) as f64, controls.max(1) as f64);
    let lottery = (2.0 * spread * (1.0 / c + 1.0 / m).sqrt()).exp();
    Terms { margin: least.max(lottery), dispersion: dispersion(baseline) }
}
