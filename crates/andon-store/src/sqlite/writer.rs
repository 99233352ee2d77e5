//! The one connection of this process that writes.
//!
//! After any failure the connection is thrown away rather than trusted: SQLite rolls back by itself
//! when the disk is full, and a caller may drop its future half-way. A closed connection leaves
//! nothing half-written, whatever happened.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};

use super::place::Place;
use crate::error::StoreError;

/// Hands out the writing connection, to one at a time.
#[derive(Debug)]
pub(super) struct Writer {
    place: Place,
    options: SqliteConnectOptions,
    /// The file that was opened. Another one in its place is another ledger.
    identity: Option<(u64, u64)>,
    idle: Mutex<Option<SqliteConnection>>,
}

/// A transaction that is open. Dropping it takes everything back.
pub(super) struct Writing<'a> {
    place: &'a Place,
    slot: MutexGuard<'a, Option<SqliteConnection>>,
    pub(super) connection: SqliteConnection,
}

impl Writer {
    pub(super) fn new(place: Place, options: SqliteConnectOptions, first: SqliteConnection) -> Self {
        Self { identity: place.identity(), place, options, idle: Mutex::new(Some(first)) }
    }

    /// Waits for its turn, here and among all processes, and opens a transaction.
    pub(super) async fn begin(&self) -> Result<Writing<'_>, StoreError> {
        let mut slot = self.idle.lock().await;
        let mut connection = match slot.take() {
            Some(connection) => connection,
            // Another file may have the name by now: it is not opened at all.
            None if self.place.identity() != self.identity => return Err(self.moved()),
            None => self.options.connect().await.map_err(|error| self.place.error(&error))?,
        };
        // From the start with the lock for writing: a transaction that only later wants to write may
        // find that it read what is no longer so.
        sqlx::query("BEGIN IMMEDIATE")
            .execute(&mut connection)
            .await
            .map_err(|error| self.place.error(&error))?;
        // With the lock held: who restores a ledger has it while the file is replaced.
        if self.place.identity() != self.identity {
            return Err(self.moved());
        }
        Ok(Writing { place: &self.place, slot, connection })
    }

    fn moved(&self) -> StoreError {
        StoreError::Moved { place: self.place.name() }
    }

    /// Waits for the writer and closes its connection. A later write opens it again.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        match self.idle.lock().await.take() {
            Some(connection) => {
                sqlx::Connection::close(connection).await.map_err(|error| self.place.error(&error))
            }
            None => Ok(()),
        }
    }
}

impl Writing<'_> {
    /// Commits when `result` is a success and takes everything back when it is not.
    pub(super) async fn finish<T>(mut self, result: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        let value = result.map_err(|error| self.place.error(&error))?;
        sqlx::query("COMMIT")
            .execute(&mut self.connection)
            .await
            .map_err(|error| self.place.error(&error))?;
        *self.slot = Some(self.connection);
        Ok(value)
    }

    /// Takes everything back because of `refusal`, which is the ledger's own and no failure.
    pub(super) async fn refuse(mut self, refusal: StoreError) -> StoreError {
        if sqlx::query("ROLLBACK").execute(&mut self.connection).await.is_ok() {
            *self.slot = Some(self.connection);
        }
        refusal
    }
}
