//! `/v1/approvals`: releases that wait until others agree, and the agreement.

use std::sync::Arc;

use andon_core::access::Deed;
use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::release::ReleaseId;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::http::Desk;
use crate::http::body::{Bytes, short};
use crate::http::gate::Asker;
use crate::http::moment::rfc3339;
use crate::http::reply::{ErrorCode, Refused, as_json};
use crate::problem::Problem;

/// A release that waits.
#[derive(Debug, Serialize, ToSchema)]
struct Waiting {
    /// The service.
    service: String,
    /// The environment.
    environment: String,
    /// The release's short name.
    release: String,
    /// Its digest.
    digest: String,
    /// Who wanted to deploy it.
    by: String,
    /// Why, in that person's words.
    why: Option<String>,
    /// Since when.
    #[schema(format = DateTime)]
    since: String,
    /// So many approvals are needed.
    needed: u32,
    /// Who approved, and counts.
    given: Vec<String>,
}

/// An approval.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Approval {
    /// The service.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length = 253)]
    service: ServiceName,
    /// The environment.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length = 253)]
    environment: EnvironmentName,
    /// The release's short name, for example `r-51bc07e2a944`.
    #[schema(value_type = String, pattern = "^r-[0-9a-f]{12}$")]
    release: ReleaseId,
    /// Why, in the person's words: at most 1000 bytes.
    #[schema(max_length = 250)]
    why: Option<String>,
}

/// What waits for approvals, the oldest first.
#[utoipa::path(get, path = "/v1/approvals", tag = "access", responses((status = OK, body = [Waiting])))]
pub(crate) async fn waiting(State(desk): State<Arc<Desk>>) -> Result<Response<Body>, Refused> {
    let line = desk.line()?;
    let waiting = desk.controller.approvals_waiting(line.scopes()).await?;
    let rows = waiting.iter().map(|one| Waiting {
        service: one.scope.service.to_string(),
        environment: one.scope.environment.to_string(),
        release: ReleaseId::of(&one.asked.release).to_string(),
        digest: one.asked.release.to_string(),
        by: one.asked.by.name.clone(),
        why: one.asked.why.clone(),
        since: rfc3339(one.asked.at),
        needed: one.asked.needed,
        given: one.given.clone(),
    });
    Ok(as_json(StatusCode::OK, &rows.collect::<Vec<Waiting>>()))
}

/// Approves a release that waits, where whoever asks may deploy as well.
#[utoipa::path(post, path = "/v1/approvals", tag = "access", request_body = Approval, responses((status = CREATED)))]
pub(crate) async fn approve(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    let Approval { service, environment, release, why } = body.json()?;
    short("why", why.as_deref())?;
    let line = desk.line()?;
    let scope = line.scope(&service, Some(&environment)).map_err(Refused::from)?;
    asker.may(&Deed::Deploy(scope.clone()))?;
    let controller = desk.controller.clone().on_behalf_of(asker.person());
    let digest = controller.approve(&scope, &release, why).await.map_err(|problem| match problem {
        Problem::NotNow(what) => Refused::new(ErrorCode::Conflict, what, "see what waits: GET /v1/approvals"),
        other => other.into(),
    })?;
    Ok(as_json(StatusCode::CREATED, &json!({ "release": release, "digest": digest })))
}
