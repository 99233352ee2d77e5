//! The record of one step: a directory with the order, its acceptance, its output and its result.
//!
//! The directory appears whole, by a rename; `result` appears whole, by another. Between the two the step is at
//! work exactly as long as somebody holds the lock.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use andon_api::agent::Order;
use andon_api::frame::MAX_BODY;
use andon_core::host::effects::{ACCEPTANCE, Acceptance as Effect};
use andon_core::host::journal::fate;
use andon_core::host::{Outcome, TokenStatus};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::durable;
use crate::lock;

/// Space set aside when a step is accepted, so that its result can be written on a disk that became full.
const RESERVED: usize = 16 * 1024;

/// What is written before the effect.
#[derive(Debug, Serialize, Deserialize)]
struct Acceptance {
    /// The boot in which the step began.
    boot_id: String,
}

/// One step's directory.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    path: PathBuf,
}

impl Record {
    /// The record at `path`, whether or not it exists.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Creates the record, durably, by way of `fresh`, a directory beside it that does not exist. Whoever holds the
    /// file that is returned is at work on the step.
    pub(crate) fn create(&self, fresh: &Path, order: &Order, boot_id: &str) -> io::Result<File> {
        let acceptance = Acceptance { boot_id: boot_id.to_owned() };
        let mut held = None;
        for effect in ACCEPTANCE {
            match effect {
                Effect::Directory => DirBuilder::new().mode(0o700).create(fresh)?,
                Effect::Lock => held = Some(lock::acquire(&fresh.join("lock"))?),
                Effect::Order => durable::create(&fresh.join("order"), &serde_json::to_vec(order)?)?,
                Effect::Accepted => {
                    durable::create(&fresh.join("accepted"), &serde_json::to_vec(&acceptance)?)?;
                }
                Effect::Reserve => durable::create(&fresh.join("result.new"), &[b' '; RESERVED])?,
                Effect::Flush => durable::sync_directory(fresh)?,
                // Not empty, hence never replaced: a second record of the same token fails here.
                Effect::Name => fs::rename(fresh, &self.path)?,
                Effect::FlushName => durable::sync_parent(&self.path)?,
            }
        }
        held.ok_or_else(|| io::Error::other("the step has no lock"))
    }

    /// What became of the step.
    pub(crate) fn status(&self) -> io::Result<TokenStatus> {
        match fs::symlink_metadata(self.path.join("accepted")) {
            Ok(_) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(fate(false, None, false));
            }
            Err(error) => return Err(error),
        }
        let result = self.result()?;
        let held = result.is_none() && lock::is_held(&self.path.join("lock"))?;
        match fate(true, result, held) {
            // It may have finished between the two looks.
            TokenStatus::Interrupted => Ok(fate(true, self.result()?, false)),
            known => Ok(known),
        }
    }

    /// The same, for somebody who will count on it: an end that is told outlives a power cut. Its name is there a
    /// moment before it is durable, and whoever wrote it may have been killed in that moment.
    pub(crate) fn durable_status(&self) -> io::Result<TokenStatus> {
        let status = self.status()?;
        if matches!(status, TokenStatus::Finished(_)) {
            durable::sync_directory(&self.path)?;
        }
        Ok(status)
    }

    /// The order as it was accepted.
    pub(crate) fn order(&self) -> io::Result<Order> {
        read_json(&self.path.join("order"))
    }

    /// When the step finished, if it did.
    pub(crate) fn finished_at(&self) -> Option<SystemTime> {
        fs::metadata(self.path.join("result")).and_then(|found| found.modified()).ok()
    }

    /// Writes the result, durably. To be called once, by whoever holds the lock.
    pub(crate) fn finish(&self, outcome: &Outcome) -> io::Result<()> {
        let json = serde_json::to_vec(outcome)?;
        let fresh = self.path.join("result.new");
        // Over the reserved bytes first and shortened after: on a full disk the other order could fail.
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&fresh)?;
        file.write_all(&json)?;
        file.set_len(json.len() as u64)?;
        file.sync_all()?;
        fs::rename(&fresh, self.path.join("result"))?;
        durable::sync_directory(&self.path)
    }

    /// Asks whoever carries out the step to end it.
    pub(crate) fn request_kill(&self) -> io::Result<()> {
        durable::write_private(&self.path.join("kill"), b"")
    }

    /// Whether somebody asked for the end of the step.
    pub(crate) fn kill_requested(&self) -> bool {
        self.path.join("kill").exists()
    }

    /// Leaves word for the detached half of how the work went. Not durable: only the result is.
    pub(crate) fn report(&self, outcome: &Outcome) -> io::Result<()> {
        let fresh = self.path.join("outcome.new");
        durable::write_private(&fresh, &serde_json::to_vec(outcome)?)?;
        fs::rename(&fresh, self.path.join("outcome"))
    }

    /// How the work went, by its own word.
    pub(crate) fn reported(&self) -> Option<Outcome> {
        read_json(&self.path.join("outcome")).ok()
    }

    fn result(&self) -> io::Result<Option<Outcome>> {
        match read_json(&self.path.join("result")) {
            Ok(outcome) => Ok(Some(outcome)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
    let mut bytes = Vec::new();
    File::open(path)?.take(2 * MAX_BODY as u64).read_to_end(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}
