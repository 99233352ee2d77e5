//! `/settings/access`: users, grants and tokens, for people.

use std::sync::Arc;
use std::time::Duration;

use andon_core::access::{Deed, Grant, TokenId, UserName};
use andon_page::access::Access;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, Uri, header};
use axum::response::IntoResponse;
use axum::routing::get;
use serde::Deserialize;

use super::page;
use super::setting::frame;
use crate::http::Desk;
use crate::http::body::form;
use crate::http::gate::{Asker, Way, own_change};
use crate::http::reply::{ErrorCode, Refused};

const PATH: &str = "/settings/access";

pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new().route(PATH, get(show).post(change))
}

/// What a form of the page asks for.
#[derive(Debug, Deserialize)]
struct Change {
    r#do: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    password: String,
    /// The new password once more.
    #[serde(default)]
    again: String,
    /// The present password.
    #[serde(default)]
    current: String,
    #[serde(default)]
    grants: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    days: String,
    #[serde(default)]
    token: String,
}

async fn show(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    headers: HeaderMap,
) -> Result<Response<Body>, Refused> {
    shown(&desk, &asker, &headers, StatusCode::OK, None, None).await
}

async fn change(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    request: Request,
) -> Result<Response<Body>, Refused> {
    let headers = request.headers().clone();
    let change: Change = form(request).await?;
    match carry_out(&desk, &asker, &change).await {
        Ok(None) => {
            let to = [(header::LOCATION, HeaderValue::from_static(PATH))];
            Ok((StatusCode::SEE_OTHER, to).into_response())
        }
        Ok(made) => shown(&desk, &asker, &headers, StatusCode::OK, made, None).await,
        Err(refused) => {
            let status = refused.status();
            shown(&desk, &asker, &headers, status, None, Some(refused.sentence())).await
        }
    }
}

/// Does it, as far as whoever asks may. Gives a token that was made.
async fn carry_out(desk: &Desk, asker: &Asker, change: &Change) -> Result<Option<String>, Refused> {
    let access = &desk.doors.access;
    let by = asker.person().name;
    let invalid =
        |what: String| Refused::new(ErrorCode::InvalidRequest, what, "see what the page says of it");
    let user = || UserName::new(change.user.trim()).map_err(|error| invalid(error.to_string()));
    let grants = || {
        let words = change.grants.split_whitespace().map(str::parse::<Grant>);
        words.collect::<Result<Vec<_>, _>>().map_err(|error| invalid(error.to_string()))
    };
    match change.r#do.as_str() {
        "add" => {
            asker.may(&Deed::Administer)?;
            let password = (!change.password.is_empty()).then_some(change.password.as_str());
            access.add_user(&by, &user()?, &grants()?, password).await?;
        }
        "grant" => {
            asker.may(&Deed::Administer)?;
            let (user, grants) = (user()?, grants()?);
            access.change(&by, |directory| directory.set_grants(user.clone(), grants.clone())).await?;
        }
        "remove" => {
            asker.may(&Deed::Administer)?;
            access.remove_user(&by, &user()?).await?;
        }
        "password" => {
            own(asker, "sets their own password", "sign in; or where the server runs: andon user password")?;
            if change.password != change.again {
                return Err(invalid("the new password was not written twice in the same way".to_owned()));
            }
            crate::http::api::set_own_password(desk, asker, &change.current, &change.password).await?;
        }
        "token" => {
            own(asker, "makes tokens of their own", "sign in; or where the server runs: andon token make")?;
            own_change(&desk.doors, asker)?;
            let name = UserName::new(by.as_str()).map_err(|error| invalid(error.to_string()))?;
            let days: u64 = change.days.parse().map_err(|_| invalid("days is a number".to_owned()))?;
            let lifetime = Duration::from_secs(days.saturating_mul(86_400));
            let made = access.make_token(&by, &name, &change.name, &grants()?, lifetime).await?;
            return Ok(Some(made.text));
        }
        "revoke" => {
            let id =
                change.token.parse().map(TokenId).map_err(|_| invalid("a token is a number".to_owned()))?;
            crate::http::api::may_revoke(desk, asker, id).await?;
            access.revoke_token(&by, id).await?;
        }
        other => {
            let other: String = other.chars().take(40).collect();
            return Err(invalid(format!("nothing is called {other:?} here")));
        }
    }
    Ok(None)
}

/// Insists on a person who signed in: a token makes no tokens and sets no passwords.
fn own(asker: &Asker, does: &str, next: &str) -> Result<(), Refused> {
    match asker.way() {
        Way::Session(_) => Ok(()),
        _ => {
            let what = format!("only a person who signed in {does}");
            Err(Refused::new(ErrorCode::Forbidden, what, next))
        }
    }
}

async fn shown(
    desk: &Desk,
    asker: &Asker,
    headers: &HeaderMap,
    status: StatusCode,
    made: Option<String>,
    wrong: Option<String>,
) -> Result<Response<Body>, Refused> {
    let directory = desk.doors.access.directory().await?.as_ref().clone();
    let administers = asker.0.may(&Deed::Administer);
    let frame = frame(desk, Some(asker), &Uri::from_static("/settings/access"), headers).await;
    Ok(page(status, andon_page::access::render(&Access { directory, administers, made, wrong }, &frame)))
}
