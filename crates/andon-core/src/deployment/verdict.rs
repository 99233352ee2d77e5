//! A bad host or a bad release? The budgets of a deployment, applied.

use std::collections::BTreeMap;

use super::{AfterAbort, Cause, Deployment, Fact, Failure, HostState, PauseReason, Phase, State, count};
use crate::host::Stage;
use crate::name::HostName;
use crate::plan::{OnFailure, Plan};
use crate::time::Time;

impl Deployment {
    /// What speaks against the release after `wave` (counted from 0) has begun; `None` lets it go on.
    ///
    /// In order: any failed host of the first wave; the same step failing on several hosts; more failed hosts than
    /// the plan bears. Late in a run, one odd host alone does not undo a good release.
    pub(super) fn verdict(&self, plan: &Plan, wave: usize) -> Option<Cause> {
        if plan.on_failure == OnFailure::GoOn {
            return None;
        }
        let failures: Vec<(&HostName, &Failure)> =
            self.hosts.iter().filter_map(|(host, run)| Some((host, run.failure.as_ref()?))).collect();
        // What speaks against one host alone is counted, and is no sign of a bad release.
        let alike = |host: &HostName| self.hosts.get(host).is_some_and(|run| !run.suspect);
        let canary =
            failures.iter().find(|(host, _)| wave == 0 && alike(host) && self.wave_of(host) == Some(0));
        if let Some((host, failure)) = canary {
            let (host, stage, reason) = ((*host).clone(), failure.stage, failure.reason.clone());
            return Some(Cause::Canary { host, stage, reason });
        }
        let mut by_stage: BTreeMap<Stage, Vec<(&HostName, &Failure)>> = BTreeMap::new();
        for (host, failure) in failures.iter().filter(|(host, _)| alike(host)) {
            by_stage.entry(failure.stage).or_default().push((host, failure));
        }
        let correlated = by_stage.iter().find(|(_, hosts)| count(hosts.iter()) >= plan.correlated_failures);
        if let Some((stage, hosts)) = correlated {
            let reason = hosts.first().map(|(_, failure)| failure.reason.clone()).unwrap_or_default();
            let hosts = hosts.iter().map(|(host, _)| (*host).clone()).collect();
            return Some(Cause::Correlated { stage: *stage, hosts, reason });
        }
        let failed = count(failures.iter());
        let last = failures.last().filter(|_| failed > plan.max_failed)?;
        Some(Cause::Budget { failed, max: plan.max_failed, reason: last.1.reason.clone() })
    }

    /// The facts that stop a release that failed, or that makes no progress.
    pub(super) fn stop_on_verdict(&self, now: Time, plan: &Plan, wave: usize) -> Option<Vec<Fact>> {
        let stalled = || {
            let deadline = plan.service.rollout.progress_deadline;
            let working =
                matches!(&self.state, State::Running { phase } if !matches!(phase, Phase::Judge { .. }));
            let running = working && plan.on_failure != OnFailure::GoOn;
            (running && now.since(self.progress) >= deadline).then_some(Cause::NoProgress { after: deadline })
        };
        let cause = self.condemned().or_else(|| self.verdict(plan, wave)).or_else(stalled)?;
        Some(vec![Fact::Entered { state: self.put_back_for(plan, cause) }])
    }

    /// The state that puts the release back, or stops it where there is nothing to put back.
    pub(super) fn put_back_for(&self, plan: &Plan, cause: Cause) -> State {
        let nothing_touched = self.touched().next().is_none();
        match plan.on_failure {
            OnFailure::RollBack if !nothing_touched => State::RollingBack { cause },
            _ => State::Aborting { then: AfterAbort::Fail { cause } },
        }
    }

    /// Why the run must pause for unreachable hosts, apart from failed ones.
    pub(super) fn too_many_unreachable(&self, plan: &Plan) -> Option<PauseReason> {
        let count = self.unreachable();
        (count > plan.max_unreachable)
            .then_some(PauseReason::Unreachable { count, max: plan.max_unreachable })
    }

    /// Hosts that were put back or left out while the deployment went on.
    pub fn set_aside(&self) -> impl Iterator<Item = (&HostName, &HostState)> {
        self.hosts
            .iter()
            .filter(|(_, run)| {
                matches!(
                    run.state,
                    HostState::Failed(_)
                        | HostState::Reverted
                        | HostState::RevertFailed(_)
                        | HostState::Unreachable { .. }
                )
            })
            .map(|(host, run)| (host, &run.state))
    }
}
