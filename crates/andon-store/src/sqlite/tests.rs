//! The suite on real files, and what only a file can do: be damaged, full, forbidden or foreign.

use tempfile::TempDir;

use super::SqliteLedger;
use crate::suite::Stand;

/// A ledger in a directory of its own.
struct InDirectory(TempDir);

impl InDirectory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("ledger.db")
    }
}

impl Stand for InDirectory {
    type Ledger = SqliteLedger;
    async fn open(&self) -> SqliteLedger {
        SqliteLedger::open(self.path()).await.unwrap()
    }
}

crate::ledger_suite!(InDirectory::new());
