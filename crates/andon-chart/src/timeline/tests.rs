//! Timelines of nothing, of one deployment, of a hundred thousand, and of what could be.

use proptest::prelude::*;

use super::*;
use crate::{overlap, preview};

const NOON: i64 = 1_795_003_200_000;
const HOUR: i64 = 3_600_000;

fn at(hours: i64) -> Time {
    Time(NOON + hours * HOUR)
}

fn mark(number: u64, hours: i64, rank: u32, outcome: Outcome) -> Mark<'static> {
    Mark {
        number,
        at: at(hours),
        rank: Some(rank),
        outcome,
        revision: "4c1d9e2".into(),
        by: "ana",
        shown: true,
    }
}

fn lane(service: &'static str, marks: Vec<Mark<'static>>) -> Lane<'static> {
    Lane { service, environment: "production", before: Some(0), runs: Some("7f3a910".into()), marks }
}

/// A week of three services: a release that was put back, and one that was gone back from.
fn week() -> Timeline<'static> {
    use Outcome::{Aborted, Cancelled, Failed, RolledBack, Succeeded, UnderWay};
    let www = vec![
        mark(1, 5, 1, Succeeded),
        mark(2, 9, 2, Succeeded),
        mark(3, 27, 3, RolledBack),
        mark(4, 31, 4, Succeeded),
        mark(5, 52, 5, Succeeded),
        mark(6, 53, 5, Cancelled),
        mark(8, 76, 6, Succeeded),
        mark(9, 79, 5, Succeeded),
        mark(12, 120, 7, Succeeded),
        mark(15, 167, 8, UnderWay),
    ];
    let api = vec![mark(7, 60, 1, Failed), mark(10, 84, 2, Succeeded), mark(13, 130, 3, Aborted)];
    let search = vec![mark(11, 100, 1, Succeeded), mark(14, 150, 2, Succeeded)];
    let lanes = vec![lane("www", www), lane("api", api), lane("search", search)];
    Timeline { from: at(0), to: at(168), now: at(167), lanes, zoom: "/timeline?q=&".into() }
}

fn both(timeline: &Timeline<'_>) -> [Chart; 2] {
    [Room::Narrow, Room::Wide].map(|room| timeline.chart(room, &TimeZone::UTC))
}

#[test]
fn an_older_release_drops_and_what_was_put_back_hangs_above_the_line() {
    let week = week();
    let axis = TimeAxis::new(week.from, week.to, 0.0, 700.0);
    let course = Course::of(&week.lanes[0], &axis, 0.0, 96.0, 3);
    let height = |n: usize| course.places[n].1;
    assert!(height(1) < height(0), "a newer one is higher");
    assert!(height(7) >= height(6) + 9.0, "an older one is lower");
    assert_eq!(course.drops.len(), 1);
    assert!(height(2) < height(1) && !course.line.contains(&course.places[2]), "it never ran for good");
    assert_eq!(course.threads.len(), 2, "what was put back, and what is under way");
    assert_eq!(height(5), height(4), "what was cancelled stands at the revision that it was of");
}

#[test]
fn a_week_is_drawn_as_it_was() {
    let [narrow, wide] = both(&week());
    [&narrow, &wide].into_iter().for_each(overlap::check);
    preview::keep("timeline", &narrow);
    preview::keep("timeline", &wide);
    insta::assert_snapshot!("week", wide.svg());
    assert_eq!(wide.svg().matches("<a href=").count(), 14, "two in one place are one marker");
    assert!(wide.about().starts_with("15 deployments on 3 lines from 18 Nov"), "{}", wide.about());
}

#[test]
fn a_marker_says_what_it_is_and_leads_there() {
    let svg = week().chart(Room::Wide, &TimeZone::get("Europe/Berlin").unwrap()).svg();
    assert!(
        svg.contains("<title>#3 www → production: 4c1d9e2 by ana, ✘ rolled back, 19 Nov 2026 16:00</title>")
    );
    assert!(svg.contains("href=\"/deployments/3\" tabindex=\"-1\" aria-label=\"#3 www"));
    assert_eq!(svg.matches("tabindex=\"-1\"").count(), 13, "one is reached by the tabulator");
    assert!(svg.contains("Europe/Berlin"));
}

#[test]
fn a_hundred_thousand_are_as_calm_as_ten() {
    let mut lanes: Vec<Lane<'static>> = (0..100).map(|_| lane("service-with-a-name", Vec::new())).collect();
    for n in 0..100_000_u64 {
        let outcome = if n % 97 == 0 { Outcome::Failed } else { Outcome::Succeeded };
        let lane = usize::try_from(n * 7 % 100).unwrap();
        let hours = i64::try_from(n / 6).unwrap();
        lanes[lane].marks.push(mark(n, hours, u32::try_from(n / 100).unwrap(), outcome));
    }
    let failed = lanes[..MOST_LANES]
        .iter()
        .filter(|lane| lane.marks.iter().any(|mark| mark.outcome == Outcome::Failed));
    let failed = failed.count();
    let timeline =
        Timeline { from: at(0), to: at(17_000), now: at(17_000), lanes, zoom: "/timeline?".into() };
    for chart in both(&timeline) {
        overlap::check(&chart);
        preview::keep("timeline-many", &chart);
        let svg = chart.svg();
        assert!(svg.len() < 900_000, "{} bytes", svg.len());
        assert!(svg.matches("<a href=").count() <= 1_200);
        assert!(svg.matches("m-failed").count() >= failed, "failures stay visible");
        assert!(svg.contains(" deployments of service-with-a-name → production, "));
        assert!(svg.contains("/timeline?from=2026-"), "several lead to a closer look");
    }
}

#[test]
fn nothing_and_one_are_drawn() {
    let empty = Timeline { lanes: Vec::new(), ..week() };
    let one = Timeline { lanes: vec![lane("www", vec![mark(1, 3, 0, Outcome::Succeeded)])], ..week() };
    both(&empty).iter().chain(&both(&one)).for_each(overlap::check);
    both(&one).iter().for_each(|chart| preview::keep("timeline-one", chart));
    assert!(both(&empty)[0].svg().contains("No deployment from 18 Nov 2026 12:00 to 25 Nov 2026 12:00."));
    assert!(both(&one)[0].about().starts_with("One deployment"));
}

#[test]
fn hostile_words_are_only_words() {
    let hostile = "<script>alert(1)</script>\"'&\u{1b}[2J\u{202e}";
    let mut timeline = week();
    timeline.lanes[0].service = hostile;
    timeline.lanes[0].runs = Some(hostile.into());
    timeline.lanes[0].marks[0].by = hostile;
    timeline.zoom = format!("/timeline?q={hostile}&");
    for chart in both(&timeline) {
        overlap::check(&chart);
        let svg = chart.svg();
        assert!(!svg.contains("<script") && !svg.contains('\u{1b}') && !svg.contains("\"'&<"), "{svg}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is there, it is drawn: no panic, no text on another, few markers.
    #[test]
    fn anything_is_drawn(
        from in any::<i64>(),
        span in prop_oneof![Just(0), 1_i64..100_000, any::<i64>()],
        marks in prop::collection::vec((any::<i64>(), any::<Option<u32>>(), 0_usize..7), 0..200),
        lanes in 0_usize..60,
        name in ".{0,40}",
    ) {
        let to = Time(from.saturating_add(span));
        let marks: Vec<Mark<'_>> = marks.into_iter().map(|(at, rank, outcome)| Mark {
            number: 1, at: Time(at), rank, outcome: Outcome::ALL[outcome], revision: (&name).into(), by: &name, shown: true,
        }).collect();
        let of = |n: usize| Lane {
            service: &name, environment: &name, before: marks.first().and_then(|mark| mark.rank),
            runs: Some((&name).into()), marks: if n.is_multiple_of(7) { marks.clone() } else { Vec::new() },
        };
        let timeline = Timeline { from: Time(from), to, now: to, lanes: (0..lanes).map(of).collect(), zoom: "?".into() };
        both(&timeline).iter().for_each(overlap::check);
    }
}
