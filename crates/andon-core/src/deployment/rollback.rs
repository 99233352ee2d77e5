//! Putting touched hosts back: as wide as the floor allows, without analysis, and never in a loop.

use super::decide::in_cycle;
use super::{Cause, Deployment, Doing, Fact, Failure, HostRun, HostState, State, Way};
use crate::host::Stage;
use crate::name::HostName;
use crate::plan::{Before, Plan};

impl Deployment {
    pub(super) fn roll_back(&self, plan: &Plan, cause: &Cause) -> Vec<Fact> {
        let cancelled = self.cancel_waiting();
        if !cancelled.is_empty() {
            return cancelled;
        }
        let returned = self.return_drained();
        if !returned.is_empty() {
            return returned;
        }
        // Hosts in rotation on the bad release hurt users: they go first. One at a time here; the driver asks again
        // until nothing more can start.
        let waiting = |serving: bool| {
            self.touched().filter(move |(_, run)| run.serving == serving).find(|(_, run)| awaits_revert(run))
        };
        let next = [waiting(true), waiting(false)]
            .into_iter()
            .flatten()
            .find(|(host, _)| self.may_leave_service(plan, host));
        if let Some((host, _)) = next {
            return self.begin_back(plan, host).into_iter().collect();
        }
        if self.hosts.values().any(in_cycle) {
            return Vec::new();
        }
        if let Some(returning) = self.return_sites(plan) {
            return returning;
        }
        let mut left: Vec<HostName> = self
            .touched()
            .filter(|(_, run)| run.state != HostState::Reverted)
            .map(|(host, _)| host.clone())
            .collect();
        left.extend(self.stuck_hosts().into_iter().map(|(host, _)| host.clone()));
        left.sort();
        left.dedup();
        let cause = cause.clone();
        let state = if left.is_empty() {
            State::RolledBack { cause }
        } else {
            State::RollbackFailed { cause, hosts: left }
        };
        vec![Fact::Entered { state }]
    }

    /// The first step back of a host; none when the plan has nothing to go back to.
    pub(super) fn begin_back(&self, plan: &Plan, host: &HostName) -> Option<Fact> {
        plan.back_to.as_ref()?;
        if plan.switch.is_some() {
            // Nobody uses it: traffic is what goes back.
            return None;
        }
        let has_it = match &plan.hosts.get(host)?.before {
            Before::Reached { has_back_to, .. } => *has_back_to,
            Before::Unreachable { .. } => false,
        };
        Some(self.begin(host, if has_it { self.leaving(plan, host) } else { Stage::Prepare }, Way::Back))
    }

    /// What follows when a step of a host's way back ended.
    pub(super) fn after_back(&self, host: &HostName, doing: &Doing, failed: Option<Failure>) -> Fact {
        if let Some(failure) = failed {
            return Fact::Host { host: host.clone(), state: HostState::RevertFailed(failure) };
        }
        match doing.stage {
            Stage::Prepare => {
                let next = self.plan.as_ref().map_or(Stage::Activate, |plan| self.leaving(plan, host));
                self.begin(host, next, Way::Back)
            }
            Stage::Drain => self.begin(host, Stage::Activate, Way::Back),
            Stage::Activate => self.begin(host, Stage::Verify, Way::Back),
            Stage::Verify if self.comes_back(host) => self.begin(host, Stage::Enable, Way::Back),
            Stage::Verify | Stage::Enable | Stage::Observe => {
                Fact::Host { host: host.clone(), state: HostState::Reverted }
            }
        }
    }
}

fn awaits_revert(run: &HostRun) -> bool {
    match &run.state {
        HostState::Ready | HostState::Succeeded | HostState::Failed(_) => true,
        // Watching the bad release any longer helps nobody, nor does bringing it to users. Its step is ended by the
        // driver.
        HostState::Doing(doing)
            if matches!(doing.stage, Stage::Enable | Stage::Observe) && doing.way == Way::Forward =>
        {
            true
        }
        // A host that was prepared only has nothing to put back; it is not touched.
        HostState::Pending
        | HostState::Skipped
        | HostState::Doing(_)
        | HostState::Prepared
        | HostState::Unknown { .. }
        | HostState::Unreachable { .. }
        | HostState::Reverted
        | HostState::RevertFailed(_)
        | HostState::Idle
        | HostState::Cancelled => false,
    }
}
