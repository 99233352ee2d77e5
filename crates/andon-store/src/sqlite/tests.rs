//! The suite on real files, and what only a file can meet: damage, crashes, no space, no permission.

mod backup;
mod crash;
mod damage;
mod opening;
mod plans;
mod restore;
mod space;
mod storm;
mod torn;

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::SqliteLedger;
use crate::Ledger;
use crate::suite::{Stand, batch, fact};

/// A ledger in a directory of its own.
struct InDirectory(TempDir);

impl InDirectory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("ledger.db")
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        self.0.path().join(format!("ledger.db{suffix}"))
    }

    /// The names of everything in the directory.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Stand for InDirectory {
    type Ledger = SqliteLedger;
    async fn open(&self) -> SqliteLedger {
        SqliteLedger::open(self.path()).await.unwrap()
    }
}

crate::ledger_suite!(InDirectory::new());

/// Appends `count` facts to two streams in turn, and closes the ledger, so that all is in one file.
async fn fill(stand: &InDirectory, count: u64) {
    let ledger = stand.open().await;
    for number in 0..count {
        let stream = if number % 2 == 0 { "even" } else { "odd" };
        ledger.append(batch(stream, number / 2, [fact(number)])).await.unwrap();
    }
    ledger.close().await.unwrap();
}

/// A fact of about this many bytes.
fn large_fact(bytes: usize) -> Value {
    json!("x".repeat(bytes))
}

/// A small file system in memory; only root gets one.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn new(size: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let options = format!("size={size},mode=0700");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(directory.path())
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(directory)),
            _ => {
                println!("skipped: this user cannot mount a small file system");
                None
            }
        }
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("ledger.db")
    }

    fn remount(&self, option: &str) {
        let options = format!("remount,{option}");
        let done = Command::new("mount").args(["-o", &options]).arg(self.0.path()).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a connection that is being closed may still have the file open.
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}
