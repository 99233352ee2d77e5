//! What people do on pages: each form is a `POST` that does one thing and leads to the page where it is seen. Who may, is
//! asked here for each; what makes sense, the controller says.

use std::sync::Arc;

use andon_core::access::Deed;
use andon_core::deployment::{Ask, Deployment, DeploymentId, Kind, Summary};
use andon_core::guard::{Confirmation, How};
use andon_core::name::EnvironmentName;
use andon_core::release::ReleaseId;
use andon_core::scope::Lock;
use andon_page::question;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};

use super::deployment::id;
use super::form::Form;
use super::page;
use super::setting::{Framed, go_to};
use crate::controller::{Controller, Wish};
use crate::http::Desk;
use crate::http::api;
use crate::http::gate::Asker;
use crate::http::reply::{ErrorCode, Refused};
use crate::lines::Exceptions;

/// Good releases that a rollback is offered to.
const OFFERED: usize = 8;

/// `POST /line/stop`.
pub(super) async fn stop_line(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    form: Form,
) -> Result<Response<Body>, Refused> {
    asker.may(&Deed::Line)?;
    api::stop_line(&desk, &asker, form.needed("why", "what was seen")?).await?;
    Ok(go_to("/"))
}

/// `POST /line/start`.
pub(super) async fn start_line(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    form: Form,
) -> Result<Response<Body>, Refused> {
    asker.may(&Deed::Line)?;
    api::start_line(&desk, &asker, form.needed("why", "why it is over")?).await?;
    Ok(go_to("/"))
}

/// `POST /approvals`: agrees to a release that waits.
pub(super) async fn approve(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    form: Form,
) -> Result<Response<Body>, Refused> {
    let line = desk.line()?;
    let service = form.parsed("service")?.ok_or_else(|| no_scope("such service"))?;
    let environment: Option<EnvironmentName> = form.parsed("environment")?;
    let scope = line.scope(&service, environment.as_ref())?;
    asker.may(&Deed::Deploy(scope.clone()))?;
    let release = form.parsed("release")?.ok_or_else(|| no_scope("such release"))?;
    desk.controller.clone().on_behalf_of(asker.person()).approve(&scope, &release, form.text("why")?).await?;
    Ok(go_to("/"))
}

/// `POST /deployments/{number}/pause`.
pub(super) async fn pause(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    Path(number): Path<String>,
    form: Form,
) -> Result<Response<Body>, Refused> {
    let (controller, known) = acting(&desk, &asker, &number).await?;
    controller.wish(known.id, Ask::Pause, form.text("why")?).await?;
    Ok(seen(known.id))
}

/// `POST /deployments/{number}/resume`.
pub(super) async fn resume(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    Path(number): Path<String>,
    _form: Form,
) -> Result<Response<Body>, Refused> {
    let (controller, known) = acting(&desk, &asker, &number).await?;
    let id = known.id;
    desk.see_to(async move { controller.resume(id, false).await }).await?;
    Ok(seen(id))
}

/// `GET /deployments/{number}/abort`: asks once more.
pub(super) async fn ask_abort(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    Framed(frame): Framed,
    Path(number): Path<String>,
) -> Result<Response<Body>, Refused> {
    let (_, known) = acting(&desk, &asker, &number).await?;
    Ok(page(StatusCode::OK, question::abort(&known, &frame)))
}

/// `POST /deployments/{number}/abort`.
pub(super) async fn abort(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    Path(number): Path<String>,
    form: Form,
) -> Result<Response<Body>, Refused> {
    let (controller, known) = acting(&desk, &asker, &number).await?;
    let rollback = match form.needed("after", "what becomes of what was changed")?.as_str() {
        "rollback" => true,
        "leave" => false,
        _ => {
            let what = "what was changed is put back, or stays as it is";
            return Err(Refused::new(ErrorCode::InvalidRequest, what, "go back and choose one of them"));
        }
    };
    let (id, why) = (known.id, form.text("why")?);
    desk.see_to(async move { controller.ask(id, Ask::Abort { rollback }, why).await }).await?;
    Ok(seen(id))
}

/// `GET /deployments/{number}/rollback`: asks where to.
pub(super) async fn ask_rollback(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    Framed(frame): Framed,
    Path(number): Path<String>,
) -> Result<Response<Body>, Refused> {
    let (controller, known) = acting(&desk, &asker, &number).await?;
    let name = &known.request.scope;
    let scope = controller.records().scope(name).await?.value;
    let last = controller.records().history_of(std::slice::from_ref(name), OFFERED).await?;
    let last = last.iter().find(|row| row.touched_hosts());
    let meant = Summary::way_back(last, &scope).map(|known| known.release.id.clone());
    let line = desk.line()?;
    let environment = line.line().environments.get(&name.environment);
    let mut good = scope.good();
    // What runs is no way back, unless a deployment that did not get through has to be undone.
    good.retain(|it| {
        scope.current.as_ref() != Some(&it.release.id) || meant.as_ref() == Some(&it.release.id)
    });
    good.truncate(OFFERED);
    let at_work = match &scope.lock {
        Lock::Owned { deployment, .. } => Some(*deployment),
        Lock::Free | Lock::Held { .. } => None,
    };
    let asked = question::Rollback {
        deployment: &known,
        at_work,
        current: scope.current.as_ref(),
        good,
        meant: meant.as_ref(),
        protected: environment.filter(|it| it.protected).map(|it| &it.name),
    };
    Ok(page(StatusCode::OK, question::rollback(&asked, &frame)))
}

/// `POST /deployments/{number}/rollback`: begins a rollback of its scope.
pub(super) async fn rollback(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    Path(number): Path<String>,
    form: Form,
) -> Result<Response<Body>, Refused> {
    let (controller, known) = acting(&desk, &asker, &number).await?;
    let name = known.request.scope;
    let wanted: Option<ReleaseId> = form.parsed("release")?;
    let scope = controller.records().scope(&name).await?.value;
    let release = wanted.and_then(|id| scope.releases.get(&id)).map(|known| known.release.clone());
    let release = release.ok_or_else(|| {
        Refused::new(
            ErrorCode::InvalidRequest,
            format!("{name} knows no such release"),
            "go back and choose one",
        )
    })?;
    let line = desk.fresh_line().await?;
    let more = Exceptions { why: form.text("why")?, confirmed: confirmed(&form)?, ..Exceptions::default() };
    let wish = line.wish(&name, Kind::Rollback, release, more).ok_or_else(|| no_scope(&name.to_string()))?;
    begin(&desk, &asker, wish).await
}

/// Begins what was wished, for whoever asks, and leads to where it is seen. It goes on when nobody watches.
pub(super) async fn begin(desk: &Desk, asker: &Asker, wish: Wish) -> Result<Response<Body>, Refused> {
    asker.may(&Deed::Deploy(wish.scope.clone()))?;
    let controller = desk.controller.clone().on_behalf_of(asker.person());
    let begun = desk.see_to(async move { controller.deploy(wish).await.map(Some) }).await?;
    begun.map(seen).ok_or_else(|| {
        Refused::new(ErrorCode::Unavailable, "nothing has begun", "look at the deployments, then try again")
    })
}

/// The environment's name, when it was typed.
pub(super) fn confirmed(form: &Form) -> Result<Option<Confirmation>, Refused> {
    let Some(typed) = form.text("confirm")? else { return Ok(None) };
    let environment = EnvironmentName::new(&typed).map_err(|_| {
        let what = "what was typed is not the name of the environment; nothing has been changed";
        Refused::new(ErrorCode::InvalidRequest, what, "go back and type its name")
    })?;
    Ok(Some(Confirmation { environment, how: How::Typed }))
}

/// A scope that the line does not have any more.
pub(super) fn no_scope(name: &str) -> Refused {
    let what = format!("the line of this server has no {name}");
    Refused::new(ErrorCode::NotFound, what, "look at its services: /services")
}

/// The controller for whoever asks, and the deployment, when they may act on it.
async fn acting(desk: &Desk, asker: &Asker, number: &str) -> Result<(Controller, Deployment), Refused> {
    let known = desk.controller.records().deployment(id(number)?).await?.value;
    asker.may(&Deed::Deploy(known.request.scope.clone()))?;
    Ok((desk.controller.clone().on_behalf_of(asker.person()), known))
}

fn seen(id: DeploymentId) -> Response<Body> {
    go_to(&format!("/deployments/{}", id.0))
}
