//! The bets against the golden values, and against whatever may come.

use proptest::prelude::*;

use super::*;

fn close(found: f64, golden: f64) {
    assert!((found - golden).abs() <= 1e-9 * golden.abs(), "{found} is not {golden}");
}

/// One start, so the shares of [`STARTS`] play no part.
fn single(terms: &[f64; N]) -> f64 {
    let terms: [f64; N] = std::array::from_fn(|r| SHARES[r].ln() + terms[r]);
    ln_sum_exp(&terms)
}

const OUTCOMES: [(f64, f64); 4] = [(0.0, 5.0), (2.0, 4.0), (3.0, 5.0), (4.0, 6.0)];

fn golden_run(dispersion: f64, capped: bool) -> Vec<f64> {
    let (mut sums, mut seen) = ([0.0; N], Vec::new());
    for (x, y) in OUTCOMES {
        let gains = gains(&Trial { a: 250.0, b: 4750.0, x, y }, 1.1, dispersion).unwrap();
        if capped {
            add_capped(&mut sums, &mut [0.0; N], &gains);
        } else {
            (0..N).for_each(|r| sums[r] += gains[r]);
        }
        seen.push(single(&sums));
    }
    seen
}

#[test]
fn the_grid_has_its_golden_values() {
    let plain = [-0.4937304906114326, 0.6909637093194132, 3.219026350956836, 7.541239221077604];
    let tempered = [-0.30195193318146063, 0.3019587632475931, 1.4494150152099254, 3.3657079991333134];
    let capped = [-0.4937304906114326, 0.6909637093194132, 2.6634313428493877, 4.905781829679206];
    for (found, golden) in
        [(golden_run(1.0, false), plain), (golden_run(2.0, false), tempered), (golden_run(1.0, true), capped)]
    {
        found.into_iter().zip(golden).for_each(|(found, golden)| close(found, golden));
    }
}

#[test]
fn shares_add_up_to_one() {
    close(SHARES.iter().sum(), 1.0);
    close(STARTS.iter().map(|(_, share)| share).sum(), 1.0);
    assert!(Mixture::default().ln_capital().abs() < 1e-12);
    assert!(Harmless::default().ln_capital().abs() < 1e-12);
}

#[test]
fn a_burst_multiplies_by_ten_at_most_however_it_is_cut() {
    let whole = gains(&Trial { a: 100.0, b: 1900.0, x: 100.0, y: 0.0 }, 1.1, 1.0).unwrap();
    let fifth = gains(&Trial { a: 20.0, b: 380.0, x: 20.0, y: 0.0 }, 1.1, 1.0).unwrap();
    let (mut once, mut cut) = (Mixture::default(), Mixture::default());
    let beat = Beat { burst: 1, started: 1 };
    once.add(beat, &whole);
    (0..5).for_each(|_| cut.add(beat, &fifth));
    assert!(once.ln_capital() <= CAP);
    assert!((once.ln_capital() - cut.ln_capital()).abs() < 1e-12);
    cut.add(Beat { burst: 2, started: 1 }, &fifth);
    assert!(cut.ln_capital() > once.ln_capital());
}

#[test]
fn a_late_bet_has_not_lost_what_early_ones_have() {
    let (mut late, mut early) = (Mixture::default(), Mixture::default());
    for tick in 0..400_u32 {
        let faulty = tick >= 380;
        let trial = Trial { a: 500.0, b: 9500.0, x: if faulty { 5.0 } else { 0.5 }, y: 9.5 };
        let gains = gains(&trial, 1.1, 1.0).unwrap();
        late.add(Beat { burst: tick, started: 1 + (tick >= 370) as usize }, &gains);
        early.add(Beat { burst: tick, started: 1 }, &gains);
    }
    assert!(late.ln_capital() > early.ln_capital() + 5.0);
    assert_eq!(late.best_start(), 1);
}

#[test]
fn a_detector_sees_a_change_and_lets_it_go() {
    let mut detector = Detector::default();
    let mut tick = 0_u32;
    let mut run = |events: f64, ticks: u32| {
        for _ in 0..ticks {
            tick += 1;
            let gains = gains_over_forecast(events, 5.0, 1.5, 1.0).unwrap();
            detector.add(Beat { burst: tick, started: 1 }, u64::from(tick / 12), &gains);
        }
        detector.ln_capital()
    };
    assert!(run(5.0, 500) < 0.0);
    assert!(run(50.0, 20) > 1000_f64.ln());
    assert!(run(5.0, 100) < 0.0);
}

/// Under the null hypothesis a bet can't be expected to win: the exact expectation over independent arms, also where
/// events are not rare.
#[test]
fn a_bet_is_fair_for_every_probability() {
    fn binomial(n: u32, p: f64) -> Vec<f64> {
        let mut row = vec![1.0];
        for _ in 0..n {
            let mut next = vec![0.0; row.len() + 1];
            for (k, mass) in row.iter().enumerate() {
                next[k] += mass * (1.0 - p);
                next[k + 1] += mass * p;
            }
            row = next;
        }
        row
    }
    for p in [0.001, 0.1, 0.5, 0.9] {
        let (canary, control) = (binomial(10, p * 1.1), binomial(40, p));
        let mut expected = [0.0; N];
        for (x, in_canary) in canary.iter().enumerate() {
            for (y, in_control) in control.iter().enumerate() {
                let trial = Trial { a: 10.0, b: 40.0, x: x as f64, y: y as f64 };
                let gains = gains(&trial, 1.1, 1.0).unwrap();
                (0..N).for_each(|r| expected[r] += in_canary * in_control * gains[r].exp());
            }
        }
        assert!(expected.iter().all(|expected| *expected <= 1.0 + 1e-9), "{p}: {expected:?}");
    }
}

proptest! {
    #[test]
    fn no_number_breaks_the_sums(
        trials in proptest::collection::vec((any::<f64>(), any::<f64>(), any::<u64>(), any::<u64>()), 0..40),
        margin in 1.0..10.0, dispersion in 1.0..1e6,
    ) {
        let (mut mixture, mut harmless, mut detector) =
            (Mixture::default(), Harmless::default(), Detector::default());
        for (tick, (a, b, x, y)) in trials.into_iter().enumerate() {
            let trial = Trial { a, b, x: x as f64, y: y as f64 };
            let beat = Beat { burst: u32::try_from(tick).unwrap() / 3, started: tick };
            if let Some(gains) = gains(&trial, margin, dispersion) {
                mixture.add(beat, &gains);
            }
            if let Some(gains) = gains_over_forecast(trial.x, b, margin, dispersion) {
                detector.add(beat, tick as u64, &gains);
            }
            harmless.add(beat, &trial, 2.0, dispersion);
            harmless.add_over_forecast(beat, trial.x, b, 2.0, dispersion);
            for capital in [mixture.ln_capital(), harmless.ln_capital(), detector.ln_capital()] {
                prop_assert!(!capital.is_nan() && capital < f64::INFINITY, "{capital}");
            }
        }
    }
}
