//! Remembers. One append-only, hash-chained log of facts, the views that are kept beside it, and
//! the leases that decide who may act.
//!
//! Facts are opaque JSON: this crate knows nothing of releases or hosts, decides nothing about
//! them, reads no clock and starts no work of its own. Whoever appends says what it expects to
//! find, and nothing is written when it is mistaken.
//!
//! - [`Ledger`]: the door. [`SqliteLedger`] keeps it in a file, [`MemoryLedger`] in memory.
//! - [`Batch`]: what is written together, all or nothing.
//! - [`Lease`]: the right to act, with a fence that only grows.
//! - [`Backup`] and [`Restore`]: a ledger in one file, and back.
//! - [`Verification`]: what a walk over the whole chain found.
//! - `suite`: what every ledger must do, as tests (feature `suite`).
//!
//! The reasons are in `docs/design/ledger.md`.

mod batch;
mod chain;
mod error;
mod lease;
mod ledger;
mod memory;
mod sqlite;
#[cfg(any(test, feature = "suite"))]
pub mod suite;
mod verification;
mod view;

pub use batch::{Batch, MAX_BATCH_BYTES, MAX_BATCH_ITEMS, MAX_FACT_BYTES, MAX_NAME_BYTES, StreamAppend};
pub use chain::{Record, StoredRecord};
pub use error::StoreError;
pub use lease::{Holder, Lease, MAX_LEASE};
pub use ledger::{Ledger, MAX_ANSWER_BYTES, MAX_ANSWER_ROWS};
pub use memory::MemoryLedger;
pub use sqlite::{Backup, Examined, Restore, RestoreError, Restored, SqliteLedger, Standing};
pub use verification::{Fault, Flaw, Verification};
pub use view::{ViewQuery, ViewRow, ViewUpdate};
