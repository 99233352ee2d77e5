//! The lock, and what is remembered of releases.

use super::*;
use crate::plan::tests::release;

fn mark(scope: &mut Scope, content: &str, status: ReleaseStatus) {
    let fact = ScopeFact::Marked {
        release: release(content),
        status,
        deployment: DeploymentId(1),
        because: String::new(),
    };
    scope.apply(Time(1), &fact);
}

#[test]
fn the_way_back_leads_to_the_current_release_while_it_is_good() {
    let mut scope = Scope::default();
    assert_eq!(scope.rollback_target(&release("new").id), None);
    mark(&mut scope, "one", ReleaseStatus::Good);
    mark(&mut scope, "two", ReleaseStatus::Good);
    scope.apply(Time(2), &ScopeFact::Current { release: release("one").id });
    let target = |scope: &Scope, of: &str| {
        scope.rollback_target(&release(of).id).map(|known| known.release.id.clone())
    };
    assert_eq!(target(&scope, "new"), Some(release("one").id), "what runs now, though another is newer");
    assert_eq!(target(&scope, "one"), Some(release("two").id), "never the release itself");
    mark(&mut scope, "one", ReleaseStatus::Bad);
    assert_eq!(target(&scope, "new"), Some(release("two").id), "never a bad one");
}

#[test]
fn a_rollback_leads_only_to_what_was_judged_here_by_its_whole_digest() {
    let mut scope = Scope::default();
    assert!(!scope.knows_the_way_back_to(&release("one")));
    mark(&mut scope, "one", ReleaseStatus::Good);
    mark(&mut scope, "two", ReleaseStatus::Bad);
    assert!(scope.knows_the_way_back_to(&release("one")));
    assert!(scope.knows_the_way_back_to(&release("two")), "a person may insist");
    let namesake = Release { digest: release("other").digest, ..release("one") };
    assert!(!scope.knows_the_way_back_to(&namesake), "the same short name, other bytes");
}

#[test]
fn after_years_the_newest_good_releases_all_bad_ones_and_the_current_one_are_known() {
    let mut scope = Scope::default();
    mark(&mut scope, "first", ReleaseStatus::Good);
    scope.apply(Time(2), &ScopeFact::Current { release: release("first").id });
    for number in 0..1_000 {
        let status = if number % 10 == 0 { ReleaseStatus::Bad } else { ReleaseStatus::Good };
        mark(&mut scope, &format!("release {number}"), status);
    }
    assert_eq!(scope.good().len(), MOST_GOOD + 1);
    assert_eq!(scope.releases.len(), MOST_GOOD + 1 + 100);
    assert_eq!(scope.rollback_target(&release("new").id).unwrap().release.id, release("first").id);
    assert_eq!(scope.good()[0].release.id, release("release 999").id);
    assert!(scope.releases.contains_key(&release("release 0").id), "a bad one is never forgotten");
}

#[test]
fn the_lock_has_an_owner_and_a_held_one_lets_only_repairs_pass() {
    let mut scope = Scope::default();
    assert_eq!(scope.admits(Kind::Deploy, None), Admission::Go);
    scope.apply(Time(1), &ScopeFact::LockTaken { deployment: DeploymentId(4) });
    assert!(matches!(scope.admits(Kind::Rollback, None), Admission::Occupied { by: DeploymentId(4), .. }));
    let held = ScopeFact::LockHeld { deployment: DeploymentId(4), reason: "web1 was not restored".into() };
    scope.apply(Time(2), &held);
    assert!(matches!(scope.admits(Kind::Deploy, None), Admission::Held { .. }));
    assert!(matches!(scope.admits(Kind::Deploy, Some(DeploymentId(3))), Admission::Held { .. }));
    assert_eq!(scope.admits(Kind::Deploy, Some(DeploymentId(4))), Admission::Go);
    assert_eq!(scope.admits(Kind::Rollback, None), Admission::Go);
}

#[test]
fn the_queue_has_one_place_and_the_newest_takes_it() {
    let mut scope = Scope::default();
    scope.apply(Time(1), &ScopeFact::Queued { deployment: DeploymentId(5) });
    scope.apply(Time(2), &ScopeFact::Queued { deployment: DeploymentId(6) });
    assert_eq!(scope.waiting, Some(DeploymentId(6)));
    scope.apply(Time(3), &ScopeFact::Unqueued { deployment: DeploymentId(5) });
    assert_eq!(scope.waiting, Some(DeploymentId(6)), "the one that gave way takes nobody's place along");
}
