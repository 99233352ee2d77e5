//! Artifacts on their way to this host: partial files that a later connection continues, never longer than announced.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use andon_api::agent::{ArtifactState, CHUNK};
use andon_core::digest::Digest;
use andon_core::host::Authority;
use andon_core::quantity::ByteSize;
use andon_core::release::ReleaseId;

use crate::journal::{Journal, JournalError};
use crate::layout::Layout;
use crate::release::space::{self, SpaceError};
use crate::release::{self, ReleaseError};

/// Why an artifact is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    /// The host obeys somebody else, or its directories cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What is on disk already cannot be understood.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// It does not fit.
    #[error(transparent)]
    Space(#[from] SpaceError),
    /// All bytes are here, and they are not the artifact. They are removed.
    #[error("the artifact that arrived does not have the promised digest")]
    WrongDigest,
    /// A piece at a place where none is wanted, or a piece too much.
    #[error("a piece of {length} bytes at {offset}, where {expected} of {size} were here")]
    Misplaced {
        /// Where it should go.
        offset: u64,
        /// Its length.
        length: usize,
        /// Where the next piece belongs.
        expected: u64,
        /// The announced size.
        size: u64,
    },
    /// The file system said no.
    #[error("the upload {} cannot be written: {source}; free space or correct its owner, then try again", path.display())]
    Io {
        /// The partial file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// An upload at work.
///
/// Two connections may send the same artifact at once, one of them perhaps dead without knowing it: both write the
/// same bytes to the same places, each without a gap, and the digest decides in the end.
#[derive(Debug)]
pub(crate) struct Upload {
    file: File,
    path: PathBuf,
    digest: Digest,
    size: u64,
    next: u64,
}

/// Answers an offer. `None` where there is nothing left to send.
pub(crate) fn offer(
    layout: &Layout,
    authority: &Authority,
    digest: &Digest,
    size: u64,
) -> Result<Option<Upload>, UploadError> {
    drop(Journal::of(layout).take_charge(authority)?);
    if release::is_complete(layout, &ReleaseId::of(digest), digest)? {
        return Ok(None);
    }
    let path = layout.upload(digest);
    let mut upload = Upload::open(path, *digest, size)?;
    if upload.next > size {
        // Announced with another size before: one of the two was wrong.
        upload.restart()?;
    }
    if upload.next == size {
        match upload.conclude() {
            Ok(()) => return Ok(None),
            Err(UploadError::WrongDigest) => upload = Upload::open(layout.upload(digest), *digest, size)?,
            Err(error) => return Err(error),
        }
    }
    space::require(&layout.incoming(), ByteSize(size - upload.next))?;
    Ok(Some(upload))
}

impl Upload {
    fn open(path: PathBuf, digest: Digest, size: u64) -> Result<Self, UploadError> {
        let opened =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let opened = opened.and_then(|file| Ok((file.metadata()?.len(), file)));
        match opened {
            Ok((next, file)) => Ok(Self { file, path, digest, size, next }),
            Err(source) => Err(UploadError::Io { path, source }),
        }
    }

    /// Where the next piece belongs.
    pub(crate) fn wanted_from(&self) -> u64 {
        self.next
    }

    /// Takes a piece. [`ArtifactState::Present`] after the one that completes the artifact.
    pub(crate) fn add(&mut self, offset: u64, bytes: &[u8]) -> Result<ArtifactState, UploadError> {
        let end = offset.checked_add(bytes.len() as u64);
        let fits = offset == self.next && bytes.len() <= CHUNK && end.is_some_and(|end| end <= self.size);
        if !fits {
            let (length, expected, size) = (bytes.len(), self.next, self.size);
            return Err(UploadError::Misplaced { offset, length, expected, size });
        }
        self.file.write_all_at(bytes, offset).map_err(|source| self.io_error(source))?;
        self.next += bytes.len() as u64;
        if self.next < self.size {
            return Ok(ArtifactState::WantedFrom(self.next));
        }
        self.conclude()?;
        Ok(ArtifactState::Present)
    }

    /// Checks the whole and makes it durable; removes it when it is something else.
    fn conclude(&self) -> Result<(), UploadError> {
        if digest_of(&self.path).map_err(|source| self.io_error(source))? != self.digest {
            fs::remove_file(&self.path).map_err(|source| self.io_error(source))?;
            return Err(UploadError::WrongDigest);
        }
        self.file.sync_all().map_err(|source| self.io_error(source))
    }

    fn restart(&mut self) -> Result<(), UploadError> {
        self.file.set_len(0).map_err(|source| self.io_error(source))?;
        self.next = 0;
        Ok(())
    }

    fn io_error(&self, source: io::Error) -> UploadError {
        UploadError::Io { path: self.path.clone(), source }
    }
}

fn digest_of(path: &Path) -> io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
}
