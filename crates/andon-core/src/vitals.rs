//! What a host sees of the instances of a service and of itself, without asking the service: processes, memory, open
//! files, ends, log.
//!
//! Readings are data. [`VitalsMeter`] turns them into what has changed; what follows from a change is decided elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::name::InstanceName;
use crate::quantity::ByteSize;

pub use change::{Errors, InstanceChange, Trend, VitalsChange};
pub use fingerprint::Fingerprint;
pub use log_scan::LogScan;
pub use meter::VitalsMeter;

mod change;
mod fingerprint;
mod line_shape;
mod log_scan;
mod meter;
mod severity;
mod trend;

/// What one look at a host finds.
///
/// No clock of the host is trusted: there are counters, and the time since its boot for the distance between two looks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostVitals {
    /// Changes with every boot.
    pub boot_id: String,
    /// Time since the host's boot.
    #[serde(with = "crate::time::millis")]
    pub uptime: Duration,
    /// The instances of the service.
    pub instances: BTreeMap<InstanceName, InstanceVitals>,
    /// The file system of the service's root; `None` where it cannot be read.
    pub disk: Option<Room>,
    /// The host's memory; free is what programs can still get without swapping.
    pub memory: Option<Room>,
    /// Processes that run or want to, as a mean over the last minute.
    pub load: Option<f64>,
    /// Processors of the host; 0 when unknown.
    pub processors: u32,
    /// Processes of the whole host that the kernel killed for want of memory. `None` on kernels before 4.13.
    pub oom_kills: Option<Counter>,
}

/// How much there is of something, and how much of it is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// What can still be used.
    pub free: ByteSize,
    /// All of it.
    pub total: ByteSize,
}

impl Room {
    /// The free share, 0 to 1; `None` of nothing.
    pub fn free_share(self) -> Option<f64> {
        (self.total.0 > 0).then(|| self.free.0.min(self.total.0) as f64 / self.total.0 as f64)
    }
}

/// What one look finds of one instance. `None` everywhere means: not known, never nought.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct InstanceVitals {
    /// Whether its main process lives.
    pub running: bool,
    /// Which main process: another one after every start. `None` while it has none.
    pub main: Option<Life>,
    /// Living processes.
    pub processes: u32,
    /// Threads of all of them.
    pub threads: u32,
    /// Processor time of all of them, those included that have ended, in microseconds.
    pub cpu_us: Option<Counter>,
    /// Resident memory of all of them. Pages that several share are counted for each.
    pub rss: ByteSize,
    /// What its memory may grow to where it has a limit of its own.
    pub memory_limit: Option<ByteSize>,
    /// The open files of the process that is nearest to its limit. `None` when they may not be seen.
    pub files: Option<OpenFiles>,
    /// Times that it was started again by its supervisor.
    pub restarts: Option<Counter>,
    /// Times that its main process ended without being told to.
    pub ends: Option<Counter>,
    /// How its main process ended last without being told to.
    pub last_exit: Option<Exit>,
    /// Times that the kernel killed processes of it for want of memory. `None` where that cannot be told from other
    /// kills.
    pub oom_kills: Option<Counter>,
    /// What it has written. `None` where its log cannot be read.
    pub log: Option<LogCount>,
}

/// Files that a process has open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenFiles {
    /// So many.
    pub open: u32,
    /// So many it may have; `None` without a limit.
    pub limit: Option<u32>,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// By itself, with this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// Which life of its source a number belongs to: a process, a supervisor, a boot, a conversation with an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Life(u64);

impl Life {
    /// The life with these marks: equal marks, equal life.
    pub fn of(marks: &[&str]) -> Self {
        Self(short_hash(&marks.join("\0")))
    }
}

/// The first eight bytes of the BLAKE3 digest of `text`.
fn short_hash(text: &str) -> u64 {
    let digest = Digest::of(text.as_bytes());
    digest.as_bytes().iter().take(8).fold(0, |hash, byte| (hash << 8) | u64::from(*byte))
}

/// A number that only grows within one life of its source, and begins at nought with the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// What it has reached.
    pub value: u64,
    /// Whose it is.
    pub life: Life,
}

impl Counter {
    /// What was counted since `earlier`. A source in another life, and one whose number has shrunk, has begun anew: all
    /// that it says is new, and what it counted between the earlier reading and its end is lost.
    pub fn since(self, earlier: Self) -> u64 {
        let more = self.value.checked_sub(earlier.value).filter(|_| self.life == earlier.life);
        more.unwrap_or(self.value)
    }
}

/// What was read of an instance's log since the agent began to read it: all numbers only grow within one life.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LogCount {
    /// Whose numbers these are: the agent's conversation. They begin anew with a new connection.
    pub life: Life,
    /// Lines.
    pub lines: u64,
    /// Errors among them; a stack trace is one.
    pub errors: u64,
    /// Bytes that were passed over because there were too many of them.
    pub skipped: ByteSize,
    /// Times that something was passed over, also where it cannot be said how much.
    pub gaps: u64,
    /// The errors, told apart by what they say; at most [`MAX_FINGERPRINTS`].
    pub by_fingerprint: BTreeMap<Fingerprint, Seen>,
    /// Errors that were counted and had no place among the fingerprints.
    pub unnamed: u64,
}

/// The most errors of different kinds that are told apart in one log.
pub const MAX_FINGERPRINTS: usize = 64;

/// One kind of error in a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// How often.
    pub count: u64,
    /// The first one as it was written: legible, at most [`MAX_SAMPLE`] characters. It may hold what the service should
    /// not have written: show it to those who may read the log.
    pub sample: String,
}

/// The longest sample of an error, in characters.
pub const MAX_SAMPLE: usize = 300;

impl LogCount {
    /// Nothing yet, in this life.
    pub fn new(life: Life) -> Self {
        Self { life, ..Self::default() }
    }

    /// Counts one error.
    pub fn add(&mut self, fingerprint: Fingerprint, sample: impl FnOnce() -> String) {
        self.errors = self.errors.saturating_add(1);
        if let Some(seen) = self.by_fingerprint.get_mut(&fingerprint) {
            seen.count = seen.count.saturating_add(1);
        } else if self.by_fingerprint.len() < MAX_FINGERPRINTS {
            self.by_fingerprint.insert(fingerprint, Seen { count: 1, sample: sample() });
        } else {
            self.unnamed = self.unnamed.saturating_add(1);
        }
    }

    /// Notes that so many bytes were passed over.
    pub fn skip(&mut self, bytes: u64) {
        self.skipped.0 = self.skipped.0.saturating_add(bytes);
        self.gaps = self.gaps.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_goes_on_begins_anew_and_is_never_negative() {
        let one = Life::of(&["boot", "7"]);
        let two = Life::of(&["boot", "8"]);
        let count = |value, life| Counter { value, life };
        assert_eq!(count(5, one).since(count(3, one)), 2);
        assert_eq!(count(2, one).since(count(3, one)), 2, "its source has begun anew");
        assert_eq!(count(9, two).since(count(3, one)), 9, "another source");
        assert_ne!(Life::of(&["a", "bc"]), Life::of(&["ab", "c"]));
    }

    #[test]
    fn kinds_of_errors_are_bounded_and_the_rest_is_counted() {
        let mut log = LogCount::new(Life::default());
        for kind in 0..100 {
            for _ in 0..2 {
                log.add(Fingerprint::from_hash(kind), || "sample".to_owned());
            }
        }
        assert_eq!((log.errors, log.by_fingerprint.len(), log.unnamed), (200, MAX_FINGERPRINTS, 72));
        assert!(log.by_fingerprint.values().all(|seen| seen.count == 2));
    }
}
