//! What happens next, given only the present state and the time.
//!
//! [`Deployment::decide`] returns facts; the driver records and applies them and asks again until there are none.
//! Each call moves one thing forward, so every intermediate state is a recorded, legal one.

use std::time::Duration;

use super::{
    AfterAbort, Ask, CancelReason, Cause, Deployment, Doing, Fact, HostRun, HostState, PauseReason, Phase,
    State, Way,
};
use crate::host::{Stage, Token};
use crate::name::HostName;
use crate::person::Person;
use crate::plan::{OnFailure, Plan};
use crate::time::Time;

impl Deployment {
    /// The facts that follow from the present state at `now`. Empty when only time or news can change anything.
    pub fn decide(&self, now: Time) -> Vec<Fact> {
        let now = self.clamp(now);
        if let Some((ask, by)) = &self.asked
            && let Some(state) = self.answer(ask, by)
        {
            return self.resuming_from(now, vec![Fact::Entered { state }]);
        }
        let Some(plan) = &self.plan else { return Vec::new() };
        let lost = self.give_up_on_lost_hosts(now, plan);
        if !lost.is_empty() {
            return lost;
        }
        match &self.state {
            State::Pending { .. } => vec![Fact::Entered { state: Phase::Prepare.running() }],
            State::Running { phase: Phase::Prepare } => self.prepare(plan),
            State::Running { phase: Phase::Wave(wave) } => self.run_wave(now, plan, *wave),
            State::Running { phase: Phase::Judge { wave, since } } => {
                self.judge_wave(now, plan, *wave, *since)
            }
            State::Running { phase: Phase::Switch { step, since } } => {
                self.run_switch(now, plan, *step, *since)
            }
            State::Running { phase: Phase::Bake { .. } } | State::Baking { .. } => self.bake(now, plan),
            State::Paused { at, .. } => self.while_paused(now, plan, at),
            State::Aborting { then } => self.abort(now, plan, then),
            State::RollingBack { cause } => match &plan.switch {
                Some(switch) => self.switch_back(now, plan, switch, cause),
                None => self.roll_back(plan, cause),
            },
            State::Succeeded
            | State::Failed { .. }
            | State::Aborted { .. }
            | State::RolledBack { .. }
            | State::RollbackFailed { .. }
            | State::Cancelled { .. } => Vec::new(),
        }
    }

    /// The state that a person's wish leads to; `None` when it changes nothing here.
    fn answer(&self, ask: &Ask, by: &Person) -> Option<State> {
        let superseded_by = match ask {
            Ask::Supersede { by } => Some(*by),
            Ask::Pause | Ask::Resume | Ask::Abort { .. } => None,
        };
        match (ask, &self.state) {
            (Ask::Pause, State::Running { phase }) => {
                Some(State::Paused { reason: PauseReason::Manual, at: phase.clone() })
            }
            (Ask::Pause, State::Baking { since }) => {
                Some(State::Paused { reason: PauseReason::Manual, at: Phase::Bake { since: *since } })
            }
            (Ask::Resume, State::Paused { reason: PauseReason::Undecided { .. }, at }) => {
                Some(self.beyond(at).running())
            }
            (Ask::Resume, State::Paused { at, .. }) => Some(at.running()),
            (Ask::Abort { .. } | Ask::Supersede { .. }, State::Pending { .. }) => {
                let reason = superseded_by.map_or(CancelReason::Asked, |by| CancelReason::Superseded { by });
                Some(State::Cancelled { reason })
            }
            (
                Ask::Abort { .. } | Ask::Supersede { .. },
                State::Running { .. } | State::Paused { .. } | State::Baking { .. },
            ) => {
                let then = match ask {
                    Ask::Abort { rollback: true } if self.can_go_back() => {
                        AfterAbort::RollBack { cause: Cause::Asked { by: Some(by.clone()) } }
                    }
                    _ => AfterAbort::Leave { superseded_by },
                };
                Some(State::Aborting { then })
            }
            (
                Ask::Abort { rollback: true },
                State::Aborting { then: then @ (AfterAbort::Leave { .. } | AfterAbort::Fail { .. }) },
            ) if self.can_go_back() => {
                let cause = match then {
                    AfterAbort::Fail { cause } => cause.clone(),
                    _ => Cause::Asked { by: Some(by.clone()) },
                };
                Some(State::Aborting { then: AfterAbort::RollBack { cause } })
            }
            _ => None,
        }
    }

    fn can_go_back(&self) -> bool {
        self.plan.as_ref().is_some_and(|plan| plan.can_go_back())
    }

    /// Resuming tries the hosts again that were given up.
    fn resuming_from(&self, now: Time, mut facts: Vec<Fact>) -> Vec<Fact> {
        let resumes = matches!(
            (&self.state, facts.first()),
            (
                State::Paused { .. },
                Some(Fact::Entered { state: State::Running { .. } | State::Baking { .. } })
            )
        );
        if resumes {
            for (host, run) in &self.hosts {
                if let HostState::Unreachable { why, doing: Some(doing) } = &run.state {
                    let state = HostState::Unknown { doing: doing.clone(), since: now, why: why.clone() };
                    facts.push(Fact::Host { host: host.clone(), state });
                }
            }
        }
        facts
    }

    fn give_up_on_lost_hosts(&self, now: Time, plan: &Plan) -> Vec<Fact> {
        let window = plan.service.rollout.reconnect_window;
        self.hosts
            .iter()
            .filter_map(|(host, run)| match &run.state {
                HostState::Unknown { doing, since, why } if now.since(*since) >= window => {
                    let state = HostState::Unreachable { why: why.clone(), doing: Some(doing.clone()) };
                    Some(Fact::Host { host: host.clone(), state })
                }
                _ => None,
            })
            .collect()
    }

    fn prepare(&self, plan: &Plan) -> Vec<Fact> {
        let preparing = self.hosts.values().filter(|run| is_doing(run, Stage::Prepare)).count();
        let free = (plan.prepare_parallel as usize).saturating_sub(preparing);
        let next: Vec<Fact> = plan
            .waves
            .iter()
            .flatten()
            .filter(|host| self.hosts.get(*host).is_some_and(|run| run.state == HostState::Pending))
            .take(free)
            .map(|host| self.begin(host, Stage::Prepare, Way::Forward))
            .collect();
        if !next.is_empty() || self.busy() {
            return next;
        }
        if let Some(cause) = self.verdict(plan, 0) {
            return self.end_untouched(cause);
        }
        if let Some(reason) = self.too_many_unreachable(plan) {
            return vec![Fact::Entered { state: State::Paused { reason, at: Phase::Prepare } }];
        }
        vec![Fact::Entered { state: Phase::Wave(0).running() }]
    }

    fn run_wave(&self, now: Time, plan: &Plan, wave: usize) -> Vec<Fact> {
        if let Some(stop) = self.stop_on_verdict(now, plan, wave) {
            return stop;
        }
        let at = Phase::Wave(wave);
        if let Some(reason) = self.too_many_unreachable(plan) {
            return vec![Fact::Entered { state: State::Paused { reason, at } }];
        }
        if let Some(back) = self.put_back_one_bad_host(plan) {
            return vec![back];
        }
        if let Some(planned) = plan.sites.get(wave) {
            return self.run_site(now, plan, wave, planned);
        }
        if plan.moves_together() && !self.in_state(is_leaving) {
            let back = self.enable_ready(plan);
            if !back.is_empty() {
                return back;
            }
        }
        // A host of an earlier wave that was out of reach then, and is prepared now, is not forgotten.
        let waiting =
            |host: &&HostName| self.hosts.get(*host).is_some_and(|run| run.state == HostState::Prepared);
        let mut candidates = plan.waves.iter().take(wave + 1).flatten().filter(waiting).peekable();
        if let Some(first) = candidates.peek().copied() {
            // One that has fallen ill meanwhile may be changed when the floor lets nobody else go.
            let next = candidates.find(|host| self.may_leave_service(plan, host)).unwrap_or(first);
            return self.start_host(now, plan, wave, next);
        }
        let Some(hosts) = plan.waves.get(wave) else {
            return match &plan.switch {
                Some(switch) => self.begin_switch(now, plan, switch),
                None => self.after_last_wave(now, plan),
            };
        };
        if hosts.iter().any(|host| self.hosts.get(host).is_some_and(in_cycle)) {
            return Vec::new();
        }
        let learned = hosts
            .iter()
            .any(|host| self.hosts.get(host).is_some_and(|run| run.state == HostState::Succeeded));
        if wave == 0 && !learned && plan.waves.len() > 1 {
            return vec![Fact::Entered { state: State::Paused { reason: PauseReason::NothingLearned, at } }];
        }
        self.after_wave(now, plan, wave)
    }

    /// One bad host is not a bad release: it is put back, set aside, and the others go on.
    pub(super) fn put_back_one_bad_host(&self, plan: &Plan) -> Option<Fact> {
        let (host, _) = self.hosts.iter().find(|(_, run)| needs_local_revert(run, plan))?;
        self.begin_back(plan, host)
    }

    /// No further host starts, but a failure is answered: it does not wait for a person.
    fn while_paused(&self, now: Time, plan: &Plan, at: &Phase) -> Vec<Fact> {
        let wave = match at {
            Phase::Prepare => return Vec::new(),
            Phase::Wave(wave) | Phase::Judge { wave, .. } => *wave,
            Phase::Switch { .. } => 0,
            Phase::Bake { .. } if plan.switch.is_some() => 0,
            Phase::Bake { .. } => plan.waves.len(),
        };
        if let Some(stop) = self.stop_on_verdict(now, plan, wave) {
            return stop;
        }
        if let Some(back) = self.put_back_one_bad_host(plan) {
            return vec![back];
        }
        // Verified hosts do not wait for a person with those that have not begun.
        if self.in_state(is_leaving) { Vec::new() } else { self.enable_ready(plan) }
    }

    fn start_host(&self, now: Time, plan: &Plan, wave: usize, host: &HostName) -> Vec<Fact> {
        let cycling = self.hosts.values().filter(|run| in_cycle(run)).count();
        let begins = |run: &HostRun| run.since == now && is_doing(run, Stage::Drain);
        let alone = || self.hosts.values().filter(|run| in_cycle(run)).all(begins);
        if cycling >= plan.max_parallel as usize || (plan.moves_together() && !alone()) {
            return Vec::new();
        }
        if self.may_leave_service(plan, host) {
            return vec![self.begin(host, self.leaving(plan, host), Way::Forward)];
        }
        let may_recover = self.hosts.values().filter_map(|run| run.ill_since);
        let patience = plan.service.rollout.healthy_deadline;
        if cycling > 0 || may_recover.into_iter().any(|since| now.since(since) < patience) {
            return Vec::new();
        }
        let reason = PauseReason::Floor { available: self.available(), floor: plan.floor };
        vec![Fact::Entered { state: State::Paused { reason, at: Phase::Wave(wave) } }]
    }

    /// Invariant I2: a host that serves may only leave when enough others serve. A sick host leaves freely.
    pub(super) fn may_leave_service(&self, plan: &Plan, host: &HostName) -> bool {
        match self.hosts.get(host) {
            Some(run) if run.serving => self.available() > plan.floor,
            Some(_) => true,
            None => false,
        }
    }

    pub(super) fn after_last_wave(&self, now: Time, plan: &Plan) -> Vec<Fact> {
        if self.busy() {
            return Vec::new();
        }
        if plan.bake == Duration::ZERO {
            return vec![Fact::Entered { state: self.good_end(plan) }];
        }
        vec![Fact::Entered { state: State::Baking { since: now } }]
    }

    fn bake(&self, now: Time, plan: &Plan) -> Vec<Fact> {
        let State::Baking { since } = &self.state else { return Vec::new() };
        // A set that can be left at once is left for one failure.
        let wave = if plan.switch.is_some() { 0 } else { plan.waves.len() };
        if let Some(stop) = self.stop_on_verdict(now, plan, wave) {
            return stop;
        }
        if let Some(back) = self.put_back_one_bad_host(plan) {
            return vec![back];
        }
        if let Some(reason) = self.too_many_unreachable(plan) {
            return vec![Fact::Entered {
                state: State::Paused { reason, at: Phase::Bake { since: *since } },
            }];
        }
        // A host is watched once: it enters `observing` after the bake began, and `succeeded` after that.
        let unwatched: Vec<Fact> = self
            .hosts
            .iter()
            .filter(|(_, run)| {
                run.state == HostState::Succeeded && run.since <= *since && now.since(*since) < plan.bake
            })
            .map(|(host, _)| self.begin(host, Stage::Observe, Way::Forward))
            .collect();
        if !unwatched.is_empty() || self.busy() {
            return unwatched;
        }
        if now.since(*since) < plan.bake && self.in_state(|state| *state == HostState::Succeeded) {
            return Vec::new();
        }
        vec![Fact::Entered { state: self.good_end(plan) }]
    }

    /// Invariant I7: success needs at least one host that was verified, or nothing that needed a change.
    fn good_end(&self, plan: &Plan) -> State {
        let changed = self.in_state(|state| *state == HostState::Succeeded);
        let set_aside: Vec<HostName> = self
            .hosts
            .iter()
            .filter(|(_, run)| {
                let lost = matches!(run.state, HostState::Unreachable { doing: Some(_), .. });
                lost || matches!(run.state, HostState::Failed(_) | HostState::RevertFailed(_))
            })
            .map(|(host, _)| host.clone())
            .collect();
        let strict = plan.on_failure == OnFailure::GoOn;
        if (strict && !set_aside.is_empty()) || (!changed && !plan.waves.is_empty()) {
            return State::Failed { cause: Cause::Incomplete { hosts: set_aside } };
        }
        State::Succeeded
    }

    fn abort(&self, now: Time, plan: &Plan, then: &AfterAbort) -> Vec<Fact> {
        if let Some(back) = self.put_back_one_bad_host(plan) {
            return vec![back];
        }
        let returned = self.return_drained();
        if !returned.is_empty() {
            return returned;
        }
        // Watching is not worth waiting for: these hosts are verified and serve. One that is lost is not known to.
        let watched: Vec<Fact> = self
            .hosts
            .iter()
            .filter(|(_, run)| matches!(run.state, HostState::Doing(_)) && is_doing(run, Stage::Observe))
            .map(|(host, _)| Fact::Host { host: host.clone(), state: HostState::Succeeded })
            .collect();
        if !watched.is_empty() || self.busy() {
            return watched;
        }
        if self.waits_for_traffic(now, plan) {
            return Vec::new();
        }
        if !matches!(then, AfterAbort::RollBack { .. }) {
            // What waits for the others of its site is verified, and comes back with it.
            let ready = self.enable_ready(plan);
            if !ready.is_empty() {
                return ready;
            }
            if let Some(returning) = self.return_sites(plan) {
                return returning;
            }
        }
        let mut facts = self.cancel_waiting();
        if let (Some(switch), AfterAbort::Leave { .. } | AfterAbort::Fail { .. }) = (&plan.switch, then) {
            facts.extend(self.leave_new_set(switch, |run| run.state == HostState::Ready));
        }
        facts.push(Fact::Entered {
            state: match then {
                AfterAbort::Leave { superseded_by } => State::Aborted { superseded_by: *superseded_by },
                AfterAbort::RollBack { cause } => State::RollingBack { cause: cause.clone() },
                AfterAbort::Fail { cause } => State::Failed { cause: cause.clone() },
            },
        });
        facts
    }

    /// Ends a deployment that has not disturbed any host.
    fn end_untouched(&self, cause: Cause) -> Vec<Fact> {
        let mut facts = self.cancel_waiting();
        facts.push(Fact::Entered { state: State::Failed { cause } });
        facts
    }

    /// Hosts whose turn will not come.
    pub(super) fn cancel_waiting(&self) -> Vec<Fact> {
        self.hosts
            .iter()
            .filter(|(_, run)| matches!(run.state, HostState::Pending | HostState::Prepared))
            .map(|(host, _)| Fact::Host { host: host.clone(), state: HostState::Cancelled })
            .collect()
    }

    /// The intent of a host's next step, under a fresh token.
    pub(super) fn begin(&self, host: &HostName, stage: Stage, way: Way) -> Fact {
        let attempt = self.hosts.get(host).map_or(0, |run| run.begun) + 1;
        let token = Token::new(self.id.0, self.fence, host, stage, way == Way::Back, attempt);
        Fact::Host { host: host.clone(), state: HostState::Doing(Doing { stage, way, token }) }
    }
}

/// Between leaving service and being verified.
fn is_leaving(state: &HostState) -> bool {
    matches!(
        state,
        HostState::Doing(Doing {
            stage: Stage::Drain | Stage::Activate | Stage::Verify,
            way: Way::Forward,
            ..
        })
    )
}

pub(super) fn is_doing(run: &HostRun, stage: Stage) -> bool {
    match &run.state {
        HostState::Doing(doing) | HostState::Unknown { doing, .. } => {
            doing.stage == stage && doing.way == Way::Forward
        }
        _ => false,
    }
}

/// Between leaving service and being back in it.
pub(super) fn in_cycle(run: &HostRun) -> bool {
    matches!(&run.state, HostState::Doing(_) | HostState::Unknown { .. })
}

fn needs_local_revert(run: &HostRun, plan: &Plan) -> bool {
    plan.on_failure == OnFailure::RollBack && run.touched && matches!(run.state, HostState::Failed(_))
}
