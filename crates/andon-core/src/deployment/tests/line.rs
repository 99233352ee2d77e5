//! What the end of a deployment means for the line.

use super::*;
use crate::cord::{Cord, CordFact, Puller};

fn ended(mut world: World, cord: &Cord) -> (State, Vec<CordFact>) {
    assert_eq!(world.deployment.cord_facts(cord), [], "it has not ended");
    let state = world.run().clone();
    (state, world.deployment.cord_facts(cord))
}

fn world() -> World {
    World::new(&Fleet::running(4))
}

#[test]
fn a_release_that_was_put_back_stops_the_line_and_says_so() {
    let mut world = world().host("web1", Stage::Verify, &[Answer::Fails]);
    let cause = match world.run() {
        State::RolledBack { cause } => cause.to_string(),
        other => panic!("{other:?}"),
    };
    let facts = world.deployment.cord_facts(&Cord::default());
    let [CordFact::Stopped { by: Puller::Deployment { deployment, .. }, reason }] = facts.as_slice() else {
        panic!("{facts:?}")
    };
    assert_eq!((*deployment, reason), (DeploymentId(128), &cause));
    let ending = world.deployment.ending().unwrap();
    assert!(ending.detail.ends_with("is marked bad. The line is stopped."), "{}", ending.detail);
    assert!(ending.next.last().unwrap().contains("andon line start"), "{:?}", ending.next);
}

#[test]
fn a_host_that_could_not_be_put_back_stops_the_line_whoever_asked() {
    let world = world().on_the_way_back("web1", Stage::Activate, &[Answer::Dead]);
    let (state, facts) = ended(world.host("web1", Stage::Verify, &[Answer::Fails]), &Cord::default());
    assert!(matches!(state, State::RollbackFailed { .. }), "{state:?}");
    assert!(
        matches!(&facts[..], [CordFact::Stopped { reason, .. }] if reason.contains("could not be put back"))
    );
}

#[test]
fn a_persons_wish_and_a_good_end_leave_the_line_alone() {
    let (state, facts) = ended(world(), &Cord::default());
    assert_eq!((state, facts), (State::Succeeded, Vec::new()));
    let mut asked = world();
    asked.run_until(|fact| matches!(fact, Fact::Host { state: HostState::Succeeded, .. }));
    asked.ask(Ask::Abort { rollback: true });
    let (state, facts) = ended(asked, &Cord::default());
    assert!(matches!(state, State::RolledBack { cause: Cause::Asked { .. } }), "{state:?}");
    assert_eq!(facts, []);
}

#[test]
fn what_failed_before_any_host_was_changed_leaves_the_line_alone() {
    let world = world().host("web1", Stage::Prepare, &[Answer::Fails]);
    let (state, facts) = ended(world.host("web2", Stage::Prepare, &[Answer::Fails]), &Cord::default());
    assert!(matches!(state, State::Failed { .. }), "{state:?}");
    assert_eq!(facts, []);
}

#[test]
fn a_fix_that_succeeds_names_what_it_mended_and_a_stranger_mends_nothing() {
    let mut cord = Cord::default();
    let by = Puller::Deployment {
        deployment: DeploymentId(7),
        scope: world().deployment.request.scope,
        fixes: None,
    };
    cord.apply(Time(1), &CordFact::Stopped { by, reason: "bad".into() });
    for (fixes, mends) in [(Some(7), true), (Some(6), false), (None, false)] {
        let mut world = world();
        assert_eq!(*world.run(), State::Succeeded);
        world.deployment.request.fixes = fixes.map(DeploymentId);
        let facts = world.deployment.cord_facts(&cord);
        match facts.as_slice() {
            [CordFact::Mended { deployments, why, .. }] if mends => {
                assert_eq!(deployments, &[DeploymentId(7)]);
                assert_eq!(why, "#128 fixed what #7 had stopped it for");
            }
            facts => assert!(facts.is_empty() && !mends, "{fixes:?}: {facts:?}"),
        }
    }
}
