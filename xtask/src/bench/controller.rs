//! What the controller itself costs: a plan and a deployment over 1,000 simulated hosts.
//!
//! The measuring is done by a bench of `andon-server`, in a process of its own; here its figures meet their budgets.

use serde_json::Value;

use super::table::{Peer, Row};
use crate::failure::Failure;
use crate::program::{cargo, text};

/// A figure of the bench, what to call it, and the most that it may be.
const BUDGETS: [(&str, &str, f64); 4] = [
    ("plan_seconds", "plan + preflight of 1,000 hosts, s", 2.0),
    ("overhead_seconds", "1,000-host deployment, wall above ideal, s", 0.05),
    ("peak_memory_mib", "1,000-host deployment, peak memory, MiB", 150.0),
    ("cpu_seconds", "1,000-host deployment, controller CPU, s", f64::INFINITY),
];

/// Runs the bench and returns a row for each figure.
pub(super) fn measure() -> Result<Vec<Row>, Failure> {
    let printed =
        text(cargo().args(["bench", "--quiet", "--package", "andon-server", "--bench", "thousand_hosts"]))?;
    let figures: Value = printed
        .lines()
        .last()
        .and_then(|line| serde_json::from_str(line).ok())
        .ok_or_else(|| Failure::Found("the bench of the controller printed no figures".to_owned()))?;
    let number = |name: &str| figures[name].as_f64();
    let ideal = number("ideal_seconds").unwrap_or_default();
    Ok(BUDGETS
        .iter()
        .map(|(name, title, most)| {
            // The overhead may be a share of the ideal time of the run that was measured.
            let (peer, most) = match *name {
                "overhead_seconds" => (format!("5 % of the ideal {ideal:.1} s"), most * ideal),
                _ => ("budget".to_owned(), *most),
            };
            let missing = || Peer::NotMeasured(format!("the bench printed no {name}"));
            Row {
                name: (*title).to_owned(),
                ours: number(name).map_or_else(missing, Peer::Measured),
                peer: if most.is_finite() { peer } else { "for information".to_owned() },
                theirs: if most.is_finite() {
                    Peer::Measured(most)
                } else {
                    Peer::NotMeasured("it has no budget".into())
                },
                target: most.is_finite().then_some(1.0),
            }
        })
        .collect())
}
