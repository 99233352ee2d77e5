//! *Deployments per day*: how many came out how, as bars and as a table.

use std::collections::BTreeMap;

use andon_chart::Room;
use andon_chart::per_day::{Bar, Day, Grain, PerDay};
use andon_core::chronicle::{Chronicle, Outcome, OutcomeCounts, Query, Span};
use andon_core::time::Time;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use maud::{Markup, PreEscaped, html};

use crate::frame::Frame;
use crate::view::{View, Window};
use crate::{assets, charts, timeline};

/// The days that are shown where nothing was said.
pub const USUAL: u16 = 30;

/// What the page shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted {
    /// The chart.
    pub chart: PerDay,
    /// All together.
    pub counts: OutcomeCounts,
    /// The span.
    pub span: Span,
}

impl Counted {
    /// Counts what `view` asks for, by the days of `zone`.
    pub fn of(chronicle: &Chronicle, view: &View, now: Time, zone: &TimeZone) -> Self {
        let span = view.span(chronicle, now, USUAL);
        let mut counts = OutcomeCounts::default();
        let mut days: BTreeMap<Date, OutcomeCounts> = BTreeMap::new();
        let mut known: Option<(Time, Time, Date)> = None;
        for row in chronicle.matching(&Query::parse(&view.query), span) {
            counts.add(row.outcome());
            let at = row.accepted();
            // Most are on the day of the one before: a calendar is asked once a day.
            let date = match known {
                Some((begin, end, date)) if begin <= at && at < end => date,
                _ => {
                    let day = day(at, zone);
                    known = Some(day);
                    day.2
                }
            };
            days.entry(date).or_default().add(row.outcome());
        }
        let last = Time(span.until.0.saturating_sub(1).min(now.0.max(span.from.0)));
        let days = days.into_iter().map(|(date, counts)| Day { date, counts }).collect();
        let chart = PerDay {
            from: day(span.from, zone).2,
            to: day(last, zone).2,
            days,
            link: view.filter("/timeline"),
        };
        Self { chart, counts, span }
    }
}

/// A day with its begin and end. A moment that no calendar has is on its first day, alone.
fn day(at: Time, zone: &TimeZone) -> (Time, Time, Date) {
    let time = |zoned: &jiff::Zoned| Time(zoned.timestamp().as_millisecond());
    let found = jiff::Timestamp::from_millisecond(at.0).ok().and_then(|stamp| {
        let zoned = stamp.to_zoned(zone.clone());
        let begin = zoned.start_of_day().ok()?;
        let end = zoned.tomorrow().and_then(|next| next.start_of_day()).ok()?;
        Some((time(&begin), time(&end), zoned.date()))
    });
    let edge = if at.0 < 0 { Date::MIN } else { Date::MAX };
    found.unwrap_or((at, at, edge))
}

/// The whole page.
pub fn render(counted: &Counted, view: &View, frame: &Frame) -> Markup {
    let total = counted.counts.total();
    let body = html! {
        (charts::style())
        link rel="stylesheet" href=(assets::path("timeline.css"));
        h1 { "Deployments per day" }
        (timeline::filter("/per-day", view, counted.span.from, counted.span.until, &frame.zone))
        @if total == 0 { (empty(view)) } @else { (full(counted, frame)) }
    };
    frame.page("Deployments per day", &body)
}

fn empty(view: &View) -> Markup {
    html! {
        div.empty {
            @if view.query.is_empty() && matches!(view.window, Window::Usual | Window::All) {
                p { "Nothing was deployed yet. On your machine: " code { "andon init" } ", then "
                    code { "andon deploy SERVICE ENVIRONMENT" } "." }
                p { "Then each day is a bar here: what succeeded below, what was rolled back or failed on top." }
            } @else {
                p { "Nothing that was deployed in this span fits. "
                    a href=(view.over(Window::All).address("/per-day")) { "Look at all of time" } "." }
            }
        }
    }
}

fn full(counted: &Counted, frame: &Frame) -> Markup {
    let chart = |room| counted.chart.chart(room, &frame.zone);
    let (narrow, wide) = (chart(Room::Narrow), chart(Room::Wide));
    html! {
        p.told { (wide.about()) }
        (charts::figure(&narrow, &wide))
        (table(counted))
    }
}

fn table(counted: &Counted) -> Markup {
    let shown: Vec<Outcome> =
        Outcome::ALL.into_iter().filter(|outcome| counted.counts.of(*outcome) > 0).collect();
    let bars: Vec<Bar> = counted.chart.bars();
    let unit = match counted.chart.grain() {
        Grain::Day => "Day",
        Grain::Week => "Week",
        Grain::Month => "Month",
    };
    let of = |bar: &Bar, outcome: Outcome| {
        Outcome::ALL
            .into_iter()
            .zip(bar.counts)
            .find(|(each, _)| *each == outcome)
            .map_or(0, |(_, count)| count)
    };
    html! {
        div.wide-table tabindex="0" role="region" aria-label="Deployments per day as a table" {
            table {
                caption { "By " (unit.to_lowercase()) ", the newest first. Those without a deployment are left out." }
                thead { tr {
                    th scope="col" { (unit) }
                    th.num scope="col" { "All" }
                    @for outcome in &shown {
                        th.num scope="col" { (PreEscaped(andon_chart::marker(*outcome))) " " (outcome.word()) }
                    }
                } }
                tbody {
                    @for bar in bars.iter().rev().filter(|bar| bar.total() > 0) {
                        tr {
                            th scope="row" { (bar.name()) }
                            td.num { (bar.total()) }
                            @for outcome in &shown { td.num { (of(bar, *outcome)) } }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
