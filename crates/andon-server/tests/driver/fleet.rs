//! Hosts in memory that keep the rules of real ones: a journal of tokens with results, steps that go on without a
//! connection, boot ids, one step at a time, and fences that only grow.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use andon_api::agent::{Order, Refusal};
use andon_core::balance::{
    BalancerFailure, Counters, Pool, PoolSight, ServerSight, ServerState, Sockets, Traffic, Wishes,
};
use andon_core::host::{
    ActivationMarker, Authority, HostFacts, InstanceFacts, InstanceState, Outcome, Placement, Stage, Step,
    Token, TokenStatus,
};
use andon_core::line::Host;
use andon_core::quantity::ByteSize;
use andon_core::release::ReleaseId;
use andon_server::hosts::{HostError, Hosts, Supplies};
use async_trait::async_trait;

use crate::ledger::Intents;

const ROUND_TRIP: Duration = Duration::from_millis(20);
const LOOK: Duration = Duration::from_millis(50);

/// What happens to an order on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection is cut before the host hears of it.
    CutBefore,
    /// The connection is cut when the host has begun.
    CutAfter,
    /// The host reboots in the middle.
    Reboots,
    /// The host vanishes with it and is not heard of again.
    Vanishes,
}

#[derive(Debug, Default)]
struct SimulatedHost {
    boot: u32,
    gone: bool,
    current: Option<ReleaseId>,
    releases: BTreeSet<ReleaseId>,
    marker: Option<ActivationMarker>,
    authority: Option<Authority>,
    journal: BTreeMap<Token, TokenStatus>,
    /// Every activation that took effect, in order.
    activations: Vec<(Token, ReleaseId)>,
}

#[derive(Debug, Default)]
struct State {
    balancer: BTreeMap<String, Traffic>,
    /// Servers that the balancer finds sick, whatever it is told.
    sick: BTreeSet<String>,
    /// Requests that each server got: one whenever the balancer is looked at and sends it traffic.
    requests: BTreeMap<String, u64>,
    hosts: BTreeMap<String, SimulatedHost>,
    faults: BTreeMap<(String, Stage), Fault>,
    /// A stage of a release that fails on a host.
    fails: BTreeSet<(String, Stage, ReleaseId)>,
    /// A stage that takes this long on a host.
    slow: BTreeMap<(String, Stage), Duration>,
    orders: Vec<(String, Order)>,
    violations: Vec<String>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Fleet {
    state: Arc<Mutex<State>>,
    intents: Intents,
}

impl Fleet {
    pub(crate) fn new(intents: &Intents) -> Self {
        Self { state: Arc::default(), intents: intents.clone() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn fault(&self, host: &str, stage: Stage, fault: Fault) {
        self.state().faults.insert((host.into(), stage), fault);
    }

    pub(crate) fn fails(&self, host: &str, stage: Stage, release: &ReleaseId) {
        self.state().fails.insert((host.into(), stage, release.clone()));
    }

    pub(crate) fn slow(&self, host: &str, stage: Stage, span: Duration) {
        self.state().slow.insert((host.into(), stage), span);
    }

    pub(crate) fn goes_away(&self, host: &str) {
        self.state().hosts.entry(host.into()).or_default().gone = true;
    }

    pub(crate) fn comes_back(&self) {
        for host in self.state().hosts.values_mut() {
            host.gone = false;
        }
    }

    /// What each host runs.
    pub(crate) fn running(&self) -> BTreeMap<String, Option<ReleaseId>> {
        self.state().hosts.iter().map(|(name, host)| (name.clone(), host.current.clone())).collect()
    }

    /// How often a release was activated on a host.
    pub(crate) fn activations(&self, host: &str, release: &ReleaseId) -> usize {
        self.state()
            .hosts
            .get(host)
            .map_or(0, |host| host.activations.iter().filter(|(_, activated)| activated == release).count())
    }

    /// The orders that were given so far.
    pub(crate) fn orders(&self) -> Vec<(String, Order)> {
        self.state().orders.clone()
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    /// Takes an order in. `Ok(false)` means that another step is at work.
    fn accept(&self, name: &str, order: &Order) -> Result<bool, HostError> {
        let mut state = self.state();
        state.orders.push((name.to_owned(), order.clone()));
        // What is only tested changes nothing, so no intent is recorded.
        if !self.intents.contains(&order.token) && !is_trial(order) {
            state.violations.push(format!("{} was ordered and never recorded", order.token));
        }
        let host = state.hosts.entry(name.to_owned()).or_default();
        if let Some(known) = &host.authority
            && known.fence > order.authority.fence
        {
            return Err(Refusal::Fenced(Box::new(known.clone())).into());
        }
        host.authority = Some(order.authority.clone());
        if host.journal.contains_key(&order.token) {
            return Ok(true);
        }
        if host.journal.values().any(|status| *status == TokenStatus::Running) {
            return Ok(false);
        }
        host.journal.insert(order.token.clone(), TokenStatus::Running);
        drop(state);
        // The detached half: it goes on whatever becomes of the connection and of the controller.
        let (fleet, name, order) = (self.clone(), name.to_owned(), order.clone());
        tokio::spawn(async move {
            tokio::time::sleep(fleet.takes(&name, &order.step)).await;
            fleet.take_effect(&name, &order);
        });
        Ok(true)
    }

    fn takes(&self, name: &str, step: &Step) -> Duration {
        let usual = match step {
            Step::Prepare { .. } => Duration::from_millis(500),
            Step::Activate { .. } => Duration::from_millis(300),
            Step::Verify { .. } => Duration::from_millis(200),
            Step::Observe { period, .. } => *period,
        };
        self.state().slow.get(&(name.to_owned(), step.stage())).copied().unwrap_or(usual)
    }

    fn take_effect(&self, name: &str, order: &Order) {
        let mut state = self.state();
        let release = match &order.step {
            Step::Prepare { release, .. } => release.id.clone(),
            Step::Activate { release } | Step::Verify { release, .. } | Step::Observe { release, .. } => {
                release.clone()
            }
        };
        let fails = state.fails.contains(&(name.to_owned(), order.step.stage(), release.clone()));
        let host = state.hosts.entry(name.to_owned()).or_default();
        if host.journal.get(&order.token) != Some(&TokenStatus::Running) {
            return;
        }
        match order.step.stage() {
            Stage::Prepare => {
                host.releases.insert(release.clone());
            }
            Stage::Activate => {
                host.activations.push((order.token.clone(), release.clone()));
                host.current = Some(release.clone());
                host.marker = Some(ActivationMarker { release: release.clone(), complete: true });
            }
            Stage::Drain | Stage::Verify | Stage::Enable | Stage::Observe => {}
        }
        let other = host.current.as_ref() != Some(&release) && order.step.stage() != Stage::Prepare;
        let outcome = if fails || other {
            Outcome::Failed { reason: format!("{} said no", order.step.stage()), tail: String::new() }
        } else {
            Outcome::Succeeded
        };
        host.journal.insert(order.token.clone(), TokenStatus::Finished(outcome));
    }

    /// What the balancer does and sees: it obeys, and nothing is ever under way.
    fn balancer(&self, pool: &Pool, wishes: &Wishes) -> PoolSight {
        let mut state = self.state();
        let mut sight = PoolSight::default();
        for server in &pool.servers {
            if let Some(wish) = wishes.get(&server.name)
                && state.balancer.insert(server.name.to_string(), *wish) != Some(*wish)
            {
                sight.changed.insert(server.name.clone());
            }
            let out = matches!(state.balancer.get(server.name.as_str()), Some(Traffic::Out | Traffic::Cut));
            let seen = match out {
                true => ServerState::Out,
                false if state.sick.contains(server.name.as_str()) => {
                    ServerState::Down { why: "L7STS/503".into() }
                }
                false => ServerState::Up,
            };
            let requests = state.requests.entry(server.name.to_string()).or_default();
            *requests += u64::from(seen == ServerState::Up);
            let counters = Some(Counters { requests: *requests, ..Counters::default() });
            let seen = ServerSight { state: seen, weight: 100, sessions: Some(0), queued: 0, counters };
            sight.servers.insert(server.name.clone(), seen);
        }
        sight
    }

    /// Somebody takes a server out of the balancer by hand.
    pub(crate) fn take_out(&self, server: &str) {
        self.state().balancer.insert(server.into(), Traffic::Out);
    }

    /// The balancer finds a server sick from now on.
    pub(crate) fn finds_sick(&self, server: &str) {
        self.state().sick.insert(server.into());
    }

    /// Whatever failed does so no more.
    pub(crate) fn mend(&self) {
        let mut state = self.state();
        state.fails.clear();
        state.sick.clear();
    }

    /// Hosts that the balancer has out.
    pub(crate) fn out_of_traffic(&self) -> Vec<String> {
        let state = self.state();
        let out = state.balancer.iter().filter(|(_, wish)| matches!(wish, Traffic::Out | Traffic::Cut));
        out.map(|(name, _)| name.clone()).collect()
    }

    /// Everything that ran is gone; what was on disk is not.
    fn reboot(&self, name: &str) {
        if let Some(host) = self.state().hosts.get_mut(name) {
            host.boot += 1;
            for status in host.journal.values_mut().filter(|status| **status == TokenStatus::Running) {
                *status = TokenStatus::Interrupted;
            }
        }
    }

    async fn reach(&self, name: &str) -> Result<(), HostError> {
        tokio::time::sleep(ROUND_TRIP).await;
        match self.state().hosts.get(name) {
            Some(host) if host.gone => Err(HostError::Unreachable("no route to host".into())),
            _ => Ok(()),
        }
    }

    fn status(&self, name: &str, token: &Token) -> Option<TokenStatus> {
        self.state().hosts.get(name).and_then(|host| host.journal.get(token).cloned())
    }
}

/// Production tests outside of any deployment are steps of deployment 0.
fn is_trial(order: &Order) -> bool {
    order.token.as_str().starts_with("d0.")
}

#[async_trait]
impl Hosts for Fleet {
    async fn probe(
        &self,
        host: &Host,
        placement: &Placement,
        tokens: &[Token],
    ) -> Result<HostFacts, HostError> {
        let name = host.name.as_str();
        self.reach(name).await?;
        let mut state = self.state();
        let host = state.hosts.entry(name.to_owned()).or_default();
        let runs = if host.current.is_some() { InstanceState::Running } else { InstanceState::Stopped };
        let instance = |instance: &andon_core::line::Instance| InstanceFacts {
            name: instance.name.clone(),
            state: runs,
            release: host.current.clone(),
            restarts: 0,
            health: None,
        };
        Ok(HostFacts {
            boot_id: format!("boot-{}", host.boot),
            arch: "x86_64".into(),
            free: ByteSize(1 << 40),
            current: host.current.clone(),
            releases: host.releases.iter().cloned().collect(),
            marker: host.marker.clone(),
            instances: placement.instances.iter().map(instance).collect(),
            authority: host.authority.clone(),
            tokens: tokens
                .iter()
                .map(|token| {
                    let status = host.journal.get(token).cloned();
                    (token.clone(), status.unwrap_or(TokenStatus::NeverStarted))
                })
                .collect(),
            obstacles: Vec::new(),
        })
    }

    async fn balance(
        &self,
        _: &Host,
        pool: &Pool,
        _: &Authority,
        wishes: &Wishes,
    ) -> Result<PoolSight, BalancerFailure> {
        tokio::time::sleep(ROUND_TRIP).await;
        Ok(self.balancer(pool, wishes))
    }

    async fn count_sockets(&self, host: &Host, _: &Placement) -> Result<Sockets, String> {
        self.reach(host.name.as_str()).await.map_err(|error| error.to_string())?;
        Ok(Sockets::default())
    }

    async fn carry_out(&self, host: &Host, order: Order, _: &Supplies) -> Result<Outcome, HostError> {
        let name = host.name.as_str();
        self.reach(name).await?;
        let fault = self.state().faults.remove(&(name.to_owned(), order.step.stage()));
        if fault == Some(Fault::CutBefore) {
            return Err(HostError::Lost("the connection was closed".into()));
        }
        while !self.accept(name, &order)? {
            tokio::time::sleep(LOOK).await;
        }
        match fault {
            Some(Fault::CutAfter) => return Err(HostError::Lost("the connection was closed".into())),
            Some(Fault::Reboots) => {
                self.reboot(name);
                return Err(HostError::Lost("the connection was closed".into()));
            }
            Some(Fault::Vanishes) => {
                if let Some(host) = self.state().hosts.get_mut(name) {
                    host.gone = true;
                }
                return Err(HostError::Lost("the connection timed out".into()));
            }
            Some(Fault::CutBefore) | None => {}
        }
        loop {
            match self.status(name, &order.token) {
                Some(TokenStatus::Finished(outcome)) => return Ok(outcome),
                Some(TokenStatus::Running) => tokio::time::sleep(LOOK).await,
                _ => return Err(HostError::Lost("the step was interrupted".into())),
            }
        }
    }

    async fn kill(&self, host: &Host, _: &Placement, token: &Token) -> Result<(), HostError> {
        let name = host.name.as_str();
        self.reach(name).await?;
        if self.status(name, token) == Some(TokenStatus::Running)
            && let Some(host) = self.state().hosts.get_mut(name)
        {
            host.journal.insert(token.clone(), TokenStatus::Finished(Outcome::Killed));
        }
        Ok(())
    }
}
