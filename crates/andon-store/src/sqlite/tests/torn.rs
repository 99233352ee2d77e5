//! Torn pages, and write-ahead logs that were cut off, changed or removed.

use std::io::{BufRead, BufReader};
use std::time::Duration;

use super::crash::{acknowledged, start_writer};
use super::{InDirectory, fill};
use crate::suite::{Stand, batch, fact};
use crate::{Ledger, Record, SqliteLedger, StoreError};

/// The header of a log, and that of each frame before its page.
const LOG_HEADER: usize = 32;
const FRAME: usize = 24 + 4096;

/// The files of a ledger whose writer was killed.
struct Left {
    file: Vec<u8>,
    log: Vec<u8>,
    head: Vec<u8>,
    records: Vec<Record>,
}

impl Left {
    async fn by_a_killed_writer(count: usize) -> Self {
        let stand = InDirectory::new();
        let mut child = start_writer(&stand, 0, 1_000_000);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut numbers = lines.filter_map(|line| acknowledged(&line));
        numbers.nth(count - 1).expect("the writer goes on for long");
        child.kill().unwrap();
        child.wait().unwrap();
        let read = |suffix| std::fs::read(stand.beside(suffix)).unwrap();
        let (file, log, head) = (read(""), read("-wal"), read("-head"));
        let records = stand.open().await.tail(0, 10_000).await.unwrap();
        Self { file, log, head, records }
    }

    /// These files, with another log, and with or without the witness.
    fn put(&self, stand: &InDirectory, log: Option<&[u8]>, witness: bool) {
        for suffix in ["-wal", "-shm", "-head"] {
            let _ = std::fs::remove_file(stand.beside(suffix));
        }
        std::fs::write(stand.path(), &self.file).unwrap();
        if let Some(log) = log {
            std::fs::write(stand.beside("-wal"), log).unwrap();
        }
        if witness {
            std::fs::write(stand.beside("-head"), &self.head).unwrap();
        }
    }

    /// Opens the ledger with such a log: whatever is there is the state after some commit. Where something is gone that
    /// was acknowledged, the witness has it refused, and nothing is changed by that. Gives how many records are there.
    async fn open_with(&self, log: Option<&[u8]>, what: &str) -> u64 {
        let stand = InDirectory::new();
        self.put(&stand, log, false);
        let ledger = SqliteLedger::open(stand.path()).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        let kept = ledger.tail(0, 10_000).await.unwrap();
        assert_eq!(kept[..], self.records[..kept.len()], "{what}");
        let found = ledger.verify().await.unwrap();
        assert_eq!((found.records, found.fault), (kept.len() as u64, None), "{what}");
        ledger.close().await.unwrap();

        self.put(&stand, log, true);
        // The one that was being written when the writer was killed was not acknowledged.
        let acknowledged = self.records.len() as u64 - 1;
        match SqliteLedger::open(stand.path()).await {
            Ok(ledger) => {
                assert!(kept.len() as u64 >= acknowledged, "{what}: {} left in silence", kept.len());
                ledger.append(batch("next", 0, [fact(1)])).await.unwrap();
            }
            Err(StoreError::Behind { what: said, .. }) => {
                assert!((kept.len() as u64) < acknowledged + 1, "{what}: {said}");
                assert_eq!(std::fs::read(stand.beside("-head")).unwrap(), self.head, "{what}");
            }
            Err(error) => panic!("{what}: {error}"),
        }
        kept.len() as u64
    }
}

#[tokio::test]
async fn a_log_cut_anywhere_leaves_the_state_after_a_commit_and_a_loss_is_said() {
    let left = Left::by_a_killed_writer(12).await;
    let mut cuts = vec![0, 1, LOG_HEADER - 1];
    for frame in (LOG_HEADER..=left.log.len()).step_by(FRAME) {
        cuts.extend([frame, frame + 1, frame + 24, frame + 24 + 512, frame + FRAME - 1]);
    }
    cuts.retain(|&cut| cut <= left.log.len());
    cuts.push(left.log.len());
    let mut before = 0;
    for cut in cuts {
        let kept = left.open_with(Some(&left.log[..cut]), &format!("cut at {cut}")).await;
        assert!(kept >= before, "a longer log has less: cut at {cut}");
        before = kept;
    }
    assert_eq!(before, left.records.len() as u64, "the whole log has everything");
    assert_eq!(left.open_with(None, "no log").await, 0);
}

#[tokio::test]
async fn a_byte_changed_anywhere_in_a_log_leaves_the_state_after_a_commit_and_a_loss_is_said() {
    let left = Left::by_a_killed_writer(12).await;
    for place in (0..left.log.len()).step_by(1021) {
        let mut log = left.log.clone();
        log[place] ^= 0x55;
        left.open_with(Some(&log), &format!("byte {place}")).await;
    }
}

/// A disk writes sectors. Each page is torn after each of its sectors: the rest is what was there before, nothing.
#[tokio::test]
async fn a_torn_page_is_named_or_harms_no_record() {
    let stand = InDirectory::new();
    fill(&stand, 300).await;
    let sound = std::fs::read(stand.path()).unwrap();
    let ledger = stand.open().await;
    let records = ledger.tail(0, 1000).await.unwrap();
    ledger.close().await.unwrap();
    let copy = InDirectory::new();
    let (mut refused, mut named, mut harmless) = (0, 0, 0);
    for torn in (0..sound.len()).step_by(512).filter(|at| at % 1024 == 512 || at % 4096 == 0) {
        let mut bytes = sound.clone();
        bytes[torn..(torn / 4096 + 1) * 4096].fill(0);
        let _ = std::fs::remove_file(copy.beside("-wal"));
        std::fs::write(copy.path(), &bytes).unwrap();
        let ledger = match SqliteLedger::open(copy.path()).await {
            Ok(ledger) => ledger,
            Err(error) => {
                let text = error.to_string();
                assert!(text.contains("ledger.db"), "torn at {torn}: {text}");
                refused += 1;
                continue;
            }
        };
        match ledger.verify().await {
            Ok(found) => match found.fault {
                None => {
                    assert_eq!(ledger.tail(0, 1000).await.as_ref(), Ok(&records), "torn at {torn}");
                    harmless += 1;
                }
                Some(fault) => {
                    assert!(fault.to_string().contains("record"), "{fault}");
                    named += 1;
                }
            },
            Err(StoreError::Damaged { what, .. }) => {
                let where_ = what.contains("record") && (what.contains("age ") || what.contains("number"));
                assert!(where_, "torn at {torn}: {what}");
                named += 1;
            }
            Err(error) => panic!("torn at {torn}: {error}"),
        }
        let _ = ledger.close().await;
    }
    println!("{refused} refused at opening, {named} named by verifying, {harmless} harmless");
    assert!(named > 0 && refused > 0);
}

#[tokio::test]
async fn a_ledger_whose_file_is_gone_is_not_begun_anew() {
    let stand = InDirectory::new();
    fill(&stand, 3).await;
    std::fs::remove_file(stand.path()).unwrap();
    for _ in 0..2 {
        let refused = SqliteLedger::open(stand.path()).await.unwrap_err();
        assert!(matches!(refused, StoreError::Behind { .. }), "{refused}");
        assert!(refused.to_string().contains("3 records were acknowledged"), "{refused}");
    }
    std::fs::remove_file(stand.beside("-head")).unwrap();
    assert_eq!(stand.open().await.head().await, Ok(0));
}

#[tokio::test]
async fn an_old_copy_in_the_place_of_the_ledger_is_noticed() {
    let stand = InDirectory::new();
    fill(&stand, 3).await;
    let old = std::fs::read(stand.path()).unwrap();
    let ledger = stand.open().await;
    ledger.append(batch("more", 0, [fact(1)])).await.unwrap();
    ledger.close().await.unwrap();
    std::fs::write(stand.path(), &old).unwrap();
    let refused = SqliteLedger::open(stand.path()).await.unwrap_err();
    assert!(refused.to_string().contains("record 4 was acknowledged, and the last one is 3"), "{refused}");
}

#[tokio::test]
async fn a_fence_that_was_granted_is_missed() {
    let stand = InDirectory::new();
    fill(&stand, 3).await;
    let old = std::fs::read(stand.path()).unwrap();
    let ledger = stand.open().await;
    crate::suite::leasing::only_the_holder_with_that_fence_releases(&stand).await;
    ledger.close().await.unwrap();
    // Who closes it last takes the log beside it along, which holds what is taken away here. Two that close it at the same
    // moment each leave that to the other.
    let closed = async {
        while stand.beside("-wal").exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
            stand.open().await.close().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(60), closed).await.unwrap();
    std::fs::write(stand.path(), &old).unwrap();
    let refused = SqliteLedger::open(stand.path()).await.unwrap_err();
    assert!(refused.to_string().contains("was granted, and the last one is 0"), "{refused}");
}

#[tokio::test]
async fn a_ledger_that_is_moved_or_removed_takes_no_more_facts() {
    let stand = InDirectory::new();
    fill(&stand, 3).await;
    let ledger = stand.open().await;
    std::fs::rename(stand.path(), stand.beside(".away")).unwrap();
    for _ in 0..2 {
        let refused = ledger.append(batch("more", 0, [fact(1)])).await.unwrap_err();
        assert!(matches!(refused, StoreError::Moved { .. }), "{refused}");
    }
    std::fs::rename(stand.beside(".away"), stand.path()).unwrap();
    ledger.append(batch("more", 0, [fact(1)])).await.unwrap();
    assert_eq!(ledger.head().await, Ok(4));
}
