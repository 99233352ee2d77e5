//! Everything that must hold before a change is taken, the cheap checks first.

use crate::calibrate::{self, Calibration};
use crate::failure::Failure;
use crate::fuzz::{self, Fuzzing};
use crate::program::{cargo, output, program, run, succeeds};
use crate::sim::{self, Simulation};
use crate::step::{Outcome, Steps};
use crate::{edges, suite, tidy};

/// Runs every check and every test, and prints a summary.
pub(crate) fn ci() -> Result<(), Failure> {
    let mut steps = Steps::default();
    steps.run("tidy", || tidy::tidy().map(passed));
    steps.run("edges", || edges::edges().map(passed));
    steps.run("tools", || tools().map(passed));
    steps.run("fmt", || run(cargo().args(["fmt", "--all", "--", "--check"])).map(passed));
    steps.run("deny: licences, bans, sources", || {
        run(cargo().args(["deny", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"]))
            .map(passed)
    });
    steps.run("deny: advisories", advisories);
    steps.run("clippy", || {
        run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])).map(passed)
    });
    steps.run("calibrate", || calibrate::calibrate(&Calibration::quick()).map(passed));
    steps.run("sim", || sim::sim(&Simulation::quick()).map(passed));
    suite::add(&mut steps);
    // Behind the tests, for which all that others wrote is built already.
    steps.run("fuzz", || fuzz::fuzz(&Fuzzing::quick()).map(passed));
    steps.finish()
}

/// The parts of the toolchain and the programs that the checks need, installed when missing.
fn tools() -> Result<(), Failure> {
    if !succeeds(cargo().args(["fmt", "--version"])) || !succeeds(cargo().args(["clippy", "--version"])) {
        run(program("rustup").args(["component", "add", "rustfmt", "clippy"]))?;
    }
    if !succeeds(cargo().args(["deny", "--version"])) {
        run(cargo().args(["install", "cargo-deny", "--version", "0.20.2", "--locked"]))?;
    }
    Ok(())
}

/// The list of advisories comes over the network. Without it nothing was checked, and the summary says so.
fn advisories() -> Result<Outcome, Failure> {
    let mut command = cargo();
    command.args(["deny", "check", "advisories"]);
    let output = output(&mut command)?;
    if output.status.success() {
        return Ok(Outcome::Passed);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("failed to fetch advisory database") {
        return Ok(Outcome::Skipped("the advisory database could not be fetched".to_owned()));
    }
    eprint!("{said}");
    Err(Failure::Program { command: crate::program::line(&command) })
}

fn passed((): ()) -> Outcome {
    Outcome::Passed
}
