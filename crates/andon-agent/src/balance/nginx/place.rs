//! The include where it lies: whose it is at this moment, and replacing it. Never overwrites what somebody else wrote
//! and did not hand over.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use andon_core::balance::{BalancerFailure, FailureKind, Pool};

use super::diff;
use super::include::{self, ADOPT, Include};
use super::records::Records;
use crate::balance::failure;
use crate::durable;

/// The longest include that is read, in bytes.
const MAX_INCLUDE: u64 = 1 << 20;

/// The rights of a new include: nginx's workers and people may read it.
const MODE: u32 = 0o644;

/// The include and what is remembered of it.
pub(super) struct Place<'a> {
    path: PathBuf,
    records: &'a Records,
}

/// What was found, and is ours to replace.
#[derive(Debug)]
pub(super) struct Found {
    /// `None` without a file.
    pub(super) text: Option<String>,
    /// What it says, or said before somebody removed it. `None` where nobody has ever written a server.
    pub(super) include: Option<Include>,
}

impl<'a> Place<'a> {
    /// The include at `path`. Behind a link the file is meant, so that the link stays.
    pub(super) fn new(path: &Path, records: &'a Records) -> Self {
        Self { path: fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()), records }
    }

    /// What is there.
    ///
    /// Ours is what we wrote last, what a person handed over, and what says nothing but what we would write.
    ///
    /// # Errors
    /// `Drift` with the difference for all else.
    pub(super) fn find(&self, pool: &Pool, upstream: &str) -> Result<Found, BalancerFailure> {
        let wrote = self.records.wrote();
        let text = self.read()?;
        let Some(text) = text else {
            let include = wrote.and_then(|wrote| Include::parse(&wrote, pool).ok());
            return Ok(Found { text: None, include });
        };
        let parsed = Include::parse(&text, pool);
        let known = wrote.as_ref() == Some(&text) || self.records.loaded().as_ref() == Some(&text);
        match parsed {
            Ok(include) if known => Ok(Found { text: Some(text), include: Some(include) }),
            Ok(include) if include::is_handed_over(&text) => {
                Ok(Found { text: Some(text), include: Some(include.in_hundredths()) })
            }
            _ if wrote.is_none() && include::is_blank(&text) => Ok(Found { text: Some(text), include: None }),
            Ok(include) if wrote.is_none() && include.render(upstream) == text => {
                Ok(Found { text: Some(text), include: Some(include) })
            }
            parsed => Err(self.drift(wrote, &text, parsed.err(), pool, upstream)),
        }
    }

    /// What a file that nginx refuses is to give way to: what it has loaded, if the file was ours, else what was found.
    pub(super) fn former(&self, found: &Found, loaded: Option<String>) -> Option<String> {
        let is_ours = found.text.is_some() && found.text == self.records.wrote();
        loaded.filter(|_| is_ours).or_else(|| found.text.clone())
    }

    /// Puts `text` in its place, remembered before as ours.
    pub(super) fn write(&self, text: &str) -> Result<(), BalancerFailure> {
        self.records.set_wrote(Some(text))?;
        self.replace(text)
    }

    /// Undoes a [`Self::write`]: the former text, or no file.
    pub(super) fn put_back(&self, former: Option<&str>) -> Result<(), BalancerFailure> {
        match former {
            Some(text) => self.replace(text)?,
            None => match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(self.unwritable(&error)),
                _ => {}
            },
        }
        // What was handed over is not what we wrote, and is not to become it by a failure.
        let loaded = self.records.loaded();
        self.records.set_wrote(former.filter(|former| loaded.as_deref() == Some(*former)))
    }

    /// When the file, or its name, was last changed.
    pub(super) fn changed_at(&self) -> Option<SystemTime> {
        let metadata = fs::metadata(&self.path).ok()?;
        // Not the time of its content, which a copy may bring along.
        UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(metadata.ctime()).ok()?))
    }

    /// The failure to look where nothing was written yet; `text` is what would be.
    pub(super) fn nothing_yet(&self, upstream: &str, text: &str) -> BalancerFailure {
        let reason = format!(
            "{} names no servers of the upstream {upstream} yet; the first deployment writes them, or write it \
             yourself as it stands below",
            self.path.display()
        );
        BalancerFailure { kind: FailureKind::Missing, reason, details: diff::clip(text.to_owned()) }
    }

    fn read(&self) -> Result<Option<String>, BalancerFailure> {
        let path = self.path.display();
        match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Ok(metadata) if !metadata.is_file() || metadata.len() > MAX_INCLUDE => {
                let reason =
                    format!("{path} is no file of at most {MAX_INCLUDE} bytes; it is to be the include");
                return Err(failure(FailureKind::Drift, reason));
            }
            _ => {}
        }
        match fs::read(&self.path) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) => {
                let reason =
                    format!("{path} cannot be read: {error}; give its directory to the agent's user");
                Err(failure(FailureKind::Refused, reason))
            }
        }
    }

    fn replace(&self, text: &str) -> Result<(), BalancerFailure> {
        let mode = fs::metadata(&self.path).map_or(MODE, |metadata| metadata.permissions().mode() & 0o777);
        durable::replace_with_mode(&self.path, text.as_bytes(), mode).map_err(|error| self.unwritable(&error))
    }

    fn unwritable(&self, error: &io::Error) -> BalancerFailure {
        let path = self.path.display();
        let reason = format!("{path} cannot be written: {error}; give its directory to the agent's user");
        failure(FailureKind::Refused, reason)
    }

    fn drift(
        &self,
        wrote: Option<String>,
        text: &str,
        unreadable: Option<String>,
        pool: &Pool,
        upstream: &str,
    ) -> BalancerFailure {
        let path = self.path.display();
        let (whose, undo) = match &wrote {
            Some(_) => (
                "was changed by somebody else",
                format!("to undo it, run `cp {} {path}`", self.records.wrote_at().display()),
            ),
            None => ("was written by somebody else", "to have it written anew, remove it".to_owned()),
        };
        let keep = match unreadable {
            None => format!("to keep it as it stands, add the line `{ADOPT}` to it"),
            Some(why) => format!("Andon cannot take it over as it stands, because of its {why}"),
        };
        let ours = wrote.unwrap_or_else(|| {
            Include::wanted(None, pool, &Default::default()).unwrap_or_default().render(upstream)
        });
        BalancerFailure {
            kind: FailureKind::Drift,
            reason: format!("{path} {whose}, and Andon does not overwrite that: {keep}; {undo}"),
            details: diff::unified(("as Andon writes it", &ours), (&path.to_string(), text)),
        }
    }
}
