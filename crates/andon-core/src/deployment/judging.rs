//! What an analysis of new against old hosts means for a deployment: who is compared, what a verdict leads to.
//!
//! A failed analysis puts the release back from any phase. The gate between two waves waits for the others: a pass
//! goes on, and what is not known is decided by the line, never passed in silence.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Cause, Deployment, Fact, Failure, HostRun, HostState, PauseReason, Phase, State, Way};
use crate::analysis::{Arm, Policy, Standing, Verdict};
use crate::host::Stage;
use crate::name::{HostName, MemberName};
use crate::plan::Plan;
use crate::time::Time;

/// Where a host stands in an analysis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standpoint {
    /// Which release it runs.
    pub arm: Arm,
    /// How long it has served on it; `None` for longer than is known.
    pub age: Option<Duration>,
}

impl Deployment {
    /// The hosts that are compared at `now`: those that serve, or should, on the new release and on the old one. Hosts
    /// in their cycle are neither, and a host that was put back because it was unlike the others is no measure either.
    pub fn compared(&self, now: Time) -> BTreeMap<HostName, Standpoint> {
        let now = self.clamp(now);
        let standpoint = |run: &HostRun| {
            let age = run.joined.map(|joined| now.since(joined));
            let arm = match &run.state {
                _ if run.held_out || run.suspect => return None,
                HostState::Succeeded | HostState::Skipped => Arm::Canary,
                HostState::Doing(doing) if doing.stage == Stage::Observe && doing.way == Way::Forward => {
                    Arm::Canary
                }
                HostState::Ready if run.serving => Arm::Canary,
                HostState::Pending | HostState::Prepared | HostState::Reverted if run.serving => Arm::Control,
                HostState::Doing(doing) if doing.stage == Stage::Prepare && run.serving => Arm::Control,
                _ => return None,
            };
            Some(Standpoint { arm, age })
        };
        // In a switch, hosts that are ready or left alone run the new release without users until traffic moves.
        let has_users = |run: &HostRun| run.share.is_none_or(|share| share > 0);
        let switched = self.plan.as_ref().is_some_and(|plan| plan.switch.is_some());
        self.hosts
            .iter()
            .filter(|(_, run)| has_users(run) && (!switched || run.serving))
            .filter_map(|(host, run)| Some((host.clone(), standpoint(run)?)))
            .collect()
    }

    /// Since when the present stage of the analysis lasts; `None` while there is none, for example while hosts of a
    /// wave change. A verdict counts for the stage that it was given in.
    pub fn stage_since(&self) -> Option<Time> {
        match &self.state {
            State::Running { phase } | State::Paused { at: phase, .. } => match phase {
                Phase::Judge { since, .. } | Phase::Switch { since, .. } | Phase::Bake { since } => {
                    Some(*since)
                }
                Phase::Prepare | Phase::Wave(_) => None,
            },
            State::Baking { since } => Some(*since),
            _ => None,
        }
    }

    /// Whether new hosts are compared with old ones now.
    pub fn is_judged(&self) -> bool {
        let going = matches!(self.state, State::Running { .. } | State::Paused { .. } | State::Baking { .. });
        going && self.plan.as_ref().is_some_and(|plan| plan.watch().is_some())
    }

    /// The facts that follow from how the analysis stands, in the stage that began at `stage`.
    pub(super) fn heard_analysis(&self, stage: Option<Time>, standing: &Standing) -> Vec<Fact> {
        if !self.is_judged() {
            return Vec::new();
        }
        let mut facts: Vec<Fact> = standing
            .suspects
            .iter()
            .filter_map(|suspect| {
                let (host, run) = self.hosts.iter().find(|(host, _)| is_member(host, &suspect.member))?;
                let new =
                    matches!(run.state, HostState::Succeeded) || super::decide::is_doing(run, Stage::Observe);
                (new && !run.suspect)
                    .then(|| Fact::Suspected { host: host.clone(), why: suspect.why.clone() })
            })
            .collect();
        let known = self.judged.as_ref().and_then(|judged| judged.verdict);
        let counts = match standing.verdict {
            Some(Verdict::Fail) => true,
            Some(_) => stage.is_some() && stage == self.stage_since(),
            None => false,
        };
        if counts && standing.verdict != known {
            facts.push(Fact::Judged { standing: Box::new(standing.clone()) });
        }
        facts
    }

    /// A host that is unlike the others is as good as failed, but speaks against itself alone.
    pub(super) fn suspect(&mut self, at: Time, host: &HostName, why: &str) {
        let failure = Failure { stage: Stage::Observe, reason: why.to_owned(), tail: String::new() };
        if let Some(run) = self.hosts.get_mut(host) {
            run.suspect = true;
        }
        self.enter_host(at, host, &HostState::Failed(failure));
    }

    /// What the analysis says against the release.
    pub(super) fn condemned(&self) -> Option<Cause> {
        let judged = self.judged.as_ref().filter(|judged| judged.verdict == Some(Verdict::Fail))?;
        let blamed = judged.metrics.iter().filter(|metric| metric.blamed);
        Some(Cause::Analysis {
            sentence: judged.sentence.clone(),
            metrics: blamed.map(|metric| metric.name.clone()).collect(),
        })
    }

    /// What comes after the hosts of a wave have changed: the gate, where there is something to judge.
    pub(super) fn after_wave(&self, now: Time, plan: &Plan, wave: usize) -> Vec<Fact> {
        let last = wave + 1 >= plan.waves.len();
        let phase = match plan.watch() {
            Some(watch) if watch.can_pass() && !last => Phase::Judge { wave, since: now },
            _ => Phase::Wave(wave + 1),
        };
        vec![Fact::Entered { state: phase.running() }]
    }

    /// The gate between two waves.
    pub(super) fn judge_wave(&self, now: Time, plan: &Plan, wave: usize, since: Time) -> Vec<Fact> {
        if let Some(stop) = self.stop_on_verdict(now, plan, wave) {
            return stop;
        }
        let at = Phase::Judge { wave, since };
        if let Some(reason) = self.too_many_unreachable(plan) {
            return vec![Fact::Entered { state: State::Paused { reason, at } }];
        }
        if let Some(back) = self.put_back_one_bad_host(plan) {
            return vec![back];
        }
        // A host on its way back holds the ramp.
        if self.hosts.values().any(super::decide::in_cycle) {
            return Vec::new();
        }
        match self.gate(now, plan, &at) {
            Gate::Open => vec![Fact::Entered { state: Phase::Wave(wave + 1).running() }],
            Gate::Shut => Vec::new(),
            Gate::Ends(state) => vec![Fact::Entered { state }],
        }
    }

    /// Whether the deployment may go on from a stage, by what the analysis said of it.
    pub(super) fn gate(&self, now: Time, plan: &Plan, at: &Phase) -> Gate {
        let Some(watch) = plan.watch().filter(|watch| watch.can_pass()) else { return Gate::Open };
        let Some(judged) = &self.judged else { return Gate::Shut };
        let policy = match judged.verdict {
            Some(Verdict::Pass) => Policy::Proceed,
            // Much speaks against it, and only the window was too short to prove it: nobody would let that pass.
            Some(Verdict::Inconclusive) if watch.rules.inconclusive.is_none() && judged.leans_to_harm() => {
                Policy::Hold
            }
            Some(Verdict::Inconclusive) => watch.inconclusive(),
            Some(Verdict::None) => watch.rules.no_data,
            Some(Verdict::Fail) | None => return Gate::Shut,
        };
        let sentence = judged.sentence.clone();
        match policy {
            Policy::Proceed if now < self.held_back_until(plan, at) => Gate::Shut,
            Policy::Proceed => Gate::Open,
            Policy::Hold => {
                Gate::Ends(State::Paused { reason: PauseReason::Undecided { sentence }, at: at.clone() })
            }
            Policy::RollBack => Gate::Ends(self.put_back_for(plan, Cause::Undecided { sentence })),
        }
    }

    /// When the hosts that are held back may change; long ago for other waves.
    pub(super) fn held_back_until(&self, plan: &Plan, at: &Phase) -> Time {
        match (at, plan.watch()) {
            (Phase::Judge { wave, since }, Some(watch))
                if plan.holdback > 0 && wave + 2 == plan.waves.len() =>
            {
                *since + watch.rules.holdback
            }
            _ => Time(i64::MIN),
        }
    }

    /// Where a person's `resume` leads from a stage that ended without knowing: on, without a verdict.
    pub(super) fn beyond(&self, at: &Phase) -> Phase {
        match at {
            Phase::Judge { wave, .. } => Phase::Wave(wave + 1),
            Phase::Switch { step, since } => Phase::Switch { step: step + 1, since: *since },
            other => other.clone(),
        }
    }
}

/// Whether a deployment may go on from a stage.
pub(super) enum Gate {
    /// It may.
    Open,
    /// It waits.
    Shut,
    /// It enters another state.
    Ends(State),
}

fn is_member(host: &HostName, member: &MemberName) -> bool {
    host.as_str() == member.as_str()
}
