//! What is remembered of a pool between calls. Each record may be lost: the include is then judged by what it says,
//! nginx is asked once more, and counting begins anew.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use andon_core::balance::{BalancerFailure, FailureKind};
use andon_core::name::ServerName;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::log::{self, Format, Reader, Tally};
use super::survey::Survey;
use crate::balance::failure;
use crate::durable;

/// The records of one pool.
#[derive(Debug)]
pub(super) struct Records {
    directory: PathBuf,
}

/// How far the access log was read, and what it has said until there. One record, so that nothing counts twice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ledger {
    reader: Reader,
    /// All that was counted.
    pub(super) tally: Tally,
}

impl Ledger {
    /// Counts what is new in the log at `path`.
    pub(super) fn read_on(
        &mut self,
        path: &Path,
        now: u64,
        format: &Format,
        names: &BTreeMap<SocketAddr, ServerName>,
    ) -> io::Result<()> {
        let Self { reader, tally } = self;
        reader.read_on(path, now, |line| {
            if let Some(line) = format.read(line) {
                log::add(&line, names, tally);
            }
        })
    }
}

impl Records {
    /// The records in `directory`, which exists.
    pub(super) fn in_directory(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// Where the text lies that we wrote last.
    pub(super) fn wrote_at(&self) -> PathBuf {
        self.directory.join("written.conf")
    }

    /// The text of the include that we wrote last.
    pub(super) fn wrote(&self) -> Option<String> {
        fs::read_to_string(self.wrote_at()).ok()
    }

    /// Remembers, or forgets, what we wrote last.
    pub(super) fn set_wrote(&self, text: Option<&str>) -> Result<(), BalancerFailure> {
        let path = self.wrote_at();
        match text {
            Some(text) => self.kept(&path, durable::replace(&path, text.as_bytes())),
            None => match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => self.kept(&path, Err(error)),
                _ => Ok(()),
            },
        }
    }

    /// The text of the include that nginx has loaded, as far as we saw.
    pub(super) fn loaded(&self) -> Option<String> {
        fs::read_to_string(self.directory.join("loaded.conf")).ok()
    }

    /// Remembers that nginx has loaded `text`.
    pub(super) fn set_loaded(&self, text: &str) -> Result<(), BalancerFailure> {
        let path = self.directory.join("loaded.conf");
        self.kept(&path, durable::replace(&path, text.as_bytes()))
    }

    /// What nginx was last found to be.
    pub(super) fn survey(&self) -> Option<Survey> {
        self.get("survey.json")
    }

    /// Remembers what nginx was found to be.
    pub(super) fn set_survey(&self, survey: &Survey) -> Result<(), BalancerFailure> {
        self.set("survey.json", survey)
    }

    /// What was counted until now.
    pub(super) fn ledger(&self) -> Ledger {
        self.get("access-log.json").unwrap_or_default()
    }

    /// Remembers what was counted.
    pub(super) fn set_ledger(&self, ledger: &Ledger) -> Result<(), BalancerFailure> {
        self.set("access-log.json", ledger)
    }

    fn get<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_slice(&fs::read(self.directory.join(name)).ok()?).ok()
    }

    /// Replaces a record that may be lost in a power cut, and is not worth a wait for the disk every second.
    fn set(&self, name: &str, value: &impl Serialize) -> Result<(), BalancerFailure> {
        let (path, fresh) = (self.directory.join(name), self.directory.join(format!("{name}.new")));
        let json = serde_json::to_vec(value).map_err(io::Error::from);
        let written = json
            .and_then(|json| durable::write_private(&fresh, &json))
            .and_then(|()| fs::rename(&fresh, &path));
        self.kept(&path, written)
    }

    fn kept(&self, path: &Path, written: io::Result<()>) -> Result<(), BalancerFailure> {
        written.map_err(|error| {
            let reason = format!("{} cannot be written: {error}; nothing can be remembered", path.display());
            failure(FailureKind::Refused, reason)
        })
    }
}
