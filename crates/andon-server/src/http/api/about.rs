//! `/v1/about`: who answers here, for whom, and by which line: what a client asks first.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde_json::json;

use crate::http::Desk;
use crate::http::gate::Asker;
use crate::http::reply::{Refused, as_json};

/// Who answers, and who asks.
#[utoipa::path(get, path = "/v1/about", operation_id = "about", tag = "server", responses((status = OK, body = Object)))]
pub(super) async fn show(State(desk): State<Arc<Desk>>, asker: Asker) -> Result<Response<Body>, Refused> {
    let you = asker.person();
    Ok(as_json(
        StatusCode::OK,
        &json!({
            "version": env!("CARGO_PKG_VERSION"),
            "facts": andon_core::version::FACTS,
            "ledger": desk.controller.records().ledger().id(),
            "you": { "name": you.name, "at": you.at },
        }),
    ))
}

/// The line of the server, as it deploys by it, and where it lies; and what is wrong with a newer one.
#[utoipa::path(get, path = "/v1/about/line", operation_id = "line", tag = "server", responses((status = OK, body = Object)))]
pub(super) async fn line(State(desk): State<Arc<Desk>>) -> Result<Response<Body>, Refused> {
    let line = desk.fresh_line().await?;
    Ok(as_json(
        StatusCode::OK,
        &json!({
            "directory": line.directory(),
            "digest": line.loaded.digest,
            "line": line.line(),
            "complaint": desk.line.complaint(),
        }),
    ))
}
