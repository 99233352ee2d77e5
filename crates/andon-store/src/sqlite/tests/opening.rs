//! Opening: what is made, for whom, and what is refused and left alone.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::{InDirectory, SmallDisk, fill};
use crate::suite::{Stand, batch, fact};
use crate::{Ledger, SqliteLedger, StoreError};

fn mode(path: impl AsRef<Path>) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

async fn execute(path: &Path, statements: &'static str) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn missing_directories_and_the_file_are_made_for_this_user_only() {
    let stand = InDirectory::new();
    let path = stand.0.path().join("var/lib/ledger.db");
    let ledger = SqliteLedger::open(&path).await.unwrap();
    ledger.append(batch("a", 0, [fact(1)])).await.unwrap();
    assert_eq!(mode(stand.0.path().join("var")), 0o700);
    assert_eq!(mode(stand.0.path().join("var/lib")), 0o700);
    for suffix in ["", "-wal", "-shm"] {
        assert_eq!(mode(format!("{}{suffix}", path.display())), 0o600, "{suffix}");
    }
}

#[tokio::test]
async fn every_acknowledged_commit_is_synchronised() {
    let stand = InDirectory::new();
    let ledger = stand.open().await;
    let mut writing = ledger.writer.begin().await.unwrap();
    let ask = async |question: &'static str, connection: &mut sqlx::SqliteConnection| {
        sqlx::query_scalar::<_, i64>(question).fetch_one(connection).await.unwrap()
    };
    const FULL: i64 = 2;
    assert_eq!(ask("PRAGMA synchronous", &mut writing.connection).await, FULL);
    let journal: String =
        sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut writing.connection).await.unwrap();
    assert_eq!(journal, "wal");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_who_make_a_ledger_at_once_get_the_same_one() {
    let stand = InDirectory::new();
    let tasks: Vec<_> = (0..8).map(|_| tokio::spawn(SqliteLedger::open(stand.path()))).collect();
    let mut ids = Vec::new();
    for task in tasks {
        ids.push(task.await.unwrap().unwrap().id().to_owned());
    }
    assert_eq!(ids[0].len(), 32);
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_ne!(InDirectory::new().open().await.id(), ids[0]);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
    let stand = InDirectory::new();
    for content in [b"notes\n".to_vec(), b"a longer text. ".repeat(1_000), vec![0; 8192]] {
        std::fs::write(stand.path(), &content).unwrap();
        let refused = SqliteLedger::open(stand.path()).await.unwrap_err();
        assert!(matches!(refused, StoreError::NotALedger { .. }), "{refused}");
        assert!(refused.to_string().contains("ledger.db is not an Andon ledger"), "{refused}");
        assert_eq!(std::fs::read(stand.path()).unwrap(), content);
    }
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_left_as_it_is() {
    let stand = InDirectory::new();
    execute(&stand.path(), "CREATE TABLE contacts (name TEXT)").await;
    let before = std::fs::read(stand.path()).unwrap();
    let refused = SqliteLedger::open(stand.path()).await.unwrap_err();
    assert!(matches!(refused, StoreError::NotALedger { .. }), "{refused}");
    assert_eq!(std::fs::read(stand.path()).unwrap(), before);
}

#[tokio::test]
async fn a_directory_or_a_path_that_is_no_text_is_refused() {
    let stand = InDirectory::new();
    let refused = SqliteLedger::open(stand.0.path()).await.unwrap_err();
    assert!(matches!(refused, StoreError::NotALedger { .. }), "{refused}");
    for path in ["", "a\0b"] {
        let refused = SqliteLedger::open(path).await.unwrap_err();
        assert!(matches!(refused, StoreError::Invalid(_)), "{refused}");
    }
}

#[tokio::test]
async fn a_name_that_sqlite_would_take_for_an_address_is_a_plain_name() {
    let stand = InDirectory::new();
    for name in [":memory:", "file:x?mode=memory", "100%25 full?.db"] {
        let path = stand.0.path().join(name);
        SqliteLedger::open(&path).await.unwrap().append(batch("a", 0, [fact(1)])).await.unwrap();
        assert_eq!(SqliteLedger::open(&path).await.unwrap().head().await, Ok(1));
        assert!(path.is_file());
    }
}

#[tokio::test]
async fn a_ledger_of_a_newer_format_is_refused_and_left_as_it_is() {
    let stand = InDirectory::new();
    fill(&stand, 3).await;
    execute(&stand.path(), "INSERT INTO migration VALUES (99, '9.0.0')").await;
    let refused = SqliteLedger::open(stand.path()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Newer { found: 99, known: 1, .. }), "{refused}");
    execute(&stand.path(), "DELETE FROM migration WHERE version = 99").await;
    assert_eq!(stand.open().await.head().await, Ok(3));
}

#[tokio::test]
async fn a_ledger_on_a_read_only_file_system_says_so() {
    let Some(disk) = SmallDisk::new("4m") else { return };
    let ledger = SqliteLedger::open(disk.path()).await.unwrap();
    ledger.append(batch("a", 0, [fact(1)])).await.unwrap();
    ledger.close().await.unwrap();
    disk.remount("ro");
    for path in [disk.path(), disk.0.path().join("other.db"), disk.0.path().join("sub/ledger.db")] {
        let refused = SqliteLedger::open(&path).await.unwrap_err();
        assert!(matches!(refused, StoreError::NotWritable { .. }), "{refused}");
        assert!(refused.to_string().contains(&path.display().to_string()), "{refused}");
    }
    disk.remount("rw");
    assert_eq!(SqliteLedger::open(disk.path()).await.unwrap().head().await, Ok(1));
}
