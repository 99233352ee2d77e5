//! `GET /per-day`: how many deployments came out how, day by day.

use std::sync::Arc;

use andon_page::per_day::{Counted, render};
use axum::body::Body;
use axum::extract::State;
use axum::http::Response;

use super::setting::Framed;
use super::timeline::{Viewed, written};
use crate::http::Desk;
use crate::http::asked::AskedQuery;
use crate::http::reply::Refused;

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    Framed(frame): Framed,
    AskedQuery(viewed): AskedQuery<Viewed>,
) -> Result<Response<Body>, Refused> {
    let view = viewed.read(&frame.zone)?;
    written(&desk, move |known| {
        let counted = Counted::of(&known.deployments, &view, frame.now, &frame.zone);
        render(&counted, &view, &frame)
    })
    .await
}
