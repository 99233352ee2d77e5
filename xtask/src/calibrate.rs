//! The table of how well releases are judged: built with optimisation, for it is arithmetic for minutes.

use std::path::PathBuf;

use clap::Args;

use crate::failure::Failure;
use crate::program::{cargo, program, run, text};

/// What is simulated.
#[derive(Debug, Default, Args)]
pub(crate) struct Calibration {
    /// Few deployments: a minute instead of half an hour, and only what is surely wrong counts as missed
    #[arg(long)]
    quick: bool,
    /// Print what was said of every release that was called bad
    #[arg(long)]
    why: bool,
    /// Where all chance comes from
    #[arg(long)]
    seed: Option<u64>,
    /// Write the table here as well
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Only the rows whose section, name or fleet contains this
    #[arg(long, value_name = "NAME")]
    row: Option<String>,
    /// Deployments of every row, instead of its own number
    #[arg(long, value_name = "COUNT")]
    runs: Option<u64>,
    /// Seconds between two ticks of every row, instead of its own
    #[arg(long, value_name = "SECONDS")]
    tick: Option<f64>,
    /// Threads; as many as there are cores, when not given
    #[arg(long)]
    threads: Option<usize>,
}

impl Calibration {
    /// What CI runs.
    pub(crate) fn quick() -> Self {
        Self { quick: true, ..Self::default() }
    }
}

/// Makes the table; fails when a target was missed.
pub(crate) fn calibrate(calibration: &Calibration) -> Result<(), Failure> {
    let commit = text(program("git").args(["describe", "--always", "--dirty"]))?;
    let mut command = cargo();
    command.args([
        "run",
        "--quiet",
        "--release",
        "--package",
        "andon-sim",
        "--bin",
        "andon-sim",
        "--",
        "--commit",
        commit.trim(),
    ]);
    if calibration.quick {
        command.arg("--quick");
    }
    if calibration.why {
        command.arg("--why");
    }
    for (option, value) in [
        ("--seed", calibration.seed.map(|seed| seed.to_string())),
        ("--row", calibration.row.clone()),
        ("--runs", calibration.runs.map(|runs| runs.to_string())),
        ("--tick", calibration.tick.map(|tick| tick.to_string())),
        ("--threads", calibration.threads.map(|threads| threads.to_string())),
    ] {
        if let Some(value) = value {
            command.args([option, &value]);
        }
    }
    if let Some(path) = &calibration.out {
        command.arg("--out").arg(path);
    }
    run(&mut command)
}
