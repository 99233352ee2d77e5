//! What follows from what was heard: a suspect, a failure, a hold, a pass.

use std::time::Duration;

use super::super::contrast::{Part, dispersion};
use super::super::environment;
use super::super::guards::Gross;
use super::super::negligible::ln_below;
use super::super::roster::{Number, Present};
use super::super::{Arm, HoldReason, Measure, Role, Status, Suspect, Tick, Verdict, Worse};
use super::{Failure, Judge};

/// Ticks with evidence before evidence decides anything.
const TICKS: u32 = 5;

/// Requests of the canary before evidence decides anything.
const REQUESTS: u64 = 50;

/// What is still as strong without a member as this part of the whole (of logarithms) is not that member's alone.
const OWN: f64 = 0.3;

/// Independent events that the other canaries should have shown before their silence speaks against one member.
const SILENCE: f64 = 8.0;

/// A metric is missing when it was not heard for so many milliseconds, or three ticks.
const MISSING_MS: u64 = 15_000;

/// A control group that changes so soon after a stage began may have been hurt by it.
const SOON_MS: u64 = 180_000;

impl Judge {
    /// Decides what the newest tick means.
    pub(super) fn decide(&mut self, tick: &Tick, present: &[Present<'_>], gross: Vec<Gross>, step: u64) {
        self.remark = None;
        if self.failure.is_none() {
            self.decide_gross(gross);
        }
        let mut evidence = self.ln_evidence(None);
        if self.failure.is_none() && evidence >= self.ln_threshold() && self.has_least_data() {
            self.decide_evidence(evidence);
            evidence = self.ln_evidence(None);
        }
        let unlike = self.unlike();
        if self.failure.is_none() {
            self.decide_levels();
            self.decide_environment(unlike, evidence);
        }
        self.status = self.find_status(tick, present, unlike);
        if self.failure.is_some() {
            return;
        }
        let young = present.iter().any(|m| m.seen.arm == Arm::Canary && !m.suspected && !m.compared);
        let compared = present.iter().any(|m| m.seen.arm == Arm::Canary && m.compared);
        if self.status == Status::Observing && compared && !young {
            self.stage.observed = self.stage.observed.saturating_add(step);
        }
        if self.stage.passed.is_none() && self.passes(evidence) {
            self.stage.passed = Some(self.pass_sentence());
        }
    }

    /// A member that is beyond doubt is a bad host while others on its release are well. Several are the release.
    fn decide_gross(&mut self, gross: Vec<Gross>) {
        let mut fresh: Vec<Gross> = Vec::new();
        for one in gross {
            if !fresh.iter().any(|other| other.number == one.number) {
                fresh.push(one);
            }
        }
        if fresh.is_empty() {
            return;
        }
        let all = self.suspicions().saturating_add(u32::try_from(fresh.len()).unwrap_or(u32::MAX));
        if self.stage.canaries <= 1 || all >= self.most_suspicions() {
            let told = fresh.iter().map(|one| format!("{} {}", self.name(one.number), one.why));
            self.fail_by_members(told.collect());
            return;
        }
        for one in fresh {
            self.suspect(one.number, one.why);
        }
    }

    /// Fails because of members that are bad on this release, those of before among them.
    fn fail_by_members(&mut self, mut told: Vec<String>) {
        told.extend(self.suspects.iter().map(|suspect| format!("{} {}", suspect.member, suspect.why)));
        self.failure = Some(Failure { sentence: self.several(&told), blamed: Vec::new() });
    }

    /// All suspicions of this analysis; a host that comes back and is suspected again counts twice.
    fn suspicions(&self) -> u32 {
        self.roster.members().iter().map(|member| member.suspicions).sum()
    }

    /// How many suspicions make a bad release: two, and in wide deployments one of fifty canaries.
    fn most_suspicions(&self) -> u32 {
        u32::try_from(self.stage.canaries.div_ceil(50)).unwrap_or(u32::MAX).max(2)
    }

    /// Leaves a member out of the analysis, and says so.
    fn suspect(&mut self, number: Number, why: String) {
        let Some(member) = self.roster.member(number).map(|member| member.name.clone()) else { return };
        self.roster.suspect(number, self.clock.elapsed());
        for (contrast, metric) in self.contrasts.iter_mut().zip(&self.spec.metrics) {
            contrast.leave_out(metric, number);
        }
        self.exceptions.leave_out(number);
        self.stage.canaries = self.stage.canaries.saturating_sub(1);
        self.suspects.retain(|suspect| suspect.member != member);
        self.suspects.push(Suspect { member, why });
    }

    pub(super) fn name(&self, number: Number) -> &str {
        self.roster.member(number).map_or("a host", |member| member.name.as_str())
    }

    /// The logarithm of the evidence of all metrics together, perhaps without one canary: a weighted average of
    /// e-processes, which is one under any dependence (Vovk & Wang 2021).
    pub(super) fn ln_evidence(&self, without: Option<Number>) -> f64 {
        if self.stage.alone {
            return self.ln_alone();
        }
        let of = |index: usize| match without {
            Some(number) => self.contrasts[index].ln_worse_without(number),
            None => self.contrasts[index].ln_worse(),
        };
        let mut terms: Vec<f64> = (0..self.contrasts.len())
            .filter(|index| self.shares[*index] > 0.0)
            .map(|index| self.shares[index].ln() + of(index))
            .collect();
        terms.push(self.exceptions_share.max(f64::MIN_POSITIVE).ln() + self.exceptions.ln_worse(without));
        super::super::evidence::ln_sum_exp(&terms)
    }

    /// The same for a release that is compared with the forecast.
    fn ln_alone(&self) -> f64 {
        let terms: Vec<f64> = (0..self.outlooks.len())
            .filter(|index| self.shares[*index] > 0.0)
            .map(|index| self.shares[index].ln() + self.outlooks[index].ln_worse())
            .collect();
        super::super::evidence::ln_sum_exp(&terms).max(f64::MIN)
    }

    /// The logarithm of the evidence that condemns.
    pub(super) fn ln_threshold(&self) -> f64 {
        -self.spec.alpha.clamp(1e-12, 0.5).ln()
    }

    /// The canaries whose evidence counts.
    pub(super) fn accused(&self) -> Vec<Number> {
        let mut numbers: Vec<Number> =
            self.contrasts.iter().flat_map(|contrast| contrast.parts().keys().copied()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// Evidence is enough: whose is it?
    fn decide_evidence(&mut self, evidence: f64) {
        let threshold = self.ln_threshold();
        let accused = self.accused();
        if accused.len() <= 1 || self.stage.alone {
            let factor = self.spec.single_host_factor;
            let factor = if factor.is_finite() { factor.max(1.0) } else { 1.0 };
            if self.stage.alone || evidence >= threshold + factor.ln() {
                self.condemn(&accused);
            }
            return;
        }
        let mut least = (f64::INFINITY, accused[0]);
        for number in &accused {
            let without = self.ln_evidence(Some(*number));
            if without < least.0 {
                least = (without, *number);
            }
        }
        let (without, odd) = least;
        if without >= threshold.min(-self.spec.host_alpha.clamp(1e-12, 0.5).ln()) {
            self.condemn(&accused);
        } else if self.is_odd(odd, without, evidence) {
            let why = self.odd_sentence(odd);
            if self.suspicions().saturating_add(1) >= self.most_suspicions() {
                self.fail_by_members(vec![format!("{} {why}", self.name(odd))]);
            } else {
                self.suspect(odd, why);
            }
        } else {
            self.remark = Some(self.doubt_sentence(odd));
        }
    }

    /// Whether the evidence is one member's alone: little is left without it, although the others have been exposed
    /// enough to show the same; or it is overwhelming and still rests on that member, or the window is over.
    fn is_odd(&self, odd: Number, without: f64, evidence: f64) -> bool {
        if evidence >= 3.0 * self.ln_threshold() || self.is_over() {
            return true;
        }
        let leading = self.leading();
        let contrast = &self.contrasts[leading];
        let own = contrast.parts().get(&odd).copied().unwrap_or_default();
        let others = contrast.parts().iter().filter(|(number, _)| **number != odd);
        let others = others.fold(Part::default(), |sum, (_, part)| Part {
            events: sum.events + part.events,
            exposure: sum.exposure + part.exposure,
        });
        let (old, exposed) =
            contrast.cells().trials().fold((0.0, 0.0), |sum, trial| (sum.0 + trial.y, sum.1 + trial.b));
        let rate = |events: f64, exposure: f64| events / exposure.max(f64::MIN_POSITIVE);
        let (own, rest) = (rate(own.events, own.exposure), rate(others.events, others.exposure));
        let old = rate(old.max(1.0), exposed);
        let expected = own.max(old) * others.exposure / dispersion(&self.baseline.metrics[leading]);
        // The others must be more like the old release than like the odd one.
        let alike = if own > old { rest * rest < own * old } else { rest * rest > own * old };
        without < OWN * evidence && expected >= SILENCE && alike
    }

    /// The metric that speaks loudest.
    pub(super) fn leading(&self) -> usize {
        let mut best = (0, f64::NEG_INFINITY);
        for index in 0..self.contrasts.len() {
            if self.shares[index] <= 0.0 {
                continue;
            }
            let of = if self.stage.alone {
                self.outlooks[index].ln_worse()
            } else {
                self.contrasts[index].ln_worse()
            };
            let weighed = self.shares[index].ln() + of;
            if weighed > best.1 {
                best = (index, weighed);
            }
        }
        best.0
    }

    /// Whom a failed analysis names: the largest evidences that are each at least `K / (α · rank)` (e-BH: Wang &
    /// Ramdas 2022, *False discovery rate control with e-values*), or the one that has brought it about.
    fn condemn(&mut self, accused: &[Number]) {
        let of = |index: &usize| match self.stage.alone {
            true => self.outlooks[*index].ln_worse(),
            false => self.contrasts[*index].ln_worse(),
        };
        let mut order: Vec<usize> =
            (0..self.contrasts.len()).filter(|index| self.shares[*index] > 0.0).collect();
        order.sort_by(|a, b| of(b).total_cmp(&of(a)));
        let all = order.len() as f64;
        let passing = |rank: usize| of(&order[rank]) >= (all / (rank + 1) as f64).ln() + self.ln_threshold();
        let named = (0..order.len()).rev().find(|rank| passing(*rank)).map_or(0, |rank| rank + 1);
        let mut blamed: Vec<usize> = order[..named].to_vec();
        if blamed.is_empty() && !self.exceptions_lead() {
            blamed.push(self.leading());
        }
        let sentence = self.fail_sentence(&blamed, accused);
        self.failure = Some(Failure { sentence, blamed });
    }

    /// A critical level that is surely worse is harm; another one holds.
    fn decide_levels(&mut self) {
        for (index, metric) in self.spec.metrics.iter().enumerate() {
            if metric.measure != Measure::Level || !metric.critical {
                continue;
            }
            let worse = self.gauges[index].worse(metric, &self.baseline.metrics[index], self.spec.alpha);
            if let Some(bound) = worse {
                let sentence = self.level_sentence(index, bound);
                self.failure = Some(Failure { sentence, blamed: vec![index] });
                return;
            }
        }
    }

    /// Notes when the control group became unlike history. When that was soon after a stage began, and anything else
    /// speaks against the release too, it may have hurt both through what they share.
    fn decide_environment(&mut self, unlike: Option<usize>, evidence: f64) {
        let now = self.clock.elapsed();
        match (unlike, self.unlike_since) {
            (None, _) => self.unlike_since = None,
            (Some(_), None) => self.unlike_since = Some(now),
            (Some(_), Some(_)) => {}
        }
        let (Some(index), Some(since)) = (unlike, self.unlike_since) else { return };
        let began = now.saturating_sub(self.clock.in_stage());
        let soon = since >= began && since - began <= SOON_MS;
        let several = self.outlooks.iter().filter(|o| o.ln_unlike() >= -environment::ALPHA.ln()).count() >= 2;
        let other = several || evidence >= -self.spec.beta.clamp(1e-12, 0.5).ln();
        if self.spec.suspicion && soon && other && self.stage.comparing_since.is_some() {
            let sentence = self.suspicion_sentence(index, since - began);
            self.failure = Some(Failure { sentence, blamed: vec![index] });
        }
    }

    /// The metric in which the control group is unlike history.
    fn unlike(&self) -> Option<usize> {
        (0..self.outlooks.len()).find(|index| {
            self.shares[*index] > 0.0 && self.outlooks[*index].ln_unlike() >= -environment::ALPHA.ln()
        })
    }

    fn has_least_data(&self) -> bool {
        if self.stage.alone {
            return true;
        }
        let ticks = self.contrasts.iter().map(|contrast| contrast.ticks).max().unwrap_or(0);
        ticks >= TICKS && self.requests() >= REQUESTS
    }

    /// Requests of the canary that were compared; where nothing counts requests, the most opportunities.
    fn requests(&self) -> u64 {
        let of = |index: usize| self.contrasts[index].sums().canary.1;
        match self.requests_index() {
            Some(index) => of(index),
            None => (0..self.contrasts.len()).map(of).max().unwrap_or(0),
        }
    }

    /// Whether a pass would mean something.
    pub(super) fn is_sampled(&self) -> bool {
        self.contrasts.iter().any(|contrast| {
            let enough = contrast.ticks >= TICKS || self.stage.alone;
            enough && contrast.sums().canary.1 >= REQUESTS
        })
    }

    pub(super) fn is_over(&self) -> bool {
        let window = self.spec.window.as_millis() * (u128::from(self.spec.extensions) + 1);
        u128::from(self.clock.in_stage()) >= window
    }

    /// The verdict of a window that is over without another one.
    pub(super) fn ending(&self) -> Verdict {
        match &self.status {
            Status::Pending | Status::Warmup { .. } => Verdict::None,
            Status::Hold { reason: HoldReason::NoData | HoldReason::NoTraffic | HoldReason::NoControl } => {
                Verdict::None
            }
            _ if !self.is_sampled() => Verdict::None,
            Status::Observing | Status::Hold { .. } => Verdict::Inconclusive,
        }
    }

    fn find_status(&mut self, tick: &Tick, present: &[Present<'_>], unlike: Option<usize>) -> Status {
        let canaries: Vec<&Present<'_>> = present.iter().filter(|m| m.seen.arm == Arm::Canary).collect();
        let is_suspect = |number| self.roster.member(number).is_some_and(|m| m.suspected.is_some());
        if canaries.iter().any(|member| is_suspect(member.number)) {
            return self.hold(HoldReason::Suspect, self.suspect_sentence());
        }
        if canaries.is_empty() {
            let reason = match self.stage.comparing_since {
                Some(_) => self.hold(HoldReason::NoData, "no host runs the new release any more".into()),
                None => Status::Pending,
            };
            return reason;
        }
        if !canaries.iter().any(|member| member.compared) {
            let left = |member: &&Present<'_>| {
                self.spec.warmup.saturating_sub(member.seen.age.unwrap_or(Duration::ZERO))
            };
            let until = tick.at + canaries.iter().map(left).min().unwrap_or_default();
            return Status::Warmup { until };
        }
        match self.find_hold(tick, unlike) {
            Some((reason, why)) => self.hold(reason, why),
            None => Status::Observing,
        }
    }

    fn hold(&mut self, reason: HoldReason, why: String) -> Status {
        self.remark = Some(why);
        Status::Hold { reason }
    }

    fn find_hold(&self, tick: &Tick, unlike: Option<usize>) -> Option<(HoldReason, String)> {
        let now = self.clock.elapsed();
        if let Some((got, expected)) = self.traffic.starved() {
            return Some((HoldReason::NoTraffic, self.starved_sentence(got, expected)));
        }
        if let Some((failed, of)) = self.guards.control_is_broken() {
            return Some((HoldReason::NoControl, self.broken_sentence(failed, of)));
        }
        if self.stage.controls > 0 && self.guards.sick_controls(self.stage.controls) {
            let why =
                "half of the hosts on the old release are sick themselves: there is nothing to compare with";
            return Some((HoldReason::NoControl, why.to_owned()));
        }
        if self.stage.controls == 0 && !self.stage.alone {
            let why = "no host runs the old release, and history is too short to compare with";
            return Some((HoldReason::NoControl, why.to_owned()));
        }
        let since = self.stage.comparing_since?;
        let usual = u64::try_from(self.spec.tick.as_millis()).unwrap_or(u64::MAX);
        let patience = MISSING_MS.max(usual.saturating_mul(3));
        let missing = |heard: Option<u64>| now.saturating_sub(heard.unwrap_or(0).max(since)) > patience;
        for (index, heard) in self.heard.iter().enumerate() {
            if self.spec.metrics[index].role == Role::Vital {
                continue;
            }
            if missing(heard.canary) {
                return Some((HoldReason::NoData, self.missing_sentence(index, false, tick)));
            }
            if !self.stage.alone && missing(heard.control) {
                return Some((HoldReason::NoData, self.missing_sentence(index, true, tick)));
            }
        }
        if !self.stage.alone
            && let Some(index) = unlike
        {
            return Some((HoldReason::Environment, self.unlike_sentence(index)));
        }
        let worse = |index: &usize| {
            let (metric, baseline) = (&self.spec.metrics[*index], &self.baseline.metrics[*index]);
            self.gauges[*index].worse(metric, baseline, self.spec.alpha)
        };
        let index = (0..self.gauges.len()).find(|index| worse(index).is_some())?;
        Some((HoldReason::Level, self.level_sentence(index, worse(&index).unwrap_or_default())))
    }

    /// Whether the stage passes: harm to every critical metric is excluded, nothing holds, and nothing speaks much
    /// against the release.
    fn passes(&self, evidence: f64) -> bool {
        let doubt = -self.spec.beta.clamp(1e-12, 0.5).ln();
        let observed = u128::from(self.stage.observed) >= self.spec.observe.as_millis();
        if self.status != Status::Observing || !observed || !self.has_least_data() || !self.is_sampled() {
            return false;
        }
        if evidence >= doubt {
            return false;
        }
        let any_critical = self.spec.metrics.iter().any(|metric| metric.critical);
        self.spec
            .metrics
            .iter()
            .enumerate()
            .filter(|(_, metric)| metric.role != Role::Vital)
            .all(|(index, metric)| (any_critical && !metric.critical) || self.is_harmless(index))
    }

    /// Whether so little of it was seen that no ratio makes it harm.
    pub(super) fn is_negligible(&self, index: usize) -> bool {
        let (metric, baseline) = (&self.spec.metrics[index], &self.baseline.metrics[index]);
        let (events, of) = self.contrasts[index].sums().canary;
        metric.worse == Worse::Higher
            && !self.stage.alone
            && ln_below(events as f64, of as f64, metric.negligible, baseline.dispersion)
                >= -self.spec.beta.clamp(1e-12, 0.5).ln()
    }

    /// Whether harm to a metric is excluded.
    pub(super) fn is_harmless(&self, index: usize) -> bool {
        let (metric, baseline) = (&self.spec.metrics[index], &self.baseline.metrics[index]);
        let beta = self.spec.beta.clamp(1e-12, 0.5);
        match metric.measure {
            Measure::Level => self.gauges[index].is_harmless(metric, baseline, beta),
            Measure::Rate if self.stage.alone => self.outlooks[index].ln_harmless() >= -beta.ln(),
            Measure::Rate => self.contrasts[index].ln_harmless() >= -beta.ln() || self.is_negligible(index),
        }
    }
}
