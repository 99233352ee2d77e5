//! `/v1/deployments`: what was deployed, and what shall be.

use std::sync::Arc;

use andon_core::access::Deed;
use andon_core::deployment::{DeploymentId, Kind, Summary};
use andon_core::name::{EnvironmentName, ServiceName};
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::http::Desk;
use crate::http::body::Bytes;
use crate::http::gate::Asker;
use crate::http::moment::rfc3339;
use crate::http::reply::{ErrorCode, Refused, as_json};
use crate::lines::Exceptions;

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

/// What shall be deployed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Begin {
    /// The service.
    #[schema(value_type = String)]
    service: ServiceName,
    /// The environment; without it, the only one of the service.
    #[schema(value_type = Option<String>)]
    environment: Option<EnvironmentName>,
    /// Why, in the person's words.
    why: Option<String>,
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

/// Begins a deployment of the release that the server's line describes. It goes on when nobody watches.
#[utoipa::path(post, path = "/v1/deployments", request_body = Begin, responses((status = CREATED)))]
pub(super) async fn begin(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    let begin: Begin = body.json()?;
    let line = desk.line()?;
    let invalid =
        |what: String| Refused::new(ErrorCode::InvalidRequest, what, "see what the line has: GET /v1/line");
    let scope =
        line.scope(&begin.service, begin.environment.as_ref()).map_err(|error| invalid(error.to_string()))?;
    asker.may(&Deed::Deploy(scope.clone()))?;
    let (service, _) = line.parts(&scope).ok_or_else(|| invalid(format!("there is no {scope}")))?;
    let release = line.release(desk.controller.artifacts(), service).await;
    let release =
        release.map_err(|error| Refused::new(ErrorCode::Conflict, error.to_string(), "build it again"))?;
    let more = Exceptions { why: begin.why, ..Exceptions::default() };
    let wish = line
        .wish(&scope, Kind::Deploy, release, more)
        .ok_or_else(|| invalid(format!("there is no {scope}")))?;
    let going = desk.controller.clone().on_behalf_of(asker.person()).deploy(wish).await?;
    let id = desk.workshop.take(going, |_, _| {});
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
