//! Free space where releases are kept.

use std::io;
use std::path::{Path, PathBuf};

use andon_core::quantity::ByteSize;

/// Why something does not fit.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpaceError {
    /// There is too little.
    #[error("{free} free in {}, {needed} are needed; free some space, then try again", path.display())]
    TooLittle {
        /// Where.
        path: PathBuf,
        /// What is free.
        free: ByteSize,
        /// What is needed.
        needed: ByteSize,
    },
    /// It cannot be known.
    #[error("the free space in {} cannot be read: {source}", path.display())]
    Unknown {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What a file system says of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Space {
    /// What this user may still fill.
    pub(crate) free: ByteSize,
    /// Whether nothing can be written at all.
    pub(crate) read_only: bool,
}

/// The space at `path`, or at the nearest directory above it that exists.
pub(crate) fn at(path: &Path) -> Result<Space, SpaceError> {
    let there = existing(path);
    let found = rustix::fs::statvfs(there)
        .map_err(|error| SpaceError::Unknown { path: there.to_owned(), source: error.into() })?;
    let read_only = found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY);
    Ok(Space { free: ByteSize(found.f_bavail.saturating_mul(found.f_frsize)), read_only })
}

/// Fails unless `needed` is free at `path`.
pub(crate) fn require(path: &Path, needed: ByteSize) -> Result<(), SpaceError> {
    let free = at(path)?.free;
    if free >= needed { Ok(()) } else { Err(SpaceError::TooLittle { path: path.to_owned(), free, needed }) }
}

/// The nearest directory at or above `path` that exists.
pub(crate) fn existing(path: &Path) -> &Path {
    path.ancestors().find(|above| above.exists()).unwrap_or(Path::new("/"))
}
