//! What the page of the four keys says.

use andon_core::time::Time;

use super::*;

const DAY: i64 = 86_400_000;

fn spread(minutes: u64) -> Option<Spread> {
    let median = Duration::from_secs(60 * minutes);
    Some(Spread { count: 3, median, p90: median * 2 })
}

fn dora(now: Measures, before: Measures) -> Dora {
    let span = Span { from: Time(0), until: Time(28 * DAY) };
    let halves =
        [Span { from: Time(0), until: Time(14 * DAY) }, Span { from: Time(14 * DAY), until: Time(28 * DAY) }];
    Dora {
        empty: false,
        days: 28,
        span,
        environment: EnvironmentName::new("production").ok(),
        environments: vec![EnvironmentName::new("production").unwrap()],
        service: None,
        services: vec![ServiceName::new("www").unwrap()],
        now,
        before,
        parts: halves.into_iter().zip([before, now]).collect(),
        by_service: vec![(ServiceName::new("www").unwrap(), now)],
    }
}

fn text(dora: &Dora) -> String {
    render(dora, &Frame::new(Time(28 * DAY))).into_string()
}

#[test]
fn each_key_has_a_number_a_trend_and_a_definition() {
    let now = Measures {
        deployments: 56,
        lead: spread(90),
        met: 60,
        failed: 3,
        caught: 6,
        restore: spread(4),
        open: 1,
        ..Measures::default()
    };
    let before = Measures { deployments: 14, lead: spread(90), met: 20, failed: 4, ..Measures::default() };
    let page = text(&dora(now, before));
    for words in [
        "2 a day",
        "▲ up from 3.5 a week in the 4 weeks before: better",
        "1 h 30 min",
        "the same as in the 4 weeks before",
        "5 %",
        "▼ down from 20 % in the 4 weeks before: better",
        "6 of 60 (10 %)",
        "4 min",
        "nothing to compare with in the 4 weeks before",
        "<dt>not put right yet</dt><dd>1</dd>",
    ] {
        assert!(page.contains(words), "{words} is missing in {page}");
    }
    for key in Key::ALL {
        assert!(page.contains(key.definition()), "{key:?}");
    }
    assert!(!page.contains(" style="), "the policy of our pages allows no inline style");
}

#[test]
fn what_is_not_known_is_no_nought() {
    let page =
        text(&Dora { empty: true, by_service: Vec::new(), ..dora(Measures::default(), Measures::default()) });
    assert!(page.contains("No deployment yet"));
    assert_eq!(page.matches("class=\"dora-figure\">not known").count(), 3);
    assert!(page.contains("class=\"dora-figure\">none"));
    assert!(!page.contains("NaN") && !page.contains("0 %"));
}
