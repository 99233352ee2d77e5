//! Traffic that moves from old hosts to new ones.

use proptest::prelude::*;

use super::*;
use crate::{overlap, preview};

const NOON: i64 = 1_795_003_200_000;

fn at(second: i64) -> Time {
    Time(NOON + second * 1_000)
}

fn event(second: i64, name: &str, mark: EventMark) -> Event {
    Event { at: at(second), name: name.to_owned(), mark }
}

fn moving() -> Traffic {
    let share = |second: i64| (second as f64 / 400.0).clamp(0.0, 1.0);
    let wobble = |second: i64| ((second * 37 % 23) as f64) - 11.0;
    Traffic {
        from: at(0),
        to: at(480),
        new: (30..480).step_by(2).map(|s| (at(s), 380.0 * share(s) + wobble(s).abs())).collect(),
        old: (0..480)
            .step_by(2)
            .filter(|s| !(200..240).contains(s))
            .map(|s| (at(s), 380.0 * (1.0 - share(s)) + wobble(s + 5).abs()))
            .collect(),
        unit: "requests per second".into(),
        events: vec![
            event(12, "wave 1 of 4", EventMark::Step),
            event(30, "comparing", EventMark::Step),
            event(120, "wave 2 of 4", EventMark::Step),
            event(200, "paused by ana", EventMark::Pause),
            event(240, "resumed by ana", EventMark::Pause),
            event(250, "wave 3 of 4", EventMark::Step),
            event(360, "wave 4 of 4", EventMark::Step),
            event(420, "passed", EventMark::For),
            event(425, "bake", EventMark::Step),
            event(470, "succeeded", EventMark::For),
        ],
    }
}

fn both(traffic: &Traffic) -> [Chart; 2] {
    [Room::Narrow, Room::Wide].map(|room| traffic.chart(room, &TimeZone::UTC))
}

#[test]
fn every_event_is_a_line_with_a_name() {
    let [narrow, wide] = both(&moving());
    for chart in [&narrow, &wide] {
        overlap::check(chart);
        preview::keep("traffic", chart);
        assert!(chart.svg().contains("<title>◐ paused by ana, 18 Nov 12:03:20</title>"));
        assert!(chart.about().contains("12:07:50 succeeded"), "{}", chart.about());
    }
    insta::assert_snapshot!("moving", wide.svg());
    assert_eq!(
        wide.svg().matches("class=\"l-old\"").count(),
        3,
        "a gap parts the line, and its name has a sample"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn anything_is_drawn(
        from in any::<i64>(),
        to in any::<i64>(),
        new in prop::collection::vec((any::<i64>(), any::<f64>()), 0..50),
        old in prop::collection::vec((any::<i64>(), prop_oneof![Just(f64::NAN), Just(f64::INFINITY), -1e308..1e308]), 0..1_200),
        events in prop::collection::vec((any::<i64>(), ".{0,60}"), 0..100),
    ) {
        let points = |points: Vec<(i64, f64)>| points.into_iter().map(|(at, value)| (Time(at), value)).collect();
        let event = |(at, name): (i64, String)| Event { at: Time(at), name, mark: EventMark::Against };
        let traffic = Traffic {
            from: Time(from), to: Time(to), new: points(new), old: points(old), unit: "requests per second".into(),
            events: events.into_iter().map(event).collect(),
        };
        both(&traffic).iter().for_each(overlap::check);
    }
}
