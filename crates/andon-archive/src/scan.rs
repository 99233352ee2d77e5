//! Reads a whole archive without writing anything: its digest, its sizes, and whether hosts would take it.

use std::path::Path;

use andon_core::digest::Digest;
use andon_core::quantity::ByteSize;
use andon_core::release::Packing;

use crate::archive_error::ArchiveError;
use crate::member::Members;
use crate::packed::{Fingerprint, Packed, packing_of};
use crate::policy::{Limits, Placement, Policy, Totals};

/// What an archive is, once all of it was read and found fit to be a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scanned {
    /// BLAKE3 of the packed bytes.
    pub digest: Digest,
    /// How they are packed.
    pub packing: Packing,
    /// Size of the packed bytes.
    pub packed: ByteSize,
    /// Space that it takes unpacked, each entry rounded up to whole blocks.
    pub unpacked: ByteSize,
    /// Files, links and directories, also those that are only implied.
    pub entries: u64,
}

/// Reads the whole archive at `path` once. Refuses whatever [`crate::unpack`] would refuse.
pub fn scan(path: &Path, limits: &Limits) -> Result<Scanned, ArchiveError> {
    let packing =
        packing_of(path).ok_or_else(|| ArchiveError::UnknownPacking { path: path.to_path_buf() })?;
    let (totals, fingerprint) = walk(Packed::open(path, packing)?, limits, |_, _| Ok(()));
    let totals = totals?;
    let Fingerprint { digest, packed } = fingerprint?;
    Ok(Scanned { digest, packing, packed, unpacked: totals.unpacked, entries: totals.entries })
}

/// Lets `place` act on every entry that the policy admits, in order. All of the file is read in any case, so
/// that its digest is known also when an entry is refused.
pub(crate) fn walk(
    packed: Packed,
    limits: &Limits,
    place: impl FnMut(Placement, &mut Members<Packed>) -> Result<(), ArchiveError>,
) -> (Result<Totals, ArchiveError>, Result<Fingerprint, ArchiveError>) {
    let mut members = Members::new(packed, *limits);
    let totals = walk_members(&mut members, limits, place);
    (totals, members.into_inner().fingerprint())
}

fn walk_members(
    members: &mut Members<Packed>,
    limits: &Limits,
    mut place: impl FnMut(Placement, &mut Members<Packed>) -> Result<(), ArchiveError>,
) -> Result<Totals, ArchiveError> {
    let mut policy = Policy::new(*limits);
    while let Some(member) = members.next()? {
        let placement =
            policy.admit(&member).map_err(|refusal| ArchiveError::refused(&member.path, refusal))?;
        place(placement, members)?;
    }
    let totals = policy.finish().map_err(|(path, refusal)| ArchiveError::refused(&path, refusal))?;
    if totals.files == 0 { Err(ArchiveError::Empty) } else { Ok(totals) }
}
