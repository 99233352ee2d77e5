//! One process's handle on the ledger in memory: it can be killed at any append, and the disk below can be full.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use andon_core::time::Time;
use andon_store::{
    Batch, Holder, Lease, Ledger, MemoryLedger, Record, StoreError, Verification, ViewQuery, ViewRow,
};
use async_trait::async_trait;
use serde_json::Value;

use super::clock;
use super::observer::Observer;
use super::process::Process;
use super::sabotage::Sabotage;

/// What all handles share.
#[derive(Debug)]
pub struct Store {
    /// The ledger itself.
    pub inner: MemoryLedger,
    full_until: Mutex<Duration>,
    sabotage: Option<Sabotage>,
}

impl Store {
    /// An empty ledger.
    pub fn new(sabotage: Option<Sabotage>) -> Arc<Self> {
        Arc::new(Self { inner: MemoryLedger::new("simulation"), full_until: Mutex::default(), sabotage })
    }

    /// The disk is full for so long.
    pub fn is_full_for(&self, span: Duration) {
        let until = clock::elapsed() + span;
        let mut full = self.full_until.lock().unwrap_or_else(PoisonError::into_inner);
        *full = (*full).max(until);
    }

    fn is_full(&self) -> bool {
        clock::elapsed() < *self.full_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handle.
pub struct Handle {
    /// Whose.
    pub process: Arc<Process>,
    /// On what.
    pub store: Arc<Store>,
    /// Who sees what is appended.
    pub observer: Arc<Observer>,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a handle on the ledger")
    }
}

#[async_trait]
impl Ledger for Handle {
    async fn append(&self, batch: Batch) -> Result<Vec<Record>, StoreError> {
        self.process.alive().await;
        let doom = self.process.appends();
        if doom.is_some_and(|doom| !doom.after) {
            self.process.die().await;
        }
        if self.store.is_full() {
            return Err(StoreError::Full { place: "ledger.db".into() });
        }
        let written = self.store.inner.append(batch.clone()).await;
        if written.is_ok() {
            if self.store.sabotage == Some(Sabotage::LedgerAcknowledgesEarly) {
                let observer = Arc::clone(&self.observer);
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    observer.appended(&batch);
                });
            } else {
                self.observer.appended(&batch);
            }
        }
        if doom.is_some() {
            self.process.die().await;
        }
        written
    }

    async fn read(&self, stream: &str, after: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.process.alive().await;
        self.store.inner.read(stream, after, limit).await
    }

    async fn tail(&self, after_position: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.process.alive().await;
        self.store.inner.tail(after_position, limit).await
    }

    async fn head(&self) -> Result<u64, StoreError> {
        self.process.alive().await;
        self.store.inner.head().await
    }

    async fn view(&self, view: &str, key: &str) -> Result<Option<Value>, StoreError> {
        self.process.alive().await;
        self.store.inner.view(view, key).await
    }

    async fn views(&self, view: &str, query: ViewQuery) -> Result<Vec<ViewRow>, StoreError> {
        self.process.alive().await;
        self.store.inner.views(view, query).await
    }

    async fn lease(
        &self,
        name: &str,
        holder: &Holder,
        ttl: Duration,
        now: Time,
    ) -> Result<Lease, StoreError> {
        self.process.alive().await;
        if self.store.is_full() {
            return Err(StoreError::Full { place: "ledger.db".into() });
        }
        self.store.inner.lease(name, holder, ttl, now).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.process.alive().await;
        self.store.inner.release(lease).await
    }

    async fn steal(
        &self,
        name: &str,
        holder: &Holder,
        ttl: Duration,
        now: Time,
    ) -> Result<Lease, StoreError> {
        self.process.alive().await;
        self.store.inner.steal(name, holder, ttl, now).await
    }

    async fn verify(&self) -> Result<Verification, StoreError> {
        self.store.inner.verify().await
    }

    fn id(&self) -> &str {
        self.store.inner.id()
    }
}
