//! Whatever comes: no panic, no number that is none, and a state that can be stored.

use std::collections::BTreeMap;
use std::time::Duration;

use andon_core::analysis::{
    Alarm, Arm, Baseline, Entry, Judge, Measure, Metric, MetricBaseline, Reading, Role, Seen, Spec, Tick,
    Worse,
};
use andon_core::time::Time;
use proptest::prelude::*;

use super::world::{member, metric};

fn readings() -> impl Strategy<Value = Reading> {
    prop_oneof![
        Just(Reading::Missing),
        any::<f64>().prop_map(Reading::Level),
        (any::<u64>(), any::<u64>()).prop_map(|(events, of)| Reading::Count { events, of }),
        (0..30_u64, 0..500_u64).prop_map(|(events, of)| Reading::Count { events, of }),
    ]
}

fn alarms() -> impl Strategy<Value = Alarm> {
    prop_oneof![
        any::<u32>().prop_map(|times| Alarm::Restarted { times, how: String::new() }),
        any::<u64>().prop_map(|s| Alarm::Silent { span: Duration::from_millis(s) }),
        any::<u32>().prop_map(|times| Alarm::NewException {
            fingerprint: (times % 200).to_string(),
            sample: "x".repeat(500),
            times
        }),
        Just(Alarm::OutOfMemory),
        any::<u8>().prop_map(|free_percent| Alarm::DiskLow { free_percent }),
    ]
}

fn seen() -> impl Strategy<Value = Seen> {
    let age = proptest::option::of((0..200_000_u64).prop_map(Duration::from_millis));
    let arm = prop_oneof![Just(Arm::Canary), Just(Arm::Control)];
    let readings = proptest::collection::vec(readings(), 0..6);
    let alarms = prop_oneof![9 => Just(Vec::new()), 1 => proptest::collection::vec(alarms(), 0..3)];
    (arm, age, readings, alarms).prop_map(|(arm, age, readings, alarms)| Seen { arm, age, readings, alarms })
}

fn entries() -> impl Strategy<Value = Entry> {
    let at = prop_oneof![9 => (0..10_000_000_i64).boxed(), 1 => any::<i64>().boxed()].prop_map(Time);
    let members =
        proptest::collection::btree_map((0..9_u8).prop_map(|n| member(&format!("web{n}"))), seen(), 0..9);
    let over = prop_oneof![(0..20_000_u64).boxed(), any::<u64>().boxed()].prop_map(Duration::from_millis);
    prop_oneof![
        1 => at.clone().prop_map(|at| Entry::Stage { at }),
        9 => (at, over, members).prop_map(|(at, over, members)| Entry::Tick(Tick {
            at, over, members, silent: Vec::new()
        })),
    ]
}

fn metrics() -> Vec<Metric> {
    let worse = [Worse::Higher, Worse::Higher, Worse::Lower, Worse::Either];
    let roles = [Role::Errors, Role::Slow, Role::Other, Role::Other];
    let mut metrics: Vec<Metric> = (0..4)
        .map(|n| Metric { worse: worse[n], critical: n % 2 == 0, ..metric(&format!("m{n}"), roles[n]) })
        .collect();
    metrics[3].measure = Measure::Level;
    metrics
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]
    #[test]
    fn anything_may_come(
        mut entries in proptest::collection::vec(entries(), 0..60),
        numbers in proptest::collection::vec(any::<f64>(), 8),
        sorted in any::<bool>(),
    ) {
        if sorted {
            entries.sort_by_key(|entry| match entry {
                Entry::Stage { at } => *at,
                Entry::Tick(tick) => tick.at,
            });
        }
        let known = MetricBaseline {
            factors: BTreeMap::from([(member("web1"), numbers[0]), (member("web2"), numbers[1])]),
            dispersion: numbers[2],
            spread: numbers[3],
            rate: Some(numbers[4]),
            slow_above: None, thin: false,
        };
        let traffic = BTreeMap::from([(member("web1"), numbers[5])]);
        let usual = MetricBaseline { rate: Some(0.01), thin: false, ..MetricBaseline::default() };
        let baseline = Baseline { metrics: vec![known, usual], traffic };
        let mut spec = Spec::new(metrics());
        spec.alpha = numbers[6];
        spec.metrics[1].weight = numbers[7];
        let mut judge = Judge::new(spec, baseline);
        for entry in &entries {
            judge.apply(entry);
            let standing = judge.standing();
            prop_assert!(standing.ln_evidence.is_finite(), "{standing:?}");
            prop_assert!(!standing.sentence.is_empty() && !standing.sentence.contains("NaN"), "{standing:?}");
            for metric in &standing.metrics {
                for number in [metric.ratio, metric.low, metric.high].into_iter().flatten() {
                    prop_assert!(!number.is_nan(), "{metric:?}");
                }
                prop_assert!(metric.ln_worse.is_finite() && metric.ln_harmless.is_finite(), "{metric:?}");
            }
        }
        let stored = serde_json::to_string(&judge);
        prop_assert!(stored.is_ok());
    }
}
