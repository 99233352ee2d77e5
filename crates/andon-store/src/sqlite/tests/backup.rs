//! Backups: whole, verified, consistent while others write, and never in the place of something else.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::{InDirectory, SmallDisk, fill, large_fact};
use crate::suite::{Stand, batch, fact};
use crate::{Ledger, SqliteLedger, StoreError};

fn silent(_: u64, _: u64) {}

#[tokio::test]
async fn a_backup_holds_everything_for_this_user_only_and_is_examined_without_a_trace() {
    let stand = InDirectory::new();
    fill(&stand, 50).await;
    let ledger = stand.open().await;
    let to = stand.0.path().join("backup.db");
    let heard = AtomicU64::new(0);
    let made = ledger
        .back_up(&to, false, &|done, total| {
            assert!(done <= total);
            heard.store(done, Ordering::Relaxed);
        })
        .await
        .unwrap();
    assert_eq!((made.records, made.id.as_str()), (50, ledger.id()));
    assert_eq!(made.bytes, std::fs::metadata(&to).unwrap().len());
    assert_eq!(heard.into_inner(), made.bytes);
    assert_eq!(std::fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
    ledger.close().await.unwrap();

    let before = std::fs::read(&to).unwrap();
    let names = stand.names();
    let examined = SqliteLedger::examine(&to).await.unwrap();
    assert_eq!((examined.verification.hash, examined.verification.fault), (made.hash, None));
    assert_eq!(std::fs::read(&to).unwrap(), before);
    assert_eq!(stand.names(), names);
    assert!(names.iter().all(|name| !name.starts_with('.')), "{names:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backups_while_others_write_each_are_the_state_after_a_commit() {
    let stand = InDirectory::new();
    let ledger = stand.open().await;
    let writing = AtomicBool::new(true);
    let writer = async {
        let mut commits = 0;
        while writing.load(Ordering::Relaxed) {
            ledger.append(batch("a", 3 * commits, [fact(1), fact(2), large_fact(3_000)])).await.unwrap();
            commits += 1;
            tokio::task::yield_now().await;
        }
    };
    let backups = async {
        let other = stand.open().await;
        let mut before = 0;
        for number in 0..5 {
            let to = stand.0.path().join(format!("{number}.db"));
            let made = other.back_up(&to, false, &silent).await.unwrap();
            assert_eq!(made.records % 3, 0, "a part of a batch");
            assert!(made.records >= before);
            before = made.records;
        }
        writing.store(false, Ordering::Relaxed);
    };
    tokio::join!(writer, backups);
}

#[tokio::test]
async fn what_is_there_is_left_alone_unless_it_shall_be_replaced() {
    let stand = InDirectory::new();
    fill(&stand, 5).await;
    let ledger = stand.open().await;
    let to = stand.0.path().join("backup.db");
    std::fs::write(&to, "precious").unwrap();
    let refused = ledger.back_up(&to, false, &silent).await.unwrap_err();
    assert!(matches!(refused, StoreError::Exists { .. }), "{refused}");
    assert_eq!(std::fs::read(&to).unwrap(), b"precious");
    assert_eq!(ledger.back_up(&to, true, &silent).await.unwrap().records, 5);
    assert!(ledger.back_up(Path::new("/no/such/directory/x.db"), false, &silent).await.is_err());
}

#[tokio::test]
async fn a_damaged_ledger_gives_no_backup() {
    let stand = InDirectory::new();
    fill(&stand, 20).await;
    let mut bytes = std::fs::read(stand.path()).unwrap();
    let needle = b"{\"number\":13}";
    let place = bytes.windows(needle.len()).position(|window| window == needle).unwrap();
    bytes[place + needle.len() - 2] ^= 1;
    std::fs::write(stand.path(), bytes).unwrap();
    let ledger = stand.open().await;
    let to = stand.0.path().join("backup.db");
    let refused = ledger.back_up(&to, false, &silent).await.unwrap_err();
    assert!(refused.to_string().contains("record 14"), "{refused}");
    assert!(!to.exists());
    assert!(stand.names().iter().all(|name| !name.contains("part")));
}

#[tokio::test]
async fn a_full_place_for_the_backup_is_named_and_left_clean() {
    let stand = InDirectory::new();
    let ledger = stand.open().await;
    ledger.append(batch("a", 0, [large_fact(3 << 20)])).await.unwrap();
    let Some(disk) = SmallDisk::new("1m") else { return };
    let refused = ledger.back_up(&disk.path(), false, &silent).await.unwrap_err();
    assert_eq!(refused, StoreError::Full { place: disk.path().display().to_string() });
    assert_eq!(std::fs::read_dir(disk.path().parent().unwrap()).unwrap().count(), 0);
    ledger.append(batch("a", 1, [fact(1)])).await.unwrap();
}
