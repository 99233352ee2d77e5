//! `GET /timeline`: every deployment on an axis of time; `…/part` is what changes when the view does.

use std::sync::Arc;

use andon_page::timeline::found::Found;
use andon_page::timeline::{part, render};
use andon_page::view::{View, WrongView};
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use jiff::tz::TimeZone;
use maud::Markup;
use serde::Deserialize;

use super::page;
use super::setting::Framed;
use crate::chronicles::Known;
use crate::http::Desk;
use crate::http::asked::AskedQuery;
use crate::http::reply::{ErrorCode, Refused};

/// The view, as it stands in an address.
#[derive(Debug, Default, Deserialize)]
pub(in crate::http) struct Viewed {
    /// What is looked for.
    q: Option<String>,
    /// A span by its name.
    span: Option<String>,
    /// From when.
    from: Option<String>,
    /// Until when.
    to: Option<String>,
}

impl Viewed {
    /// The view, with moments of `zone`.
    pub(in crate::http) fn read(&self, zone: &TimeZone) -> Result<View, Refused> {
        let part = |part: &Option<String>| part.clone();
        let (q, span, from, to) = (part(&self.q), part(&self.span), part(&self.from), part(&self.to));
        View::read(q.as_deref(), span.as_deref(), from.as_deref(), to.as_deref(), zone)
            .map_err(|WrongView { what, next }| Refused::new(ErrorCode::InvalidRequest, what, next))
    }
}

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    Framed(frame): Framed,
    AskedQuery(viewed): AskedQuery<Viewed>,
) -> Result<Response<Body>, Refused> {
    let view = viewed.read(&frame.zone)?;
    written(&desk, move |known| {
        let found = Found::of(&known.deployments, &view, frame.now);
        render(&found, &view, &frame)
    })
    .await
}

pub(super) async fn fragment(
    State(desk): State<Arc<Desk>>,
    Framed(frame): Framed,
    AskedQuery(viewed): AskedQuery<Viewed>,
) -> Result<Response<Body>, Refused> {
    let view = viewed.read(&frame.zone)?;
    written(&desk, move |known| {
        let found = Found::of(&known.deployments, &view, frame.now);
        part(&found, &view, &frame)
    })
    .await
}

/// A page that is made of all deployments. A hundred thousand of them keep a processor busy for a moment, so that others are
/// served meanwhile.
pub(super) async fn written(
    desk: &Desk,
    write: impl FnOnce(&Known) -> Markup + Send + 'static,
) -> Result<Response<Body>, Refused> {
    let known = desk.chronicle.fresh().await;
    let markup = tokio::task::spawn_blocking(move || write(&known)).await;
    let failed = |_| Refused::new(ErrorCode::Unavailable, "the page could not be written", "try again");
    Ok(page(StatusCode::OK, markup.map_err(failed)?))
}
