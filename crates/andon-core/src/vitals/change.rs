//! What has changed between two looks at a host: what hard guards are decided from. Decides nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Exit, Fingerprint, OpenFiles, Seen};
use crate::name::InstanceName;
use crate::quantity::ByteSize;

/// What has changed on a host since the look before. The first look has changed nothing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct VitalsChange {
    /// The time between the two looks; `None` in the first one and over a boot.
    pub over: Option<Duration>,
    /// Whether the host was booted in between.
    pub rebooted: bool,
    /// Each instance of the new look.
    pub instances: BTreeMap<InstanceName, InstanceChange>,
    /// Instances that the look before had and the new one has not.
    pub gone: Vec<InstanceName>,
    /// The free share of the file system of the service's root, 0 to 1.
    pub disk_free: Option<f64>,
    /// The share of the host's memory that can still be used, 0 to 1.
    pub memory_free: Option<f64>,
    /// The host's load for each of its processors.
    pub load_per_processor: Option<f64>,
    /// Processes of the whole host that were killed for want of memory.
    pub oom_kills: Option<u64>,
}

/// What has changed of one instance.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct InstanceChange {
    /// Whether its main process lives.
    pub running: bool,
    /// Whether its main process is another one than at the look before: restarted, by whomever.
    pub started_anew: bool,
    /// Restarts by its supervisor.
    pub restarts: u64,
    /// Ends of its main process that nobody had asked for.
    pub ends: u64,
    /// How it ended last; only when it ended since the look before.
    pub exit: Option<Exit>,
    /// Kills for want of memory; `None` where these cannot be told from others.
    pub oom_kills: Option<u64>,
    /// The processor time that it used.
    pub cpu: Option<Duration>,
    /// Its share of one processor: 1 is one processor all the time.
    pub cpu_share: Option<f64>,
    /// Its resident memory.
    pub rss: ByteSize,
    /// How its memory moves, in bytes. The limit is its own, or what the host has left.
    pub memory: Option<Trend>,
    /// Its open files.
    pub files: Option<OpenFiles>,
    /// How its open files move.
    pub files_trend: Option<Trend>,
    /// Its threads.
    pub threads: u32,
    /// What is new in its log; `None` where the log cannot be read.
    pub errors: Option<Errors>,
}

/// How a number moves within one life of a process.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Trend {
    /// Its growth in a second; negative when it shrinks.
    pub per_second: f64,
    /// The time that this is judged from, at most two minutes. A process that starts grows: short spans mean little.
    pub span: Duration,
    /// The time until it reaches its limit when it goes on like this. `None` when it does not grow, has no limit, or
    /// gets there in no lifetime.
    pub full_in: Option<Duration>,
}

/// What is new in a log.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Errors {
    /// Lines.
    pub lines: u64,
    /// Errors.
    pub errors: u64,
    /// Bytes that were passed over: errors may be among them.
    pub skipped: ByteSize,
    /// Times that something was passed over.
    pub gaps: u64,
    /// Errors of kinds that were never seen here before.
    pub new: BTreeMap<Fingerprint, Seen>,
    /// Errors of kinds that were.
    pub known: BTreeMap<Fingerprint, u64>,
    /// Errors that were not told apart, because there were too many kinds.
    pub unnamed: u64,
}
