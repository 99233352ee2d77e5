//! `/services/{service}/deploy`: the two buttons. What may go on is the core's; this gathers what is known, and begins.

use std::sync::Arc;

use andon_core::access::Deed;
use andon_core::deployment::Kind;
use andon_core::line::Service;
use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::promotion::{before, goes_on};
use andon_core::release::ReleaseId;
use andon_core::scope::{Scope, ScopeName};
use andon_page::promote::{self, Shown, Source, Stage};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};

use super::acts::{begin, confirmed, no_scope};
use super::form::Form;
use super::page;
use super::setting::Framed;
use crate::http::Desk;
use crate::http::gate::Asker;
use crate::http::reply::{ErrorCode, Refused};
use crate::lines::{Exceptions, LineOnDisk};
use crate::revision;

/// `GET /services/{service}/deploy`.
pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    Framed(frame): Framed,
    Path(service): Path<String>,
) -> Result<Response<Body>, Refused> {
    let line = desk.line()?;
    let service = named(&line, &service)?;
    let mut environments = Vec::new();
    for name in service.environments.keys() {
        environments.push(stage(&desk, &asker, &line, service, name).await?);
    }
    environments.sort_by_key(|stage| matches!(stage.source, Source::Environment(..)));
    let stopped = desk.controller.records().cord().await?.value.is_stopped();
    let shown = Shown { service: service.name.clone(), environments, stopped };
    Ok(page(StatusCode::OK, promote::render(&shown, &frame)))
}

async fn stage(
    desk: &Desk,
    asker: &Asker,
    line: &LineOnDisk,
    service: &Service,
    name: &EnvironmentName,
) -> Result<Stage, Refused> {
    let scope_of = |environment: &EnvironmentName| ScopeName {
        service: service.name.clone(),
        environment: environment.clone(),
    };
    let records = desk.controller.records();
    let target = records.scope(&scope_of(name)).await?.value;
    let (source, newest) = match before(line.line(), service, name) {
        None => {
            let newest = revision::head(&line.dir).await;
            (Source::Line(newest.clone()), newest)
        }
        Some(from) => {
            let source = records.scope(&scope_of(from)).await?.value;
            let known = goes_on(from, &source, &target);
            let newest = known.as_ref().ok().and_then(|known| known.release.revision.clone());
            let known = known.map(|known| Box::new(known.clone())).map_err(|not_yet| not_yet.to_string());
            (Source::Environment(from.clone(), known), newest)
        }
    };
    let commits = match newest {
        Some(newest) => {
            let current = commit_of(&target);
            revision::between(&line.dir, current.as_deref(), &newest.commit).await
        }
        None => Err("no repository is where the line lies".to_owned()),
    };
    let protected = line.line().environments.get(name).is_some_and(|it| it.protected);
    let may = asker.0.may(&Deed::Deploy(scope_of(name)));
    Ok(Stage { name: name.clone(), current: target.current.clone(), source, commits, protected, may })
}

/// The commit that a scope's current release was made from.
fn commit_of(scope: &Scope) -> Option<String> {
    let known = scope.releases.get(scope.current.as_ref()?)?;
    known.release.revision.as_ref().map(|revision| revision.commit.clone())
}

/// `POST /services/{service}/stage`: the line's release goes to an environment that no other one comes before. The page named
/// its commit: another one is not taken instead.
pub(super) async fn stage_now(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    Path(service): Path<String>,
    form: Form,
) -> Result<Response<Body>, Refused> {
    let line = desk.fresh_line().await?;
    let (service, scope) = meant(&line, &service, &form)?;
    asker.may(&Deed::Deploy(scope.clone()))?;
    if let Some(from) = before(line.line(), service, &scope.environment) {
        let what = format!("{} gets what {from} runs, and nothing else from here", scope.environment);
        return Err(Refused::new(ErrorCode::Conflict, what, format!("deploy to {from} first")));
    }
    let release = line.release(desk.controller.artifacts(), service).await?;
    let commit = release.revision.as_ref().map_or("none", |revision| revision.commit.as_str());
    if let Some(seen) = form.text("commit")?.filter(|seen| seen != commit) {
        return Err(another(&seen, commit));
    }
    let more = Exceptions { why: form.text("why")?, confirmed: confirmed(&form)?, ..Exceptions::default() };
    let wish = line.wish(&scope, Kind::Deploy, release, more).ok_or_else(|| no_scope(&scope.to_string()))?;
    begin(&desk, &asker, wish).await
}

/// `POST /services/{service}/deploy`: an environment gets exactly what the one before it runs. The page named that release:
/// another one is not taken instead.
pub(super) async fn deploy_now(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    Path(service): Path<String>,
    form: Form,
) -> Result<Response<Body>, Refused> {
    let line = desk.fresh_line().await?;
    let (service, scope) = meant(&line, &service, &form)?;
    asker.may(&Deed::Deploy(scope.clone()))?;
    let known = desk.controller.promoted(&line, service, &scope).await?;
    let wanted: Option<ReleaseId> = form.parsed("release")?;
    if let Some(wanted) = wanted.filter(|wanted| *wanted != known.id) {
        return Err(another(wanted.as_str(), known.id.as_str()));
    }
    let more = Exceptions { why: form.text("why")?, confirmed: confirmed(&form)?, ..Exceptions::default() };
    let wish = line.wish(&scope, Kind::Deploy, known, more).ok_or_else(|| no_scope(&scope.to_string()))?;
    begin(&desk, &asker, wish).await
}

/// What the page showed is not what would be deployed.
fn another(meant: &str, now: &str) -> Refused {
    let what = format!("{meant} was meant, and by now {now} would go on");
    Refused::new(ErrorCode::Conflict, what, "look at the page again, then decide anew")
}

fn named<'a>(line: &'a LineOnDisk, service: &str) -> Result<&'a Service, Refused> {
    let found = ServiceName::new(service).ok().and_then(|name| line.line().services.get(&name));
    found.ok_or_else(|| no_scope("such service"))
}

fn meant<'a>(line: &'a LineOnDisk, service: &str, form: &Form) -> Result<(&'a Service, ScopeName), Refused> {
    let service = named(line, service)?;
    let environment = EnvironmentName::new(&form.needed("environment", "the environment")?).ok();
    let known = environment.filter(|name| service.environments.contains_key(name));
    let environment = known.ok_or_else(|| no_scope("such environment"))?;
    Ok((service, ScopeName { service: service.name.clone(), environment }))
}
