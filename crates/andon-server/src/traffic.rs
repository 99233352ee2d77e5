//! Asks balancers, and the hosts behind them, about traffic: one round after another, each answered as a whole.
//!
//! A round tells every balancer all that is wished of its servers in one call, so changes that come together cost one
//! reload. Connections on the hosts are counted after the balancers have answered: what is counted then did not come
//! through a balancer that had not heard yet.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use andon_core::balance::{BalancerFailure, FailureKind, HostSight, Sockets, Traffic, Wishes};
use andon_core::deployment::{Deployment, Input, TrafficSight};
use andon_core::host::{Authority, Placement};
use andon_core::line::Host;
use andon_core::name::HostName;
use andon_core::plan::{Plan, PlannedPool, Sights};
use serde::{Deserialize, Serialize};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::hosts::Hosts;

/// The pause between two rounds while something moves, and while nothing does.
const OFTEN: Duration = Duration::from_millis(200);
const SELDOM: Duration = Duration::from_secs(1);

/// How long a balancer may take for one answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was heard in one round: from every balancer, and then from the hosts that are being drained.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Round {
    wished: BTreeMap<HostName, Traffic>,
    pub(crate) sights: Sights,
    sockets: BTreeMap<HostName, Result<Sockets, String>>,
}

/// The rounds of one deployment: at most one is under way.
pub(crate) struct Rounds {
    ways: Arc<dyn Hosts>,
    under_way: Option<JoinHandle<Round>>,
    wished: BTreeMap<HostName, Traffic>,
    last: Option<Instant>,
    /// How many have begun.
    number: u64,
}

impl Rounds {
    pub(crate) fn new(ways: Arc<dyn Hosts>) -> Self {
        Self { ways, under_way: None, wished: BTreeMap::new(), last: None, number: 0 }
    }

    /// Begins a round if it is time, or if something new is wished. When to call again, if there are balancers.
    pub(crate) fn begin(
        &mut self,
        deployment: &Deployment,
        now: andon_core::time::Time,
        authority: &Authority,
    ) -> Option<Duration> {
        let plan = deployment.plan.as_ref().filter(|plan| !plan.pools.is_empty())?;
        let pause = if deployment.traffic_is_moving() { OFTEN } else { SELDOM };
        if self.under_way.is_some() {
            return None;
        }
        let wished = deployment.traffic(now);
        let waited = self.last.map_or(pause, |last| last.elapsed());
        if waited < pause && wished == self.wished {
            return Some(pause.saturating_sub(waited));
        }
        self.wished.clone_from(&wished);
        self.last = Some(Instant::now());
        self.number += 1;
        let authority = Authority { round: self.number, ..authority.clone() };
        let round = round(Arc::clone(&self.ways), Arc::clone(plan), authority, wished);
        self.under_way = Some(tokio::spawn(round));
        None
    }

    /// The end of the round that is under way; never without one.
    pub(crate) async fn next(&mut self) -> Option<Round> {
        let Some(under_way) = &mut self.under_way else { return std::future::pending().await };
        let ended = under_way.await;
        self.under_way = None;
        ended.ok()
    }
}

impl Drop for Rounds {
    fn drop(&mut self) {
        if let Some(under_way) = &self.under_way {
            under_way.abort();
        }
    }
}

async fn round(
    ways: Arc<dyn Hosts>,
    plan: Arc<Plan>,
    authority: Authority,
    wished: BTreeMap<HostName, Traffic>,
) -> Round {
    let sights = look(&ways, &plan.pools, &authority, &wished).await;
    let mut counting = JoinSet::new();
    for (name, _) in wished.iter().filter(|(_, wish)| matches!(wish, Traffic::Out | Traffic::Cut)) {
        let (Some(planned), Some(placement)) = (plan.hosts.get(name), plan.placement(name)) else { continue };
        let (ways, host) = (Arc::clone(&ways), planned.host.clone());
        counting.spawn(async move { (host.name.clone(), count(&ways, &host, &placement).await) });
    }
    let mut sockets = BTreeMap::new();
    while let Some(counted) = counting.join_next().await {
        sockets.extend(counted);
    }
    Round { wished, sights, sockets }
}

async fn count(ways: &Arc<dyn Hosts>, host: &Host, placement: &Placement) -> Result<Sockets, String> {
    match tokio::time::timeout(PATIENCE, ways.count_sockets(host, placement)).await {
        Ok(counted) => counted,
        Err(_) => Err(format!("it did not answer within {} s", PATIENCE.as_secs())),
    }
}

/// Tells all balancers at once what is wished, and gathers what they see.
pub(crate) async fn look(
    ways: &Arc<dyn Hosts>,
    pools: &[PlannedPool],
    authority: &Authority,
    wished: &BTreeMap<HostName, Traffic>,
) -> Sights {
    let mut asked = JoinSet::new();
    for planned in pools {
        let (ways, planned, authority) = (Arc::clone(ways), planned.clone(), authority.clone());
        let servers = planned.pool.servers.iter();
        let wishes: Wishes =
            servers.filter_map(|server| Some((server.name.clone(), *wished.get(&server.host)?))).collect();
        asked.spawn(async move {
            let told = ways.balance(&planned.at, &planned.pool, &authority, &wishes);
            let sight = match tokio::time::timeout(PATIENCE, told).await {
                Ok(sight) => sight,
                Err(_) => Err(silent()),
            };
            (planned.pool.name(), sight)
        });
    }
    let mut sights: Sights = pools.iter().map(|planned| (planned.pool.name(), Err(silent()))).collect();
    while let Some(answer) = asked.join_next().await {
        // A task that panicked has said nothing.
        sights.extend(answer);
    }
    sights
}

fn silent() -> BalancerFailure {
    BalancerFailure {
        kind: FailureKind::Unreachable,
        reason: format!("it did not answer within {} s", PATIENCE.as_secs()),
        details: String::new(),
    }
}

impl Round {
    /// What was seen of each host that any balancer knows.
    pub(crate) fn news(&self, plan: &Plan) -> Vec<Input> {
        let balanced = plan.hosts.keys().filter(|host| plan.is_balanced(host));
        let seen = |host: &HostName| {
            let sight = TrafficSight {
                wished: self.wished.get(host).copied(),
                pools: self.sight_of(plan, host).pools,
                sockets: self.sockets.get(host).cloned(),
            };
            Input::Seen { host: host.clone(), sight: Box::new(sight) }
        };
        balanced.map(seen).collect()
    }

    /// How a host was seen to stand in its balancers.
    pub fn sight_of(&self, plan: &Plan, host: &HostName) -> HostSight {
        HostSight::of(host, &plan.pools, &self.sights)
    }

    /// What the balancers had been told of a host.
    pub fn wished(&self, host: &HostName) -> Option<Traffic> {
        self.wished.get(host).copied()
    }

    /// The connections that a host counted; `None` where it was not asked.
    pub fn sockets_of(&self, host: &HostName) -> Option<&Result<Sockets, String>> {
        self.sockets.get(host)
    }
}
