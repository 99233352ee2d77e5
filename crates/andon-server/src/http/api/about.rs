//! `/v1/about`: who answers here, for whom, and by which line: what a client asks first.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde_json::json;

use crate::http::Desk;
use crate::http::gate::Asker;
use crate::http::reply::{Refused, as_json};

/// Who answers, who asks, and the line of the server as it is deployed by.
#[utoipa::path(get, path = "/v1/about", responses((status = OK, body = Object)))]
pub(super) async fn show(State(desk): State<Arc<Desk>>, asker: Asker) -> Result<Response<Body>, Refused> {
    let line = match desk.line.current() {
        Ok(line) => json!({
            "directory": line.directory(),
            "digest": line.loaded.digest,
            "line": line.line(),
        }),
        Err(why) => json!({ "missing": why }),
    };
    let you = asker.person();
    Ok(as_json(
        StatusCode::OK,
        &json!({
            "version": env!("CARGO_PKG_VERSION"),
            "ledger": desk.controller.records().ledger().id(),
            "you": { "name": you.name, "at": you.at },
            "line": line,
            "complaint": desk.line.complaint(),
        }),
    ))
}
