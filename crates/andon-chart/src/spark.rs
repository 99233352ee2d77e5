//! A line without axes, as high as a line of text: only its shape counts. What it is stands beside it in words.

use crate::Room;
use crate::drawing::{Chart, Drawing, Item, Stroke};
use crate::ink::Ink;
use crate::marker::Shape;
use crate::plot::narrow;

/// The size, in units.
const WIDTH: f32 = 120.0;
const HEIGHT: f32 = 24.0;
/// Values beyond are thinned out.
const MOST: usize = 240;

/// The line through `values`, at equal distances; zero is at the bottom. `about` says in words what is to be seen.
pub fn chart(values: &[f64], about: &str) -> Chart {
    let mut drawing = Drawing::new(WIDTH, HEIGHT);
    let stride = values.len().div_ceil(MOST).max(1);
    let peak = |part: &[f64]| part.iter().copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
    let kept: Vec<f64> = values.chunks(stride).map(peak).collect();
    let highest = kept.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let last = kept.len().saturating_sub(1).max(1);
    let place = |(n, value): (usize, &f64)| {
        let x = 3.0 + narrow(n as f64 / last as f64) * (WIDTH - 8.0);
        (x, HEIGHT - 4.0 - narrow(value / highest) * (HEIGHT - 8.0))
    };
    let points: Vec<(f32, f32)> = kept.iter().enumerate().map(place).collect();
    if let Some(at) = points.last().copied() {
        drawing.path(points, Stroke::new(Ink::Quiet, 1.6));
        drawing.items.push(Item::Sign { at, radius: 2.4, shape: Shape::Disc, ink: Ink::Text });
    }
    Chart { drawing, title: about.to_owned(), about: about.to_owned(), room: Room::Narrow }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_values_make_a_line_or_none() {
        for values in [vec![], vec![f64::NAN], vec![1.0], vec![f64::INFINITY, 1e308, -4.0], vec![2.0; 5_000]]
        {
            let svg = chart(&values, "orders a day <b>").svg();
            assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains("<b>"), "{svg}");
            assert!(svg.len() < 6_000);
        }
    }
}
