//! `GET /badge/{service}/{environment}.svg`: how a service stands, as a picture for other pages.

use std::sync::Arc;

use andon_chart::{Tone, badge};
use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::scope::{Lock, Scope, ScopeName};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode};

use super::Desk;
use super::asked::AskedPath;
use super::feed::conditional;
use super::reply::Refused;

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    AskedPath((service, file)): AskedPath<(String, String)>,
    headers: HeaderMap,
) -> Result<Response<Body>, Refused> {
    let environment = file.strip_suffix(".svg").unwrap_or_default();
    let names = (ServiceName::new(&*service), EnvironmentName::new(environment));
    let (Ok(service), Ok(environment)) = names else { return Ok(unknown(&headers)) };
    let scope = ScopeName { service, environment };
    let records = desk.controller.records();
    let known = desk.line.current().is_ok_and(|line| line.parts(&scope).is_some());
    let state = records.scope(&scope).await?;
    if !known && state.seq == 0 {
        return Ok(unknown(&headers));
    }
    let chronicle = desk.chronicle.fresh().await;
    let last = chronicle.deployments.last_per_scope().find(|row| *row.scope() == scope);
    let put_back = last.is_some_and(|row| row.state() == "rolled_back");
    let (words, tone) = words(&state.value, put_back, records.cord().await?.value.is_stopped());
    let label = format!("{} {}", scope.service, scope.environment);
    let svg = badge(&label, &words, tone, &format!("{} in {}: {words}", scope.service, scope.environment));
    Ok(conditional(&headers, svg, "image/svg+xml", "private, max-age=30"))
}

/// The state of a scope in a few words. What hinders comes before what runs.
fn words(scope: &Scope, put_back: bool, stopped: bool) -> (String, Tone) {
    let runs = scope.current.as_ref().map(|release| format!(" {release}")).unwrap_or_default();
    match &scope.lock {
        Lock::Held { deployment, .. } => (format!("✘ held since {deployment}{runs}"), Tone::Bad),
        Lock::Owned { deployment, .. } => (format!("◐ {deployment} at work{runs}"), Tone::Busy),
        Lock::Free if stopped => (format!("✘ line stopped{runs}"), Tone::Bad),
        Lock::Free if scope.current.is_none() => ("· nothing yet".to_owned(), Tone::Unknown),
        Lock::Free if put_back => (format!("✘ rolled back to{runs}"), Tone::Bad),
        Lock::Free => (format!("✔{runs}"), Tone::Good),
    }
}

/// A picture, and no page: whoever shows it sees what is wrong.
fn unknown(headers: &HeaderMap) -> Response<Body> {
    let svg =
        badge("andon", "? no such service", Tone::Unknown, "there is no such service in this environment");
    let mut response = conditional(headers, svg, "image/svg+xml", "private, max-age=30");
    if *response.status_mut() == StatusCode::OK {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

#[cfg(test)]
mod tests {
    use andon_core::name::DeploymentId;
    use andon_core::time::Time;

    use super::*;

    #[test]
    fn what_hinders_is_said_before_what_runs() {
        let release = || Some("r-51bc07e2a944".parse().unwrap());
        let scope = |lock| {
            let mut scope = Scope::default();
            (scope.current, scope.lock) = (release(), lock);
            scope
        };
        let free = scope(Lock::Free);
        assert_eq!(words(&Scope::default(), false, false), ("· nothing yet".to_owned(), Tone::Unknown));
        assert_eq!(words(&free, false, false), ("✔ r-51bc07e2a944".to_owned(), Tone::Good));
        assert_eq!(words(&free, true, false), ("✘ rolled back to r-51bc07e2a944".to_owned(), Tone::Bad));
        assert_eq!(words(&free, true, true), ("✘ line stopped r-51bc07e2a944".to_owned(), Tone::Bad));
        let lock = Lock::Owned { deployment: DeploymentId(7), since: Time(0) };
        let busy = scope(lock);
        assert_eq!(words(&busy, false, true), ("◐ #7 at work r-51bc07e2a944".to_owned(), Tone::Busy));
        let (deployment, reason) = (DeploymentId(7), String::new());
        let lock = Lock::Held { deployment, reason, since: Time(0) };
        let held = scope(lock);
        assert_eq!(words(&held, false, false).0, "✘ held since #7 r-51bc07e2a944");
    }
}
