//! The cord along the line: whether changes flow into production, who stopped them and why.
//!
//! A [`Cord`] is a fold of its [`CordFact`]s; there is one for each ledger. While the line is stopped no deployment
//! begins, except what puts things right: a rollback, or a declared fix. What is under way already goes on.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::kind::Kind;
use crate::name::{DeploymentId, ScopeName};
use crate::person::Person;
use crate::time::Time;

pub mod words;

/// The name of the line's stream in the ledger.
pub const STREAM: &str = "line";
/// Changes that a cord remembers, the newest ones; the ledger has all.
pub const MOST_CHANGES: usize = 20;
/// Reasons that stand beside each other. Further ones are in the ledger only; the line is stopped all the same.
pub const MOST_STOPS: usize = 200;

/// Who stops the line, or starts it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Puller {
    /// A person who saw something.
    Person {
        /// Who.
        person: Person,
    },
    /// A deployment: its release failed, or could not be put back; or it mended what another one had stopped the
    /// line for.
    Deployment {
        /// Which one.
        deployment: DeploymentId,
        /// Where.
        scope: ScopeName,
        /// The deployment that it was to repair.
        fixes: Option<DeploymentId>,
    },
}

/// What passed although the line was stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Passage {
    /// A declared fix began.
    Fix {
        /// Which deployment.
        deployment: DeploymentId,
        /// The deployment that it repairs.
        fixes: DeploymentId,
    },
    /// Commits went into a protected branch.
    Push {
        /// Where to, for example `refs/heads/main`.
        reference: String,
        /// The newest of the commits.
        commit: String,
    },
}

/// Something that happened to the line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CordFact {
    /// It was stopped; or, when it stood already, there is one more reason.
    Stopped {
        /// Who pulled the cord.
        by: Puller,
        /// One sentence.
        reason: String,
    },
    /// Everything that it stood for is over.
    Started {
        /// Who says so.
        by: Puller,
        /// One sentence.
        why: String,
    },
    /// A repair succeeded: what these deployments had stopped it for is over. It runs when nothing else is left.
    Mended {
        /// The repair.
        by: Puller,
        /// The deployments whose damage is mended.
        deployments: Vec<DeploymentId>,
        /// One sentence.
        why: String,
    },
    /// A declared exception passed while it stood.
    Passed {
        /// Who declared it.
        by: String,
        /// What passed.
        what: Passage,
        /// Why, in that person's words.
        why: String,
    },
}

/// One reason for which the line stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Who pulled the cord.
    pub by: Puller,
    /// One sentence.
    pub reason: String,
    /// Since when.
    pub since: Time,
}

/// One change of the line, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When.
    pub at: Time,
    /// What.
    pub fact: CordFact,
}

/// The state of the line.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cord {
    /// What it stands for, the oldest reason first; nothing while it runs.
    stops: Vec<Stop>,
    /// When it was started last; `None` while it has never stood.
    started: Option<Time>,
    /// The newest changes, the oldest of them first.
    changes: VecDeque<Change>,
}

impl Cord {
    /// Adds a fact. Any sequence of facts is accepted: what was recorded has happened.
    pub fn apply(&mut self, at: Time, fact: &CordFact) {
        let stood = self.is_stopped();
        match fact {
            CordFact::Stopped { by, reason } => {
                if self.stops.len() < MOST_STOPS {
                    self.stops.push(Stop { by: by.clone(), reason: reason.clone(), since: at });
                }
            }
            CordFact::Started { .. } => self.stops.clear(),
            CordFact::Mended { deployments, .. } => {
                self.stops.retain(|stop| stop.deployment().is_none_or(|id| !deployments.contains(&id)));
            }
            CordFact::Passed { .. } => {}
        }
        if stood && !self.is_stopped() {
            self.started = Some(at);
        }
        if self.changes.len() == MOST_CHANGES {
            self.changes.pop_front();
        }
        self.changes.push_back(Change { at, fact: fact.clone() });
    }

    /// Whether it stands.
    pub fn is_stopped(&self) -> bool {
        !self.stops.is_empty()
    }

    /// What it stands for, the oldest reason first; nothing while it runs.
    pub fn stops(&self) -> &[Stop] {
        &self.stops
    }

    /// Since when it stands or runs; `None` while it has never stood.
    pub fn since(&self) -> Option<Time> {
        self.stops.first().map(|stop| stop.since).or(self.started)
    }

    /// The newest changes, the newest first.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().rev()
    }

    /// Whether a deployment may begin now: while the line stands only a rollback or a declared fix.
    ///
    /// # Errors
    ///
    /// What the line stands for, the oldest reason first.
    pub fn admits(&self, kind: Kind, fixes: Option<DeploymentId>) -> Result<(), &[Stop]> {
        if !self.is_stopped() || kind == Kind::Rollback || fixes.is_some() {
            Ok(())
        } else {
            Err(&self.stops)
        }
    }

    /// The deployments that a successful repair of `fixed` mends, of those that stopped the line: `fixed`, what that
    /// one was to repair, and what failed while it was repaired.
    pub fn mended_by_fixing(&self, fixed: DeploymentId) -> Vec<DeploymentId> {
        let mut mended = BTreeSet::from([fixed]);
        loop {
            let before = mended.len();
            for (id, fixes) in self.stops.iter().filter_map(Stop::repair) {
                if mended.contains(&id) {
                    mended.extend(fixes);
                } else if fixes.is_some_and(|fixes| mended.contains(&fixes)) {
                    mended.insert(id);
                }
            }
            if mended.len() == before {
                break;
            }
        }
        mended.retain(|id| self.stops.iter().any(|stop| stop.deployment() == Some(*id)));
        mended.into_iter().collect()
    }
}

impl Stop {
    /// The deployment that stopped the line, when it was one.
    pub fn deployment(&self) -> Option<DeploymentId> {
        self.repair().map(|(id, _)| id)
    }

    fn repair(&self) -> Option<(DeploymentId, Option<DeploymentId>)> {
        match &self.by {
            Puller::Person { .. } => None,
            Puller::Deployment { deployment, fixes, .. } => Some((*deployment, *fixes)),
        }
    }

    /// Where the deployment was that stopped the line, when it was one.
    pub fn scope(&self) -> Option<&ScopeName> {
        match &self.by {
            Puller::Person { .. } => None,
            Puller::Deployment { scope, .. } => Some(scope),
        }
    }
}

impl CordFact {
    /// The person who did it; `None` where a deployment did.
    pub fn person(&self) -> Option<&str> {
        match self {
            CordFact::Stopped { by, .. } | CordFact::Started { by, .. } | CordFact::Mended { by, .. } => {
                match by {
                    Puller::Person { person } => Some(&person.name),
                    Puller::Deployment { .. } => None,
                }
            }
            CordFact::Passed { by, .. } => Some(by),
        }
    }
}

impl fmt::Display for Puller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Puller::Person { person } => write!(f, "{person}"),
            Puller::Deployment { deployment, scope, .. } => write!(f, "{deployment} ({scope})"),
        }
    }
}

#[cfg(test)]
mod tests;
