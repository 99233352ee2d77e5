//! Levels: memory, processor time, mean times.

use std::time::Duration;

use andon_core::analysis::{
    Arm, Baseline, HoldReason, Measure, Metric, Reading, Role, Spec, Standing, Status, Verdict,
};

use super::world::{World, metric};

/// An hour of a level that is `times` as high on the new release, with some noise.
fn run(critical: bool, times: f64) -> Standing {
    let memory = Metric { measure: Measure::Level, critical, weight: 0.2, ..metric("memory", Role::Other) };
    let errors = Metric { critical: true, ..metric("errors", Role::Errors) };
    let spec = Spec { observe: Duration::from_secs(600), ..Spec::new(vec![errors, memory]) };
    let mut world = World::new(spec, Baseline::default(), 2, 6);
    world.tick = 10_000;
    for _ in 0..360 {
        let mut tick = world.make(|_, _| 0.01);
        for seen in tick.members.values_mut() {
            let level = if seen.arm == Arm::Canary { 500.0 * times } else { 500.0 };
            seen.readings.push(Reading::Level(level * (1.0 + 0.02 * (world.chance.uniform() - 0.5))));
        }
        world.hear(tick);
    }
    world.judge.standing()
}

#[test]
fn a_critical_level_that_is_surely_higher_fails() {
    let standing = run(true, 2.0);
    assert_eq!(standing.verdict, Some(Verdict::Fail), "{standing:?}");
    assert!(standing.sentence.starts_with("memory is higher on the new release: 1,00"), "{standing:?}");
    assert!(standing.metrics[1].blamed && standing.metrics[1].low.unwrap() > 1.1);
}

#[test]
fn another_level_holds_and_a_person_decides() {
    let standing = run(false, 2.0);
    assert_eq!(standing.status, Status::Hold { reason: HoldReason::Level });
    assert_eq!(standing.verdict, Some(Verdict::Inconclusive), "{standing:?}");
    assert!(standing.sentence.contains("memory is higher"), "{standing:?}");
}

#[test]
fn a_level_that_is_alike_passes_also_when_critical() {
    for critical in [true, false] {
        let standing = run(critical, 1.0);
        assert_eq!(standing.verdict, Some(Verdict::Pass), "{standing:?}");
    }
}
