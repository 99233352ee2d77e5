//! `/v1/flagger/{hook}`: what Flagger's webhooks ask.
//!
//! Flagger posts `{name, namespace, phase, checksum, metadata}` and goes on at a status of 200 to 202; for anything
//! else it halts, counts a failed check, and shows the body of the answer in the events of the canary. It tries again by
//! itself after a status of 5xx or 429, so a refusal is none of these. For the hook `rollback`, 200 means: roll back.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::Desk;
use super::body::Bytes;
use super::reply::{ErrorCode, Problem, Refused, as_text};
use crate::evaluations::{Advice, EvaluationError, EvaluationId, Life, Request, View};

/// When Flagger asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Hook {
    /// Before the canary gets traffic.
    PreRollout,
    /// On every round of its own analysis.
    Rollout,
    /// Before the canary gets more traffic.
    ConfirmTrafficIncrease,
    /// Before the canary becomes the primary.
    ConfirmPromotion,
    /// On every round: shall the canary be rolled back?
    Rollback,
    /// After all is over.
    PostRollout,
}

/// What Flagger posts. Versions differ in what else they send.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub(super) struct Payload {
    /// Of the canary.
    name: String,
    /// Of the canary.
    namespace: String,
    /// Names the canary's present specification.
    #[serde(default)]
    checksum: String,
    /// What the webhook's owner wrote: `evaluation`, an id; `request`, what to begin, as JSON.
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
}

impl Payload {
    /// What the webhook's owner wrote there.
    pub(super) fn metadata(&self, key: &str) -> Option<&String> {
        self.metadata.as_ref().and_then(|all| all.get(key))
    }
}

/// What Flagger's webhooks ask: 200 lets it go on (for the hook `rollback`: lets it roll back), and 409 does not.
#[utoipa::path(post, path = "/v1/flagger/{hook}", tag = "evaluations",
    params(("hook" = String, Path, description = "When Flagger asks: `pre-rollout`, `rollout`, `confirm-traffic-increase`, \
        `confirm-promotion`, `rollback` or `post-rollout`")),
    request_body = Payload, responses((status = OK, body = String, content_type = "text/plain"),
        (status = CONFLICT, content((String = "text/plain"), (Problem = "application/json")))))]
pub(super) async fn answer(
    State(desk): State<Arc<Desk>>,
    Path(hook): Path<String>,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    let hook: Hook = serde_json::from_value(Value::String(hook)).map_err(|error| {
        Refused::new(
            ErrorCode::NotFound,
            format!("no such hook: {error}"),
            "see docs/guide/judging-for-others.md",
        )
    })?;
    let payload: Payload = body.json()?;
    let view = match look(&desk, hook, &payload).await? {
        Some(view) => view,
        // Nothing was begun: nothing is to be undone, and nothing to be tidied up.
        None if hook == Hook::PostRollout => return Ok(as_text(StatusCode::OK, "there was no evaluation")),
        None => return Ok(as_text(StatusCode::CONFLICT, "there is no evaluation, so there is no reason")),
    };
    if hook == Hook::PostRollout {
        if view.life == Life::Running {
            desk.evaluations.stop(&view.id).await?;
        }
        return Ok(as_text(StatusCode::OK, "noted"));
    }
    let goes_on = match (hook, view.advice) {
        (Hook::Rollback, advice) => advice == Advice::RollBack,
        (Hook::ConfirmPromotion, advice) => advice == Advice::GoOn,
        (_, advice) => matches!(advice, Advice::Wait | Advice::GoOn),
    };
    let status = if goes_on { StatusCode::OK } else { StatusCode::CONFLICT };
    Ok(as_text(status, &format!("{}: {}", view.result(), view.sentence)))
}

/// The evaluation that is meant; it is begun when the payload says what to begin.
async fn look(desk: &Desk, hook: Hook, payload: &Payload) -> Result<Option<Arc<View>>, Refused> {
    let id = id(payload, payload.metadata("evaluation"))?;
    let begins = !matches!(hook, Hook::Rollback | Hook::PostRollout);
    if let Some(text) = payload.metadata("request").filter(|_| begins) {
        return Ok(Some(desk.evaluations.begin(request(text, &id)?).await?.0));
    }
    match desk.evaluations.look(&id).await {
        Ok(view) => Ok(Some(view)),
        Err(EvaluationError::Unknown(_)) if !begins => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The id that was given, or one for this canary with its present specification.
pub(super) fn id(payload: &Payload, given: Option<&String>) -> Result<EvaluationId, Refused> {
    let wrong = |why: String| {
        let next = "name an evaluation in the webhook's metadata: evaluation: NAME";
        Refused::new(ErrorCode::InvalidRequest, why, next)
    };
    match given {
        Some(given) => EvaluationId::new(given.as_str()).map_err(wrong),
        None if payload.checksum.is_empty() => Err(wrong(
            "this Flagger sends no checksum, so one rollout cannot be told from the next".to_owned(),
        )),
        None => {
            let name = format!("{}.{}.{}", payload.namespace, payload.name, payload.checksum);
            EvaluationId::new(name).map_err(wrong)
        }
    }
}

pub(super) fn request(text: &str, id: &EvaluationId) -> Result<Request, Refused> {
    let wrong = |why: String| {
        let why = format!("the request in the metadata cannot be read: {why}");
        Refused::new(ErrorCode::InvalidRequest, why, "compare it with docs/guide/judging-for-others.md")
    };
    let mut value: Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let Value::Object(fields) = &mut value else { return Err(wrong("it is no object".to_owned())) };
    fields.entry("id").or_insert_with(|| Value::String(id.to_string()));
    let request: Request = serde_json::from_value(value).map_err(|error| wrong(error.to_string()))?;
    if request.id == *id {
        Ok(request)
    } else {
        Err(wrong(format!("its id is {}, and not {id}", request.id)))
    }
}
