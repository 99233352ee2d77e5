//! nginx's processes: the master, its workers of today and those of former configurations. Only looks, signals nobody.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use crate::run::process::{self, ProcessId};

/// How long new workers may take to come up after a reload.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often is looked for them.
const LOOK: Duration = Duration::from_millis(10);

/// Why nginx's processes are not as they should be.
#[derive(Debug, thiserror::Error)]
pub(super) enum MasterError {
    /// There is no master.
    #[error("nginx is not running: {0}; start it")]
    Absent(String),
    /// The old workers go on.
    #[error(
        "nginx was told to reload, but its workers are still the old ones after {PATIENCE:?}; \
         its error log says why"
    )]
    Unmoved,
}

/// A running master.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Master(ProcessId);

/// A worker of a master.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Worker {
    /// The process.
    pub(super) process: ProcessId,
    /// Whether it serves a former configuration, and ends with its last request.
    pub(super) leaving: bool,
}

impl Master {
    /// The master that wrote the file at `pid_file`.
    pub(super) fn of(pid_file: &Path) -> Result<Self, MasterError> {
        let absent = |why: String| MasterError::Absent(format!("{} {why}", pid_file.display()));
        let text = match fs::read_to_string(pid_file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(absent("does not exist".to_owned()));
            }
            Err(error) => return Err(absent(format!("cannot be read: {error}"))),
        };
        let process = text.trim().parse().ok().and_then(ProcessId::of);
        match process.filter(|process| title(*process).starts_with("nginx: master process")) {
            Some(process) => Ok(Self(process)),
            None => Err(absent("names no process that is an nginx".to_owned())),
        }
    }

    /// Its number.
    pub(super) fn pid(self) -> i32 {
        self.0.pid
    }

    /// All its workers, oldest first.
    pub(super) fn workers(self) -> Vec<Worker> {
        let worker = |process: ProcessId| {
            let title = title(process);
            title
                .starts_with("nginx: worker process")
                .then(|| Worker { process, leaving: title.contains("shutting down") })
        };
        process::children(self.0.pid).into_iter().filter_map(worker).collect()
    }

    /// The youngest of the workers that accept connections: another one after every reload.
    pub(super) fn generation(self) -> Option<ProcessId> {
        self.workers().iter().filter(|worker| !worker.leaving).map(|worker| worker.process).max()
    }

    /// Whether all workers that accept connections were surely started after `then`.
    pub(super) fn is_younger_than(self, then: Option<SystemTime>) -> bool {
        let workers = self.workers();
        let oldest =
            workers.iter().filter(|worker| !worker.leaving).map(|worker| worker.process.started).min();
        let age = process::ticks_since_boot().zip(oldest).map(|(now, started)| now.saturating_sub(started));
        let passed = then.and_then(|then| then.elapsed().ok());
        // Both clocks are read to the second or so.
        let age = age.map(|ticks| Duration::from_millis(ticks.saturating_mul(10)) + Duration::from_secs(2));
        age.zip(passed).is_some_and(|(age, passed)| passed > age)
    }

    /// Waits until workers other than `before` accept connections and none of `before` does any more.
    pub(super) fn await_others(self, before: &[Worker]) -> Result<(), MasterError> {
        let before: BTreeSet<ProcessId> = before.iter().map(|worker| worker.process).collect();
        let begun = Instant::now();
        loop {
            let accepting: Vec<ProcessId> =
                self.workers().iter().filter(|worker| !worker.leaving).map(|worker| worker.process).collect();
            if !accepting.is_empty() && accepting.iter().all(|process| !before.contains(process)) {
                return Ok(());
            }
            if !self.0.is_alive() {
                return Err(MasterError::Absent("it ended while it was reloaded".to_owned()));
            }
            if begun.elapsed() > PATIENCE {
                return Err(MasterError::Unmoved);
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// What a process calls itself: nginx says there what it does.
fn title(process: ProcessId) -> String {
    let mut title = Vec::new();
    if let Ok(file) = File::open(format!("/proc/{}/cmdline", process.pid)) {
        // What cannot be read is no nginx of ours.
        let _ = file.take(256).read_to_end(&mut title);
    }
    String::from_utf8_lossy(&title).into_owned()
}
