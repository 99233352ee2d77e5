//! The rule of Kayenta's judge: a Mann–Whitney test with an effect that must be exceeded.
//!
//! As its source publishes it (`NetflixACAJudge`, `MannWhitneyClassifier`: a confidence of 0.98, a tolerance of 0.25): a
//! metric is *high* when the lower bound of the confidence interval of the shift between canary and control is above a
//! quarter of the estimated shift. Interval and estimate are the asymptotic ones of R's `wilcox.test`, with ties and the
//! correction for continuity. Here every metric is critical, points are minutes, and the rule is asked every minute.

use crate::judging::normal;

/// The confidence of the interval.
const CONFIDENCE: f64 = 0.98;

/// The part of the estimated shift that the bound must exceed.
const TOLERANCE: f64 = 0.25;

/// Whether the canary is called high against the control group.
pub fn is_high(control: &[f64], canary: &[f64]) -> bool {
    let (Some(range), false) = (range(control, canary), control == canary) else { return false };
    if range.1 <= range.0 {
        return false;
    }
    // No shift is tolerated more easily than nought: where nought is not excluded, nothing is.
    let quantile = quantile(CONFIDENCE);
    let Some(at_nought) = standardised(control, canary, 0.0) else { return false };
    if at_nought <= quantile {
        return false;
    }
    let estimate = root(control, canary, 0.0, range);
    root(control, canary, quantile, range) > TOLERANCE * estimate.abs()
}

/// The smallest and the largest difference of two points.
fn range(control: &[f64], canary: &[f64]) -> Option<(f64, f64)> {
    let ends = |points: &[f64]| {
        (!points.is_empty()).then(|| {
            points
                .iter()
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), p| (low.min(*p), high.max(*p)))
        })
    };
    let ((control_low, control_high), (canary_low, canary_high)) = (ends(control)?, ends(canary)?);
    Some((canary_low - control_high, canary_high - control_low))
}

/// How far up the ranks of the canary are when `shift` is taken from it, in standard deviations; `None` when all points
/// are tied.
fn standardised(control: &[f64], canary: &[f64], shift: f64) -> Option<f64> {
    let (excess, sd) = excess(control, canary, shift);
    let correction = if excess == 0.0 { 0.0 } else { 0.5 * excess.signum() };
    (sd > 0.0).then(|| (excess - correction) / sd)
}

/// The rank statistic less its expectation, and its standard deviation.
fn excess(control: &[f64], canary: &[f64], shift: f64) -> (f64, f64) {
    let mut points: Vec<(f64, bool)> = canary.iter().map(|point| (point - shift, true)).collect();
    points.extend(control.iter().map(|point| (*point, false)));
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut ranks, mut ties, mut before) = (0.0, 0.0, 0.0);
    for tied in points.chunk_by(|a, b| a.0 == b.0) {
        let size = count(tied.len());
        let members = count(tied.iter().filter(|(_, canary)| *canary).count());
        ranks += members * (before + (size + 1.0) / 2.0);
        ties += size.powi(3) - size;
        before += size;
    }
    let (n, m) = (count(canary.len()), count(control.len()));
    let all = n + m;
    let variance = n * m / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
    (ranks - n * (n + 1.0) / 2.0 - n * m / 2.0, variance.max(0.0).sqrt())
}

/// The shift at which the statistic falls to `quantile`, by halving.
fn root(control: &[f64], canary: &[f64], quantile: f64, (mut low, mut high): (f64, f64)) -> f64 {
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        match standardised(control, canary, middle) {
            Some(value) if value > quantile => low = middle,
            _ => high = middle,
        }
    }
    f64::midpoint(low, high)
}

/// The standard normal quantile that leaves half of what `confidence` does not cover above it.
fn quantile(confidence: f64) -> f64 {
    let above = (1.0 - confidence) / 2.0;
    let (mut low, mut high) = (0.0, 8.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if normal::above(middle) > above {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

#[expect(clippy::cast_precision_loss, reason = "as many points as minutes")]
fn count(points: usize) -> f64 {
    points as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_sided(x: &[f64], y: &[f64]) -> (f64, f64) {
        let (excess, sd) = excess(y, x, 0.0);
        let u = excess + count(x.len()) * count(y.len()) / 2.0;
        (u, 2.0 * normal::above((excess.abs() - 0.5) / sd))
    }

    #[test]
    fn statistic_and_probability_are_the_golden_ones() {
        let (u, p) = two_sided(&[19.0, 22.0, 16.0, 29.0, 24.0], &[20.0, 11.0, 17.0, 12.0]);
        assert_eq!(u, 17.0);
        assert!((p / 0.111_346_886_533_140_41 - 1.0).abs() < 1e-9, "{p}");
        let mut x = vec![100.0; 7];
        x.extend([1.0; 3]);
        let (u, p) = two_sided(&x, &[1.0; 10]);
        assert_eq!(u, 85.0);
        assert!((p / 0.001_616_772_830_620_606 - 1.0).abs() < 1e-9, "{p}");
    }

    #[test]
    fn five_points_all_above_are_the_least_that_it_accuses() {
        let old = [1.0, 1.1, 1.2, 1.3, 1.4];
        let new = [3.0, 3.1, 3.2, 3.3, 3.4];
        assert!(!is_high(&old[..4], &new[..4]));
        assert!(is_high(&old, &new));
        assert!(!is_high(&new, &old));
    }

    #[test]
    fn what_is_equal_or_missing_is_not_high() {
        assert!(!is_high(&[0.0; 9], &[0.0; 9]));
        assert!(!is_high(&[], &[1.0; 9]));
        assert!(!is_high(&[1.0; 9], &[]));
    }
}
