//! `GET /releases` and `GET /releases/compare`: what is known of releases, and two of them side by side.

use std::sync::Arc;

use andon_core::name::ServiceName;
use andon_core::release::ReleaseId;
use andon_page::release_diff::ReleaseDiff;
use andon_page::releases::Releases;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::Deserialize;

use super::page;
use super::setting::Framed;
use crate::http::Desk;
use crate::http::asked::AskedQuery;
use crate::http::reply::{ErrorCode, Refused};
use crate::registers::{commits, places};

/// Releases that are shown.
const SHOWN: usize = 100;

/// Which service.
#[derive(Debug, Deserialize)]
pub(super) struct Chosen {
    service: Option<String>,
}

/// Which two releases.
#[derive(Debug, Deserialize)]
pub(in crate::http) struct Pair {
    pub(in crate::http) service: String,
    pub(in crate::http) from: String,
    pub(in crate::http) to: String,
}

pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    AskedQuery(chosen): AskedQuery<Chosen>,
    Framed(frame): Framed,
) -> Result<Response<Body>, Refused> {
    let line = desk.line.current().ok();
    let (records, line) = (desk.controller.records(), line.as_deref());
    let places = places::all(&desk, line).await;
    let services = places::services(&places);
    let service = match &chosen.service {
        Some(name) => Some(service_of(&services, name)?),
        None => services.first().cloned(),
    };
    let mut releases = Releases { services, service: service.clone(), ..Releases::default() };
    if let Some(service) = service {
        let scopes = places::scopes_of(records, line, &service).await?;
        let artifacts = desk.controller.artifacts().clone();
        let found = tokio::task::spawn_blocking(move || {
            let (rows, more) = places::releases(&scopes, &artifacts, SHOWN);
            (scopes.into_iter().map(|(name, _)| name.environment).collect(), rows, more)
        });
        let stumbled = |error: tokio::task::JoinError| std::panic::resume_unwind(error.into_panic());
        (releases.environments, releases.rows, releases.more) = found.await.unwrap_or_else(stumbled);
    }
    Ok(page(StatusCode::OK, andon_page::releases::render(&releases, &frame)))
}

/// The service with this name, among those that there are.
pub(in crate::http) fn service_of(services: &[ServiceName], name: &str) -> Result<ServiceName, Refused> {
    services.iter().find(|service| service.as_str() == name).cloned().ok_or_else(|| {
        let shown: String = name.chars().take(80).collect();
        let what = format!("there is no service {shown}");
        Refused::new(ErrorCode::NotFound, what, "see /services for those that there are")
    })
}

pub(super) async fn compare(
    State(desk): State<Arc<Desk>>,
    AskedQuery(pair): AskedQuery<Pair>,
    Framed(frame): Framed,
) -> Result<Response<Body>, Refused> {
    let diff = compared(&desk, &pair).await?;
    Ok(page(StatusCode::OK, andon_page::release_diff::render(&diff, &frame)))
}

/// Two releases side by side.
pub(in crate::http) async fn compared(desk: &Desk, pair: &Pair) -> Result<ReleaseDiff, Refused> {
    let line = desk.line.current().ok();
    let (records, line) = (desk.controller.records(), line.as_deref());
    let services = places::services(&places::all(desk, line).await);
    let service = service_of(&services, &pair.service)?;
    let scopes = places::scopes_of(records, line, &service).await?;
    let find = |text: &str| {
        let id = text.parse::<ReleaseId>().map_err(|error| {
            Refused::new(
                ErrorCode::InvalidRequest,
                error.to_string(),
                "see /releases for those that there are",
            )
        })?;
        places::release(&scopes, &id).cloned().ok_or_else(|| {
            let what = format!("{service} has no release {id} that was judged");
            Refused::new(ErrorCode::NotFound, what, "see /releases for those that there are")
        })
    };
    let (from, to) = (find(&pair.from)?, find(&pair.to)?);
    let files = desk.registers.comparisons.of(desk.controller.artifacts(), &from, &to);
    let commits = async {
        match line {
            Some(line) => {
                commits::between(&line.directory(), from.revision.as_ref(), to.revision.as_ref()).await
            }
            None => Err("the server has no line, and so no repository".to_owned()),
        }
    };
    let (files, commits) = tokio::join!(files, commits);
    Ok(ReleaseDiff { service, from: from.id, to: to.id, files, commits })
}
