//! One deployment in the chronicle: what its summary says, in little room. Names that many rows share are held once.

use std::num::NonZeroU64;
use std::sync::Arc;

use super::names::Names;
use super::outcome::Outcome;
use crate::deployment::{Course, DeploymentId, FleetId, HostCounts, Kind, Summary};
use crate::release::{ReleaseId, Revision};
use crate::scope::ScopeName;
use crate::time::Time;

/// One deployment. Kept a hundred thousand times: what is absent is a value that cannot be, instead of a word of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    id: DeploymentId,
    scope: Arc<ScopeName>,
    release: u64,
    from: u64,
    revision: Option<Arc<Revision>>,
    by: Arc<str>,
    why: Option<Box<str>>,
    reason: Option<Box<str>>,
    state: Arc<str>,
    accepted: Time,
    started: Time,
    ended: Time,
    everywhere: Time,
    trouble: Time,
    hosts: HostCounts,
    fixes: u64,
    fleet: Option<NonZeroU64>,
    canary: u32,
    exposed: u32,
    place: u32,
    kind: Kind,
    outcome: Outcome,
}

/// No moment, no release, no count.
const NEVER: Time = Time(i64::MIN);
const NO_RELEASE: u64 = u64::MAX;
const NO_COUNT: u32 = u32::MAX;

fn moment(time: Time) -> Option<Time> {
    (time != NEVER).then_some(time)
}

fn counted(count: u32) -> Option<u32> {
    (count != NO_COUNT).then_some(count)
}

impl Row {
    /// The row of a summary.
    pub(super) fn new(summary: Summary, names: &mut Names) -> Self {
        let course = summary.course;
        let (scope, place) = names.scope(&summary.scope);
        Self {
            id: summary.id,
            scope,
            place,
            release: summary.release.number(),
            from: summary.from.map_or(NO_RELEASE, |from| from.number()),
            revision: summary.revision.map(|revision| names.revision(revision)),
            by: names.person(&summary.by),
            why: summary.why.map(String::into_boxed_str),
            reason: summary.reason.map(String::into_boxed_str),
            outcome: Outcome::of_state(&summary.state),
            state: names.state(&summary.state),
            accepted: summary.accepted,
            started: summary.started.unwrap_or(NEVER),
            ended: summary.ended.unwrap_or(NEVER),
            everywhere: course.everywhere.unwrap_or(NEVER),
            trouble: course.trouble.unwrap_or(NEVER),
            hosts: summary.hosts,
            fixes: course.fixes.map_or(0, |fixes| fixes.0),
            fleet: course.fleet.and_then(|fleet| NonZeroU64::new(fleet.number())),
            canary: course.canary.unwrap_or(NO_COUNT),
            exposed: course.exposed.unwrap_or(NO_COUNT),
            kind: summary.kind,
        }
    }

    /// Its number.
    pub fn id(&self) -> DeploymentId {
        self.id
    }

    /// Where.
    pub fn scope(&self) -> &ScopeName {
        &self.scope
    }

    /// The number of its scope: the scopes of a chronicle are numbered from 0 on, without gaps.
    pub(super) fn place(&self) -> usize {
        self.place as usize
    }

    /// Where, shared.
    pub(super) fn shared_scope(&self) -> Arc<ScopeName> {
        Arc::clone(&self.scope)
    }

    /// What for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The release that it moves to.
    pub fn release(&self) -> ReleaseId {
        ReleaseId::of_number(self.release)
    }

    /// The same as a number: compared faster than as a name.
    pub(super) fn release_number(&self) -> u64 {
        self.release
    }

    /// The release that it would go back to.
    pub fn from(&self) -> Option<ReleaseId> {
        (self.from != NO_RELEASE).then(|| ReleaseId::of_number(self.from))
    }

    /// The commit.
    pub fn revision(&self) -> Option<&Revision> {
        self.revision.as_deref()
    }

    /// The same, shared.
    pub(super) fn shared_revision(&self) -> Option<Arc<Revision>> {
        self.revision.clone()
    }

    /// Who asked.
    pub fn by(&self) -> &str {
        &self.by
    }

    /// Why, in the person's words.
    pub fn why(&self) -> Option<&str> {
        self.why.as_deref()
    }

    /// The state's name, for programs.
    pub fn state(&self) -> &str {
        &self.state
    }

    /// How it came out.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Why it is in its state, where there is something to say.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// When it was accepted.
    pub fn accepted(&self) -> Time {
        self.accepted
    }

    /// When it began to change hosts.
    pub fn started(&self) -> Option<Time> {
        moment(self.started)
    }

    /// When it ended.
    pub fn ended(&self) -> Option<Time> {
        moment(self.ended)
    }

    /// What became of its hosts.
    pub fn hosts(&self) -> &HostCounts {
        &self.hosts
    }

    /// The way that it went.
    pub fn course(&self) -> Course {
        Course {
            fixes: (self.fixes != 0).then_some(DeploymentId(self.fixes)),
            fleet: self.fleet(),
            canary: counted(self.canary),
            exposed: counted(self.exposed),
            everywhere: moment(self.everywhere),
            trouble: moment(self.trouble),
        }
    }

    /// The hosts of its plan, by the name of their set; see [`super::Chronicle::fleet`].
    pub fn fleet(&self) -> Option<FleetId> {
        self.fleet.map(|number| FleetId::of_number(number.get()))
    }

    /// The row as a summary.
    pub fn summary(&self) -> Summary {
        Summary {
            id: self.id,
            scope: self.scope().clone(),
            kind: self.kind,
            release: self.release(),
            from: self.from(),
            revision: self.revision().cloned(),
            by: self.by().to_owned(),
            why: self.why().map(str::to_owned),
            state: self.state().to_owned(),
            reason: self.reason().map(str::to_owned),
            accepted: self.accepted,
            started: self.started(),
            ended: self.ended(),
            hosts: self.hosts,
            course: self.course(),
        }
    }
}
