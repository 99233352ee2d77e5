//! Whoever keeps users and tokens: the ledger of this machine, or a server.

use std::time::Duration;

use andon_core::access::{AccessRefusal, Directory, Grant, TokenId, UserName};
use andon_server::access::{Access, AccessError, SessionSettings};

use crate::args::Common;
use crate::context::{data_of, me, open_ledger_here};
use crate::failure::Failure;
use crate::remote::people::Made;
use crate::remote::{Remote, choice};
use crate::when;

/// The way to whoever keeps them.
pub(super) enum Keeper {
    /// The ledger of this machine, in the name of whoever sits here.
    Here(Access, String),
    /// A server, in the name of whoever it takes this person for.
    Server(Box<Remote>),
}

impl Keeper {
    /// The one that is meant.
    pub(super) async fn open(common: &Common) -> Result<Self, Failure> {
        if let Some(chosen) = choice::chosen(common)? {
            return Ok(Self::Server(Box::new(Remote::connect(chosen).await?)));
        }
        let controller = open_ledger_here(common).await?;
        let data = data_of(common)?;
        let access = Access::open(controller.records().clone(), &data, SessionSettings::default())?;
        Ok(Self::Here(access, me().name))
    }

    /// Everybody.
    pub(super) async fn directory(&self) -> Result<Directory, Failure> {
        match self {
            Self::Here(access, _) => Ok(access.directory().await?.as_ref().clone()),
            Self::Server(remote) => remote.directory().await,
        }
    }

    /// Lets somebody in.
    pub(super) async fn add_user(
        &self,
        user: &UserName,
        grants: &[Grant],
        password: Option<&str>,
    ) -> Result<(), Failure> {
        match self {
            Self::Here(access, by) => Ok(access.add_user(by, user, grants, password).await?),
            Self::Server(remote) => remote.add_user(user, grants, password).await,
        }
    }

    /// Says what somebody may do. Whether that was anything new.
    pub(super) async fn set_grants(&self, user: &UserName, grants: &[Grant]) -> Result<bool, Failure> {
        match self {
            Self::Here(access, by) => {
                let decide = |directory: &Directory| directory.set_grants(user.clone(), grants.to_vec());
                Ok(!access.change(by, decide).await?.is_empty())
            }
            Self::Server(remote) => {
                let decided = remote.directory().await?.set_grants(user.clone(), grants.to_vec());
                if decided.is_ok_and(|facts| facts.is_empty()) {
                    return Ok(false);
                }
                remote.set_grants(user, grants).await.map(|()| true)
            }
        }
    }

    /// Sets a password.
    pub(super) async fn set_password(&self, user: &UserName, password: &str) -> Result<(), Failure> {
        match self {
            Self::Here(access, by) => Ok(access.set_password(by, user, password).await?),
            Self::Server(remote) => remote.set_password(user, password).await,
        }
    }

    /// Lets somebody in no more.
    pub(super) async fn remove_user(&self, user: &UserName) -> Result<(), Failure> {
        match self {
            Self::Here(access, by) => Ok(access.remove_user(by, user).await?),
            Self::Server(remote) => remote.remove_user(user).await,
        }
    }

    /// Makes a token.
    pub(super) async fn make_token(
        &self,
        user: &UserName,
        name: &str,
        grants: &[Grant],
        lifetime: Duration,
    ) -> Result<Made, Failure> {
        match self {
            Self::Here(access, by) => {
                let made = access.make_token(by, user, name, grants, lifetime).await?;
                Ok(Made { token: made.id.0, secret: made.text, expires: when::iso(made.expires) })
            }
            Self::Server(remote) => remote.make_token(user, name, grants, lifetime).await,
        }
    }

    /// Makes a token worth nothing.
    pub(super) async fn revoke_token(&self, token: TokenId) -> Result<(), Failure> {
        match self {
            Self::Here(access, by) => Ok(access.revoke_token(by, token).await?),
            Self::Server(remote) => remote.revoke_token(token).await,
        }
    }
}

/// A refusal before anybody is asked for anything.
pub(super) fn refused(refusal: AccessRefusal) -> Failure {
    AccessError::from(refusal).into()
}
