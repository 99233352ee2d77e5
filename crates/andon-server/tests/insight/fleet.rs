//! Hosts in memory that do everything at once and remember what they run; any of them may be silent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use andon_api::agent::Order;
use andon_core::balance::{BalancerFailure, Pool, PoolSight, Sockets, Wishes};
use andon_core::host::{Authority, HostFacts, InstanceState, Outcome, Placement, Step, Token};
use andon_core::line::Host;
use andon_core::release::ReleaseId;
use andon_server::hosts::{HostError, Hosts, Supplies};
use async_trait::async_trait;

#[path = "../../benches/simulated/facts.rs"]
mod facts;

#[derive(Debug, Default)]
struct State {
    /// What runs, by host and service.
    runs: BTreeMap<(String, String), ReleaseId>,
    silent: BTreeMap<String, String>,
    /// A host that fails to take a release.
    fails: Option<String>,
    asked: usize,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Fleet(Arc<Mutex<State>>);

impl Fleet {
    pub(crate) fn silence(&self, host: &str, why: &str) {
        self.0.lock().unwrap().silent.insert(host.to_owned(), why.to_owned());
    }

    pub(crate) fn runs(&self, host: &str, service: &str, release: &ReleaseId) {
        self.0.lock().unwrap().runs.insert((host.to_owned(), service.to_owned()), release.clone());
    }

    pub(crate) fn fails(&self, host: Option<&str>) {
        self.0.lock().unwrap().fails = host.map(str::to_owned);
    }

    /// How often any host was asked what it runs.
    pub(crate) fn asked(&self) -> usize {
        self.0.lock().unwrap().asked
    }
}

fn key(placement: &Placement) -> (String, String) {
    (placement.host.to_string(), placement.service.to_string())
}

#[async_trait]
impl Hosts for Fleet {
    async fn probe(&self, host: &Host, placement: &Placement, _: &[Token]) -> Result<HostFacts, HostError> {
        let mut state = self.0.lock().unwrap();
        state.asked += 1;
        if let Some(why) = state.silent.get(host.name.as_str()) {
            return Err(HostError::Unreachable(why.clone()));
        }
        let runs = state.runs.get(&key(placement));
        let mut facts = facts::facts(placement, runs);
        if runs.is_none() {
            facts.instances.iter_mut().for_each(|instance| instance.state = InstanceState::Stopped);
        }
        Ok(facts)
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

    async fn carry_out(&self, host: &Host, order: Order, _: &Supplies) -> Result<Outcome, HostError> {
        let mut state = self.0.lock().unwrap();
        if let Step::Activate { release } = &order.step {
            state.runs.insert(key(&order.placement), release.clone());
        }
        let fails = state.fails.as_deref() == Some(host.name.as_str());
        if fails && matches!(order.step, Step::Verify { .. }) {
            state.fails = None;
            let reason = "front page: http / answered 500".to_owned();
            return Ok(Outcome::Failed { reason, tail: String::new() });
        }
        Ok(Outcome::Succeeded)
    }

    async fn kill(&self, _: &Host, _: &Placement, _: &Token) -> Result<(), HostError> {
        Ok(())
    }
}
