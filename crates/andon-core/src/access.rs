//! Who may do what. Everybody who is let in may read; what changes something needs a role, perhaps only for one service or
//! one environment. Only data and its rules: who somebody is, is proven elsewhere.

//!
//! - [`Directory`]: the fold of all [`AccessFact`]s: users, their grants, their tokens; and the rules by which it changes.
//! - [`Approvals`]: who has to agree before a release goes where the line asks for it, and who did.

use serde::{Deserialize, Serialize};

use crate::name::{EnvironmentName, ServiceName};
use crate::scope::ScopeName;

mod approvals;
mod directory;
mod fact;
mod grant;
mod refusal;
mod user_name;

pub use approvals::{APPROVALS_LAST, ApprovalFact, Approvals, Approved, Asked, Unapproved, has_to_wait};
pub use directory::{Directory, MOST_GRANTS, MOST_TOKENS, MOST_USERS, Token, User};
pub use fact::{AccessFact, Fingerprint, Identity, STREAM, TokenId, Way};
pub use grant::GrantError;
pub use refusal::AccessRefusal;
pub use user_name::{UserName, UserNameError};

/// What somebody may do beyond reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Deploy, roll back, pause, resume, abort, test, sweep.
    Deploy,
    /// Stop and start the line.
    Line,
    /// Look after users and tokens; includes every other role.
    Admin,
}

/// A role, and where it holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Grant {
    /// What.
    pub role: Role,
    /// Only for this service; `None` for every service.
    pub service: Option<ServiceName>,
    /// Only in this environment; `None` for every environment.
    pub environment: Option<EnvironmentName>,
}

/// Somebody who was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// The name that stands in the ledger for what they do.
    pub name: String,
    /// Where they come from, for example an address.
    pub at: String,
    /// What they may do beyond reading.
    pub grants: Vec<Grant>,
}

/// What somebody is about to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Look at anything.
    Read,
    /// Change what runs in a scope.
    Deploy(ScopeName),
    /// Stop or start the line.
    Line,
    /// Change anything at all; above all, report numbers and have releases of other deployers judged by them.
    Report,
    /// Look after users and tokens.
    Administer,
}

impl Grant {
    /// A role that holds everywhere.
    pub fn everywhere(role: Role) -> Self {
        Self { role, service: None, environment: None }
    }

    fn covers(&self, deed: &Deed) -> bool {
        let anywhere = self.service.is_none() && self.environment.is_none();
        match (self.role, deed) {
            // Whoever has any role may report; all else asks for more.
            (_, Deed::Read | Deed::Report) => true,
            (Role::Deploy | Role::Admin, Deed::Deploy(scope)) => {
                self.service.as_ref().is_none_or(|service| *service == scope.service)
                    && self.environment.as_ref().is_none_or(|environment| *environment == scope.environment)
            }
            (Role::Line | Role::Admin, Deed::Line) | (Role::Admin, Deed::Administer) => anywhere,
            _ => false,
        }
    }
}

impl Visitor {
    /// Whether they may do that.
    pub fn may(&self, deed: &Deed) -> bool {
        *deed == Deed::Read || self.grants.iter().any(|grant| grant.covers(deed))
    }
}

#[cfg(test)]
mod tests;
