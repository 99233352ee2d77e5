//! Nothing stays out of traffic that nobody owns: `andon sweep`.
//!
//! A host that is out of its balancers has an owner: a deployment that is driven, one that waits for a person, or the
//! scope's list of hosts that were held out. The sweeper brings deployments to rest that nobody drives any more, and
//! puts back what is fit to serve. It starts no host's change, and what other people took out it only reports.

use andon_core::balance::ServerState;
use andon_core::deployment::{Ask, Deployment, DeploymentId, State};
use andon_core::host::Fence;
use andon_core::line::{BalancerKind, Host, Rollout, Service};
use andon_core::name::HostName;
use andon_core::plan::{PlannedPool, Sights};
use andon_core::scope::{Lock, Scope, ScopeName};
use andon_store::StoreError;

use super::{Controller, RACES};
use crate::driver::{Until, is_at_rest};
use crate::lease;
use crate::problem::Problem;
use crate::records::Versioned;

pub use found::Found;

mod found;
mod putting_back;

/// What is swept: a scope as the line describes it.
#[derive(Debug, Clone)]
pub struct Sweep {
    /// Where.
    pub scope: ScopeName,
    /// The service as the line describes it.
    pub service: Service,
    /// The hosts of the environment.
    pub hosts: Vec<Host>,
    /// The balancers that send traffic to them.
    pub pools: Vec<PlannedPool>,
}

/// A host that may be put back.
#[derive(Debug, Clone)]
struct Candidate {
    host: Host,
    /// The pools that it is put back in.
    pools: Vec<PlannedPool>,
}

impl Controller {
    /// One pass over a scope. Can be killed at any moment and begun again.
    pub async fn sweep(&self, sweep: &Sweep) -> Result<Vec<Found>, Problem> {
        let mut found = Vec::new();
        for _ in 0..RACES {
            let scope = self.records.scope(&sweep.scope).await?;
            if let Lock::Owned { deployment, .. } = scope.value.lock {
                match self.bring_to_rest(deployment).await? {
                    Some(rested) => {
                        let ended = matches!(rested, Found::Ended { .. });
                        found.push(rested);
                        if !ended {
                            return Ok(found);
                        }
                    }
                    // It ended by itself a moment ago.
                    None => tokio::time::sleep(super::PAUSE).await,
                }
                continue;
            }
            if let Some(rest) = self.put_back(sweep, scope).await? {
                found.extend(rest);
                return Ok(found);
            }
        }
        Err(Problem::NotNow(format!("{} moves too fast: others were faster {RACES} times", sweep.scope)))
    }

    /// Sees to a deployment that owns its scope. `None` when it has ended meanwhile.
    async fn bring_to_rest(&self, id: DeploymentId) -> Result<Option<Found>, Problem> {
        let mut deployment = self.records.deployment(id).await?;
        let name = deployment.value.request.scope.stream();
        let (ledger, holder) = (self.records.ledger().as_ref(), self.holder());
        let lease = match lease::take(ledger, &name, &holder, (self.clock)()).await {
            Ok(lease) => lease,
            Err(StoreError::Leased { by, .. }) => {
                return Ok(Some(Found::Driven { deployment: Some(id), by: by.description }));
            }
            Err(error) => return Err(Problem::store(error)),
        };
        let ready = self.stop_starting(Fence(lease.fence), &mut deployment).await;
        if !matches!(ready, Ok(true)) {
            ledger.release(&lease).await.map_err(Problem::store)?;
            ready?;
            let ended = deployment.value.state.is_terminal();
            return Ok((!ended).then(|| orphan(&deployment.value, false)));
        }
        let until = until(&deployment.value);
        let end = self.drive(deployment, lease, until).end.await;
        match end.map_err(|error| Problem::NotNow(format!("the driver stumbled: {error}")))? {
            Ok(deployment) if deployment.state.is_terminal() => {
                Ok(Some(Found::Ended { deployment: id, state: deployment.state.name().to_owned() }))
            }
            Ok(deployment) => Ok(Some(orphan(&deployment, true))),
            Err(Problem::TakenOver { by }) => Ok(Some(Found::Driven { deployment: Some(id), by })),
            Err(problem) => Err(problem),
        }
    }

    /// Takes charge of a deployment whose hosts are in their cycles, and asks that no further one starts. `false`
    /// when nothing of it moves.
    async fn stop_starting(
        &self,
        fence: Fence,
        deployment: &mut Versioned<Deployment>,
    ) -> Result<bool, Problem> {
        self.records.refresh(deployment).await?;
        let untouched = matches!(deployment.value.state, State::Pending { .. });
        if untouched || deployment.value.state.is_terminal() || is_at_rest(&deployment.value) {
            return Ok(false);
        }
        self.records.take_charge(self.clock, &self.me, fence, deployment).await?;
        if deployment.value.admits(&Ask::Pause).is_ok() {
            let why = "andon sweep: nobody drove it any more".to_owned();
            match self.wish(deployment.value.id, Ask::Pause, Some(why)).await {
                // Somebody asks for more at this moment; that comes first.
                Ok(()) | Err(Problem::NotNow(_)) => {}
                Err(problem) => return Err(problem),
            }
            self.records.refresh(deployment).await?;
        }
        Ok(true)
    }

    /// Puts back what is out of traffic and fit to serve. `None` when somebody was faster: the scope is to be read
    /// again.
    async fn put_back(&self, sweep: &Sweep, scope: Versioned<Scope>) -> Result<Option<Vec<Found>>, Problem> {
        let sights = self.look(&sweep.pools).await;
        let mut found = silent(&sights);
        let candidates = candidates(sweep, &scope.value, &sights, &mut found);
        if candidates.is_empty() {
            return Ok(Some(found));
        }
        let lease = match self.lease_on(&sweep.scope, &scope).await {
            Ok(Some(lease)) => lease,
            Ok(None) => return Ok(None),
            Err(Problem::NotNow(why)) => {
                found.push(Found::Driven { deployment: None, by: why });
                return Ok(Some(found));
            }
            Err(problem) => return Err(problem),
        };
        let ledger = self.records.ledger();
        let result = match self.records.scope(&sweep.scope).await {
            Ok(now) if now.seq == scope.seq => {
                self.put_back_under(&lease, sweep, scope, candidates).await.map(Some)
            }
            Ok(_) => Ok(None),
            Err(error) => Err(error.into()),
        };
        // A lease that is gone already is as good.
        let _ = ledger.release(&lease).await;
        Ok(result?.map(|mut more| {
            found.append(&mut more);
            found
        }))
    }
}

fn silent(sights: &Sights) -> Vec<Found> {
    let failures = sights.iter().filter_map(|(pool, sight)| Some((pool, sight.as_ref().err()?)));
    failures.map(|(pool, failure)| Found::Silent { pool: pool.clone(), why: failure.to_string() }).collect()
}

/// The hosts that may be put back; what else is out is added to `found`.
fn candidates(sweep: &Sweep, scope: &Scope, sights: &Sights, found: &mut Vec<Found>) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for (name, held) in &scope.held {
        if !sweep.hosts.iter().any(|host| host.name == *name) {
            let why = format!(
                "it was held out by {} and is not in the line any more: {}",
                held.deployment, held.reason
            );
            found.push(Found::Out { host: name.clone(), why, deploy: true });
        }
    }
    for host in &sweep.hosts {
        let is_idle = sweep.service.set_of(host).is_some_and(|set| scope.live != Some(set));
        let its = |planned: &&PlannedPool| planned.pool.servers_of(&host.name).next().is_some();
        let pools = sweep.pools.iter().filter(its);
        if is_idle {
            // The set that does not serve is out because it should be.
            continue;
        }
        if scope.held.contains_key(&host.name) {
            candidates.push(Candidate { host: host.clone(), pools: pools.cloned().collect() });
            continue;
        }
        let out = pools.filter(|planned| has_out(planned, &host.name, sights));
        let (ours, others): (Vec<_>, Vec<_>) = out.cloned().partition(only_ours);
        found.extend(
            others
                .iter()
                .map(|planned| Found::Stranger { host: host.name.clone(), pool: planned.pool.name() }),
        );
        if !ours.is_empty() {
            candidates.push(Candidate { host: host.clone(), pools: ours });
        }
    }
    candidates
}

fn has_out(planned: &PlannedPool, host: &HostName, sights: &Sights) -> bool {
    let Some(Ok(sight)) = sights.get(&planned.pool.name()) else { return false };
    let mut seen = planned.pool.servers_of(host).filter_map(|server| sight.servers.get(&server.name));
    seen.any(|server| server.state == ServerState::Out)
}

/// Whether nobody but Andon takes servers out of this balancer: it writes the answers to agent-checks, and the files
/// that nginx includes.
fn only_ours(planned: &PlannedPool) -> bool {
    match planned.pool.balancer {
        BalancerKind::AgentCheck { .. } | BalancerKind::Nginx { .. } => true,
        BalancerKind::Haproxy { .. } | BalancerKind::Proxy { .. } => false,
    }
}

/// How far a deployment is driven that nobody drove. What is being undone is undone to the end.
fn until(deployment: &Deployment) -> Until {
    match (&deployment.state, &deployment.plan) {
        (State::Running { .. } | State::Paused { .. } | State::Baking { .. }, Some(plan)) => {
            Until::AtRest(one_cycle(&plan.service.rollout))
        }
        _ => Until::End,
    }
}

/// The longest time that one host's cycle takes when everything in it is late.
fn one_cycle(rollout: &Rollout) -> std::time::Duration {
    rollout.reconnect_window
        + rollout.drain_timeout
        + 2 * rollout.step_timeout
        + rollout.healthy_deadline
        + rollout.slow_start
        + rollout.min_healthy_time
}

fn orphan(deployment: &Deployment, driven: bool) -> Found {
    let out = deployment.hosts.iter().filter(|(_, run)| run.drained).map(|(host, _)| host.clone());
    Found::Orphan {
        deployment: deployment.id,
        state: deployment.state.name().to_owned(),
        driven,
        at_rest: is_at_rest(deployment) || matches!(deployment.state, State::Pending { .. }),
        out: out.collect(),
    }
}
