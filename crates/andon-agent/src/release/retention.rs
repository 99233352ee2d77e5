//! Removes releases that nobody needs any more, and only what Andon itself made.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use andon_core::host::Placement;
use andon_core::host::effects::{REMOVAL, Removal};
use andon_core::host::releases::needed;
use andon_core::release::ReleaseId;

use super::{PASSING, ReleaseError, complete, current, io_error, marker};
use crate::durable;
use crate::layout::Layout;
use crate::run;

/// An upload that nobody went on with for so long is given up.
const ABANDONED: Duration = Duration::from_secs(7 * 24 * 3600);

/// Removes what earlier preparations left half done, and abandoned uploads.
pub(super) fn sweep(layout: &Layout, log: &mut dyn Write) -> Result<(), ReleaseError> {
    let releases = layout.releases();
    for entry in fs::read_dir(&releases).map_err(io_error("read", &releases))?.flatten() {
        let name = entry.file_name();
        let passing = name.to_str().and_then(|name| name.strip_prefix(PASSING)?.split_once('-'));
        let ours =
            passing.is_some_and(|(way, id)| matches!(way, "new" | "gone") && id.parse::<ReleaseId>().is_ok());
        if ours {
            remove(&entry.path())?;
            let _ = writeln!(log, "removed {}, a remnant", entry.path().display());
        }
    }
    let incoming = layout.incoming();
    for entry in fs::read_dir(&incoming).map_err(io_error("read", &incoming))?.flatten() {
        let modified = entry.metadata().and_then(|found| found.modified());
        let age = modified.ok().and_then(|at| SystemTime::now().duration_since(at).ok());
        if age.is_some_and(|age| age > ABANDONED) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes every complete release except `wanted`, those in `keep`, and those in use.
pub(super) fn prune(
    layout: &Layout,
    placement: &Placement,
    wanted: &ReleaseId,
    keep: &[ReleaseId],
    log: &mut dyn Write,
) -> Result<(), ReleaseError> {
    let instances = run::instances(placement).into_iter().filter_map(|instance| instance.release);
    let needed = needed(wanted, keep, current(layout), marker(layout)?, instances.chain(in_use(layout)));
    for id in complete(layout)?.into_iter().filter(|id| !needed.contains(id)) {
        let path = layout.release(&id);
        let gone = layout.releases().join(format!("{PASSING}gone-{id}"));
        for effect in REMOVAL {
            match effect {
                Removal::Unname => fs::rename(&path, &gone).map_err(io_error("remove", &path))?,
                Removal::FlushName => durable::sync_directory(&layout.releases())
                    .map_err(io_error("flush", layout.releases()))?,
                Removal::Files => remove(&gone)?,
                Removal::Record => remove(&layout.record(&id))?,
            }
        }
        let _ = writeln!(log, "removed {id}");
    }
    Ok(())
}

/// The releases that some process on this host runs from or works in, as far as this user may see.
fn in_use(layout: &Layout) -> BTreeSet<ReleaseId> {
    // The kernel shows real paths.
    let Ok(releases) = fs::canonicalize(layout.releases()) else { return BTreeSet::new() };
    let Ok(entries) = fs::read_dir("/proc") else { return BTreeSet::new() };
    let processes = entries.flatten().filter(|entry| {
        entry.file_name().to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
    });
    let places =
        processes.flat_map(|entry| ["exe", "cwd"].map(|link| fs::read_link(entry.path().join(link))));
    places.flatten().filter_map(|place| release_of(&releases, &place)).collect()
}

fn release_of(releases: &Path, place: &Path) -> Option<ReleaseId> {
    place.strip_prefix(releases).ok()?.components().next()?.as_os_str().to_str()?.parse().ok()
}

/// Removes a file or a tree; links are removed, never followed.
fn remove(path: &PathBuf) -> Result<(), ReleaseError> {
    let tree = fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    let removed = if tree { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", path)(error)),
        _ => Ok(()),
    }
}
