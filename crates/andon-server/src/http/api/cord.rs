//! `/v1/line/stop` and `/v1/line/start`: the cord in the hands of people who are not at the server.

use std::sync::Arc;

use andon_core::access::Deed;
use andon_core::cord::Cord;
use andon_core::telling::{Telling, line_running, line_stopped};
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::clock;
use crate::http::Desk;
use crate::http::body::Bytes;
use crate::http::gate::Asker;
use crate::http::reply::{ErrorCode, Refused, as_json};

/// The longest reason, in bytes.
const LONGEST: usize = 1000;

/// Why the line is stopped, or started.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// In the person's words, 1 to 1000 bytes.
    #[schema(min_length = 1, max_length = 250, pattern = r"\S")]
    pub why: String,
}

/// The line before and after, as Andon keeps it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a shape for the document")]
struct Turned {
    /// Before.
    #[schema(value_type = Object)]
    before: (),
    /// After.
    #[schema(value_type = Object)]
    after: (),
}

/// Pulls the cord. Answers with the line before and after.
#[utoipa::path(post, path = "/v1/line/stop", tag = "line", request_body = Reason,
    responses((status = OK, body = Turned)))]
pub(super) async fn stop(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    let why = reason(&asker, &body)?;
    let before = stop_line(&desk, &asker, why).await?;
    turned(&desk, &before).await
}

/// Lets the line run again, whatever it was stopped for. Answers with the line before and after.
#[utoipa::path(post, path = "/v1/line/start", tag = "line", request_body = Reason,
    responses((status = OK, body = Turned)))]
pub(super) async fn start(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    let why = reason(&asker, &body)?;
    let before = start_line(&desk, &asker, why).await?;
    turned(&desk, &before).await
}

async fn turned(desk: &Desk, before: &Cord) -> Result<Response<Body>, Refused> {
    let after = desk.controller.records().cord().await?.value;
    Ok(as_json(StatusCode::OK, &json!({ "before": before, "after": after })))
}

/// Stops the line for whoever asks, and has it told. Whether they may is for the caller to ask. Gives the line as it was
/// before.
pub(crate) async fn stop_line(desk: &Desk, asker: &Asker, why: String) -> Result<Cord, Refused> {
    let (me, now) = (asker.person(), clock::now());
    let controller = desk.controller.clone().on_behalf_of(me.clone());
    let before = controller.stop_line(me.clone(), why.clone()).await?;
    tell(desk, line_stopped(&now.0.to_string(), &me.name, &why, now)).await;
    Ok(before)
}

/// The same for its start; nothing is told where it was not stopped.
pub(crate) async fn start_line(desk: &Desk, asker: &Asker, why: String) -> Result<Cord, Refused> {
    let (me, now) = (asker.person(), clock::now());
    let controller = desk.controller.clone().on_behalf_of(me.clone());
    let before = controller.start_line(me.clone(), why.clone()).await?;
    if before.is_stopped() {
        tell(desk, line_running(&now.0.to_string(), &me.name, &why, now)).await;
    }
    Ok(before)
}

fn reason(asker: &Asker, body: &Bytes) -> Result<String, Refused> {
    let Reason { why } = body.json()?;
    asker.may(&Deed::Line)?;
    let why = why.trim().to_owned();
    if why.is_empty() || why.len() > LONGEST {
        let what = format!("a reason has 1 to {LONGEST} bytes, this one has {}", why.len());
        return Err(Refused::new(ErrorCode::InvalidRequest, what, "say what was seen, in one sentence"));
    }
    Ok(why)
}

/// Queues a message to everybody whom any service tells; the courier of the server delivers it.
async fn tell(desk: &Desk, telling: Telling) {
    let tell = desk.line.current().ok().and_then(|line| line.line().everybody());
    // That the line stands counts, also when nobody can be told.
    let _ = desk.controller.outbox().announce(telling, tell.as_ref()).await;
}
