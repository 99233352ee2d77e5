//! Moments as programs read them.

use andon_core::time::Time;

/// `2026-11-18T09:12:03.120Z`: RFC 3339, in UTC.
pub(super) fn rfc3339(moment: Time) -> String {
    jiff::Timestamp::from_millisecond(moment.0).map(|stamp| format!("{stamp:.3}")).unwrap_or_default()
}
