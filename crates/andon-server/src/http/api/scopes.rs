//! `/v1/services` and `/v1/scopes`: what the line has, and what is known of each service in each environment.

use std::collections::BTreeMap;
use std::sync::Arc;

use andon_core::deployment::Summary;
use andon_core::scope::ScopeName;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};

use crate::answers::{ScopeRow, ServiceRow};
use crate::http::Desk;
use crate::http::reply::{Refused, as_json};

/// The services of the line, with their environments and hosts.
#[utoipa::path(get, path = "/v1/services", tag = "line", responses((status = OK, body = [ServiceRow])))]
pub(super) async fn services(State(desk): State<Arc<Desk>>) -> Result<Response<Body>, Refused> {
    let line = desk.line()?;
    Ok(as_json(StatusCode::OK, &line.line().services.values().map(ServiceRow::from).collect::<Vec<_>>()))
}

/// Every service in every environment that something happened to: what should run there, who may change it, which hosts were
/// left out of traffic, and the newest deployment.
#[utoipa::path(get, path = "/v1/scopes", tag = "line", responses((status = OK, body = [ScopeRow])))]
pub(super) async fn scopes(State(desk): State<Arc<Desk>>) -> Result<Response<Body>, Refused> {
    /// How far back the newest deployment of a scope is looked for: as `andon status` does.
    const RECENT: usize = 500;
    let records = desk.controller.records();
    let (scopes, recent) = tokio::try_join!(records.scopes(), records.history(None, RECENT))?;
    let mut newest: BTreeMap<&ScopeName, &Summary> = BTreeMap::new();
    for row in &recent {
        newest.entry(&row.scope).or_insert(row);
    }
    let rows = scopes.iter().map(|(name, known)| ScopeRow::of(name, &known.scope, newest.get(name).copied()));
    Ok(as_json(StatusCode::OK, &rows.collect::<Vec<_>>()))
}
