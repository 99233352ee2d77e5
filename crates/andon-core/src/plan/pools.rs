//! The balancers of a service as a plan pins them, and what they say before it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::PlannedPool;
use crate::balance::{BalancerFailure, Pool, PoolSight, Server, ServerState};
use crate::line::{Balancer, BalancerKind, Host, Service, Transport};
use crate::name::{EnvironmentName, HostName};
use crate::scope::Scope;

/// What every balancer said when it was asked, by the name of its pool.
pub type Sights = BTreeMap<String, Result<PoolSight, BalancerFailure>>;

/// The pools of a service in an environment: one for each balancer on each of its hosts. `all` are the hosts of the
/// line, `hosts` those of the environment.
pub fn pools(
    all: &BTreeMap<HostName, Host>,
    service: &Service,
    environment: &EnvironmentName,
    hosts: &[&Host],
) -> Vec<PlannedPool> {
    let mut planned = Vec::new();
    let serves = |balancer: &&Balancer| {
        balancer.environments.is_empty() || balancer.environments.contains(environment)
    };
    for balancer in service.balancers.iter().filter(serves) {
        match balancer.kind {
            // Each host answers for its own instances.
            BalancerKind::AgentCheck { .. } => {
                planned.extend(hosts.iter().map(|host| pool(service, balancer, host, &[host])));
            }
            BalancerKind::Haproxy { .. } | BalancerKind::Nginx { .. } | BalancerKind::Proxy { .. } => {
                let own = balancer.hosts.iter().filter_map(|name| all.get(name));
                planned.extend(own.map(|at| pool(service, balancer, at, hosts)));
            }
        }
    }
    planned
}

fn pool(service: &Service, balancer: &Balancer, at: &Host, hosts: &[&Host]) -> PlannedPool {
    let servers = hosts.iter().flat_map(|host| {
        let instances = service.run_on(host).instances(host.port_offset);
        instances.into_iter().filter_map(|instance| balancer.server(host, &instance))
    });
    let pool = Pool {
        service: service.name.clone(),
        host: at.name.clone(),
        balancer: balancer.kind.clone(),
        servers: servers.collect(),
        root: match at.transport {
            Transport::Ssh { .. } => PathBuf::from("~/.andon"),
            Transport::Local => PathBuf::from(".andon"),
        },
    };
    PlannedPool { at: at.clone(), pool }
}

/// How a host stands in its balancers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// All of its servers get traffic, or there is no balancer.
    In,
    /// A balancer finds it sick, or does not know it yet.
    Sick,
    /// Somebody took it out there: the pool's name.
    HeldOut(String),
}

/// How a host stands before a deployment. What an earlier deployment of ours left out is not held by anybody.
pub(super) fn standing(host: &HostName, pools: &[PlannedPool], sights: &Sights, known: &Scope) -> Standing {
    let mut standing = Standing::In;
    for planned in pools {
        let name = planned.pool.name();
        let Some(Ok(sight)) = sights.get(&name) else { continue };
        for Server { name: server, .. } in planned.pool.servers_of(host) {
            match sight.servers.get(server).map(|seen| &seen.state) {
                Some(ServerState::Up) => {}
                Some(ServerState::Out) if others_may_hold(planned) && !known.held.contains_key(host) => {
                    return Standing::HeldOut(name);
                }
                Some(ServerState::Out | ServerState::Down { .. }) | None => standing = Standing::Sick,
            }
        }
    }
    standing
}

/// Whether a server that is out can be somebody else's wish: only Andon writes the answers to agent-checks and the
/// files that nginx includes.
fn others_may_hold(planned: &PlannedPool) -> bool {
    match planned.pool.balancer {
        BalancerKind::Haproxy { .. } | BalancerKind::Proxy { .. } => true,
        BalancerKind::AgentCheck { .. } | BalancerKind::Nginx { .. } => false,
    }
}
