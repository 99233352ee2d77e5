//! One reader of the ledger for all who listen. It reads while somebody does, several times a second, and hands out what it
//! found in one piece; whoever is too slow for that finds out.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use andon_core::deployment::DeploymentId;
use andon_core::name::ServiceName;
use axum::body::Bytes;
use tokio::sync::{Mutex, broadcast, watch};
use tokio::time::Instant;

use super::Wanted;
use super::event::{Event, Teller, progress};
use crate::clock;
use crate::driver::Progress;
use crate::http::outlet::frame;
use crate::records::{Records, RecordsError};
use crate::workshop::Workshop;

/// How often the ledger is looked at.
const BEAT: Duration = Duration::from_millis(200);
/// How often at most it is told how a deployment stands.
const PROGRESS: Duration = Duration::from_secs(1);
/// Records that are read at once.
const PAGE: usize = 500;
/// Batches that wait for whoever is slow.
const WAITING: usize = 64;
/// Events that are kept for whoever comes back.
const KEPT: usize = 4096;
/// Whoever has missed more than so many records reads again what it shows.
const MISSED: u64 = 20_000;

/// Events that are handed out together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    events: Vec<Arc<Event>>,
    all: Bytes,
    by_deployment: BTreeMap<u64, Bytes>,
    by_service: BTreeMap<ServiceName, Bytes>,
}

impl Batch {
    /// Events that are handed out together, in order.
    pub(super) fn new(events: Vec<Arc<Event>>) -> Self {
        let joined = |wants: &dyn Fn(&Event) -> bool| {
            let wanted = events.iter().filter(|event| event.of_the_line || wants(event));
            wanted.fold(Vec::new(), |mut frames, event| {
                frames.extend_from_slice(&event.frame);
                frames
            })
        };
        let all = Bytes::from(joined(&|_| true));
        let mut by_deployment = BTreeMap::new();
        let mut by_service = BTreeMap::new();
        for event in &events {
            if let Some(number) = event.deployment {
                by_deployment
                    .entry(number)
                    .or_insert_with(|| Bytes::from(joined(&|other| other.deployment == Some(number))));
            }
            if let Some(service) = &event.service {
                by_service
                    .entry(service.clone())
                    .or_insert_with(|| Bytes::from(joined(&|other| other.service.as_ref() == Some(service))));
            }
        }
        Self { events, all, by_deployment, by_service }
    }

    /// What of it is sent to whoever wants that; `None` when it is nothing.
    pub(super) fn frames(&self, wanted: &Wanted) -> Option<Bytes> {
        let shared = match (&wanted.deployment, &wanted.service) {
            (None, None) => Some(&self.all),
            (Some(number), None) => self.by_deployment.get(&number.0),
            (None, Some(service)) => self.by_service.get(service),
            (Some(_), Some(_)) => None,
        };
        let frames = shared.cloned().unwrap_or_else(|| {
            let wanted = self.events.iter().filter(|event| wanted.wants(event));
            wanted.flat_map(|event| event.frame.iter().copied()).collect()
        });
        (!frames.is_empty()).then_some(frames)
    }
}

/// Whoever listens hears what lies behind `at`.
pub(super) struct Subscription {
    pub(super) live: broadcast::Receiver<Arc<Batch>>,
    pub(super) at: u64,
}

/// Events that lie behind.
pub(super) struct Past {
    pub(super) events: Vec<Arc<Event>>,
    /// Whether there were too many.
    pub(super) missed: bool,
}

/// The reader, and those who listen to it.
#[derive(Debug, Clone)]
pub(in crate::http) struct Hub(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    records: Records,
    workshop: Workshop,
    sender: broadcast::Sender<Arc<Batch>>,
    reading: Mutex<Option<Reading>>,
    teller: Mutex<Teller>,
}

/// How far the reader is; there is one while somebody listens.
#[derive(Debug)]
struct Reading {
    at: u64,
    kept: VecDeque<Arc<Event>>,
}

impl Hub {
    /// A hub over the ledger of `records`. It reads nothing before somebody listens.
    pub(in crate::http) fn new(records: Records, workshop: Workshop) -> Self {
        let (sender, _) = broadcast::channel(WAITING);
        let teller = Mutex::new(Teller::new(records.clone()));
        Self(Arc::new(Inner { records, workshop, sender, reading: Mutex::new(None), teller }))
    }

    /// Listens from now on.
    pub(super) async fn subscribe(&self) -> Result<Subscription, RecordsError> {
        let mut reading = self.0.reading.lock().await;
        let live = self.0.sender.subscribe();
        let at = match reading.as_ref() {
            Some(reading) => reading.at,
            None => {
                let at = self.0.records.ledger().head().await?;
                *reading = Some(Reading { at, kept: VecDeque::new() });
                tokio::spawn(self.clone().read());
                at
            }
        };
        Ok(Subscription { live, at })
    }

    /// What lies behind `after`, up to `at` at most; a page of it.
    pub(super) async fn past(&self, after: u64, at: u64) -> Result<Past, RecordsError> {
        if at.saturating_sub(after) > MISSED {
            return Ok(Past { events: Vec::new(), missed: true });
        }
        if let Some(reading) = self.0.reading.lock().await.as_ref() {
            let oldest = reading.kept.front().and_then(|event| event.position);
            if oldest.is_some_and(|oldest| oldest <= after + 1) {
                let lies_between = |event: &&Arc<Event>| {
                    event.position.is_some_and(|position| position > after && position <= at)
                };
                let events = reading.kept.iter().filter(lies_between).cloned().collect();
                return Ok(Past { events, missed: false });
            }
        }
        let mut events = Vec::new();
        for record in self.0.records.ledger().tail(after, PAGE).await? {
            if record.position <= at {
                events.push(Arc::new(self.0.teller.lock().await.tell(&record).await));
            }
        }
        Ok(Past { events, missed: false })
    }

    /// Reads until nobody listens any more.
    async fn read(self) {
        let mut standing = Standings::default();
        loop {
            tokio::time::sleep(BEAT).await;
            let mut reading = self.0.reading.lock().await;
            if self.0.sender.receiver_count() == 0 {
                *reading = None;
                return;
            }
            let Some(now) = reading.as_mut() else { return };
            // What cannot be read now is read at the next beat.
            let mut events = self.news(now.at).await.unwrap_or_default();
            if let Some(last) = events.last().and_then(|event| event.position) {
                now.at = last;
            }
            now.kept.extend(events.iter().cloned());
            while now.kept.len() > KEPT {
                now.kept.pop_front();
            }
            events.extend(standing.news(&self.0.workshop));
            if !events.is_empty() {
                // That nobody listens is seen at the next beat.
                let _ = self.0.sender.send(Arc::new(Batch::new(events)));
            }
        }
    }

    /// The events behind `at`, a page of them.
    async fn news(&self, at: u64) -> Result<Vec<Arc<Event>>, RecordsError> {
        let ledger = self.0.records.ledger();
        if ledger.head().await? == at {
            return Ok(Vec::new());
        }
        let mut teller = self.0.teller.lock().await;
        let mut events = Vec::new();
        for record in ledger.tail(at, PAGE).await? {
            events.push(Arc::new(teller.tell(&record).await));
        }
        Ok(events)
    }
}

/// What was told last of each deployment that is driven here.
#[derive(Default)]
struct Standings(BTreeMap<DeploymentId, Told>);

struct Told {
    progress: watch::Receiver<Progress>,
    at: Instant,
    said: String,
}

impl Standings {
    /// How those stand of which there is something new to tell.
    fn news(&mut self, workshop: &Workshop) -> Vec<Arc<Event>> {
        let under_way = workshop.under_way();
        self.0.retain(|id, _| under_way.contains(id));
        let mut events = Vec::new();
        for id in under_way {
            let Some(now) = workshop.progress(id) else { continue };
            let told = self.0.entry(id).or_insert_with(|| Told {
                progress: now,
                at: Instant::now() - PROGRESS,
                said: String::new(),
            });
            if told.at.elapsed() < PROGRESS {
                continue;
            }
            let (service, said) = progress(id, &told.progress.borrow_and_update(), clock::now());
            if said == told.said {
                continue;
            }
            let frame = frame("progress", None, &said);
            events.push(Arc::new(Event {
                position: None,
                deployment: Some(id.0),
                service: Some(service),
                of_the_line: false,
                frame,
            }));
            (told.at, told.said) = (Instant::now(), said);
        }
        events
    }
}
