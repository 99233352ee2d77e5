//! Draining and enabling: what the balancers of each host should do, and what follows from what they see.
//!
//! The wishes are read off the state, so whoever drives asks for them again and again: a balancer that forgot one
//! after a reload is told once more, and a controller that was killed between a drain and an enable goes on.
//!
//! A drain is over when every balancer has the host out, with nothing under way and nothing waiting, and the host
//! itself sees no connection at work. When that takes longer than the drain's time, what is left is cut and counted.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Deployment, Doing, DrainProof, Fact, Failure, HostRun, HostState, PauseReason, State, Way};
use crate::balance::{BalancerFailure, FailureKind, ServerSight, ServerState, Sockets, Traffic};
use crate::host::Stage;
use crate::name::HostName;
use crate::plan::Plan;
use crate::quantity::format_duration;
use crate::time::Time;

/// A balancer that has a host out although it was told to put it in for so long does so by somebody else's wish.
pub(super) const HELD: Duration = Duration::from_secs(15);

/// What all balancers of a host, and the host itself, were seen to do, after they had been told what was wished.
#[derive(Debug, Clone, PartialEq)]
pub struct TrafficSight {
    /// What the balancers had been told of this host.
    pub wished: Option<Traffic>,
    /// What each balancer sees of the host's servers, by the name of its pool.
    pub pools: BTreeMap<String, Result<Vec<ServerSight>, BalancerFailure>>,
    /// What the host sees, asked after the balancers had answered; only for a host that is being drained.
    pub sockets: Option<Result<Sockets, String>>,
}

impl Deployment {
    /// What the balancers should do with each host at `now`. A host that is not named stays as it is.
    pub fn traffic(&self, now: Time) -> BTreeMap<HostName, Traffic> {
        let Some(plan) = self.plan.as_deref().filter(|_| !self.state.is_terminal()) else {
            return BTreeMap::new();
        };
        let now = self.clamp(now);
        self.hosts
            .iter()
            .filter(|(host, _)| plan.is_balanced(host))
            .filter_map(|(host, run)| Some((host.clone(), self.wish(plan, host, run, now)?)))
            .collect()
    }

    /// What is wished for a host; `None` leaves it to others.
    fn wish(&self, plan: &Plan, host: &HostName, run: &HostRun, now: Time) -> Option<Traffic> {
        match self.switched_share(plan, host, run) {
            Some(0) => Some(Traffic::Out),
            Some(share) => Some(Traffic::In(share)),
            None => wish(plan, run, now),
        }
    }

    /// Whether any host is on its way out of or into its balancers: then news of them are urgent.
    pub fn traffic_is_moving(&self) -> bool {
        let between_sets = self.plan.as_deref().is_some_and(|plan| self.is_switching(plan));
        let on_its_way = |state: &HostState| matches!(state, HostState::Doing(doing) if matches!(doing.stage, Stage::Drain | Stage::Enable));
        between_sets || self.in_state(on_its_way)
    }

    /// The first stage of a host's way to another release: out of its balancers, where it has any.
    pub(super) fn leaving(&self, plan: &Plan, host: &HostName) -> Stage {
        if plan.is_balanced(host) { Stage::Drain } else { Stage::Activate }
    }

    /// Whether a verified host goes back into balancers.
    pub(super) fn comes_back(&self, host: &HostName) -> bool {
        let held_out = self.hosts.get(host).is_some_and(|run| run.held_out);
        !held_out && self.plan.as_ref().is_some_and(|plan| plan.is_balanced(host) && plan.switch.is_none())
    }

    /// What follows from the sight of one host.
    pub(super) fn seen(&self, now: Time, host: &HostName, sight: &TrafficSight) -> Vec<Fact> {
        let (Some(plan), Some(run)) = (self.plan.as_deref(), self.hosts.get(host)) else { return Vec::new() };
        if sight.wished != self.wish(plan, host, run, now) {
            // It was asked for before the state that it is meant for.
            return Vec::new();
        }
        if let Some(share) = self.switched_share(plan, host, run) {
            return self.sharing(now, plan, host, run, share, sight);
        }
        match &run.state {
            HostState::Doing(doing) if doing.stage == Stage::Drain => {
                self.draining(now, host, run, doing, sight)
            }
            HostState::Doing(doing) if doing.stage == Stage::Enable => {
                self.enabling(now, host, run, doing, sight)
            }
            HostState::Doing(Doing { stage: Stage::Prepare, way: Way::Forward, .. })
            | HostState::Pending
            | HostState::Prepared
            | HostState::Skipped
            | HostState::Succeeded
            | HostState::Reverted => resting(host, run, sight).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    fn draining(
        &self,
        now: Time,
        host: &HostName,
        run: &HostRun,
        doing: &Doing,
        sight: &TrafficSight,
    ) -> Vec<Fact> {
        let Some(plan) = self.plan.as_deref() else { return Vec::new() };
        let took = now.since(run.since);
        let late = took >= plan.service.rollout.drain_timeout;
        let drained = |proof| {
            vec![Fact::Drained { host: host.clone(), proof }, self.begin(host, Stage::Activate, doing.way)]
        };
        let sockets = sight.sockets.as_ref().and_then(|sockets| sockets.as_ref().ok());
        let proof =
            DrainProof { took, cut: 0, sockets: sockets.map(|seen| seen.established), unproven: None };
        if let Some((pool, failure)) = broken(sight) {
            let hopeless = failure.kind != FailureKind::Unreachable;
            return match doing.way {
                Way::Forward if hopeless || late => self.stay_in(host, pool, failure),
                // What hurts users is put back all the same.
                Way::Back if late => {
                    drained(DrainProof { unproven: Some(format!("{pool}: {failure}")), ..proof })
                }
                Way::Forward | Way::Back => Vec::new(),
            };
        }
        let servers = || sight.pools.values().flatten().flatten();
        let out = servers().all(|server| server.state == ServerState::Out);
        let under_way: u64 = servers().map(|server| server.sessions.unwrap_or(0) + server.queued).sum();
        let exact = servers().all(|server| server.sessions.is_some());
        let busy = sockets.map(|seen| u64::from(seen.busy) + if exact { 0 } else { u64::from(seen.unsure) });
        if out && under_way == 0 && busy == Some(0) {
            return drained(proof);
        }
        if !late {
            return Vec::new();
        }
        if !out && doing.way == Way::Forward {
            let (kind, reason) = (FailureKind::Refused, format!("it still sends traffic to {host}"));
            let pool = not_out(sight).unwrap_or_default();
            return self.stay_in(host, pool, &BalancerFailure { kind, reason, details: String::new() });
        }
        let unproven = match &sight.sockets {
            Some(Err(why)) => Some(format!("{host} could not count its connections: {why}")),
            _ => None,
        };
        drained(DrainProof { cut: under_way.max(busy.unwrap_or(0)), unproven, ..proof })
    }

    /// A host that cannot be taken out goes back in as it is, and no other one starts.
    fn stay_in(&self, host: &HostName, pool: &str, failure: &BalancerFailure) -> Vec<Fact> {
        let mut facts = vec![self.begin(host, Stage::Enable, Way::Forward)];
        facts.extend(self.pause_for(pool, failure));
        facts
    }

    pub(super) fn pause_for(&self, pool: &str, failure: &BalancerFailure) -> Option<Fact> {
        let State::Running { phase } = &self.state else { return None };
        let reason = PauseReason::Balancer {
            pool: pool.to_owned(),
            why: failure.reason.clone(),
            details: failure.details.clone(),
        };
        Some(Fact::Entered { state: State::Paused { reason, at: phase.clone() } })
    }

    fn enabling(
        &self,
        now: Time,
        host: &HostName,
        run: &HostRun,
        doing: &Doing,
        sight: &TrafficSight,
    ) -> Vec<Fact> {
        let Some(plan) = self.plan.as_deref() else { return Vec::new() };
        let rollout = &plan.service.rollout;
        let waited = now.since(run.since);
        let stopping = matches!(self.state, State::Aborting { .. } | State::RollingBack { .. });
        if let Some((pool, failure)) = broken(sight) {
            // It stays on its way in: the balancer is told again and again, until it answers.
            let patience =
                if failure.kind == FailureKind::Unreachable { rollout.drain_timeout } else { Duration::ZERO };
            if waited < patience {
                return Vec::new();
            }
            if stopping && waited >= rollout.reconnect_window {
                let reason = format!("{pool}: {failure}");
                let failure = Failure { stage: Stage::Enable, reason, tail: failure.details.clone() };
                return vec![self.after(host, doing, Some(failure))];
            }
            return self.pause_for(pool, failure).into_iter().collect();
        }
        let sick = sight.pools.iter().find_map(|(pool, servers)| {
            let servers = servers.as_ref().ok()?;
            let server = servers.iter().find(|server| server.state != ServerState::Up)?;
            Some((pool, &server.state))
        });
        match sick {
            None if sight.wished == Some(Traffic::FULL) => vec![self.after(host, doing, None)],
            None => Vec::new(),
            // By somebody's hand: that is no fault of the release, and ends by a hand.
            Some((pool, ServerState::Out)) if !stopping => {
                let pause = self.pause_for(pool, &holds(host)).filter(|_| waited >= HELD);
                pause.into_iter().collect()
            }
            Some(_) if waited < rollout.healthy_deadline + rollout.slow_start => Vec::new(),
            // It was not changed, so it is as sick as it was before.
            Some(_) if !run.touched => vec![self.after(host, doing, None)],
            Some((pool, state)) => {
                let failure = never_up(pool, state, rollout.healthy_deadline);
                vec![self.after(host, doing, Some(failure))]
            }
        }
    }

    /// Hosts on their way out that are not to be changed any more go back in as they are. Those of an idle set
    /// had no traffic before.
    pub(super) fn return_drained(&self) -> Vec<Fact> {
        let switches = self.plan.as_ref().is_some_and(|plan| plan.switch.is_some());
        self.hosts
            .iter()
            .filter(|(_, run)| {
                matches!(&run.state, HostState::Doing(doing) if doing.stage == Stage::Drain && doing.way == Way::Forward)
            })
            .map(|(host, _)| match switches {
                true => Fact::Host { host: host.clone(), state: HostState::Prepared },
                false => self.begin(host, Stage::Enable, Way::Forward),
            })
            .collect()
    }
}

/// What is wished for a host that goes its way by itself.
fn wish(plan: &Plan, run: &HostRun, now: Time) -> Option<Traffic> {
    match &run.state {
        HostState::Doing(Doing { stage: Stage::Enable, .. }) if run.held_out => None,
        HostState::Doing(Doing { stage: Stage::Enable, .. }) => {
            Some(Traffic::coming_back(now.since(run.since), plan.service.rollout.slow_start))
        }
        HostState::Doing(Doing { stage: Stage::Activate, .. })
            if run.drain.as_ref().is_some_and(|proof| proof.cut > 0) =>
        {
            Some(Traffic::Cut)
        }
        HostState::Doing(Doing { stage: Stage::Drain | Stage::Activate, .. }) => Some(Traffic::Out),
        // One that was interrupted while it was watched is verified where it is: among its users.
        HostState::Doing(Doing { stage: Stage::Verify, .. })
        | HostState::Ready
        | HostState::Unknown { .. }
        | HostState::Unreachable { .. }
        | HostState::Failed(_)
        | HostState::RevertFailed(_)
        | HostState::Doing(Doing { stage: Stage::Prepare, .. }) => run.drained.then_some(Traffic::Out),
        HostState::Doing(Doing { stage: Stage::Observe, .. }) => None,
        HostState::Pending
        | HostState::Skipped
        | HostState::Prepared
        | HostState::Succeeded
        | HostState::Reverted
        | HostState::Idle
        | HostState::Cancelled => None,
    }
}

/// The first balancer that did not answer as it should, the ones that will not come back by themselves before others.
pub(super) fn broken(sight: &TrafficSight) -> Option<(&str, &BalancerFailure)> {
    let failures =
        || sight.pools.iter().filter_map(|(pool, seen)| Some((pool.as_str(), seen.as_ref().err()?)));
    failures().find(|(_, failure)| failure.kind != FailureKind::Unreachable).or_else(|| failures().next())
}

/// The failure of a host that a balancer did not find up within `deadline`.
pub(super) fn never_up(pool: &str, state: &ServerState, deadline: Duration) -> Failure {
    let why = match state {
        ServerState::Down { why } => format!(": {why}"),
        ServerState::Up | ServerState::Out => String::new(),
    };
    let reason = format!("{pool} did not find it up within {}{why}", format_duration(deadline));
    Failure { stage: Stage::Enable, reason, tail: String::new() }
}

pub(super) fn holds(host: &HostName) -> BalancerFailure {
    let reason =
        format!("somebody holds {host} out there, for example in maintenance: end that, then resume");
    BalancerFailure { kind: FailureKind::Refused, reason, details: String::new() }
}

fn not_out(sight: &TrafficSight) -> Option<&str> {
    sight.pools.iter().find_map(|(pool, servers)| {
        let servers = servers.as_ref().ok()?;
        servers.iter().any(|server| server.state != ServerState::Out).then_some(pool.as_str())
    })
}

/// A host that nobody works on: whether it serves is what its balancers say. One that does not answer says nothing.
fn resting(host: &HostName, run: &HostRun, sight: &TrafficSight) -> Option<Fact> {
    let seen = || sight.pools.iter().filter_map(|(pool, servers)| Some((pool, servers.as_ref().ok()?)));
    let not_up = seen().find_map(|(pool, servers)| {
        let server = servers.iter().find(|server| server.state != ServerState::Up)?;
        Some((pool, &server.state))
    });
    let (serving, why) = match not_up {
        _ if seen().next().is_none() => return None,
        None if !run.able => return None,
        None => (true, "its balancers find it up".to_owned()),
        Some((pool, ServerState::Down { why })) => (false, format!("{pool} finds it down: {why}")),
        Some((pool, _)) => (false, format!("{pool} has it out")),
    };
    (serving != run.serving).then(|| Fact::Serving { host: host.clone(), serving, why })
}
