//! `/v1/evaluations`: verdicts for deployers that are not ours.

use std::sync::Arc;
use std::time::Duration;

use andon_core::analysis::Entry;
use andon_core::quantity::parse_duration;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Desk;
use super::body::Bytes;
use super::moment::rfc3339;
use super::reply::{ErrorCode, Refused, as_json};
use crate::evaluations::{EvaluationError, EvaluationId, Request, View};

const GUIDE: &str = "compare it with docs/guide/judging-for-others.md";

/// What may stand behind the `?`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Waiting {
    /// How long to wait for a verdict: `30s`.
    wait: Option<String>,
}

impl Waiting {
    /// The wait of a request; none when it says none.
    pub(super) fn of(query: Result<Query<Self>, QueryRejection>) -> Result<Duration, Refused> {
        let wrong = |why: String| Refused::new(ErrorCode::InvalidRequest, why, "for example: ?wait=30s");
        let Query(waiting) = query.map_err(|error| wrong(error.body_text()))?;
        let parse = |text: &String| parse_duration(text).map_err(|error| wrong(format!("wait: {error}")));
        waiting.wait.as_ref().map_or(Ok(Duration::ZERO), parse)
    }
}

/// The id in a path.
pub(super) fn id(text: String) -> Result<EvaluationId, Refused> {
    EvaluationId::new(text).map_err(|why| Refused::new(ErrorCode::InvalidRequest, why, GUIDE))
}

/// Asks for a verdict on new instances beside old ones: 201 for a new one, 200 for one that was asked for before in the same
/// words. docs/guide/judging-for-others.md says what may be asked.
#[utoipa::path(post, path = "/v1/evaluations", tag = "evaluations", request_body = Object,
    responses((status = CREATED, body = Object), (status = OK, body = Object)))]
pub(super) async fn begin(State(desk): State<Arc<Desk>>, body: Bytes) -> Result<Response<Body>, Refused> {
    let request: Request = body.json()?;
    let (view, new) = desk.evaluations.begin(request).await?;
    Ok(as_json(if new { StatusCode::CREATED } else { StatusCode::OK }, &shown(&view)))
}

/// How an evaluation stands; `wait` holds the answer back until there is a verdict.
#[utoipa::path(get, path = "/v1/evaluations/{id}", tag = "evaluations", params(("id" = String, Path, description = "The evaluation", pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"), ("wait" = Option<String>, Query, description = "How long to wait for a verdict: `30s`", pattern = "^(0|[1-9][0-9]{0,3})(ms|s)$")),
    responses((status = OK, body = Object)))]
pub(super) async fn look(
    State(desk): State<Arc<Desk>>,
    Path(name): Path<String>,
    query: Result<Query<Waiting>, QueryRejection>,
) -> Result<Response<Body>, Refused> {
    let view = desk.evaluations.wait(&id(name)?, Waiting::of(query)?).await?;
    Ok(as_json(StatusCode::OK, &shown(&view)))
}

/// Stops an evaluation. One that is over stays as it is.
#[utoipa::path(delete, path = "/v1/evaluations/{id}", tag = "evaluations", params(("id" = String, Path, description = "The evaluation", pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")),
    responses((status = OK, body = Object)))]
pub(super) async fn stop(
    State(desk): State<Arc<Desk>>,
    Path(name): Path<String>,
) -> Result<Response<Body>, Refused> {
    let view = desk.evaluations.stop(&id(name)?).await?;
    Ok(as_json(StatusCode::OK, &shown(&view)))
}

/// Tells an evaluation what the caller saw itself. What is told twice counts once.
#[utoipa::path(post, path = "/v1/evaluations/{id}/ticks", tag = "evaluations", params(("id" = String, Path, description = "The evaluation", pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")), request_body = Object,
    responses((status = OK, body = Object)))]
pub(super) async fn tell(
    State(desk): State<Arc<Desk>>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    let entry: Entry = body.json()?;
    let view = desk.evaluations.tell(&id(name)?, entry).await?;
    Ok(as_json(StatusCode::OK, &shown(&view)))
}

/// An evaluation as programs read it.
pub(super) fn shown(view: &View) -> Value {
    json!({
        "id": view.id,
        "state": view.life,
        "status": view.status,
        "hold": view.hold,
        "verdict": view.verdict,
        "advice": view.advice,
        "sentence": view.sentence,
        "accepted": rfc3339(view.accepted),
        "at": view.at.map(rfc3339),
        "entries": view.entries,
        "sampled": view.sampled,
        "metrics": view.metrics,
        "suspects": view.suspects,
    })
}

impl From<EvaluationError> for Refused {
    fn from(error: EvaluationError) -> Self {
        let what = error.to_string();
        let (code, next) = match error {
            EvaluationError::Unknown(_) => {
                (ErrorCode::NotFound, "ask for it first: POST /v1/evaluations".to_owned())
            }
            EvaluationError::Another(_) => {
                (ErrorCode::Conflict, "send the same request again, or choose another id".to_owned())
            }
            EvaluationError::Unfit(_) => (ErrorCode::InvalidRequest, GUIDE.to_owned()),
            EvaluationError::Crowded => {
                (ErrorCode::TooMany, "stop one with DELETE, or try again when one is over".to_owned())
            }
            EvaluationError::Over { id, .. } => {
                (ErrorCode::Conflict, format!("its verdict: GET /v1/evaluations/{id}"))
            }
            EvaluationError::Asks(id) => {
                (ErrorCode::Conflict, format!("wait for its verdict: GET /v1/evaluations/{id}?wait=30s"))
            }
            EvaluationError::Disk { .. }
            | EvaluationError::Damaged { .. }
            | EvaluationError::Recording(_) => {
                (ErrorCode::Unavailable, "look at the disk of the server, then try again".to_owned())
            }
        };
        Self::new(code, what, next)
    }
}
