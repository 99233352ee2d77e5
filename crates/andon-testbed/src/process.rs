//! Finding and ending the processes that a test caused, by id and by a mark that only they carry.
//!
//! Nothing is ever ended by its name alone.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// One process as `/proc` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// The id of its parent.
    pub parent: u32,
    /// The kernel's name of it, at most 15 bytes.
    pub name: String,
}

/// All processes at this moment; those that end meanwhile are left out, and so are those that have ended and wait for
/// somebody to take note: where nobody adopts orphans, they wait for ever.
pub fn all() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid: u32| parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?))
        .collect()
}

/// All descendants of `root`, parents before their children, without `root` itself.
pub fn descendants(root: u32) -> Vec<Process> {
    let all = all();
    let mut found: Vec<Process> = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for child in all.iter().filter(|process| process.parent == parent) {
            parents.push(child.pid);
            found.push(child.clone());
        }
    }
    found
}

/// The ids of all processes whose environment holds exactly `entry` (`NAME=value`).
pub fn with_environment(entry: &str) -> Vec<u32> {
    all()
        .into_iter()
        .map(|process| process.pid)
        .filter(|pid| {
            fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|e| e == entry.as_bytes()))
        })
        .collect()
}

/// The ids of all processes whose command line speaks of `directory`.
pub fn with_directory(directory: &Path) -> Vec<u32> {
    let needle = directory.as_os_str().as_bytes();
    let speaks = |line: Vec<u8>| line.windows(needle.len()).any(|part| part == needle);
    let pids = all().into_iter().map(|process| process.pid);
    pids.filter(|pid| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(speaks)).collect()
}

/// Ends `pid` at once. A process that is gone already is fine.
pub fn kill(pid: u32) {
    send(pid, Signal::KILL);
}

/// Sends `signal` to `pid`. A process that is gone already is fine.
pub fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // The only failures are "no such process" and "not yours": either way there is nothing to end.
        let _ = kill_process(pid, signal);
    }
}

/// Reads a line of `/proc/PID/stat`: `pid (name) state parent …`, where the name may hold spaces and parentheses.
fn parse_stat(stat: &str) -> Option<Process> {
    let (pid, rest) = stat.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let (state, rest) = rest.split_once(' ')?;
    let parent = rest.split(' ').next()?;
    if state == "Z" {
        return None;
    }
    Some(Process { pid: pid.parse().ok()?, parent: parent.parse().ok()?, name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_is_read_whole() {
        let process = parse_stat("12 (a) (b c) S 7 12 12 0").unwrap();
        assert_eq!(process, Process { pid: 12, parent: 7, name: "a) (b c".into() });
        assert_eq!(parse_stat("12 (a) Z 7 12 12 0"), None);
    }

    #[test]
    fn a_child_is_a_descendant_and_ends_when_killed() {
        let mark = format!("ANDON_TESTBED_MARK={}", std::process::id());
        let (name, value) = mark.split_once('=').unwrap();
        let mut child = Command::new("sleep").arg("600").env(name, value).spawn().unwrap();
        assert!(descendants(std::process::id()).iter().any(|process| process.pid == child.id()));
        // A moment after it was begun it has no environment yet.
        let found = || with_environment(&mark) == [child.id()];
        assert!(crate::deadline::wait_until(std::time::Duration::from_secs(30), found));
        kill(child.id());
        assert!(!child.wait().unwrap().success());
        assert!(with_environment(&mark).is_empty());
    }
}
