//! Moments as people type them: a span before now, a day, a moment by the clock of their zone, or as programs write it.

use andon_core::quantity::parse_duration;
use andon_core::time::Time;
use jiff::tz::TimeZone;

/// The moment that `text` means.
///
/// # Errors
/// It means none; the sentence shows what would.
pub(crate) fn moment(text: &str, now: Time, zone: &TimeZone) -> Result<Time, String> {
    if let Ok(span) = parse_duration(text) {
        let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        return Ok(Time(now.0.saturating_sub(millis)));
    }
    let moment = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let civil = text.parse::<jiff::civil::DateTime>().ok()?;
        civil.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp())
    });
    moment.map(|moment| Time(moment.as_millisecond())).ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        format!("“{shown}” is no moment; for example 7d, 2026-11-28 or 2026-11-28T09:00")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_span_a_day_or_a_clock_of_the_readers_zone() {
        let now = Time(1_795_856_400_000); // 2026-11-28T09:00:00Z
        let berlin = TimeZone::fixed(jiff::tz::offset(1));
        let read = |text| moment(text, now, &berlin);
        assert_eq!(read("7d"), Ok(Time(now.0 - 7 * 86_400_000)));
        assert_eq!(read("2026-11-28T09:00:00Z"), Ok(now));
        assert_eq!(read("2026-11-28T10:00"), Ok(now));
        assert_eq!(read("2026-11-28"), Ok(Time(now.0 - 10 * 3_600_000)));
        for wrong in ["", "yesterday", "28.11.2026", "7", "<script>"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
