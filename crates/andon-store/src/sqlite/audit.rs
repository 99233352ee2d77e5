//! Verifies a ledger in SQLite: the chain, then every stream, then the file around them. It reads in
//! pages, each its own short transaction, so that writers go on and the write-ahead log stays short.

use sqlx::{Row, SqliteConnection};

use super::place::Place;
use super::row::{digest, number, stored_record, text};
use super::{schema, statement};
use crate::chain::ChainEnd;
use crate::error::StoreError;
use crate::ledger::fitting;
use crate::verification::{Fault, Flaw, StreamWalk, Verification, Walk};

/// How many rows are looked at between two transactions.
const PAGE: i64 = 1000;

/// Who hears of the position that the walk over the chain has come to, after each page.
type Told<'a> = &'a (dyn Fn(u64) + Send + Sync);

/// Verifies the ledger `id` behind `connection`.
pub(super) async fn verify(
    connection: &mut SqliteConnection,
    id: &str,
    place: &Place,
    told: Told<'_>,
) -> Result<Verification, StoreError> {
    let mut walk = Walk::new(id);
    match find_fault(connection, &mut walk, told).await {
        Ok(fault) => Ok(walk.finish(fault)),
        Err(error) => Err(match place.error(&error) {
            StoreError::Damaged { place, what } => {
                let pages = name_pages(connection).await;
                let sound = sound(walk.due().saturating_sub(1));
                StoreError::Damaged { place, what: format!("{what}; {sound}{pages}") }
            }
            other => other,
        }),
    }
}

/// How far the records could be read before the damage.
fn sound(records: u64) -> String {
    match records {
        0 => "no record could be read".to_owned(),
        1 => "record 1 is sound".to_owned(),
        more => format!("records 1 to {more} are sound"),
    }
}

/// Which pages of the file are torn, as SQLite names them. It reads the whole file, which is worth it only now.
async fn name_pages(connection: &mut SqliteConnection) -> String {
    let report = sqlx::query_scalar::<_, String>("PRAGMA quick_check(3)").fetch_all(connection).await;
    let lines: Vec<String> = report.unwrap_or_default();
    let named = lines.iter().flat_map(|line| line.lines()).filter(|line| line.contains("age "));
    let named: Vec<&str> = named.map(|line| line.trim_start_matches("*** ").trim()).take(3).collect();
    if named.is_empty() { String::new() } else { format!("; of its file: {}", named.join(", ")) }
}

async fn find_fault(
    connection: &mut SqliteConnection,
    walk: &mut Walk,
    told: Told<'_>,
) -> Result<Option<Fault>, sqlx::Error> {
    let row = sqlx::query(statement::HEAD_AND_NEWEST).fetch_one(&mut *connection).await?;
    let head = ChainEnd { position: number(&row, 0)?, hash: digest(&row, 1)? };
    let newest = number(&row, 2)?;
    if let Some(fault) = walk_chain(connection, walk, newest, told).await? {
        return Ok(Some(fault));
    }
    if let Err(fault) = walk.arrive(head) {
        return Ok(Some(fault));
    }
    if let Some(fault) = walk_streams(connection, walk, newest).await? {
        return Ok(Some(fault));
    }
    Ok(check_file(connection).await?.map(|why| walk.fault_at_end(Flaw::Storage(why))))
}

async fn walk_chain(
    connection: &mut SqliteConnection,
    walk: &mut Walk,
    newest: u64,
    told: Told<'_>,
) -> Result<Option<Fault>, sqlx::Error> {
    while walk.due() <= newest {
        told(walk.due() - 1);
        let behind = super::row::integer(walk.due() - 1);
        let sizes: Vec<i64> = sqlx::query_scalar(statement::TAIL_SIZES)
            .bind(behind)
            .bind(PAGE)
            .fetch_all(&mut *connection)
            .await?;
        let count = fitting(sizes.iter().map(|&size| usize::try_from(size).unwrap_or(usize::MAX)));
        let rows = sqlx::query(statement::TAIL)
            .bind(behind)
            .bind(super::row::integer(count as u64))
            .fetch_all(&mut *connection)
            .await?;
        if rows.is_empty() {
            return Ok(Some(walk.missing()));
        }
        for row in &rows {
            let position = number(row, 0)?;
            if position > newest {
                break;
            }
            let step = match stored_record(row) {
                Ok(record) => walk.step(&record),
                Err(_) if position != walk.due() => Err(walk.missing()),
                Err(error) => {
                    let flaw = Flaw::Unreadable(error.to_string());
                    Err(Fault { position, stream: text(row, 1).ok(), seq: number(row, 2).ok(), flaw })
                }
            };
            if let Err(fault) = step {
                return Ok(Some(fault));
            }
        }
    }
    Ok(None)
}

async fn walk_streams(
    connection: &mut SqliteConnection,
    walk: &Walk,
    newest: u64,
) -> Result<Option<Fault>, sqlx::Error> {
    let mut streams = StreamWalk::default();
    let (mut stream, mut seq) = (String::new(), 0_i64);
    loop {
        let rows = sqlx::query(statement::STREAM_ORDER)
            .bind(&stream)
            .bind(seq)
            .bind(PAGE)
            .fetch_all(&mut *connection)
            .await?;
        let Some(last) = rows.last() else { break };
        (stream, seq) = (text(last, 0)?, last.try_get(1)?);
        for row in &rows {
            let position = number(row, 2)?;
            // What was appended meanwhile has a higher position, and comes last in its stream.
            if position > newest {
                continue;
            }
            if let Err(fault) = streams.step(&text(row, 0)?, number(row, 1)?, position) {
                return Ok(Some(fault));
            }
        }
    }
    if streams.count == newest {
        return Ok(None);
    }
    let why = format!("its index by stream knows {} of {newest} records", streams.count);
    Ok(Some(walk.fault_at_end(Flaw::Storage(why))))
}

/// What is wrong with the file although its records are sound.
async fn check_file(connection: &mut SqliteConnection) -> Result<Option<String>, sqlx::Error> {
    let guards: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        .fetch_all(&mut *connection)
        .await?;
    if let Some(gone) = schema::GUARDS.iter().find(|guard| !guards.iter().any(|name| name == *guard)) {
        return Ok(Some(format!("its guard {gone} was removed")));
    }
    let report: String = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(connection).await?;
    Ok((report != "ok").then_some(report))
}
