//! A ledger that fails as told, over one in memory. Each controller gets a handle of its own.

use std::collections::BTreeSet;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use andon_core::deployment::{Fact, HostState};
use andon_core::host::Token;
use andon_core::time::Time;
use andon_store::{
    Batch, Holder, Lease, Ledger, MemoryLedger, Record, StoreError, Verification, ViewQuery, ViewRow,
};
use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::watch;

/// What happens at one append of a handle.
pub(crate) enum Trouble {
    /// The process is killed before the append took effect.
    DiesBefore,
    /// The process is killed when the append has taken effect.
    DiesAfter,
    /// This and the next appends find the disk full: so many.
    Full(usize),
    /// The process sleeps for so long.
    Sleeps(Duration),
    /// Somebody else acts first.
    After(Pin<Box<dyn Future<Output = ()> + Send>>),
}

impl std::fmt::Debug for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("trouble")
    }
}

/// Every intent that was ever recorded, by whatever handle.
#[derive(Debug, Clone, Default)]
pub(crate) struct Intents(Arc<Mutex<BTreeSet<Token>>>);

impl Intents {
    pub(crate) fn contains(&self, token: &Token) -> bool {
        self.0.lock().unwrap().contains(token)
    }

    fn note(&self, batch: &Batch) {
        let facts = batch.appends.iter().flat_map(|append| &append.facts);
        for fact in facts.filter_map(|fact| serde_json::from_value::<Fact>(fact.clone()).ok()) {
            if let Fact::Host { state: HostState::Doing(doing), .. } = fact {
                self.0.lock().unwrap().insert(doing.token);
            }
        }
    }
}

/// One process's handle on the ledger.
#[derive(Debug)]
pub(crate) struct TestLedger {
    inner: MemoryLedger,
    intents: Intents,
    appends: AtomicUsize,
    trouble: Mutex<Option<(usize, Trouble)>>,
    full: AtomicUsize,
    dead: watch::Sender<bool>,
}

impl TestLedger {
    pub(crate) fn new(inner: &MemoryLedger, intents: &Intents) -> Arc<Self> {
        Arc::new(Self {
            inner: inner.clone(),
            intents: intents.clone(),
            appends: AtomicUsize::new(0),
            trouble: Mutex::default(),
            full: AtomicUsize::new(0),
            dead: watch::channel(false).0,
        })
    }

    /// At the `n`th append from now, counted from 1, `trouble` happens.
    pub(crate) fn plan(&self, n: usize, trouble: Trouble) {
        *self.trouble.lock().unwrap() = Some((self.appends.load(Ordering::SeqCst) + n, trouble));
    }

    /// Whether the planned trouble has happened.
    pub(crate) fn has_happened(&self) -> bool {
        self.trouble.lock().unwrap().is_none()
    }

    /// Returns when the process behind this handle was killed.
    pub(crate) async fn died(&self) {
        let mut dead = self.dead.subscribe();
        dead.wait_for(|dead| *dead).await.unwrap();
    }

    /// A dead process does nothing any more.
    async fn alive(&self) {
        if *self.dead.borrow() {
            pending::<()>().await;
        }
    }

    async fn die(&self) -> ! {
        self.dead.send_replace(true);
        pending().await
    }

    fn due(&self) -> Option<Trouble> {
        let n = self.appends.fetch_add(1, Ordering::SeqCst) + 1;
        self.trouble.lock().unwrap().take_if(|(at, _)| *at == n).map(|(_, trouble)| trouble)
    }
}

#[async_trait]
impl Ledger for TestLedger {
    async fn append(&self, batch: Batch) -> Result<Vec<Record>, StoreError> {
        self.alive().await;
        let mut dies_after = false;
        match self.due() {
            None => {}
            Some(Trouble::DiesBefore) => self.die().await,
            Some(Trouble::DiesAfter) => dies_after = true,
            Some(Trouble::Full(appends)) => self.full.store(appends, Ordering::SeqCst),
            Some(Trouble::Sleeps(span)) => tokio::time::sleep(span).await,
            Some(Trouble::After(other)) => other.await,
        }
        let left = self.full.load(Ordering::SeqCst);
        if left > 0 {
            self.full.store(left - 1, Ordering::SeqCst);
            return Err(StoreError::Full { place: "ledger.db".into() });
        }
        let written = self.inner.append(batch.clone()).await;
        if written.is_ok() {
            self.intents.note(&batch);
        }
        if dies_after {
            self.die().await;
        }
        written
    }

    async fn read(&self, stream: &str, after: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.alive().await;
        self.inner.read(stream, after, limit).await
    }

    async fn tail(&self, after_position: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.alive().await;
        self.inner.tail(after_position, limit).await
    }

    async fn head(&self) -> Result<u64, StoreError> {
        self.alive().await;
        self.inner.head().await
    }

    async fn view(&self, view: &str, key: &str) -> Result<Option<Value>, StoreError> {
        self.alive().await;
        self.inner.view(view, key).await
    }

    async fn views(&self, view: &str, query: ViewQuery) -> Result<Vec<ViewRow>, StoreError> {
        self.alive().await;
        self.inner.views(view, query).await
    }

    async fn lease(
        &self,
        name: &str,
        holder: &Holder,
        ttl: Duration,
        now: Time,
    ) -> Result<Lease, StoreError> {
        self.alive().await;
        self.inner.lease(name, holder, ttl, now).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.alive().await;
        self.inner.release(lease).await
    }

    async fn steal(
        &self,
        name: &str,
        holder: &Holder,
        ttl: Duration,
        now: Time,
    ) -> Result<Lease, StoreError> {
        self.alive().await;
        self.inner.steal(name, holder, ttl, now).await
    }

    async fn verify(&self) -> Result<Verification, StoreError> {
        self.inner.verify().await
    }

    fn id(&self) -> &str {
        self.inner.id()
    }
}
