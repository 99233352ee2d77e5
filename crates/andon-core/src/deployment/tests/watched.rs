//! Hosts that serve already, and that something befalls while they are watched.

use super::super::*;
use super::name;
use super::world::{Answer, World};
use crate::balance::Traffic;
use crate::host::{Stage, TokenStatus};
use crate::plan::tests::{Fleet, facts};

fn is_stage(fact: &Fact, wanted: &str, stage: Stage) -> bool {
    matches!(fact, Fact::Host { host, state: HostState::Doing(doing) } if host.as_str() == wanted && doing.stage == stage)
}

fn balanced(answers: &[Answer]) -> World {
    World::new(&Fleet::running(4).balanced()).host("web1", Stage::Observe, answers)
}

#[test]
fn a_host_that_was_rebooted_while_it_was_watched_is_verified_and_no_balancer_is_told_to_take_it_out() {
    let mut world = balanced(&[Answer::Cut(TokenStatus::Interrupted)]);
    world.run_until(|fact| is_stage(fact, "web1", Stage::Observe));
    world.run_until(|fact| is_stage(fact, "web1", Stage::Verify));
    let wished = world.deployment.traffic(world.now);
    assert_eq!(wished.get(&name("web1")), None, "its users were not drained, so they are not taken from it");
    assert_eq!(*world.run(), State::Succeeded);
    let out = (("web1").to_owned(), Traffic::Out);
    assert_eq!(world.balancer.heard.iter().filter(|heard| **heard == out).count(), 1);
}

#[test]
fn a_host_that_lost_its_release_while_it_was_watched_is_drained_before_it_is_changed_again() {
    let mut world = balanced(&[Answer::Cut(TokenStatus::Interrupted)]);
    world.run_until(|fact| is_stage(fact, "web1", Stage::Observe));
    world.run_until(|fact| matches!(fact, Fact::Host { state: HostState::Unknown { .. }, .. }));
    let HostState::Unknown { doing, .. } = world.deployment.hosts["web1"].state.clone() else { panic!() };
    let mut found = facts(None, true);
    found.tokens.insert(doing.token.clone(), TokenStatus::Interrupted);
    let input = Input::Found { host: name("web1"), token: doing.token, facts: Box::new(found) };
    let placed = world.deployment.handle(world.now, input);
    assert!(placed.iter().any(|fact| is_stage(fact, "web1", Stage::Drain)), "{placed:?}");
    world.record(placed);
    assert_eq!(*world.run(), State::Succeeded);
}

#[test]
fn a_host_that_fell_ill_does_not_count_as_serving_because_it_is_watched_once_more() {
    let mut world = balanced(&[]);
    world.run_until(
        |fact| matches!(fact, Fact::Host { host, state: HostState::Succeeded } if host.as_str() == "web1"),
    );
    let ill = Fact::Serving { host: name("web1"), serving: false, why: "down".into() };
    world.record(vec![ill]);
    let again = world.deployment.begin(&name("web1"), Stage::Observe, Way::Forward);
    world.record(vec![again]);
    assert!(!world.deployment.hosts["web1"].serving);
}
