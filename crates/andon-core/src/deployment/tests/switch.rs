//! Two sets of hosts, of which one serves: the idle one is changed, then traffic moves, and back when it hurts.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::*;
use super::world::{Answer, World};
use crate::balance::{FailureKind, Traffic};
use crate::host::Stage;
use crate::line::Set;
use crate::plan::tests::{Fleet, release};
use crate::scope::{Scope, ScopeFact};

fn two_sets(hosts: usize) -> World {
    World::new(&Fleet::running(hosts).with_green_set())
}

/// The shares of a host, in the order in which they were seen.
fn shares(world: &World, wanted: &str) -> Vec<u8> {
    let shared = world.facts.iter().filter_map(|(_, fact)| match fact {
        Fact::Shared { host, share } if host.as_str() == wanted => Some(*share),
        _ => None,
    });
    shared.collect()
}

fn states(world: &World, of: &str) -> Vec<String> {
    let states: BTreeMap<_, _> = world.states();
    states.iter().filter(|(host, _)| host.ends_with(of)).map(|(_, state)| (*state).to_owned()).collect()
}

#[test]
fn the_idle_set_is_changed_and_tested_and_then_traffic_moves_in_steps() {
    let mut world = two_sets(3);
    assert_eq!(*world.run(), State::Succeeded);
    assert_eq!(world.activated(Way::Forward), ["web1.green", "web2.green", "web3.green"]);
    assert_eq!(shares(&world, "web1.green"), [10, 50, 100]);
    assert_eq!(shares(&world, "web1"), [90, 50, 0]);
    assert_eq!(states(&world, ".green"), ["succeeded"; 3]);
    assert_eq!(world.states()["web1"], "idle");
    let moved = |share| {
        let seen = |(at, fact): &(Time, Fact)| {
            matches!(fact, Fact::Shared { share: s, .. } if *s == share).then_some(*at)
        };
        world.facts.iter().find_map(seen).unwrap()
    };
    assert!(moved(50).since(moved(10)) >= Duration::from_secs(30), "a step stays for its time");
    let scope = Scope::default();
    let consequences = world.deployment.consequences(&scope);
    assert!(consequences.contains(&ScopeFact::Live { set: Set::Green }));
    assert!(
        !consequences.iter().any(|fact| matches!(fact, ScopeFact::HeldOut { .. })),
        "idle is not forgotten"
    );
}

#[test]
fn a_release_that_fails_its_tests_never_meets_a_user() {
    let mut world = two_sets(3).host("web2.green", Stage::Verify, &[Answer::Fails]);
    assert!(matches!(world.run(), State::RolledBack { cause: Cause::Canary { .. } }));
    assert!(world.facts.iter().all(|(_, fact)| !matches!(fact, Fact::Shared { .. })));
    assert!(world.balancer.heard.iter().all(|(_, wish)| *wish == Traffic::Out));
    assert_eq!(world.states()["web1.green"], "idle");
    assert_eq!(world.states()["web1"], "cancelled");
    assert!(world.deployment.hosts["web1"].serving);
}

#[test]
fn a_release_that_fails_while_it_is_watched_gives_the_traffic_back_in_one_step() {
    let mut fleet = Fleet::running(3).with_green_set();
    fleet.service.rollout.bake = Duration::from_secs(60);
    let mut world = World::new(&fleet).host("web1.green", Stage::Observe, &[Answer::Fails]);
    world.run_until(|fact| matches!(fact, Fact::Entered { state: State::RollingBack { .. } }));
    let began = world.now;
    assert!(matches!(world.run(), State::RolledBack { .. }));
    assert!(world.now.since(began) <= Duration::from_secs(1), "one look is enough");
    assert_eq!(shares(&world, "web2"), [90, 50, 0, 100]);
    assert_eq!(shares(&world, "web2.green"), [10, 50, 100, 0]);
    assert!(world.activated(Way::Back).is_empty(), "nothing has to be changed for it");
}

#[test]
fn an_abort_halfway_gives_the_traffic_back() {
    let mut world = two_sets(3);
    world.run_until(|fact| matches!(fact, Fact::Shared { share: 50, .. }));
    world.ask(Ask::Abort { rollback: false });
    assert!(matches!(world.run(), State::Aborted { .. }));
    assert_eq!(shares(&world, "web1").last(), Some(&100));
    assert_eq!(shares(&world, "web1.green").last(), Some(&0));
    assert_eq!(states(&world, ".green"), ["idle"; 3]);
}

#[test]
fn traffic_goes_back_by_hand_as_fast() {
    let mut fleet = Fleet::running(3).with_green_set();
    fleet.live(Set::Green);
    fleet.runs(Set::Green, &release("other"));
    fleet.kind = Kind::Rollback;
    let mut world = World::of(fleet.plan_of(&release("old"), true).unwrap());
    let began = world.now;
    assert_eq!(*world.run(), State::Succeeded);
    assert!(world.now.since(began) <= Duration::from_secs(2));
    assert!(world.activated.is_empty());
    assert_eq!((shares(&world, "web1"), shares(&world, "web1.green")), (vec![100], vec![0]));
}

#[test]
fn a_balancer_that_does_not_obey_pauses_the_move_and_it_goes_on() {
    let mut world = two_sets(3);
    world.run_until(|fact| matches!(fact, Fact::Shared { share: 10, .. }));
    world.balancer.failures = vec![FailureKind::Drift; 30].into();
    assert!(matches!(
        world.run(),
        State::Paused { reason: PauseReason::Balancer { .. }, at: Phase::Switch { .. } }
    ));
    world.ask(Ask::Resume);
    assert_eq!(*world.run(), State::Succeeded);
}

#[test]
fn a_set_that_its_balancer_never_finds_up_gives_the_traffic_back() {
    let mut world = two_sets(3);
    world.balancer.down = vec!["web2.green".into()];
    let State::RolledBack { cause: Cause::Canary { host, stage: Stage::Enable, .. } } = world.run().clone()
    else {
        panic!("{:?}", world.deployment.state)
    };
    assert_eq!(host.as_str(), "web2.green");
    assert_eq!(shares(&world, "web1").last(), Some(&100));
}
