//! Removing what a killed run left behind, and nothing else.
//!
//! A run belongs to the process that its directory names; as long as that process lives, nothing of it is touched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::cgroup::Cgroup;
use super::command::run;
use super::run::{self as runs, Run};
use super::{MAX_MACHINES, MachineError};
use crate::deadline::wait_until;
use crate::process;

/// How long a mount may stay busy after the last process in it has ended.
const UNMOUNT_LIMIT: Duration = Duration::from_secs(10);

/// Ends the machines of runs whose process is gone, and removes their mounts, files and bridges.
///
/// Returns the numbers of the runs that were removed.
///
/// # Errors
/// [`MachineError::NotRoot`], or that the cache cannot be locked.
pub fn clean() -> Result<Vec<u8>, MachineError> {
    super::require_root()?;
    let _lock = runs::lock()?;
    let abandoned = Run::abandoned();
    let numbers = abandoned.iter().map(Run::number).collect();
    for run in &abandoned {
        end_machines(run);
    }
    // Dropping a run removes its mounts, its directory and its bridge.
    drop(abandoned);
    Ok(numbers)
}

/// Ends what keeps the machines of `run` alive first, so that it starts none of them anew.
fn end_machines(run: &Run) {
    let argument = format!("--directory={}/", run.directory().display());
    with_argument(&argument).into_iter().for_each(process::kill);
    for machine in 1..=MAX_MACHINES {
        Cgroup::named(&format!("andon-{}-{machine}", run.number())).end();
    }
}

/// The processes one of whose arguments begins with `start`.
fn with_argument(start: &str) -> Vec<u32> {
    let has = |pid: u32| {
        fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| line.split(|byte| *byte == 0).any(|word| word.starts_with(start.as_bytes())))
    };
    process::all().into_iter().map(|process| process.pid).filter(|pid| has(*pid)).collect()
}

/// Unmounts everything below `directory`, the innermost first.
pub(super) fn unmount_below(directory: &Path) {
    for mount in mounts_below(directory) {
        let free = wait_until(UNMOUNT_LIMIT, || run(Command::new("umount").arg(&mount)).is_ok());
        if !free {
            // Out of sight at least; the kernel lets go of it with its last user.
            let _ = run(Command::new("umount").arg("--lazy").arg(&mount));
        }
    }
}

fn mounts_below(directory: &Path) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let places = mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(PathBuf::from);
    let mut below: Vec<PathBuf> = places.filter(|place| place.starts_with(directory)).collect();
    below.reverse();
    below
}
