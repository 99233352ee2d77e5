//! `GET /`: how the line stands, what runs, and what ran last.

use std::sync::Arc;

use andon_page::frame::Frame;
use andon_page::now::Now;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode};

use super::{page, zone};
use crate::clock;
use crate::http::Desk;
use crate::http::gate::Asker;
use crate::http::reply::Refused;

/// Deployments that are shown.
const SHOWN: usize = 20;

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    headers: HeaderMap,
) -> Result<Response<Body>, Refused> {
    let records = desk.controller.records();
    let now = Now { line: records.cord().await?.value, recent: records.history(None, SHOWN).await? };
    let (visitor, csrf) = (Some(asker.0.as_ref().clone()), asker.csrf());
    let frame = Frame { visitor, now: clock::now(), zone: zone(&headers), csrf };
    Ok(page(StatusCode::OK, andon_page::now::render(&now, &frame)))
}
