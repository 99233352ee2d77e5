//! `GET /health`: whether this process serves. What it needs to serve is asked by the requests themselves.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde_json::json;

use super::Desk;
use super::reply::as_json;

pub(super) async fn show(State(desk): State<Arc<Desk>>) -> Response<Body> {
    // The words of a mistake are for those who are let in: here it is only said that there is one.
    let line = match (desk.line.current(), desk.line.complaint()) {
        (Err(_), _) => "missing",
        (Ok(_), Some(_)) => "outdated: its newest version has mistakes",
        (Ok(_), None) => "ok",
    };
    let stopping = *desk.workshop.stopping().borrow();
    let status = if stopping { "stopping" } else { "ok" };
    as_json(StatusCode::OK, &json!({ "status": status, "version": env!("CARGO_PKG_VERSION"), "line": line }))
}
