//! `POST /v1/metrics`: numbers that programs push, as text of OpenMetrics.

use std::sync::Arc;

use andon_core::name::HostName;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::Desk;
use super::body::Bytes;
use super::reply::{ErrorCode, Refused, as_json};

/// What may stand behind the `?`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pushing {
    /// Whose the samples without a label `host` are.
    host: Option<HostName>,
}

/// `POST /v1/metrics?host=web1`: all of it is taken in, or nothing.
pub(super) async fn receive(
    State(desk): State<Arc<Desk>>,
    query: Result<Query<Pushing>, QueryRejection>,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    let wrong = |why: String| {
        let next = "push text of OpenMetrics, each sample with a label host, or: ?host=NAME";
        Refused::new(ErrorCode::InvalidRequest, why, next)
    };
    let Query(pushing) = query.map_err(|error| wrong(error.body_text()))?;
    let taken = desk.receiver.receive_openmetrics(&body.0, pushing.host.as_ref());
    let samples = taken.map_err(|error| wrong(error.to_string()))?;
    Ok(as_json(StatusCode::OK, &json!({ "samples": samples })))
}
