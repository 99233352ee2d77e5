//! The line: what stops it, what begins all the same, and that both are decided in the transaction that they belong to.

use std::time::Duration;

use andon_core::cord::{Cord, CordFact, Passage};
use andon_core::deployment::{CancelReason, DeploymentId, State};
use andon_core::host::Stage;
use andon_core::person::Person;
use andon_server::{Controller, Problem, Wish};

use crate::ledger::Trouble;
use crate::world::{World, release};

/// The ids after the deployment of `old`.
const FIRST: u64 = 2;
const SECOND: u64 = 3;

fn eva() -> Person {
    Person { name: "eva".into(), at: "desk".into() }
}

async fn line(controller: &Controller) -> Cord {
    controller.records().cord().await.unwrap().value
}

async fn to_the_end(controller: &Controller, wish: Wish) -> State {
    controller.deploy(wish).await.unwrap().end.await.unwrap().unwrap().state
}

fn fixes(world: &World, content: &str, fixed: u64) -> Wish {
    Wish { fixes: Some(DeploymentId(fixed)), ..world.wish(content) }
}

/// A release that `web1` does not verify.
async fn fail(world: &World, controller: &Controller, content: &str) -> State {
    world.fleet.fails("web1", Stage::Verify, &release(content).id);
    to_the_end(controller, world.wish(content)).await
}

#[tokio::test(start_paused = true)]
async fn a_failed_release_stops_the_line_and_its_fix_starts_it_again() {
    let world = World::new(4).await;
    let (ana, _) = world.person("ana");
    assert!(matches!(fail(&world, &ana, "one").await, State::RolledBack { .. }));
    assert_eq!(line(&ana).await.stops()[0].deployment(), Some(DeploymentId(FIRST)));
    let (ben, _) = world.person("ben");
    let refused = ben.deploy(world.wish("two")).await.unwrap_err();
    assert!(matches!(&refused, Problem::Stopped { stops, .. } if stops.len() == 1), "{refused}");
    let head = world.head().await;
    let _ = ben.deploy(world.wish("two")).await.unwrap_err();
    assert_eq!(world.head().await, head, "a refusal leaves no trace");
    assert_eq!(to_the_end(&ben, fixes(&world, "two", FIRST)).await, State::Succeeded);
    let cord = line(&ana).await;
    assert!(!cord.is_stopped());
    let facts: Vec<_> = cord.changes().map(|change| &change.fact).collect();
    assert!(matches!(facts[0], CordFact::Mended { .. }), "{facts:?}");
    let passage = Passage::Fix { deployment: DeploymentId(SECOND), fixes: DeploymentId(FIRST) };
    assert!(
        matches!(facts[1], CordFact::Passed { by, what, .. } if by == "ben" && *what == passage),
        "{facts:?}"
    );
    assert_eq!(to_the_end(&ana, world.wish("three")).await, State::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn what_a_person_stopped_only_a_person_starts() {
    let world = World::new(2).await;
    let (ana, _) = world.person("ana");
    ana.stop_line(eva(), "orders fell".into()).await.unwrap();
    let refused = ana.deploy(world.wish("one")).await.unwrap_err();
    assert!(matches!(refused, Problem::Stopped { .. }), "{refused}");
    assert_eq!(to_the_end(&ana, fixes(&world, "one", 1)).await, State::Succeeded);
    assert_eq!(to_the_end(&ana, world.rollback("old")).await, State::Succeeded);
    assert!(line(&ana).await.is_stopped());
    let before = ana.start_line(eva(), "it was the provider".into()).await.unwrap();
    assert_eq!(before.stops()[0].reason, "orders fell");
    assert!(!line(&ana).await.is_stopped());
    let head = world.head().await;
    assert!(!ana.start_line(eva(), "again".into()).await.unwrap().is_stopped());
    assert_eq!(world.head().await, head, "it ran already");
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_when_the_line_stops_ends_cancelled_with_the_reason() {
    let world = World::new(4).await;
    let (ana, _) = world.person("ana");
    ana.deploy(world.wish("one")).await.unwrap();
    let waiting = ana.deploy(world.wish("two")).await.unwrap();
    ana.stop_line(eva(), "orders fell".into()).await.unwrap();
    let state = waiting.end.await.unwrap().unwrap().state;
    let State::Cancelled { reason: CancelReason::Refused { why } } = state else { panic!("{state:?}") };
    assert_eq!(why, "the line was stopped while this one waited, by eva: orders fell");
    let first = world.until(FIRST, |deployment| deployment.state.is_terminal()).await;
    assert_eq!(first.state, State::Succeeded, "what was under way goes on");
    assert_eq!(world.scope().await.waiting, None);
}

#[tokio::test(start_paused = true)]
async fn a_line_that_stops_while_the_hosts_are_asked_stops_what_was_about_to_begin() {
    let world = World::new(2).await;
    let (ana, ledger) = world.person("ana");
    let (other, _) = world.person("eva");
    let stop = async move {
        other.stop_line(eva(), "orders fell".into()).await.unwrap();
    };
    ledger.plan(1, Trouble::After(Box::pin(stop)));
    let refused = ana.deploy(world.wish("one")).await.unwrap_err();
    assert!(matches!(refused, Problem::Stopped { .. }), "{refused}");
    assert!(ledger.has_happened());
    ana.start_line(eva(), "over".into()).await.unwrap();
    assert_eq!(to_the_end(&ana, world.wish("one")).await, State::Succeeded, "its lease was given back");
}

#[tokio::test(start_paused = true)]
async fn an_end_and_its_stop_are_one_transaction_also_when_others_change_the_line_at_every_moment() {
    for moment in 1.. {
        let world = World::new(2).await;
        let (ana, ledger) = world.person("ana");
        let (other, _) = world.person("eva");
        world.fleet.fails("web1", Stage::Verify, &release("one").id);
        let going = ana.deploy(world.wish("one")).await.unwrap();
        let pull = async move {
            other.stop_line(eva(), "orders fell".into()).await.unwrap();
        };
        ledger.plan(moment, Trouble::After(Box::pin(pull)));
        let state = going.end.await.unwrap().unwrap().state;
        assert!(matches!(state, State::RolledBack { .. }), "{moment}: {state:?}");
        let stops = line(&ana).await.stops().to_vec();
        let by = stops.iter().filter(|stop| stop.deployment() == Some(DeploymentId(FIRST))).count();
        assert_eq!(by, 1, "{moment}: {stops:?}");
        if !ledger.has_happened() {
            assert!(moment > 5, "only {moment} appends");
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_fix_passes_the_held_scope_and_the_stopped_line_and_mends_both() {
    let world = World::new(4).await;
    let (ana, _) = world.person("ana");
    world.fleet.fails("web1", Stage::Verify, &release("old").id);
    let state = fail(&world, &ana, "one").await;
    assert!(matches!(state, State::RollbackFailed { .. }), "{state:?}");
    assert!(line(&ana).await.stops()[0].reason.contains("could not be put back"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(to_the_end(&ana, fixes(&world, "two", FIRST)).await, State::Succeeded);
    assert!(!line(&ana).await.is_stopped());
    assert_eq!(to_the_end(&ana, world.wish("three")).await, State::Succeeded);
}
