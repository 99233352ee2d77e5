//! Moments for people: relative up to an hour, then the clock of the reader's zone.

use std::time::Duration;

use andon_core::quantity::format_duration;
use andon_core::time::Time;

/// `12 min ago`, `at 14:03:10`, `on 2026-11-18 at 09:12`.
pub(crate) fn ago(moment: Time, now: Time) -> String {
    let since = now.since(moment);
    match since.as_secs() {
        0..5 => "just now".to_owned(),
        5..60 => format!("{} s ago", since.as_secs()),
        60..3600 => format!("{} min ago", since.as_secs() / 60),
        3600..72_000 => format!("at {}", format(moment, "%H:%M")),
        _ => format!("on {}", format(moment, "%Y-%m-%d at %H:%M")),
    }
}

/// `14:03:10`
pub(crate) fn clock(moment: Time) -> String {
    format(moment, "%H:%M:%S")
}

/// `2026-11-18T09:12:03.120Z`, for programs.
pub(crate) fn iso(moment: Time) -> String {
    jiff::Timestamp::from_millisecond(moment.0).map(|stamp| format!("{stamp:.3}")).unwrap_or_default()
}

/// Seconds with one decimal, for programs.
pub(crate) fn seconds(span: Duration) -> f64 {
    (span.as_secs_f64() * 10.0).round() / 10.0
}

/// A span without fractions, for people.
pub(crate) fn span(span: Duration) -> String {
    format_duration(Duration::from_secs(span.as_secs()))
}

fn format(moment: Time, pattern: &str) -> String {
    match jiff::Timestamp::from_millisecond(moment.0) {
        Ok(stamp) => stamp.to_zoned(jiff::tz::TimeZone::system()).strftime(pattern).to_string(),
        Err(_) => format!("{} ms", moment.0),
    }
}
