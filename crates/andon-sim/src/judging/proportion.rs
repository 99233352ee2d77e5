//! A share of trials with its exact interval, as it is written in the table.

use std::fmt;

use andon_core::proportion::Proportion as Exact;

use crate::generator::float;

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
        Exact { hits: self.hits, trials: self.trials }.interval(0.95)
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
    fn shares_are_written_with_the_digits_that_matter() {
        assert_eq!(Proportion { hits: 0, trials: 3000 }.to_string(), "0 % [0 %, 0.123 %]");
        assert_eq!(Proportion { hits: 300, trials: 300 }.to_string(), "100 % [98.8 %, 100 %]");
    }
}
