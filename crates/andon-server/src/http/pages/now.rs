//! `GET /`: how the line stands, what runs, and what ran last.

use std::collections::BTreeMap;
use std::sync::Arc;

use andon_core::access::Deed;
use andon_core::chronicle::Row;
use andon_core::deployment::Summary;
use andon_core::release::ReleaseId;
use andon_core::scope::{Scope, ScopeName};
use andon_page::now::{self, Approval, Now};
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};

use super::page;
use super::setting::Framed;
use crate::chronicles::Known;
use crate::http::Desk;
use crate::http::gate::Asker;
use crate::http::reply::Refused;

/// Deployments that are listed.
const SHOWN: usize = 10;
/// Deployments under way that are told of.
const GOING: usize = 12;
/// How far back a deployment is looked for that has not ended.
const RECENT: usize = 200;

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    Framed(frame): Framed,
) -> Result<Response<Body>, Refused> {
    let records = desk.controller.records();
    let known = desk.chronicle.fresh().await;
    let newest: Vec<Summary> = known.deployments.rows().rev().take(RECENT).map(Row::summary).collect();
    let mut going = Vec::new();
    for row in newest.iter().filter(|row| row.ended.is_none()).take(GOING) {
        going.push(records.deployment(row.id).await?.value);
    }
    let now = Now {
        line: records.cord().await?.value,
        going,
        scopes: scopes(&desk, &known),
        recent: newest.into_iter().take(SHOWN).collect(),
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
fn scopes(desk: &Desk, known: &Known) -> Vec<now::Row> {
    let mut all: BTreeMap<ScopeName, Scope> =
        known.scopes.iter().map(|(name, outline)| (name.clone(), outline.scope.clone())).collect();
    for name in desk.line.current().iter().flat_map(|line| line.scopes()) {
        all.entry(name).or_default();
    }
    let last: BTreeMap<&ScopeName, &Row> =
        known.deployments.last_per_scope().map(|row| (row.scope(), row)).collect();
    let row = |(name, scope)| {
        let last = last.get(&name).map(|row| row.summary());
        now::Row { name, scope, last }
    };
    all.into_iter().map(row).collect()
}
