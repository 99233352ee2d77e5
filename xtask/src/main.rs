//! `cargo xtask`: everything that is done to the project rather than with it.
//!
//! Each subcommand is one module. A person and CI run the same commands; nothing here is part of what users run.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program talks to the person at the terminal"
)]

mod agent;
mod bench;
mod calibrate;
mod ci;
mod compat;
mod dist;
mod edges;
mod failure;
mod fleet;
mod fuzz;
mod machines;
mod packages;
mod program;
mod sim;
mod step;
mod suite;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Failure;

/// Tests, checks, benches and machines of the project.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run all tests; as root on Debian, install what they need first
    Test,
    /// Run all checks, the cheap ones first, then all tests: exactly what CI runs
    Ci,
    /// Check the house rules: file openings, sizes, names, links, words
    Tidy,
    /// Check which crate depends on which
    Edges,
    /// Build the static agent and put it beside the built `andon`
    Agent {
        /// Build without optimisation: quicker to build, and no limit on the size
        #[arg(long)]
        debug: bool,
    },
    /// Simulate deployments, and say how well they are judged; fails when a target is missed
    Calibrate(calibrate::Calibration),
    /// Try hostile input on everything that reads what comes from outside; fails when one does harm
    Fuzz(fuzz::Fuzzing),
    /// Let the program of another revision and today's meet on one ledger and on the same hosts
    Compat {
        /// The other revision
        #[arg(long, value_name = "REV", default_value = "HEAD~1")]
        with: String,
        /// A program that was built from it already
        #[arg(long, value_name = "FILE")]
        built: Option<std::path::PathBuf>,
    },
    /// Play deployments through crashes, power cuts and bad networks; fails when an invariant does not hold
    Sim(sim::Simulation),
    /// Build what is handed out, into `dist/`
    Dist,
    /// Boot Debian machines for trying things, until Enter is pressed or a command has ended, or for faults to strike them
    Fleet(fleet::FleetArgs),
    /// Look after the machines that tests boot
    Machines {
        #[command(subcommand)]
        task: MachinesTask,
    },
    /// Look at every page of 1,000 hosts and 100,000 deployments in a real browser; fails when something is broken
    Screens,
    /// Measure Andon against other tools, side by side on this machine
    Bench {
        /// Only the benches whose name contains this; `proxy-soak` looks for growing memory, and runs by name only
        filter: Option<String>,
        /// Requests of `proxy-soak`
        #[arg(long, value_name = "COUNT", default_value_t = 50_000_000)]
        requests: u64,
        /// How many deployments in a row `no-request-lost` makes through each balancer
        #[arg(long, default_value_t = 2)]
        runs: u32,
        /// Install the tools to compare with: Debian packages, and pyinfra below `target/`
        #[arg(long)]
        install_peers: bool,
    },
}

#[derive(Debug, Subcommand)]
enum MachinesTask {
    /// Remove what killed runs left behind: containers, mounts, files and bridges
    Clean {
        /// Wait first until the standard input ends, which is when the process that holds its other end does
        #[arg(long, hide = true)]
        when_stdin_closes: bool,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nerror: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<(), Failure> {
    match task {
        Task::Test => suite::test(),
        Task::Ci => ci::ci(),
        Task::Tidy => tidy::tidy(),
        Task::Edges => edges::edges(),
        Task::Agent { debug } => {
            agent::build(if debug { agent::Build::Debug } else { agent::Build::Small }).map(drop)
        }
        Task::Calibrate(calibration) => calibrate::calibrate(&calibration),
        Task::Fuzz(fuzzing) => fuzz::fuzz(&fuzzing),
        Task::Compat { with, built } => compat::compat(&with, built),
        Task::Sim(simulation) => sim::sim(&simulation),
        Task::Dist => dist::dist(),
        Task::Fleet(args) => fleet::fleet(&args),
        Task::Machines { task: MachinesTask::Clean { when_stdin_closes } } => {
            machines::clean(when_stdin_closes)
        }
        Task::Screens => bench::screens(),
        Task::Bench { filter: Some(filter), requests, .. } if filter == "proxy-soak" => bench::soak(requests),
        Task::Bench { filter, runs, install_peers, .. } => {
            bench::bench(filter.as_deref(), runs, install_peers)
        }
    }
}
