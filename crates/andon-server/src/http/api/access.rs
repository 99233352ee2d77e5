//! `/v1/me`, `/v1/users`, `/v1/tokens`: who is let in, and what they may do, for programs.

use std::sync::Arc;
use std::time::Duration;

use andon_core::access::{Deed, Grant, Token, TokenId, UserName};
use andon_core::quantity::parse_duration;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::AccessError;
use crate::http::Desk;
use crate::http::asked::AskedPath;
use crate::http::body::Bytes;
use crate::http::gate::{Asker, Way, later, own_change};
use crate::http::moment::rfc3339;
use crate::http::reply::{ErrorCode, Refused, as_json};

/// Whoever asks.
#[derive(Debug, Serialize, ToSchema)]
struct Me {
    /// The name that stands in the ledger for what they do.
    name: String,
    /// Where they come from.
    at: String,
    /// How they showed who they are: `machine`, `token_file`, `token` or `session`.
    way: &'static str,
    /// What they may do beyond reading, for example `deploy:www/production`.
    grants: Vec<String>,
}

/// Somebody who is let in.
#[derive(Debug, Serialize, ToSchema)]
struct User {
    /// The name.
    name: String,
    /// What they may do beyond reading.
    grants: Vec<String>,
    /// Since when they are let in.
    #[schema(format = DateTime)]
    since: String,
    /// Whether they have a password here.
    password: bool,
    /// The system that signs them in, where one does.
    issuer: Option<String>,
    /// When they signed in last.
    #[schema(format = DateTime)]
    signed_in: Option<String>,
}

/// A token, without the secret.
#[derive(Debug, Serialize, ToSchema)]
struct Listed {
    /// Its number.
    token: u32,
    /// What it is for.
    name: String,
    /// For whom it speaks.
    user: String,
    /// What it may do at most.
    grants: Vec<String>,
    /// When it was made.
    #[schema(format = DateTime)]
    made: String,
    /// From when on it is worth nothing.
    #[schema(format = DateTime)]
    expires: String,
}

/// A token that was made: the only time that it can be read.
#[derive(Debug, Serialize, ToSchema)]
struct Made {
    /// Its number.
    token: u32,
    /// What programs show: `Authorization: Bearer SECRET`.
    secret: String,
    /// From when on it is worth nothing.
    #[schema(format = DateTime)]
    expires: String,
}

/// Somebody who shall be let in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    /// The name.
    #[schema(value_type = String)]
    name: UserName,
    /// What they may do beyond reading.
    #[serde(default)]
    grants: Vec<String>,
    /// Their password; without one they cannot sign in with a password.
    password: Option<String>,
}

/// What somebody may do from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewGrants {
    /// All of it.
    grants: Vec<String>,
}

/// A new password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPassword {
    /// The new one.
    password: String,
    /// The present one: needed for one's own.
    current: Option<String>,
}

/// A token that shall be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    /// What it is for.
    name: String,
    /// What it may do of what its user may; nothing but reading without.
    #[serde(default)]
    grants: Vec<String>,
    /// For how long, for example `90d`.
    expires_in: String,
    /// For whom; whoever asks, without.
    #[schema(value_type = Option<String>)]
    user: Option<UserName>,
}

/// Who asks, and what they may do.
#[utoipa::path(get, path = "/v1/me", tag = "access", responses((status = OK, body = Me)))]
pub(crate) async fn me(asker: Asker) -> Response<Body> {
    let way = match asker.way() {
        Way::Machine => "machine",
        Way::TokenFile => "token_file",
        Way::Token(_) => "token",
        Way::Session(_) => "session",
    };
    let visitor = &asker.0;
    let me = Me { name: visitor.name.clone(), at: visitor.at.clone(), way, grants: written(&visitor.grants) };
    as_json(StatusCode::OK, &me)
}

/// Everybody who is let in.
#[utoipa::path(get, path = "/v1/users", tag = "access", responses((status = OK, body = [User])))]
pub(crate) async fn users(State(desk): State<Arc<Desk>>) -> Result<Response<Body>, Refused> {
    let directory = desk.doors.access.directory().await?;
    let users = directory.users().map(|(name, user)| User {
        name: name.to_string(),
        grants: written(&user.grants),
        since: rfc3339(user.since),
        password: user.password.is_some(),
        issuer: user.identity.as_ref().map(|identity| identity.issuer.clone()),
        signed_in: user.signed_in.map(rfc3339),
    });
    Ok(as_json(StatusCode::OK, &users.collect::<Vec<User>>()))
}

/// Lets somebody in.
#[utoipa::path(post, path = "/v1/users", tag = "access", request_body = NewUser, responses((status = CREATED)))]
pub(crate) async fn add_user(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    let new: NewUser = body.json()?;
    asker.may(&Deed::Administer)?;
    let (by, grants) = (asker.person().name, read(&new.grants)?);
    desk.doors.access.add_user(&by, &new.name, &grants, new.password.as_deref()).await?;
    Ok(as_json(StatusCode::CREATED, &serde_json::json!({ "name": new.name })))
}

/// Says what somebody may do from now on.
#[utoipa::path(post, path = "/v1/users/{name}/grants", tag = "access", request_body = NewGrants, params(("name" = String, Path)), responses((status = OK)))]
pub(crate) async fn set_grants(
    State(desk): State<Arc<Desk>>,
    AskedPath(name): AskedPath<String>,
    asker: Asker,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    let new: NewGrants = body.json()?;
    asker.may(&Deed::Administer)?;
    let (name, grants) = (user_name(&name)?, read(&new.grants)?);
    let decide =
        |directory: &andon_core::access::Directory| directory.set_grants(name.clone(), grants.clone());
    desk.doors.access.change(&asker.person().name, decide).await?;
    Ok(as_json(StatusCode::OK, &serde_json::json!({ "name": name, "grants": written(&grants) })))
}

/// Sets a password: one's own with the present one, that of others with the role admin.
#[utoipa::path(post, path = "/v1/users/{name}/password", tag = "access", request_body = NewPassword, params(("name" = String, Path)), responses((status = OK)))]
pub(crate) async fn set_password(
    State(desk): State<Arc<Desk>>,
    AskedPath(name): AskedPath<String>,
    asker: Asker,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    let new: NewPassword = body.json()?;
    let (name, by) = (user_name(&name)?, asker.person());
    let access = &desk.doors.access;
    if matches!(asker.way(), Way::Session(_)) && by.name == name.as_str() {
        set_own_password(&desk, &asker, new.current.as_deref().unwrap_or_default(), &new.password).await?;
    } else {
        asker.may(&Deed::Administer)?;
        access.set_password(&by.name, &name, &new.password).await?;
    }
    Ok(as_json(StatusCode::OK, &serde_json::json!({ "name": name })))
}

/// Sets the password of whoever asks, with the present one, which is tried no oftener than at the door: whoever finds a
/// browser open does not take the user over.
pub(crate) async fn set_own_password(
    desk: &Desk,
    asker: &Asker,
    current: &str,
    new: &str,
) -> Result<(), Refused> {
    let by = asker.person();
    let name = user_name(&by.name)?;
    let (access, sign_ins) = (&desk.doors.access, &desk.doors.sign_ins);
    let address = by.at.parse().unwrap_or(std::net::IpAddr::from([0, 0, 0, 0]));
    if let Err(wait) = sign_ins.begin(&by.name, address, crate::clock::now()) {
        return Err(later(wait, "the password was tried too often"));
    }
    if !access.knows(&name, current).await? {
        return Err(AccessError::Wrong.into());
    }
    own_change(&desk.doors, asker)?;
    sign_ins.succeeded(&by.name, address);
    access.set_password(&by.name, &name, new).await?;
    Ok(())
}

/// Lets somebody in no more: their sessions and tokens end.
#[utoipa::path(delete, path = "/v1/users/{name}", tag = "access", params(("name" = String, Path)), responses((status = OK)))]
pub(crate) async fn remove_user(
    State(desk): State<Arc<Desk>>,
    AskedPath(name): AskedPath<String>,
    asker: Asker,
) -> Result<Response<Body>, Refused> {
    asker.may(&Deed::Administer)?;
    let name = user_name(&name)?;
    desk.doors.access.remove_user(&asker.person().name, &name).await?;
    Ok(as_json(StatusCode::OK, &serde_json::json!({ "name": name })))
}

/// Every token, without the secrets.
#[utoipa::path(get, path = "/v1/tokens", tag = "access", responses((status = OK, body = [Listed])))]
pub(crate) async fn tokens(State(desk): State<Arc<Desk>>) -> Result<Response<Body>, Refused> {
    let directory = desk.doors.access.directory().await?;
    let listed = directory.tokens().map(|(id, token)| listed(id, token));
    Ok(as_json(StatusCode::OK, &listed.collect::<Vec<Listed>>()))
}

/// Makes a token: for oneself when one signed in, for others with the role admin.
#[utoipa::path(post, path = "/v1/tokens", tag = "access", request_body = NewToken, responses((status = CREATED, body = Made)))]
pub(crate) async fn make_token(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    let new: NewToken = body.json()?;
    let by = asker.person().name;
    let user = match new.user {
        Some(user) => user,
        None => user_name(&by)?,
    };
    own_change(&desk.doors, &asker)?;
    // A token makes none: what is narrow stays narrow.
    if !(matches!(asker.way(), Way::Session(_)) && by == user.as_str()) {
        asker.may(&Deed::Administer)?;
    }
    let wrong = |error: &dyn std::fmt::Display| invalid(format!("expires_in: {error}"));
    let lifetime: Duration = parse_duration(&new.expires_in).map_err(|error| wrong(&error))?;
    let made = desk.doors.access.make_token(&by, &user, &new.name, &read(&new.grants)?, lifetime).await?;
    let made = Made { token: made.id.0, secret: made.text, expires: rfc3339(made.expires) };
    Ok(as_json(StatusCode::CREATED, &made))
}

/// Makes a token worth nothing: itself, one's own when one signed in, or any with the role admin.
#[utoipa::path(delete, path = "/v1/tokens/{token}", tag = "access", params(("token" = u32, Path)), responses((status = OK)))]
pub(crate) async fn revoke_token(
    State(desk): State<Arc<Desk>>,
    AskedPath(id): AskedPath<String>,
    asker: Asker,
) -> Result<Response<Body>, Refused> {
    let id = id.parse().map(TokenId).map_err(|_| invalid("a token is a number".to_owned()))?;
    may_revoke(&desk, &asker, id).await?;
    desk.doors.access.revoke_token(&asker.person().name, id).await?;
    Ok(as_json(StatusCode::OK, &serde_json::json!({ "token": id })))
}

/// Insists that a token is the very one that is shown, that it is one's own and one signed in, or that one looks after
/// users. What is narrow does not end what others of its user do.
pub(crate) async fn may_revoke(desk: &Desk, asker: &Asker, id: TokenId) -> Result<(), Refused> {
    let own = match asker.way() {
        Way::Token(shown) => *shown == id,
        Way::Session(_) => {
            let directory = desk.doors.access.directory().await?;
            directory.tokens().any(|(other, token)| other == id && token.user.as_str() == asker.0.name)
        }
        Way::Machine | Way::TokenFile => false,
    };
    if own { Ok(()) } else { asker.may(&Deed::Administer) }
}

fn listed(id: TokenId, token: &Token) -> Listed {
    Listed {
        token: id.0,
        name: token.name.clone(),
        user: token.user.to_string(),
        grants: written(&token.grants),
        made: rfc3339(token.made),
        expires: rfc3339(token.expires),
    }
}

fn written(grants: &[Grant]) -> Vec<String> {
    grants.iter().map(ToString::to_string).collect()
}

fn read(grants: &[String]) -> Result<Vec<Grant>, Refused> {
    let read = grants.iter().map(|text| text.parse::<Grant>());
    read.collect::<Result<_, _>>().map_err(|error| invalid(error.to_string()))
}

fn user_name(text: &str) -> Result<UserName, Refused> {
    UserName::new(text).map_err(|error| invalid(error.to_string()))
}

fn invalid(what: String) -> Refused {
    Refused::new(ErrorCode::InvalidRequest, what, "see what there is: GET /v1/openapi.json")
}
