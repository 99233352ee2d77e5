//! Opens a ledger: makes the file, refuses what is not a ledger or too new, and brings an older one
//! up to date. Several processes may do this to the same path at once.

use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};

use super::place::Place;
use super::row::{integer, number};
use super::witness::Witness;
use super::writer::Writer;
use super::{SqliteLedger, schema, statement};
use crate::error::StoreError;

/// How long a write waits for another process. Nobody holds the lock for longer than one batch.
const BUSY_TIMEOUT: Duration = Duration::from_secs(15);
/// How many reads run at once.
const READERS: u32 = 4;

pub(super) async fn open(place: Place) -> Result<SqliteLedger, StoreError> {
    let to_prepare = place.clone();
    tokio::task::spawn_blocking(move || to_prepare.prepare())
        .await
        .map_err(|error| StoreError::Unavailable { place: place.name(), why: error.to_string() })??;

    let identity = place.identity();
    let options = options(&place);
    let mut connection = options.connect().await.map_err(|error| opening_error(&place, &error))?;
    check_kind(&place, &mut connection).await?;
    use_write_ahead_log(&place, &mut connection).await?;
    let id = prepare_schema(&place, &mut connection).await?;
    if place.identity() != identity {
        return Err(StoreError::Moved { place: place.name() });
    }

    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .min_connections(0)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_lazy_with(options.clone().pragma("query_only", "ON"));
    let writer = Writer::new(place.clone(), options, connection);
    let witness = Witness::new(&place, &id);
    Ok(SqliteLedger { id, place, witness, writer, readers })
}

pub(super) fn options(place: &Place) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(place.path())
        .create_if_missing(false)
        .busy_timeout(BUSY_TIMEOUT)
        .synchronous(SqliteSynchronous::Full)
        .pragma("temp_store", "MEMORY")
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        // After a burst of large batches the log does not stay large.
        .pragma("journal_size_limit", "67108864")
        .disable_statement_logging()
}

/// Looks before anything is written: the file is empty or a ledger. The tables come first: another
/// process that makes the ledger at this moment writes them together with the application id.
pub(super) async fn check_kind(place: &Place, connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let mut ask = async |question: &'static str| {
        let answer = sqlx::query_scalar::<_, i64>(question).fetch_one(&mut *connection).await;
        answer.map_err(|error| opening_error(place, &error))
    };
    let tables = ask("SELECT COUNT(*) FROM sqlite_master").await?;
    let application = ask("PRAGMA application_id").await?;
    if application == schema::APPLICATION_ID || (application == 0 && tables == 0) {
        return Ok(());
    }
    Err(place.not_a_ledger("it is a database of another program"))
}

/// The change to a write-ahead log needs the file alone and does not wait by itself.
async fn use_write_ahead_log(place: &Place, connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        let changed =
            sqlx::query_scalar::<_, String>("PRAGMA journal_mode = WAL").fetch_one(&mut *connection);
        match changed.await.map_err(|error| place.error(&error)) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                return Err(StoreError::Unavailable {
                    place: place.name(),
                    why: format!("its file system only supports the journal mode {mode}; use a local disk"),
                });
            }
            Err(StoreError::Busy { .. }) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Brings the schema up to date and gives the id of the ledger. The lock for writing is taken even
/// when nothing is to be done, so that a ledger that cannot be written is refused here.
async fn prepare_schema(place: &Place, connection: &mut SqliteConnection) -> Result<String, StoreError> {
    let failed = |error: sqlx::Error| place.error(&error);
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await.map_err(failed)?;
    let format = schema::format(connection).await.map_err(failed)?;
    if format > schema::FORMAT {
        let by =
            sqlx::query_scalar(statement::WRITTEN_BY).fetch_one(&mut *connection).await.map_err(failed)?;
        return Err(StoreError::Newer { place: place.name(), found: format, known: schema::FORMAT, by });
    }
    if format == 0 {
        check_absence(place)?;
    }
    schema::migrate(connection, format).await.map_err(failed)?;
    let id: String = sqlx::query_scalar(statement::ID).fetch_one(&mut *connection).await.map_err(failed)?;
    check_end(place, &id, connection).await?;
    sqlx::query("COMMIT").execute(connection).await.map_err(failed)?;
    Ok(id)
}

/// A ledger is made where none was. Where one was, its file is gone or empty, and an empty ledger in its place would
/// look as if nothing had ever happened.
fn check_absence(place: &Place) -> Result<(), StoreError> {
    let (_, known) = Witness::read_any(place);
    let Some(head) = known.head else { return Ok(()) };
    let what = format!(
        "its file is empty or gone, and {} records were acknowledged (says {})",
        head.position,
        place.beside("-head").display()
    );
    Err(StoreError::Behind { place: place.name(), what })
}

/// What was acknowledged must be there. The caller has the lock for writing, so that nobody is in the middle.
async fn check_end(place: &Place, id: &str, connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let failed = |error: sqlx::Error| place.error(&error);
    let known = Witness::new(place, id).read();
    let row = sqlx::query(statement::HEAD_AND_FENCE).fetch_one(&mut *connection).await.map_err(failed)?;
    let position = number(&row, 0).map_err(failed)?;
    let fence = number(&row, 1).map_err(failed)?;
    let behind = |what| Err(StoreError::Behind { place: place.name(), what });
    if let Some(head) = known.head {
        if position < head.position {
            return behind(format!(
                "record {} was acknowledged, and the last one is {position}",
                head.position
            ));
        }
        let hash: Option<Vec<u8>> = sqlx::query_scalar(statement::HASH_AT)
            .bind(integer(head.position))
            .fetch_optional(connection)
            .await
            .map_err(failed)?;
        if hash.is_some_and(|hash| hash != head.hash.as_bytes()) {
            return behind(format!("record {} is another one than was acknowledged", head.position));
        }
    }
    if fence < known.fence {
        return behind(format!("the fence {} was granted, and the last one is {fence}", known.fence));
    }
    Ok(())
}

/// Before the file is known to be a ledger, what SQLite calls damaged may be anything at all.
pub(super) fn opening_error(place: &Place, error: &sqlx::Error) -> StoreError {
    match place.error(error) {
        StoreError::Damaged { what, .. } => {
            place.not_a_ledger(&format!("{what}; if it was one, its first page is damaged"))
        }
        other => other,
    }
}
