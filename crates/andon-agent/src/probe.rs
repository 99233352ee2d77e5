//! Asks one question of one instance, within a bound of time and memory.

use std::time::Duration;

use andon_core::host::Placement;
use andon_core::line::{Instance, Probe};

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether the probe passed.
    pub passed: bool,
    /// One line, bounded, without control characters.
    pub message: String,
    /// Whatever else was said, at most 4 KiB.
    pub detail: String,
    /// Whether the answer was a warning.
    pub warning: bool,
}

/// Asks `probe` of `instance`; takes no longer than `timeout`.
pub fn ask(_probe: &Probe, _placement: &Placement, _instance: &Instance, _timeout: Duration) -> Answer {
    Answer { passed: false, message: "not written yet".to_owned(), detail: String::new(), warning: false }
}

/// One health check; `None` where the service has none.
pub fn health_once(_placement: &Placement, _instance: &Instance) -> Option<Result<(), String>> {
    None
}
