//! Runs one command on many hosts over plain ssh. Nothing of Andon needs to be there, only `/bin/sh`.
//!
//! Nothing is retried: whether a command ran on a host whose connection broke is not known, and is said so. What the
//! results look like to people and programs is in [`fold`] and [`report`].

mod capture;
pub mod fold;
mod output;
pub mod report;
mod script;
mod session;
mod status;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use andon_core::line::Transport;
use andon_core::name::HostName;
use serde::Serialize;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::ssh::{ControlDirError, SshOptions};
pub use andon_core::host_list::host_list;
pub use output::Output;
pub use script::{CommandLine, CommandLineError, MAX_COMMAND_LEN, Streams};
pub use status::Status;

/// A host to run on, and the way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushTarget {
    /// The line's name for it.
    pub host: HostName,
    /// The way. `sudo` concerns the agent only and is not heeded.
    pub transport: Transport,
}

/// How to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushOptions {
    /// How `ssh` behaves.
    pub ssh: SshOptions,
    /// The most hosts at work at any moment. `None` is as many as open files allow.
    pub batch: Option<usize>,
    /// How long a host has, from the attempt to reach it to the end of the command. `None` is for ever.
    pub timeout: Option<Duration>,
    /// The most connections that are being set up at any moment. Default 30.
    pub concurrent_starts: usize,
    /// The most bytes that are kept of each host's output. Default 16 MiB. With many hosts less is kept of each, so that
    /// all together stay below 1 GiB.
    pub output_limit: usize,
    /// Whether standard error goes its own way.
    pub streams: Streams,
    /// Whether output is sent as [`PushEvent::Output`] while it arrives.
    pub live: bool,
}

impl PushOptions {
    /// The usual way to run, over `ssh`.
    pub fn new(ssh: SshOptions) -> Self {
        Self {
            ssh,
            batch: None,
            timeout: None,
            concurrent_starts: 30,
            output_limit: 16 << 20,
            streams: Streams::default(),
            live: false,
        }
    }
}

/// What happens while a push runs. A slow receiver slows down the hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushEvent {
    /// The command began.
    Started {
        /// Where.
        host: HostName,
    },
    /// The command wrote something. Only sent when [`PushOptions::live`] is set.
    Output {
        /// Where.
        host: HostName,
        /// Whether it came on standard error, which is told apart with [`Streams::Separate`] only.
        stderr: bool,
        /// What: any bytes, cut anywhere.
        bytes: Vec<u8>,
    },
    /// The host is done with.
    Finished {
        /// Where.
        host: HostName,
        /// How it ended.
        status: Status,
    },
}

/// What became of the command on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostOutcome {
    /// Where.
    pub host: HostName,
    /// How it ended.
    #[serde(flatten)]
    pub status: Status,
    /// What to do about it; `None` when there is nothing to be done.
    pub next: Option<String>,
    /// What the command wrote, with standard error among it unless that goes its own way.
    pub output: Output,
    /// What it wrote to standard error, with [`Streams::Separate`].
    pub errors: Output,
    /// How long the host took, the connection included.
    #[serde(rename = "took_ms", with = "andon_core::time::millis")]
    pub took: Duration,
}

/// The most bytes that are kept of the output of all hosts together.
const TOTAL_OUTPUT: usize = 1 << 30;
/// Each host keeps at least so many bytes, however many there are.
const MIN_OUTPUT: usize = 64 << 10;
/// Files that a host needs open: three pipes with two ends each for a moment, and its process.
const FILES_PER_HOST: u64 = 8;
/// Files that the rest of the program may need.
const OTHER_FILES: u64 = 100;

/// What all hosts of a push share.
struct Push {
    command: CommandLine,
    options: PushOptions,
    output_limit: usize,
    starts: Arc<Semaphore>,
    events: mpsc::Sender<PushEvent>,
}

/// Runs `command` on all `hosts` and returns what became of it, in the order of `hosts`.
///
/// Dropping the future ends the commands, as far as the hosts can still be reached. An error means that nothing ran.
/// Whoever has no use for the events drops their receiver: one that is kept and not read stops the push.
pub async fn push(
    hosts: Vec<PushTarget>,
    command: &CommandLine,
    options: PushOptions,
    events: mpsc::Sender<PushEvent>,
) -> Result<Vec<HostOutcome>, ControlDirError> {
    if hosts.iter().any(|target| matches!(target.transport, Transport::Ssh { .. })) {
        options.ssh.prepare()?;
    }
    let at_once = options.batch.unwrap_or(usize::MAX).clamp(1, open_files_allow());
    let share = TOTAL_OUTPUT / hosts.len().max(1);
    let push = Arc::new(Push {
        command: command.clone(),
        output_limit: options.output_limit.min(share.max(MIN_OUTPUT)),
        starts: Arc::new(Semaphore::new(options.concurrent_starts.max(1))),
        options,
        events,
    });
    let mut outcomes: Vec<Option<HostOutcome>> = hosts.iter().map(|_| None).collect();
    let mut waiting = hosts.iter().cloned().enumerate();
    let mut running = JoinSet::new();
    loop {
        while running.len() < at_once
            && let Some((index, target)) = waiting.next()
        {
            let push = Arc::clone(&push);
            running.spawn(async move { (index, session::run(&push, target).await) });
        }
        match running.join_next().await {
            None => break,
            Some(Ok((index, outcome))) => outcomes[index] = Some(outcome),
            // A fault of ours on one host is not the others' fault; it is reported below.
            Some(Err(_)) => {}
        }
    }
    Ok(hosts
        .into_iter()
        .zip(outcomes)
        .map(|(target, outcome)| outcome.unwrap_or_else(|| fault(target)))
        .collect())
}

fn open_files_allow() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from((limit.saturating_sub(OTHER_FILES) / FILES_PER_HOST).max(1)).unwrap_or(usize::MAX)
}

fn fault(target: PushTarget) -> HostOutcome {
    let why = "Andon itself failed while it ran; please report this".to_owned();
    HostOutcome {
        host: target.host,
        status: Status::Lost { why },
        next: None,
        output: Output::default(),
        errors: Output::default(),
        took: Duration::ZERO,
    }
}

/// A number that nobody else has: the standard library seeds its hashers from the system's randomness.
fn nonce() -> u128 {
    let half = || u128::from(RandomState::new().build_hasher().finish());
    half() << 64 | half()
}
