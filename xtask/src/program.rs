//! Running other programs, in the project's root directory and without anything on their standard input.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Output, Stdio};

use crate::failure::Failure;
use crate::workspace;

/// A command that will run in the project's root directory.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(workspace::root()).stdin(Stdio::null());
    command
}

/// The cargo that runs this program, as a person would start it: without what cargo has told this program of its own
/// package, at which build scripts of others look and run again.
pub(crate) fn cargo() -> Command {
    let mut command = program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let told = std::env::vars_os().map(|(name, _)| name);
    let own = |name: &OsString| {
        ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|its| name.as_bytes().starts_with(its.as_bytes()))
    };
    for name in told.filter(own) {
        command.env_remove(name);
    }
    command
}

/// Runs `command`, whose output the person sees, and fails when it does.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().map_err(|source| Failure::Io { doing: start(command), source })?;
    if status.success() { Ok(()) } else { Err(Failure::Program { command: line(command) }) }
}

/// Runs `command` and keeps its output, whether or not it succeeds.
pub(crate) fn output(command: &mut Command) -> Result<Output, Failure> {
    command.output().map_err(|source| Failure::Io { doing: start(command), source })
}

/// Runs `command` and returns its standard output; when it fails, what it printed is shown.
pub(crate) fn text(command: &mut Command) -> Result<String, Failure> {
    let output = output(command)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    Err(Failure::Program { command: line(command) })
}

/// Whether `command` can be started and succeeds; its output is not shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// The command line, for people.
pub(crate) fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

fn start(command: &Command) -> String {
    format!("start `{}`", line(command))
}
