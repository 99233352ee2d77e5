//! `GET /health`: whether this process serves. What it needs to serve is asked by the requests themselves.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde_json::json;

use super::reply::as_json;

pub(super) async fn show() -> Response<Body> {
    as_json(StatusCode::OK, &json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}
