//! `/v1/environments/{environment}/runs`: what people do to a guarded environment with their own ssh, recorded before they do.

use std::sync::Arc;

use andon_core::access::Deed;
use andon_core::guard::{GuardFact, Passes};
use andon_core::name::EnvironmentName;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::wanted::invalid;
use crate::clock;
use crate::http::Desk;
use crate::http::asked::AskedPath;
use crate::http::body::{Bytes, short};
use crate::http::gate::Asker;
use crate::http::reply::{Refused, as_json};

/// A command that is about to run on hosts.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// On so many hosts of the environment.
    pub hosts: u32,
    /// What was said to its guard.
    #[schema(value_type = Object)]
    pub passes: Passes,
}

/// Records that a command is about to run on hosts of an environment.
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/runs",
    params(("environment" = String, Path)),
    request_body = Run,
    responses((status = CREATED, body = Object))
)]
pub(super) async fn record(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    AskedPath(environment): AskedPath<String>,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    let Run { hosts, passes } = body.json()?;
    short("allow_wide", passes.allow_wide.as_deref())?;
    let environment = EnvironmentName::new(&environment).map_err(|error| invalid(error.to_string()))?;
    let line = desk.line()?;
    let mut refused = Some(invalid(format!("no service has the environment {environment}")));
    for scope in line.scopes().filter(|scope| scope.environment == environment) {
        refused = asker.may(&Deed::Deploy(scope)).err();
        if refused.is_none() {
            break;
        }
    }
    if let Some(refused) = refused {
        return Err(refused);
    }
    let me = asker.person();
    let fact = GuardFact::Ran { by: me.clone(), hosts, passes };
    desk.controller.records().record_guarded(clock::now(), &me.name, &environment, &fact).await?;
    Ok(as_json(StatusCode::CREATED, &json!({ "recorded": true })))
}
