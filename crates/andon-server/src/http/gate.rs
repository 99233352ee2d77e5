//! Who asks: every request gets its [`Visitor`] here, or is refused. What the visitor may do is asked where it is done.

use std::sync::Arc;

use andon_core::access::{Deed, Grant, Role, Visitor};
use andon_core::person::Person;
use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Desk;
use super::reply::{ErrorCode, Refused};
use super::token::Token;

/// What the gate knows.
pub(super) struct Gate {
    pub(super) desk: Arc<Desk>,
    pub(super) token: Option<Token>,
}

/// Lets a request in together with who asks.
pub(super) async fn pass(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response<Body> {
    if gate.token.as_ref().is_some_and(|token| !token.is_shown(request.headers())) {
        let next = "send the header: Authorization: Bearer TOKEN";
        return Refused::new(ErrorCode::Unauthorised, "the token is missing or wrong", next).into_response();
    }
    let me = gate.desk.controller.me();
    let all = [Role::Deploy, Role::Line, Role::Admin].map(Grant::everywhere);
    let visitor = Visitor { name: me.name.clone(), at: me.at.clone(), grants: all.to_vec() };
    request.extensions_mut().insert(Asker(Arc::new(visitor), None));
    next.run(request).await
}

/// Whoever asks; and the token that forms of their browser send back, where they have a session.
#[derive(Debug, Clone)]
pub(super) struct Asker(pub(super) Arc<Visitor>, Option<Arc<str>>);

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
            Deed::Administer => "look after users and tokens".to_owned(),
        };
        let what = format!("{} may not {what}", self.0.name);
        Err(Refused::new(ErrorCode::Forbidden, what, "ask somebody who looks after users here"))
    }

    /// What every form on a page for them sends back in the hidden field `csrf`: for `Frame::csrf`.
    pub(super) fn csrf(&self) -> Option<String> {
        self.1.as_deref().map(str::to_owned)
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
