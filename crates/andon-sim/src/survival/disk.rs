//! The disk of a simulated host: what can be seen of each thing on it, and what a power cut would leave.
//!
//! Knows nothing of what the things mean.

use std::collections::BTreeMap;

use andon_core::digest::Digest;
use andon_core::host::{ActivationMarker, Authority, Outcome, Token};
use andon_core::release::ReleaseId;

use crate::generator::Generator;

/// A thing on a disk.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// Whom the host obeys.
    Authority,
    /// The record of an accepted step.
    Step(Token),
    /// The result of a step.
    Result(Token),
    /// An artifact that was sent.
    Upload(ReleaseId),
    /// A release that is being unpacked, or removed, under a passing name.
    Aside(ReleaseId),
    /// The digest that was recorded for a release.
    Recorded(ReleaseId),
    /// The directory of a release.
    Release(ReleaseId),
    /// What `current` points at.
    Current,
    /// The activation marker.
    Marker,
}

/// What a thing holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Whom the host obeys.
    Authority(Authority),
    /// The boot in which a step was accepted; nothing where that never reached the disk.
    Accepted(Option<u32>),
    /// How a step ended.
    Outcome(Outcome),
    /// Files: all of them, or some.
    Files {
        /// Whether all are there.
        whole: bool,
    },
    /// A digest.
    Digest(Digest),
    /// A link to a release.
    Link(ReleaseId),
    /// A marker.
    Marker(ActivationMarker),
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Entry {
    seen: Option<Content>,
    durable: Option<Content>,
}

/// A disk.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    entries: BTreeMap<Name, Entry>,
}

impl Disk {
    /// What is seen.
    pub fn get(&self, name: &Name) -> Option<&Content> {
        self.entries.get(name)?.seen.as_ref()
    }

    /// What would be left now by a power cut that loses everything that may be lost.
    pub fn durable(&self, name: &Name) -> Option<&Content> {
        self.entries.get(name)?.durable.as_ref()
    }

    /// Changes what is seen; a power cut may undo it.
    pub fn set(&mut self, name: Name, content: Option<Content>) {
        self.entries.entry(name).or_default().seen = content;
    }

    /// Makes what is seen of something durable.
    pub fn sync(&mut self, name: &Name) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.durable.clone_from(&entry.seen);
            if entry.seen.is_none() {
                self.entries.remove(name);
            }
        }
    }

    /// Changes something and makes it durable at once.
    pub fn put(&mut self, name: Name, content: Option<Content>) {
        self.set(name.clone(), content);
        self.sync(&name);
    }

    /// Everything reaches the disk, as when a machine is shut down in good order.
    pub fn sync_all(&mut self) {
        for name in self.entries.keys().cloned().collect::<Vec<_>>() {
            self.sync(&name);
        }
    }

    /// The power goes: of what is not durable yet, chance decides. How many things were lost.
    pub fn cut(&mut self, chance: &mut Generator) -> usize {
        let mut lost = 0;
        for entry in self.entries.values_mut().filter(|entry| entry.seen != entry.durable) {
            if chance.bits() & 1 == 0 {
                lost += 1;
                entry.seen.clone_from(&entry.durable);
            }
        }
        self.sync_all();
        lost
    }

    /// Everything that is seen.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.entries.iter().filter(|(_, entry)| entry.seen.is_some()).map(|(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_synced_may_be_lost_and_what_was_is_not() {
        let (mut lost, mut kept) = (0, 0);
        for seed in 0..50 {
            let mut disk = Disk::default();
            disk.put(Name::Current, Some(Content::Files { whole: true }));
            disk.set(Name::Marker, Some(Content::Files { whole: true }));
            disk.cut(&mut Generator::new(seed));
            assert!(disk.get(&Name::Current).is_some());
            match disk.get(&Name::Marker) {
                Some(_) => kept += 1,
                None => lost += 1,
            }
        }
        assert!(lost > 5 && kept > 5, "{lost} {kept}");
    }
}
