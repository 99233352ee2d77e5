//! `POST /v1/metrics`: numbers that programs push, as text of OpenMetrics.

use std::sync::Arc;

use andon_core::name::HostName;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Desk;
use super::body::Bytes;
use super::reply::{ErrorCode, Refused, as_json};

/// What may stand behind the `?`.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Pushing {
    /// Whose the samples without a label `host` are.
    #[param(value_type = Option<String>, pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length = 253)]
    host: Option<HostName>,
}

/// What was taken in.
#[derive(Debug, Serialize, ToSchema)]
struct Taken {
    /// So many samples.
    samples: usize,
}

/// Takes in numbers that programs push: all of them, or nothing.
#[utoipa::path(post, path = "/v1/metrics", tag = "numbers", params(Pushing),
    request_body(content = String, content_type = "text/plain", description = "Text of OpenMetrics"),
    responses((status = OK, body = Taken)))]
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
    Ok(as_json(StatusCode::OK, &Taken { samples }))
}
