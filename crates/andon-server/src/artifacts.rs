//! The releases that this controller can send, kept by digest.
//!
//! A deployment pins a digest; its bytes stay here although the file that it was made from changes, so that a
//! resumed deployment and a rollback send what was planned.

use std::path::{Path, PathBuf};

use andon_archive::{ArchiveError, Limits, Scanned};
use andon_core::line::ReleaseSource;
use andon_core::release::{Packing, Release, ReleaseId, Revision};

/// Why a release could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The source is not there.
    #[error("{path} cannot be read: {error}")]
    Missing {
        /// The source.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The archive is not one that hosts would unpack.
    #[error("{path}: {error}")]
    Refused {
        /// The source.
        path: PathBuf,
        /// What is wrong with it.
        error: ArchiveError,
    },
    /// The copy could not be kept.
    #[error("the release could not be kept in {path}: {error}")]
    NotKept {
        /// The directory of releases.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
}

/// A directory of artifacts.
#[derive(Debug, Clone)]
pub struct Artifacts {
    dir: PathBuf,
}

impl Artifacts {
    /// Artifacts in `dir`, which is made when it is first needed.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Where the bytes of a release lie, whether or not they do.
    pub fn path(&self, release: &Release) -> PathBuf {
        let ending = match release.packing {
            Packing::Tar => "tar",
            Packing::TarGz => "tar.gz",
            Packing::TarZst => "tar.zst",
        };
        self.dir.join(format!("{}.{ending}", release.digest))
    }

    /// Scans or packs `source` (relative to `base`) and keeps a copy. Blocking: reads the whole source.
    pub fn keep(
        &self,
        source: &ReleaseSource,
        base: &Path,
        revision: Option<Revision>,
    ) -> Result<Release, ArtifactError> {
        let limits = Limits::default();
        let not_kept = |error| ArtifactError::NotKept { path: self.dir.clone(), error };
        std::fs::create_dir_all(&self.dir).map_err(not_kept)?;
        let temporary = tempfile_in(&self.dir).map_err(not_kept)?;
        let (path, scanned) = match source {
            ReleaseSource::Archive(archive) => {
                let path = base.join(archive);
                // Copied first, then judged: what is judged is what is sent.
                std::fs::copy(&path, &temporary)
                    .map_err(|error| ArtifactError::Missing { path: path.clone(), error })?;
                let scanned = andon_archive::scan(&temporary, &limits);
                (path, scanned)
            }
            ReleaseSource::Directory(directory) => {
                let path = base.join(directory);
                if let Err(error) = std::fs::read_dir(&path) {
                    return Err(ArtifactError::Missing { path, error });
                }
                let scanned = andon_archive::pack(&path, &temporary, &limits);
                (path, scanned)
            }
        };
        let release = scanned
            .map(|scanned| release(&scanned, revision))
            .map_err(|error| ArtifactError::Refused { path, error });
        let kept = release.and_then(|release| {
            std::fs::rename(&temporary, self.path(&release)).map_err(not_kept)?;
            Ok(release)
        });
        if kept.is_err() {
            // Nothing half-made stays; that it is gone already is as good.
            let _ = std::fs::remove_file(&temporary);
        }
        kept
    }
}

fn release(scanned: &Scanned, revision: Option<Revision>) -> Release {
    Release {
        id: ReleaseId::of(&scanned.digest),
        digest: scanned.digest,
        packing: scanned.packing,
        packed: scanned.packed,
        unpacked: scanned.unpacked,
        revision,
    }
}

fn tempfile_in(dir: &Path) -> std::io::Result<PathBuf> {
    let unique =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let path = dir.join(format!(".incoming-{}-{unique}", std::process::id()));
    std::fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
    Ok(path)
}
