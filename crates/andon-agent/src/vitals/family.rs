//! The processes of one instance, summed up.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use andon_core::quantity::ByteSize;
use andon_core::vitals::{InstanceVitals, OpenFiles};

use crate::run::process::{ProcessId, Stat};

/// The kernel counts in hundredths of a second.
const MICROSECONDS_PER_TICK: u64 = 10_000;

/// So many processes of an instance are asked for their open files, the oldest first.
const MOST_ASKED: usize = 64;

/// The most open files that are counted one by one, on kernels that do not say their number.
const MOST_FILES: usize = 65_536;

/// Every process of this host at one moment.
#[derive(Debug)]
pub(super) struct Table(BTreeMap<i32, Stat>);

impl Table {
    /// Reads all of them.
    pub(super) fn read() -> Self {
        Self(crate::run::process::all().into_iter().collect())
    }

    /// Reads those with these numbers.
    pub(super) fn of(pids: impl IntoIterator<Item = i32>) -> Self {
        Self(pids.into_iter().filter_map(|pid| Some((pid, Stat::of(pid)?))).collect())
    }

    /// What is said of this very process.
    pub(super) fn stat(&self, process: ProcessId) -> Option<&Stat> {
        self.0.get(&process.pid).filter(|stat| stat.started == process.started)
    }

    /// The descendants of a process, those included that have ended and were not waited for.
    pub(super) fn descendants(&self, ancestor: i32) -> Family {
        let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        for (pid, stat) in &self.0 {
            children.entry(stat.parent).or_default().push(*pid);
        }
        let mut found = BTreeMap::new();
        let mut waiting = vec![ancestor];
        let mut seen = BTreeSet::from([ancestor]);
        while let Some(parent) = waiting.pop() {
            for pid in children.get(&parent).into_iter().flatten() {
                if seen.insert(*pid) {
                    waiting.push(*pid);
                    found.extend(self.0.get(pid).map(|stat| (*pid, *stat)));
                }
            }
        }
        Family(found)
    }

    /// All of them, as one family.
    pub(super) fn family(self) -> Family {
        Family(self.0)
    }
}

/// The processes of one instance.
#[derive(Debug, Default)]
pub(super) struct Family(BTreeMap<i32, Stat>);

impl Family {
    /// Adds a process to it.
    pub(super) fn add(&mut self, pid: i32, stat: Stat) {
        self.0.insert(pid, stat);
    }

    /// Processor time of all of them and of those that they have waited for, in microseconds.
    pub(super) fn cpu_us(&self) -> u64 {
        let ticks = self.0.values().map(|stat| stat.cpu.saturating_add(stat.children_cpu));
        microseconds(ticks.fold(0, u64::saturating_add))
    }

    /// Writes down what the living ones have.
    pub(super) fn describe(&self, vitals: &mut InstanceVitals) {
        let living: Vec<(i32, &Stat)> =
            self.0.iter().filter(|(_, stat)| !stat.zombie).map(|(pid, stat)| (*pid, stat)).collect();
        let page = rustix::param::page_size() as u64;
        vitals.processes = u32::try_from(living.len()).unwrap_or(u32::MAX);
        vitals.threads = living.iter().fold(0, |sum, (_, stat)| sum.saturating_add(stat.threads));
        let pages = living.iter().fold(0_u64, |sum, (_, stat)| sum.saturating_add(stat.rss_pages));
        vitals.rss = ByteSize(pages.saturating_mul(page));
        let mut by_age = living;
        by_age.sort_by_key(|(pid, stat)| (stat.started, *pid));
        let files = by_age.iter().take(MOST_ASKED).filter_map(|(pid, _)| open_files(*pid));
        vitals.files = files.max_by(|one, other| share(*one).total_cmp(&share(*other)));
    }
}

/// As microseconds.
pub(super) fn microseconds(ticks: u64) -> u64 {
    ticks.saturating_mul(MICROSECONDS_PER_TICK)
}

fn share(files: OpenFiles) -> f64 {
    // Without a limit, more files still are more.
    f64::from(files.open) / f64::from(files.limit.unwrap_or(u32::MAX).max(1))
}

/// `None` when the process is not ours to look into, or gone.
fn open_files(pid: i32) -> Option<OpenFiles> {
    let path = format!("/proc/{pid}/fd");
    let told = fs::metadata(&path).ok()?.len();
    // Kernels before 6.2 say nought, and nobody else has none at all for long.
    let open = if told > 0 { told } else { fs::read_dir(&path).ok()?.take(MOST_FILES).count() as u64 };
    // Whoever may not list them is told nothing either.
    fs::read_dir(&path).ok()?;
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    Some(OpenFiles { open: u32::try_from(open).unwrap_or(u32::MAX), limit: soft_limit(&limits) })
}

fn soft_limit(limits: &str) -> Option<u32> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_read_and_none_is_none() {
        let text = "Limit  Soft Limit  Hard Limit  Units\nMax processes 5 5 processes\nMax open files            1024                 524288               files\n";
        assert_eq!(soft_limit(text), Some(1024));
        assert_eq!(soft_limit("Max open files  unlimited unlimited files\n"), None);
    }

    #[test]
    fn this_process_sees_its_own_files_and_memory() {
        let own = i32::try_from(std::process::id()).unwrap();
        let before = open_files(own).unwrap();
        let held: Vec<_> = (0..50).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        let after = open_files(own).unwrap();
        assert!(
            after.open >= before.open.saturating_sub(20) + held.len() as u32 - 20,
            "{before:?} {after:?}"
        );
        let mut vitals = InstanceVitals::default();
        Table::of([own]).family().describe(&mut vitals);
        assert!(vitals.rss.0 > 1 << 20 && vitals.threads > 0 && vitals.processes == 1, "{vitals:?}");
    }
}
