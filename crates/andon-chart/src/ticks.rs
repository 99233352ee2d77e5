//! Round numbers for the axes of a chart.

use andon_core::time::Time;

/// About so many steps on the axis of values.
const STEPS: f64 = 5.0;
/// At most so many moments on the axis of time.
const MOMENTS: i64 = 7;
/// Spans between two moments that people count in, in milliseconds.
const SPANS: [i64; 16] = [
    1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000,
    3_600_000, 10_800_000, 21_600_000, 43_200_000,
];

/// The distance between two values on the axis: 1, 2, 2.5 or 5 times a power of ten.
fn step(low: f64, high: f64) -> f64 {
    let raw = (high - low) / STEPS;
    let power = 10_f64.powf(raw.log10().floor());
    let rounded = [1.0, 2.0, 2.5, 5.0].into_iter().find(|factor| raw <= factor * power * 1.000_001);
    rounded.unwrap_or(10.0) * power
}

/// Bounds on round numbers around `low` and `high`.
pub(crate) fn range(low: f64, high: f64) -> (f64, f64) {
    // Numbers too large to be added up would leave no room to draw in.
    let (low, high) = (low.clamp(-1e300, 1e300), high.clamp(-1e300, 1e300));
    let high = if high - low < f64::MIN_POSITIVE.sqrt() { low + 1.0 } else { high };
    let step = step(low, high);
    let (low, top) = ((low / step).floor() * step, (high / step).ceil() * step);
    // A line at the very edge is hard to read.
    if high > 0.0 && (top - high) < step * 0.05 { (low, top + step / 2.0) } else { (low, top) }
}

/// The values that are named.
pub(crate) fn values(low: f64, high: f64) -> Vec<f64> {
    let step = step(low, high);
    let first = (low / step).ceil();
    let named = (0..20_u32).map(|n| (first + f64::from(n)) * step);
    // Minus zero and dust of the division are zero.
    let clean = named.map(|value| if value.abs() < step / 1e6 { 0.0 } else { value });
    clean.take_while(|value| *value <= high + step / 1e6).collect()
}

/// A number for people: three digits that count, thousands and millions as such.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    let short = |value: f64, digits: usize| {
        let text = format!("{value:.digits$}");
        let trimmed =
            if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        trimmed.to_owned()
    };
    match size {
        0.0 => "0".to_owned(),
        _ if !(1e-4..1e12).contains(&size) => format!("{value:.1e}"),
        _ if size >= 1e9 => format!("{}G", short(value / 1e9, 1)),
        _ if size >= 1e6 => format!("{}M", short(value / 1e6, 1)),
        _ if size >= 1e4 => format!("{}k", short(value / 1e3, 1)),
        _ if size >= 100.0 => short(value, 0),
        _ if size >= 10.0 => short(value, 1),
        _ if size >= 1.0 => short(value, 2),
        _ if size >= 0.1 => short(value, 3),
        _ => short(value, 5),
    }
}

/// The span between two named moments, in milliseconds.
pub(crate) fn clock_step(from: Time, to: Time) -> i64 {
    let whole = to.0.saturating_sub(from.0).max(1);
    let fits = SPANS.into_iter().find(|span| whole / span <= MOMENTS);
    // Longer than a week: whole days.
    fits.unwrap_or_else(|| whole.div_euclid(MOMENTS).div_euclid(86_400_000).max(1) * 86_400_000)
}

/// The moments that are named.
pub(crate) fn moments(from: Time, to: Time, step: i64) -> Vec<Time> {
    let first = from.0.div_euclid(step).saturating_mul(step);
    (0..=MOMENTS + 2)
        .map(|n| Time(first.saturating_add(n.saturating_mul(step))))
        .filter(|at| *at >= from && *at <= to)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_numbers_and_hold_what_they_must() {
        assert_eq!(range(0.0, 9.3), (0.0, 10.0));
        assert_eq!(values(0.0, 10.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        for (low, high) in
            [(0.0, 0.0), (0.0, 1e-9), (-5.0, 3.0), (0.0, f64::MAX), (0.0, 0.07), (-1e-300, 0.0)]
        {
            let (bottom, top) = range(low, high);
            assert!(
                bottom <= low && top > bottom && (top >= high || high > 1e300),
                "{low} {high}: {bottom} {top}"
            );
            let named = values(bottom, top);
            assert!((1..=12).contains(&named.len()), "{low} {high}: {named:?}");
        }
    }

    #[test]
    fn numbers_are_short() {
        let shown: Vec<String> =
            [0.0, 0.07, 0.123_45, 1.5, 12.34, 250.0, 12_345.0, 2.5e6, 3e9, 1e15].map(number).into();
        assert_eq!(shown, ["0", "0.07", "0.123", "1.5", "12.3", "250", "12.3k", "2.5M", "3G", "1.0e15"]);
    }

    #[test]
    fn few_moments_are_named_however_long_it_took() {
        for seconds in [1, 7, 60, 221, 3_600, 86_400, 86_400 * 40] {
            let (from, to) = (Time(1_700_000_123_456), Time(1_700_000_123_456 + seconds * 1000));
            let named = moments(from, to, clock_step(from, to)).len();
            assert!((1..=9).contains(&named), "{seconds} s: {named}");
        }
    }
}
