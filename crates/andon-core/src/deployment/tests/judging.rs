//! What verdicts lead to: the gate between two waves, the way back, and one host that is unlike the others.

use std::time::Duration;

use super::super::*;
use super::world::World;
use crate::analysis::{
    Arm, Measure, Metric, MetricStanding, Policy, Role, Standing, Status, Suspect, Verdict, Worse,
};
use crate::host::Stage;
use crate::line::{Source, Watch, WatchRules, Watched};
use crate::name::{MemberName, MetricName};
use crate::plan::tests::Fleet;
use crate::quantity::Share;

fn watched(hosts: usize, rules: WatchRules) -> World {
    let mut fleet = Fleet::running(hosts).balanced();
    fleet.service.watch = Some(watch(rules));
    World::new(&fleet)
}

fn watch(rules: WatchRules) -> Watch {
    let metric = Metric {
        name: MetricName::new("errors").unwrap(),
        measure: Measure::Rate,
        worse: Worse::Higher,
        role: Role::Errors,
        weight: 1.0,
        critical: true,
        margin: 1.1,
        harm: 2.0,
        negligible: 0.0,
    };
    Watch { metrics: vec![Watched { metric, source: Source::Errors }], vitals: true, rules }
}

fn no_holdback() -> WatchRules {
    WatchRules { holdback: Duration::ZERO, ..WatchRules::default() }
}

fn standing(verdict: Option<Verdict>) -> Standing {
    Standing {
        at: Time(0),
        entries: 7,
        status: Status::Observing,
        verdict,
        suspects: Vec::new(),
        metrics: vec![MetricStanding {
            name: MetricName::new("errors").unwrap(),
            canary: (41, 2210),
            control: (9, 4700),
            ratio: Some(9.6),
            low: Some(4.1),
            high: None,
            ln_worse: 8.0,
            ln_harmless: 0.0,
            blamed: verdict == Some(Verdict::Fail),
        }],
        ln_evidence: 8.0,
        sampled: true,
        sentence: "errors on web1 were 9.6 × the old release".to_owned(),
    }
}

fn hear(world: &mut World, standing: Standing) {
    let stage = world.deployment.stage_since();
    let facts = world.deployment.handle(world.now, Input::Judged { stage, standing: Box::new(standing) });
    world.record(facts);
}

fn waits_after(world: &World, wave: usize) -> bool {
    matches!(&world.deployment.state, State::Running { phase: Phase::Judge { wave: at, .. } } if *at == wave)
}

#[test]
fn every_wave_but_the_last_waits_for_a_pass() {
    let mut world = watched(8, no_holdback());
    for wave in 0..3 {
        world.run();
        assert!(waits_after(&world, wave), "wave {wave}: {:?}", world.deployment.state);
        hear(&mut world, standing(None));
        world.run();
        assert!(waits_after(&world, wave), "no verdict is no pass");
        hear(&mut world, standing(Some(Verdict::Pass)));
    }
    assert_eq!(*world.run(), State::Succeeded);
    assert!(world.deployment.judged.is_none(), "it counts for its stage only");
    assert_eq!(world.deployment.analysis().unwrap().verdict, Some(Verdict::Pass), "and is remembered");
}

#[test]
fn the_last_of_a_large_fleet_are_held_back_for_a_while() {
    let mut world = watched(100, WatchRules::default());
    assert_eq!(world.deployment.plan.as_ref().unwrap().holdback, 2);
    for _ in 0..4 {
        world.run();
        hear(&mut world, standing(Some(Verdict::Pass)));
    }
    let began = world.deployment.stage_since().unwrap();
    assert_eq!(world.deployment.available(), 100);
    let old = world.deployment.compared(world.now).values().filter(|at| at.arm == Arm::Control).count();
    assert_eq!(old, 2);
    assert_eq!(*world.run(), State::Succeeded);
    let changed = world.deployment.hosts["web100"].since;
    assert!(changed.since(began) >= Duration::from_secs(600), "{:?}", changed.since(began));
}

#[test]
fn a_failure_puts_back_from_any_phase_and_marks_the_release_bad() {
    for waves in 0..3 {
        let mut world = watched(8, no_holdback());
        for _ in 0..waves {
            world.run();
            hear(&mut world, standing(Some(Verdict::Pass)));
        }
        world.run();
        let touched = world.deployment.touched().count();
        hear(&mut world, standing(Some(Verdict::Fail)));
        let State::RolledBack { cause } = world.run().clone() else { panic!("{:?}", world.deployment.state) };
        assert_eq!(cause.to_string(), "errors on web1 were 9.6 × the old release");
        assert!(cause.blames_the_release());
        assert_eq!(world.activated(Way::Back).len(), touched);
    }
}

#[test]
fn a_failure_is_heard_while_hosts_change_while_paused_and_while_all_are_watched() {
    let mut world = watched(8, no_holdback());
    world.run();
    hear(&mut world, standing(Some(Verdict::Pass)));
    world.run_until(|fact| matches!(fact, Fact::Host { state: HostState::Doing(doing), .. } if doing.stage == Stage::Verify));
    hear(&mut world, standing(Some(Verdict::Fail)));
    assert!(matches!(world.run(), State::RolledBack { .. }));

    let mut world = watched(8, no_holdback());
    world.run();
    world.ask(Ask::Pause);
    world.run();
    hear(&mut world, standing(Some(Verdict::Fail)));
    assert!(matches!(world.run(), State::RolledBack { .. }));
}

#[test]
fn what_is_not_known_is_decided_by_the_line_and_never_in_silence() {
    let undecided = |verdict, rules| {
        let mut world = watched(8, rules);
        world.run();
        hear(&mut world, standing(Some(verdict)));
        world.run();
        world
    };
    let rules = |inconclusive, no_data| WatchRules { inconclusive, no_data, ..no_holdback() };
    for verdict in [Verdict::Inconclusive, Verdict::None] {
        let world = undecided(verdict, rules(Some(Policy::Proceed), Policy::Proceed));
        assert!(waits_after(&world, 1), "{:?}", world.deployment.state);
        let recorded = world
            .facts
            .iter()
            .any(|(_, fact)| matches!(fact, Fact::Judged { standing } if standing.verdict == Some(verdict)));
        assert!(recorded, "the ledger says that nothing was known");

        let world = undecided(verdict, rules(Some(Policy::RollBack), Policy::RollBack));
        let State::RolledBack { cause } = &world.deployment.state else {
            panic!("{:?}", world.deployment.state)
        };
        assert!(!cause.blames_the_release(), "nothing was proven against it");

        let mut world = undecided(verdict, rules(Some(Policy::Hold), Policy::Hold));
        assert!(matches!(
            &world.deployment.state,
            State::Paused { reason: PauseReason::Undecided { .. }, at: Phase::Judge { wave: 0, .. } }
        ));
        world.ask(Ask::Resume);
        world.run();
        assert!(waits_after(&world, 1), "a person lets it go on without a verdict");
    }
    // By default nothing seen is for a person, and so is what leans to harm, and a number that the line calls critical.
    assert!(matches!(undecided(Verdict::None, no_holdback()).deployment.state, State::Paused { .. }));
    assert!(matches!(undecided(Verdict::Inconclusive, no_holdback()).deployment.state, State::Paused { .. }));
    let mut world = watched(8, no_holdback());
    world.run();
    hear(&mut world, Standing { ln_evidence: 2.0, ..standing(Some(Verdict::Inconclusive)) });
    world.run();
    assert!(waits_after(&world, 1), "{:?}", world.deployment.state);
    let orders = |critical| {
        let mut watch = watch(no_holdback());
        watch.metrics[0].source =
            Source::Pushed { name: "orders".into(), of: None, every: Duration::from_secs(10) };
        watch.metrics[0].metric.critical = critical;
        watch
    };
    assert_eq!(orders(true).inconclusive(), Policy::Hold);
    assert_eq!(orders(false).inconclusive(), Policy::Proceed);
}

#[test]
fn a_verdict_counts_for_its_own_stage_only() {
    let mut world = watched(8, no_holdback());
    world.run();
    let late = world.deployment.stage_since();
    hear(&mut world, standing(Some(Verdict::Pass)));
    world.run();
    assert!(waits_after(&world, 1));
    let pass = Box::new(standing(Some(Verdict::Pass)));
    let input = Input::Judged { stage: late, standing: pass };
    assert_eq!(world.deployment.handle(world.now, input), [], "it was given on the stage before");
}

#[test]
fn one_host_that_is_unlike_the_others_is_put_back_and_the_others_go_on() {
    let mut fleet = Fleet::running(8).balanced();
    fleet.service.watch = Some(watch(no_holdback()));
    fleet.service.rollout.waves = vec![Share::Hosts(2), Share::Percent(100)];
    let mut world = World::new(&fleet);
    world.run();
    assert!(waits_after(&world, 0));
    let member = MemberName::new("web2").unwrap();
    let suspects = vec![Suspect { member, why: "errors on web2 alone are 9 × those of web1".into() }];
    hear(&mut world, Standing { suspects: suspects.clone(), ..standing(None) });
    world.run();
    assert!(waits_after(&world, 0), "{:?}", world.deployment.state);
    assert_eq!(world.states()["web2"], "reverted");
    let compared = world.deployment.compared(world.now);
    assert!(!compared.contains_key("web2"), "it is no measure for others");
    assert_eq!(compared["web1"].arm, Arm::Canary);
    // It is said again and again; that changes nothing.
    hear(&mut world, Standing { suspects, ..standing(None) });
    hear(&mut world, standing(Some(Verdict::Pass)));
    assert_eq!(*world.run(), State::Succeeded);
    assert_eq!(world.activated(Way::Back), ["web2"]);
}

#[test]
fn new_hosts_are_compared_with_those_that_still_serve_on_the_old_release() {
    let mut world = watched(8, no_holdback());
    world.run();
    world.now = world.now + Duration::from_secs(40);
    let compared = world.deployment.compared(world.now);
    let canaries: Vec<_> = compared.iter().filter(|(_, at)| at.arm == Arm::Canary).collect();
    assert_eq!(canaries.len(), 1);
    let age = canaries[0].1.age.unwrap();
    assert!(age >= Duration::from_secs(40) && age < Duration::from_secs(60), "{age:?}");
    assert_eq!(compared.len(), 8);
    assert!(compared.values().filter(|at| at.arm == Arm::Control).all(|at| at.age.is_none()));
}

#[test]
fn nothing_is_judged_where_nothing_old_serves_nor_on_the_way_back() {
    let mut fleet = Fleet::fresh(4).balanced();
    let watch = Some(watch(WatchRules::default()));
    fleet.service.watch = watch.clone();
    assert!(fleet.plan().unwrap().watch().is_none());
    assert_eq!(*World::new(&fleet).run(), State::Succeeded);
    let mut fleet = Fleet::running(4).balanced();
    fleet.service.watch = watch;
    fleet.kind = Kind::Rollback;
    assert!(fleet.plan().unwrap().watch().is_none());
    assert_eq!(*World::new(&fleet).run(), State::Succeeded);
}

#[test]
fn the_question_to_a_person_says_how_to_answer() {
    let mut world = watched(8, no_holdback());
    world.run();
    hear(&mut world, standing(Some(Verdict::None)));
    world.run();
    let waiting = world.deployment.waiting(world.now).unwrap();
    assert!(
        waiting.contains("andon resume 128") && waiting.contains("andon abort 128 --rollback"),
        "{waiting}"
    );
}

#[test]
fn without_anything_that_counts_waves_follow_each_other_and_a_failure_is_heard_all_the_same() {
    let mut fleet = Fleet::running(8).balanced();
    fleet.service.watch = Some(Watch { metrics: Vec::new(), ..watch(no_holdback()) });
    let mut world = World::new(&fleet);
    world.run_until(|fact| matches!(fact, Fact::Entered { state: State::Running { phase: Phase::Wave(2) } }));
    hear(&mut world, standing(Some(Verdict::Fail)));
    assert!(matches!(world.run(), State::RolledBack { .. }));
    fleet.service.watch = Some(Watch { metrics: Vec::new(), vitals: false, ..watch(no_holdback()) });
    assert!(fleet.plan().unwrap().watch().is_none());
}

#[test]
fn where_no_balancer_counts_requests_are_not_watched() {
    let mut fleet = Fleet::running(8).balanced();
    let mut usual = watch(no_holdback());
    usual.metrics.push(Watched {
        source: Source::Pushed { name: "orders".into(), of: None, every: Duration::from_secs(10) },
        ..usual.metrics[0].clone()
    });
    fleet.service.watch = Some(usual.clone());
    assert_eq!(fleet.plan().unwrap().watch(), Some(&usual));
    fleet.pools[0].pool.balancer = crate::line::BalancerKind::AgentCheck { port: 9101 };
    let left = fleet.plan().unwrap().watch().unwrap().clone();
    assert_eq!((left.metrics.len(), left.vitals), (1, true));
    assert_eq!(left.metrics[0].source, usual.metrics[1].source);
}
