//! The journal of steps: which tokens were accepted, and what became of them. What makes a step exactly-once.
//!
//! Asks the core, under the service's lock, whether an order begins; never carries one out.

use std::fs;
use std::io;
use std::path::PathBuf;

use andon_api::agent::Order;
use andon_api::secret::Secrets;
use andon_core::host::journal::{Start, start};
use andon_core::host::{Authority, Outcome, Token, TokenStatus};

use crate::durable;
use crate::fence::{self, FenceError};
use crate::layout::{Layout, LayoutError};
use crate::lock;
use crate::run::SelfExe;
use crate::step;

pub(crate) use record::Record;

#[cfg(test)]
pub(crate) mod fixture;
mod record;

/// Finished steps whose records stay. A deployment asks for far fewer of one service on one host.
const KEPT_RECORDS: usize = 50;

/// Starts the names that only exist while a directory is made or removed; no token contains it.
const PASSING: char = '~';

/// Why an order was not accepted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    /// The host obeys somebody else.
    #[error("the host obeys {}", .0)]
    Fenced(Box<Authority>),
    /// Another step of the service is at work.
    #[error("{0} is at work")]
    Busy(Token),
    /// The directories of the service cannot be used.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The journal could not be read or written.
    #[error("the journal {} cannot be used: {source}; free space or correct its owner, then try again", path.display())]
    Storage {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The record of whom to obey is broken.
    #[error("{0}")]
    Fence(String),
}

impl From<FenceError> for JournalError {
    fn from(error: FenceError) -> Self {
        match error {
            FenceError::Held(holder) => Self::Fenced(holder),
            storage @ FenceError::Storage { .. } => Self::Fence(storage.to_string()),
        }
    }
}

/// The steps of one service on this host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Journal<'a> {
    layout: &'a Layout,
}

impl<'a> Journal<'a> {
    /// The journal below `layout`, which need not exist.
    pub(crate) fn of(layout: &'a Layout) -> Self {
        Self { layout }
    }

    /// The record of `token`, whether or not there is one.
    pub(crate) fn record(&self, token: &Token) -> Record {
        Record::at(self.layout.step(token))
    }

    /// What became of `token`. An error is not an answer: it never means that the step did not start.
    pub(crate) fn status(&self, token: &Token) -> Result<TokenStatus, JournalError> {
        let record = self.record(token);
        record
            .durable_status()
            .map_err(|source| JournalError::Storage { path: record.path().to_owned(), source })
    }

    /// Sees that the step of `order` was begun, now or at any time before.
    ///
    /// When this returns `Ok`, the order is on disk and its detached half at work or over.
    ///
    /// The `secrets` go to the detached half and are not written down; those of a step that began before are dropped.
    pub(crate) fn accept(
        &self,
        order: &Order,
        secrets: &Secrets,
        boot_id: &str,
        exe: &SelfExe,
    ) -> Result<(), JournalError> {
        let record = self.record(&order.token);
        if start(&self.status(&order.token)?, None) == Start::Attach {
            // Whoever accepted it may have been killed before its name was durable.
            return self.sync_names();
        }
        let _lock = self.take_charge(&order.authority)?;
        match start(&self.status(&order.token)?, self.running()?) {
            Start::Attach => return self.sync_names(),
            Start::Busy(token) => return Err(JournalError::Busy(token)),
            Start::Begin => {}
        }
        self.prune();
        let fresh = self.layout.steps().join(format!("{PASSING}new"));
        let held = record
            .create(&fresh, order, boot_id)
            .map_err(|source| JournalError::Storage { path: record.path().to_owned(), source })?;
        if let Err(error) = step::launch(exe, record.path(), held, secrets) {
            let reason = format!("the agent could not start the step: {error}");
            let over = record.finish(&Outcome::Failed { reason, tail: String::new() });
            over.map_err(|source| JournalError::Storage { path: record.path().to_owned(), source })?;
        }
        Ok(())
    }

    /// Makes the names of all records durable.
    fn sync_names(&self) -> Result<(), JournalError> {
        let path = self.layout.steps();
        durable::sync_directory(&path).map_err(|source| JournalError::Storage { path, source })
    }

    /// Makes the service's directories, takes its lock and obeys `asking` from now on.
    pub(crate) fn take_charge(&self, asking: &Authority) -> Result<fs::File, JournalError> {
        self.layout.create()?;
        let path = self.layout.lock();
        let lock = lock::acquire(&path).map_err(|source| JournalError::Storage { path, source })?;
        fence::raise(&self.layout.authority(), asking)?;
        Ok(lock)
    }

    /// The step that is at work, if one is.
    fn running(&self) -> Result<Option<Token>, JournalError> {
        for record in self.records()? {
            let failed = |source| JournalError::Storage { path: record.path().to_owned(), source };
            if record.status().map_err(failed)? == TokenStatus::Running {
                return Ok(Some(record.order().map_err(failed)?.token));
            }
        }
        Ok(None)
    }

    fn records(&self) -> Result<Vec<Record>, JournalError> {
        let path = self.layout.steps();
        let entries = fs::read_dir(&path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = entries.map_err(|source| JournalError::Storage { path, source })?;
        let named = entries.iter().filter(|entry| !entry.file_name().to_string_lossy().starts_with(PASSING));
        Ok(named.map(|entry| Record::at(entry.path())).collect())
    }

    /// Removes what remained of records half made or half removed, and the oldest finished ones. The caller holds
    /// the lock. Failures cost space, nothing else.
    fn prune(&self) {
        for passing in ["new", "gone"] {
            let _ = fs::remove_dir_all(self.layout.steps().join(format!("{PASSING}{passing}")));
        }
        let records = self.records().unwrap_or_default();
        let mut finished: Vec<_> =
            records.into_iter().filter_map(|record| Some((record.finished_at()?, record))).collect();
        finished.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        for (_, record) in finished.into_iter().skip(KEPT_RECORDS) {
            // The name goes first: a record is never seen with half of its files.
            let gone = self.layout.steps().join(format!("{PASSING}gone"));
            if fs::rename(record.path(), &gone).is_ok() {
                let _ = fs::remove_dir_all(&gone);
            }
        }
    }
}
