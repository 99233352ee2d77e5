//! Sees everything that truly happens on hosts, in the balancer and in the ledger, and names the invariant that does
//! not hold. It knows what no controller can know, and influences nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use andon_core::cord::Cord;
use andon_core::deployment::Deployment;
use andon_core::host::{Fence, Token};
use andon_core::release::ReleaseId;
use andon_core::scope::Scope;
use tokio::sync::Notify;

use super::balancer::Balancer;
use super::clock;
use super::host::SimulatedHost;
use super::invariant::{Invariant, Violation};
use super::log::Log;
use super::story::Story;

mod effects;
mod facts;
mod truth;

/// A host that something befell is not counted on for so long: nobody could know yet.
const UNKNOWABLE: Duration = Duration::from_secs(120);

/// The observer.
pub struct Observer {
    story: Arc<Story>,
    log: Arc<Log>,
    hosts: OnceLock<BTreeMap<String, Arc<SimulatedHost>>>,
    balancer: OnceLock<Arc<Balancer>>,
    known: Mutex<Known>,
    found: Notify,
}

#[derive(Default)]
struct Known {
    deployments: BTreeMap<u64, Deployment>,
    scope: Scope,
    cord: Cord,
    /// Every step that was ever recorded as an intent.
    intents: BTreeSet<Token>,
    /// The steps that hosts have accepted.
    accepted: BTreeSet<(String, Token)>,
    /// The highest fence under which a host has accepted a step.
    highest: BTreeMap<String, Fence>,
    /// In which boot of a host an activation was completed, by deployment and release.
    activated: BTreeMap<(u64, String, ReleaseId), u32>,
    /// When something befell a host last.
    troubled: BTreeMap<String, Duration>,
    /// Hosts that the balancer found ill at the last look and the one before.
    ill: (BTreeSet<String>, BTreeSet<String>),
    /// How often the balancer was looked at since somebody took charge.
    looks: u32,
    violation: Option<Violation>,
}

impl Observer {
    /// Sees nothing yet.
    pub fn new(story: &Arc<Story>, log: &Arc<Log>) -> Arc<Self> {
        Arc::new(Self {
            story: Arc::clone(story),
            log: Arc::clone(log),
            hosts: OnceLock::new(),
            balancer: OnceLock::new(),
            known: Mutex::default(),
            found: Notify::new(),
        })
    }

    /// Sees these from now on.
    pub fn sees(&self, hosts: &BTreeMap<String, Arc<SimulatedHost>>, balancer: &Arc<Balancer>) {
        let _ = self.hosts.set(hosts.clone());
        let _ = self.balancer.set(Arc::clone(balancer));
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn host(&self, name: &str) -> Option<&Arc<SimulatedHost>> {
        self.hosts.get()?.get(name)
    }

    /// Something does not hold. The first violation is the one that counts.
    pub fn violated(&self, invariant: Invariant, what: impl Into<String>) {
        let violation = Violation { invariant, what: what.into() };
        {
            let mut known = self.known();
            if known.violation.is_some() {
                return;
            }
            known.violation = Some(violation.clone());
        }
        self.log.say(format!("VIOLATED  {}: {}", violation.invariant, violation.what));
        self.found.notify_one();
    }

    /// The first violation, if there is one.
    pub fn violation(&self) -> Option<Violation> {
        self.known().violation.clone()
    }

    /// Returns at the first violation.
    pub async fn finds(&self) {
        while self.violation().is_none() {
            self.found.notified().await;
        }
    }

    /// Every deployment, as it was recorded.
    pub fn deployments(&self) -> Vec<Deployment> {
        self.known().deployments.values().cloned().collect()
    }

    /// The scope, as it was recorded.
    pub fn scope(&self) -> Scope {
        self.known().scope.clone()
    }

    /// The line, as it was recorded.
    pub fn cord(&self) -> Cord {
        self.known().cord.clone()
    }

    /// Something befell a host.
    pub fn troubled(&self, host: &str) {
        self.known().troubled.insert(host.to_owned(), clock::elapsed());
    }

    /// The balancer was looked at, and found these hosts ill.
    pub fn looked(&self, ill: &[String]) {
        let mut known = self.known();
        let last = std::mem::replace(&mut known.ill.0, ill.iter().cloned().collect());
        known.ill.1 = last;
        known.looks += 1;
    }
}
