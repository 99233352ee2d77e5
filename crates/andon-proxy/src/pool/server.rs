//! One server of a pool: what is wished of it, how well it is, what is under way there.

use std::sync::atomic::{
    AtomicBool, AtomicU16, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::connections::Connections;
use super::ejection::Record;
use super::tally::Tally;
use crate::config::{Ejection, ServerConfig};
use andon_core::balance::{Counters, ServerSight, ServerState, Traffic};
use andon_core::name::ServerName;

/// One server.
#[derive(Debug)]
pub struct Server {
    name: ServerName,
    address: String,
    id: [u8; 16],
    weight: AtomicU16,
    canary: AtomicBool,
    traffic: AtomicU16,
    in_flight: AtomicU64,
    well: AtomicBool,
    seen_well: AtomicBool,
    spared: AtomicBool,
    doubted: AtomicBool,
    /// Why it is not well, or spared; and what leads there.
    record: Mutex<(Option<String>, Record)>,
    cuts: AtomicU64,
    connections: Connections,
    tally: Tally,
}

const OUT: u16 = 0;
const CUT: u16 = 101;

impl Server {
    pub(super) fn new(pool: &str, config: &ServerConfig, workers: usize) -> Self {
        let hash = blake3::hash(format!("{pool}\n{}", config.name).as_bytes()).to_hex();
        let mut id = [0; 16];
        id.copy_from_slice(&hash.as_bytes()[..16]);
        Self {
            name: config.name.clone(),
            address: config.address.clone(),
            id,
            weight: AtomicU16::new(config.weight),
            canary: AtomicBool::new(config.canary),
            traffic: AtomicU16::new(100),
            in_flight: AtomicU64::default(),
            well: AtomicBool::new(true),
            seen_well: AtomicBool::default(),
            spared: AtomicBool::default(),
            doubted: AtomicBool::default(),
            record: Mutex::default(),
            cuts: AtomicU64::default(),
            connections: Connections::new(workers),
            tally: Tally::new(workers),
        }
    }

    /// Takes over what a new configuration says about it.
    pub(super) fn adopt(&self, config: &ServerConfig) {
        self.weight.store(config.weight, Relaxed);
        self.canary.store(config.canary, Relaxed);
    }

    /// Its name.
    pub fn name(&self) -> &ServerName {
        &self.name
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What names it in a cookie. The same in every proxy with this pool.
    pub fn id(&self) -> &[u8] {
        &self.id
    }

    /// Whether the mark of the canary picks it.
    pub fn is_canary(&self) -> bool {
        self.canary.load(Relaxed)
    }

    /// What is wished.
    pub fn traffic(&self) -> Traffic {
        match self.traffic.load(SeqCst) {
            OUT => Traffic::Out,
            share @ 1..=100 => Traffic::In(u8::try_from(share).unwrap_or(100)),
            _ => Traffic::Cut,
        }
    }

    /// Requests and upgraded connections under way.
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(SeqCst)
    }

    /// Requests that were cut since the proxy began.
    pub fn cuts(&self) -> u64 {
        self.cuts.load(Relaxed)
    }

    /// What was counted.
    pub fn counters(&self) -> Counters {
        self.tally.counters()
    }

    /// Lets it get so much traffic, and says whether that is a change.
    pub(super) fn set(&self, traffic: Traffic) -> bool {
        let number = match traffic {
            Traffic::In(share) => u16::from(share.clamp(1, 100)),
            Traffic::Out => OUT,
            Traffic::Cut => CUT,
        };
        let before = self.traffic.swap(number, SeqCst);
        match traffic {
            Traffic::In(_) => {}
            Traffic::Out => self.connections.close_idle(),
            // Said again, it cuts again: a request may have slipped in before the first time.
            Traffic::Cut => self.connections.close_all(),
        }
        before != number
    }

    /// What is seen of it.
    pub fn sight(&self) -> ServerSight {
        let (state, weight) = match self.traffic() {
            Traffic::In(share) if self.usable() => (ServerState::Up, share),
            Traffic::In(share) => (ServerState::Down { why: self.why() }, share),
            Traffic::Out | Traffic::Cut => (ServerState::Out, 0),
        };
        ServerSight {
            state,
            weight,
            sessions: Some(self.in_flight()),
            queued: 0,
            counters: Some(self.counters()),
        }
    }

    /// Whether it is thought to answer: neither found sick nor spared.
    pub fn usable(&self) -> bool {
        self.well.load(Relaxed) && !self.spared.load(Relaxed)
    }

    /// Its weight at this moment; 0 when it gets nothing.
    pub(super) fn share(&self) -> u64 {
        match self.traffic.load(SeqCst) {
            share @ 1..=100 if self.usable() => u64::from(self.weight.load(Relaxed)) * u64::from(share),
            _ => 0,
        }
    }

    /// Whether it is wished to get traffic.
    pub(crate) fn admits(&self) -> bool {
        (1..=100).contains(&self.traffic.load(SeqCst))
    }

    pub(super) fn enter(&self) {
        self.in_flight.fetch_add(1, SeqCst);
    }

    pub(super) fn leave(&self) {
        self.in_flight.fetch_sub(1, SeqCst);
    }

    /// The connections to it.
    pub(crate) fn connections(&self) -> &Connections {
        &self.connections
    }

    /// An active check has found it well or, in these words, not.
    pub(crate) fn found(&self, well: Result<(), String>) {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        self.well.store(well.is_ok(), Relaxed);
        if well.is_err() {
            self.connections.close_idle();
        }
        record.0 = well.err();
    }

    /// Whether the active checks find it well, or there is none.
    pub(crate) fn is_well(&self) -> bool {
        self.well.load(Relaxed)
    }

    /// Whether any check has ever seen it well.
    pub(crate) fn was_seen_well(&self) -> bool {
        self.seen_well.load(Relaxed)
    }

    /// A check has seen it well.
    pub(crate) fn saw_well(&self) {
        self.seen_well.store(true, Relaxed);
    }

    /// A request that was sent to it has ended.
    pub(crate) fn ended(&self, worker: usize, status: u16, took: Option<Duration>, bytes: u64) {
        self.tally.request(worker, status, took, bytes);
    }

    /// A request was sent to it that another server could not be reached for.
    pub(crate) fn retried(&self, worker: usize) {
        self.tally.retry(worker);
    }

    /// A request was cut.
    pub(crate) fn was_cut(&self) {
        self.cuts.fetch_add(1, Relaxed);
    }

    /// A response was cut short or made no sense.
    pub(crate) fn broke(&self, worker: usize) {
        self.tally.response_failure(worker);
    }

    /// A connection was opened.
    pub(crate) fn connected(&self) {
        if self.doubted.load(Relaxed) {
            self.doubted.store(false, Relaxed);
            self.record.lock().unwrap_or_else(PoisonError::into_inner).1.connected();
        }
    }

    /// A connection could not be opened. `Some`: the rule says to spare it.
    pub(super) fn connect_failed(&self, worker: usize, rule: &Ejection) -> bool {
        self.tally.connect_failure(worker);
        self.doubted.store(true, Relaxed);
        self.record.lock().unwrap_or_else(PoisonError::into_inner).1.connect_failed(rule)
    }

    /// A request was answered with 5xx, or not. `true`: the rule says to spare it.
    pub(super) fn failed(&self, rule: &Ejection) -> bool {
        let (requests, errors) = self.tally.errors();
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        record.1.failed(rule, Instant::now(), requests, errors)
    }

    /// Whether it is spared.
    pub(super) fn is_spared(&self) -> bool {
        self.spared.load(Relaxed)
    }

    /// Spares it from now on, and says for how long; `None` when it is spared already.
    pub(super) fn spare(&self, rule: &Ejection, why: &str) -> Option<Duration> {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        if self.spared.swap(true, Relaxed) {
            return None;
        }
        if self.well.load(Relaxed) {
            record.0 = Some(why.to_owned());
        }
        Some(record.1.spare(rule, Instant::now()))
    }

    /// Spares it no longer.
    pub(super) fn restore(&self) {
        self.spared.store(false, Relaxed);
    }

    fn why(&self) -> String {
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        record.0.clone().unwrap_or_else(|| "it does not answer".to_owned())
    }
}
