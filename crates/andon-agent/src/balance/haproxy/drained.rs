//! The servers that are drained because Andon drained them: all others were drained by somebody else, and stay so.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use andon_core::balance::{BalancerFailure, FailureKind};
use andon_core::name::ServerName;

use super::failure;
use crate::durable;

/// What is remembered, as it is on disk.
pub(super) struct Drained {
    path: PathBuf,
    servers: BTreeSet<ServerName>,
}

impl Drained {
    pub(super) fn read(records: &Path) -> Result<Self, BalancerFailure> {
        let path = records.join("drained.json");
        let servers = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
            Err(error) => Err(error),
        };
        match servers {
            Ok(servers) => Ok(Self { path, servers }),
            Err(error) => {
                let reason = format!(
                    "{} cannot be read: {error}; remove it, and set the servers that stay drained to `ready` by hand",
                    path.display()
                );
                Err(failure(FailureKind::Refused, reason))
            }
        }
    }

    pub(super) fn contains(&self, name: &ServerName) -> bool {
        self.servers.contains(name)
    }

    /// Remembers `names`, durably.
    pub(super) fn extend<'n>(
        &mut self,
        names: impl Iterator<Item = &'n ServerName>,
    ) -> Result<(), BalancerFailure> {
        let before = self.servers.len();
        self.servers.extend(names.cloned());
        if self.servers.len() == before { Ok(()) } else { self.write() }
    }

    /// Forgets `names`, durably.
    pub(super) fn remove<'n>(
        &mut self,
        names: impl Iterator<Item = &'n ServerName>,
    ) -> Result<(), BalancerFailure> {
        let removed = names.filter(|name| self.servers.remove(*name)).count();
        if removed == 0 { Ok(()) } else { self.write() }
    }

    fn write(&self) -> Result<(), BalancerFailure> {
        let json = serde_json::to_vec(&self.servers).map_err(io::Error::from);
        json.and_then(|json| durable::replace(&self.path, &json)).map_err(|error| {
            let reason = format!(
                "{} cannot be written: {error}; without it a drain would have no owner, so nothing was drained",
                self.path.display()
            );
            failure(FailureKind::Refused, reason)
        })
    }
}
