//! Tells how an analysis stands: numbers for screens, and one sentence for people.

use std::time::Duration;

use super::super::contrast::{Sums, dispersion};
use super::super::power::least_visible;
use super::super::roster::Number;
use super::super::standing::LEANING;
use super::super::wording::{Count, Fold, list, told};
use super::super::{HoldReason, Measure, MetricStanding, Role, Status, Tick, Verdict, Worse};
use super::Judge;
use crate::legible::one_line;
use crate::quantity::format_duration;

/// What the window of a stage could have shown is asked of bets that begin with it.
const FIRST_START: f64 = 0.1;

impl Judge {
    pub(super) fn metric_standings(&self) -> Vec<MetricStanding> {
        (0..self.spec.metrics.len()).map(|index| self.metric_standing(index)).collect()
    }

    fn metric_standing(&self, index: usize) -> MetricStanding {
        let (metric, baseline) = (&self.spec.metrics[index], &self.baseline.metrics[index]);
        let blamed = self.failure.as_ref().is_some_and(|failure| failure.blamed.contains(&index));
        let mut standing = MetricStanding {
            name: metric.name.clone(),
            canary: (0, 0),
            control: (0, 0),
            ratio: None,
            low: None,
            high: None,
            ln_worse: 0.0,
            ln_harmless: 0.0,
            blamed,
        };
        if metric.measure == Measure::Level {
            if let Some((mean, low, high)) = self.gauges[index].bounds(baseline, self.spec.alpha) {
                let ratio = |difference: f64| Some((1.0 + difference).max(0.0));
                (standing.ratio, standing.low, standing.high) = (ratio(mean), ratio(low), ratio(high));
            }
            return standing;
        }
        let contrast = &self.contrasts[index];
        let sums = contrast.sums();
        (standing.canary, standing.control) = (sums.canary, sums.control);
        if self.stage.alone {
            let (events, expected) = self.outlooks[index].alone();
            standing.ratio = (expected > 0.0).then(|| events / expected);
            standing.ln_worse = self.outlooks[index].ln_worse();
            standing.ln_harmless = finite(self.outlooks[index].ln_harmless());
            return standing;
        }
        let bounds = contrast.cells().bounds(dispersion(baseline), self.spec.alpha.clamp(1e-12, 0.5));
        (standing.ratio, standing.low, standing.high) = if contrast.is_complement() {
            let turn = |ratio: Option<f64>| ratio.and_then(|ratio| of_complement(ratio, sums));
            (turn(bounds.ratio), turn(bounds.high), turn(bounds.low))
        } else {
            (bounds.ratio, bounds.low, bounds.high)
        };
        standing.ln_worse = finite(contrast.ln_worse());
        standing.ln_harmless = finite(contrast.ln_harmless());
        standing
    }

    /// What is seen, in one sentence.
    pub(super) fn sentence(&self) -> String {
        if let Some(failure) = &self.failure {
            return failure.sentence.clone();
        }
        if let Some(sentence) = &self.stage.passed {
            return sentence.clone();
        }
        match self.verdict() {
            Some(Verdict::Inconclusive) => self.inconclusive_sentence(),
            Some(Verdict::None) => {
                let few = || self.few_sentence().unwrap_or_else(|| self.waiting_sentence());
                let why = self.remark.clone().unwrap_or_else(few);
                format!("the window of {} is over and there is no verdict: {why}", self.window())
            }
            _ => self.remark.clone().unwrap_or_else(|| self.waiting_sentence()),
        }
    }

    fn window(&self) -> String {
        format_duration(self.spec.window.saturating_mul(self.spec.extensions.saturating_add(1)))
    }

    /// That so little was seen of the new release that nothing could have been said.
    fn few_sentence(&self) -> Option<String> {
        if self.status != Status::Observing || self.is_sampled() {
            return None;
        }
        let most = |index: usize| self.contrasts[index].sums().canary.1;
        let index = self.requests_index().or_else(|| (0..self.contrasts.len()).max_by_key(|i| most(*i)))?;
        let metric = &self.spec.metrics[index];
        let unit = match metric.unit() {
            "" => format!(" chances of {}", metric.name),
            unit => unit.to_owned(),
        };
        Some(match most(index) {
            0 => format!("the new release got no{unit}"),
            few => format!("the new release got {}{unit}, too few to say anything", Count(few)),
        })
    }

    fn waiting_sentence(&self) -> String {
        match &self.status {
            Status::Pending => "nothing was seen yet".to_owned(),
            Status::Warmup { .. } => "the hosts on the new release are warming up".to_owned(),
            _ => {
                let seen = format_duration(Duration::from_millis(self.stage.observed / 1000 * 1000));
                let told: Vec<String> = self.ratios();
                if told.is_empty() {
                    format!("new is compared with old since {seen}; nothing can be said yet")
                } else {
                    format!("new is compared with old since {seen}: {}", told.join(", "))
                }
            }
        }
    }

    /// `errors 0.9 × old [0.4 … 2.1]` for each metric of which it can be said.
    fn ratios(&self) -> Vec<String> {
        let of = |standing: MetricStanding| {
            let ratio = standing.ratio?;
            let bound = |bound: Option<f64>, none: &str| bound.map_or(none.to_owned(), told);
            let (low, high) = (bound(standing.low, "0"), bound(standing.high, "unknown"));
            let range = match (standing.low, standing.high) {
                (None, None) => String::new(),
                _ => format!(" [{low} … {high}]"),
            };
            Some(format!("{} {} × old{range}", standing.name, told(ratio)))
        };
        self.metric_standings().into_iter().filter_map(of).collect()
    }

    fn inconclusive_sentence(&self) -> String {
        if let Status::Hold { reason: HoldReason::Suspect | HoldReason::Environment | HoldReason::Level } =
            self.status
        {
            let why = self.remark.clone().unwrap_or_default();
            return format!("the window of {} is over without a verdict: {why}", self.window());
        }
        if self.ln_evidence(None) >= LEANING {
            let told = self.worse_sentence(self.leading(), &self.place(&self.accused()));
            return format!(
                "the window of {} is over, too short to prove what was seen: {told}",
                self.window()
            );
        }
        let open: Vec<usize> = (0..self.spec.metrics.len())
            .filter(|index| {
                let metric = &self.spec.metrics[*index];
                metric.measure == Measure::Rate && metric.role != Role::Vital && !self.is_harmless(*index)
            })
            .collect();
        let sight = |index: &usize| {
            let (metric, baseline) = (&self.spec.metrics[*index], &self.baseline.metrics[*index]);
            let share = self.shares[*index] * FIRST_START;
            let contrast = &self.contrasts[*index];
            let ratio =
                least_visible(contrast.cells(), dispersion(baseline), self.ln_threshold() - share.ln());
            match (ratio, contrast.judged(metric.worse)) {
                (None, _) => format!("of {} not even a hundredfold change could have been seen", metric.name),
                (Some(ratio), Worse::Lower) => {
                    format!("{} could have been seen to fall to a {}", metric.name, Fold(ratio).part())
                }
                (Some(ratio), _) => format!("of {} a {} rate could have been seen", metric.name, Fold(ratio)),
            }
        };
        let seen: Vec<String> = open.iter().map(sight).collect();
        let window = self.window();
        if seen.is_empty() {
            return format!("nothing speaks against it, but the window of {window} is over");
        }
        format!("the window of {window} is over and harm is not excluded: {}", seen.join("; "))
    }

    pub(super) fn pass_sentence(&self) -> String {
        let than = if self.stage.alone { "what is usual at this hour" } else { "the old release" };
        let of = |index: usize| {
            let (metric, standing) = (&self.spec.metrics[index], self.metric_standing(index));
            if !self.is_harmless(index) {
                return None;
            }
            if self.is_negligible(index) {
                return Some(format!("{} below {} %", metric.name, metric.negligible * 100.0));
            }
            match (metric.worse, standing.low, standing.high) {
                (Worse::Lower, Some(low), _) => {
                    Some(format!("{} at least {} × {than}", metric.name, told(low)))
                }
                (Worse::Lower, ..) | (_, _, None) => Some(metric.name.to_string()),
                (_, _, Some(high)) => Some(format!("{} at most {} × {than}", metric.name, told(high))),
            }
        };
        let told: Vec<String> = (0..self.spec.metrics.len()).filter_map(of).collect();
        let seen = format_duration(Duration::from_millis(self.stage.observed / 1000 * 1000));
        format!("harm is excluded after {seen}: {}", told.join(", "))
    }

    /// Where it was seen: the host by its name where the new release runs on one.
    fn place(&self, accused: &[Number]) -> String {
        match accused {
            [one] => format!("on {}", self.name(*one)),
            [] => "on the new release".to_owned(),
            several => {
                let names = several.iter().map(|number| self.name(*number));
                format!("on the new release ({})", list(names))
            }
        }
    }

    /// Whether new exceptions condemn, and no metric.
    pub(super) fn exceptions_lead(&self) -> bool {
        let leading = self.leading();
        let metric = self.shares.get(leading).map_or(f64::NEG_INFINITY, |share| {
            share.max(f64::MIN_POSITIVE).ln() + self.contrasts[leading].ln_worse()
        });
        let exceptions = self.exceptions_share.max(f64::MIN_POSITIVE).ln() + self.exceptions.ln_worse(None);
        !self.stage.alone && exceptions > metric
    }

    pub(super) fn fail_sentence(&self, blamed: &[usize], accused: &[Number]) -> String {
        let place = self.place(accused);
        let mut told: Vec<String> = Vec::new();
        if self.exceptions_lead()
            && let Some(loudest) = self.exceptions.loudest()
        {
            let place = self.place(&loudest.members);
            told.push(format!(
                "a new exception {place}, {} times, never on the old release: {}",
                Count(loudest.times),
                loudest.sample
            ));
        }
        told.extend(blamed.iter().map(|index| self.worse_sentence(*index, &place)));
        told.join("; ")
    }

    /// `errors on web7 were 9.6 × the old release (at least 4.1 ×): 41 of 2,210 requests`.
    fn worse_sentence(&self, index: usize, place: &str) -> String {
        let metric = &self.spec.metrics[index];
        let name = &metric.name;
        let unit = metric.unit();
        if self.stage.alone {
            let (events, expected) = self.outlooks[index].alone();
            let ratio = told(events / expected.max(f64::MIN_POSITIVE));
            return format!(
                "{name} {place} were {ratio} × what is usual at this hour: {events:.0} where about {expected:.0} \
                 were expected"
            );
        }
        let contrast = &self.contrasts[index];
        let sums = contrast.sums_of_trouble();
        let (events, of) = sums.canary;
        let seen = format!("{} of {}{unit}", Count(events), Count(of));
        let rate = |events: f64, exposure: f64| events / exposure;
        let ratio = rate(events as f64, sums.exposure.0) / rate(sums.control.0 as f64, sums.exposure.1);
        if !ratio.is_finite() {
            return format!(
                "{name} {place} were {seen}, on the old release {} of {}",
                Count(sums.control.0),
                Count(sums.control.1)
            );
        }
        let standing = self.metric_standing(index);
        let bound = match (ratio < 1.0, standing.low, standing.high) {
            (false, Some(low), _) if low > 1.0 && low < ratio => format!(" (at least {} ×)", told(low)),
            (true, _, Some(high)) if high < 1.0 && high > ratio => format!(" (at most {} ×)", told(high)),
            _ => String::new(),
        };
        format!("{name} {place} were {} × the old release{bound}: {seen}", told(ratio))
    }

    /// Gross trouble of one or several hosts.
    pub(super) fn several(&self, told: &[String]) -> String {
        match told {
            [first, second, rest @ ..] if !rest.is_empty() => {
                format!("{first}; {second}; and {} more hosts alike", rest.len())
            }
            told => told.join("; "),
        }
    }

    pub(super) fn odd_sentence(&self, odd: Number) -> String {
        let leading = self.leading();
        let metric = &self.spec.metrics[leading];
        let contrast = &self.contrasts[leading];
        let own = contrast.parts().get(&odd).copied().unwrap_or_default();
        let others = contrast.parts().iter().filter(|(number, _)| **number != odd);
        let (events, exposure) = others.fold((0.0, 0.0), |(events, exposure), (_, part)| {
            (events + part.events, exposure + part.exposure)
        });
        let per_thousand =
            |events: f64, exposure: f64| told(1000.0 * events / exposure.max(f64::MIN_POSITIVE));
        format!(
            "has {} {} in 1,000{}, the other hosts on the new release have {}",
            per_thousand(own.events, own.exposure),
            metric.name,
            metric.unit(),
            per_thousand(events, exposure)
        )
    }

    pub(super) fn doubt_sentence(&self, odd: Number) -> String {
        let told = self.worse_sentence(self.leading(), "on the new release");
        format!("{told}; whether that is more than {} alone is not sure yet", self.name(odd))
    }

    pub(super) fn suspect_sentence(&self) -> String {
        let told: Vec<String> =
            self.suspects.iter().map(|suspect| format!("{} {}", suspect.member, suspect.why)).collect();
        format!(
            "{}: a bad host, not a bad release, as far as can be seen; it should be pulled",
            told.join("; ")
        )
    }

    pub(super) fn level_sentence(&self, index: usize, bound: f64) -> String {
        let name = &self.spec.metrics[index].name;
        let (new, old) = self.gauges[index].levels();
        let by = format!("{:.0} %", 100.0 * bound.abs());
        let (side, least) = if bound < 0.0 { ("lower", "less") } else { ("higher", "more") };
        format!(
            "{name} is {side} on the new release: {} against {}, at least {by} {least}",
            told(new),
            told(old)
        )
    }

    pub(super) fn unlike_sentence(&self, index: usize) -> String {
        let name = &self.spec.metrics[index].name;
        format!(
            "{name} on the old release are unlike the last weeks at this hour: nothing passes until they are"
        )
    }

    pub(super) fn suspicion_sentence(&self, index: usize, after_ms: u64) -> String {
        let name = &self.spec.metrics[index].name;
        let after = format_duration(Duration::from_millis(after_ms));
        format!(
            "{name} rose on the old release too, {after} after the stage began: the new release may hurt both through \
             what they share"
        )
    }

    pub(super) fn starved_sentence(&self, got: u64, expected: f64) -> String {
        format!(
            "the new release got {} requests where its share is about {}: its balancers keep away from it",
            Count(got),
            Count::of(expected)
        )
    }

    pub(super) fn broken_sentence(&self, failed: u64, of: u64) -> String {
        format!(
            "{} of {} requests to the old release fail: there is nothing to compare with",
            Count(failed),
            Count(of)
        )
    }

    pub(super) fn missing_sentence(&self, index: usize, control: bool, tick: &Tick) -> String {
        let name = &self.spec.metrics[index].name;
        let heard = self.heard[index];
        let other = if control { heard.canary } else { heard.control };
        let (arm, rest) = match (control, other) {
            (true, Some(_)) => ("the old release", ", but of the new one it is"),
            (false, Some(_)) => ("the new release", ", but of the old one it is: it may have been renamed"),
            (_, None) => ("either release", ""),
        };
        let source = tick.silent.first().map(|said| format!(" ({})", one_line(said))).unwrap_or_default();
        format!("{name} is not heard of {arm}{rest}{source}")
    }
}

/// JSON has no infinite numbers, and nobody needs them.
fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { 0.0 }
}

/// The ratio of an event whose complement has the given ratio.
fn of_complement(ratio: f64, sums: Sums) -> Option<f64> {
    let share = sums.control.0 as f64 / sums.control.1.max(1) as f64;
    let turned = (1.0 - ratio * (1.0 - share)) / share;
    turned.is_finite().then(|| turned.max(0.0))
}
