//! What was heard from outside, turned into facts. Late, doubled and stray news change nothing.

use super::{
    AfterAbort, Ask, Deployment, Doing, Fact, Failure, HostRun, HostState, PauseReason, Phase, State,
    TrafficSight, Way,
};
use crate::analysis::Standing;
use crate::host::{Fence, HostFacts, Outcome, Stage, Token, TokenStatus};
use crate::name::{HostName, SiteName};
use crate::person::Person;
use crate::quantity::format_duration;
use crate::release::ReleaseId;
use crate::time::Time;

/// A step that was begun anew so often is a failure.
const MAX_ATTEMPTS: u32 = 12;

/// News from outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A step ended.
    Ended {
        /// Where.
        host: HostName,
        /// Which.
        token: Token,
        /// How.
        outcome: Outcome,
    },
    /// Contact was lost, or could not be made: what became of the step is not known. Said again with another reason
    /// while the host is called.
    Lost {
        /// Where.
        host: HostName,
        /// Which step.
        token: Token,
        /// One sentence.
        why: String,
    },
    /// The balancers of a host, and the host itself, were asked what they see.
    Seen {
        /// Which host.
        host: HostName,
        /// What was seen.
        sight: Box<TrafficSight>,
    },
    /// The command of a site ended.
    SiteDone {
        /// Which site.
        site: SiteName,
        /// Whether it worked; one sentence if not.
        result: Result<(), String>,
    },
    /// An analysis of new against old hosts was told what was seen, and says how it stands.
    Judged {
        /// The beginning of the stage that it is in: [`Deployment::stage_since`] when it was told.
        stage: Option<Time>,
        /// How it stands.
        standing: Box<Standing>,
    },
    /// A host with an unknown step was asked and answered.
    Found {
        /// Where.
        host: HostName,
        /// Which step.
        token: Token,
        /// What the host says.
        facts: Box<HostFacts>,
    },
}

impl Deployment {
    /// The facts that follow from news at `now`.
    pub fn handle(&self, now: Time, input: Input) -> Vec<Fact> {
        let now = self.clamp(now);
        if self.state.is_terminal() {
            return Vec::new();
        }
        match input {
            Input::Ended { host, token, outcome } => match self.open(&host, &token) {
                Some((_, doing)) => vec![self.after(&host, doing, failure_of(doing.stage, outcome))],
                None => Vec::new(),
            },
            Input::Lost { host, token, why } => match self.hosts.get(&host).map(|run| &run.state) {
                Some(HostState::Doing(doing)) if doing.token == token => {
                    let state = HostState::Unknown { doing: doing.clone(), since: now, why };
                    vec![Fact::Host { host, state }]
                }
                // It is called again, and another reason is met: the newest one is what a person can act on.
                Some(HostState::Unknown { doing, since, why: known })
                    if doing.token == token && *known != why =>
                {
                    let state = HostState::Unknown { doing: doing.clone(), since: *since, why };
                    vec![Fact::Host { host, state }]
                }
                _ => Vec::new(),
            },
            Input::SiteDone { site, result } => self.site_done(&site, result),
            Input::Judged { stage, standing } => self.heard_analysis(stage, &standing),
            Input::Seen { host, sight } => self.seen(now, &host, &sight),
            Input::Found { host, token, facts } => match self.open(&host, &token) {
                Some((run, doing)) => self.found(&host, run, doing, &facts),
                None => Vec::new(),
            },
        }
    }

    /// The facts with which a controller takes charge of a deployment that another one, or an earlier life of its
    /// own, has left: what became of the open steps is not known.
    pub fn take_charge(&self, now: Time, fence: Fence, by: Person) -> Vec<Fact> {
        let now = self.clamp(now);
        let lost = self.hosts.iter().filter_map(|(host, run)| match &run.state {
            // Nothing was ordered of the host itself. The time begins anew: nobody knows what was said in between.
            HostState::Doing(doing) if matches!(doing.stage, Stage::Drain | Stage::Enable) => {
                Some(Fact::Host { host: host.clone(), state: HostState::Doing(doing.clone()) })
            }
            HostState::Doing(doing) => {
                let why = "the controller was away".to_owned();
                let state = HostState::Unknown { doing: doing.clone(), since: now, why };
                Some(Fact::Host { host: host.clone(), state })
            }
            HostState::Unknown { doing, why, .. } => {
                let state = HostState::Unknown { doing: doing.clone(), since: now, why: why.clone() };
                Some(Fact::Host { host: host.clone(), state })
            }
            _ => None,
        });
        std::iter::once(Fact::InCharge { fence, by }).chain(lost).collect()
    }

    /// The same for a controller that goes on by itself after it was away. Where a host has been out of traffic for
    /// longer than a deployment may go without progress, people may have acted meanwhile: no further host starts until
    /// one of them says so. Whoever resumes by hand has decided that already.
    pub fn take_charge_unasked(&self, now: Time, fence: Fence, by: Person) -> Vec<Fact> {
        let mut facts = self.take_charge(now, fence, by);
        facts.extend(self.pause_after_absence(self.clamp(now)).map(|state| Fact::Entered { state }));
        facts
    }

    fn pause_after_absence(&self, now: Time) -> Option<State> {
        let at = match &self.state {
            State::Running { phase } => phase.clone(),
            State::Baking { since } => Phase::Bake { since: *since },
            _ => return None,
        };
        let deadline = self.plan.as_ref()?.service.rollout.progress_deadline;
        let out = self.hosts.iter().filter(|(_, run)| run.drained || (run.touched && !run.serving));
        let in_cycle = |state: &HostState| {
            matches!(state, HostState::Doing(_) | HostState::Unknown { .. } | HostState::Ready)
        };
        let long: Vec<_> = out
            .filter(|(_, run)| in_cycle(&run.state) && now.since(run.since) > deadline)
            .map(|(host, run)| (host.clone(), now.since(run.since)))
            .collect();
        let out = long.iter().map(|(_, out)| *out).max()?;
        let hosts = long.into_iter().map(|(host, _)| host).collect();
        Some(State::Paused { reason: PauseReason::ControllerRestart { hosts, out }, at })
    }

    /// Whether a person's wish makes sense now: `Err` says why not, in one sentence.
    pub fn admits(&self, ask: &Ask) -> Result<(), String> {
        let state = self.state.name();
        let ended = || format!("{} has ended already: it is {state}", self.id);
        match (ask, &self.state) {
            (_, terminal) if terminal.is_terminal() => Err(ended()),
            _ if self.asked_for_more_than(ask) => {
                Err(format!("{} was asked to stop a moment ago; that comes first", self.id))
            }
            (Ask::Pause, State::Running { .. } | State::Baking { .. }) => Ok(()),
            (Ask::Pause, _) => Err(format!("{} cannot be paused while it is {state}", self.id)),
            (Ask::Resume, State::Paused { .. }) => Ok(()),
            (Ask::Resume, _) => Err(format!("{} is not paused: it is {state}", self.id)),
            (Ask::Abort { .. } | Ask::Supersede { .. }, State::RollingBack { .. }) => {
                Err(format!("{} is being put back already; that ends by itself", self.id))
            }
            (Ask::Abort { rollback: true }, _)
                if self.plan.as_ref().is_some_and(|plan| !plan.can_go_back()) =>
            {
                Err(format!(
                    "{} has no earlier good release to put back; abort it without --rollback",
                    self.id
                ))
            }
            (Ask::Abort { rollback: true }, State::Aborting { then })
                if !matches!(then, AfterAbort::RollBack { .. }) =>
            {
                Ok(())
            }
            (Ask::Abort { .. } | Ask::Supersede { .. }, State::Aborting { .. }) => {
                Err(format!("{} is being stopped already; that ends by itself", self.id))
            }
            (Ask::Abort { .. } | Ask::Supersede { .. }, _) => Ok(()),
        }
    }

    /// The open step of a host, when it is the one that is spoken of.
    fn open(&self, host: &HostName, token: &Token) -> Option<(&HostRun, &Doing)> {
        let run = self.hosts.get(host)?;
        match &run.state {
            HostState::Doing(doing) | HostState::Unknown { doing, .. } if doing.token == *token => {
                Some((run, doing))
            }
            _ => None,
        }
    }

    /// What follows when a step ended.
    pub(super) fn after(&self, host: &HostName, doing: &Doing, failed: Option<Failure>) -> Fact {
        if doing.way == Way::Back {
            return self.after_back(host, doing, failed);
        }
        let enter = |state| Fact::Host { host: host.clone(), state };
        if let Some(failure) = failed {
            return enter(HostState::Failed(failure));
        }
        let unfinished = matches!(doing.stage, Stage::Activate | Stage::Verify);
        if unfinished
            && self.must_turn_back()
            && let Some(back) = self.plan.as_ref().and_then(|plan| self.begin_back(plan, host))
        {
            // The step ended well, but its release did not: no further step towards it.
            return back;
        }
        match doing.stage {
            Stage::Prepare => enter(HostState::Prepared),
            Stage::Drain => self.begin(host, Stage::Activate, Way::Forward),
            Stage::Activate => self.begin(host, Stage::Verify, Way::Forward),
            Stage::Verify if self.waits_for_others(host) => enter(HostState::Ready),
            Stage::Verify if self.comes_back(host) => self.begin(host, Stage::Enable, Way::Forward),
            // It was taken out, and was put back before anything was changed.
            Stage::Enable if !self.hosts.get(host).is_some_and(|run| run.touched) => {
                enter(HostState::Prepared)
            }
            Stage::Verify | Stage::Enable => self.begin(host, Stage::Observe, Way::Forward),
            Stage::Observe => enter(HostState::Succeeded),
        }
    }

    fn must_turn_back(&self) -> bool {
        matches!(
            self.state,
            State::RollingBack { .. } | State::Aborting { then: AfterAbort::RollBack { .. } }
        )
    }

    /// A host was lost and found again: place it where it really is.
    fn found(&self, host: &HostName, run: &HostRun, doing: &Doing, facts: &HostFacts) -> Vec<Fact> {
        let status = facts.tokens.get(&doing.token).unwrap_or(&TokenStatus::NeverStarted);
        let again = |stage| match run.begun {
            MAX_ATTEMPTS.. => {
                let reason = format!("{} was interrupted again and again", doing.stage);
                self.after(host, doing, Some(Failure { stage: doing.stage, reason, tail: String::new() }))
            }
            _ => self.begin(host, stage, doing.way),
        };
        let turns_back = || {
            let forward = doing.way == Way::Forward && doing.stage != Stage::Prepare;
            let plan = self.plan.as_ref().filter(|_| forward && self.must_turn_back())?;
            self.begin_back(plan, host)
        };
        let fact = match status {
            // Nothing is at work there: what is being put back elsewhere is not begun here any more.
            TokenStatus::NeverStarted | TokenStatus::Interrupted if let Some(back) = turns_back() => back,
            TokenStatus::Finished(outcome) => {
                self.after(host, doing, failure_of(doing.stage, outcome.clone()))
            }
            // The order stands: the driver attaches to it, or gives it for the first time.
            TokenStatus::Running | TokenStatus::NeverStarted => {
                Fact::Host { host: host.clone(), state: HostState::Doing(doing.clone()) }
            }
            TokenStatus::Interrupted => match doing.stage {
                Stage::Prepare => again(Stage::Prepare),
                Stage::Drain | Stage::Activate | Stage::Verify | Stage::Enable | Stage::Observe => {
                    let activated = facts.marker.as_ref().is_some_and(|marker| marker.complete)
                        && facts.uniform_release() == self.target(doing.way);
                    // One that was watched has its users already: it is drained before it is changed again.
                    let leaving =
                        self.plan.as_ref().filter(|_| !run.drained).map(|plan| self.leaving(plan, host));
                    again(if activated { Stage::Verify } else { leaving.unwrap_or(Stage::Activate) })
                }
            },
        };
        vec![fact]
    }

    /// The release at the end of the way.
    pub(super) fn target(&self, way: Way) -> Option<&ReleaseId> {
        match way {
            Way::Forward => Some(&self.request.release.id),
            Way::Back => self.plan.as_ref()?.back_to.as_ref().map(|release| &release.id),
        }
    }
}

fn failure_of(stage: Stage, outcome: Outcome) -> Option<Failure> {
    match outcome {
        Outcome::Succeeded => None,
        Outcome::Failed { reason, tail } => Some(Failure { stage, reason, tail }),
        Outcome::TimedOut { after, tail } => {
            let reason = format!("{stage} took longer than {}", format_duration(after));
            Some(Failure { stage, reason, tail })
        }
        Outcome::Killed => {
            Some(Failure { stage, reason: format!("{stage} was ended by request"), tail: String::new() })
        }
    }
}
