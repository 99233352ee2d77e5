//! Hosts behind a balancer: nothing is disturbed while users are on it, and nothing is left out.

use std::time::Duration;

use super::super::*;
use super::name;
use super::world::{Answer, World, ana};
use crate::balance::{FailureKind, Traffic};
use crate::host::{Stage, TokenStatus};
use crate::plan::tests::Fleet;
use crate::quantity::Share;

fn balanced(hosts: usize) -> World {
    World::new(&Fleet::running(hosts).balanced())
}

/// The states that a host went through.
fn passage(world: &World, wanted: &str) -> Vec<&'static str> {
    let entered = world.facts.iter().filter_map(|(_, fact)| match fact {
        Fact::Host { host, state } if host.as_str() == wanted => Some(state.name()),
        _ => None,
    });
    entered.collect()
}

fn proof<'a>(world: &'a World, host: &str) -> &'a DrainProof {
    world.deployment.hosts[host].drain.as_ref().unwrap()
}

#[test]
fn a_host_is_drained_changed_tested_and_put_back() {
    let mut world = balanced(8);
    assert_eq!(*world.run(), State::Succeeded);
    let expected = [
        "preparing",
        "prepared",
        "draining",
        "activating",
        "verifying",
        "enabling",
        "observing",
        "succeeded",
    ];
    assert_eq!(passage(&world, "web3"), expected);
    assert_eq!((proof(&world, "web3").cut, proof(&world, "web3").sockets), (0, Some(3)));
    assert!(world.deployment.hosts.values().all(|run| run.serving && !run.drained));
}

#[test]
fn a_drain_waits_for_the_last_session_and_then_for_nothing() {
    let mut world = balanced(4);
    world.balancer.sessions.insert("web2".into(), [3, 2, 2, 1, 0].into());
    assert_eq!(*world.run(), State::Succeeded);
    assert_eq!((proof(&world, "web2").took, proof(&world, "web2").cut), (Duration::from_secs(5), 0));
}

#[test]
fn what_does_not_end_in_time_is_cut_and_counted() {
    let mut world = balanced(4);
    world.balancer.sessions.insert("web2".into(), vec![2; 1000].into());
    assert_eq!(*world.run(), State::Succeeded);
    assert_eq!((proof(&world, "web2").took, proof(&world, "web2").cut), (Duration::from_secs(30), 2));
    let recorded = world
        .facts
        .iter()
        .position(|(_, fact)| matches!(fact, Fact::Drained { host, .. } if host.as_str() == "web2"));
    let disturbed = world.facts.iter().position(|(_, fact)| {
        matches!(fact, Fact::Host { host, state: HostState::Doing(doing) } if host.as_str() == "web2" && doing.stage == Stage::Activate)
    });
    assert!(recorded < disturbed, "the cut is recorded before it happens");
}

#[test]
fn a_sight_from_before_the_drain_proves_nothing() {
    let mut world = balanced(4);
    while !world.deployment.traffic_is_moving() {
        world.settle();
        let news = world.deployment.orders().into_iter().find_map(|(host, order)| world.answer(host, &order));
        let facts = news.map(|news| world.deployment.handle(world.now, news)).unwrap_or_default();
        world.record(facts);
        world.settle();
    }
    let Input::Seen { host, mut sight } = world.look(&name("web1")) else { unreachable!() };
    sight.wished = None;
    assert_eq!(
        world.deployment.handle(world.now, Input::Seen { host: host.clone(), sight: sight.clone() }),
        []
    );
    sight.wished = Some(Traffic::Out);
    assert_eq!(world.deployment.handle(world.now, Input::Seen { host, sight }).len(), 2);
}

#[test]
fn a_connection_that_may_be_at_work_counts_where_a_balancer_cannot_say() {
    let mut world = balanced(4);
    world.balancer.uncounted = true;
    assert_eq!(*world.run(), State::Succeeded);
    assert_eq!((proof(&world, "web2").took, proof(&world, "web2").cut), (Duration::from_secs(30), 1));
}

#[test]
fn a_host_that_cannot_count_its_connections_gets_all_its_time() {
    let mut world = balanced(4);
    world.balancer.blind.push("web2".into());
    assert_eq!(*world.run(), State::Succeeded);
    let proof = proof(&world, "web2");
    assert_eq!((proof.took, proof.cut, proof.sockets), (Duration::from_secs(30), 0, None));
    assert!(proof.unproven.as_ref().unwrap().contains("no /proc"));
}

#[test]
fn a_balancer_edited_by_hand_pauses_and_the_host_goes_back_in_unchanged() {
    let mut world = balanced(4);
    world.balancer.failures = vec![FailureKind::Drift; 90].into();
    let State::Paused { reason: PauseReason::Balancer { pool, why, .. }, .. } = world.run().clone() else {
        panic!("{:?}", world.deployment.state)
    };
    assert_eq!((pool.as_str(), why.as_str()), ("haproxy www on lb1", "Drift"));
    assert_eq!(
        world.states()["web1"],
        "prepared",
        "it was put back when the balancer did as it was told again"
    );
    assert!(world.activated.is_empty());
    world.ask(Ask::Resume);
    assert_eq!(*world.run(), State::Succeeded);
}

#[test]
fn a_balancer_that_is_away_for_a_moment_is_waited_for() {
    let mut world = balanced(4);
    world.balancer.failures = vec![FailureKind::Unreachable; 20].into();
    assert_eq!(*world.run(), State::Succeeded);
}

#[test]
fn a_balancer_that_stays_away_pauses_and_an_abort_holds_the_host_out_with_a_reason() {
    let mut world = balanced(4);
    world.balancer.failures = vec![FailureKind::Unreachable; 100_000].into();
    assert!(matches!(world.run(), State::Paused { reason: PauseReason::Balancer { .. }, .. }));
    world.ask(Ask::Abort { rollback: false });
    assert!(matches!(world.run(), State::Aborted { .. }));
    let mut scope = crate::scope::Scope::default();
    for fact in world.deployment.consequences(&scope.clone()) {
        scope.apply(world.now, &fact);
    }
    assert_eq!(scope.held[&name("web1")].reason, "haproxy www on lb1: Unreachable");
}

#[test]
fn a_bad_release_is_put_back_even_if_its_balancer_is_gone() {
    let mut world = balanced(4).host("web1", Stage::Observe, &[Answer::Fails]);
    world.run_until(|fact| matches!(fact, Fact::Host { state: HostState::Failed(_), .. }));
    world.balancer.failures = vec![FailureKind::Unreachable; 40].into();
    assert!(matches!(world.run(), State::RolledBack { .. }));
    assert!(proof(&world, "web1").unproven.as_ref().unwrap().contains("Unreachable"));
    assert_eq!(world.activated(Way::Back), ["web1"]);
}

#[test]
fn a_host_that_its_balancer_never_finds_up_fails_and_is_put_back() {
    let mut world = balanced(4);
    world.balancer.down.push("web1".into());
    // It stays down on the way back too: nobody pretends that it serves.
    assert!(matches!(world.run(), State::RollbackFailed { .. }));
    let failure = world.deployment.hosts["web1"].failure.as_ref().unwrap();
    assert_eq!(failure.stage, Stage::Enable);
    assert!(failure.reason.contains("did not find it up within 5 min: L7STS/503"), "{}", failure.reason);
}

#[test]
fn a_host_that_somebody_holds_out_meanwhile_pauses_with_who_to_ask() {
    let mut world = balanced(4);
    world.balancer.held.push("web1".into());
    let State::Paused { reason: PauseReason::Balancer { why, .. }, .. } = world.run().clone() else {
        panic!("{:?}", world.deployment.state)
    };
    assert!(why.contains("somebody holds web1 out there"), "{why}");
    world.balancer.held.clear();
    world.ask(Ask::Resume);
    assert_eq!(*world.run(), State::Succeeded);
}

#[test]
fn a_controller_that_was_killed_between_drain_and_enable_goes_on() {
    for stage in [Stage::Drain, Stage::Activate, Stage::Verify, Stage::Enable] {
        let mut world = balanced(4);
        world.run_until(
            |fact| matches!(fact, Fact::Host { state: HostState::Doing(doing), .. } if doing.stage == stage),
        );
        let facts = world.deployment.take_charge(world.now, Fence(8), ana());
        world.record(facts);
        assert_eq!(*world.run(), State::Succeeded, "{stage}");
        assert!(world.deployment.hosts.values().all(|run| !run.drained), "{stage}");
    }
}

#[test]
fn a_host_comes_back_in_growing_steps() {
    let mut fleet = Fleet::running(2).balanced();
    fleet.service.rollout.slow_start = Duration::from_secs(20);
    let mut world = World::new(&fleet);
    assert_eq!(*world.run(), State::Succeeded);
    let shares: Vec<Traffic> =
        world.balancer.heard.iter().filter(|(host, _)| host == "web1").map(|(_, wish)| *wish).collect();
    let grown = [10, 25, 50, 75, 100].map(Traffic::In);
    assert_eq!(shares, [&[Traffic::Out][..], &grown[..]].concat());
}

#[test]
fn a_host_that_falls_ill_by_itself_counts_against_the_floor() {
    let mut world = balanced(4);
    world.run_until(|fact| matches!(fact, Fact::Host { state: HostState::Succeeded, .. }));
    world.balancer.down = vec!["web3".into(), "web4".into()];
    for host in ["web3", "web4"] {
        let news = world.look(&name(host));
        let facts = world.deployment.handle(world.now, news);
        assert!(matches!(&facts[..], [Fact::Serving { serving: false, .. }]));
        world.record(facts);
    }
    // Two serve, three must: nobody else may go, so it is waited for a while whether they recover.
    let before = world.now;
    assert!(matches!(
        world.run(),
        State::Paused { reason: PauseReason::Floor { available: 2, floor: 3 }, .. }
    ));
    assert!(world.now.since(before) >= Duration::from_secs(300));
}

#[test]
fn a_host_that_has_fallen_ill_is_changed_when_nobody_else_may_go() {
    let mut fleet = Fleet::running(4).balanced();
    fleet.service.rollout.waves = vec![Share::Hosts(1), Share::Percent(100)];
    let mut world = World::new(&fleet);
    world.run_until(|fact| matches!(fact, Fact::Host { state: HostState::Succeeded, .. }));
    world.balancer.down = vec!["web3".into(), "web4".into()];
    for host in ["web3", "web4"] {
        let news = world.look(&name(host));
        let facts = world.deployment.handle(world.now, news);
        world.record(facts);
    }
    world.balancer.down.clear();
    assert_eq!(*world.run(), State::Succeeded);
    assert_eq!(world.activated(Way::Forward), ["web1", "web3", "web4", "web2"]);
}

#[test]
fn hosts_behind_a_balancer_that_must_be_reloaded_leave_and_come_back_together() {
    let mut fleet = Fleet::running(8).reloading();
    fleet.service.rollout.waves = vec![Share::Hosts(1), Share::Percent(100)];
    fleet.service.rollout.max_parallel = Share::Hosts(4);
    fleet.service.rollout.min_available = Some(Share::Percent(50));
    let mut world = World::new(&fleet).host("web3", Stage::Observe, &[Answer::Cut(TokenStatus::Running)]);
    assert_eq!(*world.run(), State::Succeeded);
    let moments = |name: &str| -> Vec<(Time, usize)> {
        let mut moments: std::collections::BTreeMap<Time, usize> = std::collections::BTreeMap::new();
        for (at, fact) in &world.facts {
            if matches!(fact, Fact::Host { state, .. } if state.name() == name) {
                *moments.entry(*at).or_default() += 1;
            }
        }
        moments.into_iter().collect()
    };
    let sizes = |name| moments(name).into_iter().map(|(_, hosts)| hosts).collect::<Vec<_>>();
    assert_eq!((sizes("draining"), sizes("enabling")), (vec![1, 4, 3], vec![1, 4, 3]));
}

#[test]
fn verified_hosts_come_back_although_the_deployment_is_paused() {
    let mut fleet = Fleet::running(8).reloading();
    fleet.service.rollout.waves = vec![Share::Hosts(1), Share::Percent(100)];
    fleet.service.rollout.max_parallel = Share::Hosts(4);
    fleet.service.rollout.min_available = Some(Share::Percent(50));
    let mut world = World::new(&fleet);
    world.run_until(
        |fact| matches!(fact, Fact::Host { host, state: HostState::Ready } if host.as_str() == "web2"),
    );
    world.ask(Ask::Pause);
    assert!(matches!(world.run(), State::Paused { .. }));
    assert!(world.deployment.hosts.values().all(|run| run.serving), "{:?}", world.states());
    world.ask(Ask::Resume);
    assert_eq!(*world.run(), State::Succeeded);
}

#[test]
fn what_somebody_holds_out_is_changed_and_stays_out() {
    let mut fleet = Fleet::running(4).balanced();
    let sight = fleet.sights.values_mut().next().unwrap().as_mut().unwrap();
    sight.servers.get_mut("web2").unwrap().state = crate::balance::ServerState::Out;
    let mut world = World::new(&fleet);
    assert_eq!(*world.run(), State::Succeeded);
    assert!(!passage(&world, "web2").contains(&"enabling"));
    assert!(!world.deployment.hosts["web2"].serving);
    let asked = world.balancer.heard.iter().filter(|(host, _)| host == "web2");
    assert!(asked.clone().all(|(_, wish)| *wish == Traffic::Out), "{:?}", asked.collect::<Vec<_>>());
}
