//! A controller that is killed at any moment: another one resumes, and nothing happens twice.

use andon_api::agent::Refusal;
use andon_core::deployment::{Deployment, DeploymentId, State};
use andon_core::host::{Stage, Token};
use andon_server::Problem;
use andon_server::hosts::{HostError, Hosts, Supplies};

use crate::fleet::Fault;
use crate::ledger::Trouble;
use crate::world::{World, release};

const NEW: u64 = 2;

/// Prepares the fleet of a story.
type Script = fn(&World);

fn good(_: &World) {}

fn failing_canary(world: &World) {
    world.fleet.fails("web1", Stage::Verify, &release("new").id);
}

fn late_correlated_failure(world: &World) {
    for host in ["web4", "web5"] {
        world.fleet.fails(host, Stage::Observe, &release("new").id);
    }
}

fn cut_connections(world: &World) {
    world.fleet.fault("web1", Stage::Activate, Fault::CutAfter);
    world.fleet.fault("web2", Stage::Activate, Fault::CutBefore);
    world.fleet.fault("web3", Stage::Observe, Fault::Reboots);
    world.fleet.fault("web4", Stage::Prepare, Fault::CutAfter);
}

/// Deploys with a controller that is killed at its `n`th append, and resumes with another. `None` when the story was
/// over before that.
async fn killed_at(n: usize, after: bool, balanced: bool, script: Script) -> Option<State> {
    let behind = if balanced { " behind a balancer" } else { "" };
    let what = format!("killed {} append {n}{behind}", if after { "after" } else { "before" });
    let world = if balanced { World::balanced(6).await } else { World::new(6).await };
    script(&world);
    let (ana, handle) = world.person("ana");
    handle.plan(n, if after { Trouble::DiesAfter } else { Trouble::DiesBefore });
    let wish = world.wish("new");
    let driving = tokio::spawn(async move { ana.deploy(wish).await?.end.await.unwrap() });
    tokio::select! {
        ended = driving => {
            ended.unwrap().unwrap();
            assert!(!handle.has_happened(), "{what}");
            return None;
        }
        () = handle.died() => {}
    }
    let orders = world.fleet.orders().len();
    let (ben, _) = world.person("ben");
    let ended: Deployment = match ben.resume(DeploymentId(NEW), true).await {
        Ok(going) => going.unwrap().end.await.unwrap().unwrap(),
        Err(Problem::NotNow(_)) => world.deployment(NEW).await,
        Err(Problem::Records(_)) if n == 1 && !after => {
            assert_eq!(world.scope().await.lock, andon_core::scope::Lock::Free, "{what}: nothing has begun");
            return Some(State::Succeeded);
        }
        Err(problem) => panic!("{what}: {problem}"),
    };
    let state = world.check_end(NEW, &what).await;
    assert_eq!(ended.state, state, "{what}");
    assert!(
        world.fleet.out_of_traffic().is_empty(),
        "{what}: {:?} are left out",
        world.fleet.out_of_traffic()
    );
    if world.fleet.orders().len() > orders {
        a_late_order_is_refused(&world, &what).await;
    }
    Some(state)
}

/// What the dead controller sent, and what arrives only now, is refused by a host that knows its successor.
async fn a_late_order_is_refused(world: &World, what: &str) {
    let orders = world.fleet.orders();
    let newest = |name: &str| {
        orders.iter().filter(|(host, _)| host == name).map(|(_, order)| order.authority.fence).max()
    };
    for (name, order) in orders.iter().filter(|(_, order)| order.authority.deployment == NEW) {
        if newest(name) == Some(order.authority.fence) {
            continue;
        }
        let mut late = order.clone();
        late.token = Token::try_from(format!("{}.late", order.token)).unwrap();
        let host = world.wish("new").hosts.into_iter().find(|host| host.name.as_str() == name).unwrap();
        let answer = world.fleet.carry_out(&host, late, &Supplies::default()).await;
        assert!(matches!(answer, Err(HostError::Refused(Refusal::Fenced(_)))), "{what}: {answer:?}");
    }
}

async fn killed_everywhere(script: Script, legal: fn(&State) -> bool) {
    for (after, balanced) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut n = 1;
        while let Some(state) = killed_at(n, after, balanced, script).await {
            let nothing_begun = n == 1 && !after;
            assert!(nothing_begun || legal(&state), "killed at {n}, after: {after}: {state:?}");
            n += 1;
        }
        assert!(n > 7, "only {n} appends were seen: the story is too short to mean anything");
    }
}

#[tokio::test(start_paused = true)]
async fn a_good_release_arrives_whenever_its_controller_is_killed() {
    killed_everywhere(good, |state| *state == State::Succeeded).await;
}

#[tokio::test(start_paused = true)]
async fn a_failing_canary_is_put_back_whenever_the_controller_is_killed() {
    killed_everywhere(failing_canary, |state| matches!(state, State::RolledBack { .. })).await;
}

#[tokio::test(start_paused = true)]
async fn a_late_failure_of_several_hosts_is_put_back_whenever_the_controller_is_killed() {
    killed_everywhere(late_correlated_failure, |state| matches!(state, State::RolledBack { .. })).await;
}

#[tokio::test(start_paused = true)]
async fn cut_connections_and_a_reboot_are_survived_whenever_the_controller_is_killed() {
    killed_everywhere(cut_connections, |state| *state == State::Succeeded).await;
}
