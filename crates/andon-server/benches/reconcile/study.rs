//! A ledger that stands still at each append until a successor has reconciled a copy of it, and what came of that.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use andon_core::deployment::{Deployment, DeploymentId, Fact, HostState};
use andon_core::host::Stage;
use andon_core::person::Person;
use andon_core::time::Time;
use andon_server::{Controller, Problem, Records};
use andon_store::{
    Batch, Holder, Lease, Ledger, MemoryLedger, Record, SqliteLedger, StoreError, Verification, ViewQuery,
    ViewRow,
};
use async_trait::async_trait;
use serde_json::Value;

use crate::fleet::{FrozenFleet, SimulatedFleet};
use crate::{DEPLOYMENT, Failure};

/// What one ssh connection takes until its agent answers, where connections are part of the figure.
const CONNECT: Duration = Duration::from_millis(500);
/// Every so many appends the connections are part of the figure, too.
const WITH_CONNECTIONS: u64 = 25;
/// A successor that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The simulated moment at which a successor began, and the real one; nothing while the deployment goes on.
static SUCCESSOR: Mutex<Option<(Time, Instant)>> = Mutex::new(None);

/// The moment, for the deployment that is watched and for its successors.
pub(crate) fn clock() -> Time {
    static BASE: LazyLock<tokio::time::Instant> = LazyLock::new(tokio::time::Instant::now);
    match *SUCCESSOR.lock().unwrap_or_else(PoisonError::into_inner) {
        Some((at, began)) => at + began.elapsed(),
        None => {
            let base = *BASE;
            Time(1_700_000_000_000) + tokio::time::Instant::now().saturating_duration_since(base)
        }
    }
}

/// One append that took effect, and the hosts at that moment.
struct Moment {
    batch: Batch,
    /// The lease under which it was written.
    lease: Option<(Lease, Time)>,
    at: Time,
    fleet: FrozenFleet,
    connected: bool,
    done: Sender<()>,
}

/// The study of all appends, in a thread and a time of its own.
pub(crate) struct Study {
    thread: JoinHandle<Result<Value, Failure>>,
}

impl Study {
    /// Begins it, with its files below `dir`; the ledger that is watched comes along.
    pub(crate) fn begin(dir: &Path) -> Result<(Self, Watched), Failure> {
        let (moments, received) = channel();
        let dir = dir.to_owned();
        let thread =
            std::thread::Builder::new().name("study".into()).spawn(move || study(&dir, &received))?;
        let watched = Watched {
            inner: MemoryLedger::new("watched"),
            fleet: OnceLock::new(),
            lease: Mutex::default(),
            appends: AtomicU64::new(0),
            moments: Mutex::new(moments),
        };
        Ok((Self { thread }, watched))
    }

    /// The figures, once the ledger that was watched is gone.
    pub(crate) fn end(self) -> Result<Value, Failure> {
        self.thread.join().map_err(|_| "the study stumbled")?
    }
}

fn study(dir: &Path, moments: &Receiver<Moment>) -> Result<Value, Failure> {
    // For a first impression: not every append, but one of so many.
    let every = std::env::var("ANDON_EVERY").ok().and_then(|text| text.parse().ok()).unwrap_or(1_u64).max(1);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (mut spans, mut with_connections) = (Vec::new(), Vec::new());
    let (mut most_open, mut appends) = (0, 0_u64);
    let mirror = runtime.block_on(SqliteLedger::open(dir.join("mirror.db")))?;
    for moment in moments {
        if let Some((Lease { name, holder, until, .. }, at)) = moment.lease {
            runtime.block_on(mirror.lease(&name, &holder, until.since(at), at))?;
        }
        runtime.block_on(mirror.append(moment.batch))?;
        appends += 1;
        if appends % every != 0 {
            let _ = moment.done.send(());
            continue;
        }
        let copy = copied(dir, "mirror.db", appends)?;
        *SUCCESSOR.lock().unwrap_or_else(PoisonError::into_inner) = Some((moment.at, Instant::now()));
        let reconciled = runtime.block_on(reconcile(dir, &copy, moment.fleet))?;
        *SUCCESSOR.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Some(reconciled) = reconciled {
            most_open = most_open.max(reconciled.open);
            if moment.connected { &mut with_connections } else { &mut spans }.push(reconciled.took);
        }
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{suffix}", copy.display()));
        }
        let _ = moment.done.send(());
    }
    spans.sort();
    with_connections.sort();
    let seconds = |span: Option<&Duration>| span.map_or(f64::NAN, Duration::as_secs_f64);
    Ok(serde_json::json!({
        "appends": appends,
        "hosts_and_every": [crate::hosts(), usize::try_from(every)?],
        "reconciled": spans.len() + with_connections.len(),
        "most_open_hosts": most_open,
        "median_seconds": seconds(spans.get(spans.len() / 2)),
        "max_seconds": seconds(spans.last()),
        "median_seconds_with_connections": seconds(with_connections.get(with_connections.len() / 2)),
        "max_seconds_with_connections": seconds(with_connections.last()),
        "ledger_mib": fs::metadata(dir.join("mirror.db"))?.len() / (1 << 20),
    }))
}

/// Copies a ledger that nobody writes to at this moment.
fn copied(dir: &Path, name: &str, number: u64) -> Result<PathBuf, Failure> {
    let copy = dir.join(format!("copy-{number}.db"));
    for suffix in ["", "-wal"] {
        let from = dir.join(format!("{name}{suffix}"));
        if from.exists() {
            fs::copy(&from, format!("{}{suffix}", copy.display()))?;
        }
    }
    Ok(copy)
}

struct Reconciled {
    took: Duration,
    /// Hosts with an open step at the moment of the kill.
    open: usize,
}

/// Takes charge of a copy until every open step is placed. `None` when the deployment has ended.
async fn reconcile(dir: &Path, copy: &Path, fleet: FrozenFleet) -> Result<Option<Reconciled>, Failure> {
    let began = Instant::now();
    let records = Records::new(Arc::new(SqliteLedger::open(copy).await?));
    let fleet = Arc::new(fleet);
    let me = Person { name: "ben".into(), at: "bens-laptop".into() };
    let hosts = Arc::<FrozenFleet>::clone(&fleet);
    let controller = Controller::new(records.clone(), hosts, dir.to_owned(), me).with_clock(clock);
    let mut going = match controller.resume(DeploymentId(DEPLOYMENT), true).await {
        Ok(Some(going)) => going,
        Ok(None) | Err(Problem::NotNow(_)) => return Ok(None),
        Err(problem) => return Err(problem.into()),
    };
    let unknown = |deployment: &Deployment| {
        deployment.hosts.values().any(|run| matches!(run.state, HostState::Unknown { .. }))
    };
    let placed = going.progress.wait_for(|progress| !unknown(&progress.deployment));
    tokio::time::timeout(PATIENCE, placed).await??;
    let took = began.elapsed();
    going.end.abort();
    let open = check(&records, &fleet).await?;
    Ok(Some(Reconciled { took, open }))
}

/// What the successor recorded and ordered: a higher fence, every open step asked about, and nothing twice.
async fn check(records: &Records, fleet: &FrozenFleet) -> Result<usize, Failure> {
    let entries = records.entries(DeploymentId(DEPLOYMENT), 0).await?;
    let charges = entries.iter().enumerate().filter_map(|(place, entry)| match &entry.fact {
        Fact::InCharge { fence, .. } => Some((place, *fence)),
        _ => None,
    });
    let charges: Vec<_> = charges.collect();
    let [(_, first), (taken, second)] = charges.as_slice() else {
        return Err(format!("{} controllers took charge, not two", charges.len()).into());
    };
    assert!(second > first, "the fence of the successor is not higher");
    let before = entries[..*taken].iter().map(|entry| (entry.at, &entry.fact));
    let before =
        Deployment::fold(DeploymentId(DEPLOYMENT), before).ok_or("the ledger begins with something else")?;
    let met = fleet.met();
    let mut open = 0;
    for (host, run) in &before.hosts {
        if let HostState::Doing(doing) | HostState::Unknown { doing, .. } = &run.state
            && !matches!(doing.stage, Stage::Drain | Stage::Enable)
        {
            open += 1;
            assert!(met.asked.contains(&doing.token), "{host} was not asked about {}", doing.token);
        }
    }
    assert!(met.violations.is_empty(), "{:?}", met.violations);
    Ok(open)
}

/// The ledger of the deployment that is watched.
#[derive(Debug)]
pub(crate) struct Watched {
    inner: MemoryLedger,
    fleet: OnceLock<SimulatedFleet>,
    lease: Mutex<Option<(Lease, Time)>>,
    appends: AtomicU64,
    moments: Mutex<Sender<Moment>>,
}

impl Watched {
    /// The hosts that are looked at together with the ledger.
    pub(crate) fn watch(&self, fleet: &SimulatedFleet) {
        let _ = self.fleet.set(fleet.clone());
    }

    /// Stands still until a successor has reconciled. The runtime of the deployment has one thread, so that nothing
    /// else happens there meanwhile.
    fn stand_still(&self, batch: Batch) {
        let number = self.appends.fetch_add(1, Ordering::SeqCst);
        let connected = number % WITH_CONNECTIONS == WITH_CONNECTIONS - 1;
        let Some(fleet) = self.fleet.get() else { return };
        let connect = if connected { CONNECT } else { Duration::ZERO };
        let (done, finished) = channel();
        let lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner).take();
        let moment = Moment { batch, lease, at: clock(), fleet: fleet.freeze(connect), connected, done };
        let sent = self.moments.lock().unwrap_or_else(PoisonError::into_inner).send(moment);
        if sent.is_ok() {
            let _ = finished.recv();
        }
    }
}

#[async_trait]
impl Ledger for Watched {
    async fn append(&self, batch: Batch) -> Result<Vec<Record>, StoreError> {
        let written = self.inner.append(batch.clone()).await?;
        self.stand_still(batch);
        Ok(written)
    }

    async fn read(&self, stream: &str, after: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.inner.read(stream, after, limit).await
    }

    async fn tail(&self, after_position: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.inner.tail(after_position, limit).await
    }

    async fn head(&self) -> Result<u64, StoreError> {
        self.inner.head().await
    }

    async fn view(&self, view: &str, key: &str) -> Result<Option<Value>, StoreError> {
        self.inner.view(view, key).await
    }

    async fn views(&self, view: &str, query: ViewQuery) -> Result<Vec<ViewRow>, StoreError> {
        self.inner.views(view, query).await
    }

    async fn lease(
        &self,
        name: &str,
        holder: &Holder,
        ttl: Duration,
        now: Time,
    ) -> Result<Lease, StoreError> {
        let lease = self.inner.lease(name, holder, ttl, now).await?;
        *self.lease.lock().unwrap_or_else(PoisonError::into_inner) = Some((lease.clone(), now));
        Ok(lease)
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.inner.release(lease).await
    }

    async fn steal(
        &self,
        name: &str,
        holder: &Holder,
        ttl: Duration,
        now: Time,
    ) -> Result<Lease, StoreError> {
        self.inner.steal(name, holder, ttl, now).await
    }

    async fn verify(&self) -> Result<Verification, StoreError> {
        self.inner.verify().await
    }

    fn id(&self) -> &str {
        self.inner.id()
    }
}
