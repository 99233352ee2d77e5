//! Approvals: where the line asks for them, a release goes to an environment once others agree. A fold for each scope.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::deployment::{Cause, Kind, PauseReason, State};
use crate::digest::Digest;
use crate::name::DeploymentId;
use crate::person::Person;
use crate::release::ReleaseId;
use crate::scope::ScopeName;
use crate::time::Time;

/// An approval, and a request for one, are worth something for this long.
pub const APPROVALS_LAST: Duration = Duration::from_secs(24 * 3600);
/// Requests and approvals that are remembered; the ledger has all.
const MOST: usize = 200;

/// Whether a deployment has to wait for approvals where the line asks for them. What puts things right does not: a rollback,
/// and the declared fix of a deployment that failed and was not followed by one that went well, or of any while the
/// line is stopped. `fixed` is the deployment that it is said to repair, as its kind and how it stands, and whether one
/// succeeded there since.
pub fn has_to_wait(kind: Kind, fixed: Option<(Kind, &State, bool)>, line_stopped: bool) -> bool {
    let repairs = fixed.is_some_and(|(kind, state, over)| line_stopped || (has_failed(kind, state) && !over));
    kind == Kind::Deploy && !repairs
}

/// Whether something went wrong by itself. What a person paused, gave up or put back does not count: whoever may deploy
/// could begin one, give it up, and call whatever comes next its fix. A way back, which waits for nobody, has failed only
/// where it ended so: to begin one that does not go well is no art.
fn has_failed(kind: Kind, state: &State) -> bool {
    let by_itself = |cause: &Cause| !matches!(cause, Cause::Asked { .. });
    match state {
        State::RollbackFailed { .. } => true,
        State::Failed { cause } => by_itself(cause),
        State::RollingBack { cause } | State::RolledBack { cause } => {
            kind == Kind::Deploy && by_itself(cause)
        }
        State::Paused { reason, .. } => kind == Kind::Deploy && *reason != PauseReason::Manual,
        State::Pending { .. }
        | State::Running { .. }
        | State::Baking { .. }
        | State::Aborting { .. }
        | State::Succeeded
        | State::Aborted { .. }
        | State::Cancelled { .. } => false,
    }
}

/// Something that happened to the approvals of a scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalFact {
    /// A deployment was refused for want of approvals: it asks for them.
    Asked {
        /// Of which release.
        release: Digest,
        /// Who wanted to deploy it.
        by: Person,
        /// So many are needed.
        needed: u32,
        /// Why, in that person's words.
        why: Option<String>,
    },
    /// Somebody agrees.
    Approved {
        /// To which release.
        release: Digest,
        /// Who.
        by: Person,
        /// Why, in that person's words.
        why: Option<String>,
    },
    /// The release went out.
    Used {
        /// Which.
        release: Digest,
        /// As which deployment.
        deployment: DeploymentId,
    },
}

/// A request for approvals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Of which release.
    pub release: Digest,
    /// Who wanted to deploy it first.
    pub by: Person,
    /// So many are needed.
    pub needed: u32,
    /// Why, in that person's words.
    pub why: Option<String>,
    /// When.
    pub at: Time,
}

/// An approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    /// Of which release.
    pub release: Digest,
    /// Who agrees.
    pub by: Person,
    /// Why, in that person's words.
    pub why: Option<String>,
    /// When.
    pub at: Time,
}

/// Why a release does not go out yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unapproved {
    /// Where to.
    pub scope: ScopeName,
    /// What.
    pub release: Digest,
    /// So many approvals are needed.
    pub needed: u32,
    /// Who asked for them first.
    pub asked: Person,
    /// Who approved, and counts.
    pub given: Vec<String>,
}

/// The requests and approvals of a scope.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Approvals {
    asked: Vec<Asked>,
    approved: Vec<Approved>,
}

impl Approvals {
    /// The name of a scope's stream in the ledger.
    pub fn stream(scope: &ScopeName) -> String {
        format!("approvals/{}/{}", scope.service, scope.environment)
    }

    /// Adds a fact. Any sequence of facts is accepted: what was recorded has happened.
    pub fn apply(&mut self, at: Time, fact: &ApprovalFact) {
        match fact {
            ApprovalFact::Asked { release, by, needed, why } => {
                let ask = Asked { release: *release, by: by.clone(), needed: *needed, why: why.clone(), at };
                self.asked.retain(|old| old.release != *release);
                push(&mut self.asked, ask);
            }
            ApprovalFact::Approved { release, by, why } => {
                self.approved.retain(|old| old.release != *release || old.by.name != by.name);
                push(
                    &mut self.approved,
                    Approved { release: *release, by: by.clone(), why: why.clone(), at },
                );
            }
            ApprovalFact::Used { release, .. } => self.asked.retain(|ask| ask.release != *release),
        }
    }

    /// The requests that still wait at `now`, the oldest first.
    pub fn waiting(&self, now: Time) -> impl Iterator<Item = &Asked> {
        self.asked.iter().filter(move |ask| now.since(ask.at) < APPROVALS_LAST)
    }

    /// Who agreed to a release, and counts at `now`: others than `wanting`, of whom `may` says that they may deploy there.
    pub fn given(
        &self,
        release: &Digest,
        wanting: &str,
        now: Time,
        may: impl Fn(&str) -> bool,
    ) -> Vec<&Approved> {
        let fits = |one: &&Approved| {
            one.release == *release && one.by.name != wanting && now.since(one.at) < APPROVALS_LAST
        };
        self.approved.iter().filter(fits).filter(|one| may(&one.by.name)).collect()
    }

    /// Whether `wanting` may deploy `release` to `scope`, where `needed` approvals are asked for.
    ///
    /// # Errors
    /// [`Unapproved`].
    pub fn admit(
        &self,
        scope: &ScopeName,
        release: &Digest,
        needed: u32,
        wanting: &Person,
        now: Time,
        may: impl Fn(&str) -> bool,
    ) -> Result<(), Box<Unapproved>> {
        let given = self.given(release, &wanting.name, now, may);
        if u32::try_from(given.len()).unwrap_or(u32::MAX) >= needed {
            return Ok(());
        }
        let asked = self.waiting(now).find(|ask| ask.release == *release).map_or(wanting, |ask| &ask.by);
        let given = given.iter().map(|one| one.by.name.clone()).collect();
        let asked = asked.clone();
        Err(Box::new(Unapproved { scope: scope.clone(), release: *release, needed, asked, given }))
    }

    /// The request for a release that is named by its short name. None when two that wait have it: which one is meant,
    /// nobody knows.
    pub fn asked_for(&self, release: &ReleaseId, now: Time) -> Option<&Asked> {
        let mut meant = self.waiting(now).filter(|ask| ReleaseId::of(&ask.release) == *release);
        let only = meant.next()?;
        meant.next().is_none().then_some(only)
    }
}

impl fmt::Display for Unapproved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scope, release, needed, given, .. } = self;
        let release = ReleaseId::of(release);
        let word = if *needed == 1 { "approval" } else { "approvals" };
        write!(f, "{release} needs {needed} {word} before it goes to {scope}; ")?;
        match given.as_slice() {
            [] => f.write_str("there is none yet"),
            names => write!(f, "it has those of {}", names.join(", ")),
        }
    }
}

fn push<T>(all: &mut Vec<T>, one: T) {
    if all.len() >= MOST {
        all.remove(0);
    }
    all.push(one);
}
