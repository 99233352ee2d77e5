//! The axis of values: where they stand, and how they are named.

use andon_core::time::Time;
use jiff::tz::TimeZone;

use crate::drawing::{AXIS, Anchor, Drawing, THIN, Text};
use crate::ink::Ink;
use crate::{ticks, typeface};

/// An axis of values, upwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ValueAxis {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) top: f32,
    pub(crate) bottom: f32,
}

impl ValueAxis {
    /// From zero, where values cannot be below it, to a round number above `values`.
    pub(crate) fn over(values: impl Iterator<Item = f64>, top: f32, bottom: f32) -> Self {
        let (mut lowest, mut highest) = (0.0_f64, 0.0_f64);
        for value in values.filter(|value| value.is_finite()) {
            lowest = lowest.min(value);
            highest = highest.max(value);
        }
        let (low, high) = ticks::range(lowest, highest);
        Self { low, high, top, bottom }
    }

    pub(crate) fn y(&self, value: f64) -> f32 {
        let share = (value - self.low) / (self.high - self.low);
        self.bottom - narrow(share.clamp(0.0, 1.0)) * (self.bottom - self.top)
    }

    /// How wide the names of values are, their distance to the axis included.
    pub(crate) fn room(&self, size: f32) -> f32 {
        let named = ticks::values(self.low, self.high);
        named.into_iter().map(|value| typeface::width(&ticks::number(value), size)).fold(0.0, f32::max) + 12.0
    }

    /// The helping lines from `left` to `right`, and their values beside them. They are not named nearer than letters
    /// of this size can be read.
    pub(crate) fn draw(&self, drawing: &mut Drawing, left: f32, right: f32, size: f32) {
        let named = ticks::values(self.low, self.high);
        let room = (self.bottom - self.top) / f32::from(u8::try_from(named.len().max(2) - 1).unwrap_or(20));
        let stride = if room < size * 1.5 { 2 } else { 1 };
        for value in named.into_iter().step_by(stride) {
            let y = self.y(value);
            drawing.line((left, y), (right, y), if value == 0.0 { AXIS } else { THIN });
            let text = ticks::number(value);
            drawing
                .text(Text::new(left - 7.0, y + size * 0.34, size, Ink::Quiet, text).anchored(Anchor::End));
        }
    }
}

/// A moment as a clock of `zone` shows it; nothing where no calendar has it.
pub(crate) fn clock_time(at: Time, pattern: &str, zone: &TimeZone) -> String {
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(stamp) => stamp.to_zoned(zone.clone()).strftime(pattern).to_string(),
        Err(_) => String::new(),
    }
}

#[allow(clippy::cast_possible_truncation, reason = "places on paper need no more digits")]
pub(crate) fn narrow(value: f64) -> f32 {
    value as f32
}

/// Points in order, without those that are no numbers, at most `most` of them: of several that fall together the highest
/// stays, since a peak must not be lost in the drawing.
pub(crate) fn thinned(points: &[(Time, f64)], most: usize) -> Vec<(Time, f64)> {
    let mut kept: Vec<(Time, f64)> = points.iter().copied().filter(|point| point.1.is_finite()).collect();
    kept.sort_by_key(|point| point.0);
    let stride = kept.len().div_ceil(most.max(1)).max(1);
    let peak = |points: &[(Time, f64)]| points.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
    kept.chunks(stride).filter_map(peak).collect()
}

/// Points parted where nothing was measured for three times as long as usual: a gap is not a value.
pub(crate) fn parted(points: &[(Time, f64)]) -> Vec<&[(Time, f64)]> {
    let mut gaps: Vec<i64> = points.windows(2).map(|pair| pair[1].0.0.saturating_sub(pair[0].0.0)).collect();
    gaps.sort_unstable();
    let usual = gaps.get(gaps.len() / 2).copied().unwrap_or(0).max(1);
    points.chunk_by(|one, next| next.0.0.saturating_sub(one.0.0) <= usual.saturating_mul(3)).collect()
}
