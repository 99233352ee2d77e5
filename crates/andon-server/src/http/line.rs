//! `/v1/line`: whether the line runs, as the hooks of Git repositories ask it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde_json::json;

use super::Desk;
use super::reply::{Refused, as_json};

/// `GET /v1/line`.
pub(super) async fn show(State(_desk): State<Arc<Desk>>) -> Result<Response<Body>, Refused> {
    Ok(as_json(StatusCode::OK, &json!({ "state": "running" })))
}
