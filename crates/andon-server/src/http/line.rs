//! `/v1/line`: whether the line runs, and what passed although it does not, as the hooks of Git repositories ask it.

use std::sync::Arc;

use andon_core::access::Deed;
use andon_core::cord::Passage;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Desk;
use super::body::Bytes;
use super::gate::{Asker, Way};
use super::reply::{ErrorCode, Refused, as_json};
use crate::answers::LineAnswer;

/// The longest reason, in bytes. Names are shorter.
const LONGEST: usize = 2_000;

/// A push that passes although the line stands.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Exception {
    /// Who pushes, as far as whoever tells of it knows; the name of a user who tells of somebody else is added.
    #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
    by: String,
    /// The branch: `refs/heads/main`.
    #[serde(alias = "ref")]
    #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
    reference: String,
    /// The newest commit.
    #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
    commit: String,
    /// In the person's words.
    #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
    why: String,
}

/// The line, and whether an exception was recorded.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Excepted {
    /// The line.
    #[serde(flatten)]
    line: LineAnswer,
    /// Whether it was.
    recorded: bool,
}

/// Whether the line runs, and what it stands for.
#[utoipa::path(get, path = "/v1/line", tag = "line", responses((status = OK, body = LineAnswer)))]
pub(super) async fn show(State(desk): State<Arc<Desk>>) -> Result<Response<Body>, Refused> {
    let cord = desk.controller.records().cord().await?.value;
    Ok(as_json(StatusCode::OK, &LineAnswer::from(&cord)))
}

/// Records that a push passes although the line stands. Answers with the line, and whether it was recorded: while the line
/// runs there is nothing to except.
#[utoipa::path(post, path = "/v1/line/exceptions", tag = "line", request_body = Exception,
    responses((status = OK, body = Excepted)))]
pub(super) async fn except(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    asker.may(&Deed::Line)?;
    let Exception { by, reference, commit, why } = body.json()?;
    for (name, text) in [("by", &by), ("reference", &reference), ("commit", &commit), ("why", &why)] {
        if text.trim().is_empty() || text.len() > LONGEST {
            let what = format!("{name} has 1 to {LONGEST} bytes, not {}", text.trim().len());
            return Err(Refused::new(ErrorCode::InvalidRequest, what, "say who passes what, and why"));
        }
    }
    // Who pushed to a repository only its hook can tell; who tells of it stands beside that, so nobody acts as another.
    let me = &asker.0.name;
    let by = match asker.way() {
        Way::Token(_) | Way::Session(_) if by != *me => format!("{by} (told by {me})"),
        _ => by,
    };
    let controller = desk.controller.clone().on_behalf_of(asker.person());
    let cord = controller.let_pass(by, Passage::Push { reference, commit }, why).await?;
    let answer = Excepted { line: LineAnswer::from(&cord), recorded: cord.is_stopped() };
    Ok(as_json(StatusCode::OK, &answer))
}
