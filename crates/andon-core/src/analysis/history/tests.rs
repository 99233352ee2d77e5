//! What history is worth: factors, dispersion, spread and rate of rows whose truth is known.

use super::super::{Role, Worse};
use super::*;
use crate::name::MetricName;

/// Numbers from a seed, as in `fake`.
struct Chance(u64);

impl Chance {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn poisson(&mut self, mean: f64) -> u64 {
        let (mut count, mut product) = (0, self.uniform());
        while product > (-mean).exp() {
            product *= self.uniform();
            count += 1;
        }
        count
    }
}

fn metric(measure: Measure) -> Metric {
    Metric {
        name: MetricName::new("errors").unwrap(),
        measure,
        worse: Worse::Higher,
        role: Role::Errors,
        weight: 1.0,
        critical: true,
        margin: 1.1,
        harm: 2.0,
    }
}

fn row(at: i64, member: usize, reading: Reading) -> Row {
    let member = MemberName::new(format!("web{member}")).unwrap();
    Row { at: Time(at), over: Duration::from_secs(60), member, readings: vec![reading] }
}

const MINUTE: i64 = 60_000;

/// `hours` of rows by the minute: events come `burst` at a time, and member 0 has twice as many.
fn rows(members: usize, hours: i64, burst: u64) -> Vec<Row> {
    let mut chance = Chance(11);
    let mut rows = Vec::new();
    for minute in 1..=hours * 60 {
        for member in 0..members {
            let twice = if member == 0 { 2.0 } else { 1.0 };
            let events = burst * chance.poisson(3.0 * twice / burst as f64);
            rows.push(row(minute * MINUTE, member, Reading::Count { events, of: 3000 }));
        }
    }
    rows
}

#[test]
fn factors_know_the_member_that_always_has_more() {
    let rows = rows(6, 6, 1);
    let baseline = estimate(&[metric(Measure::Rate)], &rows, Time(i64::MAX));
    let known = &baseline.metrics[0];
    let factor = |name: &str| known.factors[&MemberName::new(name).unwrap()];
    assert!((factor("web0") / factor("web1") - 2.0).abs() < 0.2);
    assert!(!known.thin && known.dispersion < 1.3, "{known:?}");
    assert!(known.spread < 0.1, "{known:?}");
    assert!((known.rate.unwrap() - 0.00117).abs() < 0.0001);
    assert!((baseline.traffic.values().sum::<f64>() - 6.0).abs() < 1e-9);
}

#[test]
fn bursts_are_seen_as_dispersion() {
    let rows = rows(6, 6, 8);
    let known = estimate(&[metric(Measure::Rate)], &rows, Time(i64::MAX)).metrics[0].clone();
    assert!(known.dispersion > 5.0 && known.dispersion < 12.0, "{known:?}");
}

#[test]
fn a_single_member_has_its_own_dispersion() {
    let rows = rows(1, 6, 8);
    let known = estimate(&[metric(Measure::Rate)], &rows, Time(i64::MAX)).metrics[0].clone();
    assert!(known.dispersion > 5.0, "{known:?}");
}

#[test]
fn few_events_are_thin_history() {
    let rows: Vec<Row> =
        (1..30).map(|minute| row(minute * MINUTE, 0, Reading::Count { events: 0, of: 100 })).collect();
    let known = estimate(&[metric(Measure::Rate)], &rows, Time(i64::MAX)).metrics[0].clone();
    assert!(known.thin && known.factors.is_empty() && known.rate == Some(0.0));
    let nothing = estimate(&[metric(Measure::Rate)], &[], Time(0)).metrics[0].clone();
    assert_eq!(nothing, MetricBaseline::default());
}

#[test]
fn the_rate_is_that_of_this_hour_in_the_last_weeks_at_todays_level() {
    // Nights have a tenth of the errors of days, and today has half as many as ever.
    let now = 5 * WEEK + 3 * HOUR;
    let mut rows = Vec::new();
    for minute in (1..now / MINUTE).step_by(5) {
        let at = minute * MINUTE;
        let night = at.rem_euclid(DAY) < 6 * HOUR;
        let today = at > now - 2 * HOUR;
        let events = match (night, today) {
            (true, true) => 10,
            (true, false) => 20,
            (false, _) => 200,
        };
        rows.push(row(at, 0, Reading::Count { events, of: 10_000 }));
    }
    let known = estimate(&[metric(Measure::Rate)], &rows, Time(now)).metrics[0].clone();
    assert!((known.rate.unwrap() - 0.001).abs() < 0.0001, "{:?}", known.rate);
}

#[test]
fn contaminated_spans_are_left_out() {
    let mut rows = rows(4, 2, 1);
    let bad = Time(30 * MINUTE)..Time(60 * MINUTE);
    for row in rows.iter_mut().filter(|row| bad.contains(&row.at)) {
        row.readings = vec![Reading::Count { events: 3000, of: 3000 }];
    }
    rows.retain(|row| row.is_outside(std::slice::from_ref(&bad)));
    let known = estimate(&[metric(Measure::Rate)], &rows, Time(i64::MAX)).metrics[0].clone();
    assert!(known.rate.unwrap() < 0.002);
}

#[test]
fn a_level_has_its_members_own_means() {
    let rows: Vec<Row> = (1..120)
        .flat_map(|minute| {
            let wave = if minute % 2 == 0 { 1.0 } else { -1.0 };
            (0..4).map(move |member| {
                row(minute * MINUTE, member, Reading::Level(100.0 + 50.0 * (member as f64) + wave))
            })
        })
        .collect();
    let known = estimate(&[metric(Measure::Level)], &rows, Time(i64::MAX)).metrics[0].clone();
    assert!((known.rate.unwrap() - 175.0).abs() < 1.0 && !known.thin);
    assert!((known.factors[&MemberName::new("web3").unwrap()] - 250.0 / 175.0).abs() < 0.01);
    assert!(known.spread <= 0.031, "{known:?}");
}

#[test]
fn slow_is_above_the_bucket_of_the_quantile() {
    let mut history = Histogram::default();
    (1..=1000).for_each(|ms| history.add(ms * 1000));
    let bound = SlowBound::of(&history, 0.9).unwrap();
    let Reading::Count { events, of } = bound.reading(&history) else { panic!("a count") };
    assert!(of == 1000 && events <= 100 && bound.us() >= 900_000.0, "{events} {bound:?}");
    assert_eq!(SlowBound::of(&Histogram::default(), 0.9), None);
}

#[test]
fn the_same_seed_makes_the_same_fake_canaries() {
    let rows = rows(6, 6, 1);
    let spec = super::super::Spec::new(vec![metric(Measure::Rate)]);
    let fake = FakeCanaries { count: 3, canaries: 2, window: Duration::from_secs(900), seed: 5 };
    let made: Vec<_> = fake.make(&spec, &rows).collect();
    assert_eq!(made, fake.make(&spec, &rows).collect::<Vec<_>>());
    assert!(made.len() == 3 && made[0] != made[1]);
    assert!(made.iter().all(|recording| recording.entries.len() > 10));
    assert!(made.iter().all(|recording| recording.replay().standing().ln_evidence < 5.0));
    let alone = FakeCanaries { canaries: 6, ..fake };
    assert_eq!(alone.make(&spec, &rows).count(), 0);
}
