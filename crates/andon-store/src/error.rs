//! What can go wrong with a ledger, one variant for each thing that a caller does differently.

use andon_core::time::Time;

use crate::lease::Holder;

/// Why a ledger refused or failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else has appended to the stream in the meantime. Nothing was written.
    #[error(
        "the stream {stream} has {found} records and {expected} were expected, so nothing was written. \
         Read the stream again and decide anew"
    )]
    Conflict {
        /// The stream.
        stream: String,
        /// How many records the caller expected it to have.
        expected: u64,
        /// How many it has.
        found: u64,
    },
    /// Another holder has the lease.
    #[error(
        "{name} is held by {by}. Wait until that has finished, or take it over explicitly once you know \
         that it has stopped"
    )]
    Leased {
        /// The name of the lease.
        name: String,
        /// Who has it.
        by: Holder,
        /// When it runs out unless it is renewed.
        until: Time,
    },
    /// The lease is no longer this holder's: it ran out and was taken, was taken over, or was released.
    #[error(
        "the lease on {name} with fence {fence} is no longer held. Stop acting under it and take it again"
    )]
    LeaseLost {
        /// The name of the lease.
        name: String,
        /// The fence of the lease that was lost.
        fence: u64,
    },
    /// What was asked is outside the bounds of a ledger. Nothing was written.
    #[error("the ledger refused this: {0}")]
    Invalid(String),
    /// There is no space left. Nothing was written; it works again once there is space.
    #[error(
        "there is no space left for the ledger {place}, so nothing was written. Free some space on that \
         file system and try again; everything that was recorded before is safe"
    )]
    Full {
        /// Which ledger.
        place: String,
    },
    /// The ledger may not be written.
    #[error(
        "the ledger {place} cannot be written: {why}. Check the permissions of the file and its directory, \
         and that the file system is not mounted read-only"
    )]
    NotWritable {
        /// Which ledger.
        place: String,
        /// What the system said.
        why: String,
    },
    /// There is something where a new file shall be. It was not touched.
    #[error("{place} exists already. It was left as it is")]
    Exists {
        /// Where.
        place: String,
    },
    /// There is something at this place, and it is not a ledger. It was not touched.
    #[error("{place} is not an Andon ledger ({why}). It was left as it is; name another path")]
    NotALedger {
        /// Where.
        place: String,
        /// How that was seen.
        why: String,
    },
    /// A newer Andon has written this ledger. It was not touched.
    #[error(
        "the ledger {place} has format {found}, written by andon {by}, and this is andon {}, which knows formats up \
         to {known}. It was left as it is; use andon {by} or newer",
        env!("CARGO_PKG_VERSION")
    )]
    Newer {
        /// Which ledger.
        place: String,
        /// The format it has.
        found: i64,
        /// The newest format that this program knows.
        known: i64,
        /// The version that brought the ledger to its format.
        by: String,
    },
    /// What is there is sound, and its end is gone: more was acknowledged than the ledger knows.
    #[error("the ledger {place} has lost its end: {what}. Nothing was written to it")]
    Behind {
        /// Which ledger.
        place: String,
        /// What was acknowledged, and what is there.
        what: String,
    },
    /// The file was moved away, removed or replaced while this process had it open. Nothing was written.
    #[error(
        "the ledger {place} was moved, removed or replaced while this process had it open, so nothing was \
         written. Start this process again"
    )]
    Moved {
        /// Which ledger.
        place: String,
    },
    /// The ledger is not as it was written.
    #[error(
        "the ledger {place} is damaged: {what}. Stop writing to it, keep a copy, and restore it from a backup"
    )]
    Damaged {
        /// Which ledger.
        place: String,
        /// What is wrong.
        what: String,
    },
    /// Another process kept the ledger busy for too long. Nothing was written.
    #[error("another process kept the ledger {place} busy for too long. Nothing was written; try again")]
    Busy {
        /// Which ledger.
        place: String,
    },
    /// Anything else that the database or the system reported. Whether an append took effect is
    /// not known: read the stream again.
    #[error("the ledger {place} did not answer: {why}. Read again before you repeat a write")]
    Unavailable {
        /// Which ledger.
        place: String,
        /// What was reported.
        why: String,
    },
}
