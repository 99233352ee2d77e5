//! Copies a ledger into one file while others write, and looks at such files without touching them.
//!
//! A backup is whole or not there: it is written under another name, verified from its first record to its head,
//! synced, and only then gets its name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use andon_core::digest::Digest;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::place::Place;
use super::{SqliteLedger, audit, open, schema, statement};
use crate::error::StoreError;
use crate::verification::Verification;

/// How often it is looked how far a copy has come.
const LOOK: Duration = Duration::from_millis(200);

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Its file.
    pub path: PathBuf,
    /// The size of its file in bytes.
    pub bytes: u64,
    /// The id of the ledger.
    pub id: String,
    /// How many records it holds; all of them were verified.
    pub records: u64,
    /// The hash of the last of them.
    pub hash: Digest,
}

/// What is in a file that nobody writes to, such as a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// The id of the ledger in it.
    pub id: String,
    /// What a walk over the whole of it found.
    pub verification: Verification,
}

/// A file that goes away unless it is kept.
pub(super) struct Unfinished(PathBuf);

impl Unfinished {
    /// An empty file beside `target`, for this user only.
    pub(super) fn beside(target: &Path, what: &str) -> io::Result<Self> {
        let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for number in 0..100 {
            let path = target.with_file_name(format!(".{name}.{what}-{}-{number}", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Ok(_) => return Ok(Self(path)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// On the disk, then under the name `target`: in place of what is there, or refused when there is something.
    pub(super) fn keep_as(&self, target: &Path, replace: bool) -> io::Result<()> {
        File::open(&self.0)?.sync_all()?;
        if replace {
            fs::rename(&self.0, target)?;
        } else {
            match fs::hard_link(&self.0, target) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                    // A file system without second names, such as that of a memory stick.
                    if target.symlink_metadata().is_ok() {
                        return Err(ErrorKind::AlreadyExists.into());
                    }
                    fs::rename(&self.0, target)?;
                }
                linked => linked?,
            }
        }
        sync_directory(target)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let mut path = self.0.clone().into_os_string();
            path.push(suffix);
            let _ = fs::remove_file(path);
        }
    }
}

/// What was done to the names in the directory of `path` is on the disk.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

impl SqliteLedger {
    /// Copies the ledger as it is at one moment into the file `to`, verifies the copy, and gives it its name. Others
    /// read and write meanwhile. `progress` hears how many bytes were copied and about how many there are.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when `to` is there and `replace` is not said, [`StoreError::Full`] and
    /// [`StoreError::NotWritable`] about the place of the copy, and [`StoreError::Damaged`] when the copy does not
    /// verify, which means that the ledger does not.
    pub async fn back_up(
        &self,
        to: &Path,
        replace: bool,
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Backup, StoreError> {
        let target = Place::new(to)?;
        if !replace && target.path().symlink_metadata().is_ok() {
            return Err(StoreError::Exists { place: target.name() });
        }
        let failed = |error: io::Error| target.file_error(&error);
        let copy = Unfinished::beside(target.path(), "part").map_err(failed)?;
        self.copy_into(copy.path(), &target, progress).await?;
        let examined = Self::examine(copy.path()).await.map_err(|error| self.about_copy(error))?;
        let verification = examined.verification;
        if let Some(fault) = verification.fault {
            return Err(self.place.damaged(format!("{fault}, so no backup was kept")));
        }
        let bytes = fs::metadata(copy.path()).map_err(failed)?.len();
        copy.keep_as(target.path(), replace).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => StoreError::Exists { place: target.name() },
            _ => failed(error),
        })?;
        let (records, hash) = (verification.records, verification.hash);
        Ok(Backup { path: target.path().to_owned(), bytes, id: examined.id, records, hash })
    }

    async fn copy_into(
        &self,
        file: &Path,
        target: &Place,
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<(), StoreError> {
        let options = open::options(&self.place).synchronous(sqlx::sqlite::SqliteSynchronous::Off);
        let mut connection = options.connect().await.map_err(|error| self.place.error(&error))?;
        let total = size(&mut connection).await.map_err(|error| self.place.error(&error))?;
        let into = file.to_string_lossy().into_owned();
        let mut copying = Box::pin(sqlx::query("VACUUM INTO $1").bind(into).execute(&mut connection));
        let done = loop {
            match tokio::time::timeout(LOOK, &mut copying).await {
                Ok(done) => break done,
                Err(_) => progress(fs::metadata(file).map_or(0, |found| found.len()).min(total), total),
            }
        };
        drop(copying);
        // What is full or read-only here is the place of the copy. What is damaged is the ledger.
        done.map_err(|error| match self.place.error(&error) {
            damaged @ StoreError::Damaged { .. } => damaged,
            _ => target.error(&error),
        })?;
        progress(total, total);
        connection.close().await.map_err(|error| self.place.error(&error))
    }

    /// An error of the copy, which has no name yet, told of the ledger.
    fn about_copy(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Damaged { what, .. } => self.place.damaged(format!("its copy does not hold: {what}")),
            other => other,
        }
    }

    /// Walks over the ledger in a file that nobody has open, such as a backup, and changes nothing: no format is
    /// brought up to date, and no file is made beside it.
    ///
    /// # Errors
    /// As [`SqliteLedger::open`] and [`crate::Ledger::verify`]; [`StoreError::NotALedger`] also when the file does not stand
    /// for itself, because there is a write-ahead log beside it.
    pub async fn examine(path: &Path) -> Result<Examined, StoreError> {
        let place = Place::new(path)?;
        let found = fs::metadata(place.path()).map_err(|error| place.file_error(&error))?;
        if !found.is_file() {
            return Err(place.not_a_ledger("it is not a file"));
        }
        if fs::metadata(place.beside("-wal")).is_ok_and(|log| log.len() > 0) {
            return Err(place.not_a_ledger("it is one in use: a write-ahead log lies beside it"));
        }
        let options = open::options(&place).read_only(true).immutable(true);
        let mut connection = options.connect().await.map_err(|error| open::opening_error(&place, &error))?;
        open::check_kind(&place, &mut connection).await?;
        let format = schema::format(&mut connection).await.map_err(|error| place.error(&error))?;
        if format == 0 {
            return Err(place.not_a_ledger("it is empty"));
        }
        if format > schema::FORMAT {
            let by = sqlx::query_scalar(statement::WRITTEN_BY)
                .fetch_one(&mut connection)
                .await
                .map_err(|error| place.error(&error))?;
            return Err(StoreError::Newer { place: place.name(), found: format, known: schema::FORMAT, by });
        }
        let id: String = sqlx::query_scalar(statement::ID)
            .fetch_one(&mut connection)
            .await
            .map_err(|error| place.error(&error))?;
        let verification = audit::verify(&mut connection, &id, &place, &|_| {}).await?;
        let _ = connection.close().await;
        Ok(Examined { id, verification })
    }
}

/// About how many bytes a copy will have.
async fn size(connection: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut *connection).await?;
    let page: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(connection).await?;
    Ok(u64::try_from(pages.saturating_mul(page)).unwrap_or(0))
}
