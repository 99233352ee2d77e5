//! The bets of one metric on the sides that are harm: more of it, less of it, or either.

use serde::{Deserialize, Serialize};

use super::Worse;
use super::evidence::{Beat, Detector, Harmless, Mixture, Trial, gains, gains_over_forecast, ln_sum_exp};

/// How a bet is made: what history says, as numbers that can be relied on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Terms {
    /// The ratio that a bet on harm must exceed; at least 1.
    pub(crate) margin: f64,
    /// The dispersion `φ`; at least 1.
    pub(crate) dispersion: f64,
}

/// Bets that a metric is worse.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sides {
    higher: Option<Mixture>,
    lower: Option<Mixture>,
}

/// `ln` of the average of two capitals; of the one that there is.
fn ln_average(higher: Option<f64>, lower: Option<f64>) -> f64 {
    match (higher, lower) {
        (Some(higher), Some(lower)) => ln_sum_exp(&[higher, lower]) - std::f64::consts::LN_2,
        (one, other) => one.or(other).unwrap_or(0.0),
    }
}

impl Sides {
    /// Bets on the sides that are harm.
    pub(crate) fn new(worse: Worse) -> Self {
        Self {
            higher: (worse != Worse::Lower).then(Mixture::default),
            lower: (worse != Worse::Higher).then(Mixture::default),
        }
    }

    /// Takes in one tick. "Less of the canary" is "more of the control group".
    pub(crate) fn add(&mut self, beat: Beat, trial: Trial, terms: Terms) {
        let Terms { margin, dispersion } = terms;
        if let (Some(bets), Some(gains)) = (&mut self.higher, gains(&trial, margin, dispersion)) {
            bets.add(beat, &gains);
        }
        if let (Some(bets), Some(gains)) = (&mut self.lower, gains(&trial.swapped(), margin, dispersion)) {
            bets.add(beat, &gains);
        }
    }

    /// The logarithm of the capital.
    pub(crate) fn ln_capital(&self) -> f64 {
        ln_average(
            self.higher.as_ref().map(Mixture::ln_capital),
            self.lower.as_ref().map(Mixture::ln_capital),
        )
    }

    /// The beginning whose bets hold most; see [`Mixture::best_start`].
    pub(crate) fn best_start(&self) -> usize {
        let (higher, lower) = (self.higher.as_ref(), self.lower.as_ref());
        let leading = match (higher, lower) {
            (Some(one), Some(other)) if other.ln_capital() > one.ln_capital() => Some(other),
            (one, other) => one.or(other),
        };
        leading.map_or(0, Mixture::best_start)
    }

    /// See [`Mixture::also_without`].
    pub(crate) fn also_without(&mut self, without: &Sides, whole: &Sides) {
        for (own, without, whole) in [
            (&mut self.higher, &without.higher, &whole.higher),
            (&mut self.lower, &without.lower, &whole.lower),
        ] {
            if let (Some(own), Some(without), Some(whole)) = (own, without, whole) {
                own.also_without(without, whole);
            }
        }
    }
}

/// Bets that harm is excluded, on every side that is harm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Absolved {
    higher: Option<Harmless>,
    lower: Option<Harmless>,
}

impl Absolved {
    /// Bets on the sides that are harm.
    pub(crate) fn new(worse: Worse) -> Self {
        Self {
            higher: (worse != Worse::Lower).then(Harmless::default),
            lower: (worse != Worse::Higher).then(Harmless::default),
        }
    }

    /// Takes in one tick.
    pub(crate) fn add(&mut self, beat: Beat, trial: Trial, harm: f64, dispersion: f64) {
        if let Some(bets) = &mut self.higher {
            bets.add(beat, &trial, harm, dispersion);
        }
        if let Some(bets) = &mut self.lower {
            bets.add(beat, &trial.swapped(), harm, dispersion);
        }
    }

    /// Takes in one tick against a rate that is known.
    pub(crate) fn add_over_forecast(&mut self, beat: Beat, events: f64, expected: f64, harm: f64, phi: f64) {
        if let Some(bets) = &mut self.higher {
            bets.add_over_forecast(beat, events, expected, harm, phi);
        }
        if let Some(bets) = &mut self.lower {
            bets.add_below_forecast(beat, events, expected, harm, phi);
        }
    }

    /// The logarithm of the smallest capital: every side must be excluded, so nothing is shared between them.
    pub(crate) fn ln_capital(&self) -> f64 {
        let of = |bets: &Option<Harmless>| bets.as_ref().map_or(f64::INFINITY, Harmless::ln_capital);
        of(&self.higher).min(of(&self.lower))
    }
}

/// Detectors of a change against what history expects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Watchers {
    higher: Option<Detector>,
    lower: Option<Detector>,
}

impl Watchers {
    /// Detectors of the changes that are harm.
    pub(crate) fn new(worse: Worse) -> Self {
        Self {
            higher: (worse != Worse::Lower).then(Detector::default),
            lower: (worse != Worse::Higher).then(Detector::default),
        }
    }

    /// Takes in one tick that ended in the given minute of the analysis.
    pub(crate) fn add(&mut self, beat: Beat, minute: u64, events: f64, expected: f64, terms: Terms) {
        let Terms { margin, dispersion } = terms;
        if let (Some(detector), Some(gains)) =
            (&mut self.higher, gains_over_forecast(events, expected, margin, dispersion))
        {
            detector.add(beat, minute, &gains);
        }
        if let (Some(detector), Some(gains)) =
            (&mut self.lower, super::evidence::gains_below_forecast(events, expected, margin, dispersion))
        {
            detector.add(beat, minute, &gains);
        }
    }

    /// The logarithm of the capital.
    pub(crate) fn ln_capital(&self) -> f64 {
        ln_average(
            self.higher.as_ref().map(Detector::ln_capital),
            self.lower.as_ref().map(Detector::ln_capital),
        )
    }
}
