//! Two deployments in one scope: one place in the queue, the newest takes it, and a rollback goes first.

use std::time::Duration;

use andon_core::deployment::{CancelReason, DeploymentId, State};
use andon_core::host::Stage;
use andon_core::line::OnConflict;
use andon_core::scope::Lock;
use andon_server::{Problem, Wish};

use crate::ledger::Trouble;
use crate::world::{World, release};

/// The ids after the deployment of `old`.
const FIRST: u64 = 2;
const SECOND: u64 = 3;
const THIRD: u64 = 4;

async fn ended(world: &World, id: u64) -> State {
    world.until(id, |deployment| deployment.state.is_terminal()).await.state
}

fn runs(world: &World, content: &str) -> bool {
    world.fleet.running().values().all(|runs| runs.as_ref() == Some(&release(content).id))
}

#[tokio::test(start_paused = true)]
async fn of_several_that_wait_the_newest_takes_the_place() {
    let world = World::new(4).await;
    let (ana, _) = world.person("ana");
    let (ben, _) = world.person("ben");
    ana.deploy(world.wish("one")).await.unwrap();
    ben.deploy(world.wish("two")).await.unwrap();
    ana.deploy(world.wish("three")).await.unwrap();
    assert_eq!(ended(&world, FIRST).await, State::Succeeded);
    let superseded = CancelReason::Superseded { by: DeploymentId(THIRD) };
    assert_eq!(ended(&world, SECOND).await, State::Cancelled { reason: superseded });
    assert_eq!(ended(&world, THIRD).await, State::Succeeded);
    assert!(runs(&world, "three"));
    assert_eq!(world.scope().await.waiting, None);
    // Those that waited and never began are in the history of their scope, too.
    let scopes = [world.wish("one").scope];
    for (limit, expected) in [(2, &[THIRD, SECOND][..]), (10, &[THIRD, SECOND, FIRST, 1])] {
        let rows = ana.records().history_of(&scopes, limit).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.id.0).collect::<Vec<_>>(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn two_deploys_at_the_same_moment_take_turns() {
    let world = World::new(4).await;
    let (ana, _) = world.person("ana");
    let (ben, _) = world.person("ben");
    let (one, two) = tokio::join!(ana.deploy(world.wish("one")), ben.deploy(world.wish("two")));
    let ids = [one.unwrap().id.0, two.unwrap().id.0];
    assert!(ids == [FIRST, SECOND] || ids == [SECOND, FIRST], "{ids:?}");
    assert_eq!(ended(&world, FIRST).await, State::Succeeded);
    assert_eq!(ended(&world, SECOND).await, State::Succeeded);
    assert!(runs(&world, if ids[1] == SECOND { "two" } else { "one" }));
}

#[tokio::test(start_paused = true)]
async fn a_line_that_says_reject_does_not_wait() {
    let mut world = World::new(4).await;
    world.rollout.on_conflict = OnConflict::Reject;
    let (ana, _) = world.person("ana");
    ana.deploy(world.wish("one")).await.unwrap();
    let refused = ana.deploy(world.wish("two")).await.unwrap_err();
    assert!(matches!(refused, Problem::Occupied { by: DeploymentId(FIRST), .. }), "{refused}");
    assert_eq!(ended(&world, FIRST).await, State::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_line_that_says_supersede_goes_on_from_the_safe_point() {
    let mut world = World::new(6).await;
    world.rollout.on_conflict = OnConflict::Supersede;
    let (ana, _) = world.person("ana");
    ana.deploy(world.wish("one")).await.unwrap();
    world.until(FIRST, |deployment| deployment.touched().next().is_some()).await;
    ana.deploy(world.wish("two")).await.unwrap();
    let by = Some(DeploymentId(SECOND));
    assert_eq!(ended(&world, FIRST).await, State::Aborted { superseded_by: by });
    assert_eq!(ended(&world, SECOND).await, State::Succeeded);
    assert!(runs(&world, "two"));
}

#[tokio::test(start_paused = true)]
async fn a_rollback_goes_before_whatever_is_at_work() {
    let mut world = World::new(6).await;
    world.rollout.on_conflict = OnConflict::Reject;
    let (ana, _) = world.person("ana");
    ana.deploy(world.wish("one")).await.unwrap();
    world.until(FIRST, |deployment| deployment.touched().next().is_some()).await;
    ana.deploy(world.rollback("old")).await.unwrap();
    assert_eq!(ended(&world, FIRST).await, State::Aborted { superseded_by: Some(DeploymentId(SECOND)) });
    assert_eq!(ended(&world, SECOND).await, State::Succeeded);
    assert!(runs(&world, "old"));
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_nobody_drives_is_not_waited_for() {
    let world = World::new(6).await;
    let (ana, handle) = world.person("ana");
    handle.plan(6, Trouble::DiesAfter);
    let wish = world.wish("one");
    tokio::spawn(async move { ana.deploy(wish).await.unwrap().end.await });
    handle.died().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let (ben, _) = world.person("ben");
    for wish in [world.wish("two"), world.rollback("old")] {
        let refused = ben.deploy(wish).await.unwrap_err();
        assert!(matches!(refused, Problem::Orphaned { by: DeploymentId(FIRST), .. }), "{refused}");
    }
    let going = ben.resume(DeploymentId(FIRST), false).await.unwrap().unwrap();
    assert_eq!(going.end.await.unwrap().unwrap().state, State::Succeeded);
}

/// Ends the first deployment so that `web1` could not be put back: the scope is held.
async fn hold(world: &World) {
    world.fleet.fails("web1", Stage::Verify, &release("one").id);
    world.fleet.fails("web1", Stage::Verify, &release("old").id);
    let (ana, _) = world.person("ana");
    ana.deploy(world.wish("one")).await.unwrap();
    assert!(matches!(ended(world, FIRST).await, State::RollbackFailed { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_held_scope_lets_only_repairs_pass_and_stays_held_until_one_succeeds() {
    let world = World::new(4).await;
    hold(&world).await;
    let (ben, _) = world.person("ben");
    let refused = ben.deploy(world.wish("two")).await.unwrap_err();
    assert!(matches!(refused, Problem::Held { by: DeploymentId(FIRST), .. }), "{refused}");
    let fixes = |content| Wish { fixes: Some(DeploymentId(FIRST)), ..world.wish(content) };
    world.fleet.fails("web1", Stage::Verify, &release("two").id);
    world.fleet.fails("web2", Stage::Verify, &release("two").id);
    let bad = ben.deploy(fixes("two")).await.unwrap().end.await.unwrap().unwrap();
    assert!(!matches!(bad.state, State::Succeeded), "{:?}", bad.state);
    let refused = ben.deploy(world.wish("three")).await.unwrap_err();
    let Problem::Held { by, .. } = refused else { panic!("{refused}") };
    let good = Wish { fixes: Some(by), ..world.wish("three") };
    let good = ben.deploy(good).await.unwrap().end.await.unwrap().unwrap();
    assert_eq!(good.state, State::Succeeded);
    assert_eq!(world.scope().await.lock, Lock::Free);
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_ends_cancelled_when_the_scope_becomes_held() {
    let world = World::new(4).await;
    world.fleet.fails("web1", Stage::Verify, &release("one").id);
    world.fleet.fails("web1", Stage::Verify, &release("old").id);
    let (ana, _) = world.person("ana");
    ana.deploy(world.wish("one")).await.unwrap();
    ana.deploy(world.wish("two")).await.unwrap();
    let State::Cancelled { reason: CancelReason::Refused { why } } = ended(&world, SECOND).await else {
        panic!("it began in a held scope")
    };
    assert!(why.contains("#2 ended badly"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn one_whose_plan_is_refused_when_its_turn_comes_ends_cancelled_with_the_reason() {
    let world = World::new(4).await;
    let (ana, _) = world.person("ana");
    ana.deploy(world.wish("one")).await.unwrap();
    let waiting = ana.deploy(world.wish("one")).await.unwrap();
    assert_eq!(ended(&world, FIRST).await, State::Succeeded);
    let refused = waiting.end.await.unwrap().unwrap_err();
    assert!(matches!(refused, Problem::Refused(_)), "{refused}");
    let State::Cancelled { reason: CancelReason::Refused { why } } = ended(&world, SECOND).await else {
        panic!("{:?}", world.deployment(SECOND).await.state)
    };
    assert_eq!(why, refused.to_string());
    assert_eq!((world.scope().await.waiting, world.scope().await.lock), (None, Lock::Free));
}

#[tokio::test(start_paused = true)]
async fn one_whose_process_died_while_it_waited_keeps_nobody_waiting() {
    let world = World::new(4).await;
    let (ana, _) = world.person("ana");
    let (ben, bens) = world.person("ben");
    ana.deploy(world.wish("one")).await.unwrap();
    bens.plan(2, Trouble::DiesBefore);
    ben.deploy(world.wish("two")).await.unwrap();
    assert_eq!(ended(&world, FIRST).await, State::Succeeded);
    bens.died().await;
    assert_eq!(world.deployment(SECOND).await.state.name(), "pending");
    // It died with the lease in its hand; that runs out.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let three = ana.deploy(world.wish("three")).await.unwrap();
    assert_eq!(three.end.await.unwrap().unwrap().state, State::Succeeded);
    let superseded = CancelReason::Superseded { by: DeploymentId(THIRD) };
    assert_eq!(ended(&world, SECOND).await, State::Cancelled { reason: superseded });
    assert_eq!(world.scope().await.waiting, None);
}

#[tokio::test(start_paused = true)]
async fn a_newer_one_that_slips_in_takes_the_place_of_one_that_waits() {
    // At any moment around the end of the first, while the second looks again only now and then.
    for moment in (0..600).step_by(30) {
        let world = World::new(2).await;
        let (ana, _) = world.person("ana");
        ana.deploy(world.wish("one")).await.unwrap();
        ana.deploy(world.wish("two")).await.unwrap();
        world.until(FIRST, |deployment| deployment.state.is_terminal()).await;
        tokio::time::sleep(Duration::from_millis(moment)).await;
        let three = ana.deploy(world.wish("three")).await.unwrap();
        assert_eq!(three.end.await.unwrap().unwrap().state, State::Succeeded, "{moment}");
        let second = ended(&world, SECOND).await;
        let gave_way = matches!(second, State::Cancelled { reason: CancelReason::Superseded { .. } });
        assert!(gave_way || second == State::Succeeded, "{moment}: {second:?}");
        assert!(runs(&world, "three"), "{moment}: an older release went over a newer one");
    }
}
