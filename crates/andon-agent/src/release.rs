//! Releases on this host's disk: unpacked aside, complete or absent, switched by one rename, removed when old.
//!
//! Starts and stops nothing.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use andon_archive::{ArchiveError, Limits, Unpacked, unpack};
use andon_core::digest::Digest;
use andon_core::host::effects::{UNPACKING, Unpacking};
use andon_core::host::releases::{Presence, presence};
use andon_core::host::{ActivationMarker, Placement};
use andon_core::quantity::ByteSize;
use andon_core::release::{Release, ReleaseId};

use crate::durable;
use crate::layout::Layout;
use crate::run::say;

mod retention;
pub(crate) mod space;

/// Begins the names of releases that are on their way in or out.
const PASSING: &str = ".andon-";

/// Room beyond the release itself that unpacking needs for directories and the file system's own books.
const MARGIN: u64 = 1 << 20;

/// Why a release cannot be had or used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReleaseError {
    /// Too little space.
    #[error(transparent)]
    Space(#[from] space::SpaceError),
    /// The archive cannot be unpacked.
    #[error("{0}")]
    Archive(#[from] ArchiveError),
    /// There is something under the release's name that is not this release.
    #[error("{} is in the way: Andon did not put it there; move it elsewhere and try again", .0.display())]
    Foreign(PathBuf),
    /// The artifact is not on the host.
    #[error("the artifact of {0} is not on the host; it must be sent before it is unpacked")]
    NotHere(ReleaseId),
    /// The release is not on the host.
    #[error("{0} is not unpacked on this host, so it cannot be activated; prepare it first")]
    NotPrepared(ReleaseId),
    /// `current` is something else than a link.
    #[error("{} is not a link, so no release can be switched to; move it elsewhere and try again", .0.display())]
    NotALink(PathBuf),
    /// The file system said no.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// The answer.
        source: io::Error,
    },
}

/// Wraps an answer of the file system.
fn io_error(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> ReleaseError {
    let path = path.into();
    move |source| ReleaseError::Io { what, path, source }
}

/// Makes `release` complete on disk, from its upload. Removes what `keep` does not name and nobody uses.
pub(crate) fn prepare(
    layout: &Layout,
    placement: &Placement,
    release: &Release,
    keep: &[ReleaseId],
    log: &mut dyn Write,
) -> Result<(), ReleaseError> {
    retention::sweep(layout, log)?;
    retention::prune(layout, placement, &release.id, keep, log)?;
    let upload = layout.upload(&release.digest);
    if is_complete(layout, &release.id, &release.digest)? {
        // Whoever unpacked it may have been killed before its name was durable.
        for directory in [layout.records(), layout.releases()] {
            durable::sync_directory(&directory).map_err(io_error("flush", directory))?;
        }
        let _ = writeln!(log, "{} is here already", release.id);
        return remove_upload(&upload);
    }
    let target = layout.release(&release.id);
    if target.symlink_metadata().is_ok() {
        return Err(ReleaseError::Foreign(target));
    }
    if !upload.exists() {
        return Err(ReleaseError::NotHere(release.id.clone()));
    }
    space::require(&layout.releases(), ByteSize(release.unpacked.0.saturating_add(MARGIN)))?;
    let fresh = layout.releases().join(format!("{PASSING}new-{}", release.id));
    let limits = Limits { unpacked: release.unpacked, ..Limits::default() };
    let record = layout.record(&release.id);
    for effect in UNPACKING {
        match effect {
            Unpacking::Unpack => {
                let unpacked = unpack(&upload, release.packing, &release.digest, &fresh, &limits)?;
                let Unpacked { unpacked, entries, .. } = unpacked;
                say(log, &format!("{} unpacked: {unpacked} in {entries} entries", release.id));
            }
            Unpacking::Record => durable::replace(&record, release.digest.to_string().as_bytes())
                .map_err(io_error("write", &record))?,
            Unpacking::Name => fs::rename(&fresh, &target).map_err(io_error("create", &target))?,
            Unpacking::FlushName => {
                durable::sync_directory(&layout.releases()).map_err(io_error("flush", layout.releases()))?;
            }
            Unpacking::ForgetUpload => remove_upload(&upload)?,
        }
    }
    Ok(())
}

fn remove_upload(upload: &Path) -> Result<(), ReleaseError> {
    match fs::remove_file(upload) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", upload)(error)),
        _ => Ok(()),
    }
}

/// Whether the release with this very digest is complete on disk.
pub(crate) fn is_complete(layout: &Layout, id: &ReleaseId, digest: &Digest) -> Result<bool, ReleaseError> {
    let recorded = recorded(layout, id)?;
    match presence(recorded.as_ref(), layout.release(id).is_dir(), digest) {
        Presence::Complete => Ok(true),
        Presence::Foreign if recorded.is_some() => Err(ReleaseError::Foreign(layout.release(id))),
        // Without a record it is found in the way when it is about to be replaced.
        Presence::Foreign | Presence::Absent => Ok(false),
    }
}

/// Fails unless the release is complete on disk.
pub(crate) fn require_complete(layout: &Layout, id: &ReleaseId) -> Result<(), ReleaseError> {
    let complete = recorded(layout, id)?.is_some() && layout.release(id).is_dir();
    if complete { Ok(()) } else { Err(ReleaseError::NotPrepared(id.clone())) }
}

/// The digest of the release that was unpacked under this name, if one ever was.
fn recorded(layout: &Layout, id: &ReleaseId) -> Result<Option<Digest>, ReleaseError> {
    let path = layout.record(id);
    match fs::read_to_string(&path) {
        // A record that cannot be understood vouches for nothing.
        Ok(text) => Ok(text.trim().parse().ok()),
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) => Err(io_error("read", path)(error)),
    }
}

/// The releases that are complete on disk, by name.
pub(crate) fn complete(layout: &Layout) -> Result<Vec<ReleaseId>, ReleaseError> {
    let path = layout.releases();
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if is_absence(&error) => return Ok(Vec::new()),
        Err(error) => return Err(io_error("read", path)(error)),
    };
    let named = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut complete: Vec<ReleaseId> = named.filter(|id| require_complete(layout, id).is_ok()).collect();
    complete.sort();
    Ok(complete)
}

/// Points `current` at a release.
pub(crate) fn switch(layout: &Layout, id: &ReleaseId) -> Result<(), ReleaseError> {
    let link = layout.current();
    if link.symlink_metadata().is_ok_and(|found| !found.is_symlink()) {
        return Err(ReleaseError::NotALink(link));
    }
    let target = PathBuf::from("releases").join(id.as_str());
    durable::point(&link, &target).map_err(io_error("switch", link))
}

/// Where `current` points, if it is to a release.
pub(crate) fn current(layout: &Layout) -> Option<ReleaseId> {
    let target = fs::read_link(layout.current()).ok()?;
    let whole = layout.root().join(&target);
    let inside = whole.parent() == Some(&layout.releases());
    inside.then(|| target.file_name()?.to_str()?.parse().ok()).flatten()
}

/// Writes the activation marker.
pub(crate) fn mark(layout: &Layout, marker: &ActivationMarker) -> Result<(), ReleaseError> {
    let path = layout.marker();
    let json = serde_json::to_vec(marker).map_err(io::Error::from);
    json.and_then(|json| durable::replace(&path, &json)).map_err(io_error("write", path))
}

/// The activation marker, if there ever was an activation.
pub(crate) fn marker(layout: &Layout) -> Result<Option<ActivationMarker>, ReleaseError> {
    let path = layout.marker();
    match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| io_error("read", path)(e.into())),
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) => Err(io_error("read", path)(error)),
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
