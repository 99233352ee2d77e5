//! Whom a host obeys: one ledger per service, or per pool of a balancer, and never a lower fence than the highest seen.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use andon_core::host::Authority;

use crate::durable;

/// Why an order is not obeyed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FenceError {
    /// Somebody else is obeyed.
    #[error("the host obeys {}", .0)]
    Held(Box<Authority>),
    /// It cannot be known or recorded who is obeyed, so nobody is.
    #[error("{} cannot be used: {why}; without it the host does not know whom to obey", path.display())]
    Storage {
        /// The record.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// Whether `asking` is obeyed where `holder` was obeyed last.
fn admits(holder: &Authority, asking: &Authority) -> bool {
    if holder.ledger == asking.ledger { asking.fence >= holder.fence } else { asking.take_over }
}

/// Whom the host obeys, if it ever obeyed anybody: what the record at `path` says.
pub(crate) fn holder(path: &Path) -> Result<Option<Authority>, FenceError> {
    let failed = |path: &Path, why: String| Err(FenceError::Storage { path: path.to_owned(), why });
    match fs::read(path) {
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(authority) => Ok(Some(authority)),
            Err(error) => failed(path, error.to_string()),
        },
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => failed(path, error.to_string()),
    }
}

/// Obeys `asking` from now on, or says who is obeyed instead; the record is at `path`. The caller holds the lock of
/// whatever the record is about.
pub(crate) fn raise(path: &Path, asking: &Authority) -> Result<(), FenceError> {
    let holder = holder(path)?;
    // A take-over is one act; what is remembered is only the new holder.
    let next = Authority { take_over: false, ..asking.clone() };
    match holder {
        Some(holder) if !admits(&holder, asking) => return Err(FenceError::Held(Box::new(holder))),
        Some(holder) if holder == next => return Ok(()),
        _ => {}
    }
    let written =
        serde_json::to_vec(&next).map_err(io::Error::from).and_then(|json| durable::replace(path, &json));
    written.map_err(|error| FenceError::Storage { path: path.to_owned(), why: error.to_string() })
}

#[cfg(test)]
mod tests {
    use andon_core::host::Fence;

    use super::*;

    fn authority(ledger: &str, fence: u64, take_over: bool) -> Authority {
        Authority {
            ledger: ledger.into(),
            fence: Fence(fence),
            deployment: 7,
            by: "ada".into(),
            at: "desk".into(),
            since: None,
            take_over,
        }
    }

    #[test]
    fn only_the_same_ledger_with_at_least_the_same_fence_is_obeyed() {
        let holder = authority("ours", 5, false);
        assert!(admits(&holder, &authority("ours", 5, false)));
        assert!(admits(&holder, &authority("ours", 6, false)));
        assert!(!admits(&holder, &authority("ours", 4, false)));
        assert!(!admits(&holder, &authority("theirs", 99, false)));
        assert!(admits(&holder, &authority("theirs", 1, true)));
    }

    #[test]
    fn taking_over_does_not_lower_a_fence_of_the_same_ledger() {
        assert!(!admits(&authority("ours", 5, false), &authority("ours", 4, true)));
    }
}
