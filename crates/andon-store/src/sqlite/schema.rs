//! The tables of a ledger in SQLite, and the steps from each format to the next. A step that was
//! released is never edited: a new one follows it.

use sqlx::SqliteConnection;

use super::statement;
use crate::chain::genesis;

/// Stands in the header of the file, and tells a ledger from other SQLite databases: `ANDL`.
pub(super) const APPLICATION_ID: i64 = 0x414E_444C;

/// The newest format that this program knows.
pub(super) const FORMAT: i64 = STEPS.len() as i64;

/// The step at index `n` leads to format `n + 1`.
const STEPS: [&str; 1] = [FIRST];

/// The names of the triggers that keep records as they were written.
pub(super) const GUARDS: [&str; 4] =
    ["record_is_never_changed", "record_is_never_deleted", "record_comes_next", "ledger_only_grows"];

const FIRST: &str = "
PRAGMA application_id = 1095648332;

CREATE TABLE migration (version INTEGER PRIMARY KEY, written_by TEXT NOT NULL) STRICT;

CREATE TABLE ledger (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    id TEXT NOT NULL,
    position INTEGER NOT NULL,
    hash BLOB NOT NULL,
    fence INTEGER NOT NULL
) STRICT;

-- The fact comes last: it is the only long column, and the others are read without it.
CREATE TABLE record (
    position INTEGER PRIMARY KEY,
    stream TEXT NOT NULL,
    seq INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    recorded_by TEXT NOT NULL,
    hash BLOB NOT NULL,
    fact BLOB NOT NULL,
    UNIQUE (stream, seq)
) STRICT;

CREATE TABLE view_row (
    view_name TEXT NOT NULL,
    row_key TEXT NOT NULL,
    rank INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (view_name, row_key)
) STRICT;
CREATE INDEX view_row_by_rank ON view_row (view_name, rank, row_key);

CREATE TABLE lease (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    description TEXT NOT NULL,
    fence INTEGER NOT NULL,
    held_until INTEGER NOT NULL
) STRICT;

CREATE TRIGGER record_is_never_changed BEFORE UPDATE ON record
BEGIN SELECT RAISE(ABORT, 'a record is never changed'); END;

CREATE TRIGGER record_is_never_deleted BEFORE DELETE ON record
BEGIN SELECT RAISE(ABORT, 'a record is never deleted'); END;

-- Also keeps INSERT OR REPLACE from removing a record, which runs no delete trigger.
CREATE TRIGGER record_comes_next BEFORE INSERT ON record
WHEN NEW.position <> (SELECT COALESCE(MAX(position), 0) + 1 FROM record)
  OR NEW.seq <> (SELECT COALESCE(MAX(seq), 0) + 1 FROM record WHERE stream = NEW.stream)
BEGIN SELECT RAISE(ABORT, 'a record only goes behind the newest one'); END;

CREATE TRIGGER ledger_only_grows BEFORE UPDATE ON ledger
WHEN NEW.id <> OLD.id OR NEW.position < OLD.position OR NEW.fence < OLD.fence
BEGIN SELECT RAISE(ABORT, 'the head and the fence of a ledger only grow'); END;
";

/// The format of the ledger behind `connection`; 0 when there is none yet.
pub(super) async fn format(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let tables: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'migration'")
            .fetch_one(&mut *connection)
            .await?;
    if tables == 0 {
        return Ok(0);
    }
    sqlx::query_scalar(statement::FORMAT).fetch_one(connection).await
}

/// Takes every step from `format` to the newest. The caller has opened a transaction.
pub(super) async fn migrate(connection: &mut SqliteConnection, format: i64) -> Result<(), sqlx::Error> {
    for (version, step) in (1_i64..).zip(STEPS) {
        if version <= format {
            continue;
        }
        sqlx::raw_sql(step).execute(&mut *connection).await?;
        sqlx::query(statement::RECORD_MIGRATION)
            .bind(version)
            .bind(env!("CARGO_PKG_VERSION"))
            .execute(&mut *connection)
            .await?;
    }
    if format == 0 {
        let id: String =
            sqlx::query_scalar("SELECT LOWER(HEX(RANDOMBLOB(16)))").fetch_one(&mut *connection).await?;
        let hash = genesis(&id);
        sqlx::query(statement::FOUND_LEDGER)
            .bind(id)
            .bind(hash.as_bytes().to_vec())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
