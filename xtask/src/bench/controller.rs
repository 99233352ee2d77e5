//! What the controller itself costs: a plan and a deployment over 1,000 simulated hosts.
//!
//! The measuring is done by a bench of `andon-server`, in a process of its own; here its figures meet their budgets.

use super::figures::{Budget, Figures};
use super::table::{Peer, Row};
use crate::failure::Failure;

/// A figure of the bench, what to call it, and the most that it may be.
const BUDGETS: [Budget; 4] = [
    ("plan_seconds", "plan + preflight of 1,000 hosts, s", Some(2.0)),
    ("overhead_seconds", "1,000-host deployment, wall above ideal, s", Some(0.05)),
    ("peak_memory_mib", "1,000-host deployment, peak memory, MiB", Some(150.0)),
    ("cpu_seconds", "1,000-host deployment, controller CPU, s", None),
];

/// Runs the bench and returns a row for each figure.
pub(super) fn measure() -> Result<Vec<Row>, Failure> {
    let figures = Figures::of("andon-server", "thousand_hosts", &[])?;
    let ideal = match figures.get("ideal_seconds") {
        Peer::Measured(ideal) => ideal,
        Peer::NotMeasured(_) => 0.0,
    };
    let row = |(name, title, most): &Budget| match *name {
        // The overhead may be a share of the ideal time of the run that was measured.
        "overhead_seconds" => Row {
            peer: format!("5 % of the ideal {ideal:.1} s"),
            ..Row::within(title, figures.get(name), most.map(|share| share * ideal))
        },
        _ => Row::within(title, figures.get(name), *most),
    };
    Ok(BUDGETS.iter().map(row).collect())
}
