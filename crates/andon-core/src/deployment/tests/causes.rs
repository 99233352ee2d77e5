//! Why hosts stand as they do, as people are shown it: nothing is red that did not fail itself.

use std::collections::BTreeMap;

use super::super::*;
use super::world::{Answer, World};
use crate::host::Stage;
use crate::plan::tests::Fleet;
use crate::quantity::Share;

fn causes(deployment: &Deployment) -> BTreeMap<&str, HostCause> {
    let of = |host| deployment.cause_of(host).expect("every host of the plan has one");
    deployment.hosts.keys().map(|host| (host.as_str(), of(host))).collect()
}

fn counted(deployment: &Deployment) -> BTreeMap<HostCause, usize> {
    let mut counts = BTreeMap::new();
    causes(deployment).values().for_each(|cause| *counts.entry(*cause).or_default() += 1);
    counts
}

fn fleet(hosts: usize) -> Fleet {
    let mut fleet = Fleet::running(hosts);
    fleet.service.rollout.waves = vec![Share::Hosts(1), Share::Hosts(2), Share::Percent(100)];
    fleet.service.rollout.max_parallel = Share::Hosts(1);
    fleet
}

#[test]
fn a_good_release_goes_from_waiting_through_the_cycle_to_success() {
    let mut world = World::new(&fleet(6));
    world.settle();
    assert!(
        causes(&world.deployment)
            .values()
            .all(|cause| matches!(cause, HostCause::Waiting | HostCause::InCycle))
    );
    assert_eq!(*world.run(), State::Succeeded);
    assert_eq!(counted(&world.deployment), BTreeMap::from([(HostCause::Succeeded, 6)]));
}

#[test]
fn only_the_host_that_failed_is_red_and_the_others_were_stopped_by_it() {
    let mut world = World::new(&fleet(6)).host("web1", Stage::Verify, &[Answer::Fails]);
    assert!(matches!(world.run(), State::RolledBack { .. }));
    let causes = causes(&world.deployment);
    assert_eq!(causes["web1"], HostCause::Failed, "although it was put back");
    for host in ["web2", "web3", "web4", "web5", "web6"] {
        assert_eq!(causes[host], HostCause::Stopped, "{host}");
    }
    assert_eq!(HostCause::Failed.tone(), "bad");
    assert!(HostCause::ALL.iter().all(|cause| *cause == HostCause::Failed || cause.tone() != "bad"));
    let standing = world.deployment.standing_of(world.deployment.hosts.keys().next().unwrap());
    assert_eq!(standing.as_deref(), Some("failed to verify, put back"));
}

#[test]
fn hosts_that_were_changed_before_another_one_failed_are_put_back_and_not_failed() {
    let mut world = World::new(&fleet(8)).host("web4", Stage::Verify, &[Answer::Fails]).host(
        "web5",
        Stage::Verify,
        &[Answer::Fails],
    );
    assert!(matches!(world.run(), State::RolledBack { .. }), "{:?}", world.deployment.state);
    let counts = counted(&world.deployment);
    assert_eq!(counts[&HostCause::Failed], 2);
    assert!(counts[&HostCause::PutBack] >= 3, "{counts:?}");
    assert!(counts[&HostCause::Stopped] >= 1, "{counts:?}");
}

#[test]
fn what_a_person_stopped_leaves_hosts_untouched_and_not_stopped_by_a_failure() {
    let mut world = World::new(&fleet(6)).host("web1", Stage::Observe, &[Answer::Hangs]);
    world.settle();
    world.ask(Ask::Abort { rollback: false });
    world.run();
    let counts = counted(&world.deployment);
    assert!(counts.contains_key(&HostCause::Untouched), "{counts:?}");
    assert!(!counts.contains_key(&HostCause::Stopped), "{counts:?}");
    assert!(!counts.contains_key(&HostCause::Failed), "{counts:?}");
}

#[test]
fn an_unreachable_host_is_unknown_and_no_failure() {
    let mut world = World::new(&fleet(12)).host("web6", Stage::Prepare, &[Answer::Dead]);
    world.run();
    assert_eq!(causes(&world.deployment)["web6"], HostCause::Unknown);
}

#[test]
fn every_cause_has_a_sign_of_its_own() {
    let signs: std::collections::BTreeSet<&str> = HostCause::ALL.iter().map(|cause| cause.sign()).collect();
    assert_eq!(signs.len(), HostCause::ALL.len());
}
