//! How long a controller needs to know where 1,000 simulated hosts stand, after another one was killed at any append.
//!
//! The measuring is done by a bench of `andon-server`, in a process of its own; here its figures meet their budgets.

use serde_json::Value;

use super::table::{Peer, Row};
use crate::failure::Failure;
use crate::program::{cargo, text};

/// A figure of the bench, what to call it, and the most that it may be.
const BUDGETS: [(&str, &str, f64); 6] = [
    ("max_seconds", "killed at each append, 1,000 hosts: reconciled, the longest, s", 10.0),
    ("median_seconds", "the same, the median, s", f64::INFINITY),
    (
        "max_seconds_with_connections",
        "the same, over new connections of 0.5 s, 30 at once, the longest, s",
        10.0,
    ),
    ("median_seconds_with_connections", "the same, the median, s", f64::INFINITY),
    ("appends", "appends of the deployment, each one tried", f64::INFINITY),
    ("most_open_hosts", "open hosts, at most", f64::INFINITY),
];

/// Runs the bench and returns a row for each figure.
pub(super) fn measure() -> Result<Vec<Row>, Failure> {
    let printed =
        text(cargo().args(["bench", "--quiet", "--package", "andon-server", "--bench", "reconcile"]))?;
    let figures: Value = printed
        .lines()
        .last()
        .and_then(|line| serde_json::from_str(line).ok())
        .ok_or_else(|| Failure::Found("the bench of reconciling printed no figures".to_owned()))?;
    let row = |(name, title, most): &(&str, &str, f64)| {
        let missing = || Peer::NotMeasured(format!("the bench printed no {name}"));
        let budget = most.is_finite();
        Row {
            name: (*title).to_owned(),
            ours: figures[*name].as_f64().map_or_else(missing, Peer::Measured),
            peer: if budget { "budget" } else { "for information" }.to_owned(),
            theirs: if budget {
                Peer::Measured(*most)
            } else {
                Peer::NotMeasured("it has no budget".to_owned())
            },
            target: budget.then_some(1.0),
        }
    };
    Ok(BUDGETS.iter().map(row).collect())
}
