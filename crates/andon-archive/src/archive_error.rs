//! Why an archive could not be read, packed or unpacked, in sentences for people.

use std::io;
use std::path::{Path, PathBuf};

use andon_core::digest::Digest;

use crate::policy::Refusal;

/// Why an archive could not be read, packed or unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The archive is intact but holds something that no release may hold.
    #[error("the archive is refused because of its entry `{entry}`: {refusal}")]
    Refused {
        /// The entry's path, escaped for terminals.
        entry: String,
        /// What is wrong with it, and what to do.
        refusal: Refusal,
    },
    /// The archive holds no file at all.
    #[error("the archive holds no file; check what the build put into it and pack it again")]
    Empty,
    /// The archive ends before its content does.
    #[error("the archive is cut off: it ends in the middle; fetch or build it again")]
    Truncated,
    /// The bytes are not those of an archive.
    #[error("the archive is damaged: {0}; fetch or build it again")]
    Corrupt(String),
    /// Neither the name nor the first bytes say how the file is packed, or they contradict each other.
    #[error(
        "{path} is not an archive of a kind that Andon reads; \
         expected .tar, .tar.gz, .tgz or .tar.zst, with content to match the name"
    )]
    UnknownPacking {
        /// The file.
        path: PathBuf,
    },
    /// The packed bytes are others than those that were asked for.
    #[error(
        "the archive is not the one that was asked for: its digest is {actual}, expected {expected}; fetch it again"
    )]
    WrongDigest {
        /// The digest that the release is known by.
        expected: Digest,
        /// The digest of the bytes that were read.
        actual: Digest,
    },
    /// The directory to unpack into exists already.
    #[error("{path} exists already; unpacking never mixes with what is there, so choose a new directory")]
    TargetExists {
        /// The directory.
        path: PathBuf,
    },
    /// The archive would be written into the directory that it is made from.
    #[error("{target} lies inside of {dir}, the directory to pack; write the archive somewhere else")]
    TargetInside {
        /// Where the archive should go.
        target: PathBuf,
        /// The directory to pack.
        dir: PathBuf,
    },
    /// A file changed its size while it was read.
    #[error("{path} changed while it was packed; wait until the build has ended and pack again")]
    Changed {
        /// The file, escaped for terminals.
        path: String,
    },
    /// The file system refused something.
    #[error("cannot {action} {path}: {source}{}", next_step(source))]
    Io {
        /// What was attempted: `open`, `write`.
        action: &'static str,
        /// On which path, escaped for terminals.
        path: String,
        /// The system's answer.
        source: io::Error,
    },
}

impl ArchiveError {
    /// An answer of the file system about `path`.
    pub(crate) fn io(action: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        use std::os::unix::ffi::OsStrExt;
        let path = crate::legible::legible(path.as_os_str().as_bytes());
        Self::Io { action, path, source: source.into() }
    }

    /// A refusal of the entry at `path`.
    pub(crate) fn refused(path: &[u8], refusal: Refusal) -> Self {
        Self::Refused { entry: crate::legible::legible(path), refusal }
    }

    /// Translates what a decompressor or the file below it says while the archive is read.
    pub(crate) fn reading(source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            _ if source.raw_os_error().is_some() => {
                Self::Io { action: "read", path: "the archive".to_owned(), source }
            }
            _ => Self::Corrupt(source.to_string()),
        }
    }
}

fn next_step(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; free some space and try again",
        io::ErrorKind::PermissionDenied => "; check who may write there",
        io::ErrorKind::NotFound => "; check the path",
        _ => "",
    }
}
