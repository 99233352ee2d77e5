//! What rollouts are said to see, against the figures of the design and in words.

use std::time::Duration;

use super::super::{Measure, Metric, Role, Worse};
use super::*;

fn metric(name: &str, worse: Worse, role: Role) -> Metric {
    Metric {
        name: MetricName::new(name).unwrap(),
        measure: Measure::Rate,
        worse,
        role,
        weight: 1.0,
        critical: true,
        margin: 1.1,
        negligible: 0.0,
        harm: 2.0,
    }
}

fn errors_and_slow() -> Vec<Metric> {
    vec![
        metric("errors", Worse::Higher, Role::Errors),
        metric("slow-p90", Worse::Higher, Role::Slow),
        metric("slow-p99", Worse::Higher, Role::Slow),
    ]
}

fn known(rate: f64, dispersion: f64, spread: f64) -> MetricBaseline {
    MetricBaseline { dispersion, spread, rate: Some(rate), thin: false, ..MetricBaseline::default() }
}

fn baseline(metrics: Vec<MetricBaseline>) -> Baseline {
    Baseline { metrics, ..Baseline::default() }
}

fn usual() -> Baseline {
    // Of 1 and 19 instances, a spread of 0.0595 makes a margin of 1.13.
    let spread = 1.13_f64.ln() / 2.0 / (1.0 + 1.0 / 19.0_f64).sqrt();
    baseline(vec![known(0.001, 6.2, spread), known(0.1, 13.0, 0.03), known(0.01, 30.0, 0.03)])
}

fn traffic(per_instance: f64, stages: &[(u32, u32)]) -> Traffic {
    let stages =
        stages.iter().map(|(canaries, controls)| StageSize { canaries: *canaries, controls: *controls });
    Traffic { per_instance, stages: stages.collect() }
}

fn after(outlook: &Outlook, metric: usize, ratio: f64) -> Option<f64> {
    let detections = &outlook.stages[0].metrics[metric].detections;
    detections.iter().find(|seen| seen.ratio == ratio).unwrap().after.map(|after| after.as_secs_f64())
}

#[test]
fn a_tenfold_error_rate_is_seen_when_the_closed_form_says() {
    // φ 6.2, ρ 1.13, 0.1 % of 50 requests/s, α 0.002: 116 s with endless old instances.
    let spec = Spec { alpha: 0.002, exceptions: 0.0, ..Spec::new(errors_and_slow()) };
    let endless = StageSize { canaries: 1, controls: 100_000 };
    let spread = 1.13_f64.ln() / 2.0;
    let known = baseline(vec![self::known(0.001, 6.2, spread)]);
    let endless = Traffic { per_instance: 50.0, stages: vec![endless] };
    let seconds = after(&outlook(&spec, &known, &endless), 0, 10.0).unwrap();
    assert!((seconds / 116.0 - 1.0).abs() < 0.05, "{seconds}");
    // Nineteen know the old rate less well.
    let real = after(&outlook(&spec, &usual(), &traffic(50.0, &[(1, 19)])), 0, 10.0).unwrap();
    assert!(real > seconds && real < 1.4 * seconds, "{real}");
}

#[test]
fn more_harm_more_instances_and_more_traffic_are_seen_sooner() {
    let spec = Spec::new(errors_and_slow());
    let small = outlook(&spec, &usual(), &traffic(50.0, &[(1, 19)]));
    let times: Vec<Option<f64>> = RATIOS.iter().map(|ratio| after(&small, 0, *ratio)).collect();
    assert_eq!(times[..2], [None, None]);
    assert!(times[3..].iter().flatten().is_sorted_by(|a, b| a >= b), "{times:?}");
    let wide = outlook(&spec, &usual(), &traffic(50.0, &[(5, 95)]));
    let busy = outlook(&spec, &usual(), &traffic(250.0, &[(1, 19)]));
    for better in [wide, busy] {
        assert!(after(&better, 0, 10.0) < after(&small, 0, 10.0));
    }
}

#[test]
fn no_fault_is_seen_before_the_cap_lets_it() {
    let spec = Spec::new(errors_and_slow());
    let huge = outlook(&spec, &usual(), &traffic(1e6, &[(50, 50)]));
    // ln(3 · 10 / (0.005 · 0.03)) / ln 10 bursts are more than four.
    assert!(after(&huge, 0, 50.0).unwrap() > 10.0);
}

#[test]
fn a_stage_is_described_in_words() {
    let spec = Spec::new(errors_and_slow());
    let lines = outlook(&spec, &usual(), &traffic(50.0, &[(1, 19), (7, 13)])).lines();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_stage_that_sees_nothing_says_so() {
    let spec = Spec::new(vec![metric("errors", Worse::Higher, Role::Errors)]);
    let lines = outlook(&spec, &usual(), &traffic(0.2, &[(1, 4)])).lines();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn what_history_does_not_know_is_unknown() {
    let mut metrics = errors_and_slow();
    metrics.push(metric("orders", Worse::Lower, Role::Other));
    let lines = outlook(&Spec::new(metrics), &usual(), &traffic(50.0, &[(2, 18)])).lines();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn fewer_orders_are_seen_too() {
    let spec = Spec::new(vec![metric("orders", Worse::Lower, Role::Other)]);
    let known = baseline(vec![self::known(0.02, 2.0, 0.03)]);
    let lines = outlook(&spec, &known, &traffic(50.0, &[(2, 18)])).lines();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn without_old_instances_there_is_nothing_to_compare_with() {
    let lines = outlook(&Spec::new(errors_and_slow()), &usual(), &traffic(50.0, &[(20, 0)])).lines();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn odd_numbers_break_nothing() {
    let spec = Spec { tick: Duration::ZERO, window: Duration::from_secs(30), ..Spec::new(errors_and_slow()) };
    for per_instance in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
        let outlook = outlook(&spec, &usual(), &traffic(per_instance, &[(0, 0), (1, 0), (0, 1), (1, 1)]));
        assert!(!outlook.lines().is_empty());
    }
}

#[test]
fn a_service_without_errors_can_pass_and_its_first_errors_are_seen() {
    let mut errors = metric("errors", Worse::Higher, Role::Errors);
    errors.negligible = 0.001;
    let known = MetricBaseline { rate: Some(0.0), thin: false, ..MetricBaseline::default() };
    let baseline = Baseline { metrics: vec![known], ..Baseline::default() };
    let stages = vec![StageSize { canaries: 1, controls: 19 }];
    let outlook = outlook(&Spec::new(vec![errors]), &baseline, &Traffic { per_instance: 50.0, stages });
    let stage = &outlook.stages[0];
    assert!(stage.passes_after().is_some_and(|after| after < Duration::from_secs(180)), "{stage:?}");
    assert!(!stage.is_blind());
}
