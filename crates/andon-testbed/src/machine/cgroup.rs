//! The control groups of one machine: a place of its own for its processes, and the list of them.
//!
//! Without its own group, every container would take the group of the test's own process for its root, and the
//! systemds of two machines would manage each other's processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::deadline::wait_until;
use crate::process;

/// How long killed processes may take to vanish.
const END_LIMIT: Duration = Duration::from_secs(20);

/// The groups that belong to one machine: in the unified hierarchy, and in systemd's own where there is one.
#[derive(Debug)]
pub(super) struct Cgroup {
    directories: Vec<PathBuf>,
}

impl Cgroup {
    /// The groups called `name`, whether or not they exist.
    pub(super) fn named(name: &str) -> Self {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        Self { directories: hierarchies(&mounts).iter().map(|mount| mount.join(name)).collect() }
    }

    /// The directories of the groups.
    pub(super) fn directories(&self) -> &[PathBuf] {
        &self.directories
    }

    /// Ends all processes in the groups and removes the groups.
    pub(super) fn end(&self) {
        // A process may start another one between the look and the kill.
        wait_until(END_LIMIT, || {
            let processes: Vec<u32> = self.directories.iter().flat_map(|place| processes(place)).collect();
            processes.iter().copied().for_each(process::kill);
            processes.is_empty()
        });
        self.directories.iter().for_each(|directory| remove(directory));
    }

    /// Whether any process is in the groups.
    pub(super) fn is_inhabited(&self) -> bool {
        self.directories.iter().any(|directory| !processes(directory).is_empty())
    }
}

/// The mount points of the hierarchies that systemd uses, out of the text of `/proc/self/mounts`.
fn hierarchies(mounts: &str) -> Vec<PathBuf> {
    mounts
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let [_, place, kind, options, ..] = words[..] else { return None };
            let fits =
                kind == "cgroup2" || (kind == "cgroup" && options.split(',').any(|o| o == "name=systemd"));
            fits.then(|| PathBuf::from(place))
        })
        .collect()
}

/// The processes in `group` and all groups below it.
fn processes(group: &Path) -> Vec<u32> {
    let own = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    let mut all: Vec<u32> =
        own.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid != 0).collect();
    for child in children(group) {
        all.extend(processes(&child));
    }
    all
}

fn remove(group: &Path) {
    children(group).iter().for_each(|child| remove(child));
    // A group that is not there is what this is for; one that is still in use stays for the next boot to remove.
    let _ = fs::remove_dir(group);
}

fn children(group: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(group).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|t| t.is_dir())).map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hierarchies_of_systemd_are_used() {
        let hybrid = "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n\
            cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0\n\
            cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n";
        let places = ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"].map(PathBuf::from);
        assert_eq!(hierarchies(hybrid), places);
        let unified = "cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n";
        assert_eq!(hierarchies(unified), [PathBuf::from("/sys/fs/cgroup")]);
    }
}
