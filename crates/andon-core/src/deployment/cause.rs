//! Why a host stands as it does in a deployment: failed itself, stopped because another one failed, waiting, untouched. What
//! is shown of hosts is coloured by this, so that nothing is red that did not fail.

use std::fmt;

use super::{Deployment, HostState, State};
use crate::name::HostName;

/// Why a host stands as it does. In the order in which people want to see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostCause {
    /// On the new release, verified; or it was there already.
    Succeeded,
    /// Whole, and without traffic: the other set of two has it.
    Idle,
    /// In its cycle, on its way to the new release.
    InCycle,
    /// On its way back to the release from before.
    GoingBack,
    /// It failed itself. It may have been put back since.
    Failed,
    /// It did not fail: it was put back because others did, or because a person asked.
    PutBack,
    /// It cannot be reached, or what became of a step is not known.
    Unknown,
    /// It would have been next; the deployment stopped because another host, or the analysis, failed.
    Stopped,
    /// Its turn comes.
    Waiting,
    /// It was never touched, and will not be.
    Untouched,
}

impl HostCause {
    /// Every cause, in their order.
    pub const ALL: [Self; 10] = [
        Self::Succeeded,
        Self::Idle,
        Self::InCycle,
        Self::GoingBack,
        Self::Failed,
        Self::PutBack,
        Self::Unknown,
        Self::Stopped,
        Self::Waiting,
        Self::Untouched,
    ];

    /// A sign that tells it from the others without a colour.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Succeeded => "✔",
            Self::Idle => "○",
            Self::InCycle => "◐",
            Self::GoingBack => "◑",
            Self::Failed => "✘",
            Self::PutBack => "↺",
            Self::Unknown => "?",
            Self::Stopped => "‖",
            Self::Waiting => "·",
            Self::Untouched => "–",
        }
    }

    /// The family of colours: `good`, `bad`, `busy`, `back`, `unknown` or `quiet`. Only what failed itself is `bad`.
    pub fn tone(self) -> &'static str {
        match self {
            Self::Succeeded => "good",
            Self::Failed => "bad",
            Self::InCycle => "busy",
            Self::GoingBack | Self::PutBack => "back",
            Self::Unknown => "unknown",
            Self::Idle | Self::Stopped | Self::Waiting | Self::Untouched => "quiet",
        }
    }
}

impl fmt::Display for HostCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Succeeded => "succeeded",
            Self::Idle => "without traffic",
            Self::InCycle => "in its cycle",
            Self::GoingBack => "going back",
            Self::Failed => "failed",
            Self::PutBack => "put back",
            Self::Unknown => "unknown",
            Self::Stopped => "stopped because another failed",
            Self::Waiting => "waiting",
            Self::Untouched => "untouched",
        })
    }
}

impl Deployment {
    /// Why a host stands as it does; `None` for a host that is not in the plan.
    pub fn cause_of(&self, host: &HostName) -> Option<HostCause> {
        let run = self.hosts.get(host)?;
        let own_failure = run.failure.is_some();
        Some(match &run.state {
            HostState::Succeeded | HostState::Skipped => HostCause::Succeeded,
            HostState::Idle => HostCause::Idle,
            HostState::Failed(_) | HostState::RevertFailed(_) => HostCause::Failed,
            HostState::Reverted if own_failure => HostCause::Failed,
            HostState::Reverted => HostCause::PutBack,
            HostState::Unknown { .. } | HostState::Unreachable { .. } => HostCause::Unknown,
            HostState::Doing(doing) if doing.way == super::Way::Back => HostCause::GoingBack,
            HostState::Doing(_) | HostState::Ready => HostCause::InCycle,
            HostState::Pending | HostState::Prepared | HostState::Cancelled => self.cause_of_rest(),
        })
    }

    /// Why a host stands that was not changed.
    fn cause_of_rest(&self) -> HostCause {
        match (&self.state, self.state.cause()) {
            (_, Some(cause)) if cause.is_a_failure() => HostCause::Stopped,
            (State::Aborting { .. } | State::RollingBack { .. }, _) => HostCause::Untouched,
            (state, _) if state.is_terminal() => HostCause::Untouched,
            _ => HostCause::Waiting,
        }
    }

    /// What a host does or why it stands, in a few words: the reason of a failure, the step that it is at.
    pub fn standing_of(&self, host: &HostName) -> Option<String> {
        let (run, cause) = (self.hosts.get(host)?, self.cause_of(host)?);
        Some(match &run.state {
            HostState::Doing(step) => super::sentence::doing(step).to_owned(),
            HostState::Ready => "verified, waiting for the others".to_owned(),
            HostState::Skipped => "there already".to_owned(),
            HostState::Failed(failure) => format!("failed to {}", failure.stage),
            HostState::RevertFailed(_) => "not restored".to_owned(),
            HostState::Reverted => match &run.failure {
                Some(failure) => format!("failed to {}, put back", failure.stage),
                None => "put back".to_owned(),
            },
            HostState::Unreachable { .. } => "unreachable".to_owned(),
            HostState::Unknown { .. } => "unknown, being called".to_owned(),
            HostState::Prepared if cause == HostCause::Waiting => "has the release".to_owned(),
            _ if cause == HostCause::Stopped => "stopped".to_owned(),
            _ => cause.to_string(),
        })
    }
}
