//! Which releases a host has, and which of them it needs. Decides only: looks at no disk and removes nothing.

use std::collections::BTreeSet;

use super::ActivationMarker;
use crate::digest::Digest;
use crate::release::ReleaseId;

/// How a release stands on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// All of it is here.
    Complete,
    /// It is not here, or not all of it.
    Absent,
    /// Something is under its name that Andon did not put there, or that another digest was recorded for.
    Foreign,
}

/// How a release with this digest stands on a disk, given the digest that was recorded for its name and whether a
/// directory has the name. A record that cannot be understood vouches for nothing: it counts as none.
pub fn presence(recorded: Option<&Digest>, directory: bool, digest: &Digest) -> Presence {
    match (recorded, directory) {
        (Some(recorded), true) if recorded == digest => Presence::Complete,
        (_, true) => Presence::Foreign,
        (_, false) => Presence::Absent,
    }
}

/// The releases that stay when `wanted` is brought to a host: it, those in `keep`, and those that the host uses.
pub fn needed(
    wanted: &ReleaseId,
    keep: &[ReleaseId],
    current: Option<ReleaseId>,
    marker: Option<ActivationMarker>,
    running: impl IntoIterator<Item = ReleaseId>,
) -> BTreeSet<ReleaseId> {
    let named = keep.iter().cloned().chain([wanted.clone()]);
    named.chain(current).chain(marker.map(|marker| marker.release)).chain(running).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_directory_with_the_record_of_its_digest_is_a_release() {
        let (ours, other) = (Digest::of(b"ours"), Digest::of(b"other"));
        assert_eq!(presence(Some(&ours), true, &ours), Presence::Complete);
        assert_eq!(presence(Some(&ours), false, &ours), Presence::Absent);
        assert_eq!(presence(Some(&other), false, &ours), Presence::Absent);
        assert_eq!(presence(Some(&other), true, &ours), Presence::Foreign);
        assert_eq!(presence(None, true, &ours), Presence::Foreign);
        assert_eq!(presence(None, false, &ours), Presence::Absent);
    }
}
