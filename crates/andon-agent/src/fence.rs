//! Remembers whom this host obeys. Who that is, is decided in the core.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use andon_core::host::Authority;
use andon_core::host::obedience::{Obedience, obey};

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
    let next = match obey(holder(path)?.as_ref(), asking) {
        Obedience::Refused(holder) => return Err(FenceError::Held(Box::new(holder))),
        Obedience::AsBefore => return Ok(()),
        Obedience::From(next) => next,
    };
    let written =
        serde_json::to_vec(&next).map_err(io::Error::from).and_then(|json| durable::replace(path, &json));
    written.map_err(|error| FenceError::Storage { path: path.to_owned(), why: error.to_string() })
}
