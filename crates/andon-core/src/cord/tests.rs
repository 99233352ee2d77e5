//! The cord, fact by fact.

use super::*;
use crate::name::{EnvironmentName, ServiceName};

fn ana() -> Puller {
    Puller::Person { person: Person { name: "ana".into(), at: "laptop".into() } }
}

fn scope() -> ScopeName {
    ScopeName {
        service: ServiceName::new("www").unwrap(),
        environment: EnvironmentName::new("production").unwrap(),
    }
}

fn deployment(id: u64, fixes: Option<u64>) -> Puller {
    Puller::Deployment { deployment: DeploymentId(id), scope: scope(), fixes: fixes.map(DeploymentId) }
}

fn stopped(by: Puller, reason: &str) -> CordFact {
    CordFact::Stopped { by, reason: reason.into() }
}

fn folded(facts: &[CordFact]) -> Cord {
    let mut cord = Cord::default();
    for (at, fact) in (1..).zip(facts) {
        cord.apply(Time(at), fact);
    }
    cord
}

fn mended(cord: &mut Cord, at: i64, fixed: u64) {
    let deployments = cord.mended_by_fixing(DeploymentId(fixed));
    cord.apply(
        Time(at),
        &CordFact::Mended { by: deployment(900, Some(fixed)), deployments, why: "fixed".into() },
    );
}

#[test]
fn a_line_that_nobody_stopped_runs_and_admits_everything() {
    let cord = Cord::default();
    assert_eq!((cord.is_stopped(), cord.since()), (false, None));
    assert_eq!(cord.admits(Kind::Deploy, None), Ok(()));
}

#[test]
fn while_it_stands_only_a_rollback_and_a_declared_fix_pass() {
    let cord = folded(&[stopped(ana(), "orders fell")]);
    let refused = cord.admits(Kind::Deploy, None).unwrap_err();
    assert_eq!((refused[0].reason.as_str(), refused[0].since), ("orders fell", Time(1)));
    assert_eq!(cord.admits(Kind::Deploy, Some(DeploymentId(7))), Ok(()));
    assert_eq!(cord.admits(Kind::Rollback, None), Ok(()));
}

#[test]
fn the_first_reason_stays_in_front_and_a_start_ends_all_of_them() {
    let mut cord =
        folded(&[stopped(ana(), "first"), stopped(deployment(8, None), "second"), stopped(ana(), "third")]);
    let reasons: Vec<&str> = cord.stops().iter().map(|stop| stop.reason.as_str()).collect();
    assert_eq!((reasons, cord.since()), (vec!["first", "second", "third"], Some(Time(1))));
    cord.apply(Time(9), &CordFact::Started { by: ana(), why: "all looked at".into() });
    assert_eq!((cord.is_stopped(), cord.since()), (false, Some(Time(9))));
    let newest = cord.changes().next().unwrap();
    assert!(matches!(newest.fact, CordFact::Started { .. }));
}

#[test]
fn a_repair_starts_the_line_when_nothing_else_stopped_it() {
    let mut cord = folded(&[stopped(deployment(8, None), "bad")]);
    mended(&mut cord, 5, 8);
    assert_eq!((cord.is_stopped(), cord.since()), (false, Some(Time(5))));
}

#[test]
fn a_repair_never_lifts_what_a_person_or_a_stranger_stopped_it_for() {
    let mut cord = folded(&[
        stopped(deployment(8, None), "bad"),
        stopped(ana(), "orders"),
        stopped(deployment(9, None), "other"),
    ]);
    mended(&mut cord, 5, 8);
    let left: Vec<&str> = cord.stops().iter().map(|stop| stop.reason.as_str()).collect();
    assert_eq!((left, cord.since()), (vec!["orders", "other"], Some(Time(2))));
    assert_eq!(cord.mended_by_fixing(DeploymentId(77)), []);
}

#[test]
fn a_repair_that_succeeds_at_last_mends_the_whole_chain_from_either_end() {
    let chain = [
        stopped(deployment(8, None), "bad"),
        stopped(deployment(9, Some(8)), "the fix was bad, too"),
        stopped(deployment(10, Some(9)), "and its fix"),
    ];
    for end in [8, 9, 10] {
        let ids = folded(&chain).mended_by_fixing(DeploymentId(end));
        assert_eq!(ids, [8, 9, 10].map(DeploymentId), "{end}");
    }
}

#[test]
fn what_passed_is_remembered_and_changes_nothing() {
    let mut cord = folded(&[stopped(ana(), "orders fell")]);
    let what = Passage::Push { reference: "refs/heads/main".into(), commit: "4c1d9e2".into() };
    cord.apply(Time(2), &CordFact::Passed { by: "ben".into(), what, why: "mends the orders".into() });
    assert_eq!((cord.is_stopped(), cord.since(), cord.changes().count()), (true, Some(Time(1)), 2));
}

#[test]
fn however_often_the_cord_is_pulled_what_is_kept_stays_small() {
    let cord = folded(&vec![stopped(ana(), "again"); 1000]);
    assert_eq!((cord.stops().len(), cord.changes().count()), (MOST_STOPS, MOST_CHANGES));
    assert!(cord.is_stopped());
}
