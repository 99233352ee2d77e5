//! The wall clock, read in one place.

use std::time::{SystemTime, UNIX_EPOCH};

use andon_core::time::Time;

/// Where the present moment comes from: [`now`], or a simulation's own.
pub type Clock = fn() -> Time;

/// The present moment.
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
