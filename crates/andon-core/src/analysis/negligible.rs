//! Rates so low that no ratio makes them harm: a release without a single error passes although nothing can be divided.
//!
//! The null hypothesis is "the rate is at least the negligible one"; the bets are on lower rates. The likelihood ratio of
//! a lower rate against the bound only shrinks with every event, so its expectation under any larger rate is at most 1:
//! an e-process, valid at every moment (Ville 1939), as is the average of several (Vovk & Wang 2021, *E-values*).

use super::evidence::ln_sum_exp;

/// The lower rates that are bet on, as parts of the bound.
const BETS: [f64; 4] = [0.0, 0.1, 0.3, 0.6];

/// The natural logarithm of the evidence that `events` out of `of` come from a rate below `bound` (0 to 1), where counts
/// vary `dispersion` (at least 1) times as much as independent events would. Nothing is proven below a bound of 0.
pub(super) fn ln_below(events: f64, of: f64, bound: f64, dispersion: f64) -> f64 {
    let means_something = bound > 0.0 && bound < 1.0 && of > 0.0;
    if !means_something {
        return f64::NEG_INFINITY;
    }
    let (events, well) = (events.min(of), (of - events).max(0.0));
    let ratio = |part: f64| {
        let bad = if events > 0.0 { events * part.ln() } else { 0.0 };
        let good = well * ((-part * bound).ln_1p() - (-bound).ln_1p());
        // What is divided by a dispersion of at least 1 stays an e-process (Jensen's inequality).
        (bad + good) / dispersion.max(1.0) - (BETS.len() as f64).ln()
    };
    ln_sum_exp(&BETS.map(ratio))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_events_in_enough_opportunities_are_below_the_bound() {
        let passes = |events, of| ln_below(events, of, 0.001, 1.0) >= (1.0_f64 / 0.05).ln();
        assert!(!passes(0.0, 2_000.0));
        assert!(passes(0.0, 5_000.0));
        assert!(!passes(5.0, 5_000.0), "five in 5,000 are the bound itself");
        assert!(passes(5.0, 20_000.0));
        assert!(!passes(40.0, 20_000.0), "twice the bound");
    }

    #[test]
    fn nothing_and_nonsense_prove_nothing() {
        for (of, bound) in [(0.0, 0.1), (100.0, 0.0), (100.0, 1.0), (100.0, f64::NAN), (f64::NAN, 0.1)] {
            assert_eq!(ln_below(0.0, of, bound, 1.0), f64::NEG_INFINITY);
        }
        assert!(ln_below(200.0, 100.0, 0.1, 1.0) < 0.0);
        assert!(ln_below(0.0, 5_000.0, 0.001, 4.0) < ln_below(0.0, 5_000.0, 0.001, 1.0));
        assert!(!ln_below(1e19, 1e19, 0.5, 1.0).is_nan());
    }
}
