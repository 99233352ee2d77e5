//! Restoring: whole, refused when something would be lost, and with a fence above all that hosts can have seen.

use std::path::{Path, PathBuf};
use std::time::Duration;

use andon_core::time::Time;

use super::{InDirectory, fill};
use crate::suite::{Stand, batch, fact};
use crate::{Holder, Ledger, Restore, RestoreError, Restored, SqliteLedger, Standing};

const NOW: Time = Time(1_764_000_000_000);
const DAY: Duration = Duration::from_secs(86_400);

async fn back_up(stand: &InDirectory) -> PathBuf {
    let to = stand.0.path().join("backup.db");
    let ledger = stand.open().await;
    ledger.back_up(&to, true, &|_, _| {}).await.unwrap();
    ledger.close().await.unwrap();
    to
}

async fn restore(stand: &InDirectory, from: &Path, replace: bool) -> Result<Restored, RestoreError> {
    let restore = Restore { from, at: NOW, by: "ada", why: Some("a test"), replace };
    SqliteLedger::restore(&stand.path(), &restore).await
}

async fn grant(stand: &InDirectory, name: &str) -> u64 {
    let holder = Holder { id: name.into(), description: format!("the controller {name}") };
    let ledger = stand.open().await;
    let fence = ledger.steal(name, &holder, Duration::from_secs(60), NOW).await.unwrap().fence;
    ledger.close().await.unwrap();
    fence
}

async fn append(stand: &InDirectory, stream: &str) {
    let ledger = stand.open().await;
    ledger.append(batch(stream, 0, [fact(1)])).await.unwrap();
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn a_backup_becomes_the_ledger_where_there_is_none() {
    let stand = InDirectory::new();
    fill(&stand, 20).await;
    let old = grant(&stand, "www").await;
    let backup = back_up(&stand).await;
    let elsewhere = InDirectory::new();
    let done = restore(&elsewhere, &backup, false).await.unwrap();
    assert_eq!((done.records, &done.before, &done.kept), (20, &Standing::Absent, &None));
    assert_eq!(elsewhere.names(), ["ledger.db", "ledger.db-head"]);

    let ledger = elsewhere.open().await;
    assert_eq!(ledger.id(), done.id);
    let found = ledger.verify().await.unwrap();
    assert_eq!((found.records, found.fault), (21, None));
    let last = ledger.tail(20, 1).await.unwrap().remove(0);
    assert_eq!((last.stream.as_str(), last.by.as_str(), last.at), ("ledger", "ada", NOW));
    assert_eq!(last.fact["why"], "a test");
    assert_eq!(last.fact["fence"], done.fence);
    ledger.close().await.unwrap();
    // Nobody there has a lease, and the first one is above all that hosts have seen.
    assert_eq!(grant(&elsewhere, "www").await, done.fence + 1);
    assert!(done.fence > old);
}

#[tokio::test]
async fn a_ledger_that_the_backup_contains_gives_way_and_is_kept() {
    let stand = InDirectory::new();
    fill(&stand, 5).await;
    let early = std::fs::read(stand.path()).unwrap();
    append(&stand, "more").await;
    let backup = back_up(&stand).await;
    std::fs::write(stand.path(), &early).unwrap();
    std::fs::remove_file(stand.beside("-head")).unwrap();
    let done = restore(&stand, &backup, false).await.unwrap();
    assert_eq!(done.before, Standing::Contained { records: 5 });
    let kept = done.kept.unwrap();
    assert_eq!(SqliteLedger::examine(&kept).await.unwrap().verification.records, 5);
    assert_eq!(stand.open().await.head().await, Ok(7));
    // Again, with the same backup: now the restored one knows more.
    let refused = restore(&stand, &backup, false).await.unwrap_err();
    assert_eq!(refused, RestoreError::Losing(Standing::Ahead { records: 7, common: 6 }));
}

#[tokio::test]
async fn a_ledger_that_knows_more_or_is_another_is_replaced_only_on_request() {
    let stand = InDirectory::new();
    fill(&stand, 5).await;
    let backup = back_up(&stand).await;
    append(&stand, "more").await;
    let highest = grant(&stand, "www").await;
    let refused = restore(&stand, &backup, false).await.unwrap_err();
    assert_eq!(refused, RestoreError::Losing(Standing::Ahead { records: 6, common: 5 }));
    assert_eq!(stand.open().await.head().await, Ok(6), "it works on as if nobody had asked");
    let done = restore(&stand, &backup, true).await.unwrap();
    assert!(done.fence > highest);
    assert_eq!(stand.open().await.head().await, Ok(6), "five and the restore");
    // And back: what was replaced is a ledger as any other.
    let back = restore(&stand, &done.kept.unwrap(), true).await.unwrap();
    assert_eq!(back.before, Standing::Ahead { records: 6, common: 5 });
    assert!(back.fence > done.fence);

    let other = InDirectory::new();
    fill(&other, 2).await;
    let refused = restore(&other, &backup, false).await.unwrap_err();
    assert!(matches!(&refused, RestoreError::Losing(Standing::Other { records: 2, .. })), "{refused}");
    restore(&other, &backup, true).await.unwrap();
}

#[tokio::test]
async fn a_ledger_that_somebody_uses_is_not_replaced() {
    let stand = InDirectory::new();
    fill(&stand, 5).await;
    let backup = back_up(&stand).await;
    let ledger = stand.open().await;
    for replace in [false, true] {
        let refused = restore(&stand, &backup, replace).await.unwrap_err();
        assert!(matches!(refused, RestoreError::InUse { .. }), "{refused}");
    }
    ledger.append(batch("more", 0, [fact(1)])).await.unwrap();
    ledger.close().await.unwrap();
    assert!(stand.names().iter().all(|name| !name.contains("restoring")), "{:?}", stand.names());
}

#[tokio::test]
async fn a_lease_is_respected_until_it_runs_out() {
    let stand = InDirectory::new();
    fill(&stand, 5).await;
    grant(&stand, "www").await;
    let backup = back_up(&stand).await;
    let refused = restore(&stand, &backup, false).await.unwrap_err();
    assert_eq!(refused.to_string(), "www is held by the controller www");
    let later = Restore { from: &backup, at: NOW + DAY, by: "ada", why: None, replace: false };
    SqliteLedger::restore(&stand.path(), &later).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_read_is_replaced_on_request_and_kept() {
    let stand = InDirectory::new();
    fill(&stand, 50).await;
    let backup = back_up(&stand).await;
    let mut bytes = std::fs::read(stand.path()).unwrap();
    bytes[..4096].fill(0x55);
    std::fs::write(stand.path(), &bytes).unwrap();
    std::fs::write(stand.beside("-wal"), "left over").unwrap();
    let refused = restore(&stand, &backup, false).await.unwrap_err();
    assert!(matches!(refused, RestoreError::Losing(Standing::Unreadable(_))), "{refused}");
    let done = restore(&stand, &backup, true).await.unwrap();
    assert_eq!(std::fs::read(done.kept.unwrap()).unwrap(), bytes);
    let found = stand.open().await.verify().await.unwrap();
    assert_eq!((found.records, found.fault), (51, None));
}

#[tokio::test]
async fn a_ledger_that_lost_its_end_is_accepted_by_restoring_it_from_itself() {
    let stand = InDirectory::new();
    fill(&stand, 5).await;
    let early = std::fs::read(stand.path()).unwrap();
    append(&stand, "more").await;
    let lost = grant(&stand, "www").await;
    std::fs::write(stand.path(), &early).unwrap();
    assert!(SqliteLedger::open(stand.path()).await.is_err());
    let done = restore(&stand, &stand.path(), true).await.unwrap();
    assert_eq!(done.before, Standing::Contained { records: 5 });
    assert!(done.fence > lost);
    assert_eq!(stand.open().await.head().await, Ok(6));
}

#[tokio::test]
async fn a_file_that_does_not_hold_is_not_restored() {
    let stand = InDirectory::new();
    fill(&stand, 20).await;
    let backup = back_up(&stand).await;
    let mut bytes = std::fs::read(&backup).unwrap();
    let needle = b"{\"number\":13}";
    let place = bytes.windows(needle.len()).position(|window| window == needle).unwrap();
    bytes[place + needle.len() - 2] ^= 1;
    std::fs::write(&backup, bytes).unwrap();
    let refused = restore(&stand, &backup, true).await.unwrap_err();
    assert!(refused.to_string().contains("backup.db is not restored: record 14"), "{refused}");
    for content in ["", "a letter to my aunt"] {
        std::fs::write(&backup, content).unwrap();
        let refused = restore(&stand, &backup, true).await.unwrap_err();
        assert!(refused.to_string().contains("backup.db is not an Andon ledger"), "{refused}");
    }
    assert!(restore(&stand, Path::new("/no/such/file"), true).await.is_err());
    assert_eq!(stand.open().await.head().await, Ok(20));
    assert!(stand.names().iter().all(|name| !name.contains("restoring")), "{:?}", stand.names());
}
