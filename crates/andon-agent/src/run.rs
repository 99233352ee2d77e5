//! The processes of a service on this host: start, stop, look. Does not decide whether they are healthy.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;

use andon_core::host::{InstanceFacts, Placement};
use andon_core::line::{Instance, Supervision};
use andon_core::release::ReleaseId;

pub mod process;
pub mod supervisor;

pub(crate) mod child;
pub(crate) mod directory;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod order;
mod own;
pub(crate) mod systemd;

pub(crate) use systemd::takes_the_machine_down;
pub use systemd::unit::UnitError;

/// How the agent starts itself again: `program`, then `prefix`, then the words of the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfExe {
    /// The executable.
    pub program: PathBuf,
    /// The words before the command.
    pub prefix: Vec<OsString>,
}

/// Why processes could not be started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file of ours could not be written or removed.
    #[error("{} could not be changed: {source}. See that the disk has room and that the agent may write there", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The supervisor could not be started.
    #[error("the supervisor {} could not be started: {source}", program.display())]
    Supervisor {
        /// What was to be started.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The process of an instance could not be started.
    #[error("instance {instance} was not started: {reason}")]
    NotStarted {
        /// Which.
        instance: String,
        /// Why.
        reason: String,
    },
    /// A process does not end, not even when it is killed.
    #[error(
        "instance {instance} does not end, not even when it is killed; look at its processes on the host"
    )]
    StillRunning {
        /// Which.
        instance: String,
    },
    /// The unit cannot be written.
    #[error("the systemd unit cannot be written: {0}")]
    Unit(#[from] UnitError),
    /// A unit's name that systemd would not take.
    #[error("{name:?} is not the name of a systemd unit")]
    BadUnitName {
        /// As it was given.
        name: String,
    },
    /// The unit's file was written by somebody else.
    #[error("{} was not written by Andon for this service and stays as it is. Remove it, or name it as an existing unit in the line", path.display())]
    ForeignUnit {
        /// Which file.
        path: PathBuf,
    },
    /// systemd refused.
    #[error("systemctl {order} {units} failed: {reason}{journal}")]
    Systemctl {
        /// What was ordered.
        order: String,
        /// Of which units.
        units: String,
        /// What it said.
        reason: String,
        /// What the units wrote to the journal; empty or starting with a line break.
        journal: String,
    },
}

/// Stops what runs and starts every instance of `placement` on `release`, to which `current` already points.
/// Returns when they are started, not when they are healthy. Instances that are no longer in the placement end.
pub fn restart(
    placement: &Placement,
    release: &ReleaseId,
    exe: &SelfExe,
    log: &mut dyn Write,
) -> Result<(), RunError> {
    match &placement.run.by {
        Supervision::Own { command } => {
            // Whoever looked after the service until now must let go of its ports first.
            systemd::remove_all(placement, log)?;
            own::restart(placement, command, release, exe, log)
        }
        Supervision::Systemd(unit) => {
            own::stop(placement, log)?;
            systemd::restart(placement, unit, release, log)
        }
    }
}

/// Stops every instance of `placement`, by whomever it was started.
pub fn stop(placement: &Placement, log: &mut dyn Write) -> Result<(), RunError> {
    own::stop(placement, log)?;
    match &placement.run.by {
        Supervision::Own { .. } => systemd::remove_all(placement, log),
        Supervision::Systemd(unit) => systemd::stop(placement, unit, log),
    }
}

/// What is known of every instance of `placement`; health is not asked.
pub fn instances(placement: &Placement) -> Vec<InstanceFacts> {
    match &placement.run.by {
        Supervision::Own { .. } => {
            placement.instances.iter().map(|instance| own::facts(placement, instance)).collect()
        }
        Supervision::Systemd(unit) => systemd::facts(placement, unit),
    }
}

/// What will keep `placement` from running here, in sentences.
pub fn obstacles(placement: &Placement) -> Vec<String> {
    let mut found = match &placement.run.by {
        Supervision::Own { command } if command.is_empty() => {
            vec!["The service has no command. Name a program in `command`.".to_owned()]
        }
        Supervision::Own { .. } => Vec::new(),
        Supervision::Systemd(unit) => systemd::obstacles(placement, unit),
    };
    let probes = placement.health.iter().map(|health| &health.probe);
    let probes = probes.chain(placement.tests.iter().map(|test| &test.probe));
    found.extend(probes.filter_map(crate::probe::obstacle));
    found.dedup();
    found
}

/// The last output of `instance`, as it is, at most a few KiB.
pub(crate) fn log_tail(placement: &Placement, instance: &Instance) -> Vec<u8> {
    match &placement.run.by {
        Supervision::Own { .. } => directory::RunDirectory::of(placement, &instance.name).log_tail(4096),
        Supervision::Systemd(unit) => systemd::log_tail(placement, unit, instance),
    }
}

/// How the process of `instance` ended last, as the end of a sentence, where that is known.
pub(crate) fn last_end(placement: &Placement, instance: &Instance) -> Option<String> {
    match &placement.run.by {
        Supervision::Own { .. } => own::last_end(placement, instance),
        Supervision::Systemd(_) => None,
    }
}

/// Writes one line of a step's output. A reader that has gone away does not stop the step.
pub(crate) fn say(log: &mut dyn Write, sentence: &str) {
    let _ = writeln!(log, "{sentence}");
}
