//! `GET /dna`: what every host really runs.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::Deserialize;

use super::page;
use super::setting::Framed;
use crate::http::asked::AskedQuery;
use crate::http::reply::Refused;
use crate::http::{Desk, insight};

/// Which part is wanted.
#[derive(Debug, Deserialize)]
pub(in crate::http) struct Words {
    service: Option<String>,
}

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    AskedQuery(words): AskedQuery<Words>,
    Framed(frame): Framed,
) -> Result<Response<Body>, Refused> {
    let service = words.service.and_then(|name| name.parse().ok());
    let dna = insight::dna(&desk, service).await;
    Ok(page(StatusCode::OK, andon_page::dna::render(&dna, &frame)))
}
