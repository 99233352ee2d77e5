//! `/v1/evaluations/{id}/argo`: an evaluation in the form that the web metric of Argo Rollouts reads.
//!
//! Argo takes a measurement by a GET, picks a value by `jsonPath`, and calls it successful, failed or, when neither
//! condition holds, inconclusive. A status other than 2xx is an error, which Argo tries again and does not count.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{Response, StatusCode};
use serde_json::json;

use super::Desk;
use super::evaluations::{Waiting, id};
use super::reply::{ErrorCode, Refused, as_json};
use crate::evaluations::Life;

/// An evaluation as the web metric of Argo Rollouts reads it: always 200; `result` is `running` until there is a verdict.
#[utoipa::path(get, path = "/v1/evaluations/{id}/argo", tag = "evaluations", params(("id" = String, Path, description = "The evaluation", pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"), ("wait" = Option<String>, Query, description = "How long to wait for a verdict: `30s`", pattern = "^(0|[1-9][0-9]{0,3})(ms|s)$")),
    responses((status = OK, body = Object)))]
pub(super) async fn measure(
    State(desk): State<Arc<Desk>>,
    Path(name): Path<String>,
    query: Result<Query<Waiting>, QueryRejection>,
) -> Result<Response<Body>, Refused> {
    let view = desk.evaluations.wait(&id(name)?, Waiting::of(query)?).await?;
    Ok(as_json(
        StatusCode::OK,
        &json!({ "result": view.result(), "advice": view.advice, "sentence": view.sentence }),
    ))
}

/// The same, with 409 until there is a verdict, so that a single measurement is one.
#[utoipa::path(get, path = "/v1/evaluations/{id}/argo/verdict", tag = "evaluations", params(("id" = String, Path, description = "The evaluation", pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"), ("wait" = Option<String>, Query, description = "How long to wait for a verdict: `30s`", pattern = "^(0|[1-9][0-9]{0,3})(ms|s)$")),
    responses((status = OK, body = Object)))]
pub(super) async fn verdict(
    State(desk): State<Arc<Desk>>,
    Path(name): Path<String>,
    query: Result<Query<Waiting>, QueryRejection>,
) -> Result<Response<Body>, Refused> {
    let view = desk.evaluations.wait(&id(name)?, Waiting::of(query)?).await?;
    if view.life == Life::Running {
        let what = format!("evaluation {} is not over yet: {}", view.id, view.sentence);
        return Err(Refused::new(ErrorCode::Conflict, what, "ask again"));
    }
    Ok(as_json(
        StatusCode::OK,
        &json!({ "result": view.result(), "advice": view.advice, "sentence": view.sentence }),
    ))
}
