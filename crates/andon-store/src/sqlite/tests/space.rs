//! No space left: it is said, nothing is half-written, and it goes on once there is space.

use super::{InDirectory, SmallDisk, large_fact};
use crate::suite::{Stand, batch, fact};
use crate::{Batch, Ledger, SqliteLedger, StoreError, ViewUpdate};

/// A batch whose first facts fit where its last do not, with a row of a view.
fn large_batch(expected: u64) -> Batch {
    let views =
        vec![ViewUpdate { view: "list".into(), key: "newest".into(), rank: 1, body: expected.into() }];
    Batch { views, ..batch("a", expected, [fact(0), large_fact(100_000), large_fact(100_000)]) }
}

/// Appends until there is no space, and gives how many batches were acknowledged.
async fn append_until_full(ledger: &SqliteLedger, path: &std::path::Path) -> u64 {
    for batches in 0..1_000 {
        match ledger.append(large_batch(3 * batches)).await {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error, StoreError::Full { place: path.display().to_string() });
                assert!(error.to_string().contains("Free some space"), "{error}");
                return batches;
            }
        }
    }
    panic!("the space never ended");
}

/// Exactly the acknowledged batches are there, with the view that came with the last of them.
async fn assert_whole(ledger: &SqliteLedger, batches: u64) {
    assert_eq!(ledger.head().await, Ok(3 * batches));
    let last = batches.checked_sub(1).map(|last| serde_json::json!(3 * last));
    assert_eq!(ledger.view("list", "newest").await, Ok(last));
    let found = ledger.verify().await.unwrap();
    assert_eq!((found.records, found.fault), (3 * batches, None));
}

#[tokio::test]
async fn a_ledger_at_its_largest_size_refuses_and_goes_on_later() {
    let stand = InDirectory::new();
    let ledger = stand.open().await;
    let mut writing = ledger.writer.begin().await.unwrap();
    // Holds for this one connection, and so until the first failure.
    let limit = sqlx::query("PRAGMA max_page_count = 200").execute(&mut writing.connection).await;
    writing.finish(limit).await.unwrap();

    let batches = append_until_full(&ledger, &stand.path()).await;
    assert!(batches > 0);
    assert_whole(&ledger, batches).await;
    ledger.append(large_batch(3 * batches)).await.unwrap();
    assert_whole(&ledger, batches + 1).await;
}

#[tokio::test]
async fn a_full_disk_leaves_whole_batches_and_goes_on_after_space_was_freed() {
    let Some(disk) = SmallDisk::new("12m") else { return };
    let ballast = disk.0.path().join("ballast");
    std::fs::write(&ballast, vec![1; 6 << 20]).unwrap();
    let ledger = SqliteLedger::open(disk.path()).await.unwrap();
    let batches = append_until_full(&ledger, &disk.path()).await;
    assert!(batches > 0);
    // Full again, with a connection that was opened on the full disk; reading works meanwhile.
    for _ in 0..3 {
        let again = ledger.append(large_batch(3 * batches)).await;
        assert_eq!(again, Err(StoreError::Full { place: disk.path().display().to_string() }));
        assert_whole(&ledger, batches).await;
    }

    std::fs::remove_file(&ballast).unwrap();
    ledger.append(large_batch(3 * batches)).await.unwrap();
    assert_whole(&ledger, batches + 1).await;
    ledger.close().await.unwrap();
    assert_whole(&SqliteLedger::open(disk.path()).await.unwrap(), batches + 1).await;
}

#[tokio::test]
async fn a_ledger_is_not_made_half_on_a_full_disk() {
    let Some(disk) = SmallDisk::new("1m") else { return };
    let ballast = disk.0.path().join("ballast");
    // Writes until the disk itself says that it is full.
    assert!(std::fs::write(&ballast, vec![1; 2 << 20]).is_err());
    let refused = SqliteLedger::open(disk.path()).await.unwrap_err();
    assert_eq!(refused, StoreError::Full { place: disk.path().display().to_string() });
    std::fs::remove_file(&ballast).unwrap();
    let ledger = SqliteLedger::open(disk.path()).await.unwrap();
    assert_eq!(ledger.verify().await.unwrap().fault, None);
}
