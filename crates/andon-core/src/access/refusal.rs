//! Why users and tokens stay as they are.

use std::time::Duration;

use super::{Grant, TokenId, UserName};

/// Why a change is refused: nothing has been changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessRefusal {
    /// There is one already.
    #[error("there is a user {0} already")]
    Known(UserName),
    /// There is none.
    #[error("there is no user {0}")]
    NoUser(UserName),
    /// There is no such token, or it was revoked.
    #[error("there is no token {0}")]
    NoToken(TokenId),
    /// Nobody could look after users any more.
    #[error("{0} is the last one who looks after users here")]
    LastAdmin(UserName),
    /// The first user has to look after users.
    #[error("the first user looks after users: {0} needs the grant admin")]
    FirstWithoutAdmin(UserName),
    /// A token may not do more than its user.
    #[error("{user} may not do {grant}, so no token of theirs may")]
    Beyond {
        /// Whose token.
        user: UserName,
        /// What they may not do.
        grant: Grant,
    },
    /// A token is made for a time that makes no sense.
    #[error("a token is made for at least a second and at most {} days", .0.as_secs() / 86_400)]
    Lifetime(Duration),
    /// A token's name makes no sense.
    #[error("a token's name has 1 to {0} visible characters")]
    TokenName(usize),
    /// There are as many as there may be.
    #[error("there are {most} {what} already, and no more than that are kept")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// So many.
        most: usize,
    },
    /// Somebody else has that name, or is that person elsewhere.
    #[error("{0} is the name of a user whom another way of signing in belongs to")]
    OtherIdentity(UserName),
    /// Another system signs somebody in whom this one let in no more.
    #[error("{0} was removed here")]
    Removed(UserName),
}

impl AccessRefusal {
    /// What to do next.
    pub fn next(&self) -> &'static str {
        match self {
            Self::Known(_) => "choose another name, or: andon user grant NAME GRANT...",
            Self::NoUser(_) => "andon user list",
            Self::NoToken(_) => "andon token list",
            Self::LastAdmin(_) => "make somebody else admin first: andon user grant NAME admin",
            Self::FirstWithoutAdmin(_) => "andon user add NAME --grant admin",
            Self::Beyond { .. } => "leave that out, or ask somebody who looks after users here",
            Self::Lifetime(_) => "say how long, for example 90d",
            Self::TokenName(_) => "say in a few words what it is for",
            Self::TooMany { .. } => "remove what nobody needs",
            Self::Removed(_) => {
                "ask somebody who looks after users here: andon user add NAME --without-password"
            }
            Self::OtherIdentity(_) => {
                "ask somebody who looks after users here to remove or rename one of the two"
            }
        }
    }
}
