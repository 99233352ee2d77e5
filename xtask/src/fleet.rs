//! Debian machines: to try things on by hand, or to see what faults do to a deployment.

use std::env;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use andon_testbed::{Fleet, Machine};

use clap::Args;

use crate::failure::Failure;
use crate::program;

mod scenario;

/// Which machines, and for what.
#[derive(Debug, Args)]
pub(crate) struct FleetArgs {
    /// How many machines
    #[arg(default_value_t = 3, conflicts_with = "scenario", value_name = "MACHINES")]
    count: usize,
    /// Deploy to them under constant load while this fault strikes; `all` lives through all of them
    #[arg(long, value_name = "NAME|all")]
    scenario: Option<String>,
    /// How many machines the fault meets, the one of HAProxy among them
    #[arg(long, value_name = "COUNT", default_value_t = 20, requires = "scenario")]
    machines: usize,
    /// Write the table of what came of the faults to this file, too
    #[arg(long, value_name = "FILE", requires = "scenario")]
    table: Option<PathBuf>,
    /// A command to run instead of waiting, with ANDON_FLEET_CONFIG set to the ssh configuration
    #[arg(last = true)]
    command: Vec<String>,
}

/// Boots machines for a person or for faults.
pub(crate) fn fleet(args: &FleetArgs) -> Result<(), Failure> {
    match &args.scenario {
        Some(name) => scenario::scenario(name, args.machines, args.table.as_deref()),
        None => by_hand(args.count, &args.command),
    }
}

/// Boots `machines` machines and keeps them until Enter is pressed or `command` has ended.
fn by_hand(machines: usize, command: &[String]) -> Result<(), Failure> {
    // An interrupt ends this process without a chance to clean up; the guard outlives it and does.
    let _guard = guard()?;
    let fleet = Fleet::boot(machines)?;
    let config = fleet.ssh_config();
    for machine in fleet.machines() {
        println!("{}  {}", machine.name(), Machine::address(machine));
    }
    println!("users: deploy (sudo), nopass (sudo asks for a password), root\n");
    println!("  ssh -F {} web1\n", config.display());
    let Some((name, arguments)) = command.split_first() else {
        println!("Enter ends the machines.");
        let waited = io::stdin().read_line(&mut String::new());
        return waited.map(drop).map_err(|source| Failure::Io { doing: "wait for Enter".to_owned(), source });
    };
    program::run(Command::new(name).args(arguments).env("ANDON_FLEET_CONFIG", &config))
}

/// A process that removes this one's machines when this one has ended in whatever way.
fn guard() -> Result<Child, Failure> {
    let failed = |source| Failure::Io { doing: "start the guard of the machines".to_owned(), source };
    Command::new(env::current_exe().map_err(failed)?)
        .args(["machines", "clean", "--when-stdin-closes"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(failed)
}
