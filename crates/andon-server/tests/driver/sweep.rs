//! Nothing stays out of traffic that nobody owns, whoever is killed when.

use std::collections::BTreeSet;
use std::time::Duration;

use andon_core::deployment::{DeploymentId, State};
use andon_core::host::Stage;
use andon_core::line::BalancerKind;
use andon_core::scope::Lock;
use andon_server::{Found, Problem, Sweep};

use crate::ledger::Trouble;
use crate::world::{World, release};

const NEW: u64 = 2;

/// Longer than a lease holds.
const LAPSED: Duration = Duration::from_secs(31);

/// A fleet whose last deployment could not put `web1` back: it is held out.
async fn held_out() -> World {
    let world = World::balanced(4).await;
    for content in ["new", "old"] {
        world.fleet.fails("web1", Stage::Verify, &release(content).id);
    }
    let (ana, _) = world.person("ana");
    let ended = ana.deploy(world.wish("new")).await.unwrap().end.await.unwrap().unwrap();
    assert!(matches!(ended.state, State::RollbackFailed { .. }), "{:?}", ended.state);
    assert_eq!(world.fleet.out_of_traffic(), ["web1"]);
    assert!(world.scope().await.held.keys().map(|host| host.as_str()).eq(["web1"]));
    world
}

/// One pass by somebody with a machine of their own.
async fn swept(world: &World, sweep: &Sweep) -> Vec<Found> {
    let (ben, _) = world.person("ben");
    ben.sweep(sweep).await.unwrap()
}

/// Hosts that are out of traffic and belong neither to a deployment that has not ended nor to the held ones.
async fn abandoned(world: &World) -> Vec<String> {
    let scope = world.scope().await;
    let mut owned: BTreeSet<String> = scope.held.keys().map(ToString::to_string).collect();
    if let Lock::Owned { deployment, .. } = scope.lock {
        let hosts = world.deployment(deployment.0).await.hosts;
        owned.extend(hosts.iter().filter(|(_, run)| run.drained).map(|(host, _)| host.to_string()));
    }
    world.fleet.out_of_traffic().into_iter().filter(|host| !owned.contains(host)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_held_host_returns_once_it_is_fit_and_not_before() {
    let world = held_out().await;
    let found = swept(&world, &world.sweep()).await;
    let [Found::Out { host, why, deploy: false }] = found.as_slice() else { panic!("{found:?}") };
    assert!(host.as_str() == "web1" && why.contains("said no"), "{found:?}");
    assert_eq!(world.fleet.out_of_traffic(), ["web1"]);
    world.fleet.mend();
    let found = swept(&world, &world.sweep()).await;
    assert!(matches!(found.as_slice(), [Found::Returned { host }] if host.as_str() == "web1"), "{found:?}");
    assert!(world.fleet.out_of_traffic().is_empty());
    assert!(world.scope().await.held.is_empty());
    assert_eq!(world.fleet.violations(), Vec::<String>::new());
    let head = world.head().await;
    assert_eq!(swept(&world, &world.sweep()).await, []);
    assert_eq!(world.head().await, head, "where nothing is to be done, nothing is recorded");
}

#[tokio::test(start_paused = true)]
async fn a_held_host_on_another_release_stays_out_and_the_way_is_named() {
    let world = held_out().await;
    world.fleet.mend();
    // All others get the next release while web1, which is held out, is away.
    world.fleet.goes_away("web1");
    let (ana, _) = world.person("ana");
    let mut wish = world.wish("newer");
    wish.fixes = Some(DeploymentId(NEW));
    let ended = ana.deploy(wish).await.unwrap().end.await.unwrap().unwrap();
    assert_eq!(ended.state, State::Succeeded);
    let found = swept(&world, &world.sweep()).await;
    assert!(
        matches!(found.as_slice(), [Found::Out { why, deploy: false, .. }] if why.contains("no route to host")),
        "{found:?}"
    );
    world.fleet.comes_back();
    let found = swept(&world, &world.sweep()).await;
    assert!(
        matches!(found.as_slice(), [Found::Out { why, deploy: true, .. }] if why.contains("should run")),
        "{found:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_host_that_its_balancer_does_not_find_up_is_taken_out_again() {
    let world = held_out().await;
    world.fleet.mend();
    world.fleet.finds_sick("web1");
    let found = swept(&world, &world.sweep()).await;
    let [Found::Out { why, .. }] = found.as_slice() else { panic!("{found:?}") };
    assert!(why.contains("proxy www on lb1 has it down: L7STS/503"), "{why}");
    assert_eq!(world.fleet.out_of_traffic(), ["web1"]);
    assert_eq!(world.scope().await.held.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_others_took_out_is_reported_and_what_only_andon_can_have_taken_out_is_put_back() {
    let world = World::balanced(4).await;
    world.fleet.take_out("web3");
    let found = swept(&world, &world.sweep()).await;
    let [Found::Stranger { host, pool }] = found.as_slice() else { panic!("{found:?}") };
    assert!(host.as_str() == "web3" && pool == "proxy www on lb1", "{found:?}");
    assert_eq!(world.fleet.out_of_traffic(), ["web3"]);
    // Nobody but Andon writes what nginx includes.
    let mut sweep = world.sweep();
    for planned in &mut sweep.pools {
        planned.pool.balancer = BalancerKind::Nginx {
            upstream: "www".into(),
            include: "/etc/nginx/www.servers".into(),
            program: vec!["nginx".into()],
            access_log: None,
            log_format: None,
        };
    }
    let found = swept(&world, &sweep).await;
    assert!(matches!(found.as_slice(), [Found::Returned { host }] if host.as_str() == "web3"), "{found:?}");
    assert!(world.fleet.out_of_traffic().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_is_driven_is_left_alone() {
    let world = World::balanced(4).await;
    let (ana, _) = world.person("ana");
    let going = ana.deploy(world.wish("new")).await.unwrap();
    world.until(NEW, |deployment| deployment.busy()).await;
    let found = swept(&world, &world.sweep()).await;
    assert!(
        matches!(found.as_slice(), [Found::Driven { deployment: Some(DeploymentId(NEW)), .. }]),
        "{found:?}"
    );
    assert_eq!(going.end.await.unwrap().unwrap().state, State::Succeeded);
}

/// A deployment that is killed at its `n`th append, then swept by somebody who is killed at their `m`th, then swept
/// once more, and resumed. `None` when the first story was over before that; else whether a host was out of traffic
/// when the first one died, and whether the sweeper was killed.
async fn killed_and_swept(n: usize, m: Option<usize>, fails: bool) -> Option<(bool, bool)> {
    let what = format!("killed at {n}, its sweeper at {m:?}, fails: {fails}");
    let world = World::balanced(6).await;
    if fails {
        world.fleet.fails("web1", Stage::Verify, &release("new").id);
    }
    let (ana, handle) = world.person("ana");
    handle.plan(n, Trouble::DiesAfter);
    let wish = world.wish("new");
    let driving = tokio::spawn(async move { ana.deploy(wish).await?.end.await.unwrap() });
    tokio::select! {
        ended = driving => {
            ended.unwrap().unwrap();
            return None;
        }
        () = handle.died() => {}
    }
    tokio::time::sleep(LAPSED).await;
    let was_out = !world.fleet.out_of_traffic().is_empty();
    let mut killed = false;
    if let Some(m) = m {
        let (ben, handle) = world.person("ben");
        handle.plan(m, Trouble::DiesBefore);
        let sweep = world.sweep();
        let sweeping = tokio::spawn(async move { ben.sweep(&sweep).await });
        tokio::select! {
            swept = sweeping => drop(swept.unwrap().unwrap()),
            () = handle.died() => killed = true,
        }
        tokio::time::sleep(LAPSED).await;
    }
    let (eve, _) = world.person("eve");
    let found = eve.sweep(&world.sweep()).await.unwrap();
    assert_eq!(abandoned(&world).await, Vec::<String>::new(), "{what}: {found:?}");
    assert_eq!(world.fleet.out_of_traffic(), Vec::<String>::new(), "{what}: every host was fit: {found:?}");
    let deployment = world.deployment(NEW).await;
    assert!(!deployment.traffic_is_moving(), "{what}: {:?}", deployment.state);
    // What was brought to rest goes on when a person says so.
    match eve.resume(DeploymentId(NEW), false).await {
        Ok(going) => drop(going.unwrap().end.await.unwrap().unwrap()),
        Err(Problem::NotNow(_)) => {}
        Err(problem) => panic!("{what}: {problem}"),
    }
    match world.check_end(NEW, &what).await {
        State::RolledBack { .. } if fails => {}
        state => assert_eq!((state, fails), (State::Succeeded, false), "{what}"),
    }
    assert!(world.fleet.out_of_traffic().is_empty(), "{what}");
    Some((was_out, killed))
}

#[tokio::test(start_paused = true)]
async fn a_deployment_killed_at_any_moment_is_brought_to_rest_with_every_host_in_traffic() {
    let (mut n, mut left_out) = (1, 0);
    while let Some((was_out, _)) = killed_and_swept(n, None, false).await {
        left_out += usize::from(was_out);
        n += 1;
    }
    assert!(left_out > 5, "of {n} deaths only {left_out} left a host out: the story means nothing");
}

#[tokio::test(start_paused = true)]
async fn a_way_back_whose_controller_was_killed_is_swept_to_its_end() {
    let mut n = 1;
    while killed_and_swept(n, None, true).await.is_some() {
        n += 1;
    }
    assert!(n > 10, "only {n} appends were seen: the story is too short to mean anything");
}

#[tokio::test(start_paused = true)]
async fn a_sweeper_that_is_killed_at_any_moment_leaves_nothing_that_the_next_does_not_sweep() {
    for n in [8, 12, 16, 20] {
        let mut m = 1;
        while let Some((_, true)) = killed_and_swept(n, Some(m), false).await {
            m += 1;
        }
        assert!(m > 2, "the sweeper of {n} recorded nothing");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweeper_that_is_killed_while_it_puts_a_held_host_back_is_followed_by_one_that_does() {
    for trouble in [Trouble::DiesBefore, Trouble::DiesAfter] {
        let world = held_out().await;
        world.fleet.mend();
        let (ben, handle) = world.person("ben");
        handle.plan(1, trouble);
        let sweep = world.sweep();
        let sweeping = tokio::spawn(async move { ben.sweep(&sweep).await });
        handle.died().await;
        sweeping.abort();
        tokio::time::sleep(LAPSED).await;
        swept(&world, &world.sweep()).await;
        assert!(world.scope().await.held.is_empty() && world.fleet.out_of_traffic().is_empty());
    }
}
