//! The traffic of new and old hosts under one axis of time, with every event of the deployment on it: waves, pauses, what
//! people asked for, the verdict.

use andon_core::chronicle::Outcome;
use andon_core::time::Time;
use jiff::tz::TimeZone;

use crate::Room;
use crate::drawing::{Chart, Drawing, Group, Item, NEW, OLD, Stroke, Text, path};
use crate::ink::Ink;
use crate::marker;
use crate::plot::{ValueAxis, clock_time, parted, thinned};
use crate::time_axis::TimeAxis;
use crate::{ticks, typeface};

/// Events that are drawn; those beyond are left out of the chart.
pub const MOST_EVENTS: usize = 60;
/// Points of one line.
const MOST_POINTS: usize = 480;
/// Rows for the names of events.
const ROWS: usize = 5;
/// The longest name of an event, in units.
const LONGEST: f32 = 190.0;

/// What is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Traffic {
    /// The span.
    pub from: Time,
    /// See `from`.
    pub to: Time,
    /// Of the hosts on the new release: moments and how much, in any order.
    pub new: Vec<(Time, f64)>,
    /// The same of those on the old release.
    pub old: Vec<(Time, f64)>,
    /// The unit: `requests per second`.
    pub unit: String,
    /// What happened meanwhile, in any order.
    pub events: Vec<Event>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Time,
    /// In a few words: `wave 2 of 4`, `paused by ana`.
    pub name: String,
    /// What kind of thing it is.
    pub mark: EventMark,
}

/// What kind of thing an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventMark {
    /// The deployment went on: a wave, a bake, its end.
    Step,
    /// It was held up, or a person did something.
    Pause,
    /// A verdict, or a failure, against the release.
    Against,
    /// A verdict, or an end, for it.
    For,
}

impl EventMark {
    fn stroke(self) -> Stroke {
        match self {
            Self::Step => Stroke::new(Ink::Quiet, 1.0),
            Self::Pause => Stroke::new(Ink::Outcome(Outcome::UnderWay), 1.4).dashed(5.0, 3.0),
            Self::Against => Stroke::new(Ink::Outcome(Outcome::Failed), 1.8),
            Self::For => Stroke::new(Ink::Outcome(Outcome::Succeeded), 1.8),
        }
    }

    /// The marker on its line.
    fn outcome(self) -> Option<Outcome> {
        match self {
            Self::Step => None,
            Self::Pause => Some(Outcome::UnderWay),
            Self::Against => Some(Outcome::Failed),
            Self::For => Some(Outcome::Succeeded),
        }
    }

    /// The sign before its name.
    fn sign(self) -> &'static str {
        match self {
            Self::Step => "",
            Self::Pause => "◐ ",
            Self::Against => "✘ ",
            Self::For => "✔ ",
        }
    }
}

impl Traffic {
    /// The chart, with clock times of `zone`.
    pub fn chart(&self, room: Room, zone: &TimeZone) -> Chart {
        let size = room.letters();
        let (left, right, height) = match room {
            Room::Narrow => (44.0, 310.0, 150.0),
            Room::Wide => (56.0, 880.0, 190.0),
        };
        let mut drawing = Drawing::new(room.width(), 0.0);
        let mut events: Vec<&Event> = self.events.iter().collect();
        events.sort_by_key(|event| event.at);
        events.truncate(MOST_EVENTS);
        let (new, old) = (thinned(&self.new, MOST_POINTS), thinned(&self.old, MOST_POINTS));
        let values = ValueAxis::over(new.iter().chain(&old).map(|point| point.1), 0.0, 1.0);
        let left = values.room(size).max(left);
        let axis = TimeAxis::new(self.from, self.to, left, right);
        let labels = labels(&events, &axis, drawing.width, size);
        let rows = labels.iter().flatten().map(|label| label.row + 1).max().unwrap_or(0);
        let row = size + 5.0;
        #[allow(clippy::cast_precision_loss, reason = "there are four rows")]
        let top = 2.0 * size + 8.0 + rows as f32 * row;
        let base = top + height;
        drawing.height = base + TimeAxis::room(size);
        let values = ValueAxis { top, bottom: base, ..values };
        values.draw(&mut drawing, left, right, size);
        axis.draw(&mut drawing, base, top, zone, size);
        drawing.text(Text::new(
            8.0,
            size + 2.0,
            size,
            Ink::Quiet,
            typeface::fitting(&self.unit, size, 300.0),
        ));
        for (event, label) in events.iter().zip(labels) {
            marked(&mut drawing, event, label, &axis, (top, base), zone);
        }
        for (points, stroke) in [(&old, OLD), (&new, NEW)] {
            for part in parted(points) {
                let part = part.iter().map(|(at, value)| (axis.x(*at), values.y(*value))).collect();
                drawing.items.extend(path(part, stroke));
            }
        }
        names(&mut drawing, &values, right, size, &new, &old);
        let about = self.about(&events, zone, &new, &old);
        Chart { drawing, title: "Traffic of new and old hosts".to_owned(), about, room }
    }

    fn about(&self, events: &[&Event], zone: &TimeZone, new: &[(Time, f64)], old: &[(Time, f64)]) -> String {
        let last = |points: &[(Time, f64)]| match points.last() {
            Some((_, value)) => ticks::number(*value),
            None => "none".to_owned(),
        };
        let told: Vec<String> = events
            .iter()
            .map(|event| format!("{} {}", clock_time(event.at, "%H:%M:%S", zone), event.name))
            .collect();
        let told = if told.is_empty() { String::new() } else { format!(" Events: {}.", told.join("; ")) };
        format!("At the end new hosts had {}, old ones {} {}.{told}", last(new), last(old), self.unit)
    }
}

/// The name of an event above the plot.
#[derive(Debug, Clone)]
struct Label {
    row: usize,
    text: Text,
}

/// Where names stand: each to the right of its line, in a row above those of all later events that its name reaches, so
/// that no line crosses a name. Where there is no such row, it is only read out.
fn labels(events: &[&Event], axis: &TimeAxis, width: f32, size: f32) -> Vec<Option<Label>> {
    let mut labels: Vec<Option<Label>> = vec![None; events.len()];
    for index in (0..events.len()).rev() {
        let event = events[index];
        let words = typeface::fitting(&event.name, size, LONGEST);
        let long = typeface::width(&words, size);
        let line = axis.x(event.at);
        let x = (line + 5.0).min(width - 2.0 - long).max(2.0);
        let later = || events[index + 1..].iter().zip(&labels[index + 1..]);
        let crossed = later().filter(|(other, _)| axis.x(other.at) <= x + long + 8.0);
        let least = crossed.filter_map(|(_, label)| Some(label.as_ref()?.row + 1)).max().unwrap_or(0);
        let free = |row: &usize| {
            let mut there = later().filter_map(|(_, label)| label.as_ref().filter(|label| label.row == *row));
            there.all(|label| x + long + 10.0 <= label.text.x)
        };
        let Some(row) = (least..ROWS).find(free) else { continue };
        labels[index] = Some(Label { row, text: Text::new(x, 0.0, size, Ink::Text, words) });
    }
    labels
}

/// Draws an event; its name is written above all lines.
fn marked(
    drawing: &mut Drawing,
    event: &Event,
    label: Option<Label>,
    axis: &TimeAxis,
    (top, base): (f32, f32),
    zone: &TimeZone,
) {
    let x = axis.x(event.at);
    let mut up = top - 4.0;
    if let Some(Label { row, mut text }) = label {
        #[allow(clippy::cast_precision_loss, reason = "there are few rows")]
        let y = top - 8.0 - row as f32 * (text.size + 5.0);
        text.y = y;
        // A name that begins before its line, because the paper ends, stands above it.
        up = if text.x < x { y + 4.0 } else { y - text.size * 0.7 };
        drawing.text(text);
    }
    let mut items = vec![Item::Line(vec![(x, up), (x, base)], event.mark.stroke())];
    if let Some(outcome) = event.mark.outcome() {
        let at = (x, top + 7.0);
        items.push(Item::Sign { at, radius: 4.4, shape: marker::shape(outcome), ink: Ink::Outcome(outcome) });
    }
    let about =
        format!("{}{}, {}", event.mark.sign(), event.name, clock_time(event.at, "%-d %b %H:%M:%S", zone));
    drawing.items.push(Item::Group(Group { about, class: "event", items, ..Group::default() }));
}

/// The name and the last value of each line beside its end; they keep apart.
fn names(
    drawing: &mut Drawing,
    values: &ValueAxis,
    right: f32,
    size: f32,
    new: &[(Time, f64)],
    old: &[(Time, f64)],
) {
    let apart = 2.0 * size + 6.0;
    let mut labels: Vec<(f32, &str, f64, Stroke)> = [("new", new, NEW), ("old", old, OLD)]
        .into_iter()
        .filter_map(|(name, points, stroke)| {
            let (_, value) = points.last()?;
            Some((values.y(*value), name, *value, stroke))
        })
        .collect();
    labels.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Two rows below its place are left free for what stands below the axis.
    let lowest = values.bottom - size - 6.0;
    labels.iter_mut().for_each(|label| label.0 = label.0.max(values.top + 5.0));
    if let [upper, lower] = labels.as_mut_slice()
        && lower.0.min(lowest) - upper.0 < apart
    {
        lower.0 = (upper.0 + apart).min(lowest);
        upper.0 = lower.0 - apart;
    }
    for (y, name, value, stroke) in labels {
        let (x, y) = (right + 5.0, y.min(lowest));
        let number = typeface::fitting(&ticks::number(value), size - 1.5, drawing.width - x - 15.0);
        drawing.line((x, y), (x + 11.0, y), stroke);
        drawing.text(Text::new(x + 14.0, y + 1.0, size - 0.5, Ink::Text, name.to_owned()));
        drawing.text(Text::new(x + 14.0, y + 1.0 + size, size - 1.5, Ink::Quiet, number));
    }
}

#[cfg(test)]
mod tests;
