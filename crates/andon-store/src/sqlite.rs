//! A ledger in one SQLite file. Several processes may have it open; SQLite lets one write at a time.
//!
//! A commit is on disk before it is acknowledged (write-ahead log, full synchronisation). Reads never
//! wait for writes.

mod audit;
mod backup;
mod open;
mod place;
mod restore;
mod row;
mod schema;
mod statement;
#[cfg(test)]
mod tests;
mod witness;
mod writer;

use std::path::Path;
use std::time::Duration;

use andon_core::time::Time;
use async_trait::async_trait;
use serde_json::Value;
use sqlx::pool::PoolConnection;
use sqlx::{Row, Sqlite, SqliteConnection, SqlitePool};

pub use self::backup::{Backup, Examined};
use self::place::Place;
pub use self::restore::{Restore, RestoreError, Restored, Standing};
use self::row::{digest, integer, number, stored_record, text};
use self::witness::Witness;
use self::writer::Writer;
use crate::batch::{Batch, CheckedBatch};
use crate::chain::{ChainEnd, Record, StoredRecord};
use crate::error::StoreError;
use crate::lease::{Holder, Lease, Ruling};
use crate::ledger::{Ledger, MAX_ANSWER_ROWS, fitting};
use crate::verification::Verification;
use crate::view::{ViewQuery, ViewRow};

/// A ledger in one SQLite file.
#[derive(Debug)]
pub struct SqliteLedger {
    id: String,
    place: Place,
    witness: Witness,
    writer: Writer,
    readers: SqlitePool,
}

impl SqliteLedger {
    /// Opens the ledger at `path`. It is made when there is nothing yet, together with its directory,
    /// readable by this user only.
    ///
    /// # Errors
    /// [`StoreError::NotALedger`], [`StoreError::Newer`], [`StoreError::Damaged`],
    /// [`StoreError::NotWritable`] and [`StoreError::Full`] each say what is in the way.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        open::open(Place::new(path.as_ref())?).await
    }

    /// Whether there is a ledger at `path`, or was one: then its witness is still there.
    pub fn is_at(path: &Path) -> bool {
        Place::new(path).is_ok_and(|place| place.identity().is_some() || place.beside("-head").exists())
    }

    /// Where the ledger is, for errors.
    pub fn place(&self) -> String {
        self.place.name()
    }

    /// Waits for what is under way and closes the file. The ledger cannot be read any more.
    ///
    /// # Errors
    /// What SQLite reports while closing. Everything acknowledged is safe all the same.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.readers.close().await;
        self.writer.close().await
    }

    async fn reader(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        self.readers.acquire().await.map_err(|error| self.place.error(&error))
    }

    fn body(&self, what: &str, bytes: &[u8]) -> Result<Value, StoreError> {
        serde_json::from_slice(bytes)
            .map_err(|error| self.place.damaged(format!("the view row {what} is not JSON: {error}")))
    }
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn append(&self, batch: Batch) -> Result<Vec<Record>, StoreError> {
        let mut batch = CheckedBatch::new(batch)?;
        let mut writing = self.writer.begin().await?;
        for append in &batch.appends {
            let found: i64 = sqlx::query_scalar(statement::STREAM_HEAD)
                .bind(&append.stream)
                .fetch_one(&mut writing.connection)
                .await
                .map_err(|error| self.place.error(&error))?;
            if let Err(conflict) = append.check_head(u64::try_from(found).unwrap_or(0)) {
                return Err(writing.refuse(conflict).await);
            }
        }
        let result = insert(&mut writing.connection, &mut batch).await;
        let records = writing.finish(result).await?;
        if let Some(last) = records.last() {
            self.witness.note_head(ChainEnd { position: last.position, hash: last.hash });
        }
        Ok(records)
    }

    async fn read(&self, stream: &str, after: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.parsed(self.stored(Some(stream), after, limit).await?)
    }

    async fn tail(&self, after_position: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.parsed(self.stored(None, after_position, limit).await?)
    }

    async fn head(&self) -> Result<u64, StoreError> {
        let position: i64 = sqlx::query_scalar(statement::HEAD_POSITION)
            .fetch_one(&self.readers)
            .await
            .map_err(|error| self.place.error(&error))?;
        u64::try_from(position).map_err(|_| self.place.damaged("the recorded head is negative"))
    }

    async fn view(&self, view: &str, key: &str) -> Result<Option<Value>, StoreError> {
        let body: Option<Vec<u8>> = sqlx::query_scalar(statement::VIEW)
            .bind(view)
            .bind(key)
            .fetch_optional(&self.readers)
            .await
            .map_err(|error| self.place.error(&error))?;
        body.map(|bytes| self.body(key, &bytes)).transpose()
    }

    async fn views(&self, view: &str, query: ViewQuery) -> Result<Vec<ViewRow>, StoreError> {
        let mut reader = self.reader().await?;
        let (sizes, rows) = match query.before {
            Some(_) => (statement::VIEW_SIZES_BEFORE, statement::VIEW_ROWS_BEFORE),
            None => (statement::VIEW_SIZES, statement::VIEW_ROWS),
        };
        // No key is lower than the empty text: without a key, the rank alone must be lower.
        let before_key = query.before_key.unwrap_or_default();
        let mut sizes = sqlx::query_scalar(sizes).bind(view).bind(&query.prefix).bind(bounded(query.limit));
        if let Some(rank) = query.before {
            sizes = sizes.bind(rank).bind(&before_key);
        }
        let sizes = sizes.fetch_all(&mut *reader).await.map_err(|error| self.place.error(&error))?;
        let limit = fitting_limit(&sizes, query.limit);
        let mut rows = sqlx::query(rows).bind(view).bind(&query.prefix).bind(limit);
        if let Some(rank) = query.before {
            rows = rows.bind(rank).bind(&before_key);
        }
        let rows = rows.fetch_all(&mut *reader).await.map_err(|error| self.place.error(&error))?;
        let decode = |row: &sqlx::sqlite::SqliteRow| {
            let key = text(row, 0).map_err(|error| self.place.error(&error))?;
            let rank = row.try_get(1).map_err(|error| self.place.error(&error))?;
            let bytes: &[u8] = row.try_get(2).map_err(|error| self.place.error(&error))?;
            let body = self.body(&key, bytes)?;
            Ok(ViewRow { key, rank, body })
        };
        rows.iter().map(decode).collect()
    }

    async fn lease(
        &self,
        name: &str,
        holder: &Holder,
        ttl: Duration,
        now: Time,
    ) -> Result<Lease, StoreError> {
        Lease::check(name, holder, ttl)?;
        let mut writing = self.writer.begin().await?;
        let current = find_lease(&mut writing.connection, name).await;
        let current = current.map_err(|error| self.place.error(&error))?;
        let result = match Lease::rule(current.as_ref(), holder, ttl, now) {
            Ok(Ruling::Grant) => grant(&mut writing.connection, name, holder, now + ttl).await,
            Ok(Ruling::Renew(lease)) => put_lease(&mut writing.connection, lease).await,
            Err(refusal) => return Err(writing.refuse(refusal).await),
        };
        let lease = writing.finish(result).await?;
        if current.is_none_or(|before| before.fence != lease.fence) {
            self.witness.note_fence(lease.fence);
        }
        Ok(lease)
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let mut writing = self.writer.begin().await?;
        let dropped = sqlx::query(statement::DROP_LEASE)
            .bind(&lease.name)
            .bind(&lease.holder.id)
            .bind(integer(lease.fence))
            .execute(&mut writing.connection)
            .await;
        match dropped {
            Ok(done) if done.rows_affected() == 0 => Err(writing.refuse(lease.lost()).await),
            Ok(_) => writing.finish(Ok(())).await,
            Err(error) => writing.finish(Err(error)).await,
        }
    }

    async fn steal(
        &self,
        name: &str,
        holder: &Holder,
        ttl: Duration,
        now: Time,
    ) -> Result<Lease, StoreError> {
        Lease::check(name, holder, ttl)?;
        let mut writing = self.writer.begin().await?;
        let result = grant(&mut writing.connection, name, holder, now + ttl).await;
        let lease = writing.finish(result).await?;
        self.witness.note_fence(lease.fence);
        Ok(lease)
    }

    async fn verify(&self) -> Result<Verification, StoreError> {
        self.verify_telling(&|_| {}).await
    }

    async fn verify_telling(&self, told: &(dyn Fn(u64) + Send + Sync)) -> Result<Verification, StoreError> {
        let mut reader = self.reader().await?;
        audit::verify(&mut reader, &self.id, &self.place, told).await
    }

    fn id(&self) -> &str {
        &self.id
    }
}

impl SqliteLedger {
    /// The hash of the record at `position`, if there is one.
    async fn hash_at(&self, position: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let hash = sqlx::query_scalar(statement::HASH_AT).bind(integer(position));
        hash.fetch_optional(&self.readers).await.map_err(|error| self.place.error(&error))
    }

    /// How many records `stream` has.
    async fn stream_head(&self, stream: &str) -> Result<u64, StoreError> {
        let head = sqlx::query_scalar::<_, i64>(statement::STREAM_HEAD).bind(stream);
        let head = head.fetch_one(&self.readers).await.map_err(|error| self.place.error(&error))?;
        Ok(u64::try_from(head).unwrap_or(0))
    }

    /// Records as they are stored: with a stream those of it with a `seq` higher than `after`, without one those of all
    /// streams with a higher position. In order, and bounded as [`Ledger::read`] is.
    ///
    /// # Errors
    /// As [`Ledger::read`].
    pub async fn stored(
        &self,
        stream: Option<&str>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        let failed = |error: sqlx::Error| self.place.error(&error);
        let mut reader = self.reader().await?;
        let after = integer(after);
        let sizes = match stream {
            Some(stream) => sqlx::query_scalar(statement::READ_SIZES).bind(stream),
            None => sqlx::query_scalar(statement::TAIL_SIZES),
        };
        let sizes = sizes.bind(after).bind(bounded(limit)).fetch_all(&mut *reader).await.map_err(failed)?;
        let rows = match stream {
            Some(stream) => sqlx::query(statement::READ).bind(stream),
            None => sqlx::query(statement::TAIL),
        };
        let rows = rows.bind(after).bind(fitting_limit(&sizes, limit));
        let rows = rows.fetch_all(&mut *reader).await.map_err(failed)?;
        rows.iter().map(|row| stored_record(row).map_err(failed)).collect()
    }

    fn parsed(&self, records: Vec<StoredRecord>) -> Result<Vec<Record>, StoreError> {
        let place = self.place.name();
        records.into_iter().map(|record| record.into_record(&place)).collect()
    }
}

async fn insert(
    connection: &mut SqliteConnection,
    batch: &mut CheckedBatch,
) -> Result<Vec<Record>, sqlx::Error> {
    let head = sqlx::query(statement::HEAD).fetch_one(&mut *connection).await?;
    let start = ChainEnd { position: number(&head, 0)?, hash: digest(&head, 1)? };
    let mut end = start;
    let mut records = Vec::new();
    for (stored, record) in batch.chain(&mut end) {
        sqlx::query(statement::INSERT_RECORD)
            .bind(integer(stored.position))
            .bind(stored.stream)
            .bind(integer(stored.seq))
            .bind(stored.at.0)
            .bind(stored.by)
            .bind(stored.hash.as_bytes().to_vec())
            .bind(stored.fact)
            .execute(&mut *connection)
            .await?;
        records.push(record);
    }
    if end != start {
        sqlx::query(statement::MOVE_HEAD)
            .bind(integer(end.position))
            .bind(end.hash.as_bytes().to_vec())
            .execute(&mut *connection)
            .await?;
    }
    for (update, body) in batch.views.drain(..) {
        sqlx::query(statement::PUT_VIEW_ROW)
            .bind(update.view)
            .bind(update.key)
            .bind(update.rank)
            .bind(body)
            .execute(&mut *connection)
            .await?;
    }
    Ok(records)
}

async fn find_lease(connection: &mut SqliteConnection, name: &str) -> Result<Option<Lease>, sqlx::Error> {
    let row = sqlx::query(statement::LEASE).bind(name).fetch_optional(connection).await?;
    let Some(row) = row else { return Ok(None) };
    let holder = Holder { id: text(&row, 0)?, description: text(&row, 1)? };
    let until = Time(row.try_get(3)?);
    Ok(Some(Lease { name: name.to_owned(), holder, fence: number(&row, 2)?, until }))
}

async fn grant(
    connection: &mut SqliteConnection,
    name: &str,
    holder: &Holder,
    until: Time,
) -> Result<Lease, sqlx::Error> {
    let row = sqlx::query(statement::NEXT_FENCE).fetch_one(&mut *connection).await?;
    let fence = number(&row, 0)?;
    put_lease(connection, Lease { name: name.to_owned(), holder: holder.clone(), fence, until }).await
}

async fn put_lease(connection: &mut SqliteConnection, lease: Lease) -> Result<Lease, sqlx::Error> {
    sqlx::query(statement::PUT_LEASE)
        .bind(&lease.name)
        .bind(&lease.holder.id)
        .bind(&lease.holder.description)
        .bind(integer(lease.fence))
        .bind(lease.until.0)
        .execute(connection)
        .await?;
    Ok(lease)
}

/// The limit of a query, within what one answer may have.
fn bounded(limit: usize) -> i64 {
    integer(limit.min(MAX_ANSWER_ROWS) as u64)
}

/// How many of the rows with these sizes are fetched.
fn fitting_limit(sizes: &[i64], limit: usize) -> i64 {
    let count = fitting(sizes.iter().map(|&size| usize::try_from(size).unwrap_or(usize::MAX)));
    bounded(count.min(limit))
}
