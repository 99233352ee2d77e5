//! Processes as the kernel shows them: an identity that survives the reuse of numbers, descent, and the release
//! that a process really runs. Must never signal a process whose identity it has not just checked.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use andon_core::release::ReleaseId;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};
use serde::{Deserialize, Serialize};

/// The variable that tells a process which release it runs.
pub const RELEASE_VARIABLE: &str = "ANDON_RELEASE";

/// The most that is read of a process's environment.
const MAX_ENVIRONMENT: u64 = 1 << 20;

/// One process. The number alone may be somebody else's tomorrow; with the time of its start it may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessId {
    /// When it started, in clock ticks since the machine booted. First, so that processes sort by age.
    pub started: u64,
    /// Its number.
    pub pid: i32,
}

/// What `/proc/PID/stat` says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    /// Whether it has ended and was not waited for.
    pub(crate) zombie: bool,
    /// Its parent's number.
    pub(crate) parent: i32,
    /// See [`ProcessId::started`].
    pub(crate) started: u64,
    /// Processor time, in clock ticks.
    pub(crate) cpu: u64,
    /// Processor time of the children that it has waited for, and of theirs, in clock ticks.
    pub(crate) children_cpu: u64,
    /// Its threads.
    pub(crate) threads: u32,
    /// Resident memory, in pages.
    pub(crate) rss_pages: u64,
}

impl Stat {
    /// The name of the program stands in parentheses and may itself hold anything, parentheses included.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let end = text.iter().rposition(|byte| *byte == b')')?;
        let fields: Vec<&str> =
            std::str::from_utf8(&text[end + 1..]).ok()?.split_ascii_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        let sum = |one: usize, other: usize| Some(number(one)?.saturating_add(number(other)?));
        Some(Self {
            zombie: matches!(*fields.first()?, "Z" | "X" | "x"),
            parent: fields.get(1)?.parse().ok()?,
            started: number(19)?,
            cpu: sum(11, 12)?,
            children_cpu: sum(13, 14)?,
            threads: fields.get(17)?.parse().ok()?,
            rss_pages: number(21)?,
        })
    }

    /// Of the process with this number.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        Self::parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
    }
}

impl ProcessId {
    /// The living process with this number.
    pub fn of(pid: i32) -> Option<Self> {
        let stat = Stat::of(pid)?;
        (!stat.zombie).then_some(Self { started: stat.started, pid })
    }

    /// Whether the very same process still runs. A zombie does not.
    pub fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Sends a signal to this process and no other. `false` when it is gone or not ours to signal.
    pub fn signal(self, signal: Signal) -> bool {
        let Some(pid) = Pid::from_raw(self.pid) else { return false };
        // The descriptor pins the process; only then does the check mean something.
        match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Ok(descriptor) => {
                self.is_alive() && rustix::process::pidfd_send_signal(&descriptor, signal).is_ok()
            }
            // Kernels before 5.3: the moment between the check and the signal cannot be closed.
            Err(Errno::NOSYS) => self.is_alive() && rustix::process::kill_process(pid, signal).is_ok(),
            Err(_) => false,
        }
    }

    /// The environment that the process was started with, if we may see it.
    pub fn environment(self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(format!("/proc/{}/environ", self.pid))
            .ok()?
            .take(MAX_ENVIRONMENT)
            .read_to_end(&mut bytes)
            .ok()?;
        self.is_alive().then_some(bytes)
    }

    /// The release that the process really runs: what its environment says, else the directory that it works
    /// in or was started from. `None` when nothing of it points below `root/releases`.
    pub fn release(self, root: &Path) -> Option<ReleaseId> {
        let said = self.environment().and_then(|all| variable(&all, RELEASE_VARIABLE)?.parse().ok());
        said.or_else(|| {
            let releases = fs::canonicalize(root.join("releases")).ok()?;
            ["cwd", "exe"].iter().find_map(|link| {
                let place = fs::read_link(format!("/proc/{}/{link}", self.pid)).ok()?;
                let first = place.strip_prefix(&releases).ok()?.components().next()?;
                first.as_os_str().to_str()?.parse().ok()
            })
        })
    }
}

/// The value of a variable in the zero-separated form of `/proc/PID/environ`.
fn variable(environment: &[u8], name: &str) -> Option<String> {
    environment.split(|byte| *byte == 0).find_map(|entry| {
        let value = entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        String::from_utf8(value.to_vec()).ok()
    })
}

/// Every process of this host, those included that have ended and were not waited for.
pub(crate) fn all() -> Vec<(i32, Stat)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| std::str::from_utf8(entry.file_name().as_bytes()).ok()?.parse().ok())
        .filter_map(|pid| Some((pid, Stat::of(pid)?)))
        .collect()
}

/// The living processes that descend from `ancestor`, oldest first. The ancestor itself is not among them.
pub fn descendants(ancestor: i32) -> Vec<ProcessId> {
    let all = all();
    let mut family = BTreeSet::from([ancestor]);
    loop {
        let before = family.len();
        family.extend(
            all.iter()
                .filter(|(_, stat)| family.contains(&stat.parent))
                .map(|(pid, _)| *pid)
                .collect::<Vec<_>>(),
        );
        if family.len() == before {
            break;
        }
    }
    let mut found: Vec<ProcessId> = all
        .into_iter()
        .filter(|(pid, stat)| *pid != ancestor && !stat.zombie && family.contains(pid))
        .map(|(pid, stat)| ProcessId { started: stat.started, pid })
        .collect();
    found.sort();
    found
}

/// The living processes whose parent is `parent`, oldest first.
pub fn children(parent: i32) -> Vec<ProcessId> {
    let mut found: Vec<ProcessId> = all()
        .into_iter()
        .filter(|(_, stat)| stat.parent == parent && !stat.zombie)
        .map(|(pid, stat)| ProcessId { started: stat.started, pid })
        .collect();
    found.sort();
    found
}

/// The living processes whose environment holds `name=value`, without ourselves and our ancestors.
pub fn marked(name: &str, value: &str) -> Vec<ProcessId> {
    let own = lineage();
    all()
        .into_iter()
        .filter(|(pid, stat)| !stat.zombie && !own.contains(pid))
        .map(|(pid, stat)| ProcessId { started: stat.started, pid })
        .filter(|process| {
            process.environment().and_then(|all| variable(&all, name)).as_deref() == Some(value)
        })
        .collect()
}

/// Our own number and those of our ancestors.
fn lineage() -> BTreeSet<i32> {
    let mut found = BTreeSet::new();
    let mut next = i32::try_from(std::process::id()).ok();
    while let Some(pid) = next.filter(|pid| *pid > 0 && found.insert(*pid)) {
        next = Stat::of(pid).map(|stat| stat.parent);
    }
    found
}

/// What the kernel calls this run of the machine; changes with every boot.
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Time since boot in clock ticks, the unit of [`ProcessId::started`].
///
/// The kernel counts both in hundredths of a second for programs, whatever it uses itself.
pub fn ticks_since_boot() -> Option<u64> {
    let text = fs::read_to_string("/proc/uptime").ok()?;
    let (seconds, hundredths) = text.split_ascii_whitespace().next()?.split_once('.')?;
    Some(seconds.parse::<u64>().ok()?.saturating_mul(100).saturating_add(hundredths.parse::<u64>().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let text = b"42 (a) R 1 (b) S 7 42 42 0 -1 4194560 1 0 0 0 50 7 200 3 20 0 4 0 98765 1 12";
        let stat = Stat {
            zombie: false,
            parent: 7,
            started: 98765,
            cpu: 57,
            children_cpu: 203,
            threads: 4,
            rss_pages: 12,
        };
        assert_eq!(Stat::parse(text), Some(stat));
        assert_eq!(Stat::parse(b"42 (a"), None);
        assert_eq!(Stat::parse(b""), None);
    }

    #[test]
    fn a_number_with_another_start_time_is_another_process_and_is_not_signalled() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let real = ProcessId::of(i32::try_from(child.id()).unwrap()).unwrap();
        let reused = ProcessId { started: real.started + 1, ..real };
        assert!(real.is_alive() && !reused.is_alive());
        assert!(!reused.signal(Signal::KILL));
        assert!(real.is_alive(), "the stranger was signalled");
        assert!(real.signal(Signal::KILL));
        child.wait().unwrap();
        assert!(!real.is_alive());
    }

    #[test]
    fn we_are_our_own_descendants_parent_and_find_children_by_their_mark() {
        let mark = format!("mark-{}", std::process::id());
        let mut child =
            std::process::Command::new("sleep").arg("60").env("ANDON_TEST_MARK", &mark).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(descendants(own).iter().any(|process| process.pid == pid));
        // Until it has become `sleep`, the child still shows our own environment.
        while marked("ANDON_TEST_MARK", &mark).is_empty() {
            assert!(child.try_wait().unwrap().is_none());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(marked("ANDON_TEST_MARK", &mark).is_empty());
    }
}
