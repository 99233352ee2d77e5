//! The control group against history, and the new release against history where no control group is left.
//!
//! A control group is never trusted blindly: it may be broken, or be hurt by the canary through what both share.

use serde::{Deserialize, Serialize};

use super::contrast::{Gathered, dispersion};
use super::evidence::Beat;
use super::sides::{Absolved, Terms, Watchers};
use super::{Metric, MetricBaseline, Worse};

/// The probability, in a day, that a control group that is as ever is called unlike it.
pub(crate) const ALPHA: f64 = 0.001;

/// A forecast from other days is wrong by more than chance: only larger ratios are called unlike it.
const MARGIN: f64 = 1.5;

/// And its errors come in longer stretches than those between hosts at the same moment.
const DISPERSION: f64 = 4.0;

/// Events whose weight today's level has against last week's.
const PRIOR: f64 = 20.0;

/// One metric of counts against its forecast.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outlook {
    control: Watchers,
    canary: Watchers,
    absolved: Absolved,
    /// Events and exposure of the control group so far: today's level.
    today: (f64, f64),
    /// Events and exposure of the canary since no control group is left.
    alone: (f64, f64),
}

impl Outlook {
    /// Nothing was seen yet.
    pub(crate) fn new(worse: Worse) -> Self {
        Self {
            control: Watchers::new(Worse::Either),
            canary: Watchers::new(worse),
            absolved: Absolved::new(worse),
            today: (0.0, 0.0),
            alone: (0.0, 0.0),
        }
    }

    /// What is expected for each exposure: last weeks' rate, moved towards today's level as far as that is known.
    /// `None` where nothing is known.
    pub(crate) fn rate(&self, baseline: &MetricBaseline, complement: bool) -> Option<f64> {
        let (events, exposure) = self.today;
        match history(baseline, complement) {
            Some(rate) => Some(rate * (events + PRIOR) / (rate * exposure + PRIOR)),
            None => (events >= PRIOR).then(|| events / exposure),
        }
    }

    /// Takes in a tick with a control group: is it as history expects?
    pub(crate) fn hear_control(
        &mut self,
        baseline: &MetricBaseline,
        beat: Beat,
        minute: u64,
        gathered: &Gathered,
        complement: bool,
    ) {
        let part = gathered.control;
        if let Some(rate) = history(baseline, complement) {
            self.control.add(beat, minute, part.events, rate * part.exposure, terms(baseline));
        }
        self.today.0 += part.events;
        self.today.1 += part.exposure;
    }

    /// Takes in a tick without one: is the new release as is expected?
    pub(crate) fn hear_alone(
        &mut self,
        metric: &Metric,
        baseline: &MetricBaseline,
        beat: Beat,
        minute: u64,
        gathered: &Gathered,
        complement: bool,
    ) {
        let Some(rate) = self.rate(baseline, complement) else { return };
        let part = gathered.canary_part();
        let (terms, expected) = (terms(baseline), rate * part.exposure);
        self.canary.add(beat, minute, part.events, expected, terms);
        let harm = metric.harm.max(terms.margin * 1.1);
        self.absolved.add_over_forecast(beat, part.events, expected, harm, terms.dispersion);
        self.alone.0 += part.events;
        self.alone.1 += expected;
    }

    /// The logarithm of the evidence that the control group is unlike history.
    pub(crate) fn ln_unlike(&self) -> f64 {
        self.control.ln_capital()
    }

    /// The logarithm of the evidence that the release, alone, is worse than expected.
    pub(crate) fn ln_worse(&self) -> f64 {
        self.canary.ln_capital()
    }

    /// The logarithm of the evidence that the release, alone, is not harmful.
    pub(crate) fn ln_harmless(&self) -> f64 {
        self.absolved.ln_capital()
    }

    /// Events of the release alone, and how many were expected.
    pub(crate) fn alone(&self) -> (f64, f64) {
        self.alone
    }
}

/// Last weeks' rate of what is judged.
fn history(baseline: &MetricBaseline, complement: bool) -> Option<f64> {
    let rate = baseline.rate.filter(|rate| rate.is_finite() && *rate >= 0.0)?;
    let rate = if complement { 1.0 - rate } else { rate };
    (rate > 0.0 && !baseline.thin).then_some(rate)
}

fn terms(baseline: &MetricBaseline) -> Terms {
    Terms { margin: MARGIN, dispersion: DISPERSION * dispersion(baseline) }
}
