//! `/v1/deployments/{number}/…`: what people ask of a deployment under way.

use std::sync::Arc;

use andon_core::access::Deed;
use andon_core::deployment::{Ask, DeploymentId};
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::controller::Controller;
use crate::http::Desk;
use crate::http::asked::{AskedPath, Whole};
use crate::http::body::{Bytes, short};
use crate::http::gate::Asker;
use crate::http::reply::{Refused, as_json};

/// What goes with a wish.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Why, in the person's words: at most 1000 bytes.
    #[schema(max_length = 250)]
    #[serde(default)]
    pub why: Option<String>,
    /// For an abort: put back what was changed.
    #[serde(default)]
    pub rollback: bool,
    /// For going on: take it from the process that drives it, on another machine that is known to be dead.
    #[serde(default)]
    pub take_over: bool,
}

/// A wish that was recorded.
#[derive(Debug, Serialize, ToSchema)]
struct Answered {
    /// The deployment.
    deployment: u64,
    /// Whether it is this wish that makes it go on here. Otherwise whoever drives it has been told.
    driven: bool,
}

/// Starts no further host.
#[utoipa::path(
    post,
    path = "/v1/deployments/{number}/pause",
    tag = "deployments",
    params(("number" = u64, Path, description = "The deployment", maximum = 9_007_199_254_740_991u64)),
    request_body = Asked,
    responses((status = OK, body = Answered))
)]
pub(super) async fn pause(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    AskedPath(Whole(number)): AskedPath<Whole>,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    let (asked, controller) = (asked(&body)?, may(&desk, &asker, number).await?);
    controller.wish(DeploymentId(number), Ask::Pause, asked.why).await?;
    Ok(answered(number, false))
}

/// Goes on with a paused one, or with one whose process is gone.
#[utoipa::path(
    post,
    path = "/v1/deployments/{number}/resume",
    tag = "deployments",
    params(("number" = u64, Path, description = "The deployment", maximum = 9_007_199_254_740_991u64)),
    request_body = Asked,
    responses((status = OK, body = Answered))
)]
pub(super) async fn resume(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    AskedPath(Whole(number)): AskedPath<Whole>,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    let (asked, controller) = (asked(&body)?, may(&desk, &asker, number).await?);
    let take_over = asked.take_over;
    let begun = desk.see_to(async move { controller.resume(DeploymentId(number), take_over).await }).await?;
    Ok(answered(number, begun.is_some()))
}

/// Brings hosts in their cycle to a safe point, then stops.
#[utoipa::path(
    post,
    path = "/v1/deployments/{number}/abort",
    tag = "deployments",
    params(("number" = u64, Path, description = "The deployment", maximum = 9_007_199_254_740_991u64)),
    request_body = Asked,
    responses((status = OK, body = Answered))
)]
pub(super) async fn abort(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    AskedPath(Whole(number)): AskedPath<Whole>,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    let (asked, controller) = (asked(&body)?, may(&desk, &asker, number).await?);
    let ask = Ask::Abort { rollback: asked.rollback };
    let begun =
        desk.see_to(async move { controller.ask(DeploymentId(number), ask, asked.why).await }).await?;
    Ok(answered(number, begun.is_some()))
}

/// What goes with a wish; its reason stays in the ledger.
fn asked(body: &Bytes) -> Result<Asked, Refused> {
    let asked: Asked = body.json()?;
    short("why", asked.why.as_deref())?;
    Ok(asked)
}

/// The controller for whoever asks, when they may act on that deployment.
async fn may(desk: &Desk, asker: &Asker, number: u64) -> Result<Controller, Refused> {
    let deployment = desk.controller.records().deployment(DeploymentId(number)).await?;
    asker.may(&Deed::Deploy(deployment.value.request.scope))?;
    Ok(desk.controller.clone().on_behalf_of(asker.person()))
}

/// `driven` says whether it is this very wish that made it go on here.
fn answered(number: u64, driven: bool) -> Response<Body> {
    as_json(StatusCode::OK, &Answered { deployment: number, driven })
}
