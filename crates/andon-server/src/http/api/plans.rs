//! `/v1/plans`: everything that a deployment would do. Changes nothing.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::wanted::Wanted;
use crate::http::Desk;
use crate::http::body::Bytes;
use crate::http::gate::Asker;
use crate::http::reply::{Refused, as_json};

/// What shall be planned.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Planned {
    /// What would be deployed.
    wanted: Wanted,
    /// Whether to measure for two seconds what its analyses could see.
    #[serde(default)]
    outlook: bool,
}

/// The plan, and on wish what its analyses could see on the traffic of this moment.
#[utoipa::path(post, path = "/v1/plans", tag = "deployments", request_body = Planned, responses((status = OK, body = Object)))]
pub(super) async fn plan(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    let Planned { wanted, outlook } = body.json()?;
    let wish = wanted.wish(&desk, &asker).await?;
    let controller = desk.controller.clone().on_behalf_of(asker.person());
    let plan = controller.plan(&wish).await?;
    let outlook = if outlook { controller.outlook(&plan).await } else { None };
    Ok(as_json(StatusCode::OK, &json!({ "plan": plan, "outlook": outlook })))
}
