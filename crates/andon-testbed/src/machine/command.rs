//! Running a system program whose failure is an error with what it printed.

use std::process::{Command, Stdio};

use super::MachineError;

/// How much of a failed program's output is kept, in characters from its end.
const KEPT: usize = 2000;

/// Runs `command` to its end; its output matters only when it fails.
pub(super) fn run(command: &mut Command) -> Result<(), MachineError> {
    output(command).map(drop)
}

/// Runs `command` to its end and returns its standard output.
pub(super) fn output(command: &mut Command) -> Result<String, MachineError> {
    let line = line(command);
    let output =
        command.stdin(Stdio::null()).output().map_err(MachineError::io(format!("start `{line}`")))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let all = text + &String::from_utf8_lossy(&output.stderr);
    Err(MachineError::Failed { command: line, output: tail(&all) })
}

/// The last [`KEPT`] characters of `text`.
pub(super) fn tail(text: &str) -> String {
    let text = text.trim();
    let skipped = text.chars().count().saturating_sub(KEPT);
    text.chars().skip(skipped).collect()
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
