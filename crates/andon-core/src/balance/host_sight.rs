//! How one host stands in all of its balancers, and what that says to people who wait for it.

use std::collections::BTreeMap;

use super::numbers::Spot;
use super::{BalancerFailure, FailureKind, PoolSight, Server, ServerSight, ServerState, Sockets};
use crate::name::HostName;
use crate::plan::{PlannedPool, Sights};

/// Reasons that are named in one sentence before they are counted only.
const NAMED: usize = 3;

/// What each balancer sees of a host's servers, by the name of its pool.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HostSight {
    /// One server for each instance; a failure where the balancer did not answer, or lacks one of them.
    pub pools: BTreeMap<String, Result<Vec<ServerSight>, BalancerFailure>>,
}

/// Whether a host gets traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// From all of its balancers, for all of its instances. So does one that has no balancer.
    In,
    /// Not everywhere, or it is not known.
    Partly,
    /// From none of the balancers that answered.
    Out,
}

impl HostSight {
    /// What was seen of `host` when all `pools` were looked at.
    pub fn of(host: &HostName, pools: &[PlannedPool], sights: &Sights) -> Self {
        let its = pools.iter().filter(|planned| planned.pool.servers_of(host).next().is_some());
        let seen = its.filter_map(|planned| {
            let name = planned.pool.name();
            let seen = match sights.get(&name)? {
                Ok(sight) => servers(planned, host, sight),
                Err(failure) => Err(failure.clone()),
            };
            Some((name, seen))
        });
        Self { pools: seen.collect() }
    }

    /// The same for each instance by itself.
    pub fn of_each(pools: &[PlannedPool], sights: &Sights) -> BTreeMap<Spot, Self> {
        let mut each: BTreeMap<Spot, Self> = BTreeMap::new();
        for planned in pools {
            let name = planned.pool.name();
            let Some(sight) = sights.get(&name) else { continue };
            for server in &planned.pool.servers {
                let seen = match sight {
                    Ok(sight) => seen(server, sight).map(|seen| vec![seen]),
                    Err(failure) => Err(failure.clone()),
                };
                let spot = Spot { host: server.host.clone(), port: server.port };
                each.entry(spot).or_default().pools.insert(name.clone(), seen);
            }
        }
        each
    }

    /// Whether the host gets traffic.
    pub fn standing(&self) -> Standing {
        let mut up = self.pools.values().map(|seen| match seen {
            Ok(servers) => Some(servers.iter().all(|server| server.state == ServerState::Up)),
            Err(_) => None,
        });
        if up.clone().all(|up| up == Some(true)) {
            return Standing::In;
        }
        let any = self.pools.values().flatten().flatten().any(|server| server.state == ServerState::Up);
        if any || up.all(|up| up.is_none()) { Standing::Partly } else { Standing::Out }
    }

    /// What keeps the host from being idle: `3 sessions on haproxy www on lb1, 2 connections at work`. `None` when
    /// nothing does any more, as far as is known.
    pub fn busy_with(&self, sockets: Option<&Result<Sockets, String>>) -> Option<String> {
        let mut reasons = Vec::new();
        for (pool, seen) in &self.pools {
            let servers = match seen {
                Ok(servers) => servers,
                Err(failure) => {
                    reasons.push(format!("{pool}: {failure}"));
                    continue;
                }
            };
            if servers.iter().any(|server| server.state != ServerState::Out) {
                reasons.push(format!("{pool} still sends it traffic"));
            }
            let sessions = servers.iter().filter_map(|server| server.sessions).sum();
            let queued = servers.iter().map(|server| server.queued).sum();
            if sessions > 0 {
                reasons.push(format!("{} on {pool}", counted(sessions, "session")));
            }
            if queued > 0 {
                reasons.push(format!("{} waiting in {pool}", counted(queued, "request")));
            }
        }
        match sockets {
            Some(Ok(Sockets { busy: 0, .. })) | None => {}
            Some(Ok(sockets)) => {
                reasons.push(format!("{} at work", counted(u64::from(sockets.busy), "connection")));
            }
            Some(Err(why)) => reasons.push(format!("its connections could not be counted: {why}")),
        }
        sentence(reasons)
    }

    /// What keeps the host from its full traffic: `haproxy www on lb1 has it down: L7STS/503`. `None` when nothing
    /// does.
    pub fn kept_out_by(&self) -> Option<String> {
        let mut reasons = Vec::new();
        for (pool, seen) in &self.pools {
            let servers = match seen {
                Ok(servers) => servers,
                Err(failure) => {
                    reasons.push(match failure.kind {
                        FailureKind::Unreachable => format!("{pool} does not answer: {failure}"),
                        _ => format!("{pool}: {failure}"),
                    });
                    continue;
                }
            };
            let least = servers.iter().map(|server| server.weight).min();
            match servers.iter().map(|server| &server.state).find(|state| **state != ServerState::Up) {
                Some(ServerState::Down { why }) if why.is_empty() => {
                    reasons.push(format!("{pool} has it down"));
                }
                Some(ServerState::Down { why }) => reasons.push(format!("{pool} has it down: {why}")),
                Some(_) => reasons.push(format!("{pool} has it out")),
                None => reasons.extend(
                    least.filter(|share| *share < 100).map(|share| format!("{pool} gives it {share} %")),
                ),
            }
        }
        sentence(reasons)
    }
}

fn servers(
    planned: &PlannedPool,
    host: &HostName,
    sight: &PoolSight,
) -> Result<Vec<ServerSight>, BalancerFailure> {
    planned.pool.servers_of(host).map(|server| seen(server, sight)).collect()
}

fn seen(server: &Server, sight: &PoolSight) -> Result<ServerSight, BalancerFailure> {
    sight.servers.get(&server.name).cloned().ok_or_else(|| BalancerFailure {
        kind: FailureKind::Missing,
        reason: format!("it has no server {} ({}:{})", server.name, server.address, server.port),
        details: String::new(),
    })
}

fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn sentence(mut reasons: Vec<String>) -> Option<String> {
    let more = reasons.len().saturating_sub(NAMED);
    reasons.truncate(NAMED);
    if more > 0 {
        reasons.push(format!("and {more} more"));
    }
    (!reasons.is_empty()).then(|| reasons.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(state: ServerState, sessions: u64, queued: u64) -> ServerSight {
        ServerSight { state, weight: 100, sessions: Some(sessions), queued, counters: None }
    }

    fn sight(servers: Vec<(&str, Result<Vec<ServerSight>, BalancerFailure>)>) -> HostSight {
        HostSight { pools: servers.into_iter().map(|(pool, seen)| (pool.to_owned(), seen)).collect() }
    }

    fn silent() -> BalancerFailure {
        let reason = "no route to host".to_owned();
        BalancerFailure { kind: FailureKind::Unreachable, reason, details: String::new() }
    }

    #[test]
    fn a_drain_says_what_it_waits_for_at_both_ends() {
        let drains = sight(vec![
            ("haproxy www on lb1", Ok(vec![seen(ServerState::Out, 2, 1), seen(ServerState::Out, 1, 0)])),
            ("haproxy www on lb2", Ok(vec![seen(ServerState::Out, 0, 0)])),
        ]);
        let at_work = Ok(Sockets { established: 9, busy: 2, unsure: 0 });
        assert_eq!(
            drains.busy_with(Some(&at_work)).unwrap(),
            "3 sessions on haproxy www on lb1, 1 request waiting in haproxy www on lb1, 2 connections at work"
        );
        let idle = sight(vec![("nginx www on lb1", Ok(vec![seen(ServerState::Out, 0, 0)]))]);
        assert_eq!(idle.busy_with(Some(&Ok(Sockets { established: 4, busy: 0, unsure: 3 }))), None);
        let deaf = sight(vec![
            ("nginx www on lb1", Err(silent())),
            ("nginx www on lb2", Ok(vec![seen(ServerState::Up, 0, 0)])),
        ]);
        assert_eq!(
            deaf.busy_with(Some(&Err("no agent".into()))).unwrap(),
            "nginx www on lb1: no route to host, nginx www on lb2 still sends it traffic, \
             its connections could not be counted: no agent"
        );
    }

    #[test]
    fn a_host_that_is_not_in_says_which_balancer_keeps_it_out_and_why() {
        let down = ServerState::Down { why: "L7STS/503".into() };
        let cases = [
            (vec![("a", Ok(vec![seen(ServerState::Up, 0, 0)]))], Standing::In, None),
            (vec![], Standing::In, None),
            (
                vec![("a", Ok(vec![seen(ServerState::Up, 0, 0), seen(down, 0, 0)]))],
                Standing::Partly,
                Some("a has it down: L7STS/503"),
            ),
            (vec![("a", Ok(vec![seen(ServerState::Out, 0, 0)]))], Standing::Out, Some("a has it out")),
            (vec![("a", Err(silent()))], Standing::Partly, Some("a does not answer: no route to host")),
            (
                vec![("a", Err(silent())), ("b", Ok(vec![seen(ServerState::Out, 0, 0)]))],
                Standing::Out,
                Some("a does not answer: no route to host, b has it out"),
            ),
        ];
        for (pools, standing, why) in cases {
            let sight = sight(pools);
            assert_eq!((sight.standing(), sight.kept_out_by().as_deref()), (standing, why), "{sight:?}");
        }
        let slow = ServerSight { weight: 25, ..seen(ServerState::Up, 0, 0) };
        assert_eq!(sight(vec![("a", Ok(vec![slow]))]).kept_out_by().unwrap(), "a gives it 25 %");
        let many = (0..9).map(|n| (format!("p{n}"), Ok(vec![seen(ServerState::Out, 0, 0)])));
        let many = HostSight { pools: many.collect() };
        assert_eq!(many.kept_out_by().unwrap(), "p0 has it out, p1 has it out, p2 has it out, and 6 more");
    }
}
