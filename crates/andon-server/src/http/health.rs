//! `GET /health`: whether this process serves. What it needs to serve is asked by the requests themselves.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::reply::as_json;

/// That this process answers.
#[derive(Serialize, ToSchema)]
struct Health {
    /// `ok`.
    status: &'static str,
    /// Which Andon this is.
    version: &'static str,
}

/// Whether this process serves. For everybody.
#[utoipa::path(get, path = "/health", tag = "server", security(()), responses((status = OK, body = Health)))]
pub(super) async fn show() -> Response<Body> {
    as_json(StatusCode::OK, &Health { status: "ok", version: env!("CARGO_PKG_VERSION") })
}
