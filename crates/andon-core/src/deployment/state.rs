//! The states of a deployment. Few states, many reasons.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::DeploymentId;
use crate::host::Stage;
use crate::name::{HostName, MetricName, SiteName};
use crate::person::Person;
use crate::time::Time;

/// Where a deployment is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Accepted; nothing is touched.
    Pending {
        /// What it waits for.
        reason: PendingReason,
    },
    /// Hosts are changing.
    Running {
        /// Which part.
        phase: Phase,
    },
    /// No further host starts; hosts in their cycle finish it.
    Paused {
        /// Why.
        reason: PauseReason,
        /// Where it goes on.
        at: Phase,
    },
    /// All hosts are on the new release and watched. A failure still rolls back.
    Baking {
        /// Since when.
        since: Time,
    },
    /// Stop was asked for; hosts in their cycle go to their safe point.
    Aborting {
        /// What follows.
        then: AfterAbort,
    },
    /// The touched hosts are put back.
    RollingBack {
        /// Why.
        cause: Cause,
    },
    /// All hosts in scope were verified on the new release. Terminal.
    Succeeded,
    /// Stopped by a failure; no rollback was possible or allowed. Terminal.
    Failed {
        /// Why.
        cause: Cause,
    },
    /// Stopped by a person, left as it is. Terminal.
    Aborted {
        /// The newer deployment that goes on from here.
        superseded_by: Option<DeploymentId>,
    },
    /// Every touched host was verified on the release from before. Terminal.
    RolledBack {
        /// Why.
        cause: Cause,
    },
    /// At least one host was not restored: a person must look. Terminal.
    RollbackFailed {
        /// Why it was rolled back.
        cause: Cause,
        /// The hosts that were not restored.
        hosts: Vec<HostName>,
    },
    /// Ended before anything was touched. Terminal.
    Cancelled {
        /// Why.
        reason: CancelReason,
    },
}

/// What a pending deployment waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PendingReason {
    /// Another deployment in the same scope.
    Lock,
    /// Nothing: it is about to start.
    Start,
}

/// A part of a running deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The release is brought to all hosts; nothing that runs is disturbed.
    Prepare,
    /// The hosts of this wave change. Counted from 0; wave 0 is the canary.
    Wave(usize),
    /// The hosts of this wave have changed: new hosts are compared with old ones before the next wave begins.
    Judge {
        /// Which wave, counted from 0.
        wave: usize,
        /// Since when.
        since: Time,
    },
    /// Traffic moves from one set of hosts to the other.
    Switch {
        /// Which share of it has moved, counted from 0.
        step: usize,
        /// Since when.
        since: Time,
    },
    /// All waves are done, the hosts are watched.
    Bake {
        /// Since when.
        since: Time,
    },
}

impl Phase {
    /// The state that works on this phase.
    pub fn running(&self) -> State {
        match self {
            Phase::Bake { since } => State::Baking { since: *since },
            Phase::Prepare | Phase::Wave(_) | Phase::Judge { .. } | Phase::Switch { .. } => {
                State::Running { phase: self.clone() }
            }
        }
    }
}

/// Why a deployment is paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// A person asked.
    Manual,
    /// More hosts are unreachable than the plan bears.
    Unreachable {
        /// So many.
        count: u32,
        /// So many are borne.
        max: u32,
    },
    /// No further host may be taken out of service.
    Floor {
        /// Hosts that serve.
        available: u32,
        /// Hosts that must.
        floor: u32,
    },
    /// A balancer does not do what it is told, so that no host can be taken out safely.
    Balancer {
        /// Which one.
        pool: String,
        /// What it said: one sentence.
        why: String,
        /// A difference or the output of a command; may be empty.
        details: String,
    },
    /// A command that takes a site out, or brings it back, failed.
    Site {
        /// Which site.
        site: SiteName,
        /// What happened: one sentence.
        why: String,
    },
    /// Its controller was away for so long that whoever is on call may have acted on a host that was out of traffic.
    ControllerRestart {
        /// The hosts that were out, in the order of their names.
        hosts: Vec<HostName>,
        /// How long the first of them has been.
        #[serde(with = "crate::time::millis")]
        out: Duration,
    },
    /// The first wave ended without a single host that succeeded: nothing is known about the release.
    NothingLearned,
    /// The analysis of a stage ended without knowing, and the line leaves that to a person.
    Undecided {
        /// What it could see: one sentence.
        sentence: String,
    },
}

/// What follows an abort.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterAbort {
    /// Leave everything as it is.
    Leave {
        /// The newer deployment that goes on from here.
        superseded_by: Option<DeploymentId>,
    },
    /// Put the touched hosts back.
    RollBack {
        /// Why.
        cause: Cause,
    },
    /// Nothing can be put back.
    Fail {
        /// Why.
        cause: Cause,
    },
}

/// Why a release was stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A host of the first wave failed.
    Canary {
        /// Which.
        host: HostName,
        /// At which part of its passage.
        stage: Stage,
        /// Its reason.
        reason: String,
    },
    /// Several hosts failed at the same step: it is the release.
    Correlated {
        /// At which part of their passage.
        stage: Stage,
        /// Which.
        hosts: Vec<HostName>,
        /// The first one's reason.
        reason: String,
    },
    /// More hosts failed than the plan bears.
    Budget {
        /// Hosts that failed.
        failed: u32,
        /// Hosts that may.
        max: u32,
        /// The last one's reason.
        reason: String,
    },
    /// No host succeeded for too long.
    NoProgress {
        /// How long.
        #[serde(with = "crate::time::millis")]
        after: Duration,
    },
    /// Hosts could not be changed, and the plan has nothing to put them back to.
    Incomplete {
        /// Which.
        hosts: Vec<HostName>,
    },
    /// The analysis saw that the release hurts.
    Analysis {
        /// What it saw: one sentence.
        sentence: String,
        /// The metrics that it names.
        metrics: Vec<MetricName>,
    },
    /// The analysis ended without knowing, and the line puts a release back then.
    Undecided {
        /// What it could see: one sentence.
        sentence: String,
    },
    /// A person asked for it.
    Asked {
        /// Who.
        by: Option<Person>,
    },
}

/// Why a pending deployment ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// A newer one took its place in the queue.
    Superseded {
        /// The newer one.
        by: DeploymentId,
    },
    /// A person asked.
    Asked,
    /// It could not start: one sentence.
    Refused {
        /// Why.
        why: String,
    },
}

impl State {
    /// Whether it is the end.
    pub fn is_terminal(&self) -> bool {
        match self {
            State::Succeeded
            | State::Failed { .. }
            | State::Aborted { .. }
            | State::RolledBack { .. }
            | State::RollbackFailed { .. }
            | State::Cancelled { .. } => true,
            State::Pending { .. }
            | State::Running { .. }
            | State::Paused { .. }
            | State::Baking { .. }
            | State::Aborting { .. }
            | State::RollingBack { .. } => false,
        }
    }

    /// The state's name, for programs.
    pub fn name(&self) -> &'static str {
        match self {
            State::Pending { .. } => "pending",
            State::Running { .. } => "running",
            State::Paused { .. } => "paused",
            State::Baking { .. } => "baking",
            State::Aborting { .. } => "aborting",
            State::RollingBack { .. } => "rolling_back",
            State::Succeeded => "succeeded",
            State::Failed { .. } => "failed",
            State::Aborted { .. } => "aborted",
            State::RolledBack { .. } => "rolled_back",
            State::RollbackFailed { .. } => "rollback_failed",
            State::Cancelled { .. } => "cancelled",
        }
    }

    /// Why the release was stopped, where it was.
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            State::RollingBack { cause }
            | State::Failed { cause }
            | State::RolledBack { cause }
            | State::RollbackFailed { cause, .. }
            | State::Aborting { then: AfterAbort::RollBack { cause } | AfterAbort::Fail { cause } } => {
                Some(cause)
            }
            _ => None,
        }
    }
}

impl PauseReason {
    /// Whether a person wanted it, so that nobody needs to be told.
    pub fn is_a_persons_wish(&self) -> bool {
        matches!(self, PauseReason::Manual)
    }
}

impl Cause {
    /// Whether something failed, as opposed to a person's wish.
    pub fn is_a_failure(&self) -> bool {
        !matches!(self, Cause::Asked { .. })
    }

    /// Whether it speaks against the release, as opposed to a person's wish.
    pub fn blames_the_release(&self) -> bool {
        !matches!(self, Cause::Asked { .. } | Cause::Incomplete { .. } | Cause::Undecided { .. })
    }
}
