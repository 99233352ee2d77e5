//! `/v1/deployments`: what was deployed, and what shall be.

use std::sync::Arc;

use andon_core::deployment::{DeploymentId, Summary};
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::wanted::Wanted;
use crate::http::Desk;
use crate::http::body::Bytes;
use crate::http::gate::Asker;
use crate::http::moment::rfc3339;
use crate::http::reply::{Refused, as_json};

/// At most so many in one answer.
const MOST: usize = 200;

/// Which deployments are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// Only those with a lower number.
    before: Option<u64>,
    /// At most so many, 1 to 200.
    limit: Option<usize>,
}

/// A deployment in one row.
#[derive(Debug, Serialize, ToSchema)]
struct Deployment {
    /// Its number.
    deployment: u64,
    /// The service.
    service: String,
    /// The environment.
    environment: String,
    /// The state's name.
    state: String,
    /// Who asked.
    by: String,
    /// When it was accepted.
    #[schema(format = DateTime)]
    accepted: String,
}

/// Deployments, the newest first.
#[utoipa::path(get, path = "/v1/deployments", params(Page), responses((status = OK, body = [Deployment])))]
pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    Query(page): Query<Page>,
) -> Result<Response<Body>, Refused> {
    let limit = page.limit.unwrap_or(20).clamp(1, MOST);
    let rows = desk.controller.records().history(page.before.map(DeploymentId), limit).await?;
    Ok(as_json(StatusCode::OK, &rows.iter().map(row).collect::<Vec<Deployment>>()))
}

/// Begins a deployment, by the line of this server. It goes on when nobody watches.
#[utoipa::path(post, path = "/v1/deployments", request_body = Wanted, responses((status = CREATED)))]
pub(super) async fn begin(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    let wanted: Wanted = body.json()?;
    let wish = wanted.wish(&desk, &asker).await?;
    let going = desk.controller.clone().on_behalf_of(asker.person()).deploy(wish).await?;
    let id = desk.workshop.take(going, super::stumbled);
    Ok(as_json(StatusCode::CREATED, &json!({ "deployment": id.0 })))
}

fn row(summary: &Summary) -> Deployment {
    Deployment {
        deployment: summary.id.0,
        service: summary.scope.service.to_string(),
        environment: summary.scope.environment.to_string(),
        state: summary.state.clone(),
        by: summary.by.clone(),
        accepted: rfc3339(summary.accepted),
    }
}
