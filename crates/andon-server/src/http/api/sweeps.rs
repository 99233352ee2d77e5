//! `/v1/sweeps`: nothing stays out of traffic that nobody owns.

use std::sync::Arc;

use andon_core::access::Deed;
use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::scope::ScopeName;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use utoipa::ToSchema;

use crate::Sweep;
use crate::http::Desk;
use crate::http::body::Bytes;
use crate::http::gate::Asker;
use crate::http::reply::{ErrorCode, Refused, as_json};

/// What is swept: without a service, every scope of the line.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Swept {
    /// Only this service.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length = 253)]
    pub service: Option<ServiceName>,
    /// Only this environment.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length = 253)]
    pub environment: Option<EnvironmentName>,
}

/// One pass over every scope that is meant, all at once.
#[utoipa::path(post, path = "/v1/sweeps", tag = "line", request_body = Swept, responses((status = OK, body = [Object])))]
pub(super) async fn sweep(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    let Swept { service, environment } = body.json()?;
    let line = desk.fresh_line().await?;
    let is_meant = |scope: &ScopeName| {
        service.as_ref().is_none_or(|only| scope.service == *only)
            && environment.as_ref().is_none_or(|only| scope.environment == *only)
    };
    let scopes: Vec<ScopeName> = line.scopes().filter(is_meant).collect();
    if scopes.is_empty() {
        let what = "the line has no such service or environment";
        return Err(Refused::new(ErrorCode::NotFound, what, "see what the line has: GET /v1/services"));
    }
    for scope in &scopes {
        asker.may(&Deed::Deploy(scope.clone()))?;
    }
    let controller = desk.controller.clone().on_behalf_of(asker.person());
    let mut sweeping = JoinSet::new();
    for scope in scopes {
        let Some((service, hosts)) = line.parts(&scope) else { continue };
        let hosts = hosts.into_iter().cloned().collect();
        let sweep = Sweep { pools: line.pools(&scope), scope, service: service.clone(), hosts };
        let controller = controller.clone();
        sweeping.spawn(async move { (sweep.scope.clone(), controller.sweep(&sweep).await) });
    }
    let mut swept = sweeping.join_all().await;
    swept.sort_by(|a, b| a.0.cmp(&b.0));
    let rows = swept.into_iter().map(|(scope, found)| json!({ "scope": scope, "found": found }));
    Ok(as_json(StatusCode::OK, &rows.collect::<Vec<Value>>()))
}
