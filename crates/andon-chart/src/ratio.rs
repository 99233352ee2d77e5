//! Each metric as one row: new as a multiple of old on a logarithmic axis, the interval that holds it, and where harm
//! begins. An interval that is beyond the line is harm; one that ends before it excludes harm; one across it knows neither.

use andon_core::analysis::phrase::multiple;
use andon_core::chronicle::Outcome;

use crate::Room;
use crate::drawing::{AXIS, Anchor, Chart, Drawing, Group, Item, Stroke, THIN, Text};
use crate::ink::Ink;
use crate::marker::Shape;
use crate::plot::narrow;
use crate::typeface;

/// Rows that are drawn.
pub const MOST_ROWS: usize = 40;

/// What is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// One for each metric.
    pub rows: Vec<Row>,
}

/// A metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// New as a multiple of old; `None` when it cannot be said.
    pub ratio: Option<f64>,
    /// It is at least so much; `None` for no bound.
    pub low: Option<f64>,
    /// It is at most so much; `None` for no bound.
    pub high: Option<f64>,
    /// The multiples from which on it is harm: above the first, below the second.
    pub harm: (Option<f64>, Option<f64>),
    /// Whether it is among those that a failed analysis names.
    pub blamed: bool,
}

/// What an interval says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// Nothing was compared yet.
    Nothing,
    /// It reaches across the line: neither is known.
    Open,
    /// Harm is excluded.
    Harmless,
    /// It is harm, or the analysis blames it.
    Harm,
}

impl Says {
    fn ink(self) -> Ink {
        match self {
            Self::Nothing | Self::Open => Ink::Quiet,
            Self::Harmless => Ink::Outcome(Outcome::Succeeded),
            Self::Harm => Ink::Outcome(Outcome::Failed),
        }
    }

    fn shape(self) -> Shape {
        match self {
            Self::Nothing => Shape::Ring,
            Self::Open => Shape::Diamond,
            Self::Harmless => Shape::Disc,
            Self::Harm => Shape::Cross,
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Nothing => "nothing to compare yet",
            Self::Open => "harm is neither shown nor excluded",
            Self::Harmless => "harm is excluded",
            Self::Harm => "it hurts",
        }
    }
}

/// A number that may stand on a logarithmic axis.
fn sound(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite() && *value >= 0.0).map(f64::abs)
}

impl Row {
    /// What its interval says.
    pub fn says(&self) -> Says {
        let (low, high) = (sound(self.low), sound(self.high));
        if self.blamed {
            return Says::Harm;
        }
        if sound(self.ratio).is_none() && low.is_none() && high.is_none() {
            return Says::Nothing;
        }
        let (above, below) = (sound(self.harm.0), sound(self.harm.1));
        let over = above.is_some_and(|harm| low.is_some_and(|low| low >= harm));
        let under = below.is_some_and(|harm| high.is_some_and(|high| high <= harm));
        let excluded = above.is_none_or(|harm| high.is_some_and(|high| high < harm))
            && below.is_none_or(|harm| low.is_some_and(|low| low > harm));
        match (over || under, excluded) {
            (true, _) => Says::Harm,
            (_, true) => Says::Harmless,
            _ => Says::Open,
        }
    }

    /// Its numbers: `0.90 × [0.40 … 2.1]`.
    pub fn numbers(&self) -> String {
        let short = |value: f64| if value < 10_000.0 { multiple(value) } else { "10000+".to_owned() };
        let bound = |value: Option<f64>, open: &str| sound(value).map_or_else(|| open.to_owned(), short);
        match (sound(self.ratio), self.says()) {
            (_, Says::Nothing) => "nothing yet".to_owned(),
            (Some(ratio), _) => {
                format!("{} × [{} … {}]", short(ratio), bound(self.low, "0"), bound(self.high, "?"))
            }
            (None, _) => format!("? × [{} … {}]", bound(self.low, "0"), bound(self.high, "?")),
        }
    }
}

/// The axis: as many times less as more, so that "the same" stands in the middle.
struct LogAxis {
    /// The highest multiple; the lowest is one over it.
    most: f64,
    left: f32,
    right: f32,
}

impl LogAxis {
    /// Everything that matters is inside, but not more than a hundredfold.
    fn over(rows: &[Row], left: f32, right: f32) -> Self {
        let numbers = rows.iter().flat_map(|row| [row.ratio, row.low, row.high, row.harm.0, row.harm.1]);
        let most = numbers.filter_map(sound).filter(|value| *value > 0.0);
        let most = most.map(|value| value.max(1.0 / value)).fold(2.0, f64::max);
        let most =
            [2.5, 5.0, 12.0, 25.0, 60.0].into_iter().find(|bound| most * 1.1 <= *bound).unwrap_or(120.0);
        Self { most, left, right }
    }

    fn x(&self, value: f64) -> f32 {
        let share = (value.max(1e-9).ln() / self.most.ln()).clamp(-1.0, 1.0);
        f32::midpoint(self.left, self.right) + narrow(share) * (self.right - self.left) / 2.0
    }

    fn holds(&self, value: f64) -> bool {
        value >= 1.0 / self.most && value <= self.most
    }

    /// The multiples that are named.
    fn named(&self) -> Vec<(f64, &'static str)> {
        let all = [
            (0.01, "÷ 100"),
            (0.02, "÷ 50"),
            (0.1, "÷ 10"),
            (0.2, "÷ 5"),
            (0.5, "÷ 2"),
            (1.0, "same"),
            (2.0, "× 2"),
            (5.0, "× 5"),
            (10.0, "× 10"),
            (50.0, "× 50"),
            (100.0, "× 100"),
        ];
        all.into_iter().filter(|(value, _)| self.holds(*value)).collect()
    }
}

impl Rows {
    /// The chart.
    pub fn chart(&self, room: Room) -> Chart {
        let rows = &self.rows[..self.rows.len().min(MOST_ROWS)];
        let size = room.letters();
        let (left, right, height) = match room {
            Room::Narrow => (14.0, 346.0, 46.0),
            Room::Wide => (190.0, 720.0, 34.0),
        };
        let axis = LogAxis::over(rows, left, right);
        let top = 2.0 * size + 6.0;
        #[allow(clippy::cast_precision_loss, reason = "there are few rows")]
        let place = |n: usize| top + n as f32 * height;
        let base = place(rows.len().max(1));
        let mut drawing = Drawing::new(room.width(), base + size + 12.0);
        header(&mut drawing, &axis, size, room);
        ticks(&mut drawing, &axis, (top, base), size);
        for (n, row) in rows.iter().enumerate() {
            drawing.items.push(drawn(row, &axis, place(n), height, size, room));
        }
        let told: Vec<String> = rows
            .iter()
            .map(|row| format!("{} {}: {}", row.name, row.numbers(), row.says().words()))
            .collect();
        let about = if told.is_empty() { "Nothing was compared.".to_owned() } else { told.join(". ") };
        Chart { drawing, title: "Each metric, new against old".to_owned(), about, room }
    }
}

/// What the axis is, and what the short lines across it are.
fn header(drawing: &mut Drawing, axis: &LogAxis, size: f32, room: Room) {
    let y = size + 2.0;
    let (title, x, anchor) = match room {
        Room::Narrow => ("new ÷ old", 8.0, Anchor::Start),
        Room::Wide => ("new as a multiple of old", f32::midpoint(axis.left, axis.right), Anchor::Middle),
    };
    drawing.text(Text::new(x, y, size, Ink::Quiet, title.to_owned()).anchored(anchor));
    let harm =
        Text::new(drawing.width - 8.0, y, size, Ink::Quiet, "harm begins".to_owned()).anchored(Anchor::End);
    let x = harm.start() - 8.0;
    drawing.line((x, y - size * 0.8), (x, y + 2.0), Stroke::new(Ink::Harm, 2.4));
    drawing.text(harm);
}

fn ticks(drawing: &mut Drawing, axis: &LogAxis, (top, base): (f32, f32), size: f32) {
    let mut free = 0.0;
    for (value, name) in axis.named() {
        let x = axis.x(value);
        drawing.line((x, top), (x, base), if value == 1.0 { AXIS } else { THIN });
        let text =
            Text::new(x, base + size + 4.0, size, Ink::Quiet, name.to_owned()).anchored(Anchor::Middle);
        if text.start() > free && text.end() < drawing.width {
            free = text.end() + 8.0;
            drawing.text(text);
        }
    }
}

/// One row: on a phone its words stand above it.
fn drawn(row: &Row, axis: &LogAxis, top: f32, height: f32, size: f32, room: Room) -> Item {
    let says = row.says();
    let ink = says.ink();
    let words = room == Room::Narrow;
    let middle = if words { top + height - 13.0 } else { top + height / 2.0 };
    let mut items = Vec::new();
    for harm in [row.harm.0, row.harm.1].into_iter().filter_map(sound).filter(|harm| axis.holds(*harm)) {
        let x = axis.x(harm);
        items.push(Item::Line(vec![(x, middle - 10.0), (x, middle + 10.0)], Stroke::new(Ink::Harm, 2.4)));
    }
    if says != Says::Nothing {
        items.extend(interval(row, axis, middle, ink));
    }
    let ratio = sound(row.ratio);
    if let Some(ratio) = ratio.filter(|_| says != Says::Nothing) {
        items.push(Item::Sign { at: (axis.x(ratio), middle), radius: 5.0, shape: says.shape(), ink });
    }
    let (name, numbers) = match room {
        Room::Narrow => {
            let numbers =
                Text::new(352.0, top + size + 3.0, size, Ink::Text, row.numbers()).anchored(Anchor::End);
            let most = numbers.start() - 20.0;
            (
                Text::new(8.0, top + size + 3.0, size, Ink::Text, typeface::fitting(&row.name, size, most)),
                numbers,
            )
        }
        Room::Wide => {
            let name = typeface::fitting(&row.name, size, axis.left - 24.0);
            let y = middle + size * 0.36;
            let numbers = typeface::fitting(&row.numbers(), size, 216.0);
            (
                Text::new(8.0, y, size, Ink::Text, name),
                Text::new(axis.right + 18.0, y, size, Ink::Text, numbers),
            )
        }
    };
    items.push(Item::Text(name));
    items.push(Item::Text(numbers));
    let about = format!("{}: new is {} old, {}", row.name, row.numbers(), says.words());
    Item::Group(Group { about, link: None, class: "row", data: Vec::new(), tab: false, items })
}

/// The interval; an end without a bound, or beyond the axis, is an arrow.
fn interval(row: &Row, axis: &LogAxis, y: f32, ink: Ink) -> Vec<Item> {
    let low = sound(row.low).filter(|low| axis.holds(*low));
    let high = sound(row.high).filter(|high| axis.holds(*high));
    let (from, to) = (low.map_or(axis.left, |low| axis.x(low)), high.map_or(axis.right, |high| axis.x(high)));
    let stroke = Stroke::new(ink, 2.4);
    // What is wholly beyond the axis is one arrow at its end.
    let (from, to) = match (sound(row.low), sound(row.high)) {
        (Some(low), _) if low > axis.most => (axis.right - 10.0, axis.right),
        (_, Some(high)) if high < 1.0 / axis.most => (axis.left, axis.left + 10.0),
        _ => (from, to.max(from)),
    };
    let mut items = vec![Item::Line(vec![(from, y), (to, y)], stroke)];
    let end = |x: f32, inward: f32, bounded: bool| {
        let points = if bounded {
            vec![(x, y - 5.0), (x, y + 5.0)]
        } else {
            vec![(x + inward, y - 5.0), (x, y), (x + inward, y + 5.0)]
        };
        Item::Line(points, Stroke::new(ink, 1.6))
    };
    items.push(end(from, 6.0, low.is_some()));
    items.push(end(to, -6.0, high.is_some()));
    items
}

#[cfg(test)]
mod tests;
