//! Simulated hosts with a journal: at work for the deployment that is watched, and frozen for its successors.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use andon_api::agent::Order;
use andon_core::balance::{BalancerFailure, Pool, PoolSight, Sockets, Wishes};
use andon_core::host::{
    ActivationMarker, Authority, HostFacts, Outcome, Placement, Step, Token, TokenStatus,
};
use andon_core::line::Host;
use andon_core::release::ReleaseId;
use andon_server::hosts::{HostError, Hosts, Supplies};
use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::facts::facts;

/// One round trip to a host.
const ROUND_TRIP: Duration = Duration::from_millis(20);
/// Connections that the product opens at once.
const CONCURRENT_STARTS: usize = 30;

/// What a host has on its disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    current: Option<ReleaseId>,
    marker: Option<ActivationMarker>,
    /// Each step with the moment at which it ends.
    journal: BTreeMap<Token, (Instant, Step)>,
    activations: usize,
}

/// Hosts that work, in the time of their runtime.
#[derive(Debug, Clone, Default)]
pub(crate) struct SimulatedFleet {
    disks: Arc<Mutex<BTreeMap<String, Disk>>>,
}

/// The time of a real host, as in the published accounts of rolling deploys, and by up to a fifth more from host to
/// host: in quarters of a second, as news that come together are recorded together.
fn takes(host: &str, step: &Step) -> Duration {
    let usual = match step {
        Step::Prepare { .. } => Duration::from_secs(5),
        Step::Activate { .. } => Duration::from_secs(18),
        Step::Verify { .. } => Duration::from_secs(13),
        Step::Observe { period, .. } => return *period,
    };
    let mixed = format!("{host}{}", step.stage())
        .bytes()
        .fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let quarters = u32::try_from(usual.as_millis() / 5 / 250).unwrap_or(1).max(1);
    usual + Duration::from_millis(250) * (mixed % (quarters + 1))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SimulatedFleet {
    /// The hosts as they are at this moment, for a successor in another time.
    pub(crate) fn freeze(&self, connect: Duration) -> FrozenFleet {
        let now = Instant::now();
        let mut frozen = BTreeMap::new();
        for (host, disk) in lock(&self.disks).iter() {
            let status = |(ends, _): &(Instant, Step)| match *ends <= now {
                true => TokenStatus::Finished(Outcome::Succeeded),
                false => TokenStatus::Running,
            };
            let journal = disk.journal.iter().map(|(token, step)| (token.clone(), status(step))).collect();
            frozen.insert(host.clone(), (disk.clone(), journal));
        }
        FrozenFleet {
            hosts: frozen,
            connect,
            starts: Semaphore::new(CONCURRENT_STARTS),
            met: Mutex::default(),
        }
    }

    fn take_effect(&self, name: &str, step: &Step) {
        let mut disks = lock(&self.disks);
        let disk = disks.entry(name.to_owned()).or_default();
        if let Step::Activate { release } = step {
            disk.current = Some(release.clone());
            disk.marker = Some(ActivationMarker { release: release.clone(), complete: true });
            disk.activations += 1;
        }
    }
}

/// What a host says of itself.
fn said(disk: &Disk, placement: &Placement, tokens: BTreeMap<Token, TokenStatus>) -> HostFacts {
    HostFacts { marker: disk.marker.clone(), tokens, ..facts(placement, disk.current.as_ref()) }
}

#[async_trait]
impl Hosts for SimulatedFleet {
    async fn probe(&self, host: &Host, placement: &Placement, _: &[Token]) -> Result<HostFacts, HostError> {
        tokio::time::sleep(ROUND_TRIP).await;
        let mut disks = lock(&self.disks);
        Ok(said(disks.entry(host.name.to_string()).or_default(), placement, BTreeMap::new()))
    }

    async fn carry_out(&self, host: &Host, order: Order, _: &Supplies) -> Result<Outcome, HostError> {
        let name = host.name.as_str();
        let ends = Instant::now() + takes(name, &order.step);
        {
            let mut disks = lock(&self.disks);
            let disk = disks.entry(name.to_owned()).or_default();
            disk.journal.insert(order.token.clone(), (ends, order.step.clone()));
        }
        tokio::time::sleep_until(ends).await;
        self.take_effect(name, &order.step);
        Ok(Outcome::Succeeded)
    }

    async fn balance(
        &self,
        _: &Host,
        _: &Pool,
        _: &Authority,
        _: &Wishes,
    ) -> Result<PoolSight, BalancerFailure> {
        Ok(PoolSight::default())
    }

    async fn count_sockets(&self, _: &Host, _: &Placement) -> Result<Sockets, String> {
        Ok(Sockets::default())
    }

    async fn kill(&self, _: &Host, _: &Placement, _: &Token) -> Result<(), HostError> {
        Ok(())
    }
}

/// What a successor did with the hosts.
#[derive(Debug, Default)]
pub(crate) struct Met {
    /// Hosts that a connection was opened to.
    connected: BTreeSet<String>,
    /// Steps that were asked about.
    pub(crate) asked: BTreeSet<Token>,
    /// What was ordered too early, under a wrong fence, or for the second time.
    pub(crate) violations: Vec<String>,
}

/// Hosts on which time stands still.
#[derive(Debug)]
pub(crate) struct FrozenFleet {
    hosts: BTreeMap<String, (Disk, BTreeMap<Token, TokenStatus>)>,
    connect: Duration,
    starts: Semaphore,
    met: Mutex<Met>,
}

impl FrozenFleet {
    /// What a successor did so far.
    pub(crate) fn met(&self) -> MutexGuard<'_, Met> {
        lock(&self.met)
    }

    async fn reach(&self, name: &str) {
        if !self.connect.is_zero() && lock(&self.met).connected.insert(name.to_owned()) {
            let _start = self.starts.acquire().await;
            tokio::time::sleep(self.connect).await;
        }
        tokio::time::sleep(ROUND_TRIP).await;
    }
}

#[async_trait]
impl Hosts for FrozenFleet {
    async fn probe(
        &self,
        host: &Host,
        placement: &Placement,
        tokens: &[Token],
    ) -> Result<HostFacts, HostError> {
        let name = host.name.as_str();
        self.reach(name).await;
        lock(&self.met).asked.extend(tokens.iter().cloned());
        let none = (Disk::default(), BTreeMap::new());
        let (disk, journal) = self.hosts.get(name).unwrap_or(&none);
        let status = |token: &Token| journal.get(token).cloned().unwrap_or(TokenStatus::NeverStarted);
        Ok(said(disk, placement, tokens.iter().map(|token| (token.clone(), status(token))).collect()))
    }

    async fn carry_out(&self, host: &Host, order: Order, _: &Supplies) -> Result<Outcome, HostError> {
        let name = host.name.as_str();
        let known = self.hosts.get(name);
        let attaches = known.is_some_and(|(_, journal)| journal.contains_key(&order.token));
        let activated = known.map_or(0, |(disk, _)| disk.activations);
        {
            let mut met = lock(&self.met);
            let (token, fence) = (&order.token, order.authority.fence);
            let begun_here = token.as_str().contains(&format!(".f{fence}."));
            if !begun_here && !met.asked.contains(token) {
                met.violations.push(format!("{token} was ordered before anybody asked about it"));
            }
            if !attaches && activated > 0 && matches!(order.step, Step::Activate { .. }) {
                met.violations.push(format!("{token} would activate {name} for the second time"));
            }
        }
        // Nothing more is to be seen than where hosts stand.
        std::future::pending().await
    }

    async fn balance(
        &self,
        _: &Host,
        _: &Pool,
        _: &Authority,
        _: &Wishes,
    ) -> Result<PoolSight, BalancerFailure> {
        Ok(PoolSight::default())
    }

    async fn count_sockets(&self, _: &Host, _: &Placement) -> Result<Sockets, String> {
        Ok(Sockets::default())
    }

    async fn kill(&self, _: &Host, _: &Placement, _: &Token) -> Result<(), HostError> {
        Ok(())
    }
}
