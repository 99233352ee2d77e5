//! One metric of one stage, played with the counts that are to be expected.

use std::time::Duration;

use super::super::contrast::terms;
use super::super::evidence::{Beat, STARTS, Trial};
use super::super::negligible::ln_below;
use super::super::sides::{Absolved, Sides, Terms};
use super::super::{Measure, Metric, MetricBaseline, Spec, Worse};
use super::{Detection, MetricOutlook, RATIOS, StageSize};

/// The stretch within which one burst of events counts at most once.
const BURST: Duration = Duration::from_secs(5);

/// Ticks with evidence, and requests of the canary, before evidence decides anything.
const LEAST: (u32, f64) = (5, 50.0);

/// One metric of one stage.
pub(super) struct Rehearsal<'a> {
    spec: &'a Spec,
    metric: &'a Metric,
    known: &'a MetricBaseline,
    size: StageSize,
    /// Opportunities in one tick on each instance.
    each: f64,
}

impl<'a> Rehearsal<'a> {
    pub(super) fn new(
        spec: &'a Spec,
        metric: &'a Metric,
        known: &'a MetricBaseline,
        per_instance: f64,
        size: StageSize,
    ) -> Self {
        Self { spec, metric, known, size, each: (per_instance * spec.tick.as_secs_f64()).max(0.0) }
    }

    pub(super) fn outlook(&self) -> MetricOutlook {
        let known = self.known.rate.is_some();
        let detections = RATIOS.map(|ratio| Detection { ratio, after: self.detects(ratio) });
        MetricOutlook {
            name: self.metric.name.clone(),
            lower: self.metric.worse == Worse::Lower,
            critical: self.metric.critical,
            detections: if known { detections.to_vec() } else { Vec::new() },
            cleared: self.clears(self.metric.harm),
            excludes: RATIOS.into_iter().find(|harm| self.clears(*harm).is_some()),
        }
    }

    /// How long it takes until `ratio` times the harm is seen. Of several instances, enough of the evidence must be left
    /// without any one of them.
    fn detects(&self, ratio: f64) -> Option<Duration> {
        let all = self.size.canaries;
        let rest = if all > 1 { all - 1 } else { all };
        let (worse, trial) = self.expected(ratio, all)?;
        let (_, trial_of_rest) = self.expected(ratio, rest)?;
        let (terms, terms_of_rest) = (self.terms(all), self.terms(rest));
        let (mut bets, mut bets_of_rest) = (Sides::new(worse), Sides::new(worse));
        let needed = self.accuses_at(self.spec.alpha);
        let needed_of_rest = needed.min(self.accuses_at(self.spec.host_alpha));
        self.play(|beat| {
            bets.add(beat, trial, terms);
            bets_of_rest.add(beat, trial_of_rest, terms_of_rest);
            bets.ln_capital() >= needed && (all == 1 || bets_of_rest.ln_capital() >= needed_of_rest)
        })
    }

    /// How long it takes until a harmless release is known to be better than `harm`, or its rate to be negligible.
    fn clears(&self, harm: f64) -> Option<Duration> {
        let (worse, trial) = self.expected(1.0, self.size.canaries)?;
        let mut bets = Absolved::new(worse);
        let (dispersion, needed) = (self.terms(self.size.canaries).dispersion, -self.spec.beta.ln());
        let negligible = if worse == Worse::Higher { self.metric.negligible } else { 0.0 };
        let (mut events, mut of) = (0.0, 0.0);
        self.play(|beat| {
            bets.add(beat, trial, harm.max(self.metric.margin), dispersion);
            (events, of) = (events + trial.x, of + trial.a);
            bets.ln_capital() >= needed || ln_below(events, of, negligible, dispersion) >= needed
        })
    }

    /// The rate that is expected. Where nothing ever happened, a tenth of what is negligible does: of nothing there is no
    /// multiple.
    fn rate(&self) -> Option<f64> {
        Some(self.known.rate?.max(self.metric.negligible / 10.0))
    }

    fn terms(&self, canaries: u32) -> Terms {
        let count = |instances: u32| usize::try_from(instances).unwrap_or(usize::MAX);
        terms(self.metric, self.known, count(canaries), count(self.size.controls))
    }

    /// The logarithm of the capital that this metric alone needs to be evidence at the level `alpha`: new exceptions stake
    /// a part too.
    fn accuses_at(&self, alpha: f64) -> f64 {
        let staked = || self.spec.metrics.iter().filter(|metric| metric.measure == Measure::Rate);
        let all: f64 = staked().map(|metric| metric.weight).sum();
        let average = all / staked().map(|_| 1.0).sum::<f64>();
        let whole = all + average * self.spec.exceptions.max(0.0);
        let alone = if self.size.canaries == 1 { self.spec.single_host_factor.max(1.0) } else { 1.0 };
        (whole * alone / (self.metric.weight * alpha)).ln()
    }

    /// What one tick is expected to bring, and on which side of it harm is. The rarer of an event and its complement is
    /// judged.
    fn expected(&self, ratio: f64, canaries: u32) -> Option<(Worse, Trial)> {
        let (canary, control) = (self.each * f64::from(canaries), self.each * f64::from(self.size.controls));
        let rate = self.rate()?;
        let lower = self.metric.worse == Worse::Lower;
        let harmed = if lower { rate / ratio } else { rate * ratio };
        let harmed = if rate <= 1.0 { harmed.min(1.0) } else { harmed };
        if rate > 0.5 && rate <= 1.0 {
            let worse = match self.metric.worse {
                Worse::Higher => Worse::Lower,
                Worse::Lower => Worse::Higher,
                Worse::Either => Worse::Either,
            };
            let trial =
                Trial { a: canary, b: control, x: (1.0 - harmed) * canary, y: (1.0 - rate) * control };
            return Some((worse, trial));
        }
        let trial = Trial { a: canary, b: control, x: harmed * canary, y: rate * control };
        Some((self.metric.worse, trial))
    }

    /// Plays tick after tick until `decided`, or until the window ends.
    fn play(&self, mut decided: impl FnMut(Beat) -> bool) -> Option<Duration> {
        let tick = self.spec.tick.max(Duration::from_millis(100));
        let comparing = self.spec.window.saturating_sub(self.spec.warmup);
        let each = self.each * f64::from(self.size.canaries);
        let (mut at, mut burst, mut burst_began) = (Duration::ZERO, 0, Duration::ZERO);
        let (mut ticks, mut requests) = (0, 0.0);
        while at + tick <= comparing {
            if at >= burst_began + BURST {
                (burst, burst_began) = (burst + 1, at);
            }
            let started = STARTS.iter().filter(|(minutes, _)| at.as_secs() >= minutes * 60).count();
            at += tick;
            ticks += 1;
            requests += each;
            if decided(Beat { burst, started }) && ticks >= LEAST.0 && requests >= LEAST.1 {
                return Some(at);
            }
        }
        None
    }
}
