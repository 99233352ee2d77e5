//! Days of all kinds.

use proptest::prelude::*;

use super::*;
use crate::{overlap, preview};
use jiff::civil::date;

fn counts(succeeded: u32, rolled_back: u32, failed: u32) -> OutcomeCounts {
    OutcomeCounts { succeeded, rolled_back, failed, ..OutcomeCounts::default() }
}

fn month() -> PerDay {
    let day = |n: i8| {
        let many = u32::from(n.unsigned_abs()) * 7 % 23;
        let trouble = u32::from(n % 5 == 0);
        Day { date: date(2026, 11, n), counts: counts(many, trouble * 3, trouble) }
    };
    PerDay {
        from: date(2026, 11, 1),
        to: date(2026, 11, 28),
        days: (1..=28).map(day).collect(),
        link: "/timeline?".into(),
    }
}

fn both(chart: &PerDay) -> [Chart; 2] {
    [Room::Narrow, Room::Wide].map(|room| chart.chart(room, &TimeZone::UTC))
}

#[test]
fn a_month_is_stacked_by_outcome() {
    let [narrow, wide] = both(&month());
    for chart in [&narrow, &wide] {
        overlap::check(chart);
        preview::keep("per-day", chart);
    }
    insta::assert_snapshot!("month", wide.svg());
    let svg = wide.svg();
    assert!(
        svg.contains("<title>Tue 10 Nov 2026, 5 deployments: 1 succeeded, 3 rolled back, 1 failed</title>"),
        "{svg}"
    );
    assert!(svg.contains("href=\"/timeline?from=2026-11-10T00:00:00.000Z&amp;to=2026-11-11T00:00:00.000Z\""));
}

#[test]
fn long_spans_have_weeks_and_months_and_lose_nothing() {
    for (days, grain) in [(30, Grain::Day), (400, Grain::Week), (800, Grain::Month)] {
        let to = date(2026, 11, 18);
        let from = to.saturating_sub(i64::from(days).days());
        let each = |n: i32| Day { date: from.saturating_add(i64::from(n).days()), counts: counts(3, 1, 0) };
        let chart = PerDay { from, to, days: (0..=days).map(each).collect(), link: "?".into() };
        assert_eq!(chart.grain(), grain);
        let bars = chart.bars();
        assert!(bars.len() <= 93);
        assert_eq!(bars.iter().map(|bar| i32::try_from(bar.total()).unwrap()).sum::<i32>(), 4 * (days + 1));
        assert!(bars.windows(2).all(|pair| pair[0].to.tomorrow().unwrap() == pair[1].from));
        assert!(bars.iter().all(|bar| bar.rate() == 4.0));
        both(&chart).iter().for_each(overlap::check);
        both(&chart).iter().for_each(|chart| preview::keep(&format!("per-day-{days}"), chart));
    }
}

#[test]
fn nothing_is_drawn_as_nothing() {
    let empty = PerDay { days: Vec::new(), ..month() };
    for chart in both(&empty) {
        overlap::check(&chart);
        assert_eq!(chart.about(), "0 deployments from 1 Nov 2026 to 28 Nov 2026, 0.0 a day.");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn anything_is_drawn(
        from in (-9999_i16..=9999, 1_i8..=12, 1_i8..=28),
        to in (-9999_i16..=9999, 1_i8..=12, 1_i8..=28),
        days in prop::collection::vec(((1_i16..=9999, 1_i8..=12, 1_i8..=28), any::<u32>(), any::<u32>()), 0..40),
    ) {
        let of = |(year, month, day)| date(year, month, day);
        let days = days.into_iter().map(|(day, one, two)| Day { date: of(day), counts: counts(one, two, one) });
        let chart = PerDay { from: of(from), to: of(to), days: days.collect(), link: "?".into() };
        both(&chart).iter().for_each(overlap::check);
    }
}
