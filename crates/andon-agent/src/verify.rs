//! Waits until a host's instances are healthy, then runs the production tests.

use std::io::Write;
use std::time::Duration;

use andon_core::host::{Outcome, Placement, TestMode};
use andon_core::release::ReleaseId;

/// Waits for health until `healthy_deadline`, then runs every production test on every instance.
pub fn verify(
    _placement: &Placement,
    _release: &ReleaseId,
    _healthy_deadline: Duration,
    _tests: TestMode,
    _log: &mut dyn Write,
) -> Outcome {
    Outcome::Failed { reason: "not written yet".to_owned(), tail: String::new() }
}
