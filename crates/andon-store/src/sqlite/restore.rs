//! Puts a ledger from a file in the place of the present one.
//!
//! The new ledger is made whole beside the old one: copied, verified, its fence raised, the restore recorded. Then it
//! takes the name, while nobody else can have the old one open. The old one stays under another name.
//!
//! *Why the fence is raised:* hosts have seen fences that the restored ledger never granted. If it granted them once
//! more, hosts would refuse its orders, or, worse, take a new step for an old one that is done.

mod swap;

use std::fs;
use std::path::{Path, PathBuf};

use andon_core::digest::Digest;
use andon_core::time::Time;
use serde_json::json;
use sqlx::{ConnectOptions, Connection};

use self::swap::Present;
use super::backup::Unfinished;
use super::place::Place;
use super::row::integer;
use super::witness::Witness;
use super::{SqliteLedger, open, statement};
use crate::batch::{Batch, StreamAppend};
use crate::chain::ChainEnd;
use crate::error::StoreError;
use crate::lease::Lease;
use crate::ledger::Ledger;
use crate::verification::Fault;

/// The stream of what happened to the ledger itself.
const STREAM: &str = "ledger";
/// No ledger grants so many fences in its life: one a second would take 136 years.
const STRIDE: u64 = 1 << 32;
/// So many fences for each second since 1970: later restores are higher, whatever was lost between them, and a number
/// of JavaScript still holds it until the year 2242.
const PER_SECOND: u64 = 1 << 20;

/// What is restored, by whom, and what may be lost by it.
#[derive(Debug, Clone)]
pub struct Restore<'a> {
    /// The file that it comes from: a backup, or a ledger that nobody has open.
    pub from: &'a Path,
    /// When.
    pub at: Time,
    /// Who.
    pub by: &'a str,
    /// Why, for the record.
    pub why: Option<&'a str>,
    /// Also when the present ledger knows more, is another one, cannot be read, or is leased.
    pub replace: bool,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The id of the ledger.
    pub id: String,
    /// How many records came from the file; one more says that it was restored.
    pub records: u64,
    /// The hash of the last of them.
    pub hash: Digest,
    /// Every fence from now on is higher than this.
    pub fence: u64,
    /// What was there before.
    pub before: Standing,
    /// The name under which that was kept.
    pub kept: Option<PathBuf>,
}

/// How the present ledger stands to the one in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// There is none.
    Absent,
    /// The file has everything that it has.
    Contained {
        /// How many records it has.
        records: u64,
    },
    /// It has records that the file does not have.
    Ahead {
        /// How many records it has.
        records: u64,
        /// The last record that both have.
        common: u64,
    },
    /// It is another ledger.
    Other {
        /// Its id.
        id: String,
        /// How many records it has.
        records: u64,
    },
    /// It cannot be read, so that nobody knows what it has.
    Unreadable(String),
}

/// Why nothing was restored. The present ledger is as it was.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RestoreError {
    /// One of the two ledgers, or the place for the new one.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is in the file is not as it was written.
    #[error("{from} is not restored: {fault}")]
    Fault {
        /// The file.
        from: String,
        /// What is wrong with it.
        fault: Fault,
    },
    /// Somebody has the present ledger open.
    #[error("another process has the ledger {place} open")]
    InUse {
        /// Which ledger.
        place: String,
    },
    /// Somebody has a lease of the present ledger.
    #[error("{} is held by {}", .0.name, .0.holder)]
    Held(Box<Lease>),
    /// Something would be lost.
    #[error("{}", losing(.0))]
    Losing(Standing),
}

fn losing(standing: &Standing) -> String {
    match standing {
        Standing::Ahead { records, common } => format!(
            "the present ledger has {records} records, and the file has only the first {common} of them"
        ),
        Standing::Other { id, records } => {
            format!("the present ledger is another one, {id}, with {records} records")
        }
        Standing::Unreadable(why) => format!("what the present ledger has cannot be known: {why}"),
        Standing::Absent | Standing::Contained { .. } => "nothing would be lost".to_owned(),
    }
}

impl Standing {
    /// Whether the file has everything that the present ledger has.
    fn is_safe(&self) -> bool {
        matches!(self, Self::Absent | Self::Contained { .. })
    }

    /// For the record.
    fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Absent => json!({ "was": "absent" }),
            Self::Contained { records } => json!({ "was": "contained", "records": records }),
            Self::Ahead { records, common } => {
                json!({ "was": "ahead", "records": records, "common": common })
            }
            Self::Other { id, records } => json!({ "was": "other", "id": id, "records": records }),
            Self::Unreadable(why) => json!({ "was": "unreadable", "why": why }),
        }
    }
}

/// A fence that is higher than any that a lost part of the ledger can have granted, `known` being the highest of
/// which anything is left.
fn floor(known: u64, at: Time) -> u64 {
    let seconds = u64::try_from(at.0 / 1000).unwrap_or(0);
    known.saturating_add(STRIDE).max(seconds.saturating_mul(PER_SECOND))
}

impl SqliteLedger {
    /// Puts the ledger in `restore.from` at `path`.
    ///
    /// # Errors
    /// [`RestoreError`] says what stands against it. The present ledger is as it was then.
    pub async fn restore(path: &Path, restore: &Restore<'_>) -> Result<Restored, RestoreError> {
        let place = Place::new(path)?;
        place.prepare_directory()?;
        let staged = stage(&place, restore.from)?;
        let ledger = Self::open(staged.path()).await.map_err(|error| named(error, restore.from))?;
        let found = ledger.verify().await.map_err(|error| named(error, restore.from))?;
        if let Some(fault) = found.fault {
            return Err(RestoreError::Fault { from: restore.from.display().to_string(), fault });
        }
        let end = ChainEnd { position: found.records, hash: found.hash };

        let mut present = Present::look(&place).await?;
        let before = present.standing(&ledger, end).await?;
        if !restore.replace {
            if !before.is_safe() {
                return Err(RestoreError::Losing(before));
            }
            if let Some(lease) = present.held(restore.at).await? {
                return Err(RestoreError::Held(Box::new(lease)));
            }
        }
        let known = present.fence().max(Witness::read_any(&place).1.fence);
        let id = ledger.id.clone();
        let (head, fence) = finish(ledger, &staged, known, &before, restore).await?;
        let kept = present.give_way(&place, &staged, restore.at).await?;
        let witness = Witness::new(&place, &id);
        witness.note_head(head);
        witness.note_fence(fence);
        Ok(Restored { id, records: end.position, hash: end.hash, fence, before, kept })
    }
}

/// A copy of `from` beside the ledger, with its write-ahead log when it has one.
fn stage(place: &Place, from: &Path) -> Result<Unfinished, StoreError> {
    let source = Place::new(from)?;
    let failed = |error: std::io::Error| source.file_error(&error);
    if !fs::metadata(source.path()).map_err(failed)?.is_file() {
        return Err(source.not_a_ledger("it is not a file"));
    }
    let staged = Unfinished::beside(place.path(), "restoring").map_err(|error| place.file_error(&error))?;
    let copy = |from: &Path, to: &Path| fs::copy(from, to).map_err(|error| place.file_error(&error));
    copy(source.path(), staged.path())?;
    let log = source.beside("-wal");
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        copy(&log, &Place::new(staged.path())?.beside("-wal"))?;
    }
    use std::os::unix::fs::PermissionsExt;
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(staged.path(), private).map_err(|error| place.file_error(&error))?;
    if fs::metadata(staged.path()).map_err(failed)?.len() == 0 {
        return Err(source.not_a_ledger("it is empty"));
    }
    Ok(staged)
}

/// An error of the copy, told of the file that it was copied from.
fn named(error: StoreError, from: &Path) -> StoreError {
    let place = from.display().to_string();
    match error {
        StoreError::Damaged { what, .. } => StoreError::Damaged { place, what },
        StoreError::NotALedger { why, .. } => StoreError::NotALedger { place, why },
        StoreError::Newer { found, known, by, .. } => StoreError::Newer { place, found, known, by },
        other => other,
    }
}

/// Raises the fence, drops leases whose holders knew another ledger, records what is happening, and closes the file.
/// Gives its head and its fence.
async fn finish(
    ledger: SqliteLedger,
    staged: &Unfinished,
    known: u64,
    before: &Standing,
    restore: &Restore<'_>,
) -> Result<(ChainEnd, u64), StoreError> {
    let place = Place::new(staged.path())?;
    let failed = |error: sqlx::Error| place.error(&error);
    let mut connection = open::options(&place).connect().await.map_err(failed)?;
    let own: i64 = sqlx::query_scalar(statement::FENCE).fetch_one(&mut connection).await.map_err(failed)?;
    let fence = floor(known.max(u64::try_from(own).unwrap_or(0)), restore.at);
    sqlx::query(statement::RAISE_FENCE)
        .bind(integer(fence))
        .execute(&mut connection)
        .await
        .map_err(failed)?;
    sqlx::query(statement::DROP_ALL_LEASES).execute(&mut connection).await.map_err(failed)?;
    connection.close().await.map_err(failed)?;

    let head = ledger.head().await?;
    let expected = ledger.stream_head(STREAM).await?;
    let fact = json!({
        "kind": "restored",
        "records": head,
        "fence": fence,
        "from": restore.from.display().to_string(),
        "why": restore.why,
        "before": before.to_json(),
    });
    let append = StreamAppend { stream: STREAM.to_owned(), expected, facts: vec![fact] };
    let batch = Batch { at: restore.at, by: restore.by.to_owned(), appends: vec![append], views: Vec::new() };
    let records = ledger.append(batch).await?;
    ledger.witness.forget().map_err(|error| place.file_error(&error))?;
    ledger.close().await?;
    let last = records.last().ok_or_else(|| place.damaged("the restore was not recorded"))?;
    Ok((ChainEnd { position: last.position, hash: last.hash }, fence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restored_fence_is_above_all_that_were_granted_and_grows_with_every_restore() {
        let monday = Time(1_764_000_000_000);
        let first = floor(17, monday);
        assert!(first > 17 + STRIDE);
        // The same old backup a minute later, all else lost, and a thousand grants in between.
        let second = floor(17, Time(monday.0 + 60_000));
        assert!(second > first + 1000);
        // A clock that stands before 1970 does not lower it.
        assert_eq!(floor(first, Time(-5)), first + STRIDE);
        assert!(floor(17, Time(8_589_934_592_000)) <= 1 << 53, "beyond what JSON numbers hold everywhere");
        assert_eq!(floor(u64::MAX, monday), u64::MAX);
    }
}
