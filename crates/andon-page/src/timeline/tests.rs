//! The page of the timeline, of nothing, one and many deployments.

use andon_core::chronicle::Chronicle;

use super::*;
use crate::samples::{HOUR, NOON, frame, keep, many, summary};

fn view(query: &str, window: Window) -> View {
    View { query: query.to_owned(), window }
}

fn rendered(chronicle: &Chronicle, view: &View, hours: i64) -> String {
    let now = Time(NOON.0 + hours * HOUR);
    let page = render(&Found::of(chronicle, view, now), view, &frame(now));
    page.into_string()
}

#[test]
fn nothing_yet_teaches_and_nothing_found_leads_on() {
    let empty = rendered(&Chronicle::new(), &view("", Window::Usual), 0);
    assert!(empty.contains("Nothing was deployed yet") && empty.contains("andon init"), "{empty}");
    let none = rendered(&many(10, 2, 10), &view("<nobody>", Window::Usual), 10);
    assert!(
        none.contains("fits <q>&lt;nobody&gt;</q>") && none.contains("?q=%3Cnobody%3E&amp;span=all"),
        "{none}"
    );
    let now = Time(NOON.0);
    let page = render(
        &Found::of(&Chronicle::new(), &view("", Window::Usual), now),
        &view("", Window::Usual),
        &frame(now),
    );
    keep("timeline-empty", &page);
}

#[test]
fn one_deployment_is_a_chart_of_about_an_hour() {
    let mut chronicle = Chronicle::new();
    chronicle.apply(summary(1, "www", 1, "succeeded", 0));
    let now = Time(NOON.0 + HOUR / 2);
    let found = Found::of(&chronicle, &view("", Window::Usual), now);
    assert_eq!(found.counts.total(), 1);
    assert!(found.span.until.since(found.span.from).as_secs() < 2 * 3_600);
    let page = render(&found, &view("", Window::Usual), &frame(now));
    assert!(page.0.contains("1 deployment.") && page.0.contains("href=\"/deployments/1\""));
    keep("timeline-one", &page);
}

#[test]
fn words_filter_markers_and_list_but_the_line_is_what_ran() {
    let chronicle = many(60, 3, 30);
    let now = Time(NOON.0 + 180 * HOUR);
    let all = Found::of(&chronicle, &view("", Window::Usual), now);
    assert_eq!((all.lanes, all.counts.total()), (3, 60));
    let www = Found::of(&chronicle, &view("www", Window::Usual), now);
    assert_eq!((www.lanes, www.counts.total()), (1, 20));
    let errors = Found::of(&chronicle, &view("www ERROR", Window::Usual), now);
    assert!(errors.rows.iter().all(|row| row.outcome().is_error()) && !errors.rows.is_empty());
    let lane = &errors.chart.lanes[0];
    assert_eq!(lane.marks.len(), 20, "what does not fit still moves the line");
    assert_eq!(lane.marks.iter().filter(|mark| mark.shown).count(), errors.rows.len());
    assert_eq!(lane.runs, all.chart.lanes.iter().find(|lane| lane.service == "www").unwrap().runs);
    let page = render(&all, &view("", Window::Usual), &frame(now));
    keep("timeline-week", &page);
    assert!(page.0.contains("orders: &lt;b&gt;bold&lt;/b&gt; &amp; &quot;quoted&quot;"));
    assert!(!page.0.contains("<b>bold"));
}

#[test]
fn an_older_revision_has_a_lower_rank_however_it_came_back() {
    let mut chronicle = Chronicle::new();
    for (id, revision) in [(1, 10), (2, 20), (3, 10), (4, 30)] {
        chronicle.apply(summary(id, "www", revision, "succeeded", i64::try_from(id).unwrap() * 24));
    }
    let now = Time(NOON.0 + 100 * HOUR);
    let of = |window| Found::of(&chronicle, &view("", window), now);
    let ranks = |found: &Found<'_>| {
        found.chart.lanes[0].marks.iter().map(|mark| mark.rank.unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(ranks(&of(Window::All)), [0, 1, 0, 2]);
    let later = of(Window::Between(Some(Time(NOON.0 + 60 * HOUR)), None));
    assert_eq!(ranks(&later), [0, 2], "what ran before the span has a rank, too");
    assert_eq!(later.chart.lanes[0].before, Some(1));
    // Without commits the first deployment counts, also when it was before the span.
    let mut plain = Chronicle::new();
    for (id, revision) in [(1, 10), (2, 20), (3, 10)] {
        let row = summary(id, "www", revision, "succeeded", i64::try_from(id).unwrap() * 24);
        plain.apply(andon_core::deployment::Summary { revision: None, ..row });
    }
    let found = Found::of(&plain, &view("", Window::Between(Some(Time(NOON.0 + 60 * HOUR)), None)), now);
    assert_eq!((found.chart.lanes[0].before, found.chart.lanes[0].marks[0].rank), (Some(1), Some(0)));
}

#[test]
fn a_hundred_thousand_fit_into_a_page() {
    let chronicle = many(100_000, 50, 2);
    let now = Time(NOON.0 + 20_000 * HOUR);
    for window in [Window::All, Window::Usual, Window::Days(1)] {
        let view = view("", window);
        let page = render(&Found::of(&chronicle, &view, now), &view, &frame(now));
        keep(&format!("timeline-{window:?}").replace(['(', ')'], ""), &page);
        assert!(page.0.len() < 1_400_000, "{window:?}: {} bytes", page.0.len());
        assert_eq!(page.0.matches("<li data-lane=").count() + page.0.matches("<li data-at=").count(), 100);
        assert!(page.0.contains("10 more lines are not drawn"));
    }
}
