//! Traffic that moves from one set of hosts to the other, and back when it hurts.
//!
//! The idle set is changed and tested while nobody uses it. Then both sets get their shares, step by step; each
//! step is over when every balancer was seen to give every host its share. The way back is a single step, and needs
//! no host to be changed: the other set still runs what it ran.

use super::judging::Gate;
use super::traffic::{HELD, TrafficSight, broken, holds, never_up};
use super::{AfterAbort, Cause, Deployment, Fact, HostRun, HostState, PauseReason, Phase, State};
use crate::balance::{FailureKind, ServerState};
use crate::host::Stage;
use crate::name::HostName;
use crate::plan::{Plan, Switch};
use crate::time::Time;

/// The shares of the two sets, in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shares {
    to: u8,
    from: u8,
}

const BEFORE: Shares = Shares { to: 0, from: 100 };
const AFTER: Shares = Shares { to: 100, from: 0 };

impl Deployment {
    /// Whether traffic is on its way from one set to the other.
    pub(super) fn is_switching(&self, plan: &Plan) -> bool {
        plan.switch
            .as_ref()
            .is_some_and(|switch| self.shares(switch).is_some_and(|shares| !self.has_moved(switch, shares)))
    }

    /// The share that a host should have now; `None` while no traffic has moved.
    pub(super) fn switched_share(&self, plan: &Plan, host: &HostName, run: &HostRun) -> Option<u8> {
        let switch = plan.switch.as_ref()?;
        let shares = self.shares(switch)?;
        if switch.to_hosts.contains(host) {
            return Some(if takes_part(run) { shares.to } else { 0 });
        }
        // What did not serve before is not brought back by us, but leaves with its set.
        let goes_back = run.served_before || shares.from == 0;
        (goes_back && switch.from_hosts.contains(host)).then_some(shares.from)
    }

    fn shares(&self, switch: &Switch) -> Option<Shares> {
        match &self.state {
            State::Running { phase } | State::Paused { at: phase, .. } => match phase {
                Phase::Prepare | Phase::Wave(_) | Phase::Judge { .. } => None,
                Phase::Switch { step, .. } => {
                    let to = switch.steps.get(*step).copied().unwrap_or(100).min(100);
                    Some(if switch.from_hosts.is_empty() { AFTER } else { Shares { to, from: 100 - to } })
                }
                Phase::Bake { .. } => Some(AFTER),
            },
            State::Baking { .. } => Some(AFTER),
            State::Aborting { then } => {
                let moved = self.hosts.values().any(|run| run.share.is_some());
                let stays = matches!(then, AfterAbort::Leave { .. }) && self.has_moved(switch, AFTER);
                moved.then_some(if stays { AFTER } else { BEFORE })
            }
            State::RollingBack { .. } => self.hosts.values().any(|run| run.share.is_some()).then_some(BEFORE),
            _ => None,
        }
    }

    /// Whether every host that takes part was seen to have its share.
    fn has_moved(&self, switch: &Switch, shares: Shares) -> bool {
        self.lacking(switch, shares).is_empty()
    }

    /// Hosts that were not seen to have their share yet.
    fn lacking(&self, switch: &Switch, shares: Shares) -> Vec<HostName> {
        let lacks = |names: &[HostName], share: u8, counts: fn(&HostRun) -> bool| -> Vec<HostName> {
            let runs = names.iter().filter_map(|name| Some((name, self.hosts.get(name)?)));
            runs.filter(|(_, run)| counts(run) && run.share != Some(share))
                .map(|(name, _)| name.clone())
                .collect()
        };
        let mut all = lacks(&switch.to_hosts, shares.to, takes_part);
        all.extend(lacks(&switch.from_hosts, shares.from, |run| run.served_before));
        all
    }

    /// What follows when a host was seen that should have `share`.
    pub(super) fn sharing(
        &self,
        now: Time,
        plan: &Plan,
        host: &HostName,
        run: &HostRun,
        share: u8,
        sight: &TrafficSight,
    ) -> Vec<Fact> {
        let rollout = &plan.service.rollout;
        let waited = now.since(self.progress);
        if let Some((pool, failure)) = broken(sight) {
            let hopeless = failure.kind != FailureKind::Unreachable;
            let pause = hopeless || waited >= rollout.drain_timeout;
            return if pause { self.pause_for(pool, failure).into_iter().collect() } else { Vec::new() };
        }
        let servers = || sight.pools.iter().filter_map(|(pool, seen)| Some((pool, seen.as_ref().ok()?)));
        let other = servers().find_map(|(pool, seen)| {
            let as_wished = |server: &&crate::balance::ServerSight| match share {
                0 => server.state == ServerState::Out,
                // How finely a balancer can weigh is its own affair; it was told the share.
                _ => server.state == ServerState::Up,
            };
            let server = seen.iter().find(|server| !as_wished(server))?;
            Some((pool, &server.state))
        });
        let Some((pool, state)) = other else {
            let news = run.share != Some(share);
            return news.then(|| Fact::Shared { host: host.clone(), share }).into_iter().collect();
        };
        if *state == ServerState::Out && waited >= HELD {
            return self.pause_for(pool, &holds(host)).into_iter().collect();
        }
        let forward = matches!(self.state, State::Running { .. }) && share > 0 && run.share.is_none();
        if !forward || waited < rollout.healthy_deadline || !takes_part(run) {
            return Vec::new();
        }
        let failure = never_up(pool, state, rollout.healthy_deadline);
        vec![Fact::Host { host: host.clone(), state: HostState::Failed(failure) }]
    }

    /// All of the set are changed: traffic begins to move, if enough of them are ready for it.
    pub(super) fn begin_switch(&self, now: Time, plan: &Plan, switch: &Switch) -> Vec<Fact> {
        let ready =
            switch.to_hosts.iter().filter_map(|host| self.hosts.get(host)).filter(|run| takes_part(run));
        let available = super::count(ready);
        let state = if available < plan.floor.max(1) {
            let reason = PauseReason::Floor { available, floor: plan.floor.max(1) };
            State::Paused { reason, at: Phase::Wave(plan.waves.len()) }
        } else {
            Phase::Switch { step: 0, since: now }.running()
        };
        vec![Fact::Entered { state }]
    }

    /// The facts that move traffic one step further, and end the move.
    pub(super) fn run_switch(&self, now: Time, plan: &Plan, step: usize, since: Time) -> Vec<Fact> {
        let Some(switch) = &plan.switch else { return Vec::new() };
        // Any failure of the set that just gets its first users counts as one of the first wave.
        if let Some(stop) = self.stop_on_verdict(now, plan, 0) {
            return stop;
        }
        let Some(shares) = self.shares(switch).filter(|shares| self.has_moved(switch, *shares)) else {
            return Vec::new();
        };
        if shares != AFTER {
            let next = Phase::Switch { step: step + 1, since: now };
            if now.since(since) < switch.step_time {
                return Vec::new();
            }
            return match self.gate(now, plan, &Phase::Switch { step, since }) {
                Gate::Open => vec![Fact::Entered { state: next.running() }],
                Gate::Shut => Vec::new(),
                Gate::Ends(state) => vec![Fact::Entered { state }],
            };
        }
        let arrived = switch.to_hosts.iter().filter(|host| self.is(host, &HostState::Ready));
        let left = switch.from_hosts.iter().filter(|host| self.is(host, &HostState::Pending));
        let facts: Vec<Fact> = arrived
            .map(|host| Fact::Host { host: host.clone(), state: HostState::Succeeded })
            .chain(left.map(|host| Fact::Host { host: host.clone(), state: HostState::Idle }))
            .collect();
        if facts.is_empty() { self.after_last_wave(now, plan) } else { facts }
    }

    /// Puts traffic back where it was; the set that it leaves stays as it is, without users.
    pub(super) fn switch_back(&self, now: Time, plan: &Plan, switch: &Switch, cause: &Cause) -> Vec<Fact> {
        let watched: Vec<Fact> = self.leave_new_set(
            switch,
            |run| matches!(&run.state, HostState::Doing(doing) if doing.stage == Stage::Observe),
        );
        if !watched.is_empty() || self.busy() {
            return watched;
        }
        let lacking = match self.shares(switch) {
            Some(shares) => self.lacking(switch, shares),
            None => Vec::new(),
        };
        let cause = cause.clone();
        let state = if lacking.is_empty() {
            State::RolledBack { cause }
        } else if now.since(self.progress) < plan.service.rollout.healthy_deadline {
            return Vec::new();
        } else {
            State::RollbackFailed { cause, hosts: lacking }
        };
        let mut facts = self.leave_new_set(switch, |run| run.touched && takes_part(run));
        facts.extend(self.cancel_waiting());
        facts.push(Fact::Entered { state });
        facts
    }

    /// Whether an abort must wait for traffic to be back where it was; not for ever.
    pub(super) fn waits_for_traffic(&self, now: Time, plan: &Plan) -> bool {
        let in_time = now.since(self.progress) < plan.service.rollout.healthy_deadline;
        in_time && self.is_switching(plan)
    }

    /// The hosts of a set that gets no traffic after all.
    pub(super) fn leave_new_set(&self, switch: &Switch, wanted: fn(&HostRun) -> bool) -> Vec<Fact> {
        let runs = switch.to_hosts.iter().filter_map(|host| Some((host, self.hosts.get(host)?)));
        runs.filter(|(_, run)| wanted(run))
            .map(|(host, _)| Fact::Host { host: host.clone(), state: HostState::Idle })
            .collect()
    }

    fn is(&self, host: &HostName, state: &HostState) -> bool {
        self.hosts.get(host).is_some_and(|run| run.state == *state)
    }
}

/// Whether a host of the new set is whole, and so gets a share of the traffic.
pub(super) fn takes_part(run: &HostRun) -> bool {
    match &run.state {
        HostState::Ready | HostState::Skipped | HostState::Succeeded => true,
        HostState::Doing(doing) => doing.stage == Stage::Observe,
        _ => false,
    }
}
