//! A share of trials with its exact interval.
//!
//! Clopper and Pearson (1934): the interval holds the true share in at least 95 of 100 experiments, also for shares near
//! nought, where shortcuts don't.

use std::fmt;

use crate::generator::{float, ln_gamma};

/// So many of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Proportion {
    /// How often it happened.
    pub hits: u64,
    /// How often it could have.
    pub trials: u64,
}

impl Proportion {
    /// The share; 0 without trials.
    pub fn share(self) -> f64 {
        if self.trials == 0 { 0.0 } else { float(self.hits) / float(self.trials) }
    }

    /// The lower and the upper end of the 95 % interval.
    pub fn interval(self) -> (f64, f64) {
        let (hits, missed) = (float(self.hits), float(self.trials - self.hits));
        let low = if self.hits == 0 { 0.0 } else { beta_quantile(0.025, hits, missed + 1.0) };
        let high = if missed == 0.0 { 1.0 } else { beta_quantile(0.975, hits + 1.0, missed) };
        (low, high)
    }
}

impl fmt::Display for Proportion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = self.interval();
        write!(f, "{} [{}, {}]", percent(self.share()), percent(low), percent(high))
    }
}

/// A share in hundredths, with as many digits as a small share needs.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        p if p == 0.0 || p == 100.0 => format!("{p:.0} %"),
        p if p < 1.0 => format!("{p:.3} %"),
        p if p < 10.0 => format!("{p:.2} %"),
        p => format!("{p:.1} %"),
    }
}

/// The number below which a beta distribution has the share `of` of its mass, by halving.
fn beta_quantile(of: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if incomplete_beta(middle, a, b) < of {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// The regularised incomplete beta function, by Lentz' continued fraction (Abramowitz and Stegun 26.5.8).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    let ln_front = a * x.ln() + b * (-x).ln_1p() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b);
    let tiny = 1e-300;
    let keep = |number: f64| if number.abs() < tiny { tiny } else { number };
    let mut c = 1.0;
    let mut d = 1.0 / keep(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for step in 1..5_000 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / keep(1.0 + even * d);
        c = keep(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / keep(1.0 + odd * d);
        c = keep(1.0 + odd / c);
        fraction *= d * c;
        if (d * c - 1.0).abs() < 1e-15 {
            break;
        }
    }
    ln_front.exp() * fraction / a
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(hits: u64, trials: u64) -> (f64, f64) {
        Proportion { hits, trials }.interval()
    }

    #[test]
    fn the_interval_is_the_one_of_the_closed_form_where_there_is_one() {
        // Without a hit the upper end is 1 − (0.025)^(1/n).
        for trials in [10, 400, 3000, 8600] {
            let (low, high) = interval(0, trials);
            assert_eq!(low, 0.0);
            let expected = 1.0 - 0.025_f64.powf(1.0 / float(trials));
            assert!((high / expected - 1.0).abs() < 1e-9, "{high} for {expected}");
            let (low, high) = interval(trials, trials);
            assert_eq!(high, 1.0);
            assert!((low - (1.0 - expected)).abs() < 1e-9);
        }
    }

    #[test]
    fn the_interval_is_the_published_one() {
        // 10 of 100 and 3 of 8600, as R's binom.test gives them.
        let (low, high) = interval(10, 100);
        assert!((low - 0.049_004_69).abs() < 1e-7 && (high - 0.176_222_6).abs() < 1e-6, "{low} {high}");
        let (low, high) = interval(3, 8600);
        assert!((low - 7.194e-5).abs() < 2e-8 && (high - 1.019_1e-3).abs() < 2e-6, "{low} {high}");
    }

    #[test]
    fn the_incomplete_beta_function_is_a_binomial_tail() {
        // P(X ≥ 3) for 10 throws with a share of 0.2.
        let tail: f64 = 1.0 - 0.8_f64.powi(10) - 10.0 * 0.2 * 0.8_f64.powi(9) - 45.0 * 0.04 * 0.8_f64.powi(8);
        assert!((incomplete_beta(0.2, 3.0, 8.0) - tail).abs() < 1e-13);
    }

    #[test]
    fn shares_are_written_with_the_digits_that_matter() {
        assert_eq!(Proportion { hits: 0, trials: 3000 }.to_string(), "0 % [0 %, 0.123 %]");
        assert_eq!(Proportion { hits: 300, trials: 300 }.to_string(), "100 % [98.8 %, 100 %]");
    }
}
