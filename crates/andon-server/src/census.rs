//! What every host of the line really runs: asked in the background, kept in memory with the moment of each answer. Asks
//! only, and changes nothing; what an answer means is for `andon_core::chronicle::dna`.
//!
//! All are asked every few minutes, those of a scope also when a deployment there has ended and when somebody looks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use andon_core::chronicle::dna::{Condition, Sighting};
use andon_core::deployment::DeploymentId;
use andon_core::host::Placement;
use andon_core::line::Host;
use andon_core::name::HostName;
use andon_core::plan::placement;
use andon_core::scope::ScopeName;
use andon_core::time::Time;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::chronicles::{Chronicles, Known};
use crate::clock::Clock;
use crate::controller::Controller;
use crate::hosts::{HostError, Hosts};
use crate::lines::LineKeeper;

/// All hosts are asked so often.
const ROUND: Duration = Duration::from_secs(300);
/// Nobody's look makes a scope be asked again sooner after it was last.
const FLOOR: Duration = Duration::from_secs(15);
/// Hosts that are asked at once.
const AT_ONCE: usize = 32;
/// The time that a host has for its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the hosts of one scope said.
#[derive(Debug, Clone, PartialEq)]
pub struct Count {
    /// When they were asked.
    pub asked: Time,
    /// By host.
    pub sightings: BTreeMap<HostName, Sighting>,
}

/// What all hosts said.
#[derive(Debug, Clone, Default)]
pub struct Counted {
    /// By scope; one that was not asked yet is missing.
    pub scopes: BTreeMap<ScopeName, Arc<Count>>,
}

/// The census. Cheap to copy; it goes on as long as a copy is left.
#[derive(Debug, Clone)]
pub struct Census {
    book: Arc<Book>,
    _work: Option<Arc<Work>>,
}

#[derive(Debug)]
struct Book {
    latest: watch::Sender<Arc<Counted>>,
    /// When the hosts of a scope were last asked.
    asked: Mutex<BTreeMap<ScopeName, Time>>,
    wanted: Mutex<BTreeSet<ScopeName>>,
    wake: Notify,
    clock: Clock,
}

/// Ends the work when nobody is left to read what it finds.
#[derive(Debug)]
struct Work(JoinHandle<()>);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What is asked, and by which ways.
struct Round {
    line: LineKeeper,
    ways: Arc<dyn Hosts>,
    places: Arc<Semaphore>,
}

impl Census {
    /// Asks the hosts of the line from now on: of each line that comes to count, nobody while there is none.
    pub fn start(line: LineKeeper, controller: &Controller, chronicles: &Chronicles, clock: Clock) -> Self {
        let book = Arc::new(Book::new(clock));
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let round = Round { line, ways: Arc::clone(controller.ways()), places };
        let work = tokio::spawn(work(Arc::clone(&book), round, chronicles.changes()));
        Self { book, _work: Some(Arc::new(Work(work))) }
    }

    /// One that asks nobody: for the page of deployments that somebody else drives and looks after.
    pub fn none(clock: Clock) -> Self {
        Self { book: Arc::new(Book::new(clock)), _work: None }
    }

    /// What hosts said last.
    pub fn now(&self) -> Arc<Counted> {
        Arc::clone(&self.book.latest.borrow())
    }

    /// Changes with every scope that was asked.
    pub fn changes(&self) -> watch::Receiver<Arc<Counted>> {
        self.book.latest.subscribe()
    }

    /// Has the hosts of these scopes asked soon, where they were not a moment ago.
    pub fn look<'a>(&self, scopes: impl IntoIterator<Item = &'a ScopeName>) {
        let now = (self.book.clock)();
        let due: Vec<ScopeName> = {
            let asked = lock(&self.book.asked);
            let due = |scope: &&ScopeName| asked.get(*scope).is_none_or(|last| now.since(*last) >= FLOOR);
            scopes.into_iter().filter(due).cloned().collect()
        };
        self.book.want(due);
    }
}

impl Book {
    fn new(clock: Clock) -> Self {
        Self {
            latest: watch::Sender::new(Arc::default()),
            asked: Mutex::default(),
            wanted: Mutex::default(),
            wake: Notify::new(),
            clock,
        }
    }

    fn want(&self, scopes: impl IntoIterator<Item = ScopeName>) {
        lock(&self.wanted).extend(scopes);
        self.wake.notify_one();
    }

    fn begin(&self, scope: &ScopeName) -> Time {
        let now = (self.clock)();
        lock(&self.asked).insert(scope.clone(), now);
        now
    }

    /// Keeps what the hosts of a scope said. Who does not answer now keeps the last answer beside that.
    fn keep(&self, scope: ScopeName, asked: Time, mut sightings: BTreeMap<HostName, Sighting>) {
        self.latest.send_modify(|latest| {
            let mut counted = latest.as_ref().clone();
            if let Some(before) = counted.scopes.get(&scope) {
                for (host, sighting) in &mut sightings {
                    let known = before.sightings.get(host);
                    if sighting.answer.is_none() {
                        sighting.answer = known.and_then(|known| known.answer.clone());
                    }
                    if sighting.condition.is_none() {
                        sighting.condition = known.and_then(|known| known.condition);
                    }
                }
            }
            counted.scopes.insert(scope, Arc::new(Count { asked, sightings }));
            *latest = Arc::new(counted);
        });
    }
}

async fn work(book: Arc<Book>, round: Round, mut changes: watch::Receiver<Arc<Known>>) {
    let mut ended = ended(&changes.borrow_and_update());
    let mut under_way: BTreeSet<ScopeName> = BTreeSet::new();
    let mut asking: JoinSet<ScopeName> = JoinSet::new();
    let mut rounds = tokio::time::interval(ROUND);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = rounds.tick() => book.want(round.scopes()),
            () = book.wake.notified() => {}
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
                let now = self::ended(&changes.borrow_and_update());
                let new = now.iter().filter(|(scope, id)| ended.get(*scope) != Some(*id));
                book.want(new.map(|(scope, _)| scope.clone()));
                ended = now;
            }
            Some(done) = asking.join_next() => {
                // A task that panicked leaves its scope as it was; the next round begins anew.
                match done {
                    Ok(scope) => drop(under_way.remove(&scope)),
                    Err(_) => under_way.clear(),
                }
            }
        }
        // One that is being asked stays wanted until that is over: what changed meanwhile was perhaps not seen.
        let due: Vec<ScopeName> = {
            let mut wanted = lock(&book.wanted);
            let due = wanted.iter().filter(|scope| !under_way.contains(*scope)).cloned().collect();
            wanted.retain(|scope| under_way.contains(scope));
            due
        };
        for scope in due {
            if let Some(questions) = round.questions(&scope) {
                under_way.insert(scope.clone());
                let (book, ways, places) =
                    (Arc::clone(&book), Arc::clone(&round.ways), Arc::clone(&round.places));
                asking.spawn(async move {
                    let asked = book.begin(&scope);
                    let sightings = ask(&ways, &places, questions, book.clock).await;
                    book.keep(scope.clone(), asked, sightings);
                    scope
                });
            }
        }
    }
}

/// The newest deployment of each scope that has ended.
fn ended(known: &Known) -> BTreeMap<ScopeName, DeploymentId> {
    let ended = known.deployments.last_per_scope().filter(|row| row.ended().is_some());
    ended.map(|row| (row.scope().clone(), row.id())).collect()
}

impl Round {
    fn scopes(&self) -> Vec<ScopeName> {
        self.line.current().map(|line| line.scopes().collect()).unwrap_or_default()
    }

    fn questions(&self, scope: &ScopeName) -> Option<Vec<(Host, Placement)>> {
        let line = self.line.current().ok()?;
        let (service, hosts) = line.parts(scope)?;
        Some(hosts.into_iter().map(|host| (host.clone(), placement(service, host))).collect())
    }
}

async fn ask(
    ways: &Arc<dyn Hosts>,
    places: &Arc<Semaphore>,
    questions: Vec<(Host, Placement)>,
    clock: Clock,
) -> BTreeMap<HostName, Sighting> {
    let mut asked = JoinSet::new();
    for (host, placement) in questions {
        let (ways, places) = (Arc::clone(ways), Arc::clone(places));
        asked.spawn(async move {
            let _place = places.acquire_owned().await;
            let sighting = sight(ways.as_ref(), &host, &placement, clock).await;
            (host.name, sighting)
        });
    }
    let mut sightings = BTreeMap::new();
    while let Some(answer) = asked.join_next().await {
        if let Ok((host, sighting)) = answer {
            sightings.insert(host, sighting);
        }
    }
    sightings
}

async fn sight(ways: &dyn Hosts, host: &Host, placement: &Placement, clock: Clock) -> Sighting {
    let answer = tokio::time::timeout(PATIENCE, async {
        match ways.probe(host, placement, &[]).await {
            // A connection that was cut in the middle says nothing about the host, and asking changes nothing.
            Err(HostError::Lost(_)) => ways.probe(host, placement, &[]).await,
            answer => answer,
        }
    });
    let silence = |why: String| Sighting { silence: Some((clock(), why)), ..Sighting::default() };
    match answer.await {
        Ok(Ok(facts)) => {
            let vitals = tokio::time::timeout(PATIENCE, ways.vitals(host, placement)).await;
            let condition = vitals.ok().and_then(Result::ok).map(|vitals| Condition::of(&vitals));
            Sighting { answer: Some((clock(), facts)), condition, silence: None }
        }
        Ok(Err(error)) => silence(error.to_string()),
        Err(_) => silence(format!("it did not answer within {} s", PATIENCE.as_secs())),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
