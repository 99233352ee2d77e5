//! The annotated timeline: to the right time, one line for each service and environment, upwards the order of revisions.
//! The line is what ran: it rises with each newer revision and visibly drops when an older one is deployed. Each
//! deployment is a marker at the height of its revision, with the colour and shape of its outcome; one that was put back
//! hangs above the line on a thread.
//!
//! The order counts, not the distance: a drop of one revision among hundreds is drawn as high as it must be to be seen.

use std::borrow::Cow;

use andon_core::chronicle::Outcome;
use andon_core::time::Time;
use jiff::tz::TimeZone;

use crate::Room;
use crate::drawing::{AXIS, Anchor, Chart, Drawing, Group, Item, Stroke, THIN, Text};
use crate::ink::Ink;
use crate::marker::{self, place};
use crate::plot::clock_time;
use crate::time_axis::TimeAxis;
use crate::typeface;
use bucket::Bucket;
use course::Course;

mod bucket;
mod course;

/// Lanes that are drawn.
pub const MOST_LANES: usize = 40;

/// What is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline<'a> {
    /// The span.
    pub from: Time,
    /// See `from`.
    pub to: Time,
    /// The present moment; a line where it is inside of the span.
    pub now: Time,
    /// One for each service and environment, in the order in which they are drawn. Those beyond [`MOST_LANES`] are counted
    /// only.
    pub lanes: Vec<Lane<'a>>,
    /// The address of the same page with its filter, to which a span is added: `/timeline?q=www&`.
    pub zoom: String,
}

/// A service in an environment.
#[derive(Debug, Clone, PartialEq)]
pub struct Lane<'a> {
    /// The service.
    pub service: &'a str,
    /// The environment.
    pub environment: &'a str,
    /// The rank of the revision that ran when the span begins.
    pub before: Option<u32>,
    /// The revision that runs at the end of the span, for its label.
    pub runs: Option<Cow<'a, str>>,
    /// Its deployments, the oldest first.
    pub marks: Vec<Mark<'a>>,
}

/// A deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark<'a> {
    /// Its number.
    pub number: u64,
    /// When it was accepted.
    pub at: Time,
    /// The place of its revision in the order of the service's revisions; `None` when it is not known.
    pub rank: Option<u32>,
    /// How it ended.
    pub outcome: Outcome,
    /// Its revision, or its release.
    pub revision: Cow<'a, str>,
    /// Who asked.
    pub by: &'a str,
    /// Whether it has a marker. Without one it only moves the line: it is not among what is looked for.
    pub shown: bool,
}

impl Mark<'_> {
    /// Whether its revision ran afterwards.
    fn moves(&self) -> bool {
        self.outcome == Outcome::Succeeded
    }
}

/// Where lanes stand on paper.
struct Layout {
    axis: TimeAxis,
    /// The height of a lane.
    lane: f32,
    /// The height of its label, where that stands above it.
    label: f32,
    top: f32,
    size: f32,
    room: Room,
}

impl Layout {
    fn of(timeline: &Timeline<'_>, room: Room) -> Self {
        let count = timeline.lanes.len().min(MOST_LANES);
        let (left, right, label) = match room {
            Room::Narrow => (8.0, 352.0, 16.0),
            Room::Wide => (150.0, 880.0, 0.0),
        };
        let lane = match count {
            0..=2 => 120.0,
            3..=5 => 92.0,
            6..=10 => 58.0,
            11..=20 => 42.0,
            _ => 36.0,
        };
        let axis = TimeAxis::new(timeline.from, timeline.to, left, right);
        Self { axis, lane, label, top: 10.0, size: room.letters(), room }
    }

    /// Where the band of a lane begins, label included.
    #[allow(clippy::cast_precision_loss, reason = "there are few lanes")]
    fn band(&self, lane: usize) -> f32 {
        self.top + lane as f32 * (self.lane + self.label)
    }
}

impl Timeline<'_> {
    /// The chart, with clock times of `zone`.
    pub fn chart(&self, room: Room, zone: &TimeZone) -> Chart {
        let layout = Layout::of(self, room);
        let lanes = &self.lanes[..self.lanes.len().min(MOST_LANES)];
        let base = layout.band(lanes.len().max(1));
        let mut drawing = Drawing::new(room.width(), base + TimeAxis::room(layout.size));
        drawing.data = vec![
            ("from", layout.axis.from.0.to_string()),
            ("to", layout.axis.to.0.to_string()),
            ("left", layout.axis.left.to_string()),
            ("right", layout.axis.right.to_string()),
        ];
        layout.axis.draw(&mut drawing, base, layout.top, zone, layout.size);
        if (self.from..self.to).contains(&self.now) {
            let x = layout.axis.x(self.now);
            drawing.line((x, layout.top), (x, base), AXIS.dashed(2.0, 3.0));
        }
        let courses: Vec<Course> = lanes
            .iter()
            .enumerate()
            .map(|(n, lane)| {
                let top = layout.band(n) + layout.label;
                Course::of(lane, &layout.axis, top, layout.lane, lanes.len())
            })
            .collect();
        for (n, (lane, course)) in lanes.iter().zip(&courses).enumerate() {
            self.lane(&mut drawing, &layout, n, lane, course);
        }
        for (n, buckets) in bucket::of(lanes, &courses, room).into_iter().enumerate() {
            for bucket in buckets {
                drawing.items.push(self.marker(&lanes[n], n, &bucket, zone));
            }
        }
        first_is_reached(&mut drawing.items);
        Chart { drawing, title: "Timeline of deployments".to_owned(), about: self.about(zone), room }
    }

    fn lane(&self, drawing: &mut Drawing, layout: &Layout, n: usize, lane: &Lane<'_>, course: &Course) {
        let (band, ink) = (layout.band(n), Ink::Lane(n));
        if n > 0 {
            drawing.line((0.0, band), (drawing.width, band), THIN);
        }
        for thread in &course.threads {
            drawing.path(thread.clone(), Stroke::new(ink, 1.0).dashed(1.5, 2.0));
        }
        drawing.path(course.line.clone(), Stroke::new(ink, 2.0));
        // Where there are many, each is seen by itself.
        let width = if course.drops.len() > 24 { 2.0 } else { 4.0 };
        for drop in &course.drops {
            drawing.path(drop.clone(), Stroke::new(ink, width));
        }
        let size = layout.size;
        match layout.room {
            Room::Wide => {
                let most = layout.axis.left - 16.0;
                let middle = band + layout.lane / 2.0;
                let service = typeface::fitting(lane.service, size, most);
                drawing.text(Text::new(8.0, middle - 1.0, size, Ink::Text, service));
                let environment = typeface::fitting(lane.environment, size - 1.0, most);
                drawing.text(Text::new(8.0, middle + size, size - 1.0, Ink::Quiet, environment));
                if let (Some(runs), Some((_, y))) = (&lane.runs, course.line.last()) {
                    let runs = typeface::fitting(runs, size - 1.0, drawing.width - layout.axis.right - 10.0);
                    drawing.text(Text::new(layout.axis.right + 8.0, y + 4.0, size - 1.0, ink, runs));
                }
            }
            Room::Narrow => {
                let runs = typeface::fitting(lane.runs.as_deref().unwrap_or_default(), size, 90.0);
                let runs = Text::new(352.0, band + 12.0, size, ink, runs).anchored(Anchor::End);
                let service = typeface::fitting(lane.service, size, 150.0);
                let service = Text::new(8.0, band + 12.0, size, Ink::Text, service);
                let room = runs.start() - service.end() - 16.0;
                let environment = typeface::fitting(lane.environment, size, room);
                drawing.text(Text::new(service.end() + 6.0, band + 12.0, size, Ink::Quiet, environment));
                drawing.text(service);
                drawing.text(runs);
            }
        }
    }

    /// A marker: one deployment leads to its page, several lead to a closer look.
    fn marker(&self, lane: &Lane<'_>, n: usize, bucket: &Bucket<'_, '_>, zone: &TimeZone) -> Item {
        let (outcome, radius) = (bucket.outcome(), bucket.radius());
        let scope = format!("{} → {}", lane.service, lane.environment);
        let (first, last) = bucket.span();
        let time = |at: Time| clock_time(at, "%-d %b %Y %H:%M", zone);
        let (about, link) = match bucket.marks.as_slice() {
            [only] => {
                let Mark { number, revision, by, outcome, .. } = only;
                let words = format!("{} {}", outcome.sign(), outcome.word());
                let about = format!("#{number} {scope}: {revision} by {by}, {words}, {}", time(only.at));
                (about, format!("/deployments/{number}"))
            }
            marks => {
                let counts: Vec<String> = counted(marks.iter().map(|mark| mark.outcome))
                    .into_iter()
                    .map(|(outcome, count)| format!("{count} {}", outcome.word()))
                    .collect();
                let (from, to) = (first.iso(), Time(last.0.saturating_add(1_000)).iso());
                let about = format!(
                    "{} deployments of {scope}, {} to {}: {}",
                    marks.len(),
                    time(first),
                    time(last),
                    counts.join(", ")
                );
                (about, format!("{}from={from}&to={to}", self.zoom))
            }
        };
        let sign =
            Item::Sign { at: bucket.at, radius, shape: marker::shape(outcome), ink: Ink::Outcome(outcome) };
        let data = vec![("lane", n.to_string()), ("from", first.0.to_string()), ("to", last.0.to_string())];
        Item::Group(Group { about, link: Some(link), class: "mark", data, tab: false, items: vec![sign] })
    }

    /// What is to be seen, in words.
    fn about(&self, zone: &TimeZone) -> String {
        let marks = || self.lanes.iter().flat_map(|lane| &lane.marks).filter(|mark| mark.shown);
        let day = |at: Time| clock_time(at, "%-d %b %Y %H:%M", zone);
        let counts: Vec<String> = counted(marks().map(|mark| mark.outcome))
            .into_iter()
            .map(|(outcome, count)| format!("{count} {}", outcome.word()))
            .collect();
        let what = match (marks().count(), self.lanes.len()) {
            (0, _) => "No deployment".to_owned(),
            (1, _) => "One deployment".to_owned(),
            (n, 1) => format!("{n} deployments"),
            (n, lanes) => format!("{n} deployments on {lanes} lines"),
        };
        let ends = if counts.is_empty() { String::new() } else { format!(": {}", counts.join(", ")) };
        format!("{what} from {} to {}{ends}.", day(self.from), day(self.to))
    }
}

/// How many of each, in the order in which charts stack them.
pub(crate) fn counted(outcomes: impl Iterator<Item = Outcome>) -> Vec<(Outcome, usize)> {
    let mut counts = [0_usize; Outcome::ALL.len()];
    outcomes.for_each(|outcome| counts[place(outcome)] += 1);
    Outcome::ALL.into_iter().zip(counts).filter(|(_, count)| *count > 0).collect()
}

/// One marker, the newest of the first lane, is reached by the tabulator; the arrow keys go on from there.
fn first_is_reached(items: &mut [Item]) {
    let marks = items.iter_mut().filter_map(|item| match item {
        Item::Group(group) if group.link.is_some() => Some(group),
        _ => None,
    });
    let mut first: Vec<&mut Group> = marks.collect();
    let lane = first.first().and_then(|group| group.data.first().cloned());
    let last = first.iter_mut().rev().find(|group| group.data.first() == lane.as_ref());
    if let Some(group) = last {
        group.tab = true;
    }
}

#[cfg(test)]
mod tests;
