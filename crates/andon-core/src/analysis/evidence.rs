//! Evidence against a release: bets on a two-sample rate, valid at every moment. It knows no metric and no member.
//!
//! Given that an event happened, it fell to the canary with a probability that depends on the exposures and the ratio
//! of the rates only. Whoever bets on "the ratio is `r`" against "it is at most `ρ`" can't expect to win where the
//! latter is true; so capital of `1/α` is reached with a probability of at most `α`, whenever one looks
//! (Ville 1939, *Étude critique de la notion de collectif*). The bets over several `r` and several beginnings are
//! averaged: an average of e-processes is one (Vovk & Wang 2021, *E-values: calibration, combination and
//! applications*). The bet itself is the mixture likelihood ratio of Johari et al. 2017 (*Peeking at A/B tests*) and
//! Turner, Ly & Grünwald 2024 (*Generic e-variables for exact sequential k-sample tests*) over a grid.

use serde::{Deserialize, Serialize};

/// How many ratios are bet on.
pub(crate) const N: usize = 9;

/// The ratios of new to old, as multiples of the margin, that are bet on.
pub(crate) const RATIOS: [f64; N] = [1.15, 1.3, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0];

/// The share of the capital on each ratio; they add up to 1.
pub(crate) const SHARES: [f64; N] = [0.05, 0.1, 0.15, 0.2, 0.2, 0.15, 0.08, 0.04, 0.03];

/// When bets begin, in minutes of comparing, and their share of the capital; the shares add up to 1.
///
/// What begins late has lost nothing while all was well, and so sees a late fault soon. After 25 minutes the shares
/// halve, so that stages that follow each other for hours still have bets that are fresh.
pub(crate) const STARTS: [(u64, f64); 13] = [
    (0, 0.1),
    (1, 0.1),
    (3, 0.1),
    (6, 0.1),
    (9, 0.1),
    (12, 0.1),
    (15, 0.1),
    (18, 0.1),
    (21, 0.1),
    (25, 0.05),
    (40, 0.025),
    (60, 0.0125),
    (120, 0.0125),
];

/// The most that one burst may multiply a bet by, as a logarithm. `min(LR, 10) ≤ LR`: what is capped stays valid, and
/// one client that fails a hundred times at once can't condemn a release.
pub(crate) const CAP: f64 = std::f64::consts::LN_10;

/// More than this in one tick is nonsense, and would overflow.
const HUGE: f64 = 1e24;

/// What one tick says of one metric, as one side sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Trial {
    /// The exposure of the accused: opportunities, corrected by host factors; positive.
    pub(crate) a: f64,
    /// The exposure of those that it is compared with; positive.
    pub(crate) b: f64,
    /// Events of the accused.
    pub(crate) x: f64,
    /// Events of the others.
    pub(crate) y: f64,
}

impl Trial {
    /// Whether it can bear evidence at all.
    pub(crate) fn is_sound(&self) -> bool {
        let exposed = |v: f64| v > 0.0 && v <= HUGE;
        let counted = |v: f64| (0.0..=HUGE).contains(&v);
        exposed(self.a) && exposed(self.b) && counted(self.x) && counted(self.y)
    }

    /// The same with the arms changed: "less" of one arm is "more" of the other.
    pub(crate) fn swapped(self) -> Self {
        Self { a: self.b, b: self.a, x: self.y, y: self.x }
    }

    /// The logarithm of what a bet on `r · margin` against `margin` wins, over the dispersion: with
    /// `θ = ρa / (ρa + b)` and `θ(r) = rρa / (rρa + b)` it is `x ln(θ(r)/θ) + y ln((1−θ(r))/(1−θ))`, which is
    /// `x ln r − (x+y) ln(1 + (r−1)θ)`. Division by `φ ≥ 1` keeps it valid (Jensen) and is the quasi-likelihood of
    /// counts that vary `φ` times as much as independent ones (Wedderburn 1974; Kish's design effect).
    ///
    /// It is valid for events out of opportunities of any probability, not for rare ones alone: for independent arms
    /// `E[eˡ] ≤ 1` follows from `1 + z ≤ eᶻ` for every single opportunity.
    fn gain(&self, margin: f64, r: f64, dispersion: f64) -> f64 {
        let accused = margin * self.a;
        let share = accused / (accused + self.b);
        (self.x * r.ln() - (self.x + self.y) * ((r - 1.0) * share).ln_1p()) / dispersion
    }
}

/// The gains of all bets on harm in one tick, not capped. `None` when the tick says nothing.
pub(crate) fn gains(trial: &Trial, margin: f64, dispersion: f64) -> Option<[f64; N]> {
    trial.is_sound().then(|| RATIOS.map(|r| trial.gain(margin, r, dispersion)))
}

/// The gains of bets against a rate that is known: the accused against `expected` events. This is [`gains`] in the
/// limit of an endless control group: `x ln r − (r−1)ρ·expected`.
pub(crate) fn gains_over_forecast(
    events: f64,
    expected: f64,
    margin: f64,
    dispersion: f64,
) -> Option<[f64; N]> {
    let sound = expected > 0.0 && expected <= HUGE && (0.0..=HUGE).contains(&events);
    sound.then(|| RATIOS.map(|r| (events * r.ln() - (r - 1.0) * margin * expected) / dispersion))
}

/// The same for "less than expected": against "at least `1/ρ` of it", on `1/r` of that.
pub(crate) fn gains_below_forecast(
    events: f64,
    expected: f64,
    margin: f64,
    dispersion: f64,
) -> Option<[f64; N]> {
    let sound = expected > 0.0 && expected <= HUGE && (0.0..=HUGE).contains(&events);
    sound.then(|| RATIOS.map(|r| (-events * r.ln() + (1.0 - 1.0 / r) * expected / margin) / dispersion))
}

/// Where the judge's clock stands, as far as bets care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Beat {
    /// Counts stretches of at least 5 s: one burst of events is within one or two of them.
    pub(crate) burst: u32,
    /// How many of [`STARTS`] are over.
    pub(crate) started: usize,
}

/// Adds gains, of which those of one burst together are at most [`CAP`].
///
/// `min(LR, 10)` of the burst so far is a concave function of a supermartingale, so the capped capital is one as well,
/// however many ticks the burst has.
fn add_capped(sums: &mut [f64], burst: &mut [f64], gains: &[f64]) {
    for ((sum, so_far), gain) in sums.iter_mut().zip(burst).zip(gains) {
        let before = so_far.min(CAP);
        *so_far += gain;
        *sum += so_far.min(CAP) - before;
    }
}

/// `ln Σ exp`, in the order of its terms; `-∞` for none.
pub(crate) fn ln_sum_exp(terms: &[f64]) -> f64 {
    let most = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if most == f64::NEG_INFINITY {
        return most;
    }
    most + terms.iter().map(|term| (term - most).exp()).sum::<f64>().ln()
}

/// Bets that one side of a metric has become worse, over a grid of ratios and beginnings.
///
/// A bet that began at `s` has gained what the sums have gained since `s`, so one sum for each ratio and its value at
/// each beginning are all that is kept: at most 126 numbers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Mixture {
    sums: [f64; N],
    burst: [f64; N],
    burst_number: u32,
    starts: Vec<[f64; N]>,
}

impl Mixture {
    /// Takes in the gains of one tick.
    pub(crate) fn add(&mut self, beat: Beat, gains: &[f64; N]) {
        while self.starts.len() < beat.started.min(STARTS.len()) {
            self.starts.push(self.sums);
        }
        if self.burst_number != beat.burst {
            self.burst_number = beat.burst;
            self.burst = [0.0; N];
        }
        add_capped(&mut self.sums, &mut self.burst, gains);
    }

    /// The logarithm of the capital. Bets that have not begun count as their share.
    pub(crate) fn ln_capital(&self) -> f64 {
        let mut terms = [0.0; N * STARTS.len()];
        for (index, (_, share)) in STARTS.iter().enumerate() {
            let start = self.starts.get(index).unwrap_or(&self.sums);
            for ratio in 0..N {
                terms[index * N + ratio] = (share * SHARES[ratio]).ln() + self.sums[ratio] - start[ratio];
            }
        }
        ln_sum_exp(&terms)
    }

    /// The beginning whose bets hold most: when the trouble seems to have begun. An index into [`STARTS`].
    pub(crate) fn best_start(&self) -> usize {
        let capital = |start: &[f64; N]| {
            let terms: [f64; N] = std::array::from_fn(|r| SHARES[r].ln() + self.sums[r] - start[r]);
            ln_sum_exp(&terms)
        };
        let mut best = (0, f64::NEG_INFINITY);
        for (index, start) in self.starts.iter().enumerate() {
            let capital = capital(start);
            if capital > best.1 {
                best = (index, capital);
            }
        }
        best.0
    }

    /// What this would about be without another member as well, whose own absence gives `without`, of the same
    /// `whole`: gains of members add up nearly. Only ever used to ask for more evidence, never for less.
    pub(crate) fn also_without(&mut self, without: &Mixture, whole: &Mixture) {
        for ratio in 0..N {
            self.sums[ratio] += without.sums[ratio] - whole.sums[ratio];
            for (index, start) in self.starts.iter_mut().enumerate() {
                let of = |mixture: &Mixture| mixture.starts.get(index).map_or(0.0, |start| start[ratio]);
                start[ratio] += of(without) - of(whole);
            }
        }
    }
}

/// How many ratios are bet on for a release.
const M: usize = 6;

/// The ratios, as multiples of the ratio that is harm, that are bet on for a release, in equal shares.
const HARMLESS: [f64; M] = [0.87, 0.77, 0.67, 0.5, 0.33, 0.2];

/// Bets that harm is excluded: the same test with the null hypothesis "the ratio is at least `harm`".
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Harmless {
    sums: [f64; M],
    burst: [f64; M],
    burst_number: u32,
}

impl Harmless {
    /// Takes in one tick.
    pub(crate) fn add(&mut self, beat: Beat, trial: &Trial, harm: f64, dispersion: f64) {
        if trial.is_sound() {
            self.take(beat, HARMLESS.map(|q| trial.gain(harm, q, dispersion)));
        }
    }

    /// Takes in one tick against a rate that is known; see [`gains_over_forecast`].
    pub(crate) fn add_over_forecast(&mut self, beat: Beat, events: f64, expected: f64, harm: f64, phi: f64) {
        if expected > 0.0 && expected <= HUGE && (0.0..=HUGE).contains(&events) {
            self.take(beat, HARMLESS.map(|q| (events * q.ln() + (1.0 - q) * harm * expected) / phi));
        }
    }

    /// The same where less is harm: the null hypothesis is "at most `1/harm` of what is expected".
    pub(crate) fn add_below_forecast(&mut self, beat: Beat, events: f64, expected: f64, harm: f64, phi: f64) {
        if expected > 0.0 && expected <= HUGE && (0.0..=HUGE).contains(&events) {
            let gain = |q: &f64| (-events * q.ln() - (1.0 / q - 1.0) * expected / harm) / phi;
            self.take(beat, HARMLESS.map(|q| gain(&q)));
        }
    }

    fn take(&mut self, beat: Beat, gains: [f64; M]) {
        if self.burst_number != beat.burst {
            self.burst_number = beat.burst;
            self.burst = [0.0; M];
        }
        add_capped(&mut self.sums, &mut self.burst, &gains);
    }

    /// The logarithm of the capital.
    pub(crate) fn ln_capital(&self) -> f64 {
        ln_sum_exp(&self.sums) - (M as f64).ln()
    }
}

/// A detector of a change at any time: the sum of bets that begin anew every minute (Shiryaev–Roberts; Shin, Ramdas &
/// Rinaldo 2022, *E-detectors*). Each of the 1,440 beginnings of a day has an equal part of the capital, so that
/// `1/α` is reached with a probability of at most `α` a day while nothing changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Detector {
    /// The capital on each ratio.
    capital: [f64; N],
    burst: [f64; N],
    burst_number: u32,
    minute: u64,
}

/// The most capital that a detector keeps, far above every threshold: it is not stuck for hours after a long trouble.
const FULL: f64 = 1e9;

impl Default for Detector {
    fn default() -> Self {
        Self { capital: [0.0; N], burst: [0.0; N], burst_number: 0, minute: u64::MAX }
    }
}

impl Detector {
    /// Takes in the gains of one tick that ended in the given minute of the analysis.
    pub(crate) fn add(&mut self, beat: Beat, minute: u64, gains: &[f64; N]) {
        if self.burst_number != beat.burst {
            self.burst_number = beat.burst;
            self.burst = [0.0; N];
        }
        if self.minute != minute {
            self.minute = minute;
            for (capital, share) in self.capital.iter_mut().zip(SHARES) {
                *capital += share / 1440.0;
            }
        }
        let mut capped = [0.0; N];
        add_capped(&mut capped, &mut self.burst, gains);
        for (capital, gain) in self.capital.iter_mut().zip(capped) {
            *capital = (*capital * gain.exp()).min(FULL);
        }
    }

    /// The logarithm of the capital; `-∞` before the first tick.
    pub(crate) fn ln_capital(&self) -> f64 {
        self.capital.iter().sum::<f64>().max(f64::MIN_POSITIVE).ln()
    }
}

#[cfg(test)]
mod tests;
