//! `/v1/line`: whether the line runs, and what passed although it does not, as the hooks of Git repositories ask it.

use std::sync::Arc;

use andon_core::cord::{Cord, Passage};
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Desk;
use super::body::Bytes;
use super::moment::rfc3339;
use super::reply::{ErrorCode, Refused, as_json};
use crate::problem::Problem;
use crate::records::RecordsError;

/// The longest reason, in bytes. Names are shorter.
const LONGEST: usize = 2_000;

/// A push that passes although the line stands.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    /// Who pushes.
    by: String,
    /// The branch: `refs/heads/main`.
    #[serde(alias = "ref")]
    reference: String,
    /// The newest commit.
    commit: String,
    /// In the person's words.
    why: String,
}

/// `GET /v1/line`.
pub(super) async fn show(State(desk): State<Arc<Desk>>) -> Result<Response<Body>, Refused> {
    let cord = desk.controller.records().cord().await?.value;
    Ok(as_json(StatusCode::OK, &shown(&cord)))
}

/// `POST /v1/line/exceptions`: records it, when the line stands. Answers with the line, and whether it was recorded.
pub(super) async fn except(State(desk): State<Arc<Desk>>, body: Bytes) -> Result<Response<Body>, Refused> {
    let Exception { by, reference, commit, why } = body.json()?;
    for (name, text) in [("by", &by), ("reference", &reference), ("commit", &commit), ("why", &why)] {
        if text.trim().is_empty() || text.len() > LONGEST {
            let what = format!("{name} has 1 to {LONGEST} bytes, not {}", text.trim().len());
            return Err(Refused::new(ErrorCode::InvalidRequest, what, "say who passes what, and why"));
        }
    }
    let cord = desk.controller.let_pass(by, Passage::Push { reference, commit }, why).await?;
    let mut answer = shown(&cord);
    answer["recorded"] = json!(cord.is_stopped());
    Ok(as_json(StatusCode::OK, &answer))
}

/// The line as programs read it: the oldest reason first, and all of them below `stops`.
fn shown(cord: &Cord) -> Value {
    let Some(first) = cord.stops().first() else {
        return json!({ "state": "running", "since": cord.since().map(rfc3339) });
    };
    let stops = cord.stops().iter().map(
        |stop| json!({ "reason": stop.reason, "by": stop.by.to_string(), "since": rfc3339(stop.since) }),
    );
    json!({
        "state": "stopped",
        "reason": first.reason,
        "by": first.by.to_string(),
        "since": rfc3339(first.since),
        "stops": stops.collect::<Vec<Value>>(),
    })
}

impl From<RecordsError> for Refused {
    fn from(error: RecordsError) -> Self {
        Self::new(
            ErrorCode::Unavailable,
            error.to_string(),
            "look at the ledger of the server: andon ledger verify",
        )
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Records(error) => error.into(),
            other => Self::new(ErrorCode::Unavailable, other.to_string(), "try again"),
        }
    }
}
