//! The present ledger while another one is about to take its place: what it has, who uses it, and how it gives way.
//!
//! Two processes must never have two files open under one name. So the present ledger is taken out of its
//! write-ahead mode, which SQLite does only for whoever has it open alone, and is locked until the names are changed.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use andon_core::time::Time;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::{RestoreError, Standing};
use crate::chain::ChainEnd;
use crate::error::StoreError;
use crate::lease::{Holder, Lease};
use crate::sqlite::backup::{Unfinished, sync_directory};
use crate::sqlite::place::Place;
use crate::sqlite::row::{digest, integer, number, text};
use crate::sqlite::{SqliteLedger, open, statement};

/// How long somebody may have the ledger open who only asks a question.
const PATIENCE: Duration = Duration::from_secs(3);

/// What lies where the restored ledger will.
pub(super) enum Present {
    /// Nothing.
    Absent,
    /// A ledger, locked.
    Locked { connection: SqliteConnection, id: String, head: ChainEnd, fence: u64 },
    /// Something that cannot be read as a ledger.
    Unreadable(String),
}

impl Present {
    /// Looks at what is there, and locks it when it is a ledger.
    pub(super) async fn look(place: &Place) -> Result<Self, RestoreError> {
        if place.identity().is_none() {
            return Ok(Self::Absent);
        }
        match Self::lock(place).await {
            Ok(present) => Ok(present),
            Err(StoreError::Busy { place }) => Err(RestoreError::InUse { place }),
            Err(StoreError::NotALedger { why, .. }) => Ok(Self::Unreadable(why)),
            Err(StoreError::Damaged { what, .. }) => Ok(Self::Unreadable(what)),
            Err(other) => Err(other.into()),
        }
    }

    async fn lock(place: &Place) -> Result<Self, StoreError> {
        let failed = |error: sqlx::Error| place.error(&error);
        let mut connection = open::options(place)
            .busy_timeout(Duration::from_millis(100))
            .connect()
            .await
            .map_err(|error| open::opening_error(place, &error))?;
        open::check_kind(place, &mut connection).await?;
        leave_write_ahead_mode(place, &mut connection).await?;
        sqlx::query("BEGIN EXCLUSIVE").execute(&mut connection).await.map_err(failed)?;
        let tables: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_master")
            .fetch_one(&mut connection)
            .await
            .map_err(failed)?;
        if tables == 0 {
            return Ok(Self::Unreadable("its file is empty".to_owned()));
        }
        let id: String =
            sqlx::query_scalar(statement::ID).fetch_one(&mut connection).await.map_err(failed)?;
        let row = sqlx::query(statement::HEAD).fetch_one(&mut connection).await.map_err(failed)?;
        let head =
            ChainEnd { position: number(&row, 0).map_err(failed)?, hash: digest(&row, 1).map_err(failed)? };
        let fence: i64 =
            sqlx::query_scalar(statement::FENCE).fetch_one(&mut connection).await.map_err(failed)?;
        Ok(Self::Locked { connection, id, head, fence: u64::try_from(fence).unwrap_or(0) })
    }

    /// How it stands to the ledger that ends with `end`.
    pub(super) async fn standing(
        &mut self,
        restored: &SqliteLedger,
        end: ChainEnd,
    ) -> Result<Standing, StoreError> {
        match self.compare(restored, end).await {
            // Its head could be read, and not what is before it.
            Err(StoreError::Damaged { what, .. }) => Ok(Standing::Unreadable(what)),
            other => other,
        }
    }

    async fn compare(&mut self, restored: &SqliteLedger, end: ChainEnd) -> Result<Standing, StoreError> {
        let (id, head) = match self {
            Self::Absent => return Ok(Standing::Absent),
            Self::Unreadable(why) => return Ok(Standing::Unreadable(why.clone())),
            Self::Locked { id, head, .. } => (id.clone(), *head),
        };
        let records = head.position;
        if id != restored.id {
            // One in which nothing was ever recorded is nothing to lose.
            return Ok(if records == 0 {
                Standing::Contained { records }
            } else {
                Standing::Other { id, records }
            });
        }
        if records == 0 || self.has_hash_of(restored, records).await? == Some(true) {
            return Ok(Standing::Contained { records });
        }
        // Two copies that went their own ways have the same records up to some place: the highest such.
        let (mut same, mut differs) = (0, records.min(end.position) + 1);
        while differs - same > 1 {
            let middle = same + (differs - same) / 2;
            match self.has_hash_of(restored, middle).await? {
                Some(true) => same = middle,
                Some(false) | None => differs = middle,
            }
        }
        Ok(Standing::Ahead { records, common: same })
    }

    /// Whether both have the same record at `position`; `None` when one of them has none there.
    async fn has_hash_of(
        &mut self,
        restored: &SqliteLedger,
        position: u64,
    ) -> Result<Option<bool>, StoreError> {
        let Self::Locked { connection, .. } = self else { return Ok(None) };
        let ours: Option<Vec<u8>> = sqlx::query_scalar(statement::HASH_AT)
            .bind(integer(position))
            .fetch_optional(connection)
            .await
            .map_err(|error| restored.place.error(&error))?;
        let theirs = restored.hash_at(position).await?;
        Ok(ours.zip(theirs).map(|(ours, theirs)| ours == theirs))
    }

    /// A lease that somebody has at `now`.
    pub(super) async fn held(&mut self, now: Time) -> Result<Option<Lease>, StoreError> {
        let Self::Locked { connection, .. } = self else { return Ok(None) };
        let place = || "the present ledger".to_owned();
        let failed = |error: sqlx::Error| StoreError::Unavailable { place: place(), why: error.to_string() };
        let row = sqlx::query(statement::HELD_LEASE).bind(now.0).fetch_optional(connection);
        let Some(row) = row.await.map_err(failed)? else { return Ok(None) };
        let word = |column| text(&row, column).map_err(failed);
        Ok(Some(Lease {
            name: word(0)?,
            holder: Holder { id: word(1)?, description: word(2)? },
            fence: number(&row, 3).map_err(failed)?,
            until: Time(sqlx::Row::try_get(&row, 4).map_err(failed)?),
        }))
    }

    /// The highest fence that it granted.
    pub(super) fn fence(&self) -> u64 {
        match self {
            Self::Locked { fence, .. } => *fence,
            Self::Absent | Self::Unreadable(_) => 0,
        }
    }

    /// Lets `staged` take the name, and keeps what was there under the name that is given back.
    pub(super) async fn give_way(
        self,
        place: &Place,
        staged: &Unfinished,
        at: Time,
    ) -> Result<Option<PathBuf>, StoreError> {
        let swapped = swap(place, staged, at, matches!(self, Self::Absent));
        if let Self::Locked { mut connection, .. } = self {
            // The lock is let go only now. Who waited for it finds that the file is another one.
            let _ = sqlx::query("ROLLBACK").execute(&mut connection).await;
            let _ = connection.close().await;
        }
        swapped.map_err(|error| place.file_error(&error))
    }
}

/// SQLite does this only when nobody else has the file open, and brings home what is in the log.
async fn leave_write_ahead_mode(place: &Place, connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let changed = sqlx::query_scalar::<_, String>("PRAGMA journal_mode = DELETE");
        match changed.fetch_one(&mut *connection).await.map_err(|error| place.error(&error)) {
            Ok(_) => return Ok(()),
            Err(StoreError::Busy { .. }) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// The order matters when the power fails in between. First the old file gets its second name. A log that is still
/// there belongs to an old file that cannot be read; it must be gone before the new one comes, because SQLite would
/// read it into that. The renaming at the end is one act.
fn swap(place: &Place, staged: &Unfinished, at: Time, absent: bool) -> io::Result<Option<PathBuf>> {
    let mut kept = None;
    if !absent {
        kept = Some(keep(place, at)?);
        sync_directory(place.path())?;
    }
    for suffix in ["-head", "-wal", "-shm", "-journal"] {
        match fs::remove_file(place.beside(suffix)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    // Where there was nothing, nothing is replaced: somebody may have made a ledger in the meantime.
    staged.keep_as(place.path(), !absent)?;
    Ok(kept)
}

/// Gives the present file, and what lies beside it, a second name.
fn keep(place: &Place, at: Time) -> io::Result<PathBuf> {
    let stamp: String = at.iso().chars().filter(char::is_ascii_alphanumeric).take(15).collect();
    for number in 1..100 {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let aside = place.beside(&format!(".replaced-{stamp}{suffix}"));
        match fs::hard_link(place.path(), &aside) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        }
        for beside in ["-wal", "-shm", "-journal"] {
            let mut second = aside.clone().into_os_string();
            second.push(beside);
            match fs::hard_link(place.beside(beside), second) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        return Ok(aside);
    }
    Err(ErrorKind::AlreadyExists.into())
}
