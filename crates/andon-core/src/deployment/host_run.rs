//! One host's passage through a deployment.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::host::{Stage, Token};
use crate::plan::Plan;
use crate::time::Time;

/// Towards the new release, or back to the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// To the new release.
    Forward,
    /// To the one before.
    Back,
}

/// A step that was ordered and whose end is not known yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doing {
    /// Which part of the passage.
    pub stage: Stage,
    /// In which direction.
    pub way: Way,
    /// The name of the step on the host.
    pub token: Token,
}

/// Why a host failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// During which part of the passage.
    pub stage: Stage,
    /// One sentence.
    pub reason: String,
    /// The last lines of output.
    pub tail: String,
}

/// What was seen when a drain was over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainProof {
    /// How long it took.
    #[serde(with = "crate::time::millis")]
    pub took: Duration,
    /// Sessions that were still under way when the time was up, and were cut.
    pub cut: u64,
    /// Established connections that the host itself saw at the end, all of them idle unless they were cut.
    /// `None` where it could not say.
    pub sockets: Option<u32>,
    /// What kept it from being proven: balancers that did not answer, on the way back only. A sentence.
    pub unproven: Option<String>,
}

/// Where a host is on its passage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostState {
    /// Its turn has not come.
    Pending,
    /// Already on the release and serving: left alone.
    Skipped,
    /// At work: `preparing`, `draining`, `activating`, `verifying`, `enabling`, `observing` or `reverting`.
    Doing(Doing),
    /// The release lies ready. Nothing that runs was disturbed.
    Prepared,
    /// On the new release, verified, and out of traffic until all of its set are.
    Ready,
    /// On the new release, verified.
    Succeeded,
    /// Not able to take the release.
    Failed(Failure),
    /// What became of a step is not known; asked for before anything else.
    Unknown {
        /// The step.
        doing: Doing,
        /// When contact was lost.
        since: Time,
        /// What was heard last.
        why: String,
    },
    /// No contact within the reconnect window. Not a failure.
    Unreachable {
        /// What was heard last.
        why: String,
        /// The step whose fate is unknown, if there is one.
        doing: Option<Doing>,
    },
    /// Back on the release from before, verified.
    Reverted,
    /// Neither on the new nor surely on the old release: a person must look.
    RevertFailed(Failure),
    /// Whole, and without traffic: the other set has it.
    Idle,
    /// Never changed: the deployment ended before its turn.
    Cancelled,
}

impl HostState {
    /// The state's name, as people see it.
    pub fn name(&self) -> &'static str {
        match self {
            HostState::Pending => "pending",
            HostState::Skipped => "skipped",
            HostState::Doing(Doing { way: Way::Back, .. }) => "reverting",
            HostState::Doing(Doing { stage, .. }) => match stage {
                Stage::Prepare => "preparing",
                Stage::Drain => "draining",
                Stage::Activate => "activating",
                Stage::Verify => "verifying",
                Stage::Enable => "enabling",
                Stage::Observe => "observing",
            },
            HostState::Prepared => "prepared",
            HostState::Ready => "ready",
            HostState::Succeeded => "succeeded",
            HostState::Failed(_) => "failed",
            HostState::Unknown { .. } => "unknown",
            HostState::Unreachable { .. } => "unreachable",
            HostState::Reverted => "reverted",
            HostState::RevertFailed(_) => "revert_failed",
            HostState::Idle => "idle",
            HostState::Cancelled => "cancelled",
        }
    }

    /// Whether users meet the new release on a host in this state. Without a balancer they come as soon as it runs; where
    /// traffic moves between two sets, only its shares tell.
    pub(super) fn exposes(&self, plan: &Plan) -> bool {
        match self {
            HostState::Doing(Doing { stage, way: Way::Forward, .. }) => match stage {
                Stage::Prepare | Stage::Drain => false,
                Stage::Activate | Stage::Verify => plan.pools.is_empty(),
                Stage::Enable | Stage::Observe => plan.switch.is_none(),
            },
            _ => false,
        }
    }
}

/// A host in a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRun {
    /// Where it is.
    pub state: HostState,
    /// Since when.
    pub since: Time,
    /// Whether the new release was, or may have been, activated here.
    pub touched: bool,
    /// Whether users met the new release here, or may have. Stays true when it was put back.
    pub exposed: bool,
    /// Whether it serves users, as far as is known.
    pub serving: bool,
    /// Whether its instances were seen to be healthy, by themselves: a balancer that checks nothing cannot tell.
    pub able: bool,
    /// Since when it does not serve although nobody worked on it.
    pub ill_since: Option<Time>,
    /// Whether it served when the plan was made.
    pub served_before: bool,
    /// Whether it was taken out of its balancers, and not put back.
    pub drained: bool,
    /// Whether somebody else had taken it out before: it is changed, and stays out.
    pub held_out: bool,
    /// The share of traffic that its balancers were seen to give it while traffic moved between two sets.
    pub share: Option<u8>,
    /// The proof of its last drain.
    pub drain: Option<DrainProof>,
    /// Since when it serves on the release that it runs; `None` for longer than is known.
    pub joined: Option<Time>,
    /// It is unlike the others on its release: what is said against it is not said against the release.
    pub suspect: bool,
    /// Steps begun so far: the source of fresh tokens.
    pub begun: u32,
    /// Its last failure, kept after it was put back.
    pub failure: Option<Failure>,
}

impl HostRun {
    /// What is wrong with the host, or was, in a sentence: why it is not reached, or its last failure.
    pub fn trouble(&self) -> Option<&str> {
        match &self.state {
            HostState::Unknown { why, .. } | HostState::Unreachable { why, .. } => Some(why),
            _ => self.failure.as_ref().map(|failure| failure.reason.as_str()),
        }
    }
}
