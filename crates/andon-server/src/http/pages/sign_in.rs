//! `/sign-in`, `/sign-out` and the way through another system. A sign-in always begins a new session and ends the one that
//! the browser had.

use std::sync::Arc;

use andon_page::frame::Frame;
use andon_page::sign_in::SignIn;
use axum::Router;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde::Deserialize;

use super::{page, zone};
use crate::access::{AccessError, OidcError, SessionKey};
use crate::clock;
use crate::http::Desk;
use crate::http::body::form;
use crate::http::doors::{Doors, Peer, cookie};
use crate::http::gate::{Asker, Way, later, origin};
use crate::http::reply::Refused;

/// Outside of the gate: who comes here is not known yet.
pub(crate) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/sign-in", get(show).post(sign_in))
        .route("/sign-in/oidc", get(leave))
        .route("/sign-in/oidc/return", get(come_back))
}

/// Behind the gate: only who is signed in signs out.
pub(super) fn out() -> Router<Arc<Desk>> {
    Router::new().route("/sign-out", post(sign_out))
}

#[derive(Debug, Default, Deserialize)]
struct Where {
    #[serde(default)]
    to: String,
}

#[derive(Debug, Deserialize)]
struct Form {
    name: String,
    password: String,
    #[serde(default)]
    to: String,
}

#[derive(Debug, Default, Deserialize)]
struct Back {
    #[serde(default)]
    state: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    error: String,
}

async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(peer): Extension<Peer>,
    to: Result<Query<Where>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response<Body>, Refused> {
    let Where { to } = to.map(|query| query.0).unwrap_or_default();
    let shown = SignIn { to: local(&to), ..SignIn::default() };
    page_for(&desk.doors, peer, &headers, shown, StatusCode::OK).await
}

async fn sign_in(
    State(desk): State<Arc<Desk>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Result<Response<Body>, Refused> {
    let doors = &desk.doors;
    origin::insist(doors, request.headers())?;
    let headers = request.headers().clone();
    let address = doors.client(peer, &headers);
    // Nothing is read of somebody who asks without end.
    if let Err(wait) = doors.requests.of_address(address, clock::now()) {
        return Err(later(wait, "these are too many requests"));
    }
    let Form { name, password, to } = form(request).await?;
    let again = |wrong: String| SignIn {
        name: name.clone(),
        wrong: Some(wrong),
        to: local(&to),
        ..SignIn::default()
    };
    if !doors.is_private(peer) {
        let wrong = again("No password is taken here.".into());
        return page_for(doors, peer, &headers, wrong, StatusCode::FORBIDDEN).await;
    }
    if let Err(wait) = doors.sign_ins.begin(&name, address, clock::now()) {
        let seconds = wait.as_secs() + 1;
        let wrong = again(format!("Sign-in was tried too often. Wait {seconds} s, then try again."));
        let mut page = page_for(doors, peer, &headers, wrong, StatusCode::TOO_MANY_REQUESTS).await?;
        page.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        return Ok(page);
    }
    match doors.access.sign_in(&name, &password, &address.to_string()).await {
        Ok(key) => {
            doors.sign_ins.succeeded(&name, address);
            Ok(signed_in(doors, &headers, &key, &local(&to)))
        }
        Err(AccessError::Wrong) => {
            let wrong = again("This name and this password do not belong together.".into());
            page_for(doors, peer, &headers, wrong, StatusCode::FORBIDDEN).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn sign_out(State(desk): State<Arc<Desk>>, asker: Asker) -> Response<Body> {
    let doors = &desk.doors;
    if let Way::Session(key) = asker.way() {
        doors.access.sign_out(key);
    }
    let mut response = see("/sign-in");
    set_cookie(&mut response, &doors.set_cookie(doors.cookie(), ""));
    response
}

/// Sends a browser to the other system.
async fn leave(
    State(desk): State<Arc<Desk>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Result<Response<Body>, Refused> {
    let doors = &desk.doors;
    let Some(oidc) = &doors.oidc else { return Ok(see("/sign-in")) };
    let address = doors.client(peer, &headers);
    if let Err(wait) = doors.requests.of_leaving(address, clock::now()) {
        return Err(later(wait, "sign-in was begun too often"));
    }
    match oidc.begin().await {
        Ok((url, key)) => {
            let mut response = see(&url);
            set_cookie(&mut response, &doors.set_cookie(doors.way_cookie(), &key));
            Ok(response)
        }
        Err(error) => not_signed_in(doors, peer, &headers, error.to_string()).await,
    }
}

/// A browser comes back from the other system.
async fn come_back(
    State(desk): State<Arc<Desk>>,
    Extension(peer): Extension<Peer>,
    back: Result<Query<Back>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response<Body>, Refused> {
    let doors = &desk.doors;
    let Some(oidc) = &doors.oidc else { return Ok(see("/sign-in")) };
    let back = back.map(|query| query.0).unwrap_or_default();
    let kept = cookie(&headers, doors.way_cookie()).unwrap_or_default();
    let came = if back.error.is_empty() {
        oidc.end(&kept, &back.state, &back.code).await
    } else {
        Err(OidcError::Denied(back.error.chars().filter(|c| !c.is_control()).take(100).collect()))
    };
    let mut response = match came {
        Ok(outsider) => {
            let from = doors.client(peer, &headers).to_string();
            let signed =
                doors.access.sign_in_outsider(&outsider.name, &outsider.identity, outsider.grants, &from);
            match signed.await {
                Ok(key) => signed_in(doors, &headers, &key, "/"),
                Err(error) => not_signed_in(doors, peer, &headers, error.to_string()).await?,
            }
        }
        Err(error) => not_signed_in(doors, peer, &headers, error.to_string()).await?,
    };
    set_cookie(&mut response, &doors.set_cookie(doors.way_cookie(), ""));
    Ok(response)
}

async fn not_signed_in(
    doors: &Doors,
    peer: Peer,
    headers: &HeaderMap,
    why: String,
) -> Result<Response<Body>, Refused> {
    let wrong = Some(format!("You were not signed in: {why}."));
    page_for(doors, peer, headers, SignIn { wrong, ..SignIn::default() }, StatusCode::FORBIDDEN).await
}

async fn page_for(
    doors: &Doors,
    peer: Peer,
    headers: &HeaderMap,
    shown: SignIn,
    status: StatusCode,
) -> Result<Response<Body>, Refused> {
    let shown = SignIn {
        elsewhere: doors.oidc.as_ref().map(|oidc| oidc.label().to_owned()),
        passwords: doors.is_private(peer),
        users: !doors.access.directory().await?.is_empty(),
        ..shown
    };
    let frame = Frame { zone: zone(headers), ..Frame::new(clock::now()) };
    Ok(page(status, andon_page::sign_in::render(&shown, &frame)))
}

/// Leads on, with a new session in the place of the one that was there.
fn signed_in(doors: &Doors, headers: &HeaderMap, key: &SessionKey, to: &str) -> Response<Body> {
    if let Some(old) = cookie(headers, doors.cookie()).and_then(|text| SessionKey::read(&text)) {
        doors.access.sign_out(&old);
    }
    let mut response = see(to);
    set_cookie(&mut response, &doors.set_cookie(doors.cookie(), key.reveal()));
    response
}

fn see(to: &str) -> Response<Body> {
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
}

fn set_cookie(response: &mut Response<Body>, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// A path of this server and of no other.
fn local(to: &str) -> String {
    let good = to.starts_with('/') && !to.starts_with("//") && !to.contains(['\\', '\r', '\n', '\t']);
    if good { to.chars().take(1000).collect() } else { "/".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn one_is_led_on_within_this_server_alone() {
        assert_eq!(local("/timeline?who=%40ana"), "/timeline?who=%40ana");
        for bad in [
            "",
            "timeline",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "/\t/evil",
            "/a\r\nSet-Cookie: x",
        ] {
            assert_eq!(local(bad), "/", "{bad:?}");
        }
    }
}
