//! Wishes that others record at the very moment at which the driver records something itself.

use andon_core::deployment::{Ask, DeploymentId, PauseReason, State};

use crate::ledger::Trouble;
use crate::world::World;

const NEW: DeploymentId = DeploymentId(2);

/// Deploys while somebody else records `ask` just before the driver's `n`th append. Gives the deployment's state once
/// it ended or rests, and whether the wish was taken; `None` when there were fewer appends.
async fn asked_at(world: &World, n: usize, ask: Ask) -> Option<(State, bool)> {
    let (ana, handle) = world.person("ana");
    let (ben, _) = world.person("ben");
    let (told, hears) = tokio::sync::oneshot::channel();
    let wish = async move {
        let _ = told.send(ben.wish(NEW, ask, None).await.is_ok());
    };
    handle.plan(n, Trouble::After(Box::pin(wish)));
    let going = ana.deploy(world.wish("new")).await.unwrap();
    tokio::spawn(going.end);
    let rests = |state: &State| state.is_terminal() || matches!(state, State::Paused { .. });
    let rested = world.until(NEW.0, |deployment| rests(&deployment.state) && !deployment.busy()).await;
    handle.has_happened().then_some(())?;
    Some((rested.state, hears.await.unwrap()))
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_never_lost_and_a_resume_ends_well() {
    let mut n = 2;
    loop {
        let world = World::new(6).await;
        let Some((state, taken)) = asked_at(&world, n, Ask::Pause).await else { break };
        if taken {
            assert!(matches!(state, State::Paused { reason: PauseReason::Manual, .. }), "at {n}: {state:?}");
            let (cleo, _) = world.person("cleo");
            assert!(cleo.resume(NEW, false).await.unwrap().is_none(), "it is driven, so it was told");
        }
        world.until(NEW.0, |deployment| deployment.state.is_terminal()).await;
        assert_eq!(world.check_end(NEW.0, &format!("paused at {n}")).await, State::Succeeded);
        n += 1;
    }
    assert!(n > 10, "only {n} appends");
}

#[tokio::test(start_paused = true)]
async fn an_abort_is_never_lost_and_does_what_was_asked() {
    for rollback in [false, true] {
        let mut n = 2;
        loop {
            let world = World::new(6).await;
            let Some((state, taken)) = asked_at(&world, n, Ask::Abort { rollback }).await else { break };
            world.check_end(NEW.0, &format!("aborted at {n}, rollback: {rollback}")).await;
            match state {
                State::Aborted { .. } => assert!(taken && !rollback),
                State::Cancelled { .. } => assert!(taken && n == 2, "hosts have been touched at {n}"),
                State::RolledBack { .. } => assert!(taken && rollback),
                state => panic!("at {n}: {taken}, {state:?}"),
            }
            n += 1;
        }
        assert!(n > 10, "only {n} appends");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wish_to_a_deployment_that_has_ended_is_refused_with_its_end() {
    let world = World::new(2).await;
    let (ana, _) = world.person("ana");
    ana.deploy(world.wish("new")).await.unwrap().end.await.unwrap().unwrap();
    for ask in [Ask::Pause, Ask::Resume, Ask::Abort { rollback: true }] {
        let refused = ana.wish(NEW, ask, None).await.unwrap_err();
        assert!(refused.to_string().contains("succeeded"), "{refused}");
    }
    assert!(ana.resume(NEW, true).await.unwrap_err().to_string().contains("succeeded"));
}

#[tokio::test(start_paused = true)]
async fn an_abort_of_a_deployment_whose_process_is_gone_is_carried_out_by_who_asks() {
    for rollback in [false, true] {
        let world = World::new(6).await;
        let (ana, handle) = world.person("ana");
        handle.plan(12, Trouble::DiesAfter);
        let wish = world.wish("new");
        tokio::spawn(async move { ana.deploy(wish).await.unwrap().end.await });
        handle.died().await;
        // The dead process's lease runs out.
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        let (ben, _) = world.person("ben");
        let going = ben.ask(NEW, Ask::Abort { rollback }, None).await.unwrap().unwrap();
        let state = going.end.await.unwrap().unwrap().state;
        assert_eq!(state.name(), if rollback { "rolled_back" } else { "aborted" });
        world.check_end(NEW.0, "aborted by another").await;
    }
}
