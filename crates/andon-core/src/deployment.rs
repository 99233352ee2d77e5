//! A deployment: moving the hosts of one scope to one release.
//!
//! The state is a fold of [`Fact`]s ([`Deployment::apply`]). What happens next is decided in two pure places:
//! [`Deployment::handle`] turns what was heard from outside into facts, and [`Deployment::decide`] turns the present
//! state into further facts. A driver stores the facts, then carries out [`Deployment::orders`], which are read off
//! the state: a host that is [`HostState::Doing`] something has exactly one open order. So a restarted driver
//! knows what is open without having been told.
//!
//! Draining and enabling are no steps of a host: what its balancers should do is read off the state like the orders
//! ([`Deployment::traffic`]), and what they see comes back as input ([`traffic`]). What an analysis says comes back as
//! input as well: it is waited for between two waves, and heard at any time ([`judging`]).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::analysis::{Standing, Verdict};
use crate::host::{Fence, Stage};
use crate::name::{HostName, SiteName};
use crate::person::Person;
use crate::plan::{Before, Plan};
use crate::time::Time;

pub use crate::kind::Kind;
pub use crate::name::DeploymentId;
pub use cause::HostCause;
pub use course::{Course, FleetId, FleetIdError};
pub use ending::Ending;
pub use fact::{Ask, Fact, Request, SiteState};
pub use handle::Input;
pub use host_run::{Doing, DrainProof, Failure, HostRun, HostState, Way};
pub use judging::Standpoint;
pub use orders::OpenOrder;
pub use site::SiteOrder;
pub use state::{AfterAbort, CancelReason, Cause, PauseReason, PendingReason, Phase, State};
pub use summary::{HostCounts, Summary};
pub use traffic::TrafficSight;

mod cause;
mod consequences;
mod course;
mod decide;
mod ending;
mod fact;
mod handle;
mod host_run;
mod judging;
mod orders;
pub mod passage;
mod rollback;
pub mod sentence;
mod site;
mod state;
pub mod story;
mod summary;
mod switch;
pub mod traffic;
mod verdict;

/// The state of a deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// Its number.
    pub id: DeploymentId,
    /// What was asked for, by whom and why.
    pub request: Request,
    /// Everything that it will do; pinned when it leaves the queue.
    pub plan: Option<Arc<Plan>>,
    /// Where it is.
    pub state: State,
    /// The passage of each host, in the order of the plan's names.
    pub hosts: BTreeMap<HostName, HostRun>,
    /// Where the sites are that were taken out as a whole.
    pub sites: BTreeMap<SiteName, SiteState>,
    /// The fence of the controller in charge.
    pub fence: Fence,
    /// When it was accepted.
    pub accepted: Time,
    /// When it began to change hosts.
    pub started: Option<Time>,
    /// When it ended.
    pub ended: Option<Time>,
    /// The last time that a host succeeded, or that the state changed.
    pub progress: Time,
    /// What the analysis said last: of the present stage, or that the release hurts.
    pub judged: Option<Standing>,
    /// How the newest stage ended that had a verdict.
    concluded: Option<Standing>,
    /// What was passed on the way.
    milestones: course::Milestones,
    /// What a person asked for and has not been answered yet.
    asked: Option<(Ask, Person)>,
    /// The latest moment that was recorded: time never runs backwards for a deployment.
    latest: Time,
    /// By how much its time is ahead of the clock of whoever is in charge: an earlier one had a clock that was ahead.
    ahead: Duration,
}

impl Deployment {
    /// A deployment that was just accepted.
    pub fn new(id: DeploymentId, request: Request, at: Time) -> Self {
        Self {
            id,
            request,
            plan: None,
            state: State::Pending { reason: PendingReason::Start },
            hosts: BTreeMap::new(),
            sites: BTreeMap::new(),
            fence: Fence::default(),
            accepted: at,
            started: None,
            ended: None,
            progress: at,
            judged: None,
            concluded: None,
            milestones: course::Milestones::default(),
            asked: None,
            latest: at,
            ahead: Duration::ZERO,
        }
    }

    /// Folds recorded facts. `None` when the first is not [`Fact::Accepted`].
    pub fn fold<'a>(id: DeploymentId, facts: impl IntoIterator<Item = (Time, &'a Fact)>) -> Option<Self> {
        let mut facts = facts.into_iter();
        let (at, Fact::Accepted { request }) = facts.next()? else { return None };
        let mut deployment = Self::new(id, request.clone(), at);
        for (at, fact) in facts {
            deployment.apply(at, fact);
        }
        Some(deployment)
    }

    /// The deployment's own time: `now`, or the latest recorded moment where the clock went backwards. Where a clock that
    /// is behind the record has taken charge, time goes on from the record: it must not stand still until that clock
    /// catches up.
    pub fn clamp(&self, now: Time) -> Time {
        (now + self.ahead).max(self.latest)
    }

    /// Adds a fact. A terminal state is never left (invariant I6): later facts are ignored.
    pub fn apply(&mut self, at: Time, fact: &Fact) {
        if matches!(fact, Fact::InCharge { .. }) && at + self.ahead < self.latest {
            self.ahead = self.latest.since(at);
        }
        let at = self.clamp(at);
        self.latest = at;
        if self.state.is_terminal() {
            return;
        }
        match fact {
            Fact::Accepted { .. } => {}
            Fact::Planned { plan } => self.pin(at, plan),
            Fact::InCharge { fence, .. } => {
                self.fence = *fence;
                // The time without a controller was nobody's failure to make progress.
                self.progress = at;
            }
            Fact::Entered { state } => self.enter(at, state),
            Fact::Host { host, state } => self.enter_host(at, host, state),
            Fact::Drained { host, proof } => {
                if let Some(run) = self.hosts.get_mut(host) {
                    run.drain = Some(proof.clone());
                }
            }
            Fact::Judged { standing } => self.judged = Some((**standing).clone()),
            Fact::Suspected { host, why } => self.suspect(at, host, why),
            Fact::Site { site, state } => {
                self.sites.insert(site.clone(), state.clone());
            }
            Fact::Shared { host, share } => {
                if let Some(run) = self.hosts.get_mut(host) {
                    if *share > 0 && !run.serving {
                        run.joined = Some(at);
                    }
                    run.share = Some(*share);
                    run.exposed |= *share > 0 && run.touched;
                    run.serving = *share > 0;
                    run.drained = *share == 0;
                }
            }
            Fact::Serving { host, serving, .. } => {
                if let Some(run) = self.hosts.get_mut(host) {
                    run.serving = *serving;
                    run.ill_since = (!serving).then_some(at);
                }
            }
            // Of two wishes at once, stopping is not overtaken by a smaller one.
            Fact::Asked { ask, .. } if self.asked_for_more_than(ask) => {}
            Fact::Asked { ask, by, .. } => self.asked = Some((ask.clone(), by.clone())),
        }
    }

    fn pin(&mut self, at: Time, plan: &Plan) {
        self.hosts = plan
            .hosts
            .iter()
            .map(|(name, planned)| (name.clone(), HostRun::new(at, &planned.before)))
            .collect();
        self.plan = Some(Arc::new(plan.clone()));
    }

    fn enter(&mut self, at: Time, state: &State) {
        // An answered question is no longer open; resuming hands the budget's hosts a fresh start.
        self.asked = None;
        if self.started.is_none() && matches!(state, State::Running { .. }) {
            self.started = Some(at);
        }
        if state.is_terminal() {
            self.ended = Some(at);
        }
        self.milestones.pass(at, state);
        self.progress = at;
        let stage = self.stage_since();
        self.state = state.clone();
        // A verdict is given on a stage; only that the release hurts stays true.
        let fails = |judged: &Standing| judged.verdict == Some(Verdict::Fail);
        if stage != self.stage_since() && !self.judged.as_ref().is_some_and(fails) {
            self.concluded = self.judged.take().or(self.concluded.take());
        }
    }

    fn enter_host(&mut self, at: Time, host: &HostName, state: &HostState) {
        let Some(run) = self.hosts.get_mut(host) else { return };
        run.enter(at, state);
        run.exposed |= self.plan.as_ref().is_some_and(|plan| state.exposes(plan));
        if *state == HostState::Succeeded || *state == HostState::Reverted {
            self.progress = at;
        }
    }

    /// Whether a wish that weighs more than `ask` waits for its answer.
    fn asked_for_more_than(&self, ask: &Ask) -> bool {
        self.asked.as_ref().is_some_and(|(open, _)| open.weight() > ask.weight())
    }

    /// What the analysis said last, of whichever stage.
    pub fn analysis(&self) -> Option<&Standing> {
        self.judged.as_ref().or(self.concluded.as_ref())
    }

    /// Hosts that serve at this moment, as far as is known.
    pub fn available(&self) -> u32 {
        count(self.hosts.values().filter(|run| run.serving))
    }

    /// Hosts that cannot be reached, from the plan and since.
    pub fn unreachable(&self) -> u32 {
        count(self.hosts.values().filter(|run| matches!(run.state, HostState::Unreachable { .. })))
    }

    /// Hosts on which the release was activated, or may have been.
    pub fn touched(&self) -> impl Iterator<Item = (&HostName, &HostRun)> {
        self.hosts.iter().filter(|(_, run)| run.touched)
    }

    /// The wave of a host, counted from 0; `None` for a host that is left as it is.
    pub fn wave_of(&self, host: &HostName) -> Option<usize> {
        self.plan.as_ref()?.waves.iter().position(|wave| wave.contains(host))
    }

    fn in_state(&self, wanted: impl Fn(&HostState) -> bool) -> bool {
        self.hosts.values().any(|run| wanted(&run.state))
    }

    /// Whether any host has an open order or an unknown fate.
    pub fn busy(&self) -> bool {
        self.in_state(|state| matches!(state, HostState::Doing(_) | HostState::Unknown { .. }))
    }
}

impl HostRun {
    fn new(at: Time, before: &Before) -> Self {
        let (state, serving) = match before {
            Before::Reached { already: true, serves, .. } => (HostState::Skipped, *serves),
            Before::Reached { serves, .. } => (HostState::Pending, *serves),
            Before::Unreachable { why } => (HostState::Unreachable { why: why.clone(), doing: None }, false),
        };
        let held_out = matches!(before, Before::Reached { held_out: Some(_), .. });
        let healthy = matches!(before, Before::Reached { healthy: true, .. });
        Self {
            state,
            since: at,
            touched: false,
            exposed: false,
            serving,
            served_before: serving,
            able: serving || healthy,
            ill_since: None,
            drained: false,
            held_out,
            share: None,
            drain: None,
            joined: None,
            suspect: false,
            begun: 0,
            failure: None,
        }
    }

    fn enter(&mut self, at: Time, state: &HostState) {
        match state {
            HostState::Doing(doing) => {
                if !matches!(&self.state, HostState::Unknown { doing: before, .. } if before.token == doing.token)
                {
                    self.begun += 1;
                }
                match doing.stage {
                    Stage::Prepare => self.serving = self.untouched_serving(),
                    Stage::Drain => {
                        self.serving = false;
                        self.drained = true;
                    }
                    Stage::Activate => {
                        self.serving = false;
                        self.touched |= doing.way == Way::Forward;
                    }
                    Stage::Verify | Stage::Enable => self.serving = false,
                    // That it is watched once more says nothing new about it.
                    Stage::Observe if self.is_watched() => {}
                    // It was verified and takes traffic again.
                    Stage::Observe => {
                        if doing.way == Way::Forward && self.joined.is_none() {
                            self.joined = Some(at);
                        }
                        self.back_in_service();
                    }
                }
            }
            HostState::Failed(failure) => {
                self.failure = Some(failure.clone());
                self.serving &= failure.stage == Stage::Prepare;
            }
            HostState::Succeeded => self.back_in_service(),
            HostState::Reverted => {
                self.joined = Some(at);
                self.back_in_service();
            }
            HostState::Unreachable { .. } | HostState::RevertFailed(_) => self.serving = false,
            // Nobody is to use it now, and nobody does.
            HostState::Idle => self.drained = false,
            HostState::Ready => self.serving = false,
            HostState::Pending | HostState::Skipped | HostState::Unknown { .. } | HostState::Cancelled => {}
            HostState::Prepared => {
                self.serving = self.untouched_serving();
                self.drained = false;
            }
        }
        self.state = state.clone();
        self.since = at;
        if self.serving {
            self.ill_since = None;
        }
    }

    /// Whether it has come back to its users, and was watched there.
    fn is_watched(&self) -> bool {
        match &self.state {
            HostState::Succeeded => true,
            HostState::Doing(doing) | HostState::Unknown { doing, .. } => doing.stage == Stage::Observe,
            _ => false,
        }
    }

    /// Verified, and put back where it was before.
    fn back_in_service(&mut self) {
        self.serving = !self.held_out;
        self.drained = false;
        self.able = true;
    }

    /// A host that was out of reach for a while, and not changed, serves as it did before.
    fn untouched_serving(&self) -> bool {
        if self.touched { self.serving } else { self.served_before && self.ill_since.is_none() }
    }
}

fn count(items: impl Iterator) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
