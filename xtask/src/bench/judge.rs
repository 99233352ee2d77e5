//! What judging a release costs.
//!
//! The measuring is done by a bench of `andon-core`, in a process of its own; here its figures meet their budgets.

use serde_json::Value;

use super::table::{Peer, Row};
use crate::failure::Failure;
use crate::program::{cargo, text};

/// A figure of the bench, what to call it, and the most that it may be.
const BUDGETS: [(&str, &str, f64); 4] = [
    ("metric_tick_us", "one metric, one tick, 10 instances, µs", 5.0),
    ("fleet_core_percent", "50 metrics, 250 + 250 instances, 5 s ticks, % of a core", 5.0),
    ("fleet_canary_tick_ms", "50 metrics, 10 + 490 instances, one tick, ms", f64::INFINITY),
    ("metric_standing_us", "one metric in a standing, µs", f64::INFINITY),
];

/// Runs the bench and returns a row for each figure.
pub(super) fn measure() -> Result<Vec<Row>, Failure> {
    let printed = text(cargo().args(["bench", "--quiet", "--package", "andon-core", "--bench", "judge"]))?;
    let figures: Value = printed
        .lines()
        .last()
        .and_then(|line| serde_json::from_str(line).ok())
        .ok_or_else(|| Failure::Found("the bench of the judge printed no figures".to_owned()))?;
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
