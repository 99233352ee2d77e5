//! What an archive holds: the name of each entry, and a digest of what is in it, so that two archives can be compared.
//! Nothing is written. What [`crate::scan`] would refuse is refused here.

use std::path::Path;

use andon_core::digest::Digest;

use crate::archive_error::ArchiveError;
use crate::legible::legible;
use crate::member::Members;
use crate::packed::{Packed, packing_of};
use crate::policy::{Limits, Placement};
use crate::scan::walk;

/// An entry of an archive. Directories count by their files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its path, as the archive has it.
    pub path: Vec<u8>,
    /// Of what it holds: a file's bytes and mode, where a link leads.
    pub digest: Digest,
}

impl Entry {
    /// Its path for people: what is no text is made visible, what is very long is shortened.
    pub fn shown(&self) -> String {
        legible(&self.path)
    }
}

/// The files and links of the archive at `path`, in its order. Blocking: reads all of it.
///
/// # Errors
/// As [`crate::scan`].
pub fn contents(path: &Path, limits: &Limits) -> Result<Vec<Entry>, ArchiveError> {
    let packing =
        packing_of(path).ok_or_else(|| ArchiveError::UnknownPacking { path: path.to_path_buf() })?;
    let mut entries = Vec::new();
    let (totals, fingerprint) = walk(Packed::open(path, packing)?, limits, |placement, members| {
        entries.extend(entry(placement, members)?);
        Ok(())
    });
    totals?;
    fingerprint?;
    Ok(entries)
}

fn entry(placement: Placement, members: &mut Members<Packed>) -> Result<Option<Entry>, ArchiveError> {
    let of = |path: &[u8], what: &[&[u8]]| {
        let digest = Digest::of(&what.concat());
        Some(Entry { path: path.to_vec(), digest })
    };
    Ok(match placement {
        Placement::Root | Placement::Directory { .. } => None,
        Placement::Symlink { path, target } => of(&path, &[b"symbolic link\0", &target]),
        Placement::HardLink { path, original } => of(&path, &[b"hard link\0", &original]),
        Placement::File { path, mode, size: _ } => {
            let mut hasher = blake3::Hasher::new();
            hasher.update(b"file\0").update(&mode.to_le_bytes());
            let mut buffer = vec![0; 64 << 10];
            loop {
                let count = members.read_data(&mut buffer)?;
                if count == 0 {
                    break;
                }
                hasher.update(buffer.get(..count).unwrap_or_default());
            }
            Some(Entry { path, digest: Digest::from_bytes(*hasher.finalize().as_bytes()) })
        }
    })
}
