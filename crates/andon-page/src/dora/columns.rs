//! A few columns over time, as high as what they stand for, with the scale beside them. Each says what it is when it is
//! pointed at, and all of them stand in a table for whoever does not see them.

use maud::{Markup, html};

/// One part of the span.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// When it begins, in few letters.
    pub(super) begins: String,
    /// `None` where nothing is known: there is no column, and no nought either.
    pub(super) height: Option<f64>,
    /// What it stands for, in words.
    pub(super) read: String,
}

const WIDTH: f64 = 480.0;
const LEFT: f64 = 44.0;
const TOP: f64 = 8.0;
const BASE: f64 = 112.0;
const HEIGHT: f64 = 136.0;

/// The chart; its numbers again as a table that is closed until somebody opens it.
pub(super) fn chart(columns: &[Column], unit: &str, about: &str) -> Markup {
    let known = || columns.iter().filter_map(|column| column.height);
    if known().next().is_none() {
        return html! { p.muted { "Nothing to draw: no part of the span has a value." } };
    }
    let top = ceiling(known().fold(0.0, f64::max));
    let width = (WIDTH - LEFT) / columns.len().max(1) as f64;
    let y = |value: f64| BASE - (BASE - TOP) * (value / top).clamp(0.0, 1.0);
    let bar = |height: f64| (y(height), (BASE - y(height)).max(1.0));
    html! {
        figure.columns-chart {
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(about) {
                @for value in [0.0, top / 2.0, top] {
                    line x1=(LEFT) x2=(WIDTH) y1=(y(value)) y2=(y(value)) class=(if value == 0.0 { "axis" } else { "grid" }) {}
                    text x=(LEFT - 6.0) y=(y(value) + 4.0) text-anchor="end" { (number(value)) }
                }
                @for (at, column) in columns.iter().enumerate() {
                    g {
                        title { (column.begins) ": " (column.read) }
                        // All of the height can be pointed at.
                        rect.hit x=(round(LEFT + width * at as f64)) y=(TOP) width=(round(width)) height=(BASE - TOP) {}
                        @if let Some((top, high)) = column.height.filter(|height| *height > 0.0).map(bar) {
                            rect.bar x=(round(LEFT + width * (at as f64 + 0.12))) y=(round(top))
                                width=(round(width * 0.76)) height=(round(high)) {}
                        }
                    }
                }
                @if let (Some(first), Some(last)) = (columns.first(), columns.last()) {
                    text x=(LEFT) y=(BASE + 18.0) { (first.begins) }
                    text x=(WIDTH) y=(BASE + 18.0) text-anchor="end" { (last.begins) }
                }
            }
            figcaption { (unit) }
            details { summary { "As a table" } table {
                thead { tr { th scope="col" { "From" } th scope="col" { "Value" } } }
                tbody { @for column in columns { tr { th scope="row" { (column.begins) } td { (column.read) } } } }
            } }
        }
    }
}

/// A round number that nothing is above.
fn ceiling(highest: f64) -> f64 {
    if !highest.is_finite() || highest <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(highest.log10().floor());
    let steps = [1.0, 2.0, 4.0, 5.0, 8.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|step| *step >= highest).unwrap_or(10.0 * power)
}

fn number(value: f64) -> String {
    if value == 0.0 || value >= 10.0 || value.fract() == 0.0 {
        format!("{value:.0}")
    } else if value >= 1.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_ends_at_a_round_number_that_nothing_is_above() {
        for (highest, top) in [(0.0, 1.0), (1.0, 1.0), (3.0, 4.0), (11.0, 20.0), (99.0, 100.0), (0.3, 0.4)] {
            assert!((ceiling(highest) - top).abs() < 1e-9, "{highest} {}", ceiling(highest));
        }
        assert!((ceiling(f64::NAN) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn an_unknown_part_has_no_column() {
        let column = |height| Column { begins: "1 Nov".into(), height, read: "it <is>".into() };
        let drawn = chart(&[column(Some(2.0)), column(None)], "hours", "of & about").into_string();
        assert_eq!(drawn.matches("class=\"bar\"").count(), 1);
        assert!(drawn.contains("it &lt;is&gt;") && drawn.contains("of &amp; about"));
        assert!(chart(&[column(None)], "hours", "").into_string().contains("Nothing to draw"));
    }
}
