//! Users and tokens at a server: what the commands for them ask there.

use std::time::Duration;

use andon_core::access::{Directory, Grant, TokenId, UserName};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Remote;
use super::wire::Patience;
use crate::failure::Failure;

/// Whom a server takes this person for.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Me {
    /// The name that stands in its ledger.
    pub(crate) name: String,
    /// Where they come from.
    pub(crate) at: String,
    /// How they showed who they are.
    pub(crate) way: String,
    /// What they may do beyond reading.
    pub(crate) grants: Vec<String>,
}

/// A token that a server made.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Made {
    /// Its number.
    pub(crate) token: u32,
    /// What programs show.
    pub(crate) secret: String,
    /// From when on it is worth nothing, in ISO 8601.
    pub(crate) expires: String,
}

impl Remote {
    /// Who one is there.
    pub(crate) async fn me(&self) -> Result<Me, Failure> {
        Ok(self.wire.get("/v1/me", Patience::Short).await?)
    }

    /// Everybody who is let in there.
    pub(crate) async fn directory(&self) -> Result<Directory, Failure> {
        Ok(self.records.directory().await?.value)
    }

    /// Lets somebody in.
    pub(crate) async fn add_user(
        &self,
        user: &UserName,
        grants: &[Grant],
        password: Option<&str>,
    ) -> Result<(), Failure> {
        let body = json!({ "name": user, "grants": written(grants), "password": password });
        self.wire.post::<Value>("/v1/users", &body, Patience::Short).await.map(drop).map_err(Failure::from)
    }

    /// Says what somebody may do from now on.
    pub(crate) async fn set_grants(&self, user: &UserName, grants: &[Grant]) -> Result<(), Failure> {
        let body = json!({ "grants": written(grants) });
        let path = format!("/v1/users/{user}/grants");
        self.wire.post::<Value>(&path, &body, Patience::Short).await.map(drop).map_err(Failure::from)
    }

    /// Sets a password.
    pub(crate) async fn set_password(&self, user: &UserName, password: &str) -> Result<(), Failure> {
        let body = json!({ "password": password });
        let path = format!("/v1/users/{user}/password");
        self.wire.post::<Value>(&path, &body, Patience::Short).await.map(drop).map_err(Failure::from)
    }

    /// Lets somebody in no more.
    pub(crate) async fn remove_user(&self, user: &UserName) -> Result<(), Failure> {
        let path = format!("/v1/users/{user}");
        self.wire.delete::<Value>(&path, Patience::Short).await.map(drop).map_err(Failure::from)
    }

    /// Makes a token.
    pub(crate) async fn make_token(
        &self,
        user: &UserName,
        name: &str,
        grants: &[Grant],
        lifetime: Duration,
    ) -> Result<Made, Failure> {
        let life = format!("{}s", lifetime.as_secs());
        let body = json!({ "user": user, "name": name, "grants": written(grants), "expires_in": life });
        Ok(self.wire.post("/v1/tokens", &body, Patience::Short).await?)
    }

    /// Makes a token worth nothing.
    pub(crate) async fn revoke_token(&self, token: TokenId) -> Result<(), Failure> {
        let path = format!("/v1/tokens/{token}");
        self.wire.delete::<Value>(&path, Patience::Short).await.map(drop).map_err(Failure::from)
    }
}

fn written(grants: &[Grant]) -> Vec<String> {
    grants.iter().map(ToString::to_string).collect()
}
