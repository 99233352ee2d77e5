//! *Timeline*: every deployment on an axis of time, one line for each service and environment, and a list beside it. Words
//! filter both; a link shows the same view again.

use andon_chart::Room;
use andon_core::chronicle::Row;
use andon_core::time::Time;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use crate::frame::Frame;
use crate::view::{SPANS, View, Window};
use crate::{assets, charts, when};
use found::{Found, MOST_ROWS};

pub mod found;

/// The whole page.
pub fn render(found: &Found<'_>, view: &View, frame: &Frame) -> Markup {
    let body = html! {
        (charts::style())
        link rel="stylesheet" href=(assets::path("timeline.css"));
        h1 { "Timeline" }
        (filter("/timeline", view, found.span.from, found.span.until, &frame.zone))
        p.told #told role="status" { (told(found)) }
        div #found { (part(found, view, frame)) }
        p.fresh { button #fresh type="button" hidden { "Something new: show it" } }
        script type="module" src=(assets::path("timeline.js")) {}
    };
    frame.page("Timeline", &body)
}

/// The form above a chart: without a script it loads the page again.
pub(crate) fn filter(path: &str, view: &View, from: Time, until: Time, zone: &TimeZone) -> Markup {
    let local = |at: Time| when::format(at, "%Y-%m-%dT%H:%M", zone);
    let between = matches!(view.window, Window::Between(..));
    html! {
        form.view #view method="get" action=(path) role="search" {
            div.words {
                label for="q" { "Find" }
                input #q type="search" name="q" value=(view.query) maxlength="200" autocomplete="off"
                    spellcheck="false" placeholder="@ana, www, ERROR, web7, 4c1d9e2" aria-describedby="q-hint";
            }
            nav.spans aria-label="Span" {
                @for (days, words) in SPANS {
                    (span_link(path, view, Window::Days(days), words))
                }
                (span_link(path, view, Window::All, "All"))
            }
            details.between open[between] {
                summary { "From, to" }
                div.inline {
                    label { "From " input type="datetime-local" name="from" value=[between.then(|| local(from))]; }
                    label { "To " input type="datetime-local" name="to" value=[between.then(|| local(until))]; }
                    button.second { "Show" }
                }
            }
            @if let Window::Days(days) = view.window { input type="hidden" name="span" value={ (days) "d" }; }
            @if view.window == Window::All { input type="hidden" name="span" value="all"; }
            p.hint #q-hint {
                "A person (" code { "@ana" } "), a service, an environment, a host, a revision, " code { "ERROR" }
                ", or words of its reason. Several narrow it down."
            }
        }
    }
}

fn span_link(path: &str, view: &View, window: Window, words: &str) -> Markup {
    let current = (view.window == window).then_some("true");
    let name = match window {
        Window::Days(days) => format!("{days}d"),
        Window::All | Window::Usual | Window::Between(..) => "all".to_owned(),
    };
    html! { a href=(view.over(window).address(path)) data-span=(name) aria-current=[current] { (words) } }
}

/// How much was found, in a sentence.
pub fn told(found: &Found<'_>) -> String {
    let lines = |n: usize| if n == 1 { "1 line".to_owned() } else { format!("{n} lines") };
    match found.counts.total() {
        0 => "No deployment fits.".to_owned(),
        1 => "1 deployment.".to_owned(),
        total => format!("{} deployments on {}.", charts::count(total), lines(found.lanes)),
    }
}

/// The chart and the list: what a script asks for again when the view changes.
pub fn part(found: &Found<'_>, view: &View, frame: &Frame) -> Markup {
    let newest = found.rows.first().map_or(0, |row| row.id().0);
    html! {
        div.timeline data-from=(found.span.from.0) data-to=(found.span.until.0) data-live=(view.is_live())
            data-told=(told(found)) data-newest=(newest) {
            @if found.counts.total() == 0 { (empty(view)) } @else { (full(found, view, frame)) }
        }
    }
}

fn empty(view: &View) -> Markup {
    let nothing_asked = view.query.is_empty() && matches!(view.window, Window::Usual | Window::All);
    html! {
        div.empty {
            @if nothing_asked {
                p { "Nothing was deployed yet. On your machine: " code { "andon init" } ", then "
                    code { "andon deploy SERVICE ENVIRONMENT" } "." }
                p { "Then each deployment is a marker here: its height is the order of its revision, so that an older
                    release visibly drops, and its shape says how it came out." }
            } @else {
                p { "Nothing that was deployed "
                    @if view.query.is_empty() { "in this span" } @else { "fits " q { (view.query) } " in this span" }
                    ". " a href=(view.over(Window::All).address("/timeline")) { "Look at all of time" }
                    @if !view.query.is_empty() { ", or " a href="/timeline" { "at everything" } } "." }
            }
        }
    }
}

fn full(found: &Found<'_>, view: &View, frame: &Frame) -> Markup {
    let chart = |room| found.chart.chart(room, &frame.zone);
    let hidden = found.lanes.saturating_sub(found.chart.lanes.len());
    html! {
        figure.chart-figure {
            (charts::key(&found.counts))
            div #chart tabindex="0" role="group" aria-label="Chart of deployments" aria-describedby="keys" {
                (charts::both(&chart(Room::Narrow), &chart(Room::Wide)))
            }
            figcaption {
                @if hidden > 0 { p { (hidden) " more lines are not drawn: those of the newest deployments are. Find a
                    service, a person or a host to see fewer." } }
                p.hint #keys {
                    "The line is what ran; it drops when an older revision is deployed. Drag over the chart to look closer. With
                    the keyboard: + and − zoom, the arrows move, 0 shows all; Enter goes to the markers."
                }
            }
        }
        section.list aria-label="Deployments" {
            ol.finds #finds { @for row in &found.rows { (item(row, found, frame)) } }
            @if let Some(last) = found.rows.last().filter(|_| found.rows.len() >= MOST_ROWS) {
                p { a href=(older(view, found, last)) { "Older ones" } " (the newest " (MOST_ROWS) " are listed)" }
            }
        }
    }
}

fn older(view: &View, found: &Found<'_>, last: &Row) -> String {
    let to = Time(last.accepted().0.saturating_add(1));
    view.over(Window::Between(Some(found.span.from.min(last.accepted())), Some(to))).address("/timeline")
}

fn item(row: &Row, found: &Found<'_>, frame: &Frame) -> Markup {
    let scope = row.scope();
    let place = |lane: &andon_chart::timeline::Lane<'_>| {
        lane.service == scope.service.as_str() && lane.environment == scope.environment.as_str()
    };
    let lane = found.chart.lanes.iter().position(place);
    html! {
        li data-lane=[lane] data-at=(row.accepted().0) {
            div.head {
                a href={ "/deployments/" (row.id().0) } data-n=(row.id().0) { (row.id().to_string()) " " (scope.to_string()) }
                (charts::outcome(row.outcome()))
            }
            div.what {
                code { (found::revision(row)) }
                @if let Some(revision) = row.revision() { " " (revision.subject) }
            }
            div.who { (row.by()) ", " (when::ago(row.accepted(), frame)) }
        }
    }
}

#[cfg(test)]
mod tests;
