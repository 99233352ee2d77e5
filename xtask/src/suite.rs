//! All tests: those that run anywhere, and the fleet set, which needs real machines.
//!
//! The fleet set is every test in `tests/fleet.rs` or `tests/fleet/` of any crate. Its tests are marked as ignored, so that a
//! plain `cargo test` counts them without running them.

use andon_testbed::machine::require_root;

use crate::agent::{self, Build};
use crate::failure::Failure;
use crate::packages;
use crate::program::{cargo, run, text};
use crate::step::{Outcome, Steps};

/// Runs everything and prints a summary.
pub(crate) fn test() -> Result<(), Failure> {
    let mut steps = Steps::default();
    add(&mut steps);
    steps.finish()
}

/// Runs everything as steps among others.
pub(crate) fn add(steps: &mut Steps) {
    let prepared = steps.run("packages for the tests", || packages::install_for_tests().map(passed))
        && steps.run("build andon and its agent", || build().map(passed));
    if !prepared {
        steps.skip("tests", "what they need could not be prepared");
        steps.skip("fleet tests", "what they need could not be prepared");
        return;
    }
    steps.run("tests", || run(cargo().args(["test", "--workspace", "--no-fail-fast"])).map(passed));
    steps.run("fleet tests", fleet);
}

/// The real binary looks for the agent beside itself, in tests too.
fn build() -> Result<(), Failure> {
    run(cargo().args(["build", "--package", "andon"]))?;
    agent::build(Build::Small).map(drop)
}

fn fleet() -> Result<Outcome, Failure> {
    if let Err(error) = require_root() {
        return Ok(Outcome::Skipped(format!("{error}. Not run: {}", fleet_names()?.join(", "))));
    }
    // One after another: each test has machines of its own, and a fault in time is the subject of most.
    run(cargo()
        .args(["test", "--workspace", "--test", "fleet", "--no-fail-fast", "--"])
        .args(["--include-ignored", "--test-threads=1"]))?;
    Ok(Outcome::Passed)
}

/// The names of all tests of the fleet set.
fn fleet_names() -> Result<Vec<String>, Failure> {
    let list = text(cargo().args(["test", "--workspace", "--test", "fleet", "--quiet", "--", "--list"]))?;
    Ok(list.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
}

fn passed((): ()) -> Outcome {
    Outcome::Passed
}
