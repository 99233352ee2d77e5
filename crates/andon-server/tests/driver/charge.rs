//! Who drives: leases that are taken over, that run out, and a ledger that is full for a while.

use std::time::Duration;

use andon_core::deployment::{Deployment, DeploymentId, Fact, HostState, PauseReason, State};
use andon_core::host::Stage;
use andon_core::quantity::Share;
use andon_server::Problem;

use crate::ledger::Trouble;
use crate::world::World;

const NEW: u64 = 2;

#[tokio::test(start_paused = true)]
async fn a_driver_that_is_overtaken_stops_and_says_by_whom() {
    for moment in (0..8000).step_by(250) {
        let world = World::new(6).await;
        let (ana, _) = world.person("ana");
        let going = ana.deploy(world.wish("new")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(moment)).await;
        let (ben, _) = world.person("ben");
        let taken = ben.resume(DeploymentId(NEW), true).await.unwrap().unwrap();
        let overtaken = tokio::time::timeout(Duration::from_secs(1), going.end).await;
        let overtaken = overtaken.expect("it stops at once, not when its lease is due").unwrap().unwrap_err();
        assert!(matches!(&overtaken, Problem::TakenOver { by } if by == "ben on bens-laptop"), "{overtaken}");
        assert_eq!(taken.end.await.unwrap().unwrap().state, State::Succeeded);
        world.check_end(NEW, &format!("overtaken after {moment} ms")).await;
        begun_under_one_fence(&world).await;
    }
}

/// From a change of charge on, every new step is begun under the new fence.
async fn begun_under_one_fence(world: &World) {
    let (mut fence, mut known) = (0, Vec::new());
    for entry in world.entries(NEW).await {
        match entry.fact {
            Fact::InCharge { fence: new, .. } => fence = new.0,
            Fact::Host { state: HostState::Doing(doing), .. } if !known.contains(&doing.token) => {
                assert!(
                    doing.token.as_str().contains(&format!(".f{fence}.")),
                    "{} under {fence}",
                    doing.token
                );
                known.push(doing.token);
            }
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_slept_longer_than_its_lease_goes_on_when_nobody_took_it() {
    let world = World::new(6).await;
    let (ana, handle) = world.person("ana");
    handle.plan(8, Trouble::Sleeps(Duration::from_secs(120)));
    let ended = ana.deploy(world.wish("new")).await.unwrap().end.await.unwrap().unwrap();
    assert!(handle.has_happened());
    assert_eq!(ended.state, State::Succeeded);
    world.check_end(NEW, "slept").await;
    begun_under_one_fence(&world).await;
    let charges = world.entries(NEW).await;
    let charges = charges.iter().filter(|entry| matches!(entry.fact, Fact::InCharge { .. })).count();
    assert_eq!(charges, 2, "it took charge again, so every open step was asked about");
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_slept_for_long_with_a_host_out_of_traffic_waits_for_a_person() {
    let (mut waited, mut went_on) = (0, 0);
    for n in 2.. {
        let mut world = World::balanced(6).await;
        world.rollout.progress_deadline = Duration::from_secs(60);
        let (ana, handle) = world.person("ana");
        handle.plan(n, Trouble::Sleeps(Duration::from_secs(100)));
        let going = ana.deploy(world.wish("new")).await.unwrap();
        let ends = |deployment: &Deployment| {
            deployment.state.is_terminal()
                || (matches!(deployment.state, State::Paused { .. }) && !deployment.busy())
        };
        let rested = world.until(NEW, ends).await;
        if !handle.has_happened() {
            break;
        }
        if let State::Paused { reason: PauseReason::ControllerRestart { hosts, out }, .. } = &rested.state {
            assert!(!hosts.is_empty() && *out >= Duration::from_secs(100), "{hosts:?} {out:?}");
            assert!(world.fleet.out_of_traffic().is_empty(), "hosts in their cycle finish it");
            assert!(ana.resume(DeploymentId(NEW), false).await.unwrap().is_none(), "it is driven");
            waited += 1;
        } else {
            went_on += 1;
        }
        assert_eq!(going.end.await.unwrap().unwrap().state, State::Succeeded, "slept at append {n}");
        world.check_end(NEW, &format!("slept at append {n}")).await;
    }
    assert!(waited > 3 && went_on > 3, "{waited} waited, {went_on} went on");
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_ends_the_driver_with_a_clear_sentence_and_nothing_is_lost() {
    let mut n = 2;
    loop {
        let world = World::new(6).await;
        let (ana, handle) = world.person("ana");
        handle.plan(n, Trouble::Full(3));
        let ended = ana.deploy(world.wish("new")).await.unwrap().end.await.unwrap();
        let Err(problem) = ended else {
            assert!(!handle.has_happened() && n > 10);
            return;
        };
        assert!(problem.to_string().contains("no space left"), "{problem}");
        // While it is still full, resuming says the same and keeps nobody out.
        let still = ana.resume(DeploymentId(NEW), false).await.unwrap_err();
        assert!(still.to_string().contains("no space left"), "{still}");
        // Two of three failures are over; the third meets somebody else's machine, without any waiting.
        let (ben, _) = world.person("ben");
        let going = ben.resume(DeploymentId(NEW), false).await.unwrap().unwrap();
        assert_eq!(going.end.await.unwrap().unwrap().state, State::Succeeded);
        world.check_end(NEW, &format!("full at append {n}")).await;
        n += 1;
    }
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_is_driven_is_not_driven_twice_by_one_process() {
    let world = World::new(6).await;
    let (ana, _) = world.person("ana");
    let going = ana.deploy(world.wish("new")).await.unwrap();
    let second = ana.resume(DeploymentId(NEW), false).await;
    assert!(matches!(second, Err(Problem::Driven { .. })), "{second:?}");
    let queued = ana.deploy(world.wish("newer")).await.unwrap();
    assert_eq!(going.end.await.unwrap().unwrap().state, State::Succeeded, "its lease was left alone");
    assert_eq!(queued.end.await.unwrap().unwrap().state, State::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn whoever_takes_over_looks_at_the_balancers_before_the_next_host_is_taken_out() {
    let mut world = World::balanced(4).await;
    world.rollout.min_available = Some(Share::Percent(75));
    world.rollout.max_parallel = Share::Hosts(1);
    let (ana, handle) = world.person("ana");
    let going = ana.deploy(world.wish("new")).await.unwrap();
    let watched = |deployment: &Deployment| matches!(&deployment.hosts["web1"].state, HostState::Doing(doing) if doing.stage == Stage::Observe);
    world.until(NEW, watched).await;
    handle.plan(1, Trouble::DiesBefore);
    handle.died().await;
    going.end.abort();
    // While nobody was in charge, the balancer has found another host sick: without it, none may be taken out.
    world.fleet.finds_sick("web4");
    let (ben, _) = world.person("ben");
    let going = ben.resume(DeploymentId(NEW), true).await.unwrap().unwrap();
    let known = |deployment: &Deployment| !deployment.hosts["web4"].serving;
    let waiting = world.until(NEW, known).await;
    assert_eq!(
        waiting.hosts["web2"].state,
        HostState::Prepared,
        "web2 was taken out, and two of four served"
    );
    world.fleet.mend();
    assert_eq!(going.end.await.unwrap().unwrap().state, State::Succeeded);
}
