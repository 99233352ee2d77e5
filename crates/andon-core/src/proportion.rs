//! A share of trials, with its exact interval. Pure arithmetic.

use serde::{Deserialize, Serialize};

/// So many of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Proportion {
    /// How often it happened.
    pub hits: u64,
    /// How often it could have; at least `hits`.
    pub trials: u64,
}

impl Proportion {
    /// The share; 0 without trials.
    pub fn share(self) -> f64 {
        if self.trials == 0 { 0.0 } else { self.hits as f64 / self.trials as f64 }
    }

    /// The interval that holds the true share with at least the given confidence, in (0, 1), whatever the share is:
    /// Clopper and Pearson (1934), *The use of confidence or fiducial limits illustrated in the case of the binomial*.
    /// Without trials it is all of 0 to 1.
    pub fn interval(self, confidence: f64) -> (f64, f64) {
        let (hits, misses) = (self.hits as f64, self.trials.saturating_sub(self.hits) as f64);
        let tail = (1.0 - confidence) / 2.0;
        let low = if hits == 0.0 { 0.0 } else { beta_quantile(tail, hits, misses + 1.0) };
        let high = if misses == 0.0 { 1.0 } else { beta_quantile(1.0 - tail, hits + 1.0, misses) };
        (low, high)
    }
}

/// The number below which a beta distribution has this part of its mass, by halving.
fn beta_quantile(part: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    // Relative exactness also for a share of one in a million.
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if incomplete_beta(middle, a, b) < part { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// The regularised incomplete beta function: the continued fraction of Abramowitz and Stegun 26.5.8, by the algorithm of
/// Lentz (Press et al., *Numerical Recipes*, 6.4).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    // The fraction converges quickly on one side only.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    let away = |number: f64| if number.abs() < 1e-300 { 1e-300 } else { number };
    let (mut c, mut d) = (1.0, 1.0 / away(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    for step in 1..10_000 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        for term in [even, odd] {
            d = 1.0 / away(1.0 + term * d);
            c = away(1.0 + term / c);
            fraction *= d * c;
        }
        if (d * c - 1.0).abs() < 1e-15 {
            break;
        }
    }
    let ln_front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p();
    ln_front.exp() * fraction / a
}

/// The logarithm of the gamma function for positive numbers: Stirling's series (Abramowitz and Stegun 6.1.41), after the
/// argument was raised to where it is exact.
pub(crate) fn ln_gamma(x: f64) -> f64 {
    let (mut shift, mut x) = (0.0, x);
    while x < 16.0 {
        shift += x.ln();
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let terms = [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0];
    let series = terms.iter().rev().fold(0.0, |sum, term| sum * square + term) / x;
    let half_ln_two_pi = 0.918_938_533_204_672_8;
    (x - 0.5) * x.ln() - x + half_ln_two_pi + series - shift
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(left: f64, right: f64, relative: f64) {
        assert!((left - right).abs() <= relative * right.abs(), "{left} is not {right}");
    }

    #[test]
    fn the_gamma_function_gives_factorials_and_the_root_of_pi() {
        let mut ln_factorial = 0.0;
        for n in 1..60 {
            near(ln_gamma(f64::from(n) + 1.0), ln_factorial + f64::from(n).ln(), 1e-13);
            ln_factorial += f64::from(n).ln();
        }
        near(ln_gamma(0.5), std::f64::consts::PI.sqrt().ln(), 1e-13);
        // 10,000! has 35,660 digits, 2.8462596809… at their front.
        near(
            ln_gamma(10_001.0),
            2.846_259_680_917_054_5_f64.ln() + 35_659.0 * std::f64::consts::LN_10,
            1e-13,
        );
    }

    #[test]
    fn the_incomplete_beta_function_is_a_tail_of_the_binomial_distribution() {
        // P(X ≥ k) of n throws with the share x is I_x(k, n − k + 1).
        let choose = |n: u32, k: u32| (0..k).fold(1.0, |all, i| all * f64::from(n - i) / f64::from(i + 1));
        for (n, x) in [(10, 0.2), (25, 0.5), (40, 0.93)] {
            for k in 1..=n {
                let term = |i: u32| {
                    choose(n, i) * f64::powi(x, i.cast_signed()) * f64::powi(1.0 - x, (n - i).cast_signed())
                };
                let tail: f64 = (k..=n).map(term).sum();
                near(incomplete_beta(x, f64::from(k), f64::from(n - k + 1)), tail, 1e-11);
            }
        }
        assert_eq!((incomplete_beta(0.0, 2.0, 3.0), incomplete_beta(1.0, 2.0, 3.0)), (0.0, 1.0));
    }

    #[test]
    fn the_interval_is_the_known_one() {
        // Without a hit the upper end solves (1 − p)^n = 0.025; with nothing but hits it is the mirror image.
        for trials in [1_u64, 10, 400, 3_000, 8_600] {
            let root = 0.025_f64.powf(1.0 / trials as f64);
            let (low, high) = Proportion { hits: 0, trials }.interval(0.95);
            assert_eq!(low, 0.0);
            near(high, 1.0 - root, 1e-9);
            let (low, high) = Proportion { hits: trials, trials }.interval(0.95);
            assert_eq!(high, 1.0);
            near(low, root, 1e-9);
        }
        // One of two: the ends solve p² = 0.975 and 1 − (1 − p)² = 0.025.
        let (low, high) = Proportion { hits: 1, trials: 2 }.interval(0.95);
        near(low, 1.0 - 0.975_f64.sqrt(), 1e-12);
        near(high, 0.975_f64.sqrt(), 1e-12);
        // As binom.test(10, 100) of R prints it.
        let (low, high) = Proportion { hits: 10, trials: 100 }.interval(0.95);
        near(low, 0.049_004_69, 1e-6);
        near(high, 0.176_222_60, 1e-6);
        assert_eq!(Proportion::default().interval(0.95), (0.0, 1.0));
        assert_eq!(Proportion::default().share(), 0.0);
    }
}
