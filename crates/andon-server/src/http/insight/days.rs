//! When days begin, where somebody lives.

use andon_core::time::Time;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// The beginnings of the last `days` days in a zone, the present day included, and the end of that: one moment more than
/// there are days. Days in which a clock was changed have 23 or 25 hours.
pub(in crate::http) fn bounds(now: Time, days: u32, zone: &TimeZone) -> Vec<Time> {
    let Ok(stamp) = Timestamp::from_millisecond(now.0) else { return Vec::new() };
    let today = stamp.to_zoned(zone.clone()).date();
    let begin = |back: i64| {
        let day = today.checked_sub(Span::new().try_days(back).ok()?).ok()?;
        let midnight = day.to_zoned(zone.clone()).ok()?;
        Some(Time(midnight.timestamp().as_millisecond()))
    };
    (-1..i64::from(days)).rev().filter_map(begin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_on_which_a_clock_is_changed_is_longer_or_shorter() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let now: Timestamp = "2026-10-26T12:00:00Z".parse().unwrap();
        let bounds = bounds(Time(now.as_millisecond()), 3, &zone);
        let hours: Vec<i64> = bounds.windows(2).map(|pair| (pair[1].0 - pair[0].0) / 3_600_000).collect();
        assert_eq!(hours, [24, 25, 24]);
        assert_eq!(bounds.last().map(|it| it.iso()).as_deref(), Some("2026-10-26T23:00:00.000Z"));
    }
}
