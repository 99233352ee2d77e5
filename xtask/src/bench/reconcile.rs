//! How long a controller needs to know where 1,000 simulated hosts stand, after another one was killed at any append.
//!
//! The measuring is done by a bench of `andon-server`, in a process of its own; here its figures meet their budgets.

use super::figures::{Budget, Figures};
use super::table::Row;
use crate::failure::Failure;

/// A figure of the bench, what to call it, and the most that it may be.
const BUDGETS: [Budget; 6] = [
    ("max_seconds", "killed at each append, 1,000 hosts: reconciled, the longest, s", Some(10.0)),
    ("median_seconds", "the same, the median, s", None),
    (
        "max_seconds_with_connections",
        "the same, over new connections of 0.5 s, 30 at once, the longest, s",
        Some(10.0),
    ),
    ("median_seconds_with_connections", "the same, the median, s", None),
    ("appends", "appends of the deployment, each one tried", None),
    ("most_open_hosts", "open hosts, at most", None),
];

/// Runs the bench and returns a row for each figure.
pub(super) fn measure() -> Result<Vec<Row>, Failure> {
    Ok(Figures::of("andon-server", "reconcile", &[])?.rows(&BUDGETS))
}
