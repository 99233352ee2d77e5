//! What judging a release costs.
//!
//! The measuring is done by a bench of `andon-core`, in a process of its own; here its figures meet their budgets.

use super::figures::{Budget, Figures};
use super::table::Row;
use crate::failure::Failure;

/// A figure of the bench, what to call it, and the most that it may be.
const BUDGETS: [Budget; 4] = [
    ("metric_tick_us", "one metric, one tick, 10 instances, µs", Some(5.0)),
    ("fleet_core_percent", "50 metrics, 250 + 250 instances, 5 s ticks, % of a core", Some(5.0)),
    ("fleet_canary_tick_ms", "50 metrics, 10 + 490 instances, one tick, ms", None),
    ("metric_standing_us", "one metric in a standing, µs", None),
];

/// Runs the bench and returns a row for each figure.
pub(super) fn measure() -> Result<Vec<Row>, Failure> {
    Ok(Figures::of("andon-core", "judge", &[])?.rows(&BUDGETS))
}
