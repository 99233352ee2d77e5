//! Site by site: a whole site leaves, changes, and comes back before the next one.

use super::super::*;
use super::world::{Answer, World};
use crate::host::Stage;
use crate::plan::tests::Fleet;
use crate::quantity::Share;
use crate::scope::{Scope, ScopeFact};

/// Six hosts in two sites, of which `fra` needs commands.
fn two_sites() -> World {
    let mut fleet = Fleet::running(6).balanced().in_sites(&["fra", "ams"]);
    fleet.service.rollout.min_available = Some(Share::Percent(50));
    World::new(&fleet)
}

fn sites(world: &World) -> Vec<String> {
    let told = world.facts.iter().filter_map(|(_, fact)| match fact {
        Fact::Site { site, state } => Some(format!("{site} {state:?}")),
        _ => None,
    });
    told.collect()
}

fn position(world: &World, wanted: impl Fn(&Fact) -> bool) -> usize {
    world.facts.iter().position(|(_, fact)| wanted(fact)).unwrap()
}

fn last_position(world: &World, wanted: impl Fn(&Fact) -> bool) -> usize {
    world.facts.iter().rposition(|(_, fact)| wanted(fact)).unwrap()
}

fn enters<'a>(host: &'a str, name: &'a str) -> impl Fn(&Fact) -> bool + 'a {
    move |fact| matches!(fact, Fact::Host { host: h, state } if h.as_str() == host && state.name() == name)
}

#[test]
fn a_site_leaves_changes_and_comes_back_before_the_next_one() {
    let mut world = two_sites();
    assert_eq!(*world.run(), State::Succeeded);
    let passage = ["Leaving", "Out", "Returning", "In"];
    let expected = ["fra", "ams"].map(|site| passage.map(|state| format!("{site} {state}")));
    assert_eq!(sites(&world), expected.concat());
    assert_eq!(world.commands, ["./dns out", "./dns back"]);
    let verified = ["web1", "web3", "web5"].map(|host| position(&world, enters(host, "ready")));
    let enabled = position(&world, enters("web1", "enabling"));
    assert!(verified.iter().all(|at| *at < enabled), "nobody comes back before all are verified");
    let back = position(&world, |fact| matches!(fact, Fact::Site { state: SiteState::Returning, .. }));
    assert!(
        last_position(&world, enters("web5", "succeeded")) < back,
        "users come back to a site that serves"
    );
}

#[test]
fn a_site_that_cannot_be_left_pauses_before_anything_is_touched() {
    let mut world = two_sites();
    world.failing_commands = 1;
    let State::Paused { reason: PauseReason::Site { site, why }, .. } = world.run().clone() else { panic!() };
    assert_eq!((site.as_str(), why.as_str()), ("fra", "./dns ended with exit status 1"));
    assert!(world.activated.is_empty() && world.balancer.heard.is_empty());
    world.ask(Ask::Resume);
    assert_eq!(*world.run(), State::Succeeded);
}

#[test]
fn a_release_that_fails_in_a_site_is_put_back_before_users_return() {
    let mut world = two_sites().host("web3", Stage::Verify, &[Answer::Fails]);
    assert!(matches!(world.run(), State::RolledBack { cause: Cause::Canary { .. } }));
    assert_eq!(world.states()["web2"], "cancelled", "the other site was never touched");
    assert_eq!(world.commands, ["./dns out", "./dns back"]);
    let back = position(&world, |fact| matches!(fact, Fact::Site { state: SiteState::Returning, .. }));
    assert!(last_position(&world, enters("web3", "reverted")) < back);
    assert!(world.deployment.hosts.values().all(|run| run.serving));
}

#[test]
fn an_abort_brings_the_site_back_as_it_is() {
    let mut world = two_sites();
    world.run_until(enters("web5", "ready"));
    world.ask(Ask::Abort { rollback: false });
    assert!(matches!(world.run(), State::Aborted { .. }));
    assert_eq!(world.deployment.sites.values().collect::<Vec<_>>(), [&SiteState::In]);
    assert_eq!(world.states()["web1"], "succeeded");
    assert!(world.deployment.hosts.values().all(|run| run.serving));
}

#[test]
fn a_site_that_cannot_be_brought_back_is_held_with_the_reason() {
    let mut world = two_sites().host("web3", Stage::Verify, &[Answer::Fails]);
    world.run_until(|fact| matches!(fact, Fact::Site { state: SiteState::Out, .. }));
    world.failing_commands = 1;
    let State::RollbackFailed { hosts, .. } = world.run().clone() else {
        panic!("{:?}", world.deployment.state)
    };
    assert_eq!(hosts.len(), 3);
    let consequences = world.deployment.consequences(&Scope::default());
    let held = consequences.iter().filter(|fact| {
        matches!(fact, ScopeFact::HeldOut { reason, .. } if reason.contains("./dns ended with exit status 1"))
    });
    assert_eq!(held.count(), 3);
}
