//! The bounds of a ratio of two rates, valid at every moment. Computed when somebody asks, not with every tick.
//!
//! A confidence sequence is what a test that is valid at every moment does not reject (Johari et al. 2017; Howard et
//! al. 2021, *Time-uniform, nonparametric, nonasymptotic confidence sequences*): all `ρ` with
//! `Σ w_r L(r) / L(ρ) < 1/α`, where `L` is the conditional likelihood of the events' arms.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::evidence::{Trial, ln_sum_exp};

/// Ticks with nearly the same split of exposure are one cell: within it, only the sums count.
const CELLS_PER_E: f64 = 10.0;

/// The logarithms of the ratios that the bounds are measured with, on either side of 1, in equal shares.
const STEPS: [f64; 21] = [
    0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.55, 0.7, 0.9, 1.1, 1.4, 1.7, 2.0, 2.3, 2.7, 3.1, 3.5, 4.0,
    4.6,
];

/// Ratios beyond `e^±LIMIT` are not told apart.
const LIMIT: f64 = 12.0;

/// All that was compared, by the split of the exposure.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Cells(BTreeMap<i16, [f64; 4]>);

/// A ratio and its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Bounds {
    /// The most likely ratio.
    pub(crate) ratio: Option<f64>,
    /// It is at least so much.
    pub(crate) low: Option<f64>,
    /// It is at most so much.
    pub(crate) high: Option<f64>,
}

impl Cells {
    /// Takes in one tick.
    pub(crate) fn add(&mut self, trial: &Trial) {
        if !trial.is_sound() {
            return;
        }
        let split = ((trial.a / trial.b).ln() * CELLS_PER_E).round().clamp(-1000.0, 1000.0);
        #[allow(clippy::cast_possible_truncation, reason = "it was clamped")]
        let cell = self.0.entry(split as i16).or_default();
        for (sum, more) in cell.iter_mut().zip([trial.a, trial.b, trial.x, trial.y]) {
            *sum += more;
        }
    }

    /// The cells as trials.
    pub(crate) fn trials(&self) -> impl Iterator<Item = Trial> {
        self.0.values().map(|[a, b, x, y]| Trial { a: *a, b: *b, x: *x, y: *y })
    }

    /// The logarithm of the likelihood of the ratio `e^u`, but for a constant.
    fn ln_likelihood(&self, u: f64, dispersion: f64) -> f64 {
        let ratio = u.exp();
        let of = |t: Trial| t.x * u - (t.x + t.y) * (ratio * t.a / t.b).ln_1p();
        self.trials().map(of).sum::<f64>() / dispersion
    }

    /// How the likelihood grows with `u`: falling in `u`, so that its zero is found by halving.
    fn slope(&self, u: f64) -> f64 {
        let ratio = u.exp();
        self.trials().map(|t| t.x - (t.x + t.y) * ratio * t.a / (ratio * t.a + t.b)).sum()
    }

    /// The ratio and its bounds at the level `1 - alpha`.
    pub(crate) fn bounds(&self, dispersion: f64, alpha: f64) -> Bounds {
        let (mut x, mut y) = (0.0, 0.0);
        self.trials().for_each(|trial| {
            x += trial.x;
            y += trial.y;
        });
        if x + y == 0.0 {
            return Bounds::default();
        }
        let best = halve(-LIMIT, LIMIT, |u| self.slope(u) > 0.0);
        let mut terms = vec![self.ln_likelihood(0.0, dispersion)];
        for step in STEPS {
            terms.push(self.ln_likelihood(step, dispersion));
            terms.push(self.ln_likelihood(-step, dispersion));
        }
        let marginal = ln_sum_exp(&terms) - (terms.len() as f64).ln();
        let kept = |u: f64| self.ln_likelihood(u, dispersion) > marginal + alpha.ln();
        let low = (x > 0.0).then(|| halve(-LIMIT, best, |u| !kept(u)).exp());
        let high = (y > 0.0).then(|| halve(best, LIMIT, kept).exp());
        let ratio = if x == 0.0 { Some(0.0) } else { (y > 0.0).then(|| best.exp()) };
        Bounds { ratio, low, high }
    }
}

/// Where `below` stops being true between two numbers.
fn halve(mut low: f64, mut high: f64, below: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if below(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds_of(trials: &[(f64, f64, f64, f64)]) -> Bounds {
        let mut cells = Cells::default();
        trials.iter().for_each(|(a, b, x, y)| cells.add(&Trial { a: *a, b: *b, x: *x, y: *y }));
        cells.bounds(1.0, 0.005)
    }

    #[test]
    fn bounds_hold_the_ratio_and_close_in_on_it() {
        let few = bounds_of(&[(1000.0, 9000.0, 20.0, 90.0)]);
        let many = bounds_of(&[(100_000.0, 900_000.0, 2000.0, 9000.0)]);
        for bounds in [few, many] {
            assert!((bounds.ratio.unwrap() - 2.0).abs() < 1e-6);
            assert!(bounds.low.unwrap() < 2.0 && bounds.high.unwrap() > 2.0);
        }
        assert!(few.low.unwrap() < many.low.unwrap() && few.high.unwrap() > many.high.unwrap());
        assert!(many.low.unwrap() > 1.75 && many.high.unwrap() < 2.25, "{many:?}");
    }

    #[test]
    fn a_ramp_in_a_bad_hour_does_not_move_the_ratio() {
        // The rate doubles while the canary grows: pooled counts would say 1.5.
        let ramp = bounds_of(&[(100.0, 9900.0, 10.0, 990.0), (5000.0, 5000.0, 1000.0, 1000.0)]);
        assert!((ramp.ratio.unwrap() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn what_cannot_be_said_is_not_said() {
        assert_eq!(bounds_of(&[(1000.0, 9000.0, 0.0, 0.0)]), Bounds::default());
        let none_of_old = bounds_of(&[(1000.0, 1000.0, 12.0, 0.0)]);
        assert_eq!((none_of_old.ratio, none_of_old.high), (None, None));
        assert!(none_of_old.low.unwrap() > 1.0);
        let none_of_new = bounds_of(&[(1000.0, 1000.0, 0.0, 12.0)]);
        assert_eq!((none_of_new.ratio, none_of_new.low), (Some(0.0), None));
        assert!(none_of_new.high.unwrap() < 1.0);
        assert_eq!(bounds_of(&[(f64::NAN, 1.0, 1.0, 1.0)]), Bounds::default());
    }
}
