//! `GET /services` and `GET /services/{name}`: what runs where, and one service with all of its environments.

use std::collections::BTreeSet;
use std::sync::Arc;

use andon_core::deployment::Summary;
use andon_core::name::ServiceName;
use andon_core::scope::ScopeName;
use andon_core::telling::Route;
use andon_core::telling::subscriptions::{Subscription, Subscriptions};
use andon_page::service::{Environment, Service};
use andon_page::services::Services;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};

use super::page;
use super::setting::Framed;
use crate::http::Desk;
use crate::http::asked::AskedPath;
use crate::http::reply::{ErrorCode, Refused};
use crate::lines::LineOnDisk;
use crate::registers::places::{self, Place};

/// Deployments that are shown of one service.
const SHOWN: usize = 12;

pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    Framed(frame): Framed,
) -> Result<Response<Body>, Refused> {
    let line = desk.line.current();
    let places = places::all(&desk, line.as_deref().ok()).await;
    let rows = places.into_iter().map(|place| place.placed).collect();
    let services = Services { rows, lineless: line.err() };
    Ok(page(StatusCode::OK, andon_page::services::render(&services, &frame)))
}

pub(super) async fn one(
    State(desk): State<Arc<Desk>>,
    AskedPath(name): AskedPath<String>,
    Framed(frame): Framed,
) -> Result<Response<Body>, Refused> {
    let records = desk.controller.records();
    let line = desk.line.current().ok();
    let line = line.as_deref();
    let mut places = places::all(&desk, line).await;
    let known = ServiceName::new(&*name).ok();
    places.retain(|place| Some(&place.placed.scope.service) == known.as_ref());
    let Some(name) = known.filter(|_| !places.is_empty()) else {
        let shown: String = name.chars().take(80).collect();
        let what = format!("there is no service {shown}");
        return Err(Refused::new(ErrorCode::NotFound, what, "see /services for those that there are"));
    };
    let scopes: Vec<ScopeName> = places.iter().map(|place| place.placed.scope.clone()).collect();
    let recent = records.history_of(&scopes, SHOWN).await?;
    let asked = asked(&records.subscriptions().await?.value, &scopes);
    let environments = places.into_iter().map(|place| environment(place, &recent, line)).collect();
    let service = Service { told: told(line, &name), asked, name, environments, recent };
    Ok(page(StatusCode::OK, andon_page::service::render(&service, &frame)))
}

fn environment(place: Place, recent: &[Summary], line: Option<&LineOnDisk>) -> Environment {
    let Place { mut placed, outline } = place;
    let of_scope = |row: &&Summary| row.scope == placed.scope;
    let last = recent.iter().find(of_scope).cloned();
    let touched = recent.iter().filter(of_scope).find(|row| row.touched_hosts());
    let way_back = Summary::way_back(touched, &outline.scope).map(|known| known.release.id.clone());
    let hosts = line.and_then(|line| line.parts(&placed.scope));
    let hosts = hosts.map(|(_, hosts)| hosts.iter().map(|host| host.name.to_string()).collect());
    let held = outline.scope.held.iter();
    let held_out = held.map(|(host, held)| (host.to_string(), held.reason.clone())).collect();
    let judged = |status| outline.scope.releases.values().filter(|known| known.status == status).count();
    let good = judged(andon_core::release::ReleaseStatus::Good) + outline.good.len();
    let bad = judged(andon_core::release::ReleaseStatus::Bad) + outline.bad.len();
    placed.last = last.or(placed.last);
    Environment { placed, way_back, good, bad, hosts: hosts.unwrap_or_default(), held_out }
}

/// Whom the line tells about a service, in words.
fn told(line: Option<&LineOnDisk>, name: &ServiceName) -> Vec<String> {
    let tell = line.and_then(|line| line.line().services.get(name)?.tell.as_ref());
    let Some(tell) = tell else { return Vec::new() };
    let author = (tell.author && tell.mail.is_some()).then(|| "the author of a bad change".to_owned());
    let mails = tell.to.iter().map(ToString::to_string);
    let hooks = tell.team.iter().map(|hook| Route::Hook(hook.clone()).address().to_string());
    author.into_iter().chain(mails).chain(hooks).collect()
}

/// Who asked to be told about any of these scopes.
fn asked(all: &Subscriptions, scopes: &[ScopeName]) -> Vec<String> {
    let about = |subscription: &Subscription| scopes.iter().any(|scope| subscription.is_about(scope));
    let wanting = all.iter().filter(|(_, standing)| about(&standing.subscription));
    let people: BTreeSet<&String> = wanting.map(|(_, standing)| &standing.subscription.person).collect();
    people.into_iter().cloned().collect()
}
