//! A metric over time as a picture for mail: two lines, the deploy and the verdict, legible on a phone, in print and in
//! grey. Here is decided where everything stands.

use andon_core::telling::Picture;
use andon_core::time::Time;
use jiff::tz::TimeZone;

use crate::drawing::{AXIS, Anchor, Drawing, NEW, OLD, Stroke, THIN, Text};
use crate::ink::Ink;
use crate::plot::{clock_time, narrow};
use crate::{raster, svg_text, ticks, typeface};

/// In pixels of a screen; the PNG has twice as many.
const WIDTH: f32 = 720.0;
const HEIGHT: f32 = 380.0;
/// Room for the values on the left and the names of the lines on the right.
const LEFT: f32 = 64.0;
const RIGHT: f32 = 92.0;
const BOTTOM: f32 = 34.0;
const MARGIN: f32 = 16.0;

const DEPLOY: Stroke = Stroke::new(Ink::Text, 1.3);
const VERDICT: Stroke = Stroke::new(Ink::Text, 1.3).dashed(2.0, 2.5);

/// The picture as SVG, with clock times of `zone`.
pub fn svg(picture: &Picture, zone: &TimeZone) -> Option<String> {
    Some(svg_text::fixed(&draw(picture, zone)?, &format!("{}: {}", picture.title, picture.sentence)))
}

/// The picture as PNG, with clock times of this machine's zone. `None` when there is nothing to draw.
pub fn png(picture: &Picture) -> Option<Vec<u8>> {
    raster::png(&draw(picture, &TimeZone::system())?)
}

/// Where moments and values stand on paper.
struct Plot {
    top: f32,
    from: Time,
    to: Time,
    low: f64,
    high: f64,
}

impl Plot {
    fn x(&self, at: Time) -> f32 {
        let (past, whole) = (at.0.saturating_sub(self.from.0), self.to.0.saturating_sub(self.from.0));
        let share = past as f64 / whole.max(1) as f64;
        LEFT + narrow(share) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f32 {
        let share = (value - self.low) / (self.high - self.low);
        HEIGHT - BOTTOM - narrow(share) * (HEIGHT - BOTTOM - self.top)
    }
}

fn draw(picture: &Picture, zone: &TimeZone) -> Option<Drawing> {
    let picture = picture.clone().tidy()?;
    let mut drawing = Drawing::new(WIDTH, HEIGHT);
    let top = header(&mut drawing, &picture);
    let plot = plot(&picture, top)?;
    values(&mut drawing, &plot, &picture.unit);
    clock(&mut drawing, &plot, zone);
    moments(&mut drawing, &plot, &picture, zone);
    for (line, stroke) in [(&picture.control, OLD), (&picture.canary, NEW)] {
        curve(&mut drawing, &plot, line, stroke);
    }
    names(&mut drawing, &plot, &picture);
    Some(drawing)
}

/// The bounds of the plot: every point and both moments are inside, and zero where values cannot be below it.
fn plot(picture: &Picture, top: f32) -> Option<Plot> {
    let points = || picture.canary.iter().chain(&picture.control);
    let moments = || points().map(|(at, _)| *at).chain([picture.deploy, picture.verdict]);
    let (from, to) = (moments().min()?, moments().max()?);
    let lowest = points().map(|(_, value)| *value).fold(f64::INFINITY, f64::min);
    let highest = points().map(|(_, value)| *value).fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = ticks::range(lowest.min(0.0), highest.max(0.0));
    let to = if to == from { Time(to.0.saturating_add(1000)) } else { to };
    Some(Plot { top, from, to, low, high })
}

/// Title and sentence; gives where the plot begins.
fn header(drawing: &mut Drawing, picture: &Picture) -> f32 {
    let title = match picture.unit.as_str() {
        "" => picture.title.clone(),
        unit => format!("{} ({unit})", picture.title),
    };
    drawing.text(Text::new(
        MARGIN,
        26.0,
        16.0,
        Ink::Text,
        typeface::fitting(&title, 16.0, WIDTH - 2.0 * MARGIN),
    ));
    let mut y = 46.0;
    for line in typeface::wrapped(&picture.sentence, 12.5, WIDTH - 2.0 * MARGIN, 2) {
        drawing.text(Text::new(MARGIN, y, 12.5, Ink::Quiet, line));
        y += 17.0;
    }
    // Two rows for what is written above the lines of deploy and verdict.
    y + 36.0
}

fn values(drawing: &mut Drawing, plot: &Plot, unit: &str) {
    let steps = ticks::values(plot.low, plot.high);
    let percent = if unit == "%" { "%" } else { "" };
    for value in &steps {
        let y = plot.y(*value);
        let stroke = if *value == 0.0 { AXIS } else { THIN };
        drawing.line((LEFT, y), (WIDTH - RIGHT, y), stroke);
        let text = format!("{}{percent}", ticks::number(*value));
        drawing.text(Text::new(LEFT - 8.0, y + 4.0, 12.0, Ink::Quiet, text).anchored(Anchor::End));
    }
}

fn clock(drawing: &mut Drawing, plot: &Plot, zone: &TimeZone) {
    let step = ticks::clock_step(plot.from, plot.to);
    let pattern = if step < 60_000 { "%H:%M:%S" } else { "%H:%M" };
    let base = HEIGHT - BOTTOM;
    for at in ticks::moments(plot.from, plot.to, step) {
        let x = plot.x(at);
        drawing.line((x, base), (x, base + 4.0), AXIS);
        let text = clock_time(at, pattern, zone);
        drawing.text(Text::new(x, base + 18.0, 12.0, Ink::Quiet, text).anchored(Anchor::Middle));
    }
}

/// The deploy and the verdict: each a line with its name above it, in a row of its own.
fn moments(drawing: &mut Drawing, plot: &Plot, picture: &Picture, zone: &TimeZone) {
    let both = [("deploy", picture.deploy, DEPLOY, 26.0), ("verdict", picture.verdict, VERDICT, 10.0)];
    for (name, at, stroke, above) in both {
        let x = plot.x(at);
        let row = plot.top - above;
        drawing.line((x, row + 4.0), (x, HEIGHT - BOTTOM), stroke);
        let text = format!("{name} {}", clock_time(at, "%H:%M:%S", zone));
        let half = typeface::width(&text, 12.0) / 2.0;
        let middle = x.clamp(MARGIN + half, WIDTH - MARGIN - half);
        drawing.text(Text::new(middle, row, 12.0, Ink::Text, text).anchored(Anchor::Middle));
    }
}

/// A line through its points. Where none were measured there is no line: a gap is not a value.
fn curve(drawing: &mut Drawing, plot: &Plot, points: &[(Time, f64)], stroke: Stroke) {
    let mut gaps: Vec<i64> = points.windows(2).map(|pair| pair[1].0.0.saturating_sub(pair[0].0.0)).collect();
    gaps.sort_unstable();
    let usual = gaps.get(gaps.len() / 2).copied().unwrap_or(0);
    let mut part: Vec<(f32, f32)> = Vec::new();
    let mut last: Option<Time> = None;
    for (at, value) in points {
        if last.is_some_and(|last| at.0.saturating_sub(last.0) > usual.saturating_mul(3)) {
            drawing.path(std::mem::take(&mut part), stroke);
        }
        part.push((plot.x(*at), plot.y(*value)));
        last = Some(*at);
    }
    drawing.path(part, stroke);
}

/// The name and the last value of each line, beside its end. They keep apart when the lines end together.
fn names(drawing: &mut Drawing, plot: &Plot, picture: &Picture) {
    const APART: f32 = 30.0;
    let lines = [("new", &picture.canary, NEW), ("old", &picture.control, OLD)];
    let mut labels: Vec<(f32, &str, f64, Stroke)> = lines
        .into_iter()
        .filter_map(|(name, points, stroke)| {
            let (_, value) = points.last()?;
            Some((plot.y(*value), name, *value, stroke))
        })
        .collect();
    labels.sort_by(|a, b| a.0.total_cmp(&b.0));
    if let [upper, lower] = labels.as_mut_slice()
        && lower.0 - upper.0 < APART
    {
        let middle =
            f32::midpoint(upper.0, lower.0).clamp(plot.top + APART / 2.0, HEIGHT - BOTTOM - APART / 2.0);
        (upper.0, lower.0) = (middle - APART / 2.0, middle + APART / 2.0);
    }
    for (y, name, value, stroke) in labels {
        let x = WIDTH - RIGHT + 8.0;
        drawing.line((x, y), (x + 18.0, y), stroke);
        drawing.text(Text::new(x + 23.0, y + 1.0, 13.0, Ink::Text, name.to_owned()));
        drawing.text(Text::new(x + 23.0, y + 15.0, 12.0, Ink::Quiet, ticks::number(value)));
    }
}

#[cfg(test)]
mod tests;
