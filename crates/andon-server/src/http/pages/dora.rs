//! `GET /dora`: the four keys.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::Deserialize;

use super::page;
use super::setting::Framed;
use crate::http::Desk;
use crate::http::asked::AskedQuery;
use crate::http::insight::dora::{Ask, gather};
use crate::http::reply::Refused;

/// What forms and links send: a word that is empty says nothing.
#[derive(Debug, Deserialize)]
pub(in crate::http) struct Words {
    days: Option<String>,
    environment: Option<String>,
    service: Option<String>,
}

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    AskedQuery(words): AskedQuery<Words>,
    Framed(frame): Framed,
) -> Result<Response<Body>, Refused> {
    // What makes no sense is as if nothing was said: a link that somebody mistyped shows the usual.
    let ask = Ask {
        days: words.days.and_then(|days| days.parse().ok()),
        environment: words.environment.map(|name| name.parse().ok()),
        service: words.service.and_then(|name| name.parse().ok()),
    };
    let dora = gather(&desk, ask, frame.now).await;
    Ok(page(StatusCode::OK, andon_page::dora::render(&dora, &frame)))
}
