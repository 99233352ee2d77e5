//! A chart in a page: drawn for a phone and for a desk; the page shows the one that fits.

use andon_chart::Chart;
use andon_core::chronicle::{Outcome, OutcomeCounts};
use maud::{Markup, PreEscaped, html};

use crate::assets;

/// The style of charts; each page that has charts begins with it.
pub fn style() -> Markup {
    html! { link rel="stylesheet" href=(assets::path("chart.css")); }
}

/// Both drawings of a chart.
pub fn both(narrow: &Chart, wide: &Chart) -> Markup {
    // Charts escape every word that they hold.
    html! { div.both { (PreEscaped(narrow.svg())) (PreEscaped(wide.svg())) } }
}

/// A chart as a figure, with what is to be seen in it for those who cannot.
pub fn figure(narrow: &Chart, wide: &Chart) -> Markup {
    html! { figure.chart-figure { (both(narrow, wide)) } }
}

/// The marker of an outcome, as in charts, and its word.
pub fn outcome(outcome: Outcome) -> Markup {
    html! { span.came { (PreEscaped(andon_chart::marker(outcome))) " " (outcome.word()) } }
}

/// What the markers mean, with how many there are of each.
pub fn key(counts: &OutcomeCounts) -> Markup {
    html! {
        ul.chart-key {
            @for outcome in Outcome::ALL {
                @if counts.of(outcome) > 0 {
                    li { (PreEscaped(andon_chart::marker(outcome))) " " (count(counts.of(outcome))) " " (outcome.word()) }
                }
            }
        }
    }
}

/// A count with its thousands apart: `100,000`.
pub fn count(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
