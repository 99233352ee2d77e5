//! What the traffic of an analysis could have shown.

use super::bounds::Cells;
use super::evidence::{RATIOS, SHARES};

/// The ratios that people are told of.
const TOLD: [f64; 13] = [1.2, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0];

/// The least ratio of rates whose expected evidence, over what was compared, reaches `needed` (a logarithm) with the
/// best bet: the expected gain of a bet on `r'` is `x ln r' − (x+y) ln(1 + (r'−1)θ)` with `x = rλa`, `y = λb`. `None`
/// when not even a hundredfold one does.
pub(crate) fn least_visible(cells: &Cells, dispersion: f64, needed: f64) -> Option<f64> {
    let (mut events, mut exposure) = (0.0, 0.0);
    cells.trials().for_each(|trial| {
        events += trial.x + trial.y;
        exposure += trial.a + trial.b;
    });
    // Without a single event the rate is about as likely as not below one in all that was seen.
    let rate = f64::max(events, 0.7) / exposure;
    let gain = |real: f64, bet: f64| {
        let of = |a: f64, b: f64| {
            let (x, y) = (real * rate * a, rate * b);
            x * bet.ln() - (x + y) * ((bet - 1.0) * a / (a + b)).ln_1p()
        };
        cells.trials().map(|trial| of(trial.a, trial.b)).sum::<f64>() / dispersion
    };
    TOLD.into_iter()
        .find(|real| RATIOS.iter().zip(SHARES).any(|(bet, share)| gain(*real, *bet) + share.ln() >= needed))
}
