//! What the comparison of new with old hosts sees: one row for each metric.

use andon_core::analysis::{MetricStanding, phrase};
use maud::{Markup, html};

use super::Shown;
use crate::outcome;

pub(super) fn render(shown: &Shown) -> Markup {
    let watched = shown.deployment.plan.as_ref().is_some_and(|plan| plan.watch().is_some());
    html! {
        @match &shown.standing {
            Some(standing) => {
                h2 { "New hosts against old ones" }
                p { strong { (standing.title()) } ": " (standing.sentence) }
                @if let Some(charts) = &shown.evidence { (charts) }
                @if !standing.metrics.is_empty() {
                    @if shown.evidence.is_some() { h3 { "In numbers" } }
                    div.wide-table { table {
                        thead { tr {
                            th scope="col" { "Metric" } th.num scope="col" { "New ÷ old" } th.num scope="col" { "Surely between" }
                            th.num scope="col" { "New" } th.num scope="col" { "Old" } th scope="col" { "Says" }
                        } }
                        tbody { @for metric in &standing.metrics { (row(metric)) } }
                    } }
                }
            }
            None if watched => {
                h2 { "New hosts against old ones" }
                p.empty { "Nothing to compare yet: the first hosts on the new release are seen a moment after they serve." }
            }
            None => @if let Some(charts) = &shown.evidence { h2 { "Traffic" } (charts) },
        }
    }
}

fn row(metric: &MetricStanding) -> Markup {
    let bound = |bound: Option<f64>| bound.map_or_else(|| "?".to_owned(), phrase::multiple);
    let (mark, class, says) = match (metric.ratio, metric.blamed, metric.low) {
        (None, ..) => ("?", "unknown", "nothing to compare yet"),
        (_, true, _) => ("✘", "bad", "worse"),
        (_, _, Some(low)) if low > 1.0 => ("?", "unknown", "higher on new hosts"),
        _ if metric.ln_harmless > metric.ln_worse => ("✔", "good", "nothing speaks against it"),
        _ => ("·", "quiet", "not known yet"),
    };
    html! {
        tr {
            th scope="row" { (metric.name.to_string()) }
            td.num { @match metric.ratio { Some(ratio) => { (phrase::multiple(ratio)) " ×" }, None => "?" } }
            td.num { (metric.low.map_or_else(|| "0".to_owned(), phrase::multiple)) " … " (bound(metric.high)) }
            td.num { (counted(metric.canary)) }
            td.num { (counted(metric.control)) }
            td class=(class) { (outcome::sign(mark)) " " (says) }
        }
    }
}

/// `41 of 2210`.
fn counted((events, of): (u64, u64)) -> String {
    format!("{events} of {of}")
}
