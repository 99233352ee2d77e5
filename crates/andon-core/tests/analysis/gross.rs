//! Hard guards: what is beyond doubt is acted on at once, also while instances are warming up.

use std::time::Duration;

use andon_core::analysis::{Alarm, Arm, HoldReason, Reading, Status, Verdict};

use super::world::World;

fn restarted(times: u32) -> Alarm {
    Alarm::Restarted { times, how: "exit status 1".into() }
}

#[test]
fn a_crash_loop_of_the_only_canary_fails_at_once() {
    let mut world = World::errors(1, 5);
    (world.tick, world.age) = (1_000, Some(Duration::ZERO));
    let mut tick = world.make(|_, _| 0.0);
    World::alarm(&mut tick, "web1", restarted(1));
    world.hear(tick);
    assert_eq!(world.judge.standing().verdict, None);
    let mut tick = world.make(|_, _| 0.0);
    World::alarm(&mut tick, "web1", restarted(1));
    world.hear(tick);
    assert_eq!(world.judge.standing().verdict, Some(Verdict::Fail));
    assert_eq!(world.sentence(), "web1 ended and was started again 2 times: exit status 1");
}

#[test]
fn one_of_several_is_suspected_and_two_are_the_release() {
    let mut world = World::errors(4, 8);
    let mut tick = world.make(|_, _| 0.0);
    World::alarm(&mut tick, "web2", Alarm::OutOfMemory);
    world.hear(tick);
    let standing = world.judge.standing();
    assert_eq!((standing.verdict, standing.suspects.len()), (None, 1));
    assert_eq!(standing.status, Status::Hold { reason: HoldReason::Suspect });
    assert!(standing.sentence.starts_with("web2 was ended by the kernel for its memory: a bad host"));
    let mut tick = world.make(|_, _| 0.0);
    World::alarm(&mut tick, "web4", Alarm::OutOfMemory);
    world.hear(tick);
    assert_eq!(world.judge.standing().verdict, Some(Verdict::Fail));
}

#[test]
fn each_alarm_has_its_sentence() {
    for (alarm, told) in [
        (Alarm::Unhealthy { why: "status 503".into() }, "web1 fails its health check: status 503"),
        (Alarm::OutOfMemory, "web1 was ended by the kernel for its memory"),
        (Alarm::Silent { span: Duration::from_secs(7) }, "web1 has not been heard for 7 s"),
        (
            Alarm::Exhausting { what: "open files".into(), within: Duration::from_secs(300) },
            "web1 reaches its limit of open files in 5 min at its present growth",
        ),
        (Alarm::DiskLow { free_percent: 3 }, "web1 has 3 % of its disk free"),
    ] {
        let mut world = World::errors(1, 5);
        let mut tick = world.make(|_, _| 0.0);
        World::alarm(&mut tick, "web1", alarm);
        world.hear(tick);
        assert_eq!((world.judge.standing().verdict, world.sentence().as_str()), (Some(Verdict::Fail), told));
    }
}

#[test]
fn what_is_not_gross_is_nothing() {
    let mut world = World::errors(1, 5);
    let mut tick = world.make(|_, _| 0.0);
    for alarm in [
        Alarm::Silent { span: Duration::from_secs(4) },
        Alarm::DiskLow { free_percent: 9 },
        Alarm::Exhausting { what: "memory".into(), within: Duration::from_secs(3600) },
        restarted(1),
    ] {
        World::alarm(&mut tick, "web1", alarm);
    }
    world.hear(tick);
    assert_eq!(world.judge.standing().verdict, None);
}

#[test]
fn what_the_old_release_suffers_as_well_is_not_the_new_ones() {
    let mut world = World::errors(2, 4);
    let mut tick = world.make(|_, _| 0.0);
    for name in ["web1", "web2", "web4", "web5", "web6"] {
        World::alarm(&mut tick, name, Alarm::Unhealthy { why: "database away".into() });
    }
    world.hear(tick);
    let standing = world.judge.standing();
    assert_eq!((standing.verdict, standing.suspects.len()), (None, 0));
    assert_eq!(standing.status, Status::Hold { reason: HoldReason::NoControl });
}

#[test]
fn gross_errors_fail_in_two_ticks_of_any_length() {
    for tick in [1_000, 2_000, 5_000] {
        let mut world = World::errors(1, 5);
        (world.tick, world.age) = (tick, Some(Duration::ZERO));
        world.run(20, 1.0);
        let begin = world.at;
        let failing = |_: &str, arm: Arm| if arm == Arm::Canary { 0.8 } else { 0.001 };
        world.run_with(60, failing);
        assert_eq!(world.judge.standing().verdict, Some(Verdict::Fail));
        assert!(world.at - begin <= 2 * tick, "{tick}");
        assert!(world.sentence().starts_with("web1 failed "), "{}", world.sentence());
    }
}

#[test]
fn a_canary_that_hangs_answers_nothing_and_fails() {
    let mut world = World::errors(1, 5);
    (world.tick, world.load) = (1_000, 50.0);
    world.run(10, 1.0);
    for _ in 0..2 {
        let mut tick = world.make(|_, _| 0.001);
        tick.members.get_mut("web1").unwrap().readings = vec![Reading::Count { events: 0, of: 0 }];
        world.hear(tick);
    }
    assert_eq!(world.judge.standing().verdict, Some(Verdict::Fail));
    assert!(world.sentence().starts_with("web1 has answered none of "), "{}", world.sentence());
}

#[test]
fn a_host_that_comes_back_and_does_it_again_is_the_release() {
    let mut world = World::errors(3, 8);
    let mut tick = world.make(|_, _| 0.0);
    World::alarm(&mut tick, "web1", Alarm::OutOfMemory);
    world.hear(tick);
    world.canaries.retain(|name| name != "web1");
    world.run(10, 1.0);
    assert_eq!(world.judge.standing().status, Status::Observing);
    world.canaries.push("web1".into());
    let mut tick = world.make(|_, _| 0.0);
    tick.members.get_mut("web1").unwrap().age = Some(Duration::from_secs(2));
    World::alarm(&mut tick, "web1", Alarm::OutOfMemory);
    world.hear(tick);
    assert_eq!(world.judge.standing().verdict, Some(Verdict::Fail));
}

#[test]
fn a_new_exception_on_the_new_release_alone_fails() {
    let cry = |times| Alarm::NewException {
        fingerprint: "a1".into(),
        sample: "NullPointerException in Cart.total".into(),
        times,
    };
    let run = |also_old: bool, ticks: u32| {
        let mut world = World::errors(2, 18);
        for n in 0..ticks {
            let mut tick = world.make(|_, _| 0.001);
            World::alarm(&mut tick, if n % 2 == 0 { "web1" } else { "web2" }, cry(3));
            if also_old && n == 1 {
                World::alarm(&mut tick, "web9", cry(1));
            }
            world.hear(tick);
        }
        world.judge.standing()
    };
    let standing = run(false, 12);
    assert_eq!(standing.verdict, Some(Verdict::Fail), "{standing:?}");
    assert!(standing.sentence.contains("a new exception"), "{}", standing.sentence);
    assert!(standing.sentence.ends_with("NullPointerException in Cart.total"), "{}", standing.sentence);
    assert_eq!(run(true, 12).verdict, None);
    // One client that makes one host cry a hundred times has happened once.
    let mut world = World::errors(2, 18);
    for n in 0..20 {
        let mut tick = world.make(|_, _| 0.001);
        if n == 5 {
            World::alarm(&mut tick, "web1", cry(100));
        }
        world.hear(tick);
    }
    assert_eq!(world.judge.standing().verdict, None);
}
