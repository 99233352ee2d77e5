//! The releases that this controller can send, kept by digest.
//!
//! A deployment pins a digest; its bytes stay here although the file that it was made from changes, so that a
//! resumed deployment and a rollback send what was planned.

use std::collections::BTreeSet;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use andon_archive::{ArchiveError, Limits, Scanned};
use andon_core::line::ReleaseSource;
use andon_core::release::{Packing, Release, ReleaseId, Revision};
use andon_core::signature::Signed;

pub use incoming::{Brought, PartError};
pub use signature::SignatureError;

mod incoming;
mod signature;

/// An artifact that no scope knows as good stays so long: a queued or paused deployment may still send it.
const UNNEEDED_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

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
    /// The file is no archive that Andon reads, by its name or by its first bytes.
    #[error(transparent)]
    NotAnArchive(ArchiveError),
    /// The archive is not one that hosts would unpack.
    #[error("{path}: {error}")]
    Refused {
        /// The source.
        path: PathBuf,
        /// What is wrong with it.
        error: ArchiveError,
    },
    /// The line asks for a signature, and this file does not have it.
    #[error("{path} is refused: {error}")]
    Unsigned {
        /// The source.
        path: PathBuf,
        /// What is wrong with its signature.
        error: SignatureError,
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
        self.dir.join(format!("{}.{}", release.digest, ending_of(release.packing)))
    }

    /// Removes what nobody has needed for a week and no scope may go back to. What cannot be removed stays.
    pub fn prune(&self, needed: &BTreeSet<ReleaseId>) {
        let entries = std::fs::read_dir(&self.dir).into_iter().flatten().flatten();
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            let id = name.get(..12).and_then(|digest| format!("r-{digest}").parse::<ReleaseId>().ok());
            let old = entry
                .metadata()
                .and_then(|meta| meta.modified())
                .is_ok_and(|at| SystemTime::now().duration_since(at).unwrap_or_default() > UNNEEDED_FOR);
            if old && !id.is_some_and(|id| needed.contains(&id)) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    /// Scans or packs `source` (relative to `base`) and keeps a copy. Blocking: reads the whole source.
    pub fn keep(
        &self,
        source: &ReleaseSource,
        base: &Path,
        revision: Option<Revision>,
    ) -> Result<Release, ArtifactError> {
        let not_kept = |error| ArtifactError::NotKept { path: self.dir.clone(), error };
        crate::private::directory(&self.dir).map_err(not_kept)?;
        // An archive is read by its ending, and its copy has to have the same.
        let ending = match source {
            ReleaseSource::Archive(archive) | ReleaseSource::Signed { archive, .. } => ending(archive),
            ReleaseSource::Directory(_) => "",
        };
        let temporary = tempfile_in(&self.dir, ending).map_err(not_kept)?;
        let kept = read(source, base, &temporary).and_then(|scanned| {
            let signed = signed(source, base, &temporary)?;
            let release = Release { signed, ..release(&scanned, revision) };
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

fn ending_of(packing: Packing) -> &'static str {
    match packing {
        Packing::Tar => "tar",
        Packing::TarGz => "tar.gz",
        Packing::TarZst => "tar.zst",
    }
}

/// Brings `source` into the file `target` and judges it there: what is judged is what is sent.
fn read(source: &ReleaseSource, base: &Path, target: &Path) -> Result<Scanned, ArtifactError> {
    let limits = Limits::default();
    let (path, scanned) = match source {
        ReleaseSource::Archive(archive) | ReleaseSource::Signed { archive, .. } => {
            let path = base.join(archive);
            match copy(&path, target) {
                Ok(_) => (path, andon_archive::scan(target, &limits)),
                Err(error) if is_ours(&error) => return Err(not_kept(target, error)),
                Err(error) => return Err(ArtifactError::Missing { path, error }),
            }
        }
        ReleaseSource::Directory(directory) => {
            let path = base.join(directory);
            match std::fs::read_dir(&path) {
                Ok(_) => (path.clone(), andon_archive::pack(&path, target, &limits)),
                Err(error) => return Err(ArtifactError::Missing { path, error }),
            }
        }
    };
    scanned.map_err(|error| refused(path, target, error))
}

/// Copies the bytes alone: what others may do with the original is nothing to the copy.
fn copy(from: &Path, to: &Path) -> std::io::Result<u64> {
    let mut source = std::fs::File::open(from)?;
    std::io::copy(&mut source, &mut std::fs::OpenOptions::new().write(true).truncate(true).open(to)?)
}

/// Who signed the copy, where the line asks for that.
fn signed(source: &ReleaseSource, base: &Path, copy: &Path) -> Result<Option<Signed>, ArtifactError> {
    let ReleaseSource::Signed { archive, by } = source else { return Ok(None) };
    let path = base.join(archive);
    let signed = signature::verify(copy, &path, by);
    signed.map(Some).map_err(|error| ArtifactError::Unsigned { path, error })
}

fn release(scanned: &Scanned, revision: Option<Revision>) -> Release {
    Release {
        id: ReleaseId::of(&scanned.digest),
        digest: scanned.digest,
        packing: scanned.packing,
        packed: scanned.packed,
        unpacked: scanned.unpacked,
        revision,
        signed: None,
    }
}

/// The copy that was judged is nothing to people: they are told about the file that they made. That there is no
/// space for the copy is no fault of the release.
fn refused(path: PathBuf, target: &Path, error: ArchiveError) -> ArtifactError {
    match error {
        ArchiveError::UnknownPacking { .. } => {
            ArtifactError::NotAnArchive(ArchiveError::UnknownPacking { path })
        }
        ArchiveError::Io { source, .. } if is_ours(&source) => not_kept(target, source),
        error => ArtifactError::Refused { path, error },
    }
}

/// Whether the system speaks of the place that is written to, and not of the one that is read.
fn is_ours(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem)
}

fn not_kept(target: &Path, error: std::io::Error) -> ArtifactError {
    ArtifactError::NotKept { path: target.parent().unwrap_or(target).to_owned(), error }
}

/// The ending by which an archive is read; none when it says nothing.
fn ending(archive: &Path) -> &'static str {
    let name = archive.file_name().map(|name| name.as_encoded_bytes()).unwrap_or_default();
    let known = [".tar", ".tar.gz", ".tgz", ".tar.zst"];
    known.into_iter().find(|ending| name.ends_with(ending.as_bytes())).unwrap_or_default()
}

fn tempfile_in(dir: &Path, ending: &str) -> std::io::Result<PathBuf> {
    let unique =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let path = dir.join(format!(".incoming-{}-{unique}{ending}", std::process::id()));
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_old_and_not_needed_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let artifacts = Artifacts::new(dir.path().to_owned());
        let long_ago = SystemTime::now() - UNNEEDED_FOR * 2;
        let (old, kept, new) = ("a".repeat(64), "b".repeat(64), "c".repeat(64));
        let files = [
            (format!("{old}.tar"), long_ago),
            (format!("{kept}.tar.gz"), long_ago),
            (format!("{new}.tar"), SystemTime::now()),
        ];
        for (name, at) in &files {
            let file = std::fs::File::create(dir.path().join(name)).unwrap();
            file.set_modified(*at).unwrap();
        }
        artifacts.prune(&BTreeSet::from(["r-bbbbbbbbbbbb".parse().unwrap()]));
        let mut left: Vec<_> =
            std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [files[1].0.as_str(), files[2].0.as_str()]);
    }

    #[test]
    fn the_same_directory_is_the_same_release_and_a_missing_one_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("build")).unwrap();
        std::fs::write(dir.path().join("build/page"), "hello").unwrap();
        let artifacts = Artifacts::new(dir.path().join("releases"));
        let source = ReleaseSource::Directory("build".into());
        let first = artifacts.keep(&source, dir.path(), None).unwrap();
        assert_eq!(artifacts.keep(&source, dir.path(), None).unwrap(), first);
        assert!(artifacts.path(&first).is_file());
        let missing = ReleaseSource::Archive("dist/none.tar.gz".into());
        assert!(matches!(artifacts.keep(&missing, dir.path(), None), Err(ArtifactError::Missing { .. })));
        assert_eq!(std::fs::read_dir(dir.path().join("releases")).unwrap().count(), 1);
    }
}
