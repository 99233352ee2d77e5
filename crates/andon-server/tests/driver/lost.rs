//! Hosts that vanish, come back, or take too long, as the driver meets them.

use std::time::Duration;

use andon_core::deployment::{Cause, DeploymentId, PauseReason, State};
use andon_core::host::Stage;

use crate::fleet::Fault;
use crate::world::{World, release};

const NEW: u64 = 2;

#[tokio::test(start_paused = true)]
async fn hosts_that_vanish_pause_the_run_and_are_changed_when_they_are_back() {
    let world = World::new(6).await;
    world.fleet.fault("web3", Stage::Prepare, Fault::Vanishes);
    world.fleet.fault("web5", Stage::Activate, Fault::Vanishes);
    let (ana, _) = world.person("ana");
    let going = ana.deploy(world.wish("new")).await.unwrap();
    let paused = world.until(NEW, |deployment| matches!(deployment.state, State::Paused { .. })).await;
    let State::Paused { reason: PauseReason::Unreachable { count: 2, max: 1 }, .. } = paused.state else {
        panic!("{:?}", paused.state)
    };
    world.fleet.comes_back();
    assert!(ana.resume(DeploymentId(NEW), false).await.unwrap().is_none());
    assert_eq!(going.end.await.unwrap().unwrap().state, State::Succeeded);
    world.check_end(NEW, "both came back").await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_vanishes_while_all_are_put_back_holds_the_scope() {
    let world = World::new(4).await;
    world.fleet.fails("web2", Stage::Observe, &release("new").id);
    world.fleet.fails("web3", Stage::Observe, &release("new").id);
    let (ana, _) = world.person("ana");
    let going = ana.deploy(world.wish("new")).await.unwrap();
    world.until(NEW, |deployment| matches!(deployment.state, State::RollingBack { .. })).await;
    world.fleet.fault("web1", Stage::Verify, Fault::Vanishes);
    let ended = going.end.await.unwrap().unwrap();
    assert!(
        matches!(&ended.state, State::RollbackFailed { hosts, .. } if hosts.len() == 1),
        "{:?}",
        ended.state
    );
    assert!(matches!(world.scope().await.lock, andon_core::scope::Lock::Held { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_step_that_nobody_waits_for_is_ended_and_does_not_hold_its_host_up() {
    let world = World::new(6).await;
    // While web2 is watched for an hour, web3 and web4 fail one after the other.
    world.fleet.slow("web2", Stage::Observe, Duration::from_secs(3600));
    for host in ["web3", "web4"] {
        world.fleet.fails(host, Stage::Verify, &release("new").id);
    }
    let (ana, _) = world.person("ana");
    let began = tokio::time::Instant::now();
    let going = ana.deploy(world.wish("new")).await.unwrap();
    let ended = going.end.await.unwrap().unwrap();
    assert!(matches!(ended.state, State::RolledBack { .. }), "{:?}", ended.state);
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "it waited for the watching to end: {:?}",
        began.elapsed()
    );
    assert_eq!(world.fleet.activations("web2", &release("new").id), 1);
    world.check_end(NEW, "put back").await;
}

#[tokio::test(start_paused = true)]
async fn a_long_prepare_is_no_lack_of_progress_and_a_verify_as_long_is() {
    for (stage, stalls) in [(Stage::Prepare, false), (Stage::Verify, true)] {
        let world = World::new(4).await;
        world.fleet.slow("web3", stage, Duration::from_secs(1200));
        let (ana, _) = world.person("ana");
        let ended = ana.deploy(world.wish("new")).await.unwrap().end.await.unwrap().unwrap();
        let stalled = matches!(ended.state, State::RolledBack { cause: Cause::NoProgress { .. } });
        assert_eq!(stalled, stalls, "{stage}: {:?}", ended.state);
        assert!(stalls || ended.state == State::Succeeded, "{stage}: {:?}", ended.state);
        world.check_end(NEW, "slow").await;
    }
}
