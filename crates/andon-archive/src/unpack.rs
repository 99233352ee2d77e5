//! Unpacks an archive into a new directory, durably, or leaves nothing behind.
//!
//! Owners, times and extended attributes of the archive are not applied: files belong to whoever unpacks.

mod tree_writer;

use std::io;
use std::path::{Path, PathBuf};

use andon_core::digest::Digest;
use andon_core::quantity::ByteSize;
use andon_core::release::Packing;

use crate::archive_error::ArchiveError;
use crate::member::Members;
use crate::packed::Packed;
use crate::policy::{Limits, Placement};
use crate::scan::walk;
use tree_writer::TreeWriter;

/// What was unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unpacked {
    /// Size of the packed bytes.
    pub packed: ByteSize,
    /// Space that it takes, each entry rounded up to whole blocks.
    pub unpacked: ByteSize,
    /// Files, links and directories, also those that are only implied.
    pub entries: u64,
}

/// Unpacks the archive at `path` into the directory `target`, which must not exist while its parent must.
///
/// The packed bytes are checked against `digest` on the way. On success, everything is on disk (also the entry
/// of `target` in its parent); files are read-only and directories writable by their owner only. On failure,
/// `target` is gone again; only a crash can leave it, so unpack to a temporary name and rename it then.
pub fn unpack(
    path: &Path,
    packing: Packing,
    digest: &Digest,
    target: &Path,
    limits: &Limits,
) -> Result<Unpacked, ArchiveError> {
    let packed = Packed::open(path, packing)?;
    let unfinished = Unfinished::create(target)?;
    let mut writer = TreeWriter::open(target)?;
    let (totals, fingerprint) =
        walk(packed, limits, |placement, members| place(&mut writer, placement, members));
    let fingerprint = fingerprint?;
    // Other bytes than expected explain every other failure.
    if fingerprint.digest != *digest {
        return Err(ArchiveError::WrongDigest { expected: *digest, actual: fingerprint.digest });
    }
    let totals = totals?;
    writer.sync()?;
    sync_parent(target)?;
    unfinished.keep();
    Ok(Unpacked { packed: fingerprint.packed, unpacked: totals.unpacked, entries: totals.entries })
}

fn place(
    writer: &mut TreeWriter,
    placement: Placement,
    members: &mut Members<Packed>,
) -> Result<(), ArchiveError> {
    match placement {
        Placement::Root => Ok(()),
        Placement::Directory { path, mode } => writer.directory(&path, mode),
        Placement::File { path, mode, size: _ } => {
            writer.file(&path, mode, |buffer| members.read_data(buffer))
        }
        Placement::Symlink { path, target } => writer.symlink(&path, &target),
        Placement::HardLink { path, original } => writer.hard_link(&path, &original),
    }
}

fn sync_parent(target: &Path) -> Result<(), ArchiveError> {
    let parent = match target.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let sync = || std::fs::File::open(parent)?.sync_all();
    sync().map_err(|source: io::Error| ArchiveError::io("flush to disk", parent, source))
}

/// Removes the directory again unless it is kept.
struct Unfinished(Option<PathBuf>);

impl Unfinished {
    fn create(target: &Path) -> Result<Self, ArchiveError> {
        match std::fs::create_dir(target) {
            Ok(()) => Ok(Self(Some(target.to_path_buf()))),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(ArchiveError::TargetExists { path: target.to_path_buf() })
            }
            Err(error) => Err(ArchiveError::io("create", target, error)),
        }
    }

    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(target) = self.0.take() {
            // Whatever made the unpacking fail is the error to report, not this.
            let _ = std::fs::remove_dir_all(target);
        }
    }
}
