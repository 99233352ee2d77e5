//! The page of days.

use super::*;
use crate::samples::{HOUR, NOON, frame, keep, many};

fn page(chronicle: &Chronicle, query: &str, window: Window, hours: i64) -> (Counted, Markup) {
    let now = Time(NOON.0 + hours * HOUR);
    let view = View { query: query.to_owned(), window };
    let frame = frame(now);
    let counted = Counted::of(chronicle, &view, now, &frame.zone);
    let page = render(&counted, &view, &frame);
    (counted, page)
}

#[test]
fn days_are_those_of_the_reader_and_none_is_lost() {
    let chronicle = many(300, 3, 20);
    let (counted, markup) = page(&chronicle, "", Window::Days(30), 600);
    assert_eq!(counted.counts.total(), 300);
    let bars = counted.chart.bars();
    assert_eq!(bars.iter().map(Bar::total).sum::<u32>(), 300);
    // From noon in UTC on, one every two hours: in Berlin five and a half are left of the first day.
    assert_eq!(bars.iter().find(|bar| bar.total() > 0).map(Bar::total), Some(6));
    assert!(
        markup.0.contains("<th scope=\"row\">Fri 20 Nov 2026</th><td class=\"num\">12</td>"),
        "{}",
        markup.0
    );
    keep("per-day", &markup);
    let (www, _) = page(&chronicle, "www", Window::Days(30), 600);
    assert_eq!(www.counts.total(), 100);
}

#[test]
fn nothing_teaches_and_a_hundred_thousand_fit() {
    let (_, markup) = page(&Chronicle::new(), "", Window::Usual, 0);
    assert!(markup.0.contains("Nothing was deployed yet"));
    let (counted, markup) = page(&many(100_000, 50, 2), "", Window::All, 20_000);
    assert_eq!(counted.counts.total(), 100_000);
    assert!(markup.0.len() < 300_000, "{} bytes", markup.0.len());
    keep("per-day-all", &markup);
}
