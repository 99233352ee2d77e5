//! `/v1/inspections`: what hosts and balancers of a scope say now, and whether its tests pass. Changes nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use andon_core::access::Deed;
use andon_core::line::Host;
use andon_core::name::{EnvironmentName, HostName, ServiceName};
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::wanted::{invalid, scope_of};
use crate::http::Desk;
use crate::http::body::Bytes;
use crate::http::gate::Asker;
use crate::http::reply::{ErrorCode, Refused, as_json};

/// How long somebody waits for a place among those who look at hosts.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is looked at.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Inspection {
    /// The service.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length = 253)]
    pub service: ServiceName,
    /// The environment; without it, the only one of the service.
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length = 253)]
    pub environment: Option<EnvironmentName>,
    /// Whether hosts are asked what they run.
    #[serde(default)]
    pub hosts: bool,
    /// Whether balancers are asked what they see.
    #[serde(default)]
    pub balancers: bool,
    /// The hosts on which health checks and production tests are run; none at all when it is empty.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub tests: BTreeSet<HostName>,
}

/// Asks hosts and balancers at once, and runs tests where they are wanted.
#[utoipa::path(post, path = "/v1/inspections", tag = "line", request_body = Inspection, responses((status = OK, body = Object)))]
pub(super) async fn inspect(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    let wanted: Inspection = body.json()?;
    let line = desk.fresh_line().await?;
    let scope = scope_of(&line, &wanted.service, wanted.environment.as_ref())?;
    let (service, hosts) = line.parts(&scope).ok_or_else(|| invalid(format!("there is no {scope}")))?;
    if !wanted.tests.is_empty() {
        asker.may(&Deed::Deploy(scope.clone()))?;
    }
    if let Some(stranger) = wanted.tests.iter().find(|name| !hosts.iter().any(|host| host.name == **name)) {
        return Err(invalid(format!("{scope} has no host {stranger}")));
    }
    let places = Arc::clone(&desk.registers.inspections);
    let Ok(Ok(_place)) = tokio::time::timeout(PATIENCE, places.acquire_owned()).await else {
        let what = "as many look at hosts at this moment as may";
        return Err(Refused::new(ErrorCode::TooMany, what, "ask again in a while").again_in(PATIENCE));
    };
    let controller = desk.controller.clone().on_behalf_of(asker.person());
    let pools = line.pools(&scope);
    let tested: Vec<&Host> = hosts.iter().filter(|host| wanted.tests.contains(&host.name)).copied().collect();
    let observed =
        async { if wanted.hosts { Some(controller.observe(service, &hosts).await) } else { None } };
    let seen = async { if wanted.balancers { Some(controller.look(&pools).await) } else { None } };
    let tests =
        async { if tested.is_empty() { None } else { Some(controller.test(service, &tested).await) } };
    let (hosts, balancers, tests) = tokio::join!(observed, seen, tests);
    Ok(as_json(StatusCode::OK, &json!({ "hosts": hosts, "balancers": balancers, "tests": tests })))
}
