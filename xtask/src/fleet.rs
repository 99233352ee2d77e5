//! Debian machines to try things on by hand.

use std::env;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use andon_testbed::{Fleet, Machine};

use crate::failure::Failure;
use crate::program;

/// Boots `machines` machines and keeps them until Enter is pressed or `command` has ended.
pub(crate) fn fleet(machines: usize, command: &[String]) -> Result<(), Failure> {
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
