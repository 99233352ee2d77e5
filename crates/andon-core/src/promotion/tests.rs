//! What goes on from one environment to the next, and what does not.

use super::*;
use crate::line::Environment;
use crate::plan::tests::{Fleet, release};
use crate::scope::ScopeFact;
use crate::time::Time;

fn name(text: &str) -> EnvironmentName {
    EnvironmentName::new(text).unwrap()
}

fn scope(content: &str, status: ReleaseStatus) -> Scope {
    let mut scope = Scope::default();
    add(&mut scope, content, status);
    scope.apply(Time(2), &ScopeFact::Current { release: release(content).id });
    scope
}

fn add(scope: &mut Scope, content: &str, status: ReleaseStatus) {
    let marked = ScopeFact::Marked {
        release: release(content),
        status,
        deployment: DeploymentId(4),
        because: "errors".into(),
    };
    scope.apply(Time(1), &marked);
}

fn refused(source: &Scope, target: &Scope) -> String {
    goes_on(&name("staging"), source, target).unwrap_err().to_string()
}

#[test]
fn the_line_says_what_comes_before_and_staging_is_meant_where_it_does_not() {
    let mut service = Fleet::running(1).service;
    for environment in ["edge", "staging", "production"] {
        service.environments.insert(name(environment), Vec::new());
    }
    let mut line = Line::default();
    let production = name("production");
    assert_eq!(before(&line, &service, &production), Some(&name("staging")));
    assert_eq!(before(&line, &service, &name("staging")), None, "nothing comes before itself");
    let after = Environment { after: Some(name("edge")), ..Environment::open(production.clone()) };
    line.environments.insert(production.clone(), after);
    assert_eq!(before(&line, &service, &production), Some(&name("edge")));
    service.environments.remove(&name("edge"));
    assert_eq!(before(&line, &service, &production), None, "this service has no such environment");
}

#[test]
fn what_is_good_where_it_runs_goes_on_bit_for_bit() {
    let (source, target) = (scope("new", ReleaseStatus::Good), scope("old", ReleaseStatus::Good));
    let known = goes_on(&name("staging"), &source, &target).unwrap();
    assert_eq!(known.release, release("new"), "the digest is the one that staging runs");
}

#[test]
fn what_is_not_settled_or_not_good_stays() {
    let target = scope("old", ReleaseStatus::Good);
    assert_eq!(refused(&Scope::default(), &target), "nothing was deployed to staging yet");
    let mut busy = scope("new", ReleaseStatus::Good);
    busy.apply(Time(3), &ScopeFact::LockTaken { deployment: DeploymentId(9) });
    assert_eq!(refused(&busy, &target), "#9 is at work in staging: what it will run is not settled");
    busy.apply(
        Time(4),
        &ScopeFact::LockHeld { deployment: DeploymentId(9), reason: "web1 is not back".into() },
    );
    assert_eq!(refused(&busy, &target), "staging is held since #9: web1 is not back");
    let bad = scope("new", ReleaseStatus::Bad);
    assert!(refused(&bad, &target).contains("did not get through there"));
    let good = scope("new", ReleaseStatus::Good);
    assert!(refused(&good, &good.clone()).starts_with("it runs r-"));
    let mut seen = scope("old", ReleaseStatus::Good);
    add(&mut seen, "new", ReleaseStatus::Bad);
    assert!(refused(&good, &seen).ends_with("was found to be bad by #4: errors"));
}
