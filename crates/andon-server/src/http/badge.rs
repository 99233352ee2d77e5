//! `GET /badge/{service}/{environment}.svg`: how a service stands, as a picture for other pages.

use std::sync::Arc;

use andon_chart::{Tone, badge};
use andon_core::deployment::Summary;
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
    let last = last.map(|row| row.summary());
    let (words, tone) = words(&state.value, last.as_ref(), records.cord().await?.value.is_stopped());
    let label = format!("{} {}", scope.service, scope.environment);
    let svg = badge(&label, &words, tone, &format!("{} in {}: {words}", scope.service, scope.environment));
    Ok(conditional(&headers, svg, "image/svg+xml", "private, max-age=30"))
}

/// The state of a scope in a few words. What hinders comes before what runs.
fn words(scope: &Scope, last: Option<&Summary>, stopped: bool) -> (String, Tone) {
    let runs = scope.current.as_ref().map(|release| format!(" {release}")).unwrap_or_default();
    let halfway = last.filter(|last| last.left_halfway());
    let put_back = last.is_some_and(|last| last.state == "rolled_back");
    match (&scope.lock, halfway) {
        (Lock::Held { deployment, .. }, _) => (format!("✘ held since {deployment}{runs}"), Tone::Bad),
        (Lock::Owned { deployment, .. }, _) => (format!("◐ {deployment} at work{runs}"), Tone::Busy),
        (Lock::Free, _) if stopped => (format!("✘ line stopped{runs}"), Tone::Bad),
        (Lock::Free, Some(last)) => (format!("✘ left halfway by {}{runs}", last.id), Tone::Bad),
        (Lock::Free, None) if scope.current.is_none() => ("· nothing yet".to_owned(), Tone::Unknown),
        (Lock::Free, None) if put_back => (format!("✘ rolled back to{runs}"), Tone::Bad),
        (Lock::Free, None) => (format!("✔{runs}"), Tone::Good),
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
    use andon_core::deployment::HostCounts;
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
        let ended = |state: &str, changed: u32| -> Summary {
            serde_json::from_value(serde_json::json!({
                "id": 9, "scope": { "service": "www", "environment": "production" }, "kind": "deploy",
                "release": "r-7f3a9102c4d1", "by": "ana", "state": state, "accepted": 0, "ended": 1,
                "hosts": HostCounts { total: 4, changed, ..HostCounts::default() },
            }))
            .unwrap()
        };
        let (put_back, left) = (ended("rolled_back", 0), ended("aborted", 2));
        assert_eq!(words(&Scope::default(), None, false), ("· nothing yet".to_owned(), Tone::Unknown));
        assert_eq!(words(&Scope::default(), Some(&left), false).0, "✘ left halfway by #9");
        assert_eq!(words(&free, None, false), ("✔ r-51bc07e2a944".to_owned(), Tone::Good));
        assert_eq!(words(&free, Some(&ended("succeeded", 4)), false).1, Tone::Good);
        assert_eq!(words(&free, Some(&ended("aborted", 0)), false).1, Tone::Good);
        assert_eq!(
            words(&free, Some(&put_back), false),
            ("✘ rolled back to r-51bc07e2a944".to_owned(), Tone::Bad)
        );
        assert_eq!(
            words(&free, Some(&left), false),
            ("✘ left halfway by #9 r-51bc07e2a944".to_owned(), Tone::Bad)
        );
        assert_eq!(
            words(&free, Some(&put_back), true),
            ("✘ line stopped r-51bc07e2a944".to_owned(), Tone::Bad)
        );
        let lock = Lock::Owned { deployment: DeploymentId(7), since: Time(0) };
        let busy = scope(lock);
        assert_eq!(words(&busy, None, true), ("◐ #7 at work r-51bc07e2a944".to_owned(), Tone::Busy));
        let (deployment, reason) = (DeploymentId(7), String::new());
        let lock = Lock::Held { deployment, reason, since: Time(0) };
        let held = scope(lock);
        assert_eq!(words(&held, None, false).0, "✘ held since #7 r-51bc07e2a944");
    }
}
