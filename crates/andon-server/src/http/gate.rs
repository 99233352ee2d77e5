//! Who asks: every request gets its [`Visitor`] here, or is refused. What the visitor may do is asked where it is done.

use std::sync::Arc;
use std::time::Duration;

use andon_core::access::{Deed, Grant, Role, TokenId, Visitor};
use andon_core::person::Person;
use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Desk;
use super::body::form_bytes;
use super::doors::{Doors, Peer, cookie};
use super::openapi::LOOKS;
use super::reply::{ErrorCode, Refused};
use super::{feed, token};
use crate::access::{AccessError, SessionKey};
use crate::clock;

pub(super) mod headers;
pub(super) mod origin;

/// How feed readers are asked who they are.
const READERS: &str = "Basic realm=\"Andon: any name, a token as the password\", charset=\"UTF-8\"";

/// How somebody showed who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// They are on this machine, and nobody has to say more.
    Machine,
    /// With the one token of the token file, which programs share.
    TokenFile,
    /// With a token of a user.
    Token(TokenId),
    /// They signed in.
    Session(SessionKey),
}

/// Whoever asks; the token that forms of their browser send back, where it is one; how they showed who they are.
#[derive(Debug, Clone)]
pub(super) struct Asker(pub(super) Arc<Visitor>, Option<Arc<str>>, Way);

/// Answers only for hosts that are this one.
pub(super) async fn at_home(State(doors): State<Arc<Doors>>, request: Request, next: Next) -> Response<Body> {
    let hosts: Vec<&HeaderValue> = request.headers().get_all(header::HOST).iter().collect();
    let named = request.uri().authority().map(|authority| authority.as_str().to_owned());
    let shown: Option<String> = match hosts.as_slice() {
        [] => named,
        [host] => Some(host.to_str().unwrap_or("?").to_owned()),
        _ => Some("?".to_owned()),
    };
    let open = match doors.is_open(request.headers()).await {
        Ok(open) => open,
        Err(error) => return Refused::from(error).into_response(),
    };
    match shown {
        Some(host) if request.uri().path() != "/health" && !doors.answers_for(&host, open) => {
            let host: String = host.chars().take(100).collect();
            let what = format!("this server is not {host}");
            let next = "ask for its address, or say its name in the configuration: external_url";
            Refused::new(ErrorCode::Forbidden, what, next).into_response()
        }
        _ => next.run(request).await,
    }
}

/// Lets a request in together with who asks.
pub(super) async fn pass(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response<Body> {
    let doors = &desk.doors;
    let peer = request.extensions().get::<Peer>().copied();
    let asker = match known(&desk, request.uri().path(), request.headers(), peer).await {
        Ok(Some(asker)) => asker,
        Ok(None) => return nobody(doors, &request, peer),
        Err(refused) => return refused.into_response(),
    };
    let free = asker.2 == Way::Machine;
    if !free && let Err(wait) = doors.requests.of_visitor(&asker.0.name, clock::now()) {
        return later(wait, "these are too many requests").into_response();
    }
    // What is one's own is looked at where it is done.
    let own = is_own(request.uri().path());
    if !origin::is_safe(request.method())
        && !own
        && let Err(refused) = asker.may(&Deed::Report)
    {
        return refused.into_response();
    }
    let mut request = match meant(doors, &asker, request).await {
        Ok(request) => request,
        Err(refused) => return refused.into_response(),
    };
    request.extensions_mut().insert(asker);
    next.run(request).await
}

/// Whether something is done there that needs no role: to one's own session, tokens, password and subscriptions; or nothing
/// is changed, although the question is posted.
fn is_own(path: &str) -> bool {
    let password = path.starts_with("/v1/users/") && path.ends_with("/password");
    let below = ["/v1/tokens/", "/v1/subscriptions/"].iter().any(|beginning| path.starts_with(beginning));
    let pages = ["/sign-out", "/settings/access", "/settings/notifications", "/settings/notifications/end"];
    password
        || below
        || LOOKS.contains(&path)
        || pages.contains(&path)
        || matches!(path, "/v1/tokens" | "/v1/subscriptions" | "/ledger/verification")
}

/// Who shows what; `None` when nobody does.
async fn known(
    desk: &Desk,
    path: &str,
    headers: &HeaderMap,
    peer: Option<Peer>,
) -> Result<Option<Asker>, Refused> {
    let doors = &desk.doors;
    let all = || [Role::Deploy, Role::Line, Role::Admin].map(Grant::everywhere).to_vec();
    let me = desk.controller.me();
    if headers.contains_key(header::AUTHORIZATION) {
        let reader = if path == feed::PATH { token::shown_as_password(headers) } else { None };
        let Some(shown) = token::shown(headers).or(reader.as_deref()) else { return Ok(None) };
        if doors.token.as_ref().is_some_and(|token| token.is(shown)) {
            let visitor = Visitor { name: me.name.clone(), at: me.at.clone(), grants: all() };
            return Ok(Some(Asker(Arc::new(visitor), None, Way::TokenFile)));
        }
        let Some(bearer) = doors.access.bearer(shown).await? else { return Ok(None) };
        let at = format!("{} (token {})", from(doors, headers, peer), bearer.name);
        let visitor = Visitor { name: bearer.user.to_string(), at, grants: bearer.grants };
        return Ok(Some(Asker(Arc::new(visitor), None, Way::Token(bearer.id))));
    }
    if let Some(key) = cookie(headers, doors.cookie()).and_then(|text| SessionKey::read(&text))
        && let Some((session, grants)) = doors.access.session(&key).await?
    {
        let visitor = Visitor { name: session.user.to_string(), at: from(doors, headers, peer), grants };
        return Ok(Some(Asker(Arc::new(visitor), Some(key.csrf().into()), Way::Session(key))));
    }
    if doors.is_open(headers).await? {
        let visitor = Visitor { name: me.name.clone(), at: me.at.clone(), grants: all() };
        return Ok(Some(Asker(Arc::new(visitor), Some(doors.own_csrf.as_str().into()), Way::Machine)));
    }
    Ok(None)
}

fn from(doors: &Doors, headers: &HeaderMap, peer: Option<Peer>) -> String {
    peer.map_or_else(|| "?".to_owned(), |peer| doors.client(peer, headers).to_string())
}

/// Insists that whoever asks meant a change: see [`origin`]. A token in a header is sent by programs alone.
async fn meant(doors: &Doors, asker: &Asker, request: Request) -> Result<Request, Refused> {
    if origin::is_safe(request.method()) || matches!(asker.2, Way::Token(_) | Way::TokenFile) {
        return Ok(request);
    }
    origin::insist(doors, request.headers())?;
    let Some(token) = asker.1.clone() else { return Err(origin::missing()) };
    // A program on this machine that shows nothing is no browser, and no page can make it ask.
    if asker.2 == Way::Machine && !origin::is_browser(request.headers()) {
        return Ok(request);
    }
    match origin::in_header(request.headers(), &token) {
        Some(true) => Ok(request),
        Some(false) => Err(origin::missing()),
        None => {
            let (parts, body) = request.into_parts();
            let bytes = form_bytes(body).await?;
            if !origin::in_form(&bytes, &token) {
                return Err(origin::missing());
            }
            Ok(Request::from_parts(parts, Body::from(bytes.0)))
        }
    }
}

/// Nobody who is known: a browser is led to the page where people sign in.
fn nobody(doors: &Doors, request: &Request, peer: Option<Peer>) -> Response<Body> {
    if let Some(peer) = peer
        && let Err(wait) = doors.requests.of_address(doors.client(peer, request.headers()), clock::now())
    {
        return later(wait, "these are too many requests").into_response();
    }
    let accepts = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let page = accepts.is_some_and(|accepts| accepts.contains("text/html"));
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    if page && *request.method() == Method::GET && !path.starts_with("/v1/") {
        let to = format!("/sign-in?to={}", encoded(path));
        if let Ok(to) = HeaderValue::from_str(&to) {
            return (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response();
        }
    }
    let next = "send the header: Authorization: Bearer TOKEN; or sign in with a browser";
    let refused = Refused::new(ErrorCode::Unauthorised, "the token is missing or wrong", next);
    let mut response = refused.into_response();
    if request.uri().path() == feed::PATH {
        // Readers show what they have only once they are asked for it.
        response.headers_mut().append(header::WWW_AUTHENTICATE, HeaderValue::from_static(READERS));
    }
    response
}

/// A path as the value of a query.
fn encoded(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.' | b'~');
    path.bytes()
        .take(1000)
        .map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

/// Not now: when to come again.
pub(super) fn later(wait: Duration, what: &str) -> Refused {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let next = format!("come again in {seconds} s");
    Refused::new(ErrorCode::TooMany, what, next).again_in(Duration::from_secs(seconds))
}

/// Counts a change of what is one's own: each stays in the ledger. Who may change more is not counted.
pub(super) fn own_change(doors: &Doors, asker: &Asker) -> Result<(), Refused> {
    if asker.0.may(&Deed::Report) {
        return Ok(());
    }
    let counted = doors.requests.of_own(&asker.0.name, clock::now());
    counted.map_err(|wait| later(wait, "what is one's own was changed too often"))
}

impl Asker {
    /// Insists that they may do that.
    pub(super) fn may(&self, deed: &Deed) -> Result<(), Refused> {
        if self.0.may(deed) {
            return Ok(());
        }
        let what = match deed {
            Deed::Read => "read this".to_owned(),
            Deed::Deploy(scope) => format!("deploy to {scope}"),
            Deed::Line => "stop or start the line".to_owned(),
            Deed::Report => "change anything".to_owned(),
            Deed::Administer => "look after users and tokens".to_owned(),
        };
        let what = format!("{} may not {what}", self.0.name);
        Err(Refused::new(ErrorCode::Forbidden, what, "ask somebody who looks after users here"))
    }

    /// What every form on a page for them sends back in the hidden field `csrf`: for `Frame::csrf`.
    pub(super) fn csrf(&self) -> Option<String> {
        self.1.as_deref().map(str::to_owned)
    }

    /// How they showed who they are.
    pub(super) fn way(&self) -> &Way {
        &self.2
    }

    /// The person whose name goes into the ledger.
    pub(super) fn person(&self) -> Person {
        Person { name: self.0.name.clone(), at: self.0.at.clone() }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asker {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        // Only a path that is outside of the gate has nobody who asks.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            Refused::new(ErrorCode::Unauthorised, "nobody knows who asks", "sign in, or send a token")
        })
    }
}

impl From<AccessError> for Refused {
    fn from(error: AccessError) -> Self {
        let what = error.to_string();
        match error {
            AccessError::Refused(refusal) => Self::new(ErrorCode::Conflict, what, refusal.next()),
            AccessError::Password(_) => Self::new(ErrorCode::InvalidRequest, what, "choose another one"),
            AccessError::Wrong => Self::new(ErrorCode::Forbidden, what, "try again"),
            AccessError::Crowded | AccessError::Busy => Self::new(ErrorCode::TooMany, what, "try again"),
            AccessError::Records(error) => error.into(),
            AccessError::Vault(..) | AccessError::Random => {
                Self::new(ErrorCode::Unavailable, what, "see what the server says of itself")
            }
        }
    }
}
