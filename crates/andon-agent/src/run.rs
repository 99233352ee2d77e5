//! The processes of a service on this host: start, stop, look. Does not decide whether they are healthy.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use andon_core::host::{InstanceFacts, Placement};
use andon_core::release::ReleaseId;

pub mod supervisor;

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
    /// Not there yet.
    #[error("not written yet")]
    Unwritten,
}

/// Stops what runs and starts every instance of `placement` on `release`, to which `current` already points.
/// Returns when they are started, not when they are healthy.
pub fn restart(
    _placement: &Placement,
    _release: &ReleaseId,
    _exe: &SelfExe,
    _log: &mut dyn Write,
) -> Result<(), RunError> {
    Err(RunError::Unwritten)
}

/// Stops every instance of `placement`.
pub fn stop(_placement: &Placement, _log: &mut dyn Write) -> Result<(), RunError> {
    Err(RunError::Unwritten)
}

/// What is known of every instance of `placement`; health is not asked.
pub fn instances(_placement: &Placement) -> Vec<InstanceFacts> {
    Vec::new()
}

/// What will keep `placement` from running here, in sentences.
pub fn obstacles(_placement: &Placement) -> Vec<String> {
    Vec::new()
}
