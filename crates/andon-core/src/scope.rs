//! One service in one environment: its lock, its queue, and what is known of its releases.
//!
//! A scope is a fold of its [`ScopeFact`]s. The lock belongs to a deployment, not to a process, so a crash
//! leaves nothing stale behind.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::kind::Kind;
use crate::line::Set;
use crate::name::{DeploymentId, HostName};
use crate::release::{Release, ReleaseId, ReleaseStatus};
use crate::time::Time;

pub use crate::name::ScopeName;
pub use outline::Outline;

mod outline;

/// Good releases of a scope that are remembered besides the current one.
pub const MOST_GOOD: usize = 50;

/// Something that happened to a scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScopeFact {
    /// A deployment waits for the lock; one that waited before gives way.
    Queued {
        /// Which one waits.
        deployment: DeploymentId,
    },
    /// The one that waited does no more.
    Unqueued {
        /// Which one waited.
        deployment: DeploymentId,
    },
    /// A deployment begins: nobody else may change these hosts.
    LockTaken {
        /// The owner.
        deployment: DeploymentId,
    },
    /// The owner ended and left the scope in order.
    LockReleased {
        /// The owner until now.
        deployment: DeploymentId,
    },
    /// The owner ended and a person must look.
    LockHeld {
        /// The owner until now.
        deployment: DeploymentId,
        /// One sentence.
        reason: String,
    },
    /// A judgement on a release.
    Marked {
        /// The release.
        release: Release,
        /// The judgement.
        status: ReleaseStatus,
        /// Where it comes from.
        deployment: DeploymentId,
        /// One sentence.
        because: String,
    },
    /// A host was left out of its balancers, on purpose: nobody works on it any more.
    HeldOut {
        /// Which host.
        host: HostName,
        /// The deployment that took it out.
        deployment: DeploymentId,
        /// Why it stays out: one sentence.
        reason: String,
    },
    /// A host that was held out is in traffic again.
    Returned {
        /// Which host.
        host: HostName,
    },
    /// From now on, this set of two has the traffic.
    Live {
        /// Which one.
        set: Set,
    },
    /// From now on, this is what the hosts should run.
    Current {
        /// The release.
        release: ReleaseId,
    },
}

/// Who may change the hosts of a scope.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lock {
    /// Anybody.
    #[default]
    Free,
    /// Only this deployment.
    Owned {
        /// The owner.
        deployment: DeploymentId,
        /// Since when.
        since: Time,
    },
    /// Nobody, but a rollback or the declared fix of this deployment.
    Held {
        /// The deployment after which it is held.
        deployment: DeploymentId,
        /// One sentence.
        reason: String,
        /// Since when.
        since: Time,
    },
}

/// A host that was left out of its balancers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldOut {
    /// The deployment that took it out.
    pub deployment: DeploymentId,
    /// Why it stays out: one sentence.
    pub reason: String,
    /// Since when.
    pub since: Time,
}

/// What is known of a release here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownRelease {
    /// The release.
    pub release: Release,
    /// The last judgement.
    pub status: ReleaseStatus,
    /// When it was judged.
    pub at: Time,
    /// Which deployment judged it.
    pub deployment: DeploymentId,
    /// Why, in one sentence.
    pub because: String,
    /// Grows with every judgement in the scope: the newest is the largest.
    ordinal: u64,
}

impl KnownRelease {
    /// The number of its judgement among all of the scope: the newest is the largest.
    pub fn judgement(&self) -> u64 {
        self.ordinal
    }
}

/// The state of a scope.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Scope {
    /// Who may change its hosts.
    pub lock: Lock,
    /// The deployment that waits for the lock.
    pub waiting: Option<DeploymentId>,
    /// What its hosts should run.
    pub current: Option<ReleaseId>,
    /// The releases that were judged here: every bad one, and the newest [`MOST_GOOD`] good ones.
    pub releases: BTreeMap<ReleaseId, KnownRelease>,
    /// Hosts that were left out of their balancers: every drain has an owner, or is one of these.
    #[serde(default)]
    pub held: BTreeMap<HostName, HeldOut>,
    /// Of two sets, the one that the last switch led to.
    #[serde(default)]
    pub live: Option<Set>,
    judgements: u64,
    /// What the lock was held for and no deployment has mended since: after which one, and why.
    #[serde(default)]
    damage: Option<(DeploymentId, String)>,
}

/// Whether a new deployment may have the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// It may begin.
    Go,
    /// Another one is at work.
    Occupied {
        /// The owner.
        by: DeploymentId,
        /// Since when.
        since: Time,
    },
    /// A person must look first.
    Held {
        /// The deployment after which it is held.
        by: DeploymentId,
        /// One sentence.
        reason: String,
        /// Since when.
        since: Time,
    },
}

impl Scope {
    /// Adds a fact. Any sequence of facts is accepted: what was recorded has happened.
    pub fn apply(&mut self, at: Time, fact: &ScopeFact) {
        match fact {
            ScopeFact::Queued { deployment } => self.waiting = Some(*deployment),
            ScopeFact::Unqueued { deployment } => self.unqueue(*deployment),
            ScopeFact::LockTaken { deployment } => {
                self.lock = Lock::Owned { deployment: *deployment, since: at };
                self.unqueue(*deployment);
            }
            ScopeFact::LockReleased { .. } => {
                self.lock = Lock::Free;
                self.damage = None;
            }
            ScopeFact::LockHeld { deployment, reason } => {
                self.damage = Some((*deployment, reason.clone()));
                self.lock = Lock::Held { deployment: *deployment, reason: reason.clone(), since: at };
            }
            ScopeFact::Marked { release, status, deployment, because } => {
                self.judgements += 1;
                let known = KnownRelease {
                    release: release.clone(),
                    status: *status,
                    at,
                    deployment: *deployment,
                    because: because.clone(),
                    ordinal: self.judgements,
                };
                self.releases.insert(release.id.clone(), known);
                self.forget_old_good();
            }
            ScopeFact::HeldOut { host, deployment, reason } => {
                let held = HeldOut { deployment: *deployment, reason: reason.clone(), since: at };
                self.held.insert(host.clone(), held);
            }
            ScopeFact::Returned { host } => {
                self.held.remove(host);
            }
            ScopeFact::Live { set } => self.live = Some(*set),
            ScopeFact::Current { release } => self.current = Some(release.clone()),
        }
    }

    /// What becomes of the lock when its owner ended without having mended what the lock was held for, if anything.
    pub fn lock_after(&self, owner: DeploymentId) -> ScopeFact {
        match &self.damage {
            Some((deployment, reason)) => {
                ScopeFact::LockHeld { deployment: *deployment, reason: reason.clone() }
            }
            None => ScopeFact::LockReleased { deployment: owner },
        }
    }

    /// The scope is read and written as a whole: it must not grow with every release. A release that was good long ago
    /// is one like any other; what is bad is remembered for ever.
    fn forget_old_good(&mut self) {
        let mut ordinals: Vec<u64> = self.good().iter().map(|known| known.ordinal).collect();
        ordinals.truncate(MOST_GOOD);
        let Some(&oldest) = ordinals.get(MOST_GOOD - 1) else { return };
        let current = self.current.as_ref();
        self.releases.retain(|id, known| {
            known.status != ReleaseStatus::Good || known.ordinal >= oldest || Some(id) == current
        });
    }

    fn unqueue(&mut self, deployment: DeploymentId) {
        if self.waiting == Some(deployment) {
            self.waiting = None;
        }
    }

    /// Good releases, the newest judgement first.
    pub fn good(&self) -> Vec<&KnownRelease> {
        let mut good: Vec<_> =
            self.releases.values().filter(|known| known.status == ReleaseStatus::Good).collect();
        good.sort_by_key(|known| std::cmp::Reverse(known.ordinal));
        good
    }

    /// Where a deployment of `release` goes back to: the current release while it is good, else the newest good
    /// one; never `release` itself.
    pub fn rollback_target(&self, release: &ReleaseId) -> Option<&KnownRelease> {
        let good = self.good();
        let current = good.iter().find(|known| Some(&known.release.id) == self.current.as_ref());
        current.into_iter().chain(good.iter()).find(|known| known.release.id != *release).copied()
    }

    /// Whether a rollback may lead to `release`: it does not wait for approvals, nor for a line that is stopped, so it
    /// leads only to what was judged here before.
    pub fn knows_the_way_back_to(&self, release: &Release) -> bool {
        self.releases.get(&release.id).is_some_and(|known| known.release.digest == release.digest)
    }

    /// Whether a deployment may have the lock. A rollback and a declared fix pass a held one.
    pub fn admits(&self, kind: Kind, fixes: Option<DeploymentId>) -> Admission {
        match &self.lock {
            Lock::Free => Admission::Go,
            Lock::Owned { deployment, since } => Admission::Occupied { by: *deployment, since: *since },
            Lock::Held { deployment, reason, since } => {
                if kind == Kind::Rollback || fixes == Some(*deployment) {
                    Admission::Go
                } else {
                    Admission::Held { by: *deployment, reason: reason.clone(), since: *since }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
