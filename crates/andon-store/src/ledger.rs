//! The door: what every ledger does, whatever it is kept in.

use std::fmt::Debug;
use std::time::Duration;

use andon_core::time::Time;
use async_trait::async_trait;
use serde_json::Value;

use crate::batch::Batch;
use crate::chain::Record;
use crate::error::StoreError;
use crate::lease::{Holder, Lease};
use crate::verification::Verification;
use crate::view::{ViewQuery, ViewRow};

/// The most rows in one answer, whatever `limit` says.
pub const MAX_ANSWER_ROWS: usize = 10_000;
/// About how many bytes of JSON one answer may hold; at least one row is always given.
pub const MAX_ANSWER_BYTES: usize = 32 << 20;

/// An append-only, hash-chained log of facts in streams, with views and leases beside it.
///
/// A write whose future is dropped happens as a whole or not at all, perhaps a moment later. The next
/// write waits for that, so that a conflict tells.
#[async_trait]
pub trait Ledger: Send + Sync + Debug {
    /// Writes a batch, all or nothing, and gives the new records in the order of the batch. When this
    /// returns, they survive a crash.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a stream is not as expected; then nothing was written.
    async fn append(&self, batch: Batch) -> Result<Vec<Record>, StoreError>;

    /// The records of `stream` with a `seq` higher than `after`, in order. There may be fewer than
    /// `limit` when they are large: only an empty answer says that there are no more.
    async fn read(&self, stream: &str, after: u64, limit: usize) -> Result<Vec<Record>, StoreError>;

    /// The records of all streams with a position higher than `after_position`, in order, bounded as
    /// [`Ledger::read`] is. A position that was given never gets a lower neighbour later.
    async fn tail(&self, after_position: u64, limit: usize) -> Result<Vec<Record>, StoreError>;

    /// The position of the newest record, 0 when there is none. Cheap enough to ask many times a second.
    async fn head(&self) -> Result<u64, StoreError>;

    /// The body of one row of a view.
    async fn view(&self, view: &str, key: &str) -> Result<Option<Value>, StoreError>;

    /// Rows of a view, the highest rank first.
    async fn views(&self, view: &str, query: ViewQuery) -> Result<Vec<ViewRow>, StoreError>;

    /// Takes a lease that is free or ran out, under a new fence, or renews one's own and keeps its fence.
    ///
    /// # Errors
    /// [`StoreError::Leased`] when another holder has it at `now`.
    async fn lease(&self, name: &str, holder: &Holder, ttl: Duration, now: Time)
    -> Result<Lease, StoreError>;

    /// Gives a lease back. Renewing it in the meantime does not matter.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when it is no longer this grant; then nothing is changed.
    async fn release(&self, lease: &Lease) -> Result<(), StoreError>;

    /// Takes a lease from whoever has it, under a new fence. Whether that is right is for the caller to
    /// know: the former holder may still be running.
    async fn steal(&self, name: &str, holder: &Holder, ttl: Duration, now: Time)
    -> Result<Lease, StoreError>;

    /// Walks over everything that is recorded now and checks it, in bounded memory. What is appended
    /// meanwhile is not looked at.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the ledger is so damaged that it cannot be walked to its end. A
    /// chain that can be read and does not hold is no error but the [`crate::Fault`] in the answer.
    async fn verify(&self) -> Result<Verification, StoreError>;

    /// The same; `told` hears now and then which position the walk has come to, where a ledger can say it.
    ///
    /// # Errors
    /// As [`Ledger::verify`].
    async fn verify_telling(&self, _told: &(dyn Fn(u64) + Send + Sync)) -> Result<Verification, StoreError> {
        self.verify().await
    }

    /// The random name that this ledger got when it was made.
    fn id(&self) -> &str;
}

/// How many of the rows with these sizes fit in one answer; at least one.
pub(crate) fn fitting(sizes: impl IntoIterator<Item = usize>) -> usize {
    let mut room = MAX_ANSWER_BYTES;
    let mut count = 0;
    for size in sizes {
        match room.checked_sub(size) {
            Some(left) => room = left,
            None => break,
        }
        count += 1;
    }
    count.max(1)
}
