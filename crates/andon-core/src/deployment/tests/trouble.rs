//! Scenarios of bad timing: hosts that are lost while a deployment turns around, and people who ask twice.

use super::world::{Answer, World};
use super::*;

/// Lets everything happen, one answer at a time, until `wanted`.
fn run_until(world: &mut World, wanted: impl Fn(&Deployment) -> bool) {
    for _ in 0..10_000 {
        world.settle();
        if wanted(&world.deployment) {
            return;
        }
        let news = world.deployment.orders().into_iter().find_map(|(host, order)| world.answer(host, &order));
        let facts = world.deployment.handle(world.now, news.expect("the story goes on"));
        world.record(facts);
    }
    panic!("it never came to that: {:?}", world.deployment.state);
}

fn stage_of(deployment: &Deployment, host: &str) -> Option<Stage> {
    match &deployment.hosts[&name(host)].state {
        HostState::Doing(doing) | HostState::Unknown { doing, .. } => Some(doing.stage),
        _ => None,
    }
}

/// Tells the deployment that contact with a host's open step was lost; `why` is what the host says later.
fn lose(world: &mut World, host: &str, why: &str) {
    let run = &world.deployment.hosts[&name(host)];
    let HostState::Doing(doing) = &run.state else { panic!("{host} does nothing: {:?}", run.state) };
    let lost = Input::Lost { host: name(host), token: doing.token.clone(), why: why.into() };
    let facts = world.deployment.handle(world.now, lost);
    world.record(facts);
}

/// Six hosts, of which `web3` and `web4` are in their cycle at once.
fn two_at_once() -> World {
    let mut fleet = Fleet::running(6);
    fleet.service.rollout.waves = vec![Share::Hosts(1), Share::Percent(100)];
    fleet.service.rollout.max_parallel = Share::Hosts(2);
    fleet.service.rollout.min_available = Some(Share::Hosts(2));
    World::new(&fleet)
}

#[test]
fn a_bad_release_is_not_begun_again_on_a_host_that_is_found_while_all_are_put_back() {
    for why in ["interrupted", "never started"] {
        let mut world = two_at_once().host("web2", Stage::Activate, &[Answer::Hangs]);
        run_until(&mut world, |deployment| stage_of(deployment, "web2") == Some(Stage::Activate));
        lose(&mut world, "web2", why);
        world.ask(Ask::Abort { rollback: true });
        let before = world.activated(Way::Forward).len();
        world.script.clear();
        assert!(matches!(world.run(), State::RolledBack { .. }), "{:?}", world.deployment.state);
        let again = &world.activated(Way::Forward)[before..];
        assert!(!again.contains(&"web2"), "{why}: it was activated forward on the way back");
        assert_eq!(world.states()["web2"], "reverted");
    }
}

#[test]
fn a_host_of_an_earlier_wave_that_comes_back_is_changed_after_all() {
    let mut fleet = Fleet::running(12);
    fleet.service.rollout.waves = vec![Share::Hosts(1), Share::Hosts(4), Share::Percent(100)];
    let mut world = World::new(&fleet).host("web3", Stage::Prepare, &[Answer::Dead]).host(
        "web8",
        Stage::Activate,
        &[Answer::Dead],
    );
    let state = world.run().clone();
    let late = matches!(state, State::Paused { reason: PauseReason::Unreachable { .. }, at: Phase::Wave(2) });
    assert!(late, "{state:?}");
    world.dead.clear();
    world.ask(Ask::Resume);
    assert_eq!(*world.run(), State::Succeeded);
    assert!(world.states().values().all(|state| *state == "succeeded"), "{:?}", world.states());
}

#[test]
fn invariant_i7_a_host_that_is_lost_while_it_is_watched_is_no_success_for_an_abort() {
    let mut world = two_at_once().host("web2", Stage::Observe, &[Answer::Hangs]);
    run_until(&mut world, |deployment| stage_of(deployment, "web2") == Some(Stage::Observe));
    lose(&mut world, "web2", "no answer");
    world.dead.push(name("web2"));
    world.ask(Ask::Abort { rollback: false });
    assert!(matches!(world.run(), State::Aborted { .. }));
    assert_eq!(world.states()["web2"], "unreachable");
}

#[test]
fn invariant_i7_a_fleet_that_vanishes_during_the_bake_is_no_success() {
    let mut fleet = Fleet::running(4);
    fleet.service.rollout.bake = Duration::from_secs(300);
    let mut world = World::new(&fleet);
    run_until(&mut world, |deployment| matches!(deployment.state, State::Baking { .. }));
    for host in ["web2", "web3", "web4"] {
        world = world.host(host, Stage::Observe, &[Answer::Dead]);
    }
    let state = world.run().clone();
    let paused = matches!(
        state,
        State::Paused { reason: PauseReason::Unreachable { count: 2, max: 1 }, at: Phase::Bake { .. } }
    );
    assert!(paused, "{state:?}");
    world.dead.clear();
    world.ask(Ask::Resume);
    assert_eq!(*world.run(), State::Succeeded);
    assert!(world.states().values().all(|state| *state == "succeeded"), "{:?}", world.states());
}

#[test]
fn a_wish_to_stop_is_not_overtaken_by_a_smaller_one() {
    let mut world = two_at_once();
    run_until(&mut world, |deployment| stage_of(deployment, "web2") == Some(Stage::Activate));
    world.ask(Ask::Abort { rollback: true });
    assert!(world.deployment.admits(&Ask::Pause).unwrap_err().contains("asked to stop"));
    assert!(world.deployment.admits(&Ask::Abort { rollback: false }).is_err());
    // Somebody with an older picture records it all the same.
    world.record(vec![Fact::Asked { ask: Ask::Pause, by: super::world::ana(), why: None }]);
    assert!(matches!(world.run(), State::RolledBack { .. }), "{:?}", world.deployment.state);
}

#[test]
fn an_abort_under_way_may_still_become_a_rollback_and_nothing_less() {
    let mut world = two_at_once().host("web2", Stage::Activate, &[Answer::Hangs]);
    run_until(&mut world, |deployment| stage_of(deployment, "web2") == Some(Stage::Activate));
    world.ask(Ask::Abort { rollback: false });
    world.settle();
    let again = world.deployment.admits(&Ask::Abort { rollback: false }).unwrap_err();
    assert!(again.contains("stopped already"), "{again}");
    world.ask(Ask::Abort { rollback: true });
    world.settle();
    assert!(world.deployment.admits(&Ask::Abort { rollback: true }).is_err());
    world.script.clear();
    assert!(matches!(world.run(), State::RolledBack { .. }), "{:?}", world.deployment.state);
    assert!(world.deployment.touched().all(|(_, run)| run.state == HostState::Reverted));
}

#[test]
fn a_repair_that_does_not_succeed_leaves_the_scope_held() {
    use crate::scope::{Admission, Lock, Scope, ScopeFact};
    let damaged = || {
        let mut scope = Scope::default();
        let held = ScopeFact::LockHeld { deployment: DeploymentId(4), reason: "web1 is broken".into() };
        scope.apply(Time(1), &held);
        scope.apply(Time(2), &ScopeFact::LockTaken { deployment: DeploymentId(128) });
        scope
    };
    let end = |world: &mut World| {
        let mut scope = damaged();
        world.run();
        for fact in world.deployment.consequences(&scope) {
            scope.apply(world.now, &fact);
        }
        scope
    };
    let mut aborted = two_at_once();
    run_until(&mut aborted, |deployment| stage_of(deployment, "web2") == Some(Stage::Activate));
    aborted.ask(Ask::Abort { rollback: false });
    let mut failed = two_at_once().host("web1", Stage::Verify, &[Answer::Fails]);
    for unmended in [&mut aborted, &mut failed] {
        let scope = end(unmended);
        let wanted =
            Admission::Held { by: DeploymentId(4), reason: "web1 is broken".into(), since: unmended.now };
        assert_eq!(scope.admits(Kind::Deploy, None), wanted, "{:?}", unmended.deployment.state);
    }
    assert_eq!(end(&mut two_at_once()).lock, Lock::Free);
}

#[test]
fn a_deployment_that_is_stopped_before_its_first_step_gives_its_lock_back() {
    use crate::scope::{Lock, Scope, ScopeFact};
    let mut world = two_at_once();
    let mut scope = Scope::default();
    scope.apply(world.now, &ScopeFact::LockTaken { deployment: world.deployment.id });
    world.ask(Ask::Abort { rollback: false });
    assert_eq!(*world.run(), State::Cancelled { reason: CancelReason::Asked });
    for fact in world.deployment.consequences(&scope) {
        scope.apply(world.now, &fact);
    }
    assert_eq!(scope.lock, Lock::Free);
}

#[test]
fn a_host_is_given_up_for_the_newest_reason_and_not_later_for_that() {
    let mut world = two_at_once().host("web3", Stage::Verify, &[Answer::Hangs]);
    run_until(&mut world, |deployment| stage_of(deployment, "web3") == Some(Stage::Verify));
    lose(&mut world, "web3", "the connection was closed");
    let HostState::Unknown { doing, since, .. } = world.deployment.hosts[&name("web3")].state.clone() else {
        panic!("it is lost")
    };
    let again = |world: &World, why: &str| {
        let lost = Input::Lost { host: name("web3"), token: doing.token.clone(), why: why.into() };
        world.deployment.handle(world.now, lost)
    };
    assert_eq!(again(&world, "the connection was closed"), [], "nothing new was heard");
    let newer = again(&world, "sudo wants something there");
    world.record(newer);
    let run = &world.deployment.hosts[&name("web3")];
    let HostState::Unknown { since: now_since, .. } = &run.state else { panic!("it is still called") };
    assert_eq!(*now_since, since, "the window does not begin anew");
    assert_eq!(run.trouble(), Some("sudo wants something there"));
}
