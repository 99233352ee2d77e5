//! A deployment in one row: what `history` lists, and what is kept as a view beside the ledger.

use serde::{Deserialize, Serialize};

use super::{Course, Deployment, DeploymentId, HostState, Kind, count};
use crate::release::{ReleaseId, Revision};
use crate::scope::{KnownRelease, Scope, ScopeName};
use crate::time::Time;

/// How many hosts ended up how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HostCounts {
    /// In the plan.
    pub total: u32,
    /// On which the release was activated, or may have been.
    pub changed: u32,
    /// On the new release, verified.
    pub succeeded: u32,
    /// Put back, verified.
    pub restored: u32,
    /// Failed, and not put back.
    pub failed: u32,
    /// Out of reach.
    pub unreachable: u32,
    /// Left alone: already on the release.
    pub skipped: u32,
    /// Whole, and without traffic: the other set of two has it.
    #[serde(default)]
    pub idle: u32,
}

/// A deployment in one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Its number.
    pub id: DeploymentId,
    /// Where.
    pub scope: ScopeName,
    /// What for.
    pub kind: Kind,
    /// The release it moves to.
    pub release: ReleaseId,
    /// The release it would go back to.
    pub from: Option<ReleaseId>,
    /// The commit.
    pub revision: Option<Revision>,
    /// Who asked.
    pub by: String,
    /// Why, in the person's words.
    pub why: Option<String>,
    /// The state's name.
    pub state: String,
    /// Why it is in that state: a sentence, where there is something to say.
    pub reason: Option<String>,
    /// When it was accepted.
    pub accepted: Time,
    /// When it began to change hosts.
    pub started: Option<Time>,
    /// When it ended.
    pub ended: Option<Time>,
    /// What became of its hosts.
    pub hosts: HostCounts,
    /// The way that it went.
    #[serde(default, skip_serializing_if = "Course::is_empty")]
    pub course: Course,
}

impl Summary {
    /// Whether it touched hosts, or does now. One that waits, or was cancelled before it began, did not.
    pub fn touched_hosts(&self) -> bool {
        self.hosts.changed > 0 || (self.ended.is_none() && self.started.is_some())
    }

    /// Whether it has ended, and left hosts on what it brought although it did not get through.
    pub fn left_halfway(&self) -> bool {
        self.ended.is_some() && self.hosts.changed > self.hosts.restored && self.did_not_get_through()
    }

    fn did_not_get_through(&self) -> bool {
        matches!(self.state.as_str(), "failed" | "aborted" | "rollback_failed")
    }

    /// Where a person goes back to who names no release. `last` is the newest deployment that touched hosts, or does
    /// now. One that did not get through is undone, a rollback that did not is tried again; after a good end it is the
    /// newest good release before the current one.
    pub fn way_back<'a>(last: Option<&Self>, scope: &'a Scope) -> Option<&'a KnownRelease> {
        let halfway = last.filter(|last| last.ended.is_none() || last.did_not_get_through());
        match (halfway, &scope.current) {
            (Some(last), _) if last.kind == Kind::Rollback => scope.releases.get(&last.release),
            (Some(last), _) => scope.rollback_target(&last.release),
            (None, Some(current)) => scope.rollback_target(current),
            (None, None) => scope.good().first().copied(),
        }
    }
}

impl Deployment {
    /// The deployment in one row.
    pub fn summary(&self) -> Summary {
        Summary {
            id: self.id,
            scope: self.request.scope.clone(),
            kind: self.request.kind,
            release: self.request.release.id.clone(),
            from: self.plan.as_ref().and_then(|plan| plan.back_to.as_ref()).map(|release| release.id.clone()),
            revision: self.request.release.revision.clone(),
            by: self.request.by.name.clone(),
            why: self.request.why.clone(),
            state: self.state.name().to_owned(),
            reason: self.reason(),
            accepted: self.accepted,
            started: self.started,
            ended: self.ended,
            hosts: self.host_counts(),
            course: self.course(),
        }
    }

    /// What became of its hosts, so far.
    pub fn host_counts(&self) -> HostCounts {
        let counted =
            |wanted: fn(&HostState) -> bool| count(self.hosts.values().filter(|run| wanted(&run.state)));
        HostCounts {
            total: count(self.hosts.iter()),
            changed: count(self.touched()),
            succeeded: counted(|state| *state == HostState::Succeeded),
            restored: counted(|state| *state == HostState::Reverted),
            failed: counted(|state| matches!(state, HostState::Failed(_) | HostState::RevertFailed(_))),
            unreachable: counted(|state| matches!(state, HostState::Unreachable { .. })),
            idle: counted(|state| *state == HostState::Idle),
            skipped: counted(|state| *state == HostState::Skipped),
        }
    }
}
