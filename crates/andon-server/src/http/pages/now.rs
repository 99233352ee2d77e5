//! `GET /`: how the line stands, what runs, and what ran last.

use std::collections::BTreeMap;
use std::sync::Arc;

use andon_core::access::Deed;
use andon_core::deployment::Summary;
use andon_core::release::ReleaseId;
use andon_core::scope::{Scope, ScopeName};
use andon_page::now::{Approval, Now, Row};
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};

use super::page;
use super::setting::Framed;
use crate::http::Desk;
use crate::http::gate::Asker;
use crate::http::reply::Refused;
use crate::records::RecordsError;

/// Deployments that are listed.
const SHOWN: usize = 10;
/// Deployments under way that are told of.
const GOING: usize = 12;
/// How far back the newest deployment of a scope is looked for at once.
const RECENT: usize = 200;

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    Framed(frame): Framed,
) -> Result<Response<Body>, Refused> {
    let records = desk.controller.records();
    let recent = records.history(None, RECENT).await?;
    let mut going = Vec::new();
    for row in recent.iter().filter(|row| row.ended.is_none()).take(GOING) {
        going.push(records.deployment(row.id).await?.value);
    }
    let now = Now {
        line: records.cord().await?.value,
        going,
        scopes: rows(&desk, &recent).await?,
        recent: recent.into_iter().take(SHOWN).collect(),
        approvals: approvals(&desk, &asker).await?,
        may_line: asker.0.may(&Deed::Line),
        no_line: desk.line.current().err().map(|why| why.lines().next().unwrap_or_default().to_owned()),
    };
    Ok(page(StatusCode::OK, andon_page::now::render(&now, &frame)))
}

/// What waits for approvals, as far as the line can be read.
async fn approvals(desk: &Desk, asker: &Asker) -> Result<Vec<Approval>, Refused> {
    let Ok(line) = desk.line.current() else { return Ok(Vec::new()) };
    let waiting = desk.controller.approvals_waiting(line.scopes()).await?;
    let shown = waiting.into_iter().map(|one| Approval {
        release: ReleaseId::of(&one.asked.release),
        may: asker.0.may(&Deed::Deploy(one.scope.clone()))
            && one.asked.by.name != asker.0.name
            && !one.given.contains(&asker.0.name),
        by: one.asked.by.name,
        why: one.asked.why,
        since: one.asked.at,
        needed: one.asked.needed,
        given: one.given,
        scope: one.scope,
    });
    Ok(shown.collect())
}

/// Every scope of the line and of the ledger.
async fn rows(desk: &Desk, recent: &[Summary]) -> Result<Vec<Row>, RecordsError> {
    let records = desk.controller.records();
    let known = records.scopes().await?.into_iter().map(|(name, outline)| (name, outline.scope));
    let mut all: BTreeMap<ScopeName, Scope> = known.collect();
    if let Ok(line) = desk.line.current() {
        for name in line.scopes() {
            all.entry(name).or_default();
        }
    }
    let mut rows = Vec::new();
    for (name, scope) in all {
        let last = match recent.iter().find(|row| row.scope == name) {
            Some(last) => Some(last.clone()),
            None if scope.current.is_none() && scope.releases.is_empty() => None,
            None => records.history_of(std::slice::from_ref(&name), 1).await?.pop(),
        };
        rows.push(Row { name, scope, last });
    }
    Ok(rows)
}
