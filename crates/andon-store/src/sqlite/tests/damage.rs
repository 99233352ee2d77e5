//! Whoever changes a ledger behind its back is found out, whether with SQL or in the bytes of the file.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row, SqliteConnection};

use super::{InDirectory, fill};
use crate::suite::{Stand, batch, fact};
use crate::{Fault, Flaw, Ledger, SqliteLedger, StoreError};

async fn raw(stand: &InDirectory) -> SqliteConnection {
    SqliteConnectOptions::new().filename(stand.path()).connect().await.unwrap()
}

/// Runs `statements` with the guards and the witness out of the way, and puts the guards back.
async fn tamper(stand: &InDirectory, statements: &'static str) {
    std::fs::remove_file(stand.beside("-head")).unwrap();
    let mut connection = raw(stand).await;
    let guards = sqlx::query("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    for guard in &guards {
        let drop = format!("DROP TRIGGER {}", guard.get::<String, _>(0));
        sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut connection).await.unwrap();
    }
    sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
    for guard in &guards {
        let create = guard.get::<String, _>(1);
        sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}

/// What is found in a ledger of twenty records after these statements.
async fn fault_after(statements: &'static str) -> Fault {
    let stand = InDirectory::new();
    fill(&stand, 20).await;
    assert_eq!(stand.open().await.verify().await.unwrap().fault, None);
    tamper(&stand, statements).await;
    let found = stand.open().await.verify().await.unwrap();
    let fault = found.fault.expect("a fault");
    assert!(found.records + 1 >= fault.position, "the records before it were found sound");
    fault
}

#[tokio::test]
async fn records_cannot_be_changed_deleted_or_replaced() {
    let stand = InDirectory::new();
    fill(&stand, 3).await;
    let mut connection = raw(&stand).await;
    for statement in [
        "UPDATE record SET recorded_by = 'eve' WHERE position = 2",
        "DELETE FROM record WHERE position = 3",
        "DELETE FROM record",
        "INSERT OR REPLACE INTO record SELECT position, stream, seq, 0, 'eve', hash, fact FROM record",
        "REPLACE INTO record SELECT 4, stream, seq, 0, 'eve', hash, fact FROM record WHERE position = 1",
        "INSERT INTO record SELECT 9, stream, 9, 0, 'eve', hash, fact FROM record WHERE position = 1",
        "UPDATE ledger SET fence = -1",
        "UPDATE ledger SET position = 1",
    ] {
        assert!(sqlx::raw_sql(statement).execute(&mut connection).await.is_err(), "{statement}");
    }
    assert_eq!(stand.open().await.verify().await.unwrap().fault, None);
}

#[tokio::test]
async fn a_changed_fact_is_named() {
    let fault =
        fault_after("UPDATE record SET fact = CAST('{\"number\":7}' AS BLOB) WHERE position = 9").await;
    let expected = Fault { position: 9, stream: Some("even".into()), seq: Some(5), flaw: Flaw::HashDiffers };
    assert_eq!(fault, expected);
    assert_eq!(fault.to_string(), "record 9 (even 5) does not have the hash that its content gives");
}

#[tokio::test]
async fn a_changed_author_time_or_stream_is_named() {
    for statement in [
        "UPDATE record SET recorded_by = 'eve' WHERE position = 6",
        "UPDATE record SET recorded_at = 1001 WHERE position = 6",
        "UPDATE record SET stream = 'odder' WHERE position = 6",
        "UPDATE record SET seq = 77 WHERE position = 6",
        "UPDATE record SET hash = zeroblob(32) WHERE position = 6",
    ] {
        let fault = fault_after(statement).await;
        assert_eq!((fault.position, fault.flaw), (6, Flaw::HashDiffers), "{statement}");
    }
    let fault = fault_after("UPDATE record SET hash = zeroblob(31) WHERE position = 6").await;
    assert!(matches!(fault, Fault { position: 6, flaw: Flaw::Unreadable(_), .. }), "{fault}");
}

#[tokio::test]
async fn a_deleted_record_is_missed() {
    for (statement, position) in [
        ("DELETE FROM record WHERE position = 1", 1),
        ("DELETE FROM record WHERE position = 8", 8),
        ("DELETE FROM record WHERE position BETWEEN 8 AND 11", 8),
        ("DELETE FROM record", 1),
    ] {
        let fault = fault_after(statement).await;
        assert_eq!((fault.position, fault.flaw), (position, Flaw::Missing), "{statement}");
    }
}

#[tokio::test]
async fn a_swapped_pair_is_named() {
    let swap = "UPDATE record SET position = -1 WHERE position = 12;
                UPDATE record SET position = 12 WHERE position = 13;
                UPDATE record SET position = 13 WHERE position = -1;";
    let fault = fault_after(swap).await;
    assert_eq!((fault.position, fault.flaw), (12, Flaw::HashDiffers));
}

#[tokio::test]
async fn a_tail_that_was_cut_off_is_missed_and_nothing_is_appended_to_it() {
    let stand = InDirectory::new();
    fill(&stand, 20).await;
    tamper(&stand, "DELETE FROM record WHERE position > 17").await;
    let ledger = stand.open().await;
    let fault = ledger.verify().await.unwrap().fault.expect("a fault");
    assert_eq!((fault.position, fault.flaw), (18, Flaw::Missing));
    let refused = ledger.append(batch("new", 0, [fact(1)])).await;
    assert!(matches!(refused, Err(StoreError::Damaged { .. })), "{refused:?}");
    assert_eq!(ledger.tail(17, 10).await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_head_that_was_set_back_differs() {
    let statement = "UPDATE ledger SET position = 19, hash = (SELECT hash FROM record WHERE position = 19)";
    let fault = fault_after(statement).await;
    assert_eq!((fault.position, fault.flaw), (20, Flaw::HeadDiffers));
}

#[tokio::test]
async fn records_under_the_id_of_another_ledger_do_not_hold() {
    let fault = fault_after("UPDATE ledger SET id = 'another'").await;
    assert_eq!((fault.position, fault.flaw), (1, Flaw::HashDiffers));
}

#[tokio::test]
async fn a_removed_guard_is_noticed() {
    let stand = InDirectory::new();
    fill(&stand, 4).await;
    let mut connection = raw(&stand).await;
    sqlx::raw_sql("DROP TRIGGER record_is_never_changed").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let fault = stand.open().await.verify().await.unwrap().fault.expect("a fault");
    assert!(matches!(fault.flaw, Flaw::Storage(_)), "{fault}");
}

#[tokio::test]
async fn a_flipped_bit_of_a_fact_in_the_file_is_named() {
    let stand = InDirectory::new();
    fill(&stand, 20).await;
    let mut bytes = std::fs::read(stand.path()).unwrap();
    let needle = b"{\"number\":13}";
    let place = bytes.windows(needle.len()).position(|window| window == needle).expect("the fact");
    bytes[place + needle.len() - 2] ^= 1;
    std::fs::write(stand.path(), bytes).unwrap();
    let fault = stand.open().await.verify().await.unwrap().fault.expect("a fault");
    assert_eq!((fault.position, fault.flaw), (14, Flaw::HashDiffers));
}

/// Over the whole file: the damage is reported, or no record is harmed by it.
#[tokio::test]
async fn a_damaged_byte_anywhere_is_found_or_harms_no_record() {
    let stand = InDirectory::new();
    fill(&stand, 60).await;
    let sound = std::fs::read(stand.path()).unwrap();
    let ledger = stand.open().await;
    let records = ledger.tail(0, 100).await.unwrap();
    ledger.close().await.unwrap();

    let copy = InDirectory::new();
    let (mut refused, mut found, mut harmless) = (0, 0, 0);
    for place in (0..sound.len()).step_by(331) {
        let mut bytes = sound.clone();
        bytes[place] ^= 0x55;
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", copy.path().display()));
        }
        std::fs::write(copy.path(), bytes).unwrap();
        let Ok(ledger) = SqliteLedger::open(copy.path()).await else {
            refused += 1;
            continue;
        };
        match ledger.verify().await {
            Ok(found) if found.fault.is_none() => {
                assert_eq!(ledger.tail(0, 100).await.as_ref(), Ok(&records), "byte {place}");
                harmless += 1;
            }
            Ok(_) | Err(StoreError::Damaged { .. }) => found += 1,
            Err(error) => panic!("byte {place}: {error}"),
        }
        let _ = ledger.close().await;
    }
    println!("{refused} refused at opening, {found} found by verifying, {harmless} harmless");
    assert!(found > 0 && refused > 0);
}

#[tokio::test]
async fn a_file_that_was_cut_short_is_found() {
    let stand = InDirectory::new();
    fill(&stand, 200).await;
    let sound = std::fs::read(stand.path()).unwrap();
    for length in [sound.len() - 4096, sound.len() / 2, 4096, 100] {
        std::fs::write(stand.path(), &sound[..length]).unwrap();
        let sound = match SqliteLedger::open(stand.path()).await {
            Ok(ledger) => matches!(ledger.verify().await, Ok(found) if found.fault.is_none()),
            Err(_) => false,
        };
        assert!(!sound, "cut to {length} bytes");
    }
}
