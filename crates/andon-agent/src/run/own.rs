//! Our own supervision, seen from the agent: starts and ends supervisors and reads what they say. Never looks
//! after a process itself.

use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use andon_core::host::{InstanceFacts, InstanceState, Placement};
use andon_core::line::{Instance, Template};
use andon_core::name::InstanceName;
use andon_core::release::ReleaseId;
use rustix::process::Signal;

use super::directory::{RunDirectory, Status};
use super::order::Order;
use super::process::{self, ProcessId};
use super::supervisor::{SUPERVISOR_VARIABLE, mark};
use super::{RunError, SelfExe, say};

/// How long a supervisor may take to say that it has started its process.
const START_TIME: Duration = Duration::from_secs(30);

/// How much longer than the instance itself a supervisor may take to end.
const MARGIN: Duration = Duration::from_secs(15);

const LOOK: Duration = Duration::from_millis(10);

/// What is taken for an instance's `stop_timeout` when its order cannot be read any more.
const DEFAULT_STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Stops everything of `placement`, that of former instances included, and starts every instance on `release`.
pub(crate) fn restart(
    placement: &Placement,
    command: &[Template],
    release: &ReleaseId,
    exe: &SelfExe,
    log: &mut dyn Write,
) -> Result<(), RunError> {
    stop(placement, log)?;
    let mut started = Vec::with_capacity(placement.instances.len());
    for instance in &placement.instances {
        let order = Order::new(placement, instance, release, command);
        started.push((instance, spawn(placement, instance, &order, exe)?));
    }
    for (instance, supervisor) in started {
        say(log, &format!("{}: {}.", instance.name, await_start(placement, instance, supervisor)?));
    }
    Ok(())
}

fn spawn(
    placement: &Placement,
    instance: &Instance,
    order: &Order,
    exe: &SelfExe,
) -> Result<Child, RunError> {
    let directory = RunDirectory::of(placement, &instance.name);
    let file = |source| RunError::File { path: directory.path().to_owned(), source };
    directory.create().map_err(file)?;
    directory.forget_status().map_err(file)?;
    directory.write_order(order).map_err(file)?;
    // An agent that was replaced on disk while it runs still has itself.
    let program = if exe.program.exists() { exe.program.as_path() } else { Path::new("/proc/self/exe") };
    Command::new(program)
        .arg0("andon-agent")
        .args(&exe.prefix)
        .arg("supervise")
        .arg(directory.path())
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|source| RunError::Supervisor { program: exe.program.clone(), source })
}

/// Answers what happened, as the end of a sentence.
fn await_start(
    placement: &Placement,
    instance: &Instance,
    mut supervisor: Child,
) -> Result<String, RunError> {
    let directory = RunDirectory::of(placement, &instance.name);
    let not_started = |reason: String| RunError::NotStarted { instance: instance.name.to_string(), reason };
    let begun = Instant::now();
    loop {
        let ended = supervisor.try_wait().ok().flatten();
        let status =
            directory.status().filter(|status| u32::try_from(status.supervisor.pid) == Ok(supervisor.id()));
        match status {
            Some(Status { failure: Some(reason), .. }) => {
                let _ = supervisor.wait();
                return Err(not_started(reason));
            }
            Some(Status { child: None, last_end: None, .. }) | None => {}
            Some(Status { child, last_end, release, .. }) => {
                // Somebody must take note of its end for as long as this agent lives.
                thread::spawn(move || supervisor.wait());
                return Ok(match (child, last_end) {
                    (Some(child), _) => format!("started {release} as process {}", child.pid),
                    (None, how) => format!("its process {} at once", how.unwrap_or_default()),
                });
            }
        }
        if let Some(exit) = ended {
            return Err(not_started(format!("its supervisor ended with {exit} before it started anything")));
        }
        if begun.elapsed() > START_TIME {
            let _ = supervisor.kill();
            let _ = supervisor.wait();
            return Err(not_started(format!("its supervisor said nothing for {} s", START_TIME.as_secs())));
        }
        thread::sleep(LOOK);
    }
}

/// Stops everything that our own supervision runs for `placement`, also instances that it no longer has.
pub(crate) fn stop(placement: &Placement, log: &mut dyn Write) -> Result<(), RunError> {
    let mut stopping: Vec<Stopping> = RunDirectory::existing(placement)
        .into_iter()
        .map(|(name, directory)| Stopping::new(name, directory))
        .filter(|one| one.directory.is_held() || !one.remains().is_empty())
        .collect();
    for one in &stopping {
        let release = one.status.as_ref().map(|status| format!(" {}", status.release)).unwrap_or_default();
        say(log, &format!("{}: stopping{release}.", one.name));
    }
    // All are asked before any is waited for: they end side by side.
    for one in &mut stopping {
        one.ask();
    }
    for one in &mut stopping {
        one.finish(log)?;
    }
    let kept: BTreeSet<&str> = placement.instances.iter().map(|instance| instance.name.as_str()).collect();
    for (name, directory) in RunDirectory::existing(placement) {
        if !kept.contains(name.as_str()) {
            directory.forget_order();
        }
    }
    Ok(())
}

/// An instance on its way to its end.
struct Stopping {
    name: InstanceName,
    directory: RunDirectory,
    status: Option<Status>,
    stop_timeout: Duration,
    begun: Instant,
    asked: bool,
}

impl Stopping {
    fn new(name: InstanceName, directory: RunDirectory) -> Self {
        let stop_timeout = directory.order().map_or(DEFAULT_STOP_TIMEOUT, |order| order.stop_timeout);
        let status = directory.status();
        Self { name, directory, status, stop_timeout, begun: Instant::now(), asked: false }
    }

    /// Processes of a supervisor that is no more.
    fn remains(&self) -> Vec<ProcessId> {
        self.status.as_ref().map_or_else(Vec::new, |status| {
            process::marked(SUPERVISOR_VARIABLE, &mark(&status.boot_id, status.supervisor))
        })
    }

    fn ask(&mut self) {
        if let Some(status) = self.directory.status() {
            self.asked |= status.supervisor.signal(Signal::TERM);
            self.status = Some(status);
        }
    }

    fn finish(&mut self, log: &mut dyn Write) -> Result<(), RunError> {
        while self.directory.is_held() {
            // A supervisor that has just begun has not said its number yet.
            if !self.asked {
                self.ask();
            }
            if self.begun.elapsed() > self.stop_timeout.saturating_add(MARGIN) {
                let stuck = self.status.as_ref().map(|status| status.supervisor);
                say(log, &format!("{}: its supervisor does not end and is killed.", self.name));
                if !stuck.is_some_and(|supervisor| supervisor.signal(Signal::KILL)) {
                    return Err(RunError::StillRunning { instance: self.name.to_string() });
                }
                self.await_release(MARGIN)?;
            }
            thread::sleep(LOOK);
        }
        self.clear(log)
    }

    fn await_release(&self, time: Duration) -> Result<(), RunError> {
        let begun = Instant::now();
        while self.directory.is_held() {
            if begun.elapsed() > time {
                return Err(RunError::StillRunning { instance: self.name.to_string() });
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Ends what a supervisor that was killed has left behind.
    fn clear(&self, log: &mut dyn Write) -> Result<(), RunError> {
        let begun = Instant::now();
        let mut asked = BTreeSet::new();
        loop {
            let remains = self.remains();
            if remains.is_empty() {
                return Ok(());
            }
            if asked.is_empty() {
                say(log, &format!("{}: ending {} processes without a supervisor.", self.name, remains.len()));
            }
            if begun.elapsed() > self.stop_timeout.saturating_add(MARGIN) {
                return Err(RunError::StillRunning { instance: self.name.to_string() });
            }
            for process in remains {
                if begun.elapsed() > self.stop_timeout {
                    process.signal(Signal::KILL);
                } else if asked.insert(process) {
                    process.signal(Signal::TERM);
                    process.signal(Signal::CONT);
                }
            }
            thread::sleep(LOOK);
        }
    }
}

/// What is known of `instance`.
pub(crate) fn facts(placement: &Placement, instance: &Instance) -> InstanceFacts {
    let directory = RunDirectory::of(placement, &instance.name);
    let status = directory.status();
    let child = status.as_ref().and_then(Status::living_child);
    let looping = directory.is_held() && status.as_ref().is_some_and(|status| status.crash_looping);
    let state = match child {
        _ if looping => InstanceState::CrashLooping,
        Some(_) => InstanceState::Running,
        None => InstanceState::Stopped,
    };
    InstanceFacts {
        name: instance.name.clone(),
        state,
        release: child.and_then(|child| child.release(&placement.root)),
        restarts: status.map_or(0, |status| status.restarts),
        health: None,
    }
}

/// How the process of `instance` ended last, as the end of a sentence.
pub(crate) fn last_end(placement: &Placement, instance: &Instance) -> Option<String> {
    RunDirectory::of(placement, &instance.name).status()?.last_end
}
