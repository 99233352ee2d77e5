//! What this host says about itself and one service on it. Looks, and changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use andon_core::host::{HostFacts, InstanceFacts, Placement, Token};
use andon_core::quantity::ByteSize;
use rustix::fs::Access;

use crate::fence;
use crate::journal::{Journal, JournalError};
use crate::layout::{Layout, LayoutError};
use crate::release::{self, ReleaseError, space};
use crate::{probe, run};

/// Health checks that are asked at the same time.
const AT_A_TIME: usize = 16;

/// Less than this is no space at all.
const LEAST_SPACE: ByteSize = ByteSize(1 << 20);

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FactsError {
    /// The placement has no usable root.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The journal cannot be read: silence about a token would be taken for an answer.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The releases cannot be read.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// The kernel's own files cannot be read.
    #[error("the boot id of this host cannot be read: {0}")]
    BootId(io::Error),
}

/// What changes with every boot.
pub(crate) fn boot_id() -> Result<String, FactsError> {
    let read = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    read.map(|text| text.trim().to_owned()).map_err(FactsError::BootId)
}

/// The machine's architecture, as `uname -m` says.
pub(crate) fn arch() -> String {
    rustix::system::uname().machine().to_string_lossy().into_owned()
}

/// Everything that is known, with the fate of `tokens`.
pub(crate) fn gather(placement: &Placement, tokens: &[Token]) -> Result<HostFacts, FactsError> {
    let layout = Layout::of(placement)?;
    let journal = Journal::of(&layout);
    let mut fates = BTreeMap::new();
    for token in tokens {
        fates.insert(token.clone(), journal.status(token)?);
    }
    let mut obstacles = obstacles(&layout);
    let authority = fence::holder(&layout.authority()).unwrap_or_else(|error| {
        obstacles.push(format!("{error}."));
        None
    });
    obstacles.extend(run::obstacles(placement));
    Ok(HostFacts {
        boot_id: boot_id()?,
        arch: arch(),
        free: space::at(layout.root()).map_or(ByteSize(0), |space| space.free),
        current: release::current(&layout),
        releases: release::complete(&layout)?,
        marker: release::marker(&layout)?,
        instances: instances(placement),
        authority,
        tokens: fates,
        obstacles,
    })
}

/// The instances, each with one answer about its health. Every answer has a time limit of its own.
fn instances(placement: &Placement) -> Vec<InstanceFacts> {
    let mut found = run::instances(placement);
    for some in found.chunks_mut(AT_A_TIME) {
        std::thread::scope(|scope| {
            for facts in some {
                let instance = placement.instances.iter().find(|instance| instance.name == facts.name);
                scope.spawn(move || facts.health = instance.and_then(|it| probe::health_once(placement, it)));
            }
        });
    }
    found
}

/// What the file system has against a release, in sentences.
fn obstacles(layout: &Layout) -> Vec<String> {
    let root = layout.root();
    let there = space::existing(root);
    let mut found = Vec::new();
    if !there.is_dir() {
        found.push(format!("{} is not a directory.", there.display()));
    } else if rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let whole =
            if there == root { String::new() } else { format!(", so {} cannot be made", root.display()) };
        found.push(format!("{} is not writable for the agent's user{whole}.", there.display()));
    }
    match space::at(root) {
        Ok(space) if space.read_only => {
            found.push(format!("{} is on a read-only file system.", root.display()))
        }
        Ok(space) if space.free < LEAST_SPACE => {
            found.push(format!("The file system of {} is full: {} are free.", root.display(), space.free));
        }
        Ok(_) => {}
        Err(error) => found.push(format!("{error}.")),
    }
    if layout.current().symlink_metadata().is_ok_and(|current| !current.is_symlink()) {
        found
            .push(format!("{} is not a link, so no release can be switched to.", layout.current().display()));
    }
    found
}
