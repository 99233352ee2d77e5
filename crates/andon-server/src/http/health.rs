//! `GET /health`: whether this process serves. What it needs to serve is asked by the requests themselves.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::Desk;
use super::reply::as_json;

/// That this process answers.
#[derive(Serialize, ToSchema)]
struct Health {
    /// `ok`; `stopping` when the process is about to end.
    status: &'static str,
    /// Which Andon this is.
    version: &'static str,
    /// `ok`, or what is wrong with the server's line.
    line: &'static str,
}

/// Whether this process serves. For everybody.
#[utoipa::path(get, path = "/health", operation_id = "health", tag = "server", security(()), responses((status = OK, body = Health)))]
pub(super) async fn show(State(desk): State<Arc<Desk>>) -> Response<Body> {
    // The words of a mistake are for those who are let in: here it is only said that there is one.
    let line = match (desk.line.current(), desk.line.complaint()) {
        (Err(_), _) => "missing",
        (Ok(_), Some(_)) => "outdated: its newest version has mistakes",
        (Ok(_), None) => "ok",
    };
    let stopping = *desk.workshop.stopping().borrow();
    let status = if stopping { "stopping" } else { "ok" };
    as_json(StatusCode::OK, &Health { status, version: env!("CARGO_PKG_VERSION"), line })
}
