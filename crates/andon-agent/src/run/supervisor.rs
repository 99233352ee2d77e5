//! The process that stays beside one instance.

use std::path::Path;
use std::process::ExitCode;

/// Supervises the instance whose orders are in `dir` until it is told to stop.
pub fn main(_dir: &Path) -> ExitCode {
    ExitCode::FAILURE
}
