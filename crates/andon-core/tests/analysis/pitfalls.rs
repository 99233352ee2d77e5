//! What has made others judge wrongly, one test each.

use std::time::Duration;

use andon_core::analysis::{
    Arm, Baseline, HoldReason, Judge, Metric, Reading, Role, Spec, Status, Tick, Verdict, Worse,
};

use super::world::{Chance, World, known, member, metric};

fn held(world: &World) -> Option<HoldReason> {
    match world.judge.standing().status {
        Status::Hold { reason } => Some(reason),
        _ => None,
    }
}

/// Runs harmless releases and counts how many fail.
fn false_alarms(runs: u64, mut run: impl FnMut(u64) -> World) -> u64 {
    (0..runs).filter(|seed| run(*seed).judge.standing().verdict == Some(Verdict::Fail)).count() as u64
}

#[test]
fn peeking_at_every_tick_does_not_make_alarms() {
    let alarms = false_alarms(20, |seed| {
        let mut world = World::errors(1, 5);
        world.chance = Chance(seed);
        (world.load, world.tick) = (20.0, 10_000);
        world.judge =
            Judge::new(Spec { beta: 1e-9, ..world.judge.spec().clone() }, world.judge.baseline().clone());
        world.run(1800, 1.0);
        world
    });
    assert_eq!(alarms, 0);
}

#[test]
fn many_metrics_do_not_make_alarms() {
    let metrics: Vec<_> = (0..30).map(|n| metric(&format!("m{n}"), Role::Other)).collect();
    let alarms = false_alarms(10, |seed| {
        let baseline = Baseline { metrics: vec![known(0.002); 30], ..Baseline::default() };
        let mut world = World::new(Spec::new(metrics.clone()), baseline, 1, 5);
        world.chance = Chance(seed);
        for _ in 0..60 {
            let mut tick = world.make(|_, _| 0.0);
            for seen in tick.members.values_mut() {
                let read = |_| Reading::Count { events: world.chance.poisson(0.4), of: 200 };
                seen.readings = (0..30).map(read).collect();
            }
            world.hear(tick);
        }
        world
    });
    assert_eq!(alarms, 0);
}

#[test]
fn low_traffic_with_no_errors_before_is_not_a_ratio_of_infinity() {
    let mut world = World::errors(1, 1);
    world.load = 1.0;
    world.run_with(600, |_, _| 0.0);
    let mut tick = world.make(|_, _| 0.0);
    tick.members.get_mut("web1").unwrap().readings = vec![Reading::Count { events: 2, of: 5 }];
    world.hear(tick);
    let standing = world.judge.standing();
    assert_ne!(standing.verdict, Some(Verdict::Fail));
    assert_eq!((standing.metrics[0].ratio, standing.metrics[0].high), (None, None));
}

#[test]
fn a_day_that_wakes_up_while_the_canary_grows_cancels() {
    let mut world = World::errors(1, 19);
    for step in 0..180_u32 {
        if step % 20 == 19 {
            let moved = world.controls.remove(0);
            world.canaries.push(moved);
        }
        world.load = 20.0 + f64::from(step);
        let rate = 0.001 * (1.0 + f64::from(step) / 30.0);
        let tick = world.make(|_, _| rate);
        world.hear(tick);
    }
    let standing = world.judge.standing();
    assert_ne!(standing.verdict, Some(Verdict::Fail), "{standing:?}");
    assert!((0.7..1.4).contains(&standing.metrics[0].ratio.unwrap()));
}

#[test]
fn a_shared_incident_cancels_and_holds_what_would_pass() {
    let mut world = World::errors(2, 18);
    world.run(60, 1.0);
    world.rate = 0.02;
    world.run(120, 1.0);
    assert_eq!(world.judge.standing().verdict, None);
    assert_eq!(held(&world), Some(HoldReason::Environment), "{:?}", world.judge.standing());
    assert!(world.sentence().contains("unlike the last weeks"), "{}", world.sentence());
    world.rate = 0.001;
    world.run(900, 1.0);
    assert_ne!(world.judge.standing().verdict, Some(Verdict::Fail));
    assert_ne!(held(&world), Some(HoldReason::Environment));
}

#[test]
fn cold_caches_are_not_compared() {
    let mut world = World::errors(2, 18);
    world.age = Some(Duration::ZERO);
    let cold = |_: &str, arm: Arm| if arm == Arm::Canary { 0.2 } else { 0.001 };
    world.run_with(55, cold);
    let standing = world.judge.standing();
    assert!(matches!(standing.status, Status::Warmup { .. }) && standing.verdict.is_none(), "{standing:?}");
    world.run(600, 1.0);
    assert_ne!(world.judge.standing().verdict, Some(Verdict::Fail));
}

#[test]
fn hosts_that_always_differ_are_known_by_history() {
    let run = |factor: f64| {
        let mut baseline = Baseline { metrics: vec![known(0.005)], ..Baseline::default() };
        baseline.metrics[0].factors.insert(member("web1"), factor);
        let mut world = World::new(Spec::new(vec![metric("errors", Role::Errors)]), baseline, 1, 9);
        world.run_with(900, |name, _| if name == "web1" { 0.015 } else { 0.005 });
        world.judge.standing().verdict
    };
    assert_eq!(run(1.0), Some(Verdict::Fail));
    assert_ne!(run(3.0), Some(Verdict::Fail));
}

#[test]
fn one_client_that_fails_a_hundred_times_condemns_nobody() {
    let mut world = World::errors(1, 5);
    for n in 0..60 {
        let mut tick = world.make(|_, _| 0.001);
        if n == 30 {
            tick.members.get_mut("web1").unwrap().readings = vec![Reading::Count { events: 100, of: 250 }];
        }
        world.hear(tick);
    }
    assert_ne!(world.judge.standing().verdict, Some(Verdict::Fail), "{:?}", world.judge.standing());
}

#[test]
fn bursts_are_measured_by_their_dispersion() {
    let alarms = |dispersion: f64| {
        false_alarms(20, |seed| {
            let mut world = World::errors(1, 5);
            let mut baseline = world.judge.baseline().clone();
            baseline.metrics[0].dispersion = dispersion;
            world.judge = Judge::new(Spec { beta: 1e-9, ..world.judge.spec().clone() }, baseline);
            world.chance = Chance(seed * 31 + 1);
            for _ in 0..200 {
                let mut tick = world.make(|_, _| 0.0);
                for seen in tick.members.values_mut() {
                    let events = 8 * world.chance.poisson(0.5 / 8.0);
                    seen.readings = vec![Reading::Count { events, of: 250 }];
                }
                world.hear(tick);
            }
            world
        })
    };
    assert!(alarms(1.0) > 2);
    assert_eq!(alarms(8.0), 0);
}

#[test]
fn a_canary_that_nobody_calls_is_not_judged() {
    let mut world = World::errors(2, 8);
    for _ in 0..190 {
        let mut tick = world.make(|_, _| 0.001);
        for name in ["web1", "web2"] {
            tick.members.get_mut(name).unwrap().readings = vec![Reading::Count { events: 0, of: 0 }];
        }
        world.hear(tick);
    }
    let standing = world.judge.standing();
    assert_eq!(held(&world), Some(HoldReason::NoTraffic));
    assert_eq!(standing.verdict, Some(Verdict::None), "{standing:?}");
    assert!(standing.sentence.contains("the new release got 0 requests"), "{}", standing.sentence);
}

#[test]
fn a_control_group_that_the_canary_poisons_rolls_back_on_suspicion() {
    for suspicion in [false, true] {
        let mut world = World::errors(2, 18);
        let spec = Spec { suspicion, ..world.judge.spec().clone() };
        world.judge = Judge::new(spec, world.judge.baseline().clone());
        world.run(60, 1.0);
        world.run_with(300, |_, arm| if arm == Arm::Canary { 0.1 } else { 0.03 });
        let standing = world.judge.standing();
        assert_eq!(standing.verdict, Some(Verdict::Fail), "{standing:?}");
    }
    // The same without a word of difference between the arms: only a second sign would make it a failure.
    let mut world = World::errors(2, 18);
    let spec = Spec { suspicion: true, ..world.judge.spec().clone() };
    world.judge = Judge::new(spec, world.judge.baseline().clone());
    world.run_with(170, |_, _| 0.03);
    assert_eq!(held(&world), Some(HoldReason::Environment));
    assert_eq!(world.judge.standing().verdict, None);
}

#[test]
fn a_broken_control_group_is_nothing_to_compare_with() {
    let mut world = World::errors(2, 8);
    world.run_with(30, |_, arm| if arm == Arm::Control { 0.9 } else { 0.01 });
    assert_eq!(held(&world), Some(HoldReason::NoControl), "{:?}", world.judge.standing());
    assert!(world.sentence().contains("nothing to compare with"));
    let mut world = World::new(Spec::new(vec![metric("errors", Role::Errors)]), Baseline::default(), 2, 0);
    world.run(901, 1.0);
    assert_eq!(held(&world), Some(HoldReason::NoControl));
    assert_eq!(world.judge.standing().verdict, Some(Verdict::None));
}

#[test]
fn a_fault_that_begins_late_is_seen_soon() {
    let mut world = World::errors(1, 19);
    world.judge =
        Judge::new(Spec { beta: 1e-9, ..world.judge.spec().clone() }, world.judge.baseline().clone());
    world.run(890, 1.0);
    assert_eq!(world.judge.standing().verdict, None);
    let begin = world.at;
    while world.judge.standing().verdict != Some(Verdict::Fail) && world.at - begin < 900_000 {
        let tick = world.make(|_, arm| if arm == Arm::Canary { 0.01 } else { 0.001 });
        world.hear(tick);
    }
    assert!(world.at - begin < 300_000, "{}", world.at - begin);
}

#[test]
fn a_metric_that_was_renamed_never_passes() {
    let mut world = World::errors(3, 9);
    for _ in 0..185 {
        let mut tick = world.make(|_, _| 0.001);
        for name in ["web1", "web2", "web3"] {
            tick.members.get_mut(name).unwrap().readings = vec![Reading::Missing];
        }
        world.hear(tick);
    }
    let standing = world.judge.standing();
    assert_eq!((standing.verdict, held(&world)), (Some(Verdict::None), Some(HoldReason::NoData)));
    assert!(standing.sentence.contains("it may have been renamed"), "{}", standing.sentence);
}

#[test]
fn a_source_that_is_away_is_named_and_what_it_says_acts_on_no_terminal() {
    let mut world = World::errors(3, 9);
    for _ in 0..10 {
        let mut tick: Tick = world.make(|_, _| 0.001);
        tick.members.values_mut().for_each(|seen| seen.readings.clear());
        tick.silent = vec!["prometheus at 10.0.0.9\ndoes not answer\u{1b}[2J".into()];
        world.hear(tick);
    }
    assert_eq!(held(&world), Some(HoldReason::NoData));
    let said = world.sentence();
    assert!(said.contains("prometheus at 10.0.0.9 does not answer\\x1b[2J"), "{said}");
}

#[test]
fn not_a_number_is_missing_and_nought_is_not() {
    let level = andon_core::analysis::Metric {
        measure: andon_core::analysis::Measure::Level,
        ..metric("memory", Role::Other)
    };
    let run = |value: f64| {
        let mut world = World::new(Spec::new(vec![level.clone()]), Baseline::default(), 2, 4);
        for _ in 0..10 {
            let mut tick = world.make(|_, _| 0.0);
            tick.members.values_mut().for_each(|seen| seen.readings = vec![Reading::Level(value)]);
            world.hear(tick);
        }
        held(&world)
    };
    assert_eq!(run(f64::NAN), Some(HoldReason::NoData));
    assert_eq!(run(0.0), None);
}

#[test]
fn late_doubled_and_skewed_ticks_count_for_nothing() {
    let mut plain = World::errors(2, 8);
    let mut messy = World::errors(2, 8);
    for n in 0..100 {
        let tick = plain.make(|_, _| 0.002);
        plain.hear(tick.clone());
        messy.hear(tick.clone());
        if n % 7 == 0 {
            messy.hear(tick.clone());
            let late = andon_core::time::Time(tick.at.0 - 30_000);
            messy.hear(Tick { at: late, ..tick });
        }
    }
    let (plain, messy) = (plain.judge.standing(), messy.judge.standing());
    assert_eq!(plain.metrics, messy.metrics);
    assert_eq!(plain.ln_evidence.to_bits(), messy.ln_evidence.to_bits());
}

#[test]
fn orders_that_stop_are_harm_and_orders_that_grow_are_not() {
    let orders = andon_core::analysis::Metric { worse: Worse::Lower, ..metric("orders", Role::Other) };
    let run = |rate: f64| {
        let baseline = Baseline { metrics: vec![known(0.02)], ..Baseline::default() };
        let mut world = World::new(Spec::new(vec![orders.clone()]), baseline, 1, 9);
        world.run_with(899, |_, arm| if arm == Arm::Canary { rate } else { 0.02 });
        world.judge.standing()
    };
    let fallen = run(0.004);
    assert_eq!(fallen.verdict, Some(Verdict::Fail), "{fallen:?}");
    assert!(fallen.sentence.starts_with("orders on web1 were 0."), "{}", fallen.sentence);
    assert!(fallen.sentence.contains("at most"), "{}", fallen.sentence);
    assert_eq!(run(0.04).verdict, Some(Verdict::Pass));
}

#[test]
fn success_is_judged_by_its_failures() {
    let success = andon_core::analysis::Metric { worse: Worse::Lower, ..metric("success", Role::Other) };
    let baseline = Baseline { metrics: vec![known(0.99)], ..Baseline::default() };
    let mut world = World::new(Spec::new(vec![success]), baseline, 1, 9);
    world.run_with(300, |_, arm| if arm == Arm::Canary { 0.90 } else { 0.99 });
    let standing = world.judge.standing();
    assert_eq!(standing.verdict, Some(Verdict::Fail), "{standing:?}");
    assert!(standing.metrics[0].high.unwrap() < 1.0 && standing.metrics[0].ratio.unwrap() > 0.8);
}

#[test]
fn either_side_is_harm_where_it_is_asked_for() {
    let size = andon_core::analysis::Metric { worse: Worse::Either, ..metric("hits", Role::Other) };
    let run = |rate: f64| {
        let baseline = Baseline { metrics: vec![known(0.05)], ..Baseline::default() };
        let mut world = World::new(Spec::new(vec![size.clone()]), baseline, 1, 9);
        world.run_with(899, |_, arm| if arm == Arm::Canary { rate } else { 0.05 });
        world.judge.standing().verdict
    };
    assert_eq!(run(0.15), Some(Verdict::Fail));
    assert_eq!(run(0.01), Some(Verdict::Fail));
    assert_eq!(run(0.05), Some(Verdict::Pass));
}

#[test]
fn after_the_last_wave_the_release_is_compared_with_what_is_usual() {
    let run = |times: f64| {
        let mut world = World::errors(2, 18);
        world.run(60, 1.0);
        let controls = std::mem::take(&mut world.controls);
        world.canaries.extend(controls);
        let entry = andon_core::analysis::Entry::Stage { at: andon_core::time::Time(world.at) };
        world.judge.apply(&entry);
        world.run(800, times);
        world.judge.standing()
    };
    let bad = run(6.0);
    assert_eq!(bad.verdict, Some(Verdict::Fail), "{bad:?}");
    assert!(bad.sentence.contains("× what is usual at this hour"), "{}", bad.sentence);
    assert_eq!(run(1.0).verdict, Some(Verdict::Pass));
}

#[test]
fn evidence_is_carried_through_stages_and_the_window_is_not() {
    let mut world = World::errors(5, 95);
    world.run(900, 1.0);
    assert_eq!(world.judge.standing().verdict, Some(Verdict::Pass));
    let before = world.judge.standing().metrics[0].canary;
    world.judge.apply(&andon_core::analysis::Entry::Stage { at: andon_core::time::Time(world.at) });
    let standing = world.judge.standing();
    assert_eq!((standing.verdict, standing.metrics[0].canary), (None, before));
    assert!(world.run(900, 1.0) >= 120);
    assert_eq!(world.judge.standing().verdict, Some(Verdict::Pass));
}

#[test]
fn vitals_that_no_machine_tells_hold_nothing_and_other_numbers_do() {
    let verdict = |role| {
        let silent = Metric { critical: false, ..metric("log-errors", role) };
        let spec = Spec::new(vec![metric("errors", Role::Errors), silent]);
        let baseline = Baseline { metrics: vec![known(0.001), known(0.001)], ..Baseline::default() };
        let mut world = World::new(spec, baseline, 3, 3);
        world.load = 400.0;
        while world.judge.verdict().is_none() {
            let mut tick = world.make(|_, _| 0.001);
            tick.members
                .values_mut()
                .for_each(|seen| seen.readings = vec![seen.readings[0], Reading::Missing]);
            world.hear(tick);
        }
        (world.judge.verdict(), world.sentence())
    };
    assert_eq!(verdict(Role::Vital).0, Some(Verdict::Pass));
    let (held, sentence) = verdict(Role::Other);
    assert_eq!(held, Some(Verdict::None));
    assert!(sentence.contains("log-errors is not heard of either release"), "{sentence}");
}

#[test]
fn that_nobody_came_is_said() {
    let mut world = World::errors(1, 5);
    while world.judge.verdict().is_none() {
        let mut tick = world.make(|_, _| 0.0);
        let nothing = Reading::Count { events: 0, of: 0 };
        tick.members.values_mut().for_each(|seen| seen.readings = vec![nothing]);
        world.hear(tick);
    }
    assert_eq!(world.judge.verdict(), Some(Verdict::None));
    assert!(world.sentence().ends_with("the new release got no requests"), "{}", world.sentence());
}

#[test]
fn a_window_too_short_to_prove_what_was_seen_says_what_was_seen() {
    let mut world = World::errors(3, 3);
    let spec = Spec {
        window: Duration::from_secs(12),
        observe: Duration::from_secs(3),
        ..world.judge.spec().clone()
    };
    world.judge = Judge::new(Spec { warmup: Duration::ZERO, ..spec }, world.judge.baseline().clone());
    (world.load, world.tick) = (50.0, 1_000);
    world.run_with(60, |_, arm| if arm == Arm::Canary { 0.2 } else { 0.0 });
    let standing = world.judge.standing();
    assert_eq!(standing.verdict, Some(Verdict::Inconclusive), "{standing:#?}");
    assert!(
        standing.sentence.contains("too short to prove what was seen: errors on the new release"),
        "{standing:#?}"
    );
}

#[test]
fn one_tick_out_of_step_does_not_turn_the_event_around() {
    // Nothing is known of orders, of which a fifth of all requests is one. In the first tick, twice as many orders as
    // belong to its requests are told.
    let orders = Metric { worse: Worse::Lower, harm: 3.0, ..metric("orders", Role::Other) };
    let spec = Spec { warmup: Duration::ZERO, ..Spec::new(vec![orders]) };
    let mut world = World::new(spec, Baseline::default(), 1, 5);
    world.load = 25.0;
    let mut first = world.make(|_, _| 0.2);
    for seen in first.members.values_mut() {
        seen.readings = vec![Reading::Count { events: 13, of: 25 }];
    }
    world.hear(first);
    // The new release loses nine of ten.
    world.run_with(120, |_, arm| if arm == Arm::Canary { 0.02 } else { 0.2 });
    let standing = world.judge.standing();
    assert_eq!(standing.verdict, Some(Verdict::Fail), "{standing:?}");
    assert!(standing.sentence.starts_with("orders on web1 were 0."), "{}", standing.sentence);
}
