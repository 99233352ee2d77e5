//! Scenarios: a deployment meets a fleet that behaves as told. No clock, no sleep; every legal end is reached
//! and the invariants are asked after every single fact.

use std::time::Duration;

use super::*;
use crate::host::{Outcome, Stage, TokenStatus};
use crate::plan::tests::Fleet;
use crate::quantity::Share;
use world::{Answer, World, ana};

mod watched;
mod world;

#[test]
fn a_good_release_reaches_every_host_wave_by_wave() {
    let mut world = World::new(&Fleet::running(8));
    assert_eq!(*world.run(), State::Succeeded);
    assert_eq!(
        world.activated(Way::Forward),
        ["web1", "web2", "web3", "web4", "web5", "web6", "web7", "web8"]
    );
    assert!(world.states().values().all(|state| *state == "succeeded"));
    let prepared_last = world
        .facts
        .iter()
        .rposition(|(_, fact)| matches!(fact, Fact::Host { state: HostState::Prepared, .. }));
    let activated_first = world.facts.iter().position(
        |(_, fact)| matches!(fact, Fact::Host { state: HostState::Doing(doing), .. } if doing.stage == Stage::Activate),
    );
    assert!(prepared_last < activated_first, "the whole fleet is prepared ahead of the first change");
}

#[test]
fn the_story_tells_of_each_wave_of_the_plan_and_of_no_other() {
    let mut world = World::new(&Fleet::running(8));
    world.run();
    let facts = world.facts.iter().map(|(at, fact)| (*at, fact));
    let told = story::story(&world.deployment, facts);
    let waves: Vec<&str> =
        told.iter().map(|(_, line)| line.as_str()).filter(|line| line.starts_with("wave ")).collect();
    let planned: Vec<String> =
        (1..=world.deployment.plan.as_ref().unwrap().waves.len()).map(|n| format!("wave {n}")).collect();
    assert_eq!(waves, planned);
}

#[test]
fn a_failing_canary_is_put_back_and_the_others_are_never_touched() {
    let mut world = World::new(&Fleet::running(6)).host("web1", Stage::Verify, &[Answer::Fails]);
    assert!(matches!(world.run(), State::RolledBack { cause: Cause::Canary { .. } }));
    assert_eq!(world.activated(Way::Forward), ["web1"]);
    assert_eq!(world.activated(Way::Back), ["web1"]);
    let counts = world.deployment.host_counts();
    assert_eq!((counts.changed, counts.restored), (1, 1));
    assert_eq!(world.states()["web2"], "cancelled");
}

#[test]
fn a_host_that_fails_before_it_is_changed_is_not_said_to_be_out_of_service() {
    let mut world = World::new(&Fleet::running(6)).host("web2", Stage::Prepare, &[Answer::Fails]).host(
        "web1",
        Stage::Prepare,
        &[Answer::Fails],
    );
    assert!(matches!(world.run(), State::Failed { .. }));
    let detail = world.deployment.ending().unwrap().detail;
    assert_eq!(detail, "2 hosts failed before anything was changed there, 4 hosts never touched.");
}

#[test]
fn the_way_back_from_a_deployment_that_did_not_get_through_is_what_ran_before_it() {
    use crate::plan::tests::release;
    use crate::release::ReleaseStatus::Good;
    use crate::scope::{Scope, ScopeFact};
    let mut scope = Scope::default();
    for content in ["older", "current"] {
        let (deployment, because) = (DeploymentId(1), String::new());
        let marked = ScopeFact::Marked { release: release(content), status: Good, deployment, because };
        scope.apply(Time(1), &marked);
        scope.apply(Time(1), &ScopeFact::Current { release: release(content).id });
    }
    let back = |last: Option<&Summary>| Summary::way_back(last, &scope).unwrap().release.id.clone();
    assert_eq!(back(None), release("older").id);
    let mut last = World::new(&Fleet::running(2)).deployment.summary();
    assert_eq!(back(Some(&last)), release("current").id, "it is still at work");
    last.ended = Some(Time(2));
    for (state, expected) in [
        ("aborted", "current"),
        ("failed", "current"),
        ("rollback_failed", "current"),
        ("rolled_back", "older"),
        ("succeeded", "older"),
    ] {
        last.state = state.to_owned();
        assert_eq!(back(Some(&last)), release(expected).id, "{state}");
    }
    let waits = Summary { started: None, ended: None, ..last.clone() };
    assert!(!Summary { hosts: HostCounts::default(), ..waits.clone() }.touched_hosts(), "it waits");
    assert!(Summary { started: Some(Time(1)), ..waits }.touched_hosts(), "it is under way");
    last.state = "failed".to_owned();
    (last.kind, last.release) = (Kind::Rollback, release("older").id);
    assert_eq!(back(Some(&last)), release("older").id, "a rollback is tried again");
}

#[test]
fn one_bad_host_late_in_the_run_is_set_aside_and_does_not_undo_a_good_release() {
    let mut world = World::new(&Fleet::running(8)).host("web6", Stage::Verify, &[Answer::Fails]);
    assert_eq!(*world.run(), State::Succeeded);
    assert_eq!(world.states()["web6"], "reverted");
    assert_eq!(world.deployment.set_aside().count(), 1);
    assert_eq!(world.activated(Way::Back), ["web6"]);
}

#[test]
fn the_same_step_failing_on_two_hosts_is_a_bad_release() {
    let mut world = World::new(&Fleet::running(8)).host("web3", Stage::Verify, &[Answer::Fails]).host(
        "web5",
        Stage::Verify,
        &[Answer::Fails],
    );
    assert!(matches!(
        world.run(),
        State::RolledBack { cause: Cause::Correlated { stage: Stage::Verify, .. } }
    ));
    assert!(world.deployment.touched().all(|(_, run)| run.state == HostState::Reverted));
}

#[test]
fn different_failures_exceed_the_budget_by_number() {
    let mut world = World::new(&Fleet::running(8)).host("web3", Stage::Verify, &[Answer::Fails]).host(
        "web5",
        Stage::Activate,
        &[Answer::Fails],
    );
    let state = world.run().clone();
    assert!(
        matches!(state, State::RolledBack { cause: Cause::Budget { failed: 2, max: 1, .. } }),
        "{state:?}"
    );
}

#[test]
fn a_first_release_that_fails_has_nothing_to_go_back_to_and_says_so() {
    let mut world = World::new(&Fleet::fresh(3)).host("web1", Stage::Verify, &[Answer::Fails]);
    assert!(matches!(world.run(), State::Failed { cause: Cause::Canary { .. } }));
    assert_eq!(world.states()["web2"], "cancelled");
}

#[test]
fn a_failure_while_preparing_changes_nothing_anywhere() {
    let mut world = World::new(&Fleet::running(4)).host("web1", Stage::Prepare, &[Answer::Fails]);
    assert!(matches!(world.run(), State::Failed { .. }));
    assert_eq!(world.activated, []);
    assert_eq!(world.deployment.available(), 4);
}

#[test]
fn a_cut_connection_is_asked_about_and_never_repeated_blindly() {
    for status in [TokenStatus::Running, TokenStatus::Finished(Outcome::Succeeded), TokenStatus::NeverStarted]
    {
        let mut world =
            World::new(&Fleet::running(4)).host("web2", Stage::Activate, &[Answer::Cut(status.clone())]);
        assert_eq!(*world.run(), State::Succeeded, "{status:?}");
        let tokens: Vec<_> = world
            .facts
            .iter()
            .filter_map(|(_, fact)| match fact {
                Fact::Host { host, state: HostState::Doing(doing) }
                    if host.as_str() == "web2" && doing.stage == Stage::Activate =>
                {
                    Some(doing.token.clone())
                }
                _ => None,
            })
            .collect();
        assert!(
            tokens.windows(2).all(|pair| pair[0] == pair[1]),
            "{status:?}: one token, so one effect: {tokens:?}"
        );
    }
}

#[test]
fn a_host_that_rebooted_in_the_middle_is_activated_again_under_a_new_token() {
    let interrupted = [Answer::Cut(TokenStatus::Interrupted)];
    let mut world = World::new(&Fleet::running(4)).host("web2", Stage::Activate, &interrupted);
    assert_eq!(*world.run(), State::Succeeded);
    assert_eq!(world.activated(Way::Forward).iter().filter(|host| **host == "web2").count(), 1);
}

#[test]
fn an_unreachable_host_is_not_a_failed_one() {
    let mut world = World::new(&Fleet::running(8)).host("web4", Stage::Activate, &[Answer::Dead]);
    assert_eq!(*world.run(), State::Succeeded);
    let counts = world.deployment.host_counts();
    assert_eq!((counts.unreachable, counts.failed), (1, 0));
    // The one line that everybody reads says that somebody is missing.
    assert!(world.deployment.ending().unwrap().headline.ends_with(" serves, without web4"));
}

#[test]
fn too_many_unreachable_hosts_pause_and_resume_calls_them_again() {
    let mut world = World::new(&Fleet::running(8)).host("web4", Stage::Prepare, &[Answer::Dead]).host(
        "web5",
        Stage::Prepare,
        &[Answer::Dead],
    );
    let state = world.run().clone();
    assert!(
        matches!(state, State::Paused { reason: PauseReason::Unreachable { count: 2, max: 1 }, .. }),
        "{state:?}"
    );
    world.dead.clear();
    world.ask(Ask::Resume);
    assert_eq!(*world.run(), State::Succeeded);
    assert!(world.states().values().all(|state| *state == "succeeded"));
}

#[test]
fn invariant_i7_a_lost_canary_teaches_nothing_and_is_no_success() {
    let mut world = World::new(&Fleet::running(4)).host("web1", Stage::Activate, &[Answer::Dead]);
    assert!(matches!(world.run(), State::Paused { reason: PauseReason::NothingLearned, .. }));
    let mut alone = World::new(&Fleet::running(1)).host("web1", Stage::Activate, &[Answer::Dead]);
    assert!(matches!(alone.run(), State::Failed { .. }));
}

#[test]
fn a_host_lost_while_it_is_put_back_ends_in_rollback_failed() {
    let mut world = World::new(&Fleet::running(4))
        .host("web1", Stage::Verify, &[Answer::Fails])
        .on_the_way_back("web1", Stage::Activate, &[Answer::Dead]);
    let state = world.run().clone();
    assert!(matches!(&state, State::RollbackFailed { hosts, .. } if hosts.len() == 1), "{state:?}");
}

#[test]
fn a_host_that_never_answers_in_time_is_put_back_for_lack_of_progress() {
    let mut world = World::new(&Fleet::running(4)).host("web2", Stage::Verify, &[Answer::Hangs]);
    world.run();
    assert!(matches!(world.deployment.state, State::RollingBack { cause: Cause::NoProgress { .. } }));
    world.script.clear();
    assert!(matches!(world.run(), State::RolledBack { .. }));
}

#[test]
fn pause_lets_the_host_in_its_cycle_finish_and_starts_no_other() {
    let mut world = World::new(&Fleet::running(4)).host("web2", Stage::Verify, &[Answer::Hangs]);
    while !matches!(&world.deployment.hosts[&name("web2")].state, HostState::Doing(d) if d.stage == Stage::Verify)
    {
        world.settle();
        world.now = world.now + Duration::from_secs(1);
        let news = world.deployment.orders().into_iter().find_map(|(h, o)| world.answer(h, &o)).unwrap();
        let facts = world.deployment.handle(world.now, news);
        world.record(facts);
    }
    world.ask(Ask::Pause);
    world.script.clear();
    assert!(matches!(world.run(), State::Paused { reason: PauseReason::Manual, .. }));
    assert_eq!((world.states()["web2"], world.states()["web3"]), ("succeeded", "prepared"));
    world.ask(Ask::Resume);
    assert_eq!(*world.run(), State::Succeeded);
}

#[test]
fn abort_leaves_things_as_they_are_or_puts_them_back_as_asked() {
    for rollback in [false, true] {
        let mut fleet = Fleet::running(4);
        fleet.service.rollout.progress_deadline = Duration::from_secs(3600);
        let mut world = World::new(&fleet).host("web3", Stage::Activate, &[Answer::Hangs]);
        world.settle();
        while world.states()["web3"] != "activating" {
            let news = world.deployment.orders().into_iter().find_map(|(h, o)| world.answer(h, &o)).unwrap();
            let facts = world.deployment.handle(world.now, news);
            world.record(facts);
            world.settle();
        }
        world.ask(Ask::Abort { rollback });
        world.settle();
        assert_eq!(world.deployment.state.name(), "aborting", "until every host is at a safe point");
        world.script.clear();
        let end = world.run().name();
        assert_eq!(end, if rollback { "rolled_back" } else { "aborted" });
        assert_eq!(world.activated(Way::Back).len(), if rollback { 3 } else { 0 });
    }
}

#[test]
fn a_bake_watches_every_host_and_still_rolls_back() {
    let mut fleet = Fleet::running(4);
    fleet.service.rollout.bake = Duration::from_secs(300);
    let mut world = World::new(&fleet);
    assert_eq!(*world.run(), State::Succeeded);
    let watched = |fact: &Fact| matches!(fact, Fact::Host { state: HostState::Doing(d), .. } if d.stage == Stage::Observe);
    assert_eq!(
        world.facts.iter().filter(|(_, fact)| watched(fact)).count(),
        8,
        "once in its wave, once in the bake"
    );

    let bad = |host: &str, world: World| {
        let mut world = world.host(host, Stage::Observe, &[]);
        world.settle();
        world
    };
    let mut world = bad("web2", World::new(&fleet));
    while !matches!(world.deployment.state, State::Baking { .. }) {
        let news = world.deployment.orders().into_iter().find_map(|(h, o)| world.answer(h, &o)).unwrap();
        let facts = world.deployment.handle(world.now, news);
        world.record(facts);
        world.settle();
    }
    world =
        world.host("web2", Stage::Observe, &[Answer::Fails]).host("web3", Stage::Observe, &[Answer::Fails]);
    assert!(matches!(world.run(), State::RolledBack { .. }));
    assert_eq!(world.activated(Way::Back).len(), 4);
}

#[test]
fn a_controller_that_takes_charge_asks_about_every_open_step() {
    let mut world = World::new(&Fleet::running(8)).host("web1", Stage::Activate, &[Answer::Hangs]);
    world.settle();
    while world.states()["web1"] != "activating" {
        let news = world.deployment.orders().into_iter().find_map(|(h, o)| world.answer(h, &o)).unwrap();
        let facts = world.deployment.handle(world.now, news);
        world.record(facts);
        world.settle();
    }
    // Away for longer than the progress deadline: that time is nobody's fault.
    world.now = world.now + Duration::from_secs(7200);
    let facts = world.deployment.take_charge(world.now, Fence(9), ana());
    world.record(facts);
    assert_eq!(world.states()["web1"], "unknown");
    assert!(matches!(world.deployment.orders()[0].1, OpenOrder::Ask { .. }));
    world.script.clear();
    assert_eq!(*world.run(), State::Succeeded);
    assert_eq!(world.deployment.fence, Fence(9));
}

#[test]
fn a_controller_that_comes_back_by_itself_asks_a_person_when_a_host_was_out_of_traffic_for_long() {
    for (stage, away, pauses) in [
        (Stage::Activate, 601, true),
        (Stage::Verify, 601, true),
        (Stage::Activate, 599, false),
        (Stage::Prepare, 7200, false),
    ] {
        let mut world = World::new(&Fleet::running(8)).host("web1", stage, &[Answer::Hangs]);
        world.settle();
        let name =
            Doing { stage, way: Way::Forward, token: crate::host::Token::try_from("t".to_owned()).unwrap() };
        let wanted = HostState::Doing(name).name();
        while world.states()["web1"] != wanted {
            let news = world.deployment.orders().into_iter().find_map(|(h, o)| world.answer(h, &o)).unwrap();
            let facts = world.deployment.handle(world.now, news);
            world.record(facts);
            world.settle();
        }
        world.now = world.now + Duration::from_secs(away);
        let facts = world.deployment.take_charge_unasked(world.now, Fence(9), ana());
        world.record(facts);
        let State::Paused { reason, .. } = &world.deployment.state else {
            assert!(!pauses, "{stage} {away}");
            continue;
        };
        assert!(pauses, "{stage} {away}");
        assert_eq!(
            reason.to_string(),
            "its controller was away, with web1 out of traffic for 10 min 1 s",
            "{stage} {away}"
        );
        // The host in its cycle finishes it; no other one starts before a person says so.
        world.script.clear();
        world.run();
        assert!(matches!(world.deployment.state, State::Paused { .. }), "{:?}", world.deployment.state);
        assert_eq!((world.states()["web1"], world.states()["web2"]), ("succeeded", "prepared"));
    }
}

#[test]
fn invariant_i6_a_terminal_state_is_never_left() {
    let mut world = World::new(&Fleet::running(2));
    world.run();
    let before = world.deployment.clone();
    let late = [
        Fact::Entered { state: State::Running { phase: Phase::Wave(0) } },
        Fact::Host { host: name("web1"), state: HostState::Pending },
        Fact::Asked { ask: Ask::Abort { rollback: true }, by: ana(), why: None },
    ];
    for fact in late {
        world.deployment.apply(before.latest, &fact);
    }
    assert_eq!(world.deployment, before);
    assert!(world.deployment.admits(&Ask::Pause).is_err());
    assert!(world.deployment.decide(world.now).is_empty());
}

#[test]
fn a_clock_that_goes_backwards_changes_nothing() {
    let mut world =
        World::new(&Fleet::running(4)).host("web2", Stage::Activate, &[Answer::Cut(TokenStatus::Running)]);
    world.settle();
    let facts = world.deployment.decide(Time(0));
    assert!(facts.is_empty());
    world.deployment.apply(Time(0), &Fact::InCharge { fence: Fence(8), by: ana() });
    assert!(world.deployment.progress >= Time(1_000_000));
}

#[test]
fn a_rollback_is_wide_and_never_undoes_itself() {
    let mut fleet = Fleet::running(8);
    fleet.kind = Kind::Rollback;
    let mut world = World::new(&fleet).host("web2", Stage::Verify, &[Answer::Fails]);
    let end = world.run().clone();
    assert!(matches!(end, State::Failed { cause: Cause::Incomplete { .. } }), "{end:?}");
    assert_eq!(world.activated(Way::Back), Vec::<&str>::new());
    assert_eq!(world.activated(Way::Forward).len(), 8, "the others are restored all the same");
}

#[test]
fn the_sentence_says_what_is_waited_for() {
    let mut world = World::new(&Fleet::running(4)).host("web1", Stage::Activate, &[Answer::Hangs]);
    world.settle();
    assert!(world.deployment.waiting(world.now).unwrap().starts_with("waiting for web1: preparing"));
    world.run();
    let sentence = world.deployment.waiting(world.now).unwrap();
    assert!(sentence.contains("web1"), "{sentence}");
}

#[test]
fn the_end_of_a_deployment_is_remembered_by_its_scope() {
    use crate::release::ReleaseStatus;
    use crate::scope::{Lock, Scope};
    let remembered = |world: &World| {
        let mut scope = Scope::default();
        for fact in world.deployment.consequences(&scope) {
            scope.apply(world.now, &fact);
        }
        let status = scope.releases.get(&world.deployment.request.release.id).map(|known| known.status);
        (status, scope)
    };
    let mut good = World::new(&Fleet::running(4));
    assert_eq!(remembered(&good).0, None, "nothing is judged before the end");
    good.run();
    let (status, scope) = remembered(&good);
    assert_eq!(status, Some(ReleaseStatus::Good));
    assert_eq!(scope.current.as_ref(), Some(&good.deployment.request.release.id));

    let mut bad = World::new(&Fleet::running(4)).host("web1", Stage::Verify, &[Answer::Fails]);
    bad.run();
    let (status, scope) = remembered(&bad);
    assert_eq!((status, &scope.lock, &scope.current), (Some(ReleaseStatus::Bad), &Lock::Free, &None));

    let mut stuck = World::new(&Fleet::running(4))
        .host("web1", Stage::Verify, &[Answer::Fails])
        .on_the_way_back("web1", Stage::Activate, &[Answer::Fails]);
    stuck.run();
    assert!(matches!(remembered(&stuck).1.lock, Lock::Held { .. }));
}

fn name(text: &str) -> HostName {
    HostName::new(text).unwrap()
}

mod causes;
mod clock;
mod judging;
mod line;
mod site;
mod stories;
mod switch;
mod traffic;
mod trouble;
