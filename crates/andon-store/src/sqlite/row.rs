//! Rows of SQLite as records, and numbers in both directions. SQLite has no unsigned numbers, and a
//! damaged file may hold anything: what does not fit is an error, never a wrong value.

use andon_core::digest::Digest;
use andon_core::time::Time;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::chain::StoredRecord;

/// A number as a parameter. No ledger lives to see the end of the range.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number that is never negative.
pub(super) fn number(row: &SqliteRow, column: usize) -> Result<u64, sqlx::Error> {
    let value: i64 = row.try_get(column)?;
    u64::try_from(value).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// A text.
pub(super) fn text(row: &SqliteRow, column: usize) -> Result<String, sqlx::Error> {
    row.try_get(column)
}

/// A hash of 32 bytes.
pub(super) fn digest(row: &SqliteRow, column: usize) -> Result<Digest, sqlx::Error> {
    let bytes: &[u8] = row.try_get(column)?;
    let bytes = <[u8; 32]>::try_from(bytes).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(Digest::from_bytes(bytes))
}

/// A record, from the columns in the order of the statements.
pub(super) fn stored_record(row: &SqliteRow) -> Result<StoredRecord, sqlx::Error> {
    Ok(StoredRecord {
        position: number(row, 0)?,
        stream: text(row, 1)?,
        seq: number(row, 2)?,
        at: Time(row.try_get(3)?),
        by: text(row, 4)?,
        hash: digest(row, 5)?,
        fact: row.try_get(6)?,
    })
}
